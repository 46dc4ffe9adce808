//! Instances of apps: what they print, what they are, restarting one. Not here: making them; that is a deploy.

mod batch;
mod inspect;
mod listen;
mod logs;
mod redaction;
mod restart;
mod views;

pub use inspect::inspect;
pub use logs::{DOWNLOAD_LINES, Follow, LINES, Seats, download, follow, read};
pub use restart::restart;
pub use views::{AppLogLine, Inspected, InstanceView, Logs, Origin, Restarted, Shown, Voice, Wanted};
