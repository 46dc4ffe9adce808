//! Why a job exists: who or what asked for it.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, DeliveryId, DeployId};

/// The cause of a job, kept on its row and shown in history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Cause {
    /// A signed-in person.
    Person {
        /// The account.
        account: AccountId,
        /// The name at that time.
        name: String,
    },
    /// A bearer token of the API.
    Token {
        /// The token's name.
        name: String,
    },
    /// A delivery of a webhook.
    Delivery {
        /// The delivery.
        id: DeliveryId,
        /// What it was: "a push 9f3c21a by Ada". The author is hostile text.
        words: String,
    },
    /// A schedule.
    Schedule {
        /// The schedule's name.
        name: String,
    },
    /// Skiff itself.
    System {
        /// Why, in words: "watch of v3".
        why: String,
        /// The deploy it follows from.
        deploy: Option<DeployId>,
    },
}

impl Cause {
    /// Who asked, in one or two words.
    pub fn who(&self) -> &str {
        match self {
            Self::Person { name, .. } | Self::Token { name } | Self::Schedule { name } => name,
            Self::Delivery { words, .. } => words,
            Self::System { .. } => "Skiff",
        }
    }
}
