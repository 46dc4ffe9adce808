//! The audit: who did what, from where, when, before and after. Not here: writing it; each action writes its own event.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use time::{Date, Month, OffsetDateTime};

use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db::audit::{Asked, Row};
use crate::db::{self, Tx};
use crate::domain::ids::{AuditEventId, HostId};
use crate::domain::parts::Sight;
use crate::domain::rights::{Actor, On, Permit};

/// One event.
#[derive(Clone, Debug)]
pub struct AuditLine {
    /// The event.
    pub id: AuditEventId,
    /// When.
    pub at: OffsetDateTime,
    /// Who, by the name of that time.
    pub who: String,
    /// The address the request came from; empty for Skiff itself.
    pub address: String,
    /// What was done, as a word of ours: `app.created`.
    pub action: String,
    /// The same as people read it: "created the app web".
    pub words: String,
    /// What kind of thing it was done to: `app`, `host` …
    pub subject_kind: String,
    /// Its id.
    pub subject: Option<uuid::Uuid>,
    /// Its name at that time.
    pub subject_name: String,
    /// How it was, where something was changed; never a secret.
    pub before: Option<serde_json::Value>,
    /// How it became; never a secret.
    pub after: Option<serde_json::Value>,
    /// The same as people read it, a line for each thing that changed.
    pub changes: Vec<Change>,
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What: "health.path".
    pub name: String,
    /// How it was; empty where it was not there.
    pub was: String,
    /// How it became; empty where it is gone.
    pub is: String,
}

/// What of the audit is looked for: raw texts of a form, all of them optional.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// A part of the name of who did it.
    pub who: String,
    /// The kind of thing it was done to: one of `KINDS`.
    pub kind: String,
    /// A part of the name of what it was done to.
    pub name: String,
    /// The first day, as 2026-11-25 (UTC).
    pub from: String,
    /// The last day.
    pub to: String,
    /// Events before this one.
    pub before: Option<AuditEventId>,
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct Found {
    /// The events, newest first.
    pub lines: Vec<AuditLine>,
    /// Where older ones begin, where there are some.
    pub older: Option<AuditEventId>,
}

/// Events on one page.
pub const EVENTS_ON_PAGE: i64 = 50;
/// The kinds of things something is done to.
pub const KINDS: [&str; 13] = [
    "app",
    "certificate",
    "channel",
    "deploy",
    "environment",
    "host",
    "invitation",
    "job",
    "member",
    "panel",
    "project",
    "team",
    "token",
];

/// The newest events, or those before this one.
pub async fn list(ctx: &Ctx, actor: &Actor, before: Option<AuditEventId>) -> Result<Vec<AuditLine>, Refused> {
    Ok(search(ctx, actor, Search { before, ..Search::default() }).await?.lines)
}

/// The newest events that are looked for, of the parts of the team one sees.
pub async fn search(ctx: &Ctx, actor: &Actor, input: Search) -> Result<Found, Refused> {
    let mut fields = Fields::default();
    let kind = input.kind.trim();
    if !kind.is_empty() && !KINDS.contains(&kind) {
        fields.wrong("kind", "Choose one of the kinds.");
    }
    for (field, text) in [("who", &input.who), ("name", &input.name)] {
        if text.len() > LONGEST_TEXT || text.contains('\0') {
            fields.wrong(field, "Use at most 80 visible characters.");
        }
    }
    let from = day(&mut fields, "from", &input.from);
    let to = day(&mut fields, "to", &input.to).and_then(|day| day.checked_add(time::Duration::days(1)));
    if !fields.fine() {
        return Err(fields.refuse());
    }
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let sight = Sight::of(actor);
    let asked = Asked {
        before: input.before,
        who: input.who.trim(),
        kind,
        name: input.name.trim(),
        from,
        until: to,
        sight: Some(&sight),
    };
    let rows = db::audit::latest(&mut tx, &permit, &asked, EVENTS_ON_PAGE + 1).await?;
    tx.commit().await?;
    let page = usize::try_from(EVENTS_ON_PAGE).unwrap_or(usize::MAX);
    let older = (rows.len() > page).then(|| rows.get(page - 1).map(|row| row.id)).flatten();
    let seen = rows.into_iter().take(page).filter(|row| sees(actor, row));
    Ok(Found { lines: seen.map(line).collect(), older })
}

/// The newest events one may see, in the caller's transaction.
pub(super) async fn latest(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    limit: i64,
) -> Result<Vec<AuditLine>, Refused> {
    let sight = Sight::of(actor);
    let asked = Asked { sight: Some(&sight), ..Asked::default() };
    let rows = db::audit::latest(tx, permit, &asked, limit).await?;
    Ok(rows.into_iter().filter(|row| sees(actor, row)).map(line).collect())
}

/// Asks again on the very thing, whatever the statement has found.
fn sees(actor: &Actor, row: &Row) -> bool {
    let host = (row.subject_kind == "host").then_some(row.subject_id).flatten().map(HostId);
    gate::sees(actor, On { team: actor.team(), project: row.project, environment: row.environment, host })
}

/// The longest text that is looked for: names have at most 80 characters, of 4 bytes each.
const LONGEST_TEXT: usize = 320;

/// A day's first moment.
fn day(fields: &mut Fields, field: &'static str, raw: &str) -> Option<OffsetDateTime> {
    let raw = raw.trim();
    if raw.is_empty() {
        return None;
    }
    let parts: Vec<&str> = raw.split('-').collect();
    let date = match parts.as_slice() {
        [year, month, day] if year.len() == 4 => {
            year.parse::<i32>().ok().zip(month.parse::<u8>().ok()).zip(day.parse().ok())
        }
        _ => None,
    };
    let date =
        date.and_then(|((year, month), day)| Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok());
    if date.is_none() {
        fields.wrong(field, "Use a day such as 2026-11-25.");
    }
    date.map(|date| date.midnight().assume_utc())
}

/// What changed, a line for each: its name, how it was, how it became. Empty texts are what was not there.
fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let (mut was, mut is) = (BTreeMap::new(), BTreeMap::new());
    for (value, flat) in [(before, &mut was), (after, &mut is)] {
        if let Some(value) = value {
            flatten("", value, flat);
        }
    }
    let names: BTreeSet<String> = was.keys().chain(is.keys()).cloned().collect();
    let change = |name: String| Change {
        was: was.get(&name).cloned().unwrap_or_default(),
        is: is.get(&name).cloned().unwrap_or_default(),
        name,
    };
    names.into_iter().map(change).filter(|change| change.was != change.is).take(MOST_CHANGES).collect()
}

/// Changes that are shown of one event.
const MOST_CHANGES: usize = 60;
/// Characters that are shown of a value.
const MOST_OF_VALUE: usize = 200;

/// A value as names and texts: "health.path" and "/up".
fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { [name, ".", key].concat() };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&below(key), value, into)),
        Value::Array(all) if all.iter().any(|value| value.is_object() || value.is_array()) => {
            all.iter().enumerate().for_each(|(place, value)| flatten(&below(&(place + 1).to_string()), value, into));
        }
        Value::Array(all) => {
            drop(into.insert(name.to_owned(), short(&all.iter().map(plain).collect::<Vec<_>>().join(", "))))
        }
        Value::Null => {}
        other => drop(into.insert(name.to_owned(), short(&plain(other)))),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(MOST_OF_VALUE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A row as a line.
fn line(row: Row) -> AuditLine {
    AuditLine {
        id: row.id,
        at: row.at,
        who: row.who,
        address: row.address,
        words: words(&row.action, &row.subject_name, row.after.as_ref().or(row.before.as_ref()).map(|json| &json.0)),
        action: row.action,
        subject_kind: row.subject_kind,
        subject: row.subject_id,
        subject_name: row.subject_name,
        changes: changes(row.before.as_ref().map(|json| &json.0), row.after.as_ref().map(|json| &json.0)),
        before: row.before.map(|json| json.0),
        after: row.after.map(|json| json.0),
    }
}

/// An event as people read it.
fn words(action: &str, name: &str, detail: Option<&serde_json::Value>) -> String {
    let of = |key: &str| detail.and_then(|json| json.get(key)).and_then(|text| text.as_str()).unwrap_or_default();
    match action {
        "panel.set_up" => "set up the panel".into(),
        "panel.authority_chosen" => format!("chose a certificate authority: {}", of("directory")),
        "panel.authority_forgotten" => "had the panel get no certificates any more".into(),
        "certificate.ordered" => format!("asked for a certificate for {name}"),
        "certificate.asked" => format!("had the certificate of {name} got at once"),
        "certificate.unwanted" => format!("had the certificate of {name} renewed no more"),
        "dns_account.added" => format!("added the DNS account {name}"),
        "dns_account.changed" => format!("changed the token, key or place of the DNS account {name}"),
        "dns_account.removed" => format!("removed the DNS account {name}"),
        "team.renamed" => format!("renamed the team to {name}"),
        "member.invited" if name.is_empty() => format!("invited somebody as {}", of("as")),
        "member.invited" => format!("invited {name} as {}", of("as")),
        "invitation.revoked" if name.is_empty() => "took back an invitation".into(),
        "invitation.revoked" => format!("took back the invitation of {name}"),
        "member.joined" => format!("joined as {}", of("as")),
        "member.granted" => format!("made {name} {} of {}", of("role"), of("place")),
        "member.ungranted" => format!("took {name}'s role of {}", of("place")),
        "member.removed" => format!("removed {name} from the team"),
        "member.left" => "left the team".into(),
        "team.created" => format!("created the team {name}"),
        "project.created" => format!("created the project {name}"),
        "environment.created" => format!("created the environment {} / {name}", of("project")),
        "environment.removed" => format!("removed the environment {} / {name}", of("project")),
        "project.removed" => format!("removed the project {name}"),
        "host.added" => format!("added the host {name}"),
        "host.edited" => format!("changed the name or the way in of the host {name}"),
        "host.forgotten" => format!("had Skiff forget the host {name}"),
        "host.pass_given" => format!("gave a password or a key to sign in to {name} with once"),
        "host.key_confirmed" => format!("confirmed the host key of {name}"),
        "host.looked_at" => format!("had a look taken at the key of {name}"),
        "host.provisioning" => format!("had {name} made ready"),
        "host.check_asked" => format!("had {name} looked at"),
        "host.part_changed" => format!("changed what {name} does for the other hosts"),
        "host.port_changed" => format!("changed the proxy's port on {name}"),
        "host.trust_changed" => format!("changed which proxies before {name} are believed"),
        "host.base_domain_changed" => format!("changed the domain under which apps on {name} get addresses"),
        "app.created" => format!("created the app {name}"),
        "app.removed" => format!("removed the app {name}"),
        "app.renamed" => format!("renamed an app to {name}"),
        "app.configured" => format!("changed the configuration of {name}"),
        "app.routes_told" => format!("had the proxies told once more of the routes of {name}"),
        "app.fronted" => format!("changed what holds for all routes of {name}"),
        "app.maintenance_on" => format!("showed everybody the page of maintenance in place of {name}"),
        "app.maintenance_off" => format!("showed {name} again in place of its page of maintenance"),
        "app.placed" => format!("placed {name} on other hosts or in other numbers"),
        "app.source_changed" => format!("changed the source of {name}"),
        "app.source_looked_at" => format!("had the repository of {name} looked at"),
        "app.dockerfile_kept" => format!("changed the Dockerfile that Skiff keeps for {name}"),
        "variable.set" => format!("set the variable {} of {name}", of("variable")),
        "variable.replaced" => format!("replaced the variable {} of {name}", of("variable")),
        "variable.removed" => format!("removed the variable {} of {name}", of("variable")),
        "secret.set" => format!("set the secret {} of {name}", of("secret")),
        "secret.replaced" => format!("replaced the secret {} of {name}", of("secret")),
        "secret.removed" => format!("removed the secret {} of {name}", of("secret")),
        "route.added" => format!("let {} lead to {name}", of("route")),
        "route.ruled" => format!("changed the rules of {} of {name}", of("route")),
        "route.moved" => format!("led {} from {name} to {}", of("route"), of("app")),
        "route.taken" => format!("let {} lead to {name}, and to {} no more", of("route"), of("app")),
        "route.removed" => format!("took {} from {name}", of("route")),
        "volume.added" => format!("added the volume {} to {name}", of("volume")),
        "hook.created" => format!("turned push to deploy on for {name}"),
        "hook.rotated" => format!("gave the hook of {name} another secret"),
        "hook.shown" => format!("looked at the secret of the hook of {name}"),
        "hook.removed" => format!("turned push to deploy off for {name}"),
        "delivery.replayed" => format!("replayed {} for {name}", of("delivery")),
        "volume.detached" => format!("took the volume {} out of {name}", of("volume")),
        "volume.removed" => format!("removed the volume {} of {name} with its data", of("volume")),
        "volume.copy_removed" => {
            format!("removed the copy of the volume {} of {name} on {}", of("volume"), of("host"))
        }
        "channel.added" => format!("added the channel {name} for notices"),
        "channel.edited" => format!("changed the channel {name} for notices"),
        "channel.removed" => format!("removed the channel {name} for notices"),
        "channel.tested" => format!("tested the channel {name} for notices"),
        "notice.mail_set" => format!("set {name} as the team's mail server"),
        "notice.mail_removed" => format!("removed the team's mail server {name}"),
        "notice.chosen" => "chose which notices to get".into(),
        "certificate.uploaded" => format!("uploaded the certificate for {name}"),
        "certificate.replaced" => format!("uploaded a new certificate for {name}"),
        "certificate.removed" => format!("removed the certificate for {name}"),
        "host.https_port_changed" => format!("changed the port of HTTPS of {name}"),
        "app.hsts_changed" => format!("changed who is told to come to {name} by HTTPS only"),
        "panel.address_tried" => format!("began to try the panel's address {name}"),
        "panel.address_changed" => format!("made {name} the panel's address"),
        "panel.address_removed" => format!("gave up the panel's address {name}"),
        "token.created" => format!("made the token {name}"),
        "token.revoked" => format!("ended the token {name}"),
        "app.stopped" => format!("stopped {name}"),
        "instance.restarted" => format!("restarted one instance of {name}"),
        "deploy.requested" => format!("asked to deploy {name}: {}", of("intent")),
        "deploy.cancelled" => format!("cancelled a deploy of {name}"),
        "job.cancelled" => format!("cancelled: {name}"),
        "account.password_changed" => "changed the password".into(),
        other => format!("{other} {name}"),
    }
}
