//! The doctor's findings: what was seen of the panel, its database, the hosts and the names, told as what it is, what to do
//! about it and where the docs say more. Decisions only: looking is elsewhere.

mod certificates;
mod database;
mod hosts;
mod machine;
mod names;

pub use certificates::{CertificateSeen, CertificatesSeen, OnHost, OrderSeen, certificates};
pub use database::{Database, Queue, SchemaSeen, database, queue, unreached};
pub use hosts::{Glance, HostSeen, clocks, host};
pub use machine::{MachineSeen, clock, machine};
pub use names::{HostAt, NameSeen, Proof, Resolved, is_local, name};

use serde::Serialize;

use super::help::Topic;

/// How a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Somebody should look at it in time.
    Warn,
    /// Something does not work, or soon will not.
    Bad,
}

impl Grade {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "look",
            Self::Bad => "bad",
        }
    }
}

/// What findings are about, in the order they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// The panel's own machine.
    Panel,
    /// The database.
    Database,
    /// Hosts.
    Host,
    /// Domains of apps.
    Domain,
    /// Certificates.
    Certificate,
}

impl Area {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Panel => "Panel",
            Self::Database => "Database",
            Self::Host => "Hosts",
            Self::Domain => "Domains",
            Self::Certificate => "Certificates",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// Which of them: a host's name, a domain, "disk".
    pub of: String,
    /// How it is.
    pub grade: Grade,
    /// What was seen: a sentence.
    pub what: String,
    /// What to do about it; empty where nothing is to be done.
    pub act: String,
    /// Where the docs say more, as a path below the panel's address; none where nothing is to be done.
    pub help: Option<Topic>,
}

impl Finding {
    /// All is well.
    pub fn ok(area: Area, of: impl Into<String>, what: impl Into<String>) -> Self {
        Self { area, of: of.into(), grade: Grade::Ok, what: what.into(), act: String::new(), help: None }
    }

    /// Something to look at.
    pub fn warn(
        area: Area,
        of: impl Into<String>,
        what: impl Into<String>,
        act: impl Into<String>,
        help: Topic,
    ) -> Self {
        let mut finding = Self::bad(area, of, what, act, help);
        finding.grade = Grade::Warn;
        finding
    }

    /// Something that does not work.
    pub fn bad(
        area: Area,
        of: impl Into<String>,
        what: impl Into<String>,
        act: impl Into<String>,
        help: Topic,
    ) -> Self {
        Self { area, of: of.into(), grade: Grade::Bad, what: what.into(), act: act.into(), help: Some(help) }
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One after the other, by what they are about.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Takes more in, and keeps the order.
    pub fn add(&mut self, more: impl IntoIterator<Item = Finding>) {
        self.findings.extend(more);
        self.findings.sort_by_key(|finding| finding.area);
    }

    /// The worst of all; well where there is nothing.
    pub fn grade(&self) -> Grade {
        self.findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Ok)
    }

    /// How many are like this.
    pub fn count(&self, grade: Grade) -> usize {
        self.findings.iter().filter(|finding| finding.grade == grade).count()
    }

    /// As programs read it.
    pub fn told(self) -> Told {
        Told { grade: self.grade(), headline: self.headline(), findings: self.findings }
    }

    /// All in one sentence.
    pub fn headline(&self) -> String {
        let things = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 thing {one}"),
            count => format!("{count} things {many}"),
        };
        match (self.count(Grade::Bad), self.count(Grade::Warn)) {
            (0, 0) => format!("All well: {} looked at.", things(self.findings.len(), "was", "were")),
            (0, warn) => format!("{} to be looked at in time; nothing is bad.", things(warn, "is", "are")),
            (bad, 0) => format!("{} bad.", things(bad, "is", "are")),
            (bad, warn) => format!("{} bad, and {warn} to be looked at in time.", things(bad, "is", "are")),
        }
    }
}

/// A report as programs read it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Doctor")]
pub struct Told {
    /// The worst of all findings.
    pub grade: Grade,
    /// All in one sentence.
    pub headline: String,
    /// What was looked at, one after the other.
    pub findings: Vec<Finding>,
}

/// MiB as people read it.
fn room(mib: u64) -> String {
    if mib < 10_240 { format!("{mib} MiB") } else { format!("{} GiB", mib / 1024) }
}

#[cfg(test)]
mod tests;
