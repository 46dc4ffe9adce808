//! Why a step of making a server ready, or of looking at it, did not work.

use crate::jobs::certificates;
use crate::jobs::stop::{self, detail};
use crate::remote;

/// Why a step did not work.
pub(in crate::jobs) enum Broken {
    /// A sentence for people.
    Said(String),
    /// Another job is at it, or another worker has this one: nothing is wrong with the host, and the run begins anew in a while.
    Again(String),
    /// The host.
    Host(remote::Error),
    /// The database.
    Db(sqlx::Error),
}

impl From<remote::Error> for Broken {
    fn from(error: remote::Error) -> Self {
        Self::Host(error)
    }
}

impl From<certificates::Trouble> for Broken {
    fn from(trouble: certificates::Trouble) -> Self {
        match trouble {
            certificates::Trouble::Host(error) => Self::Host(error),
            certificates::Trouble::Db(error) => Self::Db(error),
        }
    }
}

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error)
    }
}

impl Broken {
    /// As people read it.
    pub(in crate::jobs) fn sentence(self) -> String {
        match self {
            Self::Said(sentence) | Self::Again(sentence) => sentence,
            Self::Host(error) => detail(error),
            Self::Db(error) => {
                let id = stop::internal(error);
                id.sentence()
            }
        }
    }
}

/// What stops a job, as a step says it.
pub(super) fn stopped(why: impl Into<stop::Stop>) -> Broken {
    match why.into() {
        stop::Stop::Failed(failure) => Broken::Said(failure.sentence()),
        stop::Stop::Again(why) => Broken::Again(why),
        stop::Stop::Lost | stop::Stop::Cancelled => Broken::Again("Another worker has this job.".to_owned()),
    }
}
