//! A Dockerfile for a repository that has none: what its files say that it is, and the text that follows from it. Names of files and
//! the contents of a few small ones go in; nothing of them gets into the text but as a checked type. Not here: reading the files,
//! keeping the text, building from it.

mod bases;
mod checked;
mod difference;
mod go;
mod java;
mod node;
mod php;
mod procfile;
mod python;
mod range;
mod ruby;
mod rust;
mod static_site;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use checked::DockerfileText;
pub use difference::{Line, difference};

use super::names::CommitId;

/// Files of the folder whose contents are read, where they are there.
pub const READ: [&str; 27] = [
    ".node-version",
    ".nvmrc",
    ".python-version",
    ".ruby-version",
    "Cargo.lock",
    "Cargo.toml",
    "Gemfile",
    "Gemfile.lock",
    "Pipfile",
    "Procfile",
    "app.py",
    "asgi.py",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "go.mod",
    "index.py",
    "main.py",
    "package.json",
    "pom.xml",
    "pyproject.toml",
    "requirements.txt",
    "runtime.txt",
    "server.py",
    "settings.gradle",
    "system.properties",
    "wsgi.py",
];

/// What is not sent to the builder where the repository says nothing of it.
pub const IGNORE: &str = ".git\n**/node_modules\n**/.env\n";

/// What is looked for, as it is said where nothing of it is there.
const LOOKED_FOR: &str = "package.json (Node.js), requirements.txt or pyproject.toml (Python), Gemfile (Ruby), composer.json or index.php (PHP), \
    go.mod (Go), Cargo.toml (Rust), pom.xml or build.gradle (Java), index.html (a static site)";

/// What is known of the folder that is sent to the builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    names: BTreeSet<String>,
    texts: BTreeMap<String, String>,
}

impl Files {
    /// These files, their paths relative to the folder, and the contents of those of [`READ`].
    pub fn new(names: impl IntoIterator<Item = String>, texts: BTreeMap<String, String>) -> Self {
        Self { names: names.into_iter().collect(), texts }
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The first of these that is there.
    fn first<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.has(name))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// True where there is a file in this folder.
    fn has_folder(&self, folder: &str) -> bool {
        self.names.iter().any(|name| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    }

    /// The names that are between these two, in order: of `cmd/a/main.go` it is `a`.
    fn between<'a>(&'a self, before: &'a str, behind: &'a str) -> impl Iterator<Item = &'a str> {
        self.names
            .iter()
            .filter_map(move |name| name.strip_prefix(before)?.strip_suffix(behind))
            .filter(|name| !name.is_empty() && !name.contains('/'))
    }
}

/// What a repository is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// JavaScript that runs.
    Node,
    /// Python.
    Python,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// Java, or what else runs on its machine.
    Java,
    /// Files that are sent as they are, or as a build leaves them.
    Static,
}

impl Language {
    /// As people call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Node => "Node.js",
            Self::Python => "Python",
            Self::Ruby => "Ruby",
            Self::Php => "PHP",
            Self::Go => "Go",
            Self::Rust => "Rust",
            Self::Java => "Java",
            Self::Static => "static site",
        }
    }
}

/// A Dockerfile that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// What was recognised.
    pub language: Language,
    /// By what: "package-lock.json", "engines.node 20".
    pub evidence: Vec<String>,
    /// What may be otherwise than it was taken for; whole sentences.
    pub uncertain: Vec<String>,
    /// The text.
    pub text: DockerfileText,
}

/// What came of looking at a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The commit.
    pub commit: CommitId,
    /// What it has.
    pub found: Found,
}

/// Where the Dockerfile of a commit comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Found {
    /// The repository has one at the wanted path.
    Own {
        /// The path.
        path: String,
    },
    /// There is none, and one was written.
    Written(Written),
    /// There is none, and nothing is recognised.
    Unknown {
        /// Why: one or two sentences.
        why: String,
    },
}

/// A repository for which no Dockerfile can be written: why, in a sentence or two.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(pub String);

/// What one language makes of the files: nothing, a Dockerfile, or why it cannot.
type Recognised = Option<Result<Written, Unknown>>;

/// A language's own look.
type Recognise = fn(&Files, Option<u16>) -> Recognised;

/// Who is asked, in this order: what compiles first, then those that often have a `package.json` beside, then Node.js itself.
const LANGUAGES: [Recognise; 8] =
    [go::look, rust::look, java::look, ruby::look, php::look, python::look, node::look, static_site::look];

/// Writes a Dockerfile for these files; `port` is where the app shall listen, none for one that does not.
pub fn write(files: &Files, port: Option<u16>) -> Result<Written, Unknown> {
    let nothing = || Unknown(format!("Looked for: {LOOKED_FOR}."));
    let mut written = LANGUAGES.iter().find_map(|look| look(files, port)).ok_or_else(nothing)??;
    let apart = matches!(written.language, Language::Node | Language::Static);
    if files.has("package.json") && !apart {
        written.uncertain.push(
            "There is a package.json too: what is built with Node.js is not built here. Add a stage for it, or commit what it makes."
                .to_owned(),
        );
    }
    Ok(written)
}
