//! The packages of Node.js: by npm, pnpm or Yarn, as the lock file says.

use super::manifest::Package;
use crate::domain::dockerfile::Files;
use crate::domain::dockerfile::checked::Version;
use crate::domain::dockerfile::text::Making;

/// Files beside the manifest that say how packages are installed.
const SETTINGS: [&str; 3] = [".npmrc", ".yarnrc.yml", "pnpm-workspace.yaml"];
/// Lock files of Bun.
const BUN: [&str; 2] = ["bun.lock", "bun.lockb"];
/// The pnpm that is taken where the manifest names none.
const PNPM: &str = "10";

/// Whose lock file is there.
enum Manager {
    Npm(&'static str),
    Pnpm,
    /// Yarn 1, which the image has.
    Yarn,
    /// Yarn from 2 on, which `corepack` brings.
    Berry,
    /// No lock file, or one of another's.
    Unlocked,
}

impl Manager {
    fn of(files: &Files, package: &Package) -> Self {
        let named = package.text("packageManager").and_then(|named| named.strip_prefix("yarn@"));
        let berry = named.and_then(Version::within).is_some_and(|version| version.first(1) != "1");
        match files.first(&["pnpm-lock.yaml", "yarn.lock", "package-lock.json", "npm-shrinkwrap.json"]) {
            Some("pnpm-lock.yaml") => Self::Pnpm,
            Some("yarn.lock") if berry || files.has(".yarnrc.yml") => Self::Berry,
            Some("yarn.lock") => Self::Yarn,
            Some("package-lock.json") => Self::Npm("package-lock.json"),
            Some(_) => Self::Npm("npm-shrinkwrap.json"),
            None => Self::Unlocked,
        }
    }

    fn lock(&self) -> Option<&'static str> {
        match self {
            Self::Npm(lock) => Some(lock),
            Self::Pnpm => Some("pnpm-lock.yaml"),
            Self::Yarn | Self::Berry => Some("yarn.lock"),
            Self::Unlocked => None,
        }
    }
}

/// Installs all of them.
pub(super) fn install(files: &Files, package: &Package, making: &mut Making) {
    let manager = Manager::of(files, package);
    let with_all = package.installs_with_all();
    match &manager {
        Manager::Pnpm => {
            let named = package.text("packageManager").and_then(|named| named.strip_prefix("pnpm@"));
            let major = named.and_then(Version::within).map_or_else(|| PNPM.to_owned(), |version| version.first(1));
            making.line(format!("RUN npm install --global pnpm@{major}"));
        }
        Manager::Berry => {
            making.line("RUN corepack enable");
            making.doubt(
                "Yarn must put its packages into node_modules: nodeLinker: node-modules in .yarnrc.yml.".to_owned(),
            );
        }
        Manager::Npm(_) | Manager::Yarn | Manager::Unlocked => {}
    }
    if with_all {
        making.line("COPY . .");
    } else {
        let manifests = ["package.json"].into_iter().chain(manager.lock());
        let settings = SETTINGS.into_iter().filter(|name| files.has(name));
        making.line(format!("COPY {} ./", manifests.chain(settings).collect::<Vec<_>>().join(" ")));
        if files.has_folder(".yarn") {
            making.line("COPY .yarn ./.yarn");
        }
    }
    if let Some(lock) = manager.lock() {
        making.because(lock);
    }
    let (cache, command) = match manager {
        Manager::Npm(_) => ("/root/.npm", "npm ci"),
        Manager::Pnpm => (
            "/root/.local/share/pnpm/store",
            "pnpm install --frozen-lockfile --store-dir /root/.local/share/pnpm/store",
        ),
        Manager::Yarn => ("/usr/local/share/.cache/yarn", "yarn install --frozen-lockfile"),
        Manager::Berry => ("/root/.yarn/berry/cache", "yarn install --immutable"),
        Manager::Unlocked => {
            making.doubt(match files.first(&BUN) {
                Some(lock) => format!(
                    "{lock}: Bun is not written for yet, and npm does not read this file, so that each build may get other versions of the packages. \
                     Commit the package-lock.json that npm install makes, or write a Dockerfile with Bun's image."
                ),
                None => "There is no lock file, so that each build may get other versions of its packages. Commit the package-lock.json that npm install makes."
                    .to_owned(),
            });
            ("/root/.npm", "npm install")
        }
    };
    making.line(format!("RUN --mount=type=cache,target={cache} {command}"));
    if !with_all {
        making.line("COPY . .");
    }
}

/// Takes out what only the build needed; nothing where it is started by one of these packages.
pub(super) fn prune(files: &Files, package: &Package, started_by: Option<&str>, making: &mut Making) {
    let command = match Manager::of(files, package) {
        Manager::Npm(_) | Manager::Unlocked => "npm prune --omit=dev",
        Manager::Pnpm => "CI=true pnpm prune --prod",
        Manager::Yarn => "yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline",
        // It has none for this without a plug-in.
        Manager::Berry => return,
    };
    match started_by {
        None => making.line(format!("RUN {command}")),
        Some(name) => making.doubt(format!(
            "It is started by {name}, which is among the devDependencies, so that all of these stay in the image. Move {name} to the \
             dependencies, with what it needs to run, and the line RUN {command} behind the build makes the image smaller."
        )),
    };
}
