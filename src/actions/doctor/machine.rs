//! The panel's own machine, looked at.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use crate::domain::VERSION;
use crate::domain::doctor::{self, Finding, MachineSeen};
use crate::vault::Vault;

/// Where the panel keeps its things.
#[derive(Clone, Debug)]
pub struct Place {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The master key's file.
    pub master_key_file: PathBuf,
}

/// Looks at it. `base_url` is the address people reach the panel at.
pub fn machine(place: &Place, base_url: &str) -> Vec<Finding> {
    let folder = std::fs::metadata(&place.data_dir);
    let folder_fault = match &folder {
        Err(cause) => Some(cause.to_string()),
        Ok(_) => access(&place.data_dir, Access::WRITE_OK | Access::EXEC_OK).err().map(|cause| cause.to_string()),
    };
    let seen = MachineSeen {
        version: VERSION,
        folder: place.data_dir.display().to_string(),
        folder_fault,
        folder_mode: folder.map_or(0o700, |folder| folder.permissions().mode() & 0o777),
        free_mib: free_mib(&place.data_dir),
        key_fault: Vault::open(&place.master_key_file).err().map(|bad| bad.to_string()),
        base_url: base_url.to_owned(),
    };
    doctor::machine(&seen)
}

/// Room for whoever is not root.
fn free_mib(folder: &Path) -> Option<u64> {
    let seen = statvfs(folder).ok()?;
    Some(seen.f_bavail.saturating_mul(seen.f_frsize) >> 20)
}
