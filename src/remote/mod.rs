//! Hosts: SSH connections, constant scripts, files, Docker and HAProxy through them. Not here: SQL, what a deploy is.
//!
//! A managed host is hostile input: every answer has a limit in time and size, and its texts are shown as text only.

pub mod docker;
mod error;
pub mod files;
mod forwarding;
pub mod haproxy;
mod host;
mod io;
mod jump;
pub mod keys;
mod lines;
mod link;
mod mirror;
mod pass;
mod pool;
mod probe;
mod script;
mod session;
mod tls;
mod wire;

pub use error::Error;
pub use files::{File, PUT_FILES};
pub use host::Host;
pub use lines::{CUT_MARK, LINE_BYTES};
pub use mirror::Mirror;
pub use pass::{Pass, run_once};
pub use pool::{Jump, Login, Pool, PoolSettings};
pub use probe::{Probe, Way};
pub use script::{Exit, RemoteScript, Stream};
