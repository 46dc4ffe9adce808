//! The head of a branch, and one commit brought into the source's cached bare clone. One fetch at a time per source,
//! across all processes that share the folder.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::access::Env;
use super::run::{LOCAL_LIMIT, SMALL};
use super::{Error, Git, Repository, words};
use crate::domain::deploy::Failure;
use crate::domain::ids::SourceId;
use crate::domain::names::{BranchName, CommitId};

/// A forge answers with its list of branches in a second or two; a slow one on a slow line in twenty.
const HEAD_LIMIT: Duration = Duration::from_secs(40);
/// One commit of a large repository (1 GB at 2 MB/s).
const FETCH_LIMIT: Duration = Duration::from_secs(600);
/// Another job may be fetching the same source: as long as that may take.
const LOCK_LIMIT: Duration = FETCH_LIMIT;
/// How often a held lock is asked for again.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Bytes the cached clone of one source may have. The panel's database is on the same disk.
const CLONE_LIMIT: u64 = 5 * 1024 * 1024 * 1024;
/// How often a fetch is measured: at 100 MB/s that is 100 MB beyond the limit at most.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// Entries of a folder of packs that are measured; git itself repacks at 50.
const MEASURED: usize = 10_000;

/// The attributes that would make an archive differ from a checkout, switched off for every path. Files in the
/// repository cannot override `info/attributes`.
const ATTRIBUTES: &str = "* -export-ignore -export-subst -filter\n";

impl Git {
    /// The commit the branch points to now.
    pub async fn head(&self, repository: Repository<'_>, branch: &BranchName) -> Result<CommitId, Error> {
        self.first_of(repository, branch, &[format!("refs/heads/{branch}")]).await
    }

    /// The commit that a branch, or else a tag, of this name points to now.
    pub async fn tip(&self, repository: Repository<'_>, name: &BranchName) -> Result<CommitId, Error> {
        // A tag may be an object of its own: then the commit it tells of stands behind `^{}`.
        let wanted = ["refs/heads/", "refs/tags/", "refs/tags/"].map(|below| format!("{below}{name}"));
        let [head, tag, object] = wanted;
        self.first_of(repository, name, &[head, [&object, "^{}"].concat(), tag]).await
    }

    /// The first of these names that the repository has.
    async fn first_of(
        &self,
        repository: Repository<'_>,
        branch: &BranchName,
        wanted: &[String],
    ) -> Result<CommitId, Error> {
        let mut args = vec!["ls-remote", "--exit-code", "--", repository.url.as_ref()];
        args.extend(wanted.iter().map(String::as_str));
        let env = self.env(repository)?;
        let ended = self.run(None, &args, &env, HEAD_LIMIT, SMALL).await?;
        if !matches!(ended.code, Some(0 | 2)) {
            return Err(words::failure(&ended.err).into());
        }
        // The pattern also matches longer names that end alike, so the whole name is compared.
        let out = String::from_utf8_lossy(&ended.out);
        let listed: Vec<(&str, &str)> = out.lines().filter_map(|line| line.split_once('\t')).collect();
        let commit = wanted.iter().find_map(|wanted| {
            let (id, _) = listed.iter().find(|(_, name)| name == wanted)?;
            id.parse().ok()
        });
        commit.ok_or_else(|| Failure::BranchNotFound { branch: branch.clone() }.into())
    }

    /// Makes sure that the commit is in the cached clone; the network is only asked where it is not. Where the server
    /// gives no single commit by its id, the branch it is on is fetched instead: its head first, then all of it.
    pub async fn fetch(&self, repository: Repository<'_>, branch: &BranchName, commit: &CommitId) -> Result<(), Error> {
        let _lock = self.lock(repository.source).await?;
        let clone = self.clone_of(repository.source);
        self.ready(&clone).await?;
        if self.has(&clone, commit).await? {
            return Ok(());
        }
        clear_leftovers(&clone);
        let env = self.env(repository)?;
        let mut fetched = self.fetch_into(&clone, &env, repository, branch, commit).await;
        if matches!(&fetched, Err(Refused::Clone(_))) {
            // The clone is a cache: a broken one is made anew.
            tracing::warn!(source.id = %repository.source, "A cached clone is broken and is made anew");
            std::fs::remove_dir_all(&clone).map_err(Error::local("removing a broken clone"))?;
            self.ready(&clone).await?;
            fetched = self.fetch_into(&clone, &env, repository, branch, commit).await;
        }
        self.tidy(&clone).await;
        fetched.map_err(|refused| match refused {
            Refused::Clone(complaint) => words::failure(&complaint).into(),
            Refused::For(error) => error,
        })
    }

    /// Tries the ways to get a commit, the cheapest first.
    async fn fetch_into(
        &self,
        clone: &Path,
        env: &Env,
        repository: Repository<'_>,
        branch: &BranchName,
        commit: &CommitId,
    ) -> Result<(), Refused> {
        let by_id = format!("+{commit}:refs/skiff/kept");
        let by_branch = format!("+refs/heads/{branch}:refs/skiff/kept");
        for (depth, refspec) in [("--depth=1", &by_id), ("--depth=1", &by_branch), ("--depth=2147483647", &by_branch)] {
            let complaint = self.fetch_once(clone, env, repository, depth, refspec).await?;
            match complaint {
                None if self.has(clone, commit).await? => return Ok(()),
                None => {}
                Some(complaint) if words::wants_a_branch(&complaint) => {}
                Some(complaint) if words::clone_is_broken(&complaint) => return Err(Refused::Clone(complaint)),
                Some(complaint) => return Err(Error::from(words::failure(&complaint)).into()),
            }
        }
        Err(Error::from(Failure::CommitNotFound { commit: commit.clone() }).into())
    }

    /// One fetch; git's complaint, if it had one.
    async fn fetch_once(
        &self,
        clone: &Path,
        env: &Env,
        repository: Repository<'_>,
        depth: &str,
        refspec: &str,
    ) -> Result<Option<String>, Error> {
        let url = repository.url.as_ref();
        let args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", depth, "--", url, refspec];
        let ended = tokio::select! {
            ended = self.run(Some(clone), &args, env, FETCH_LIMIT, SMALL) => ended?,
            () = too_large(clone) => {
                // What came of it so far is of no use: dropped at once, not at the next fetch.
                clear_leftovers(clone);
                let reason = "The repository is larger than 5 GiB, more than Skiff fetches.".to_owned();
                return Err(Failure::Refused { reason }.into());
            }
        };
        Ok((ended.code != Some(0)).then_some(ended.err))
    }

    /// Makes the bare clone where there is none. A half-made one is completed: `init` does no harm to a whole one.
    async fn ready(&self, clone: &Path) -> Result<(), Error> {
        let attributes = clone.join("info/attributes");
        if attributes.is_file() {
            return Ok(());
        }
        let args = ["init", "--quiet", "--bare", "--template="];
        let ended = self.run(Some(clone), &args, &Env::default(), LOCAL_LIMIT, SMALL).await?;
        if ended.code != Some(0) {
            return Err(words::failure(&ended.err).into());
        }
        std::fs::create_dir_all(clone.join("info")).map_err(Error::local("making the cached clone"))?;
        std::fs::write(attributes, ATTRIBUTES).map_err(Error::local("making the cached clone"))
    }

    /// True where the clone has the commit.
    async fn has(&self, clone: &Path, commit: &CommitId) -> Result<bool, Error> {
        let object = format!("{commit}^{{tree}}");
        let args = ["cat-file", "-e", &object];
        Ok(self.run(Some(clone), &args, &Env::default(), LOCAL_LIMIT, SMALL).await?.code == Some(0))
    }

    /// Packs loose objects and drops what is two weeks old and unused, when git thinks it is time. Its failure is
    /// nobody's: the clone is a cache.
    async fn tidy(&self, clone: &Path) {
        if let Err(error) =
            self.run(Some(clone), &["gc", "--auto", "--quiet"], &Env::default(), FETCH_LIMIT, SMALL).await
        {
            tracing::warn!(%error, "A cached clone could not be tidied");
        }
    }

    /// Waits for the source's lock. It is released when the file is closed, also by a crash.
    async fn lock(&self, source: SourceId) -> Result<File, Error> {
        let path = self.sources().join(format!("{}.lock", source.simple()));
        let doing = "locking the cached clone";
        let file = File::options().create(true).append(true).open(path).map_err(Error::local(doing))?;
        let held = async {
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(()),
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
                    Err(TryLockError::Error(cause)) => return Err(Error::Local { doing, cause }),
                }
            }
        };
        let late = || Failure::SourceUnreachable { detail: "another job is still fetching this repository".into() };
        tokio::time::timeout(LOCK_LIMIT, held).await.map_err(|_| late())??;
        Ok(file)
    }
}

/// Why a commit was not fetched.
enum Refused {
    /// The cached clone is broken, in git's words.
    Clone(String),
    /// Anything else.
    For(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::For(error)
    }
}

/// Ends when the clone has grown beyond its limit.
async fn too_large(clone: &Path) {
    // Bounded by the fetch it runs beside.
    loop {
        tokio::time::sleep(MEASURE_EVERY).await;
        let packs = files(&clone.join("objects/pack")).filter_map(|entry| entry.metadata().ok());
        if packs.map(|file| file.len()).sum::<u64>() > CLONE_LIMIT {
            return;
        }
    }
}

/// Removes what a killed git leaves: half a pack, and locks nobody holds any more. Called under the source's lock.
fn clear_leftovers(clone: &Path) {
    let packs =
        files(&clone.join("objects/pack")).filter(|entry| entry.file_name().to_string_lossy().starts_with("tmp_"));
    let locks = [clone.to_path_buf(), clone.join("refs/skiff")].into_iter().flat_map(|folder| files(&folder));
    let locks = locks.filter(|entry| entry.file_name().to_string_lossy().ends_with(".lock"));
    for left in packs.chain(locks) {
        if let Err(error) = std::fs::remove_file(left.path()) {
            tracing::warn!(%error, "A leftover in a cached clone could not be removed");
        }
    }
}

/// The entries of a folder, few where it has many; none where it is not there.
fn files(folder: &Path) -> impl Iterator<Item = std::fs::DirEntry> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().take(MEASURED)
}
