//! What is in a commit that was fetched: who made it, whether it has the Dockerfile, what of it cannot be built.

use std::collections::BTreeMap;

use super::access::Env;
use super::run::{LOCAL_LIMIT, SMALL};
use super::{Error, Git, words};
use crate::domain::deploy::Failure;
use crate::domain::ids::SourceId;
use crate::domain::names::{CommitId, RepoPath};
use crate::domain::release::Commit;

/// Bytes of the list of all files of a commit: 32 MiB are about 400,000 files.
const LIST_CAP: usize = 32 * 1024 * 1024;
/// Bytes of a file that is read into memory (`.dockerignore`, `.gitattributes`, a Dockerfile outside its context).
const FILE_CAP: usize = 1024 * 1024;
/// Characters of an author's name or a subject that history keeps.
const TEXT: usize = 200;
/// Files of attributes that are read; a repository with more uses them for something else.
const ATTRIBUTE_FILES: usize = 64;

/// Folders that a listed file may be below, with itself: deeper ones say nothing of what a repository is.
const DEPTH: usize = 3;
/// Files that are listed.
const NAMES: usize = 20_000;

/// Names of files, and the contents of some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The names.
    pub names: Vec<String>,
    /// The contents, by name.
    pub texts: BTreeMap<String, String>,
}

/// What was seen in a commit, as far as the build is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The folder for the builder has submodules: their files are not in the repository.
    pub submodules: bool,
    /// Some file in the folder may be a Git LFS pointer.
    pub lfs: bool,
}

impl Git {
    /// Author and subject of a fetched commit, capped; hostile text.
    pub async fn describe(&self, source: SourceId, commit: &CommitId) -> Result<Commit, Error> {
        let args = [
            "log",
            "-1",
            "--no-show-signature",
            "--no-mailmap",
            "--format=%an%x00%s%x00",
            "--end-of-options",
            commit.as_ref(),
        ];
        let out = self.small(source, &args).await?;
        let text = String::from_utf8_lossy(&out);
        let mut parts = text.split('\0');
        let mut part = || -> String { parts.next().unwrap_or_default().chars().take(TEXT).collect() };
        Ok(Commit { id: commit.clone(), author: part(), subject: part() })
    }

    /// Looks at the commit's files. No such folder, or no Dockerfile at the path where one is to be there, is a failure in words.
    pub async fn inspect(
        &self,
        source: SourceId,
        commit: &CommitId,
        dockerfile: Option<&RepoPath>,
        context: &RepoPath,
    ) -> Result<Tree, Error> {
        let args = ["ls-tree", "-r", "-z", "--full-tree", commit.as_ref()];
        let ended = self.run(Some(&self.clone_of(source)), &args, &Env::default(), LOCAL_LIMIT, LIST_CAP).await?;
        if ended.code != Some(0) {
            return Err(words::failure(&ended.err).into());
        }
        let entries = || ended.out.split(|byte| *byte == 0).filter_map(Entry::parse);
        let is_there =
            |path: &RepoPath| entries().any(|entry| entry.path == path.as_ref().as_bytes() && entry.is_file());
        if let Some(path) = dockerfile.filter(|path| !is_there(path)) {
            return Err(Failure::NoDockerfile { path: path.to_string() }.into());
        }
        if !entries().any(|entry| below(entry.path, context)) {
            let reason = format!("The repository has no folder {context}: see the build's context.");
            return Err(Failure::Refused { reason }.into());
        }
        let submodules = entries().any(|entry| entry.mode == b"160000" && below(entry.path, context));
        let mut lfs = false;
        let attributes = entries().filter(|entry| entry.is_file() && governs(entry.path, context));
        for entry in attributes.take(ATTRIBUTE_FILES) {
            let id = String::from_utf8_lossy(entry.id);
            let text = self.cat(source, &id).await?;
            lfs |= text.windows(10).any(|words| words == b"filter=lfs");
        }
        Ok(Tree { submodules, lfs })
    }

    /// True where a fetched commit has a file at this path; a link is none.
    pub async fn has_file(&self, source: SourceId, commit: &CommitId, path: &RepoPath) -> Result<bool, Error> {
        let args = ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit.as_ref(), "--", path.as_ref()];
        let out = self.small(source, &args).await?;
        let mut entries = out.split(|byte| *byte == 0).filter_map(Entry::parse);
        Ok(entries.any(|entry| entry.path == path.as_ref().as_bytes() && entry.is_file()))
    }

    /// Names of the files in a folder of a fetched commit, relative to it and not deep below, and the contents of those that are
    /// wanted, stand in it and are not large.
    pub async fn contents(
        &self,
        source: SourceId,
        commit: &CommitId,
        context: &RepoPath,
        wanted: &[&str],
    ) -> Result<Contents, Error> {
        let args = ["ls-tree", "-r", "-z", "--full-tree", commit.as_ref()];
        let ended = self.run(Some(&self.clone_of(source)), &args, &Env::default(), LOCAL_LIMIT, LIST_CAP).await?;
        if ended.code != Some(0) {
            return Err(words::failure(&ended.err).into());
        }
        let mut contents = Contents::default();
        for entry in ended.out.split(|byte| *byte == 0).filter_map(Entry::parse).filter(Entry::is_file) {
            let Some(name) = within(entry.path, context).and_then(|name| std::str::from_utf8(name).ok()) else {
                continue;
            };
            if name.split('/').count() > DEPTH || contents.names.len() >= NAMES {
                continue;
            }
            if wanted.contains(&name) {
                match self.cat(source, &String::from_utf8_lossy(entry.id)).await {
                    Ok(bytes) => {
                        contents.texts.insert(name.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
                    }
                    // What is too large for a manifest is none.
                    Err(Error::Failure(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            contents.names.push(name.to_owned());
        }
        Ok(contents)
    }

    /// The bytes of a file of a fetched commit, if it is one: links are not followed.
    pub(super) async fn file(&self, source: SourceId, commit: &CommitId, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let args = ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit.as_ref(), "--", path];
        let out = self.small(source, &args).await?;
        let entry = out.split(|byte| *byte == 0).filter_map(Entry::parse).find(|entry| entry.path == path.as_bytes());
        match entry.filter(Entry::is_file) {
            Some(entry) => self.cat(source, &String::from_utf8_lossy(entry.id)).await.map(Some),
            None => Ok(None),
        }
    }

    /// A blob, by its id.
    async fn cat(&self, source: SourceId, blob: &str) -> Result<Vec<u8>, Error> {
        let args = ["cat-file", "blob", blob];
        let ended = self.run(Some(&self.clone_of(source)), &args, &Env::default(), LOCAL_LIMIT, FILE_CAP).await?;
        if ended.code == Some(0) { Ok(ended.out) } else { Err(words::failure(&ended.err).into()) }
    }

    /// A small answer about the cached clone.
    pub(super) async fn small(&self, source: SourceId, args: &[&str]) -> Result<Vec<u8>, Error> {
        let ended = self.run(Some(&self.clone_of(source)), args, &Env::default(), LOCAL_LIMIT, SMALL).await?;
        if ended.code == Some(0) { Ok(ended.out) } else { Err(words::failure(&ended.err).into()) }
    }
}

/// One line of `ls-tree -z`: `<mode> <type> <id>\t<path>`.
struct Entry<'a> {
    mode: &'a [u8],
    id: &'a [u8],
    path: &'a [u8],
}

impl<'a> Entry<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let mut words = line.get(..tab)?.split(|byte| *byte == b' ');
        let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
        Some(Self { mode, id, path: line.get(tab + 1..)? })
    }

    fn is_file(&self) -> bool {
        matches!(self.mode, b"100644" | b"100755" | b"100664")
    }
}

/// True for a path in the folder.
fn below(path: &[u8], folder: &RepoPath) -> bool {
    let folder = folder.as_ref().as_bytes();
    folder == b"." || path.strip_prefix(folder).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// The path relative to the folder it is in; none where it is not in it.
fn within<'a>(path: &'a [u8], folder: &RepoPath) -> Option<&'a [u8]> {
    match folder.as_ref() {
        "." => Some(path),
        folder => path.strip_prefix(folder.as_bytes())?.strip_prefix(b"/"),
    }
}

/// True for a `.gitattributes` whose rules can reach files in the folder: it stands in it or above it.
fn governs(path: &[u8], folder: &RepoPath) -> bool {
    let Some(parent) = path.strip_suffix(b".gitattributes") else { return false };
    let above = parent.is_empty() || folder.as_ref().as_bytes().starts_with(parent);
    (parent.is_empty() || parent.ends_with(b"/")) && (above || below(path, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_in_a_folder_or_it_is_not() {
        let folder: RepoPath = "web".parse().unwrap();
        assert_eq!(within(b"web/src/a", &folder), Some(b"src/a".as_slice()));
        assert_eq!((within(b"website/a", &folder), within(b"web", &folder)), (None, None));
        assert_eq!(within(b"a", &".".parse().unwrap()), Some(b"a".as_slice()));
    }

    #[test]
    fn attributes_above_and_in_the_folder_count_and_others_do_not() {
        let folder: RepoPath = "services/api".parse().unwrap();
        for path in [
            ".gitattributes",
            "services/.gitattributes",
            "services/api/.gitattributes",
            "services/api/x/.gitattributes",
        ] {
            assert!(governs(path.as_bytes(), &folder), "{path}");
        }
        for path in [
            "docs/.gitattributes",
            "services/apiary/.gitattributes",
            "services/api/x.gitattributes",
            "my.gitattributes",
        ] {
            assert!(!governs(path.as_bytes(), &folder), "{path}");
        }
    }
}
