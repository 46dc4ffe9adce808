//! Times and sizes as people read them: "14 min ago", exact on hover; a script puts them into the reader's zone.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use time::{Duration, OffsetDateTime, UtcOffset};

/// A moment.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "ui/_when.html")]
pub struct When {
    /// For programs (RFC 3339, UTC).
    pub machine: String,
    /// "2026-11-21 07:38:12 UTC".
    pub exact: String,
    /// "14 min ago".
    pub ago: String,
}

impl HtmlSafe for When {}

impl When {
    /// The moment, seen from now.
    pub fn new(at: OffsetDateTime) -> Self {
        Self { ago: ago(OffsetDateTime::now_utc() - at), ..Self::alone(at) }
    }

    /// The moment without how long ago that was.
    pub fn alone(at: OffsetDateTime) -> Self {
        let utc = at.to_offset(UtcOffset::UTC);
        // By hand: a log of 500 lines has a thousand of them, and a format that is interpreted takes longer than the rest.
        let mut exact = String::with_capacity(23);
        digits(&mut exact, u32::try_from(utc.year()).unwrap_or(0), 1000);
        for (before, part) in [('-', u8::from(utc.month())), ('-', utc.day()), (' ', utc.hour())] {
            exact.push(before);
            digits(&mut exact, u32::from(part), 10);
        }
        for part in [utc.minute(), utc.second()] {
            exact.push(':');
            digits(&mut exact, u32::from(part), 10);
        }
        let mut machine = exact.replacen(' ', "T", 1);
        machine.push('.');
        digits(&mut machine, u32::from(utc.millisecond()), 100);
        machine.push('Z');
        exact.push_str(" UTC");
        Self { machine, exact, ago: String::new() }
    }

    /// The clock of it: "07:38:12".
    pub fn clock(&self) -> &str {
        self.exact.get(11..19).unwrap_or_default()
    }
}

/// Writes a number with leading zeros; `highest` is the value of its first digit.
fn digits(text: &mut String, number: u32, mut highest: u32) {
    while highest > 0 {
        text.extend(char::from_digit(number / highest % 10, 10));
        highest /= 10;
    }
}

/// "just now", "14 min ago", "3 d ago"; the future is "in 30 s".
pub fn ago(age: Duration) -> String {
    if age.is_negative() {
        return format!("in {}", coarse(age.abs()));
    }
    if age < Duration::seconds(5) { "just now".to_owned() } else { format!("{} ago", coarse(age)) }
}

/// The largest unit that fits, alone.
fn coarse(age: Duration) -> String {
    let (seconds, minutes, hours, days) =
        (age.whole_seconds(), age.whole_minutes(), age.whole_hours(), age.whole_days());
    match () {
        () if seconds < 60 => format!("{seconds} s"),
        () if minutes < 60 => format!("{minutes} min"),
        () if hours < 48 => format!("{hours} h"),
        () if days < 60 => format!("{days} d"),
        () => format!("{} months", days / 30),
    }
}

/// How long something took, or has taken so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting(pub Duration);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ms) = (self.0.whole_seconds().max(0), self.0.subsec_milliseconds().max(0));
        match seconds {
            0..10 => write!(f, "{seconds}.{} s", ms / 100),
            10..60 => write!(f, "{seconds} s"),
            60..3600 => write!(f, "{}:{:02} min", seconds / 60, seconds % 60),
            _ => write!(f, "{}:{:02} h", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// From its begin to its end, or to now.
pub fn lasting(from: Option<OffsetDateTime>, to: Option<OffsetDateTime>) -> Option<Lasting> {
    let to = to.unwrap_or_else(OffsetDateTime::now_utc);
    from.map(|from| Lasting(to - from))
}

/// MiB with the unit that fits: "512 MB", "7.8 GB" (in the sense of 1,024, as everyone reads it).
pub fn mib(size: u64) -> String {
    match size {
        0..1024 => format!("{size} MB"),
        1024..102_400 => format!("{}.{} GB", size / 1024, size % 1024 * 10 / 1024),
        _ => format!("{} GB", size / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_for_programs_and_for_people() {
        let at = time::macros::datetime!(2026-01-02 03:04:05.067 +2);
        let when = When::new(at);
        assert_eq!(when.machine, "2026-01-02T01:04:05.067Z");
        assert_eq!((when.exact.as_str(), when.clock()), ("2026-01-02 01:04:05 UTC", "01:04:05"));
    }

    #[test]
    fn ages_and_lengths_are_short() {
        let said: Vec<String> =
            [2, 59, 840, 86_400, 250_000, 8_000_000, -30].map(|s| ago(Duration::seconds(s))).to_vec();
        assert_eq!(said, ["just now", "59 s ago", "14 min ago", "24 h ago", "2 d ago", "3 months ago", "in 30 s"]);
        let took: Vec<String> =
            [300, 11_240, 61_000, 7_260_000].map(|ms| Lasting(Duration::milliseconds(ms)).to_string()).to_vec();
        assert_eq!(took, ["0.3 s", "11 s", "1:01 min", "2:01 h"]);
        assert_eq!([mib(512), mib(8000), mib(500_000)], ["512 MB", "7.8 GB", "488 GB"]);
    }
}
