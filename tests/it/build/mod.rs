//! From a repository to an image: a real git over https, ssh and a local folder; a real BuildKit on a test host.

mod archives;
pub mod bench;
mod canaries;
mod cut;
mod deploys;
pub mod forge;
mod images;
mod languages;
mod program;
mod reads;
pub mod repo;
mod samples;
mod written;
