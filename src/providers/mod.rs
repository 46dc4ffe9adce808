//! Services outside the hosts: forges and what takes notices now; stores, clouds and DNS get a file each when they come.

pub mod forges;
pub mod git;
pub mod notices;
pub mod outside;
