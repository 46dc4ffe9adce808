//! A shell on somebody's laptop: a home folder of its own, and nothing of the panel's.

use std::path::PathBuf;
use std::process::Stdio;

use skiff::actions::Ctx;
use skiff::actions::tokens::{self, NewToken};
use skiff::domain::rights::Actor;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// The shell.
pub struct Terminal {
    home: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// The exit status.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as one JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Must have ended with 0.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Must have ended with this, and said this.
    #[track_caller]
    pub fn refused(self, code: i32, said: &str) -> Self {
        assert!(self.code == code && self.err.contains(said), "{code} {said:?}: {self:#?}");
        self
    }
}

impl Terminal {
    /// Nobody is signed in.
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// Signed in with this token, as `skiff login` does it.
    pub async fn signed_in(base: &str, token: &str) -> Self {
        let terminal = Self::new();
        terminal.type_in(&["login", base], token).await.well();
        terminal
    }

    /// With a variable of the environment.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    /// The file of settings.
    pub fn settings(&self) -> PathBuf {
        self.home.path().join(".config/skiff/config.json")
    }

    /// The program, ready to be started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skiff"));
        command.args(args).env_clear().env("HOME", self.home.path()).env("PATH", std::env::var("PATH").unwrap());
        command.envs(self.variables.iter().cloned()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it.
    pub async fn run(&self, args: &[&str]) -> Ran {
        ended(self.command(args).spawn().unwrap()).await
    }

    /// Runs it with this on standard input.
    pub async fn type_in(&self, args: &[&str], input: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that refuses early does not read.
        let _ = stdin.write_all(format!("{input}\n").as_bytes()).await;
        drop(stdin);
        ended(child).await
    }
}

/// Waits for its end.
pub async fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().await.unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A token with this role in the whole team.
pub async fn token(ctx: &Ctx, actor: &Actor, role: &str) -> String {
    let new =
        NewToken { name: format!("{role} of a test"), role: role.into(), days: "30".into(), ..NewToken::default() };
    tokens::create(ctx, actor, new).await.unwrap().secret.expose().clone()
}
