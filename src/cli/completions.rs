//! `skiff completions`: what a shell reads to complete commands.

use clap::Args;
use clap_complete::{Shell, generate};

use super::Failed;

/// Which shell.
#[derive(Clone, Debug, Args)]
pub struct Completions {
    /// The shell that shall complete
    pub shell: Shell,
}

/// Prints them.
pub fn run(input: &Completions, mut program: clap::Command) -> Result<String, Failed> {
    let mut text = Vec::new();
    generate(input.shell, &mut program, "skiff", &mut text);
    String::from_utf8(text).map_err(|error| Failed::Said(error.to_string()))
}
