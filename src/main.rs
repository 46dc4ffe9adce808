//! The `skiff` program: reads its settings, does what it was asked, says why not in one sentence.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use skiff::{app, config};

fn main() -> ExitCode {
    let cli = config::Cli::parse();
    let outcome = app::run(cli.command);
    let (answer, reason) = match outcome {
        Ok(answer) => (answer, None),
        Err(stopped) => (stopped.answer().unwrap_or_default(), Some((stopped.to_string(), stopped.code()))),
    };
    if !answer.is_empty() {
        // A closed standard output leaves nobody to tell.
        let _ = writeln!(std::io::stdout().lock(), "{answer}");
    }
    match reason {
        None => ExitCode::SUCCESS,
        Some((reason, code)) => {
            let _ = writeln!(std::io::stderr().lock(), "skiff: {reason}");
            ExitCode::from(code)
        }
    }
}
