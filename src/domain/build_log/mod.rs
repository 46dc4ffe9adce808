//! A builder's events as the lines people read: "[2/5] RUN make", its output, "[2/5] done in 1.2 s" or "cached".
//! `\r` progress and colours stay in the lines. Not here: how events reach us, and redaction.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::job::Stream;

/// Steps that are followed. A Dockerfile has tens; one with more is still built, but its later steps are not told.
const MAX_STEPS: usize = 2_000;
/// Bytes of an unfinished line that are held back; longer ones are told in pieces.
const MAX_HELD: usize = 16 * 1024;
/// Characters of a step's name.
const MAX_NAME: usize = 300;
/// BuildKit's own housekeeping, which says nothing about the Dockerfile.
const SILENT: [&str; 5] = [
    "[internal] load build definition",
    "[internal] load .dockerignore",
    "[internal] load build context",
    "[internal] load remote build context",
    "copy /context",
];

/// A line for the log, without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who says it: Skiff, or the step.
    pub stream: Stream,
    /// The bytes, hostile.
    pub text: Vec<u8>,
}

/// The steps of one build, by the number in which they began. 0 is the number of output that belongs to none.
#[derive(Clone, Debug, Default)]
pub struct BuildLog {
    steps: BTreeMap<u32, Followed>,
    /// The step whose output was told last: another one's begins with its name.
    speaking: u32,
    failed: Option<(String, String)>,
    /// Names of steps that were told to their end before the build was begun again.
    told: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
struct Followed {
    name: String,
    silent: bool,
    /// Told already, in a build that broke off. One that has to run once more is told again.
    known: bool,
    counted: bool,
    cached: bool,
    ended: bool,
    held: [Vec<u8>; 2],
}

/// How a build went, for the note beside its step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps of the Dockerfile, base images not counted.
    pub steps: usize,
    /// How many of them were cached.
    pub cached: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.steps {
            0 => f.write_str("built"),
            steps => write!(f, "{} of {steps} steps cached", self.cached),
        }
    }
}

impl BuildLog {
    /// A step begins.
    pub fn began(&mut self, step: u32, name: &str) -> Vec<Line> {
        if self.steps.len() >= MAX_STEPS {
            return Vec::new();
        }
        let name = plain(name);
        let silent = SILENT.iter().any(|words| name.starts_with(words));
        // Whether BuildKit calls a base image cached changes from run to run, so it is not counted.
        let counted = number(&name).is_some_and(|number| !name.trim_start_matches(number).starts_with(" FROM "));
        let known = self.told.contains(&name);
        let lines = if silent || known { Vec::new() } else { vec![said(&name)] };
        if !silent && !known {
            self.speaking = step;
        }
        self.steps.insert(step, Followed { name, silent, known, counted, ..Followed::default() });
        lines
    }

    /// A step's result was there already.
    pub fn cached(&mut self, step: u32) -> Vec<Line> {
        let mut lines = self.over(step);
        if let Some(followed) = self.steps.get_mut(&step) {
            followed.cached = true;
            if !followed.silent && !followed.known {
                lines.push(said(&format!("{} cached", short(&followed.name))));
            }
        }
        lines
    }

    /// A step ended well, after so many milliseconds.
    pub fn done(&mut self, step: u32, ms: u64) -> Vec<Line> {
        let mut lines = self.over(step);
        if let Some(followed) = self.steps.get(&step).filter(|followed| !followed.silent && !followed.known) {
            lines.push(said(&format!("{} done in {}", short(&followed.name), seconds(ms))));
        }
        lines
    }

    /// A step failed, for this reason.
    pub fn failing(&mut self, step: u32, name: &str, error: &str) -> Vec<Line> {
        let mut lines = self.over(step);
        let (name, error) = (plain(name), plain(error));
        lines.push(said(&format!("{} failed: {error}", short(&name))));
        self.failed.get_or_insert((name, error));
        lines
    }

    /// What a step printed. Lines are told when they are whole.
    pub fn output(&mut self, step: u32, stream: Stream, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.steps.len() >= MAX_STEPS && !self.steps.contains_key(&step) {
            return lines;
        }
        let followed = self.steps.entry(step).or_default();
        followed.known = false;
        if self.speaking != step {
            self.speaking = step;
            lines.extend((!followed.name.is_empty()).then(|| said(&followed.name)));
        }
        let [out, err] = &mut followed.held;
        let held = if stream == Stream::Err { err } else { out };
        whole_lines(held, bytes, |text| lines.push(Line { stream, text }));
        lines
    }

    /// The build is over: what was held back.
    pub fn end(&mut self) -> Vec<Line> {
        let steps: Vec<u32> = self.steps.keys().copied().collect();
        steps.into_iter().flat_map(|step| self.rest(step)).collect()
    }

    /// The build broke off and is begun again: what was told to its end is not told once more.
    pub fn again(&mut self) {
        let steps = std::mem::take(&mut self.steps).into_values();
        self.told.extend(steps.filter(|step| step.ended).map(|step| step.name));
        (self.speaking, self.failed) = (0, None);
    }

    /// A step is over: the rest of its output.
    fn over(&mut self, step: u32) -> Vec<Line> {
        if let Some(followed) = self.steps.get_mut(&step) {
            followed.ended = true;
        }
        self.rest(step)
    }

    fn rest(&mut self, step: u32) -> Vec<Line> {
        let held = self.steps.get_mut(&step).map(|followed| std::mem::take(&mut followed.held)).unwrap_or_default();
        let lines = held.into_iter().zip([Stream::Out, Stream::Err]).filter(|(text, _)| !text.is_empty());
        lines.map(|(text, stream)| Line { stream, text }).collect()
    }

    /// The step that failed and the builder's words, if one did.
    pub fn failed(&self) -> Option<(&str, &str)> {
        self.failed.as_ref().map(|(name, error)| (name.as_str(), error.as_str()))
    }

    /// How many steps of the Dockerfile there were, and how many of them cached.
    pub fn tally(&self) -> Tally {
        let counted = || self.steps.values().filter(|step| step.counted && step.ended);
        Tally { steps: counted().count(), cached: counted().filter(|step| step.cached).count() }
    }
}

/// Adds bytes to what is held of a line and tells the lines that are whole now.
fn whole_lines(held: &mut Vec<u8>, bytes: &[u8], mut tell: impl FnMut(Vec<u8>)) {
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        match piece.strip_suffix(b"\n") {
            Some(end) => {
                held.extend_from_slice(end);
                tell(std::mem::take(held));
            }
            None => held.extend_from_slice(piece),
        }
        while held.len() > MAX_HELD {
            let rest = held.split_off(MAX_HELD);
            tell(std::mem::replace(held, rest));
        }
    }
}

/// A line in Skiff's own voice.
fn said(text: &str) -> Line {
    Line { stream: Stream::Skiff, text: text.as_bytes().to_vec() }
}

/// A name or an error on one line, cut, without control characters.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_NAME + 1).collect();
    match text.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The number in "[2/5] RUN make" or "[build 2/5] RUN make": "[2/5]", "[build 2/5]".
fn number(name: &str) -> Option<&str> {
    let end = name.find(']')?;
    let inside = name.get(..end)?.strip_prefix('[')?;
    let (at, of) = inside.rsplit(' ').next()?.split_once('/')?;
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if digits(at) && digits(of) { name.get(..=end) } else { None }
}

/// A step in a word: its number, or its whole name where it has none.
fn short(name: &str) -> &str {
    number(name).unwrap_or(name)
}

/// "0.3 s", "75 s".
fn seconds(ms: u64) -> String {
    if ms < 10_000 { format!("{}.{} s", ms / 1000, ms % 1000 / 100) } else { format!("{} s", ms / 1000) }
}
