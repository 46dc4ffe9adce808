//! The files of a fetched commit as a tar stream for a builder: one folder of it, without what `.dockerignore` names,
//! with the Dockerfile. Nothing touches the disk.

use bytes::Bytes;
use futures_util::Stream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::access::Env;
use super::run::Running;
use super::tar_stream::{Filter, Rules};
use super::{Error, Git, words};
use crate::domain::deploy::Failure;
use crate::domain::docker_ignore::DockerIgnore;
use crate::domain::dockerfile::{self, DockerfileText};
use crate::domain::ids::SourceId;
use crate::domain::names::{CommitId, RepoPath};

/// Git reads from the local disk: one piece in a minute means that the disk is gone.
const PIECE_LIMIT: Duration = Duration::from_secs(60);
/// The name in the stream of a Dockerfile that stands outside the context, or not in the repository at all.
const OUTSIDE: &str = ".skiff.dockerfile";

/// Which files are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The commit, fetched.
    pub commit: &'a CommitId,
    /// The folder.
    pub context: &'a RepoPath,
    /// The Dockerfile, relative to the repository's root.
    pub dockerfile: &'a RepoPath,
    /// Its text, where it is not the repository's own: then nothing has to be at the path.
    pub written: Option<&'a DockerfileText>,
    /// Whether files may be Git LFS pointers, as [`Git::inspect`] found.
    pub lfs: bool,
}

/// The bytes of an archive.
pub type Pieces = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// A tar stream, and what went wrong in it.
pub struct Archive {
    /// The Dockerfile's path in the stream.
    pub dockerfile: RepoPath,
    /// The bytes. Dropping it ends git.
    pub stream: Pieces,
    /// Why the stream broke off, where it was for a reason of ours: whoever reads it sees only that it broke.
    pub fault: Fault,
}

/// The reason why a stream broke off, seen from outside of it.
#[derive(Clone, Debug, Default)]
pub struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    /// Takes the reason, if there is one.
    pub fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl Git {
    /// Begins the stream.
    pub async fn archive(&self, source: SourceId, files: Files<'_>) -> Result<Archive, Error> {
        let Files { commit, context, dockerfile, written, lfs } = files;
        let inside = match context.as_ref() {
            _ if written.is_some() => None,
            "." => Some(dockerfile.as_ref()),
            folder => dockerfile.as_ref().strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
        };
        let missing = || Failure::NoDockerfile { path: dockerfile.to_string() };
        let extra = match (inside, written) {
            (Some(_), _) => None,
            (None, Some(text)) => Some((OUTSIDE, text.as_ref().as_bytes().to_vec())),
            (None, None) => Some((OUTSIDE, self.file(source, commit, dockerfile.as_ref()).await?.ok_or_else(missing)?)),
        };
        let always = inside.unwrap_or_default().to_owned();
        let name = inside.unwrap_or(OUTSIDE).parse().map_err(|_| missing())?;
        let rules = Rules {
            ignore: self.ignore(source, files).await?,
            always,
            lfs,
            mtime: self.time(source, commit).await?,
            extra,
        };

        let tree = if context.as_ref() == "." { format!("{commit}^{{tree}}") } else { format!("{commit}:{context}") };
        let args = ["archive", "--format=tar", "--end-of-options", &tree];
        let mut running = self.start(Some(&self.clone_of(source)), &args, &Env::default())?;
        let out = running.out().ok_or_else(|| Failure::SourceUnreachable { detail: "git gave no output".into() })?;
        let fault = Fault::default();
        let state = State { filter: Filter::new(out, rules), running: Some(running), fault: fault.clone() };
        let stream = futures_util::stream::try_unfold(state, |mut state| async move {
            match state.next().await {
                Ok(piece) => Ok(piece.map(|piece| (piece, state))),
                Err(error) => {
                    state.fault.set(error);
                    Err(std::io::Error::other("the files of the repository could not be read to their end"))
                }
            }
        });
        Ok(Archive { dockerfile: name, stream: Box::pin(stream), fault })
    }

    /// The rules for this Dockerfile: its own (`<name>.dockerignore` beside it), else the folder's. Where neither is there and the
    /// Dockerfile is not the repository's, those that go with it.
    async fn ignore(&self, source: SourceId, files: Files<'_>) -> Result<DockerIgnore, Error> {
        let own = format!("{}.dockerignore", files.dockerfile);
        let folders = match files.context.as_ref() {
            "." => ".dockerignore".to_owned(),
            folder => format!("{folder}/.dockerignore"),
        };
        for path in [own, folders] {
            if let Some(text) = self.file(source, files.commit, &path).await? {
                let read = DockerIgnore::parse(&String::from_utf8_lossy(&text));
                return read.map_err(|bad| Failure::Refused { reason: bad.0 }.into());
            }
        }
        let usual = if files.written.is_some() { dockerfile::IGNORE } else { "" };
        DockerIgnore::parse(usual).map_err(|bad| Failure::Refused { reason: bad.0 }.into())
    }

    /// The commit's time in seconds since 1970, the time of every file sent: so the same commit makes the same layers.
    async fn time(&self, source: SourceId, commit: &CommitId) -> Result<u64, Error> {
        let args = ["log", "-1", "--no-show-signature", "--format=%ct", "--end-of-options", commit.as_ref()];
        let out = self.small(source, &args).await?;
        // A time before 1970 or beyond what tar can hold is a commit made by hand; any time serves.
        let seconds: u64 = String::from_utf8_lossy(&out).trim().parse().unwrap_or_default();
        Ok(seconds.min(0o77_777_777_777))
    }
}

/// Git at work, its filter, and where a fault is told.
struct State {
    filter: Filter<tokio::process::ChildStdout>,
    running: Option<Running>,
    fault: Fault,
}

impl State {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let stuck = |_| Error::from(Failure::SourceUnreachable { detail: "git stopped sending its files".into() });
        match tokio::time::timeout(PIECE_LIMIT, self.filter.next()).await.map_err(stuck)? {
            Ok(Some(piece)) => Ok(Some(piece)),
            Ok(None) => self.end().await.map(|()| None),
            // A stream cut short by git itself: its own words say more than "unexpected end".
            Err(Error::Local { .. }) if self.running.is_some() => {
                self.end().await?;
                Err(Failure::SourceUnreachable { detail: "git broke off".into() }.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Waits for git's end and hears its complaint.
    async fn end(&mut self) -> Result<(), Error> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let stuck = |_| Error::from(Failure::SourceUnreachable { detail: "git did not end".into() });
        match tokio::time::timeout(PIECE_LIMIT, running.end()).await.map_err(stuck)?? {
            (Some(0), _) => Ok(()),
            (_, complaint) => Err(words::failure(&complaint).into()),
        }
    }
}
