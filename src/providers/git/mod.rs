//! Repositories, through the machine's own `git`: the head of a branch, one commit in a cached bare clone, and its
//! files as a tar stream. Nothing is ever checked out to disk, no shell sees a user's text, no hook of a repository runs.
//! What is built from the files, and how, is not known here.

mod access;
mod archive;
mod fetch;
mod look;
mod run;
mod tar_stream;
mod words;

use std::path::{Path, PathBuf};

pub use access::Access;
pub use archive::{Archive, Fault, Files, Pieces};
pub use look::{Contents, Tree};

use crate::domain::deploy::Failure;
use crate::domain::ids::SourceId;
use crate::domain::names::GitUrl;

/// Where `git` may stand. The first that exists is used; the panel's own PATH is not asked.
const PROGRAMS: [&str; 3] = ["/usr/bin/git", "/usr/local/bin/git", "/bin/git"];
/// The oldest `git` that takes its settings from the environment (`GIT_CONFIG_COUNT` 2.31, `GIT_CONFIG_GLOBAL` 2.32).
const OLDEST: (u32, u32) = (2, 32);

/// What the panel's owner decides about repositories.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A folder of the panel's own: cached clones and, for the time of a call, deploy keys.
    pub data_dir: PathBuf,
    /// A folder of this machine whose repositories may be read by `file://…`; without it, none may.
    pub local_root: Option<PathBuf>,
    /// Certificates (PEM) to trust in place of the machine's own, for a forge with a private authority.
    pub ca_file: Option<PathBuf>,
}

/// A repository and how to open it, for one call.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    /// The source: the cached clone and the pinned host key are its own.
    pub source: SourceId,
    /// The address.
    pub url: &'a GitUrl,
    /// The opened key or token.
    pub access: &'a Access,
}

/// Why `git` can not be used at all. Apps of images work without it.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    /// Not installed.
    #[error("git is not installed on the panel's machine: install the package \"git\" and start Skiff again")]
    Missing,
    /// Too old.
    #[error("git on the panel's machine is {0}: 2.32 or newer is needed")]
    TooOld(String),
    /// The folder could not be made.
    #[error("the folder {folder} cannot be used: {cause}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// For people: it stands in the closed list of failures of a deploy.
    #[error("{0:?}")]
    Failure(Failure),
    /// Something of the panel's own machine; for its log.
    #[error("{doing}: {cause}")]
    Local {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl Error {
    /// For `map_err`: an error of the panel's own machine while doing this.
    fn local(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Local { doing, cause }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The machine's `git`, with the folders it works in.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    settings: Settings,
}

impl Git {
    /// Finds the program, asks for its version, makes the folders and clears what a killed panel left of keys.
    pub async fn open(settings: Settings) -> Result<Self, CannotOpen> {
        let program = PROGRAMS.iter().map(PathBuf::from).find(|p| p.is_file()).ok_or(CannotOpen::Missing)?;
        let git = Self { program, settings };
        let version = git.version().await.unwrap_or_default();
        if words::version(&version).is_none_or(|found| found < OLDEST) {
            return Err(CannotOpen::TooOld(version));
        }
        for folder in [git.settings.data_dir.clone(), git.sources(), git.keys()] {
            access::private_folder(&folder).map_err(|cause| CannotOpen::Folder { folder, cause })?;
        }
        access::write_constants(&git.settings.data_dir)
            .map_err(|cause| CannotOpen::Folder { folder: git.settings.data_dir.clone(), cause })?;
        access::clear_leftovers(&git.keys());
        Ok(git)
    }

    /// Where the cached clones stand.
    fn sources(&self) -> PathBuf {
        self.settings.data_dir.join("sources")
    }

    /// Where deploy keys stand for the time of a call.
    fn keys(&self) -> PathBuf {
        self.settings.data_dir.join("keys")
    }

    /// The cached bare clone of a source.
    fn clone_of(&self, source: SourceId) -> PathBuf {
        self.sources().join(format!("{}.git", source.simple()))
    }

    /// The host keys a source's server has shown: pinned at first use, one file per source.
    fn known_hosts_of(&self, source: SourceId) -> PathBuf {
        self.sources().join(format!("{}.known_hosts", source.simple()))
    }

    /// Refuses a local folder unless the settings allow the place it stands in, links followed.
    fn refuse_local(&self, url: &GitUrl) -> Result<(), Error> {
        if !url.is_local() {
            return Ok(());
        }
        let refused = || {
            let place = match &self.settings.local_root {
                Some(root) => format!("reads only those below {}", root.display()),
                None => "reads none".to_owned(),
            };
            let reason = format!("Of its own machine's repositories this panel {place}. Use that, or https or ssh.");
            Error::from(Failure::Refused { reason })
        };
        let root = self.settings.local_root.as_deref().ok_or_else(refused)?;
        let path = url.as_ref().strip_prefix("file://").unwrap_or_default();
        let unreachable = |_| {
            Error::from(Failure::SourceUnreachable {
                detail: format!("the folder {path} is not there, or the panel's user may not read it"),
            })
        };
        let real = Path::new(path).canonicalize().map_err(unreachable)?;
        let root = root.canonicalize().map_err(|_| refused())?;
        if real.starts_with(root) { Ok(()) } else { Err(refused()) }
    }
}
