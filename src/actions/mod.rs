//! Everything an actor may ask for: right, transaction, audit, enqueue; reads too. Not here: HTML, HTTP types, changing a host.

pub mod accounts;
pub mod acme;
pub mod apps;
pub mod audit;
pub mod certificates;
pub mod deploys;
pub mod doctor;
mod fields;
pub mod follow;
mod gate;
pub mod home;
pub mod hooks;
pub mod hosts;
pub mod instances;
pub mod invitations;
pub mod jobs;
mod kept;
pub mod log_page;
pub mod members;
pub mod notices;
pub mod panel;
pub mod projects;
pub mod releases;
pub mod routes;
pub mod scopes;
mod sealing;
pub mod secrets;
pub mod setup;
pub mod setup_name;
mod standing;
pub mod teams;
pub mod tokens;
pub mod upkeep;
pub mod volumes;

pub use kept::{Kept, Weigh};

use std::sync::Arc;

use crate::access::Access;
use crate::db::Db;
use crate::db::changes::Changes;
use crate::providers::names::Names;
use crate::providers::notices::Outside;
use crate::remote::Pool;
use crate::vault::Vault;

/// What actions work with. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    /// The database.
    pub db: Db,
    /// Its wake-ups.
    pub changes: Changes,
    /// The master key.
    pub vault: Vault,
    /// Settings of the panel.
    pub settings: Arc<Settings>,
    /// Views that were just read.
    pub kept: Kept,
    /// Connections to hosts: views that stream look through them. What changes a host is a job.
    pub pool: Pool,
    /// How many logs of each host are read now.
    pub log_seats: instances::Seats,
    /// Calls of forges that wait to be answered together.
    pub hooks: hooks::Lines,
    /// Services outside that take notices: a channel is tried at once.
    pub outside: Outside,
    /// Names as the DNS has them: the doctor looks where they lead.
    pub lookup: Names,
}

impl Ctx {
    /// The way to hosts, for looking.
    fn access(&self) -> Access {
        Access { db: self.db.clone(), vault: Arc::new(self.vault.clone()), pool: self.pool.clone() }
    }
}

/// The panel's settings that actions look at.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The panel's own address, without a slash at its end: "http://127.0.0.1:7070".
    pub base_url: String,
    /// The folder below which `file:///` repositories of the panel's machine may be deployed; none may without it.
    pub local_sources: Option<std::path::PathBuf>,
    /// The port the panel listens on: a proxy of the same machine looks for it there.
    pub door: u16,
    /// The names the panel is reached by besides, as they were read last.
    pub names: panel::Names,
    /// Where the panel keeps its things on its machine; none where nobody said.
    pub place: Option<doctor::Place>,
}

/// One wrong field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, as in the input struct.
    pub field: &'static str,
    /// Which entry of a list, counted from 0, where it is one.
    pub entry: Option<usize>,
    /// What is wrong and what to write instead: one sentence, without the text that was entered.
    pub sentence: String,
}

/// Why something was not done. Each variant is one kind of answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not there, or not the actor's to see: the same answer for both.
    #[error("There is no such thing.")]
    NotFound,
    /// Seen, but not the actor's to do.
    #[error("{0}")]
    Forbidden(#[from] crate::domain::rights::Forbidden),
    /// Fields to mend: all of them, not only the first.
    #[error("Some fields need another value.")]
    Fields(Vec<FieldError>),
    /// Does not go with how things are now: a sentence that says what to try.
    #[error("{0}")]
    Conflict(String),
    /// Cannot be done at the moment: a sentence.
    #[error("{0}")]
    Unavailable(String),
    /// Asked for too often: a sentence that says when it may be asked again.
    #[error("{0}")]
    TooOften(String),
    /// A mistake of ours. The panel's log has the cause under this id.
    #[error("Something went wrong inside Skiff. The panel's log has the cause under {0}.")]
    Internal(String),
}

impl Refused {
    /// What is wrong, in one run of sentences: those of the fields where there are some.
    pub fn in_words(&self) -> String {
        match self {
            Self::Fields(wrong) => wrong.iter().map(|error| error.sentence.as_str()).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        }
    }

    /// A refusal of one field.
    pub fn field(field: &'static str, sentence: impl Into<String>) -> Self {
        Self::Fields(vec![FieldError { field, entry: None, sentence: sentence.into() }])
    }
}

/// A failing database is said as what it is; anything else is a mistake of ours: logged here, once, under the id shown.
impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|said| said.code().map(|code| code.into_owned()));
        let away = matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
            // 57P0x: shutting down, crashed, starting; 53xxx: full disk, memory or connections.
            || code.as_deref().is_some_and(|code| code.starts_with("57P") || code.starts_with("53"));
        if away {
            tracing::warn!(error = %error, "The database does not answer");
            return Self::Unavailable("The database does not answer. Try again in a moment.".into());
        }
        // 23505: a unique key was taken between our look and our write; 40001, 40P01, 55P03: two changes met.
        if matches!(code.as_deref(), Some("23505" | "40001" | "40P01" | "55P03")) {
            tracing::info!(error = %error, "Two changes met");
            return Self::Conflict("Somebody changed the same thing at the same moment. Look again and repeat.".into());
        }
        Self::internal(&error)
    }
}

impl Refused {
    /// A mistake of ours: logged here, once, under the id shown.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string().split_off(24);
        tracing::error!(error.id = %id, error = %error, "An action went wrong ({id})");
        Self::Internal(id)
    }
}
