//! Where a role can hold, in words: the team, its projects, environments and hosts. Not here: who gives it.

use super::Refused;
use crate::db::{self, Tx};
use crate::domain::rights::{Actor, Permit, Scope};

/// A scope as a form sends it and as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeLine {
    /// The scope.
    pub scope: Scope,
    /// What is sent: "team", "project:…", "environment:…", "host:…".
    pub value: String,
    /// What is read: "the whole team", "Shop / dev".
    pub words: String,
}

/// What is sent for a scope.
pub(super) fn value(scope: Scope) -> String {
    match scope {
        Scope::Team(_) => "team".to_owned(),
        Scope::Project(id) => format!("project:{id}"),
        Scope::Environment(id) => format!("environment:{id}"),
        Scope::Host(id) => format!("host:{id}"),
    }
}

/// Every scope of the actor's team, the widest first. For whoever may see all of it.
pub(super) async fn all(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor) -> Result<Vec<ScopeLine>, Refused> {
    let environments = db::environments::list(tx, permit).await?;
    let hosts = db::hosts::list(tx, permit, None).await?;
    let line = |scope, words: String| ScopeLine { scope, value: value(scope), words };
    let mut lines = vec![line(Scope::Team(actor.team()), "the whole team".to_owned())];
    let mut last = None;
    for row in environments {
        if last != Some(row.project) {
            lines.push(line(Scope::Project(row.project), row.project_name.clone()));
            last = Some(row.project);
        }
        lines.push(line(Scope::Environment(row.id), [&row.project_name, " / ", &row.name].concat()));
    }
    lines.extend(hosts.into_iter().map(|row| line(Scope::Host(row.id), ["host ", &row.name].concat())));
    Ok(lines)
}

/// A scope in words; one that is there no more is said to be so.
pub(super) fn words(lines: &[ScopeLine], scope: Scope) -> String {
    let found = lines.iter().find(|line| line.scope == scope);
    found.map_or_else(|| "something that is gone".to_owned(), |line| line.words.clone())
}
