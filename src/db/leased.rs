//! The proof that this process has a row's turn. Not here: taking one; the statements that do are beside their tables.

use crate::domain::ids::TeamId;

/// A row that was leased, or whose turn was taken, by the statement that gave this. It has no other maker.
#[derive(Debug, PartialEq, Eq)]
pub struct Leased {
    team: TeamId,
}

impl Leased {
    /// For the statements of this floor.
    pub(super) fn of(team: TeamId) -> Self {
        Self { team }
    }

    /// The row's team.
    pub fn team(&self) -> TeamId {
        self.team
    }
}
