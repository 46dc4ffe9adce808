//! Hosts.

use super::{Area, Finding, Grade};
use crate::domain::help::{self, Topic};
use crate::domain::host::HostState;
use crate::domain::host_check::{CLOCK_MS, Difference, FREE_MIB};

/// A check that is older says little.
const CHECK_OLD_H: i64 = 48;

/// What a look at a host saw just now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// How far its clock is ahead of the panel's, in milliseconds.
    pub ahead_ms: Option<i64>,
    /// Free room where Docker's data are, in MiB.
    pub free_mib: Option<u64>,
    /// Whether its proxy runs.
    pub proxy_runs: Option<bool>,
    /// Whether somebody listens on the proxy's port.
    pub listens: Option<bool>,
    /// Whether somebody listens on its port of HTTPS.
    pub listens_https: Option<bool>,
}

/// What was seen of a host.
#[derive(Clone, Debug)]
pub struct HostSeen {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: HostState,
    /// The port of its proxy.
    pub port: u16,
    /// Its port of HTTPS; none where it serves none.
    pub https_port: Option<u16>,
    /// What was seen just now, or why nothing was: the sentence, and where the docs say more. None where nobody looked.
    pub glance: Option<Result<Glance, (String, Topic)>>,
    /// What differs by the last check, and how many hours ago that was; none before there was one.
    pub check: Option<(Vec<Difference>, i64)>,
    /// Why the last check saw nothing; empty where it saw.
    pub check_failed: String,
    /// Why it cannot renew its certificates without the panel; empty where it can, or has none for that.
    pub renewal: String,
}

/// What that means.
pub fn host(seen: &HostSeen) -> Vec<Finding> {
    let (area, of) = (Area::Host, seen.name.as_str());
    if seen.state == HostState::New {
        let act = "Make it ready on its page, or with: skiff hosts provision NAME";
        return vec![Finding::warn(area, of, "It is not made ready yet.", act, Topic::HostDiffers)];
    }
    let mut found = Vec::new();
    match &seen.glance {
        Some(Err((why, topic))) => {
            let act = match topic {
                Topic::HostAway => {
                    "What runs there goes on running. See that the server is up and that SSH reaches it."
                }
                _ => "Mend what the sentence says, then look again.",
            };
            return vec![Finding::bad(area, of, why.clone(), act, *topic)];
        }
        Some(Ok(glance)) => found.extend(glanced(seen, glance)),
        None => {}
    }
    if !seen.renewal.is_empty() {
        let what = format!("It cannot renew its certificates while the panel is gone: {}", seen.renewal);
        let act = "While the panel runs it renews them. Mend what the sentence says; it is tried again once a day.";
        found.push(Finding::warn(area, of, what, act, Topic::HostRenewal));
    }
    let Some((differences, hours)) = &seen.check else {
        let act = "Check it on its page, or with: skiff hosts check NAME";
        let what = match seen.check_failed.as_str() {
            "" => "It was not looked at since it was made ready.".to_owned(),
            why => format!("The last check saw nothing: {why}"),
        };
        found.push(Finding::warn(area, of, what, act, Topic::HostDiffers));
        return told(of, found);
    };
    for difference in differences {
        // What was seen just now is newer.
        let known = matches!(difference.what.as_str(), "clock" | "disk") && seen.glance.is_some();
        if !known {
            let what = format!("{} is {}; should be {}.", difference.what, difference.is, difference.should);
            let topic = help::of_difference(difference);
            found.push(match topic {
                Topic::Reboot | Topic::HostDiffers => Finding::warn(area, of, what, difference.act.clone(), topic),
                _ => Finding::bad(area, of, what, difference.act.clone(), topic),
            });
        }
    }
    if *hours > CHECK_OLD_H {
        let what = format!("Its last check is {} days old.", hours / 24);
        let act = "Skiff checks a host once a day: is the panel running all the time? Check it on its page.";
        found.push(Finding::warn(area, of, what, act, Topic::HostDiffers));
    }
    told(of, found)
}

fn glanced(seen: &HostSeen, glance: &Glance) -> Vec<Finding> {
    let (area, of) = (Area::Host, seen.name.as_str());
    let mut found = Vec::new();
    if let Some(ahead) = glance.ahead_ms.filter(|ahead| ahead.abs() > CLOCK_MS) {
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        let what = format!("Its clock is {} s {way} the panel's.", ahead.abs() / 1000);
        found.push(Finding::warn(area, of, what, "On the server: timedatectl set-ntp true", Topic::HostClock));
    }
    if let Some(free) = glance.free_mib.filter(|free| *free < FREE_MIB) {
        let act = "Make room on the server, or give it a larger disk: the next image may not fit.";
        found.push(Finding::bad(area, of, format!("Only {free} MiB of its disk are free."), act, Topic::HostDisk));
    }
    if glance.proxy_runs == Some(false) {
        let act = "Make the host ready again; on the server, journalctl -u skiff-haproxy says why it ended.";
        found.push(Finding::bad(area, of, "Its proxy does not run: no app on it is reached.", act, Topic::ProxyAway));
    } else if glance.listens == Some(false) {
        let what = format!("Nobody listens on its web port {}.", seen.port);
        found.push(Finding::bad(area, of, what, "Make the host ready again.", Topic::PortTaken));
    } else if let (Some(false), Some(port)) = (glance.listens_https, seen.https_port) {
        let what =
            format!("Nobody listens on its HTTPS port {port}: no address that begins with https:// is answered.");
        let act =
            "Make the host ready again; on the server, journalctl -u skiff-haproxy says why the port was not opened.";
        found.push(Finding::bad(area, of, what, act, Topic::PortTaken));
    }
    found
}

/// A host of which nothing is to be said is well.
fn told(of: &str, mut found: Vec<Finding>) -> Vec<Finding> {
    if found.is_empty() {
        found.push(Finding::ok(Area::Host, of, "It answers and is as it was made."));
    }
    found
}

/// Several hosts that are all off in the same direction: then it is the panel's clock.
pub fn clocks(all: &[i64]) -> Option<Finding> {
    let off = |ahead: &&i64| ahead.abs() > CLOCK_MS;
    let same = all.iter().all(|ahead| *ahead > 0) || all.iter().all(|ahead| *ahead < 0);
    (all.len() > 1 && same && all.iter().filter(off).count() == all.len()).then(|| {
        let what = "All hosts' clocks differ from the panel's in the same direction: it is probably the panel's that is wrong.";
        let act = "On the panel's machine: timedatectl set-ntp true";
        let mut finding = Finding::warn(Area::Panel, "clock", what, act, Topic::PanelClock);
        finding.grade = Grade::Bad;
        finding
    })
}
