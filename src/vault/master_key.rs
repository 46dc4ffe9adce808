//! The master key's file: one line of text, readable by its owner alone.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::envelope::Key;

/// What the line begins with, so that another file is not taken for a key.
const MARK: &str = "skiff-master-key-1 ";
/// More than a key file holds: another file is not read to its end.
const LONGEST: u64 = 4096;

/// Why the key file cannot be used. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BadKeyFile {
    /// Not there.
    #[error(
        "The master key {0} is not there. Put it back from your copy; without it the sealed values cannot be read."
    )]
    Missing(PathBuf),
    /// Already there, when a new one was to be made.
    #[error("The master key {0} is already there and is not replaced.")]
    Exists(PathBuf),
    /// Others can read it.
    #[error("The master key {0} can be read by other users of this machine. Run: chmod 600 {0}")]
    Open(PathBuf),
    /// Not a key.
    #[error("{0} is not a master key of Skiff, or is damaged. Put it back from your copy.")]
    Damaged(PathBuf),
    /// Cannot be read or written.
    #[error("The master key {file} cannot be used: {cause}.")]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
}

/// Reads the key.
pub(super) fn read(file: &Path) -> Result<Key, BadKeyFile> {
    let opened = File::open(file).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => BadKeyFile::Missing(file.to_owned()),
        _ => BadKeyFile::Io { file: file.to_owned(), cause },
    })?;
    let io = |cause| BadKeyFile::Io { file: file.to_owned(), cause };
    if opened.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
        return Err(BadKeyFile::Open(file.to_owned()));
    }
    let mut text = Zeroizing::new(Vec::new());
    opened.take(LONGEST).read_to_end(&mut text).map_err(io)?;
    let line = std::str::from_utf8(&text).ok().and_then(|text| text.trim_end().strip_prefix(MARK));
    let bytes = line.and_then(|line| STANDARD.decode(line).ok()).map(Zeroizing::new);
    bytes.and_then(|bytes| Key::from_bytes(&bytes)).ok_or_else(|| BadKeyFile::Damaged(file.to_owned()))
}

/// Makes a key and its file; the key is on the disk when this returns.
pub(super) fn create(file: &Path) -> Result<Key, BadKeyFile> {
    let key = Key::random();
    let line = Zeroizing::new(format!("{MARK}{}\n", STANDARD.encode(key.bytes())));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut opened = opened.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => BadKeyFile::Exists(file.to_owned()),
        _ => BadKeyFile::Io { file: file.to_owned(), cause },
    })?;
    let io = |cause| BadKeyFile::Io { file: file.to_owned(), cause };
    opened.write_all(line.as_bytes()).map_err(io)?;
    opened.sync_all().map_err(io)?;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    Ok(key)
}
