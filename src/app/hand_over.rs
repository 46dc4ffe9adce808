//! A command typed by root is done by whoever runs the panel: only that user enters the panel's own Postgres, and no file of root's shall lie
//! in the data folder. Not here: what commands do.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use crate::config::{Command, Store};

/// The panel's settings where `bin/up` or a package put it: lines NAME=value, as systemd's EnvironmentFile has them (systemd.exec(5)).
const SETTINGS: &str = "/etc/default/skiff-panel";
/// Root.
const ROOT: u32 = 0;

/// Begins anew as the owner of the data folder, with the panel's settings, where root asks; comes back otherwise, or with why it cannot.
pub(super) fn to_the_panels_user(command: &Command) -> Result<(), std::io::Error> {
    let (Command::Setup(store) | Command::Admin { store, .. }) = command else { return Ok(()) };
    if std::fs::metadata("/proc/self")?.uid() != ROOT {
        return Ok(());
    }
    let settings = settings(&std::fs::read_to_string(SETTINGS).unwrap_or_default());
    let Ok(folder) = std::fs::metadata(data_dir(store, &settings)) else { return Ok(()) };
    if folder.uid() == ROOT {
        return Ok(());
    }
    #[expect(clippy::disallowed_methods, reason = "this very program, with its own arguments, in its own place")]
    let mut again = std::process::Command::new(std::env::current_exe()?);
    // What root's shell says goes before the file. Supplementary groups end with the change of the user.
    let unsaid = settings.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
    again.args(std::env::args_os().skip(1)).envs(unsaid).current_dir("/").uid(folder.uid()).gid(folder.gid());
    Err(again.exec())
}

/// The data folder: said by flag or environment, else by the file.
fn data_dir(store: &Store, settings: &[(String, String)]) -> PathBuf {
    let said = settings.iter().find(|(name, _)| name == "SKIFF_DATA_DIR").map(|(_, value)| value);
    match said {
        Some(folder) if store.data_dir == Path::new(crate::config::DATA_DIR) => folder.into(),
        _ => store.data_dir.clone(),
    }
}

/// The settings in a file. A value may stand in quotes; lines that begin with # or ; are remarks.
fn settings(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        let quoted = |mark: char| value.strip_prefix(mark)?.strip_suffix(mark);
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        (!name.starts_with(['#', ';'])).then(|| (name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_systemd_reads_them() {
        let text = "# A remark = nothing\nSKIFF_DATA_DIR=/srv/panel\n\n  SKIFF_LOG='info'\nDATABASE_URL=\"postgres://a:b=c@d/e\"\n; X=1\n";
        let read = settings(text);
        let read: Vec<(&str, &str)> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            read,
            [("SKIFF_DATA_DIR", "/srv/panel"), ("SKIFF_LOG", "info"), ("DATABASE_URL", "postgres://a:b=c@d/e")]
        );
    }
}
