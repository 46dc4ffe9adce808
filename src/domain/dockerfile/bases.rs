//! The images that Dockerfiles are written with: the one place where their names and versions stand. The text can be edited, so
//! none of them is forced on anybody.

use super::checked::Version;

/// A line of images of one maker.
pub struct Base {
    /// What people call it.
    what: &'static str,
    /// The name, and what stands before the version in the tag.
    before: &'static str,
    /// What stands behind the version where something is compiled.
    build: &'static str,
    /// What stands behind the version where it only runs.
    run: &'static str,
    /// Versions there are, ascending.
    pub(super) versions: &'static [&'static str],
    /// The one that is taken where nothing is said.
    pub(super) usual: &'static str,
}

/// An image that was chosen.
pub struct Chosen {
    /// To compile with.
    pub build: String,
    /// To run on.
    pub run: String,
    /// The version.
    pub version: &'static str,
    /// Where another version was asked for than there is: the sentence that says so.
    pub uncertain: Option<String>,
}

/// Node.js.
pub const NODE: Base = Base {
    what: "Node.js",
    before: "node:",
    build: "-bookworm",
    run: "-bookworm-slim",
    versions: &["18", "20", "22", "24"],
    usual: "22",
};
/// Python.
pub const PYTHON: Base = Base {
    what: "Python",
    before: "python:",
    build: "-bookworm",
    run: "-slim-bookworm",
    versions: &["3.9", "3.10", "3.11", "3.12", "3.13"],
    usual: "3.13",
};
/// Ruby.
pub const RUBY: Base = Base {
    what: "Ruby",
    before: "ruby:",
    build: "-bookworm",
    run: "-slim-bookworm",
    versions: &["3.1", "3.2", "3.3", "3.4"],
    usual: "3.4",
};
/// PHP in Apache.
pub const PHP: Base = Base {
    what: "PHP",
    before: "php:",
    build: "-apache-bookworm",
    run: "-apache-bookworm",
    versions: &["8.1", "8.2", "8.3", "8.4"],
    usual: "8.4",
};
/// Go. A newer one compiles what was written for an older one.
pub const GO: Base =
    Base { what: "Go", before: "golang:", build: "-bookworm", run: "-bookworm", versions: &["1.25"], usual: "1.25" };
/// Java with Maven.
pub const MAVEN: Base = Base {
    what: "Java",
    before: "maven:3.9-eclipse-temurin-",
    build: "",
    run: "",
    versions: &["8", "11", "17", "21"],
    usual: "21",
};
/// Java with Gradle.
pub const GRADLE: Base =
    Base { what: "Java", before: "gradle:8-jdk", build: "", run: "", versions: &["8", "11", "17", "21"], usual: "21" };
/// Java to run on; the version is the one it was compiled with.
pub const JRE: [&str; 2] = ["eclipse-temurin:", "-jre"];
/// Rust: the newest 1.x.
pub const RUST: &str = "rust:1-bookworm";
/// Composer, for PHP's packages.
pub const COMPOSER: &str = "composer:2";
/// What a program that needs no language beside it runs on.
pub const DEBIAN: &str = "debian:bookworm-slim";
/// What sends static files.
pub const NGINX: &str = "nginx:1.28-bookworm";

impl Base {
    /// The image for the wanted version; where nothing is wanted, or what is not there, the usual one.
    pub fn choose(&self, wanted: Option<&Version>) -> Chosen {
        let numbers = self.usual.split('.').count();
        let known = wanted.and_then(|version| {
            let short = version.first(numbers);
            self.versions.iter().find(|known| **known == short)
        });
        let version = known.copied().unwrap_or(self.usual);
        // What says only "3" is content with any of them.
        let vague = wanted.is_some_and(|version| version.as_ref().split('.').count() < numbers);
        let uncertain = wanted.filter(|_| known.is_none() && !vague).map(|wanted| {
            let Self { what, .. } = self;
            format!("{what} {wanted} is asked for; {version} is taken. Write another image behind FROM if it has to be that one.")
        });
        let Self { before, build, run, .. } = self;
        Chosen {
            build: format!("{before}{version}{build}"),
            run: format!("{before}{version}{run}"),
            version,
            uncertain,
        }
    }
}
