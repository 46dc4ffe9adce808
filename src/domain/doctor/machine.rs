//! The panel's own machine.

use super::{Area, Finding, room};
use crate::domain::help::Topic;

/// Below this the database may soon be unable to write.
const LOW_MIB: u64 = 2_048;
/// Below this it soon will be.
const FULL_MIB: u64 = 512;

/// What was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineSeen {
    /// The program's version.
    pub version: &'static str,
    /// The data folder.
    pub folder: String,
    /// Why it cannot be used; none where it can.
    pub folder_fault: Option<String>,
    /// The mode of the folder, as chmod(1) has it.
    pub folder_mode: u32,
    /// Free room there, in MiB; none where it is not told.
    pub free_mib: Option<u64>,
    /// Why the master key cannot be used: a sentence; none where it can.
    pub key_fault: Option<String>,
    /// The address people reach the panel at.
    pub base_url: String,
}

/// What that means.
pub fn machine(seen: &MachineSeen) -> Vec<Finding> {
    let area = Area::Panel;
    let mut found =
        vec![Finding::ok(area, "version", format!("Skiff {}, known to its users as {}.", seen.version, seen.base_url))];
    found.push(match (&seen.folder_fault, seen.folder_mode & 0o027) {
        (Some(why), _) => Finding::bad(
            area,
            "data folder",
            format!("{} cannot be used: {why}.", seen.folder),
            "Run it as root, which hands over to the panel's user: sudo skiff doctor. Else give the folder back to that user, with chown and chmod 700.",
            Topic::Settings,
        ),
        (None, 0) => Finding::ok(area, "data folder", format!("{} is there and is the panel's alone.", seen.folder)),
        (None, _) => Finding::warn(
            area,
            "data folder",
            format!("Other users of this machine may look into {} (its mode is {:o}).", seen.folder, seen.folder_mode),
            format!("Run: chmod 700 {}", seen.folder),
            Topic::Settings,
        ),
    });
    found.push(match &seen.key_fault {
        Some(why) => Finding::bad(
            area,
            "master key",
            why.clone(),
            "Without it no sealed value can be read: put it back from the copy you keep elsewhere.",
            Topic::MasterKey,
        ),
        None => Finding::ok(area, "master key", "The master key can be read, and by nobody else."),
    });
    found.extend(seen.free_mib.map(|free| {
        let what = format!("{} are free where {} is.", room(free), seen.folder);
        let act = "Make room on this machine: the database and the repositories lie there.";
        match free {
            0..FULL_MIB => Finding::bad(area, "disk", what, act, Topic::PanelDisk),
            FULL_MIB..LOW_MIB => Finding::warn(area, "disk", what, act, Topic::PanelDisk),
            _ => Finding::ok(area, "disk", what),
        }
    }));
    found
}
