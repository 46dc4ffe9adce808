//! Why a command did not do what it should, and the status it ends with.

use serde_json::Value;

use crate::actions::Refused;
use crate::domain::help::{self, Topic};

/// Why a command did not do what it should. Printed as one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// An action refused.
    #[error("{}", sentence(.0))]
    Refused(#[from] Refused),
    /// Another reason.
    #[error("{0}")]
    Said(String),
    /// What was waited for ended otherwise; the answer was printed.
    #[error("{reason}")]
    Ended {
        /// The answer, for standard output.
        answer: Value,
        /// Why, for standard error.
        reason: String,
        /// Where the docs say more about it, where that is known better than by its words.
        help: Option<Topic>,
    },
    /// There is something to show, and it is not as wanted.
    #[error("{reason}")]
    Shown {
        /// For standard output.
        text: String,
        /// Why, for standard error.
        reason: String,
    },
    /// The command was typed wrongly.
    #[error("{0}")]
    Usage(String),
    /// No panel answered.
    #[error("{0}")]
    Unreached(String),
    /// No token, or one the panel does not take.
    #[error("{0}")]
    NotSignedIn(String),
    /// Somebody pressed Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
}

impl Failed {
    /// The exit status. `docs/guide/cli.md` promises these.
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Said(_) | Self::Ended { .. } | Self::Shown { .. } => 1,
            Self::Usage(_) => 2,
            Self::Unreached(_) => 3,
            Self::NotSignedIn(_) => 4,
            Self::Interrupted(_) => 130,
        }
    }

    /// Where the docs say more, for a command of the panel's own machine that is about this; none where what was printed says it.
    pub fn help(&self, about: Topic) -> Option<Topic> {
        match self {
            Self::Refused(Refused::Forbidden(_)) => Some(Topic::Roles),
            Self::Refused(Refused::Internal(_)) => Some(Topic::Internal),
            // The sentence knows best what is away.
            Self::Refused(Refused::Unavailable(why)) => Some(help::of_sentence(why).unwrap_or(about)),
            Self::Refused(Refused::NotFound | Refused::Fields(_) | Refused::Conflict(_) | Refused::TooOften(_))
            | Self::Said(_) => Some(about),
            Self::Ended { reason, help, .. } => help.or_else(|| help::of_sentence(reason)).or(Some(about)),
            Self::Shown { .. } | Self::Usage(_) | Self::Unreached(_) | Self::NotSignedIn(_) | Self::Interrupted(_) => {
                None
            }
        }
    }

    /// What is to be printed on standard output all the same.
    pub fn answer(&self) -> Option<String> {
        match self {
            Self::Ended { answer, .. } => Some(answer.to_string()),
            Self::Shown { text, .. } => Some(text.clone()),
            _ => None,
        }
    }
}

/// A refusal on a terminal: with all its fields.
fn sentence(refused: &Refused) -> String {
    match refused {
        Refused::Fields(fields) => {
            let lines: Vec<String> =
                fields.iter().map(|wrong| format!("{}: {}", wrong.field, wrong.sentence)).collect();
            lines.join("\n")
        }
        other => other.to_string(),
    }
}
