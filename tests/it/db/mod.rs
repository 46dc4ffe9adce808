//! The tables and their walls.

mod cluster;
mod job_log;
mod sessions;
mod walls;
