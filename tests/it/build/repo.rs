//! Repositories made for a case, with the machine's git.

use std::path::{Path, PathBuf};
use std::process::Command;

use skiff::domain::ids::SourceId;
use skiff::domain::names::{BranchName, CommitId, GitUrl};
use skiff::providers::git::{Access, Git, Repository, Settings};

/// A repository with a work tree, below a folder that a forge serves.
pub struct Repo {
    pub root: tempfile::TempDir,
    name: String,
}

impl Repo {
    /// An empty one on branch `main`.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let repo = Self { root, name: "app".into() };
        std::fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    /// Its work tree.
    pub fn path(&self) -> PathBuf {
        self.root.path().join(&self.name)
    }

    /// Writes a file.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
        self
    }

    /// Commits all of it.
    pub fn commit(&self, message: &str) -> CommitId {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message", message]);
        self.git(&["rev-parse", "HEAD"]).trim().parse().unwrap()
    }

    /// Runs git in it.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_as("Ada", args)
    }

    /// Runs git in it as this author.
    pub fn git_as(&self, author: &str, args: &[&str]) -> String {
        let output = Command::new("/usr/bin/git")
            .current_dir(self.path())
            .args(args)
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .envs([("GIT_AUTHOR_NAME", author), ("GIT_COMMITTER_NAME", author)])
            .envs([("GIT_AUTHOR_EMAIL", "a@example.org"), ("GIT_COMMITTER_EMAIL", "a@example.org")])
            .envs([("GIT_AUTHOR_DATE", "2024-05-01T12:00:00Z"), ("GIT_COMMITTER_DATE", "2024-05-01T12:00:00Z")])
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Its address as a local folder.
    pub fn local(&self) -> GitUrl {
        format!("file://{}", self.path().display()).parse().unwrap()
    }
}

/// A panel's git, with folders of its own.
pub struct Panel {
    pub git: Git,
    pub folder: tempfile::TempDir,
    pub source: SourceId,
}

/// A panel that may read local folders below this one.
pub async fn panel(local_root: Option<&Path>, ca_file: Option<PathBuf>) -> Panel {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        Settings { data_dir: folder.path().join("git data"), local_root: local_root.map(Path::to_path_buf), ca_file };
    Panel { git: Git::open(settings).await.unwrap(), folder, source: SourceId(uuid::Uuid::now_v7()) }
}

impl Panel {
    /// A repository as the panel opens it.
    pub fn at<'a>(&self, url: &'a GitUrl, access: &'a Access) -> Repository<'a> {
        Repository { source: self.source, url, access }
    }

    /// Every file below the panel's folder, for looking at what was left.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

/// The usual branch.
pub fn main_branch() -> BranchName {
    "main".parse().unwrap()
}
