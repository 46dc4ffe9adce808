//! What a `package.json` says.

use serde_json::Value;

use crate::domain::dockerfile::checked::{FilePath, Version};
use crate::domain::dockerfile::text::Making;
use crate::domain::dockerfile::{Files, bases, range};

/// What serves a developer on their own machine and nobody else: an app with only this is a build of static files.
const FOR_DEVELOPERS: [&str; 10] = [
    "react-scripts",
    "vite",
    "ng",
    "vue-cli-service",
    "astro",
    "parcel",
    "webpack",
    "webpack-dev-server",
    "gatsby",
    "eleventy",
];
/// Files that a program without a start script usually begins in.
const ENTRIES: [&str; 6] = ["server.js", "index.js", "app.js", "main.js", "src/index.js", "src/server.js"];

/// A `package.json`.
pub(super) struct Package(Value);

impl Package {
    /// Reads it; none where it is none.
    pub(super) fn read(files: &Files) -> Option<Self> {
        serde_json::from_str(files.text("package.json")?.trim_start_matches('\u{feff}')).ok().map(Self)
    }

    /// A script that has something in it.
    pub(super) fn script(&self, name: &str) -> Option<&str> {
        self.0.get("scripts")?.get(name)?.as_str().filter(|script| !script.trim().is_empty())
    }

    /// A text at its top.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Whether it needs this package, to run or to be built.
    pub(super) fn needs(&self, package: &str) -> bool {
        ["dependencies", "devDependencies"]
            .iter()
            .any(|kind| self.0.get(kind).is_some_and(|all| all.get(package).is_some()))
    }

    /// The start script, unless it is for developers.
    pub(super) fn start(&self) -> Option<&str> {
        let script = self.script("start")?;
        let first = script.split_whitespace().next().unwrap_or_default();
        (!FOR_DEVELOPERS.contains(&first)).then_some(script)
    }

    /// Where the file stands that a plain `node` begins in.
    pub(super) fn entry(&self, files: &Files) -> Option<FilePath> {
        let by_script =
            self.start().and_then(|script| script.strip_prefix("node ")).and_then(|file| file.trim().parse().ok());
        let there = |path: &FilePath| files.has(path.as_ref());
        let main = || self.text("main").and_then(|main| main.parse().ok()).filter(there);
        match self.start() {
            // What a build makes is not there yet.
            Some(_) => by_script,
            None => main().or_else(|| files.first(&ENTRIES)?.parse().ok()),
        }
    }

    /// Whether installing needs more than the manifests.
    pub(super) fn installs_with_all(&self) -> bool {
        let scripts = ["preinstall", "install", "postinstall", "prepare"];
        self.0.get("workspaces").is_some()
            || scripts.iter().any(|script| self.script(script).is_some())
            || ["prisma", "@prisma/client"].iter().any(|package| self.needs(package))
    }

    /// Whether it names packages that only its development needs.
    pub(super) fn has_development(&self) -> bool {
        self.0.get("devDependencies").is_some()
    }

    /// This package's name as it stands there, where only its development needs it and the name is a plain one.
    pub(super) fn only_development(&self, package: &str) -> Option<&str> {
        let of = |kind: &str| self.0.get(kind)?.as_object()?.get_key_value(package).map(|(name, _)| name.as_str());
        let runs = ["dependencies", "optionalDependencies"].iter().any(|kind| of(kind).is_some());
        let plain = |name: &&str| name.trim_start_matches('@').parse::<FilePath>().is_ok();
        of("devDependencies").filter(|_| !runs).filter(plain)
    }

    /// The version that is asked for, and where; where the manifest is content with several, what a file beside it names.
    pub(super) fn version(&self, files: &Files, making: &mut Making) -> Option<Version> {
        let engines = self.0.get("engines").and_then(|engines| engines.get("node")).and_then(Value::as_str);
        let engines = engines.and_then(|text| range::read(text, &bases::NODE));
        let places = [(".nvmrc", files.text(".nvmrc")), (".node-version", files.text(".node-version"))];
        let mut named = places.into_iter().filter_map(|(place, text)| Some((place, Version::within(text?)?)));
        let held = engines.as_ref().is_some_and(|wish| !wish.open);
        let (why, version) = match (named.next().filter(|_| !held), engines) {
            (Some((place, version)), _) => (format!("{place} {version}"), version),
            (None, wish) => wish.map(|wish| (format!("engines.node {}", wish.words), wish.version))?,
        };
        making.because(why);
        Some(version)
    }
}
