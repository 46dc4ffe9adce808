//! Who may do what. A right is a value one holds: only `Actor::may` and the queue (for a claimed row) make a `Permit`,
//! and every query on a team's data takes one.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::ids::{AccountId, DeliveryId, EnvironmentId, HostId, ProjectId, TeamId, TokenId};

/// What a member is in a scope. Each role may do all that the ones before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Sees everything but secrets.
    Viewer,
    /// Deploys and configures apps.
    Developer,
    /// Manages hosts (and so is root on them), projects and members.
    Admin,
    /// Owns the team.
    Owner,
}

/// What an action needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See the team's things.
    View,
    /// Create and edit apps, their variables and secrets.
    EditApps,
    /// Deploy, cancel, roll back.
    Deploy,
    /// Create and rename projects and environments; delete apps and volumes.
    EditProjects,
    /// Add, provision and remove hosts.
    ManageHosts,
    /// Invite, change and remove members.
    ManageMembers,
    /// Say where the team is told what happened.
    ManageNotices,
    /// Rename or delete the team, name owners.
    OwnTeam,
}

impl Permission {
    /// The least role that has it.
    pub fn least(self) -> Role {
        match self {
            Self::View => Role::Viewer,
            Self::EditApps | Self::Deploy => Role::Developer,
            Self::EditProjects | Self::ManageHosts | Self::ManageMembers | Self::ManageNotices => Role::Admin,
            Self::OwnTeam => Role::Owner,
        }
    }
}

/// What a right is asked on, with everything that contains it: a grant on any of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On {
    /// The team.
    pub team: TeamId,
    /// The project, where the thing is in one.
    pub project: Option<ProjectId>,
    /// The environment, where the thing is in one.
    pub environment: Option<EnvironmentId>,
    /// The host, where the thing is one.
    pub host: Option<HostId>,
}

impl On {
    /// The team as a whole.
    pub fn team(team: TeamId) -> Self {
        Self { team, project: None, environment: None, host: None }
    }

    /// A project.
    pub fn project(team: TeamId, project: ProjectId) -> Self {
        Self { project: Some(project), ..Self::team(team) }
    }

    /// An environment, or something in it.
    pub fn environment(team: TeamId, project: ProjectId, environment: EnvironmentId) -> Self {
        Self { project: Some(project), environment: Some(environment), ..Self::team(team) }
    }

    /// A host.
    pub fn host(team: TeamId, host: HostId) -> Self {
        Self { host: Some(host), ..Self::team(team) }
    }
}

/// Where a grant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Scope {
    /// Everywhere in the team.
    Team(TeamId),
    /// In one project.
    Project(ProjectId),
    /// In one environment.
    Environment(EnvironmentId),
    /// On one host.
    Host(HostId),
}

/// One role in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Where.
    pub scope: Scope,
    /// What.
    pub role: Role,
}

impl Scope {
    /// True where what a right is asked on is in it.
    pub fn covers(self, on: On) -> bool {
        match self {
            Self::Team(id) => id == on.team,
            Self::Project(id) => on.project == Some(id),
            Self::Environment(id) => on.environment == Some(id),
            Self::Host(id) => on.host == Some(id),
        }
    }
}

/// Somebody who acts in one team, with the grants read from the database for this very request.
#[derive(Clone, Debug)]
pub struct Actor {
    who: Who,
    team: TeamId,
    grants: Vec<Grant>,
    /// What may be used of the grants: a token may less than its account, never more.
    cap: Option<Grant>,
    moment: Option<Moment>,
}

/// A moment of the database: two that are equal see the same rows, as nothing was committed between them. The database
/// says it; here it is only carried and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment(pub String);

/// The proof that a right was checked. Carries whom to name in the audit. Cannot be made outside this file.
#[derive(Clone, Debug)]
pub struct Permit {
    team: TeamId,
    who: Who,
}

/// A token that was shown, and whose it is.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The account it acts for.
    pub account: AccountId,
    /// The account's name.
    pub account_name: String,
    /// The token.
    pub token: TokenId,
    /// What its owner calls it.
    pub token_name: String,
    /// How far it reaches: where, and up to which role.
    pub reach: Grant,
}

/// Whom a permit was given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A signed-in person, with the address the request came from.
    Person {
        /// The account.
        account: AccountId,
        /// The name.
        name: String,
        /// The client's address.
        address: String,
    },
    /// A token that acts for its account, with the address the request came from.
    Token {
        /// The account.
        account: AccountId,
        /// The token.
        token: TokenId,
        /// Whose token and which: "Ada (token ci)".
        name: String,
        /// The client's address.
        address: String,
    },
    /// A delivery of a hook whose signature fits, with the address the request came from.
    Delivery {
        /// The delivery.
        id: DeliveryId,
        /// What it was: "a push 9f3c21a by Ada".
        name: String,
        /// The client's address.
        address: String,
    },
    /// Somebody with a shell on the panel's own machine, who holds its master key anyway: `skiff admin`.
    Machine,
    /// A worker, for the team of the row it claimed.
    Worker,
}

impl Who {
    /// The name that stands in the audit.
    pub fn name(&self) -> &str {
        match self {
            Self::Person { name, .. } | Self::Token { name, .. } | Self::Delivery { name, .. } => name,
            Self::Machine => "skiff admin",
            Self::Worker => "Skiff",
        }
    }

    /// The account that is behind it, where one is.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Person { account, .. } | Self::Token { account, .. } => Some(*account),
            Self::Delivery { .. } | Self::Machine | Self::Worker => None,
        }
    }

    /// The address the request came from; empty where there was none.
    pub fn address(&self) -> &str {
        match self {
            Self::Person { address, .. } | Self::Token { address, .. } | Self::Delivery { address, .. } => address,
            Self::Machine | Self::Worker => "",
        }
    }

    /// The cause of the jobs that are asked for.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Person { account, name, .. } => Cause::Person { account: *account, name: name.clone() },
            Self::Token { name, .. } => Cause::Token { name: name.clone() },
            Self::Delivery { id, name, .. } => Cause::Delivery { id: *id, words: name.clone() },
            Self::Machine | Self::Worker => Cause::System { why: self.name().to_owned(), deploy: None },
        }
    }
}

/// The right is not there. Shown as "not found" where the actor may not even see the team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("You may not do this: it needs the role {}.", needs.word())]
pub struct Forbidden {
    /// The least role that may.
    pub needs: Role,
}

impl Role {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl Actor {
    /// Somebody with these grants in this team.
    pub fn new(account: AccountId, name: String, address: String, team: TeamId, grants: Vec<Grant>) -> Self {
        Self { who: Who::Person { account, name, address }, team, grants, cap: None, moment: None }
    }

    /// A token in this team: it may what its account may by these grants, as far as the token reaches.
    pub fn of_token(bearer: Bearer, address: String, team: TeamId, grants: Vec<Grant>) -> Self {
        let name = [&bearer.account_name, " (token ", &bearer.token_name, ")"].concat();
        let who = Who::Token { account: bearer.account, token: bearer.token, name, address };
        Self { who, team, grants, cap: Some(bearer.reach), moment: None }
    }

    /// How far a token reaches; none for whoever is not one.
    pub fn cap(&self) -> Option<Grant> {
        self.cap
    }

    /// True where it may all that its account may in the team: false for a token that was made for less.
    pub fn is_whole(&self) -> bool {
        let all =
            |cap: Grant| matches!(cap.scope, Scope::Team(_)) && self.grants.iter().all(|grant| grant.role <= cap.role);
        self.cap.is_none_or(all)
    }

    /// The same, whose grants were read at this moment.
    pub fn read_at(self, moment: Moment) -> Self {
        Self { moment: Some(moment), ..self }
    }

    /// The same, by grants that were read since: a change that waited for another one is asked about anew.
    pub fn again(&self, grants: Vec<Grant>) -> Self {
        Self { grants, moment: None, ..self.clone() }
    }

    /// The grants, for looking only through rows in their scopes. What a token may of them `may` says.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The moment at which the grants were read, where it is known.
    pub fn moment(&self) -> Option<&Moment> {
        self.moment.as_ref()
    }

    /// Somebody with a shell on the panel's own machine, acting as an owner of this team.
    pub fn on_the_panels_machine(team: TeamId) -> Self {
        let grants = vec![Grant { scope: Scope::Team(team), role: Role::Owner }];
        Self { who: Who::Machine, team, grants, cap: None, moment: None }
    }

    /// A delivery whose signature fits the secret of a hook of this team: it may deploy.
    pub fn of_delivery(id: DeliveryId, words: String, address: String, team: TeamId) -> Self {
        let grants = vec![Grant { scope: Scope::Team(team), role: Role::Developer }];
        Self { who: Who::Delivery { id, name: words, address }, team, grants, cap: None, moment: None }
    }

    /// The team this actor acts in.
    pub fn team(&self) -> TeamId {
        self.team
    }

    /// Who it is.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.who.name()
    }

    /// The highest role that covers `on`.
    pub fn role(&self, on: On) -> Option<Role> {
        if on.team != self.team || self.cap.is_some_and(|cap| !cap.scope.covers(on)) {
            return None;
        }
        let covering = self.grants.iter().filter(|grant| grant.scope.covers(on));
        covering.map(|grant| self.at_most(grant.role)).max()
    }

    /// The role, or what a token may have of it.
    fn at_most(&self, role: Role) -> Role {
        self.cap.map_or(role, |cap| cap.role.min(role))
    }

    /// The permit to look through the team's rows, for somebody who may do this somewhere in it. Whoever holds it shows
    /// only rows for which `may` says yes as well.
    pub fn may_somewhere(&self, permission: Permission) -> Result<Permit, Forbidden> {
        let needs = permission.least();
        if self.grants.iter().any(|grant| self.at_most(grant.role) >= needs) {
            Ok(Permit { team: self.team, who: self.who.clone() })
        } else {
            Err(Forbidden { needs })
        }
    }

    /// The permit to do this here, or the refusal that names the role it needs.
    pub fn may(&self, permission: Permission, on: On) -> Result<Permit, Forbidden> {
        let needs = permission.least();
        match self.role(on) {
            Some(role) if role >= needs => Ok(Permit { team: self.team, who: self.who.clone() }),
            _ => Err(Forbidden { needs }),
        }
    }
}

impl Permit {
    /// The permit of a worker for the row it claimed. Only `queue` calls this; the floors test counts the callers.
    pub fn of_claimed_row(team: TeamId) -> Self {
        Self { team, who: Who::Worker }
    }

    /// The team whose data may be touched.
    pub fn team(&self) -> TeamId {
        self.team
    }

    /// Whom it was given to.
    pub fn who(&self) -> &Who {
        &self.who
    }
}

#[cfg(test)]
mod tests;
