//! Services outside the hosts: forges, what takes notices, certificate authorities, who keeps domains; stores and clouds get a
//! file each when they come.

pub mod acme;
pub mod dns;
pub mod forges;
pub mod git;
mod https;
pub mod names;
pub mod notices;
pub mod outside;
pub mod resolver;
