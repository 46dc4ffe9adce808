//! The panel's own machine.

use super::{Area, Finding, room};
use crate::domain::acme::Trouble;
use crate::domain::help::Topic;

/// Below this the database may soon be unable to write.
const LOW_MIB: u64 = 2_048;
/// Below this it soon will be.
const FULL_MIB: u64 = 512;

/// A clock that is off by more seconds should be looked at: answers are as fresh as the second, and some seconds under way.
const CLOCK_LOOK_S: u64 = 30;
/// With more than this, what others signed and what is signed here is refused.
const CLOCK_BAD_S: u64 = 5 * 60;

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

/// What the authority's clock said of this machine's: how many seconds it is ahead; or why it was not heard.
pub fn clock(server: &str, heard: &Result<i64, Trouble>) -> Finding {
    let (area, of) = (Area::Panel, "clock");
    let act = "Let this machine follow a time server: timedatectl set-ntp true";
    match heard {
        Ok(ahead) => {
            let off = ahead.unsigned_abs();
            let way = if *ahead > 0 { "ahead of" } else { "behind" };
            let breaks =
                "certificates are taken for expired or not valid yet, and sign-ins and tokens end at the wrong moment";
            let what = format!("This machine's clock is {} {way} the one of {server}: {breaks}.", lasting(off));
            match off {
                0..=CLOCK_LOOK_S => {
                    Finding::ok(area, of, format!("This machine's clock agrees with the one of {server}."))
                }
                _ if off <= CLOCK_BAD_S => {
                    let what = format!("This machine's clock is {} {way} the one of {server}.", lasting(off));
                    Finding::warn(area, of, what, act, Topic::PanelClock)
                }
                _ => Finding::bad(area, of, what, act, Topic::PanelClock),
            }
        }
        Err(trouble @ Trouble::Clock { .. }) => Finding::bad(area, of, trouble.sentence(), act, trouble.help()),
        Err(trouble) => Finding::warn(
            Area::Certificate,
            "authority",
            trouble.sentence(),
            "See that this machine reaches it, then look again.",
            trouble.help(),
        ),
    }
}

/// Seconds, as people read them.
fn lasting(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
