//! Who may give which role to whom, and that a team always has an owner. Not here: rows, and who may see members.

use super::rights::{Grant, Role, Scope};

/// Why a member's roles are not changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// The member has, or would get, a higher role than whoever changes it.
    Above {
        /// The least role that may.
        needs: Role,
    },
    /// Nobody would own the team.
    LastOwner,
    /// A part of a team has no owner.
    OwnerOfPart,
}

/// The highest role among these grants, wherever it holds.
pub fn highest(grants: &[Grant]) -> Option<Role> {
    grants.iter().map(|grant| grant.role).max()
}

/// True where these grants make an owner.
pub fn owns(grants: &[Grant]) -> bool {
    grants.iter().any(|grant| matches!(grant.scope, Scope::Team(_)) && grant.role == Role::Owner)
}

/// Whether somebody with this role in the team may have a member's grants become these. `owners` counts all the team has.
pub fn check(by: Role, before: &[Grant], after: &[Grant], owners: usize) -> Result<(), No> {
    if after.iter().any(|grant| grant.role == Role::Owner && !matches!(grant.scope, Scope::Team(_))) {
        return Err(No::OwnerOfPart);
    }
    if let Some(needs) = highest(before).max(highest(after)).filter(|needs| *needs > by) {
        return Err(No::Above { needs });
    }
    if owns(before) && !owns(after) && owners <= 1 {
        return Err(No::LastOwner);
    }
    Ok(())
}

/// Whether a member may leave. Nobody's leave is asked for, but a team is not left without an owner.
pub fn leave(grants: &[Grant], owners: usize) -> Result<(), No> {
    if owns(grants) && owners <= 1 { Err(No::LastOwner) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{No, check, leave};
    use crate::domain::ids::{EnvironmentId, TeamId};
    use crate::domain::rights::{Grant, Role, Scope};
    use uuid::Uuid;

    fn team(role: Role) -> Vec<Grant> {
        vec![Grant { scope: Scope::Team(TeamId(Uuid::nil())), role }]
    }

    fn part(role: Role) -> Vec<Grant> {
        vec![Grant { scope: Scope::Environment(EnvironmentId(Uuid::nil())), role }]
    }

    #[test]
    fn nobody_gives_more_than_they_are() {
        let above = Err(No::Above { needs: Role::Owner });
        assert_eq!(check(Role::Admin, &[], &team(Role::Owner), 1), above, "an admin makes no owner");
        assert_eq!(check(Role::Admin, &team(Role::Owner), &team(Role::Viewer), 2), above, "nor unmakes one");
        assert_eq!(check(Role::Admin, &team(Role::Owner), &[], 2), above, "nor removes one");
        assert_eq!(check(Role::Admin, &team(Role::Viewer), &team(Role::Admin), 1), Ok(()));
        assert_eq!(check(Role::Admin, &team(Role::Admin), &[], 1), Ok(()));
        assert_eq!(check(Role::Owner, &team(Role::Viewer), &team(Role::Owner), 1), Ok(()));
    }

    #[test]
    fn a_team_keeps_an_owner() {
        for after in [Vec::new(), team(Role::Admin), part(Role::Admin)] {
            assert_eq!(check(Role::Owner, &team(Role::Owner), &after, 1), Err(No::LastOwner));
            assert_eq!(check(Role::Owner, &team(Role::Owner), &after, 2), Ok(()));
        }
        assert_eq!(leave(&team(Role::Owner), 1), Err(No::LastOwner));
        assert_eq!(leave(&team(Role::Owner), 2), Ok(()));
        assert_eq!(leave(&part(Role::Admin), 1), Ok(()));
    }

    #[test]
    fn a_part_has_no_owner() {
        assert_eq!(check(Role::Owner, &[], &part(Role::Owner), 1), Err(No::OwnerOfPart));
        assert_eq!(check(Role::Owner, &[], &part(Role::Admin), 1), Ok(()));
    }
}
