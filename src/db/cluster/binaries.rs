//! The PostgreSQL programs of this machine.

use std::path::{Path, PathBuf};

use super::place::Place;
use super::{ClusterError, INITDB_WITHIN, output, program};

/// The oldest major version we run on.
const OLDEST: u32 = 14;

/// One installed version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn pg_ctl(&self) -> PathBuf {
        self.folder.join("pg_ctl")
    }
}

/// The version that made the data, or the newest where there are none yet.
pub(super) async fn find(place: &Place) -> Result<Binaries, ClusterError> {
    let mut found = Vec::new();
    for folder in folders() {
        if let Some(major) = major(place, &folder).await {
            found.push(Binaries { folder, major });
        }
    }
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    let newest = found.first().cloned().ok_or(ClusterError::NotInstalled)?;
    match place.version() {
        Some(made) => found.iter().find(|binaries| binaries.major == made).cloned().ok_or_else(|| {
            let found = found.iter().map(|binaries| binaries.major.to_string()).collect::<Vec<_>>().join(", ");
            ClusterError::OtherVersion { folder: place.data(), made, found }
        }),
        None if newest.major < OLDEST => Err(ClusterError::TooOld(newest.major)),
        None => Ok(newest),
    }
}

/// Where distributions put them, and the search path.
fn folders() -> Vec<PathBuf> {
    let inside = |root: &str| {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("bin")).collect::<Vec<_>>()
    };
    let mut folders = inside("/usr/lib/postgresql");
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path).filter(|folder| folder.is_absolute()));
    folders.retain(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    folders.sort();
    folders.dedup();
    folders
}

/// The major version of the programs in a folder: its name on Debian, else their own word.
async fn major(place: &Place, folder: &Path) -> Option<u32> {
    let named = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok());
    if named.is_some() {
        return named;
    }
    let mut ask = program(place, &folder.join("postgres"));
    ask.arg("--version");
    let said = output(place, ask, INITDB_WITHIN, "could not be asked for its version").await.ok()?;
    said.rsplit(' ').next()?.split('.').next()?.parse().ok()
}
