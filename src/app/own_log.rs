//! The panel's log as root of its machine reads it: what its unit said, and what upgrades did. Bounded: the end counts. Not here: taking
//! secrets out of it.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Lines that are kept: hours of a panel that is well, and the minutes that matter of one that is not.
pub(super) const LINES: usize = 2_000;
/// Bytes of a log that are read for them.
const BYTES: u64 = 1024 * 1024;
/// Where the log is where nothing like journald keeps it.
const FILE: &str = "/var/log/skiff.log";
/// What the package's upgrades say.
const UPGRADES: &str = "/var/lib/skiff-upgrade/log";
/// There where systemd runs the machine (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// The panel's unit, newest line first, so that the end is what is read; ended where the journal does not answer.
const JOURNAL: [&str; 12] = [
    "-k",
    "5",
    "20",
    "journalctl",
    "--unit=skiff",
    "--lines=2000",
    "--output=short-iso",
    "--no-pager",
    "--quiet",
    "--reverse",
    "--all",
    "--utc",
];

/// Both logs.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs {
    /// The panel's; empty where there is none.
    pub panel: String,
    /// The upgrades'; empty where there was none.
    pub upgrades: String,
}

/// Reads them where they usually are. What cannot be read is not there.
pub(super) fn read() -> Logs {
    let of_unit = || {
        let text = journal().ok()?;
        (!text.trim().is_empty()).then_some(text)
    };
    let of_file = || end_of(Path::new(FILE)).ok();
    let unit = Path::new(SYSTEMD).exists().then(of_unit).flatten();
    Logs { panel: unit.or_else(of_file).unwrap_or_default(), upgrades: end_of(Path::new(UPGRADES)).unwrap_or_default() }
}

fn journal() -> std::io::Result<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "journald's own reader, with constant arguments: no library reads its files"
    )]
    let mut command = std::process::Command::new("/usr/bin/timeout");
    command.args(JOURNAL).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn()?;
    let mut bytes = Vec::new();
    let read = child.stdout.take().map(|out| out.take(BYTES).read_to_end(&mut bytes));
    // It ends as soon as nobody reads, or when its time is over.
    child.wait()?;
    read.transpose()?;
    // A line that was cut says nothing whole: half a secret would be known to nobody.
    let cut = u64::try_from(bytes.len()).is_ok_and(|read| read >= BYTES);
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().rev().skip(usize::from(cut)).collect();
    Ok(whole(&lines))
}

/// The end of a file.
pub(super) fn end_of(file: &Path) -> std::io::Result<String> {
    let mut opened = std::fs::File::open(file)?;
    let length = opened.metadata()?.len();
    opened.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    opened.take(BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // As above: the first line may be the end of one.
    let whole_lines = if length > BYTES { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text.as_ref() };
    Ok(end(whole_lines))
}

/// What comes on standard input.
pub(super) fn typed() -> std::io::Result<String> {
    let mut bytes = Vec::new();
    // Both logs, where root hands them over.
    std::io::stdin().lock().take(BYTES * 4).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // As above: the last line may be the beginning of one.
    let cut = u64::try_from(bytes.len()).is_ok_and(|read| read >= BYTES * 4);
    Ok(if cut { text.rsplit_once('\n').map_or_else(String::new, |(whole, _)| whole.to_owned()) } else { text })
}

/// The last lines of a text.
pub(super) fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    whole(lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default())
}

fn whole(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

impl Logs {
    /// As one text: the upgrades' first. With it comes how many lines those are.
    pub(super) fn joined(&self) -> (String, usize) {
        let upgrades = end(&self.upgrades);
        let count = upgrades.lines().count();
        (upgrades + &end(&self.panel), count)
    }

    /// The same apart again.
    pub(super) fn apart(text: &str, upgrades: usize) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let (first, rest) = lines.split_at_checked(upgrades).unwrap_or((lines.as_slice(), &[]));
        Self { upgrades: whole(first), panel: end(&whole(rest)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_logs_travel_as_one() {
        let panel: String = (0..2_500).map(|line| format!("line {line}\n")).collect();
        for upgrades in ["", "begun\ndone", "begun\ndone\n"] {
            let logs = Logs { panel: panel.clone(), upgrades: upgrades.to_owned() };
            let (text, count) = logs.joined();
            let apart = Logs::apart(&text, count);
            assert_eq!(apart.upgrades.lines().collect::<Vec<_>>(), upgrades.lines().collect::<Vec<_>>());
            assert_eq!((apart.panel.lines().count(), apart.panel.lines().next()), (LINES, Some("line 500")));
        }
        let none = Logs::apart("", 3);
        assert_eq!((none.panel.as_str(), none.upgrades.as_str()), ("", ""));
    }

    #[test]
    fn of_a_file_the_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let line = "x".repeat(2_000) + "\n";
        std::fs::write(&file, line.repeat(1_000) + "the end").unwrap();
        let read = end_of(&file).unwrap();
        assert!(read.ends_with("the end\n") && read.len() <= 1024 * 1024 + 1, "{}", read.len());
        assert!(read.starts_with(&line), "no line is cut");
        assert!(end_of(&folder.path().join("none")).is_err());
    }
}
