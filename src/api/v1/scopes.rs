//! Parts of a team: where a role or a token holds, as calls give it and as they take it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::api::problem::{Problem, Wrong};
use crate::domain::rights;

/// Where something holds.
#[derive(Serialize, JsonSchema)]
pub struct Scope {
    /// What it is.
    kind: ScopeKind,
    /// Its id.
    id: Uuid,
}

/// What a scope is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ScopeKind {
    /// The whole team.
    Team,
    /// One project.
    Project,
    /// One environment.
    Environment,
    /// One host.
    Host,
}

impl From<rights::Scope> for Scope {
    fn from(scope: rights::Scope) -> Self {
        let (kind, id) = match scope {
            rights::Scope::Team(id) => (ScopeKind::Team, id.0),
            rights::Scope::Project(id) => (ScopeKind::Project, id.0),
            rights::Scope::Environment(id) => (ScopeKind::Environment, id.0),
            rights::Scope::Host(id) => (ScopeKind::Host, id.0),
        };
        Self { kind, id }
    }
}

/// One part of the team; the whole of it where none is named.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewScope")]
pub struct WantedScope {
    /// A project's id.
    #[serde(default)]
    project: Option<Uuid>,
    /// An environment's id.
    #[serde(default)]
    environment: Option<Uuid>,
    /// A host's id.
    #[serde(default)]
    host: Option<Uuid>,
}

impl WantedScope {
    /// The same as forms send it. `field` is what it is called where it was sent, `entry` its place in a list.
    pub fn value(&self, field: &str, entry: Option<usize>) -> Result<String, Problem> {
        let parts = [("project", self.project), ("environment", self.environment), ("host", self.host)];
        let named: Vec<String> =
            parts.iter().filter_map(|(kind, id)| id.map(|id| [kind, ":", &id.to_string()].concat())).collect();
        match named.as_slice() {
            [] => Ok("team".to_owned()),
            [one] => Ok(one.clone()),
            _ => {
                let detail = "Name one of project, environment and host.".to_owned();
                Err(Problem::Fields(vec![Wrong { field: field.to_owned(), entry, detail }]))
            }
        }
    }
}
