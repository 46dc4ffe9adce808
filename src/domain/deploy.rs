//! A deploy: the attempt to make a release current. Its states, and the closed list of reasons why one failed.

mod help;
mod words;

use serde::{Deserialize, Serialize};

use super::names::{BranchName, CommitId, ImageRef};

/// What a deploy sets out to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum Target {
    /// The head of the source's branch (or the image's tag), with the configuration as it is now.
    Head,
    /// The head of another branch, or a tag, with the configuration as it is now.
    Ref {
        /// Its name.
        name: BranchName,
    },
    /// One commit, with the configuration as it is now.
    Commit {
        /// The full id.
        id: CommitId,
    },
    /// A kept release, as it was: no build, its own configuration and secrets.
    Release {
        /// Its number.
        number: i32,
    },
    /// A kept release with more or fewer instances, or on other hosts: its image, configuration and secrets, placed as the
    /// app is now. No build.
    Scale {
        /// Its number.
        number: i32,
    },
}

/// The state of a deploy. The job's states, and one more: a deploy that succeeded and was taken back by its watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DeployState {
    /// Waits for its turn.
    Queued,
    /// A worker has it.
    Running,
    /// The release serves.
    Succeeded,
    /// The former release goes on serving.
    Failed,
    /// Ended by a person before the switch.
    Cancelled,
    /// Overtaken by a newer one while it waited.
    Superseded,
    /// It served, its watch found it bad, and the former release was brought back.
    TakenBack,
}

impl DeployState {
    /// True for states a running worker never touches again.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// True where `next` may follow.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Running | Self::Cancelled | Self::Superseded | Self::Failed),
            Self::Running => matches!(next, Self::Succeeded | Self::Failed | Self::Cancelled),
            Self::Succeeded => next == Self::TakenBack,
            Self::Failed | Self::Cancelled | Self::Superseded | Self::TakenBack => false,
        }
    }

    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::TakenBack => "taken back",
        }
    }
}

/// Why a deploy failed: the closed list. Each has a sentence (what, where) and an advice (what to try).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Failure {
    /// Docker could not start the container.
    DidNotStart {
        /// Docker's own words, capped.
        detail: String,
    },
    /// The program ended by itself.
    Exited {
        /// The exit status.
        code: i64,
    },
    /// The kernel killed it for its memory.
    OutOfMemory {
        /// The limit in MiB, where one is set.
        limit_mib: Option<u32>,
    },
    /// Nothing listened on the port in time.
    PortNeverOpened {
        /// The port.
        port: u16,
        /// Seconds waited.
        seconds: u32,
    },
    /// The port opened but refused or cut the health check's connection.
    HealthRefused {
        /// The port.
        port: u16,
    },
    /// The health check got no answer in its time.
    HealthTimedOut {
        /// Seconds waited in all.
        seconds: u32,
    },
    /// The health check was answered with another status than 200–299.
    HealthAnswered {
        /// The status.
        status: u16,
    },
    /// The health check was answered with a redirect.
    HealthRedirected {
        /// Where to: hostile text, capped.
        to: String,
    },
    /// The health command ended otherwise than with 0.
    HealthCommand {
        /// The exit status.
        code: i64,
    },
    /// The registry does not know the image.
    ImageNotFound {
        /// The name.
        image: ImageRef,
    },
    /// The registry wants credentials, or others.
    ImageDenied {
        /// The name.
        image: ImageRef,
    },
    /// The registry did not answer.
    RegistryUnreachable {
        /// The name.
        image: ImageRef,
        /// What was seen, capped.
        detail: String,
    },
    /// A step of the build ended with an error.
    BuildFailed {
        /// The step as the Dockerfile has it, capped.
        step: String,
        /// The builder's words, capped.
        detail: String,
    },
    /// The repository could not be read.
    SourceUnreachable {
        /// Git's own words, capped.
        detail: String,
    },
    /// The repository wants credentials, or others.
    SourceDenied,
    /// The repository has no such branch.
    BranchNotFound {
        /// The branch.
        branch: BranchName,
    },
    /// The commit is not in the repository any more.
    CommitNotFound {
        /// The commit.
        commit: CommitId,
    },
    /// The Dockerfile is not where it should be.
    NoDockerfile {
        /// The path looked at.
        path: String,
    },
    /// There is no Dockerfile, and Skiff does not know how to write one.
    NotRecognised {
        /// The path looked at.
        path: String,
        /// Why none could be written: a sentence or two.
        detail: String,
    },
    /// The repository uses something Skiff does not build.
    SourceUnsupported {
        /// What: "submodules", "Git LFS".
        what: String,
    },
    /// The disk of the host is full, or too full to begin.
    DiskFull {
        /// The host's name.
        host: String,
    },
    /// The host did not answer.
    HostUnreachable {
        /// The host's name.
        host: String,
        /// What was seen, capped.
        detail: String,
    },
    /// The host answered, and the answer was no.
    HostRefused {
        /// The host's name.
        host: String,
        /// Its words, capped.
        detail: String,
    },
    /// The host's Docker did not answer.
    DockerUnavailable {
        /// The host's name.
        host: String,
        /// What was seen, capped.
        detail: String,
    },
    /// The host's HAProxy did not answer or refused.
    ProxyUnavailable {
        /// The host's name.
        host: String,
        /// What was seen, capped.
        detail: String,
    },
    /// The new instances were healthy, but no request came through the proxy.
    NotReachedThroughProxy {
        /// The host's name.
        host: String,
        /// What was seen, capped.
        detail: String,
    },
    /// It served, and was found bad by its watch.
    TurnedBad {
        /// The release's number.
        number: i32,
        /// What was seen.
        detail: String,
    },
    /// The planner refused: the reason is its own sentence.
    Refused {
        /// The sentence.
        reason: String,
    },
    /// A secret could not be opened.
    SecretUnreadable {
        /// The variable's name.
        name: String,
    },
    /// Longer than a deploy may take.
    TookTooLong {
        /// The limit in seconds.
        seconds: u32,
    },
    /// Something of ours; the log of the panel has the cause under this id.
    Internal {
        /// The id to quote.
        id: String,
    },
}
