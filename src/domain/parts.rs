//! The parts of a team somebody sees, as lists that rows are looked for by: a page of a list is then full wherever there
//! is more. Not here: what one may do there (`rights`).

use uuid::Uuid;

use super::rights::{Actor, Scope};

/// Parts of a team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// True where it is all of it.
    pub whole: bool,
    /// Projects, with all that is in them.
    pub projects: Vec<Uuid>,
    /// Environments.
    pub environments: Vec<Uuid>,
    /// Hosts.
    pub hosts: Vec<Uuid>,
}

/// What somebody sees: whatever is in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Where a role was given.
    pub granted: Parts,
    /// How far the token reaches that acts; the whole team where none does.
    pub reach: Parts,
}

impl Parts {
    fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut parts = Self::default();
        for scope in scopes {
            match scope {
                Scope::Team(_) => parts.whole = true,
                Scope::Project(id) => parts.projects.push(id.0),
                Scope::Environment(id) => parts.environments.push(id.0),
                Scope::Host(id) => parts.hosts.push(id.0),
            }
        }
        parts
    }

    fn whole() -> Self {
        Self { whole: true, ..Self::default() }
    }
}

impl Sight {
    /// Everything.
    pub fn whole() -> Self {
        Self { granted: Parts::whole(), reach: Parts::whole() }
    }

    /// What this actor sees.
    pub fn of(actor: &Actor) -> Self {
        Self {
            granted: Parts::of(actor.grants().iter().map(|grant| grant.scope)),
            reach: actor.cap().map_or_else(Parts::whole, |cap| Parts::of([cap.scope])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AccountId, EnvironmentId, HostId, ProjectId, TeamId, TokenId};
    use crate::domain::rights::{Bearer, Grant, Role};

    #[test]
    fn a_token_sees_what_is_in_its_reach_and_was_granted() {
        let team = TeamId(Uuid::nil());
        let [project, environment, host] = [1, 2, 3].map(Uuid::from_u128);
        let grants = [Scope::Project(ProjectId(project)), Scope::Host(HostId(host))];
        let grants: Vec<Grant> = grants.into_iter().map(|scope| Grant { scope, role: Role::Viewer }).collect();
        let person = Actor::new(AccountId(Uuid::nil()), "Ada".into(), String::new(), team, grants.clone());
        let granted = Parts { projects: vec![project], hosts: vec![host], ..Parts::default() };
        assert_eq!(Sight::of(&person), Sight { granted: granted.clone(), reach: Parts::whole() });
        let reach = Grant { scope: Scope::Environment(EnvironmentId(environment)), role: Role::Owner };
        let bearer = Bearer {
            account: AccountId(Uuid::nil()),
            account_name: "Ada".into(),
            token: TokenId(Uuid::nil()),
            token_name: "ci".into(),
            reach,
        };
        let token = Actor::of_token(bearer, String::new(), team, grants);
        let reach = Parts { environments: vec![environment], ..Parts::default() };
        assert_eq!(Sight::of(&token), Sight { granted, reach });
        assert_eq!(Sight::of(&Actor::on_the_panels_machine(team)), Sight::whole());
    }
}
