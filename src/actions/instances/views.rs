//! What pages and commands show of instances. Not here: how it is read.

use time::OffsetDateTime;

use crate::actions::hosts::InstanceLine;
use crate::domain::ids::{DeployId, InstanceId, JobId};

/// What a restart of an instance became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarted {
    /// The others of its host serve meanwhile: it is restarted where it is.
    InPlace(JobId),
    /// Nothing else there serves: the app's release is deployed again, which starts the new ones first.
    Whole(DeployId),
}

/// Which lines of an app's instances are asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only lines with this text in them, whatever their case; empty for all. It is a text, not a pattern.
    pub text: String,
    /// Only this instance's.
    pub instance: Option<InstanceId>,
    /// Only those of instances with this number in their deploy: the next deploy's too.
    pub position: Option<i32>,
    /// Only lines behind this moment, by the hosts' clocks.
    pub after: Option<OffsetDateTime>,
    /// How many lines to begin with; none for as many as a page has, 0 for only what comes.
    pub tail: Option<u16>,
}

/// Where a line comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The instance.
    pub instance: InstanceId,
    /// The host's name.
    pub host: String,
    /// The release's number.
    pub number: i32,
    /// 1, 2, … in its deploy.
    pub position: i32,
    /// 0, 1, …: instances that are shown together have different ones for long.
    pub tint: usize,
}

/// What an instance printed, or what is to be said about its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppLogLine {
    /// When, by its host's clock; for words of ours, when they were said.
    pub at: OffsetDateTime,
    /// Where from; none for words about all.
    pub origin: Option<Origin>,
    /// Who speaks.
    pub voice: Voice,
    /// The line without its end, redacted, at most 16 KiB and a mark. Hostile text.
    pub line: Vec<u8>,
}

/// Who speaks in a log of instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The program, on its standard output.
    Out,
    /// The program, on its standard error.
    Err,
    /// Skiff: a host does not answer, lines were left out.
    Skiff,
}

/// A page of logs.
#[derive(Clone, Debug)]
pub struct Logs {
    /// The newest lines of all instances, oldest first.
    pub lines: Vec<AppLogLine>,
    /// The instances there are.
    pub instances: Vec<InstanceLine>,
    /// The last moment that was read, where a live view goes on.
    pub until: Option<OffsetDateTime>,
}

/// One instance, looked at.
#[derive(Clone, Debug)]
pub struct InstanceView {
    /// As the ledger has it.
    pub line: InstanceLine,
    /// The release's image, by name.
    pub image: String,
    /// What its host's Docker says, or why it says nothing.
    pub seen: Result<Box<Inspected>, String>,
    /// When it was asked.
    pub at: OffsetDateTime,
    /// Whether one may restart it.
    pub may_restart: bool,
}

/// What Docker says about a container. Every text is the host's: hostile, and redacted.
#[derive(Clone, Debug, Default)]
pub struct Inspected {
    /// `running`, `exited` …
    pub status: String,
    /// Facts in groups: a title, and names with their values.
    pub groups: Vec<(&'static str, Vec<(String, String)>)>,
    /// The environment: names, and the values of plain variables.
    pub env: Vec<(String, Shown)>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// The heads of the processes' columns; empty where nothing runs.
    pub process_heads: Vec<String>,
    /// The processes.
    pub processes: Vec<Vec<String>>,
    /// All Docker says, as JSON, without the environment.
    pub raw: String,
}

/// The value of a variable of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A plain variable's.
    Plain(String),
    /// A secret's: never shown.
    Secret,
    /// Of the image: not ours to judge, so it is not shown.
    Image,
}
