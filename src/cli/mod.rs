//! Commands: each calls actions and prints. Not here: queries, pages, how the program is wired.

pub mod admin;
mod ensure;
pub mod setup;
mod wait;

use serde_json::Value;

use crate::actions::Refused;

/// Why a command did not do what it should. Printed as one sentence; the exit status is 1.
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
    },
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
