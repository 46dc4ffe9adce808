//! The seat of a worker on this machine: whoever holds it knows that the process before it is dead, and takes over what
//! that one left at once instead of waiting for its leases.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Stopped;

/// The file in the data folder that is locked.
const FILE: &str = "worker.lock";
/// Names this start of the machine's kernel: a lock says nothing about processes of another machine, or of this one
/// before it was started again.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// A locked seat. The kernel gives it up with the process, however that ends.
pub struct Seat {
    _lock: File,
    /// The same for every process that sat here, and for none that sat elsewhere.
    pub name: String,
}

/// Takes the seat of this data folder. None where another living process has it, or where nothing would tell it from
/// another machine's.
pub fn take(data_dir: &Path) -> Result<Option<Seat>, Stopped> {
    let wrong = |cause| Stopped::Folder { folder: data_dir.to_owned(), cause };
    let file = OpenOptions::new().create(true).write(true).truncate(false).open(data_dir.join(FILE)).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(cause)) => return Err(wrong(cause)),
    }
    let Ok(boot) = std::fs::read_to_string(BOOT) else { return Ok(None) };
    let seen = file.metadata().map_err(wrong)?;
    let boot: String = boot.chars().filter(char::is_ascii_hexdigit).collect();
    // A copy of the folder is another file: it has a seat of its own.
    Ok(Some(Seat { name: format!("worker-{boot}-{:x}-{:x}", seen.dev(), seen.ino()), _lock: file }))
}
