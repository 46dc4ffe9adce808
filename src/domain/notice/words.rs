//! Events in words. Names and reasons are others' text: each service makes them harmless in its own way.

use uuid::Uuid;

use super::{Detail, HostTold, Kind, Letter, Phase};

/// Hosts that are named in one letter; the others are counted.
const NAMED: usize = 10;

/// A deploy, as it ended.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// "shop / prod / web".
    pub app: String,
    /// The release's number, where one was made.
    pub number: Option<i32>,
    /// The number of the release that served before.
    pub former: Option<i32>,
    /// Why it failed.
    pub reason: String,
    /// Who or what asked.
    pub asked_by: String,
    /// Where its page is: "/t/acme/deploys/…".
    pub path: String,
}

/// The letter about a deploy.
pub fn deploy(id: Uuid, kind: Kind, team: &str, told: &Deployed) -> Letter {
    let version = told.number.map(|number| format!("v{number}"));
    let release = version.as_deref().unwrap_or("the new release");
    let former = told.former.map(|number| format!("v{number}"));
    let title = match kind {
        Kind::DeploySucceeded => format!("{}: {release} is deployed", told.app),
        Kind::DeployReturned => format!("{}: {release} is taken back", told.app),
        _ => match &version {
            Some(version) => format!("{}: the deploy of {version} failed", told.app),
            None => format!("{}: a deploy failed", told.app),
        },
    };
    let mut lines = Vec::new();
    if !told.reason.is_empty() {
        lines.push(told.reason.clone());
    }
    match (kind, &former) {
        (Kind::DeployFailed, Some(former)) => lines.push(format!("{former} goes on serving.")),
        (Kind::DeployFailed, None) => lines.push("Nothing of this app served before.".to_owned()),
        (Kind::DeployReturned, Some(former)) => lines.push(format!("{former} is deployed again.")),
        _ => {}
    }
    if !told.asked_by.is_empty() {
        lines.push(format!("Asked for by {}.", told.asked_by));
    }
    let (body, path, team) = (lines.join("\n"), told.path.clone(), team.to_owned());
    Letter { id, kind, phase: None, title, body, path, team }
}

/// The letter about hosts that do not answer, or answer again. `slug` is the team's.
pub fn hosts(id: Uuid, kind: Kind, team: &str, slug: &str, hosts: &[HostTold], offline: bool) -> Letter {
    let down = kind == Kind::HostDown;
    let title = match (offline, hosts) {
        (true, _) if down => "No host answers".to_owned(),
        (true, _) => "Hosts answer again".to_owned(),
        (false, [one]) if down => format!("{} does not answer", one.name),
        (false, [one]) => format!("{} answers again", one.name),
        (false, many) if down => format!("{} hosts do not answer", many.len()),
        (false, many) => format!("{} hosts answer again", many.len()),
    };
    let mut lines = Vec::new();
    if offline && down {
        lines.push(format!(
            "None of {} hosts answers the panel: look at the panel's own network first. Apps go on running without it.",
            hosts.len()
        ));
    }
    if offline && !down {
        lines.push("The panel reaches hosts again. A host that still does not answer is told of by itself.".to_owned());
    }
    match hosts {
        [one] if !offline => lines.extend((!one.cause.is_empty()).then(|| one.cause.clone())),
        many if !offline || down => {
            lines.extend(many.iter().take(NAMED).map(|host| match host.cause.as_str() {
                "" => format!("· {}", host.name),
                cause => format!("· {}: {cause}", host.name),
            }));
            if many.len() > NAMED {
                lines.push(format!("· and {} more", many.len() - NAMED));
            }
        }
        _ => {}
    }
    let path = match hosts {
        [one] if !offline => format!("/t/{slug}/hosts/{}", one.id),
        _ => format!("/t/{slug}/hosts"),
    };
    let phase = Some(if down { Phase::Began } else { Phase::Over });
    Letter { id, kind, phase, title, body: lines.join("\n"), path, team: team.to_owned() }
}

/// The letter about a certificate; without a cause it is well again.
pub fn certificate(id: Uuid, team: &str, slug: &str, told: &Detail) -> Letter {
    let domain = &told.domain;
    let (title, phase) = match told.cause.as_str() {
        "" => (format!("The certificate of {domain} is well again"), Phase::Over),
        _ => (format!("The certificate of {domain} needs you"), Phase::Began),
    };
    // Where a newer one is uploaded, or what was got by itself is looked at.
    let below = if told.uploaded { "" } else { "/automatic" };
    Letter {
        id,
        kind: Kind::Certificate,
        phase: Some(phase),
        title,
        body: told.cause.clone(),
        path: format!("/t/{slug}/certificates{below}"),
        team: team.to_owned(),
    }
}

/// The letter of the test button.
pub fn test(id: Uuid, team: &str, slug: &str, channel: &str, who: &str) -> Letter {
    Letter {
        id,
        kind: Kind::Test,
        phase: None,
        title: format!("A test from Skiff to {channel}"),
        body: format!("{who} tried whether notices of the team {team} arrive here. They do."),
        path: format!("/t/{slug}/notices"),
        team: team.to_owned(),
    }
}
