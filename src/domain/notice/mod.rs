//! Notices: the kinds of things one can be told of, and the words they are told in. Not here: who is told (`channel`), and
//! when trouble is trouble (`alert`).

mod words;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ids::{HostId, ProjectId};
pub use words::{Deployed, certificate, deploy, hosts, test};

/// What happened.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schemars(rename = "NoticeKind")]
pub enum Kind {
    /// A release serves.
    DeploySucceeded,
    /// A deploy failed.
    DeployFailed,
    /// A release was taken back by its watch.
    DeployReturned,
    /// Hosts do not answer.
    HostDown,
    /// Hosts answer again.
    HostUp,
    /// A certificate cannot be had, or runs out.
    Certificate,
    /// Somebody tries a channel.
    Test,
}

impl Kind {
    /// What can be chosen.
    pub const OFFERED: [Self; 6] = [
        Self::DeployFailed,
        Self::DeployReturned,
        Self::DeploySucceeded,
        Self::HostDown,
        Self::HostUp,
        Self::Certificate,
    ];
    /// What is ticked where nothing was chosen yet: what a person has to look at.
    pub const USUAL: [Self; 5] =
        [Self::DeployFailed, Self::DeployReturned, Self::HostDown, Self::HostUp, Self::Certificate];

    /// The word programs use.
    pub fn slug(self) -> &'static str {
        match self {
            Self::DeploySucceeded => "deploy_succeeded",
            Self::DeployFailed => "deploy_failed",
            Self::DeployReturned => "deploy_returned",
            Self::HostDown => "host_down",
            Self::HostUp => "host_up",
            Self::Certificate => "certificate",
            Self::Test => "test",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::DeploySucceeded => "Deploy succeeded",
            Self::DeployFailed => "Deploy failed",
            Self::DeployReturned => "Release taken back",
            Self::HostDown => "Host does not answer",
            Self::HostUp => "Host answers again",
            Self::Certificate => "Certificate trouble",
            Self::Test => "Test",
        }
    }

    /// More words to it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::DeploySucceeded => "a new release serves",
            Self::DeployFailed => "the old release goes on serving",
            Self::DeployReturned => "it was not well after the switch",
            Self::HostDown => "after 3 looks in vain over 90 seconds",
            Self::HostUp => "after 2 looks that were answered",
            Self::Certificate => "it cannot be had, or runs out",
            Self::Test => "",
        }
    }

    /// The kind of this word, among those that can be chosen.
    pub fn of_slug(slug: &str) -> Option<Self> {
        Self::OFFERED.into_iter().find(|kind| kind.slug() == slug)
    }
}

/// What kind of news it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All right.
    Good,
    /// Somebody should look.
    Bad,
    /// Neither.
    Plain,
}

/// Which events are wanted, and of which projects. Hosts belong to no project: whoever wants their events gets them of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The events.
    pub events: Vec<Kind>,
    /// The projects; none names all of them.
    pub projects: Option<Vec<ProjectId>>,
}

impl Wanted {
    /// Whether this is wanted.
    pub fn covers(&self, kind: Kind, project: Option<ProjectId>) -> bool {
        let here = match (&self.projects, project) {
            (Some(chosen), Some(project)) => chosen.contains(&project),
            (None, _) | (_, None) => true,
        };
        here && self.events.contains(&kind)
    }
}

/// A host in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTold {
    /// The host.
    pub id: HostId,
    /// Its name at that time.
    pub name: String,
    /// Why it does not answer; empty where it does.
    #[serde(default)]
    pub cause: String,
}

/// What an event about hosts, or a certificate, says beside its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The hosts it is about.
    #[serde(default)]
    pub hosts: Vec<HostTold>,
    /// True where no host answers, so that the panel's own network is the likelier cause.
    #[serde(default)]
    pub offline: bool,
    /// The domain of a certificate.
    #[serde(default)]
    pub domain: String,
    /// Its trouble.
    #[serde(default)]
    pub cause: String,
    /// Whether a person brought it.
    #[serde(default)]
    pub uploaded: bool,
}

/// Whether trouble that lasts began, or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It began, or has come further.
    Began,
    /// It is over.
    Over,
}

/// What is sent: the same words for every service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The delivery: receivers know by it what they have had.
    pub id: Uuid,
    /// What happened.
    pub kind: Kind,
    /// Whether that began or is over; none of what does not last.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// One line.
    pub title: String,
    /// The rest; may be empty.
    pub body: String,
    /// Where to look, below the panel's address.
    pub path: String,
    /// The team's name.
    pub team: String,
}

impl Letter {
    /// Whether it is good or bad news.
    pub fn tone(&self) -> Tone {
        match (self.kind, self.phase) {
            (Kind::DeploySucceeded | Kind::HostUp, _) | (Kind::Certificate, Some(Phase::Over)) => Tone::Good,
            (Kind::DeployFailed | Kind::DeployReturned | Kind::HostDown | Kind::Certificate, _) => Tone::Bad,
            (Kind::Test, _) => Tone::Plain,
        }
    }
}

#[cfg(test)]
mod tests;
