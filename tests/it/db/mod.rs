//! The tables and their walls.

mod cluster;
mod job_log;
mod pools;
mod sessions;
mod walls;
