//! The `skiff` program: reads its settings, does what it was asked, says why not in one sentence, and where the docs say more.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use skiff::cli::MORE;
use skiff::{app, config};

fn main() -> ExitCode {
    let cli = config::Cli::parse();
    let outcome = app::run(cli.command);
    let (answer, reason) = match outcome {
        Ok(answer) => (answer, None),
        Err(stopped) => {
            let more = stopped.help().map(|topic| format!("{MORE}{}", topic.command())).unwrap_or_default();
            (stopped.answer().unwrap_or_default(), Some((stopped.to_string() + &more, stopped.code())))
        }
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
