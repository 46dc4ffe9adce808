//! A `Procfile` says by what a program is started. Only a plain command is taken from it: nothing that a shell would read otherwise
//! than it stands.

use super::Files;
use super::checked::Command;
use super::text::Making;

/// What the `web` line says; for an app that does not listen, the `worker` line.
pub fn command(files: &Files, making: &mut Making, listens: bool) -> Option<Command> {
    let kind = if listens { "web:" } else { "worker:" };
    let line = files.text("Procfile")?.lines().find_map(|line| line.trim().strip_prefix(kind))?;
    match line.trim().strip_prefix("exec ").unwrap_or(line.trim()).parse() {
        Ok(command) => {
            making.because("Procfile");
            Some(command)
        }
        Err(_) => {
            making.doubt(format!(
                "The {kind} line of the Procfile has more in it than plain words and $PORT, so it was not taken over: see the last line here."
            ));
            None
        }
    }
}
