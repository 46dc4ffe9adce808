//! A command typed by root is done by whoever runs the panel: only that user enters the panel's own Postgres, and no file of root's shall lie
//! in the data folder. Not here: what commands do.

use std::io::{Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{MemfdFlags, memfd_create};

use super::own_log::{self, Logs};
use crate::cli::doctor::Examine;
use crate::config::{Command, Store};

/// The panel's settings where `bin/up` or a package put it: lines NAME=value, as systemd's EnvironmentFile has them (systemd.exec(5)).
const SETTINGS: &str = "/etc/default/skiff-panel";
/// The one that names the data folder.
const DATA_DIR: &str = "SKIFF_DATA_DIR";
/// Root.
const ROOT: u32 = 0;

/// Begins anew as the owner of the data folder, with the panel's settings, where root asks; comes back otherwise, or with why it cannot. Where root said
/// a file for a bundle, it waits and ends as that one did.
pub(super) fn to_the_panels_user(command: &Command) -> Result<(), std::io::Error> {
    let (store, doctor) = match command {
        Command::Setup(store) | Command::Admin { store, .. } => (store, None),
        Command::Doctor { store, input } if !input.is_remote(&store.data_dir) => (store, Some(input)),
        Command::Doctor { .. }
        | Command::Serve(_)
        | Command::Docs(_)
        | Command::Remote(_)
        | Command::SelfUpgrade(_) => return Ok(()),
    };
    if std::fs::metadata("/proc/self")?.uid() != ROOT {
        return Ok(());
    }
    let mut settings = settings(&std::fs::read_to_string(SETTINGS).unwrap_or_default());
    let path = data_dir(store, &settings);
    let Ok(folder) = std::fs::metadata(&path) else { return Ok(()) };
    if folder.uid() == ROOT {
        return Ok(());
    }
    // Another panel's folder was said: this one's database and secrets are not for it.
    let of_file =
        settings.iter().find(|(name, _)| name == DATA_DIR).map_or(crate::config::DATA_DIR, |(_, value)| value);
    if path != Path::new(of_file) {
        settings.clear();
    }
    #[expect(clippy::disallowed_methods, reason = "this very program, with its own arguments, in its own place")]
    let mut again = std::process::Command::new(std::env::current_exe()?);
    // What root's shell says goes before the file. Supplementary groups end with the change of the user.
    let unsaid = settings.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
    again.args(std::env::args_os().skip(1)).envs(unsaid).uid(folder.uid()).gid(folder.gid());
    // Root says where the bundle goes, and the panel's user may not write there: root opens the file.
    let bundle = doctor.and_then(Examine::file);
    if let Some(file) = bundle {
        let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        let opened = opened.map_err(|cause| {
            std::io::Error::new(cause.kind(), format!("the bundle {} cannot be made: {cause}", file.display()))
        })?;
        again.args(["--bundle", "-"]).stdout(opened);
    }
    // Root may read the logs, and the panel's user may not: they go with it.
    if let Some(doctor) = doctor.filter(|doctor| doctor.bundle.is_some() && doctor.log_file != Some("-".into())) {
        let logs = match &doctor.log_file {
            Some(file) => {
                Logs { panel: own_log::end_of(file).map_err(|cause| unread(file, &cause))?, ..Logs::default() }
            }
            None => own_log::read(),
        };
        let (text, upgrades) = logs.joined();
        again.args(["--log-file", "-", "--upgrade-lines"]).arg(upgrades.to_string()).stdin(handed(&text)?);
    }
    if path.is_absolute() {
        again.current_dir("/"); // root's own folder may be closed to others
    }
    if let Some(file) = bundle {
        let ended = again.status()?;
        // One that could not be made leaves nothing behind.
        if std::fs::metadata(file).is_ok_and(|made| made.len() == 0) {
            std::fs::remove_file(file)?;
        }
        std::process::exit(ended.code().unwrap_or(1));
    }
    Err(again.exec())
}

/// A text as standard input, in a file of memory alone.
fn handed(text: &str) -> Result<Stdio, std::io::Error> {
    let mut file = std::fs::File::from(memfd_create("log", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

fn unread(file: &Path, cause: &std::io::Error) -> std::io::Error {
    std::io::Error::new(cause.kind(), format!("the log {} cannot be read: {cause}", file.display()))
}

/// The data folder: said by flag or environment, else by the file.
fn data_dir(store: &Store, settings: &[(String, String)]) -> PathBuf {
    let said = settings.iter().find(|(name, _)| name == DATA_DIR).map(|(_, value)| value);
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
