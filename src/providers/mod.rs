//! Services outside the hosts: forges now; stores, notifiers, clouds and DNS get a file each when they come.

pub mod forges;
pub mod git;
pub mod names;
