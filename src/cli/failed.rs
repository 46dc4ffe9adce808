//! Why a command did not do what it should, and the status it ends with.

use serde_json::Value;

use crate::actions::Refused;
use crate::domain::help::{self, Topic};

/// How the last line of a failure begins that says where the docs say more.
pub const MORE: &str = "\nMore: ";

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

    /// The same for a command that asks a panel, from whatever machine: none where its last line leads there already, as what the panel
    /// itself says does.
    pub fn help_from_afar(&self, about: Topic) -> Option<Topic> {
        if self.to_string().lines().last().is_some_and(|last| last.starts_with(MORE.trim_start())) {
            return None;
        }
        match self {
            Self::Usage(_) => Some(Topic::Typed),
            Self::Unreached(why) => Some(help::of_sentence(why).unwrap_or(Topic::NoPanel)),
            Self::NotSignedIn(_) => Some(Topic::NotSignedIn),
            Self::Shown { reason, .. } => Some(help::of_sentence(reason).unwrap_or(about)),
            // Nothing went wrong.
            Self::Interrupted(_) => None,
            Self::Refused(_) | Self::Said(_) | Self::Ended { .. } => self.help(about),
        }
    }

    /// The same with a sentence more, before the line that says where the docs say more.
    pub fn and(self, more: &str) -> Self {
        let add = |said: String| match said.rfind(MORE) {
            Some(place) => {
                let (said, link) = said.split_at(place);
                format!("{said}\n{more}{link}")
            }
            None => format!("{said}\n{more}"),
        };
        match self {
            Self::Said(said) => Self::Said(add(said)),
            Self::Unreached(said) => Self::Unreached(add(said)),
            Self::NotSignedIn(said) => Self::NotSignedIn(add(said)),
            Self::Usage(said) => Self::Usage(add(said)),
            Self::Shown { text, reason } => Self::Shown { text, reason: add(reason) },
            Self::Ended { answer, reason, help } => Self::Ended { answer, reason: add(reason), help },
            other @ (Self::Refused(_) | Self::Interrupted(_)) => other,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_leads_to_the_docs_once_and_at_its_end() {
        let about = Topic::RoutesOfApp;
        let link = "No.\nMore: https://panel.example/docs/x";
        assert_eq!(Failed::Said(link.into()).help_from_afar(about), None);
        assert_eq!(Failed::NotSignedIn(link.into()).help_from_afar(about), None);
        assert_eq!(Failed::Said("No.".into()).help_from_afar(about), Some(about));
        assert_eq!(Failed::Shown { text: String::new(), reason: "No.".into() }.help_from_afar(about), Some(about));
        assert_eq!(Failed::Unreached("No.".into()).help_from_afar(about), Some(Topic::NoPanel));
        assert_eq!(Failed::NotSignedIn("No.".into()).help_from_afar(about), Some(Topic::NotSignedIn));
        assert_eq!(Failed::Usage("No.".into()).help_from_afar(about), Some(Topic::Typed));
        assert_eq!(Failed::Interrupted("It goes on.".into()).help_from_afar(about), None);
        assert_eq!(
            Failed::Said(link.into()).and("That was taken.").to_string(),
            "No.\nThat was taken.\nMore: https://panel.example/docs/x"
        );
        assert_eq!(Failed::Unreached("No.".into()).and("That was taken.").to_string(), "No.\nThat was taken.");
    }
}
