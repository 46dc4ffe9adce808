//! Waiting for a job on a terminal: its lines and steps go to standard error as they come.

use std::io::Write;

use crate::actions::{Ctx, Refused, jobs};
use crate::domain::ids::JobId;
use crate::domain::job::{JobState, StepState, Stream};
use crate::domain::rights::Actor;

/// Waits until the job ends. Following ends after some minutes and is begun anew from the last line.
pub async fn until_over(ctx: &Ctx, actor: &Actor, job: JobId) -> Result<JobState, Refused> {
    let (mut after, mut told) = (0, 0);
    loop {
        let mut follow = jobs::follow(ctx, actor, job, after).await?;
        while let Some(update) = follow.next().await? {
            for line in &update.lines {
                let mark = match line.stream {
                    Stream::Skiff => "· ",
                    Stream::Out | Stream::Err => "  ",
                };
                say(mark, &line.line);
            }
            after = update.lines.last().map_or(after, |line| line.seq);
            for step in update.steps.iter().flatten() {
                let over = matches!(step.state, StepState::Changed | StepState::Unchanged | StepState::Failed);
                if over && step.seq > told {
                    say("= ", format!("{}: {} {}", step.words, step.state.word(), step.note).trim_end().as_bytes());
                    told = step.seq;
                }
            }
            if update.done {
                return Ok(update.state);
            }
        }
    }
}

/// One line, with what a terminal could take for a command made visible.
fn say(mark: &str, line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let plain: String = text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    // A closed standard error is no reason to stop waiting.
    let _ = writeln!(std::io::stderr().lock(), "{mark}{plain}");
}
