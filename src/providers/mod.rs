//! Services outside the hosts: forges, certificate authorities, who keeps domains; stores, notifiers and clouds get a file
//! each when they come.

pub mod acme;
pub mod dns;
pub mod forges;
pub mod git;
mod https;
pub mod names;
pub mod outside;
