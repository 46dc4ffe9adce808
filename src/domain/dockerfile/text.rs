//! The lines of a Dockerfile as they are put together, and the ends that all of them share. What is put into a line is a constant,
//! a number or a checked type.

use super::checked::DockerfileText;
use super::{Files, Language, Recognised, Unknown, Written};

/// The user that programs run as where the image brings none of its own.
const USER: &str = "10001:10001";
/// Folders that a compiled program often reads while it runs.
const BESIDE: [&str; 7] = ["assets", "config", "migrations", "public", "static", "templates", "views"];

/// A Dockerfile in the making.
pub struct Making {
    written: Vec<String>,
    evidence: Vec<String>,
    uncertain: Vec<String>,
}

impl Making {
    /// Nothing yet, and what it is written for.
    pub fn new(evidence: Vec<String>) -> Self {
        Self { written: Vec::new(), evidence, uncertain: Vec::new() }
    }

    /// One line.
    pub fn line(&mut self, line: impl Into<String>) -> &mut Self {
        self.written.push(line.into());
        self
    }

    /// Several lines.
    pub fn lines<const N: usize>(&mut self, lines: [&str; N]) -> &mut Self {
        self.written.extend(lines.map(str::to_owned));
        self
    }

    /// What may be otherwise; nothing where there is nothing to say.
    pub fn doubt(&mut self, sentence: impl Into<Option<String>>) -> &mut Self {
        self.uncertain.extend(sentence.into());
        self
    }

    /// Says by what something was recognised.
    pub fn because(&mut self, evidence: impl Into<String>) -> &mut Self {
        self.evidence.push(evidence.into());
        self
    }

    /// Makes the user that the program runs as, for images without one.
    pub fn user(&mut self) -> &mut Self {
        self.line("RUN useradd --uid 10001 --user-group --create-home app")
    }

    /// Installs packages of Debian's.
    pub fn packages(&mut self, names: &[&str]) -> &mut Self {
        if !names.is_empty() {
            let names = names.join(" ");
            self.line(format!(
                "RUN apt-get update && apt-get install --yes --no-install-recommends {names} && rm -rf /var/lib/apt/lists/*"
            ));
        }
        self
    }

    /// Copies folders that a compiled program may read.
    pub fn beside(&mut self, files: &Files) -> &mut Self {
        for folder in BESIDE.into_iter().filter(|folder| files.has_folder(folder)) {
            self.line(format!("COPY {folder} ./{folder}"));
        }
        self
    }

    /// Who it runs as.
    pub fn run_as(&mut self, user: Option<&str>) -> &mut Self {
        self.line(format!("USER {}", user.unwrap_or(USER)))
    }

    /// The port, in a variable that the program and the health check read, and the check.
    pub fn listens(&mut self, port: Option<u16>, further: &[&str]) -> &mut Self {
        let Some(port) = port else { return self };
        let names = ["PORT"].iter().chain(further).map(|name| format!("{name}={port}"));
        let env = names.collect::<Vec<_>>().join(" ");
        self.line(format!("ENV {env}")).line(format!("EXPOSE {port}")).check("${PORT}")
    }

    /// The health check: something listens on this port. Skiff asks by itself as the app's configuration says; this one is for
    /// whoever runs the image otherwise.
    pub fn check(&mut self, port: &str) -> &mut Self {
        self.line("HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \\")
            .line(format!("    CMD [\"bash\", \"-c\", \"exec 3<>/dev/tcp/127.0.0.1/{port}\"]"))
    }

    /// What is started.
    pub fn start(&mut self, words: &[&str]) -> &mut Self {
        let words = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        self.line(format!("CMD [{words}]"))
    }

    /// What is started by a shell that gives way to it, so that `${PORT}` is read.
    pub fn start_line(&mut self, command: &str) -> &mut Self {
        self.start(&["bash", "-c", &format!("exec {command}")])
    }

    /// The whole.
    pub fn end(self, language: Language) -> Recognised {
        let by = self.evidence.join(", ");
        let head = format!(
            "# {}, by {by}.\n# Written by Skiff: edit it as you like, or commit it as Dockerfile.\n\n",
            language.word()
        );
        let text = head + &self.written.join("\n");
        let text = text.parse::<DockerfileText>().map_err(|bad| Unknown(bad.0.to_owned()));
        Some(text.map(|text| Written { language, evidence: self.evidence, uncertain: self.uncertain, text }))
    }
}

/// A refusal in words.
pub fn unknown(why: impl Into<String>) -> Recognised {
    Some(Err(Unknown(why.into())))
}
