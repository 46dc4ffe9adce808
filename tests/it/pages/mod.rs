//! The browser's door and the pages behind it, before a real database; some in a real browser.

mod contrast;
mod dockerfiles;
mod door;
mod fleet;
mod forms;
mod hostile;
mod https;
mod journey;
mod live;
mod members;
pub mod pictures;
mod refusals;
mod removal;
mod routes;
pub mod scene;
mod setup;
pub mod walk;
