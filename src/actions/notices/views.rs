//! What is shown of notices: channels without what leads to them, what was sent, what is wrong now.

use time::OffsetDateTime;

use super::{Ctx, Mine, Refused, choices, mine};
use crate::actions::gate::{self, Open};
use crate::db::channels::{self, Mail, Row};
use crate::db::notices::{self, State};
use crate::db::{Tx, alerts};
use crate::domain::channel::{Security, Service};
use crate::domain::help::Topic;
use crate::domain::ids::{AlertId, ChannelId, NoticeId, ProjectId};
use crate::domain::notice::{Kind, Wanted};
use crate::domain::rights::{Actor, On, Permission, Permit};

/// Letters on a page.
pub const ON_PAGE: i64 = 50;
/// Alerts on a page.
const ALERTS: i64 = 20;

/// A project that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectChoice {
    /// The project.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
}

/// A channel in a list.
#[derive(Clone, Debug)]
pub struct ChannelLine {
    /// The channel.
    pub id: ChannelId,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: Service,
    /// What may be shown of where it leads.
    pub leads_to: String,
    /// What it is told.
    pub wanted: Wanted,
    /// The names of the projects it is told of; empty for all.
    pub projects: Vec<String>,
    /// It did not answer: nothing is tried before this.
    pub rests_until: Option<OffsetDateTime>,
}

/// A channel's page.
#[derive(Clone, Debug)]
pub struct ChannelView {
    /// The channel.
    pub line: ChannelLine,
    /// The projects that can be chosen.
    pub choices: Vec<ProjectChoice>,
    /// What was sent there, newest first.
    pub sent: Vec<NoticeLine>,
}

/// The mail server, without its password.
#[derive(Clone, Debug)]
pub struct MailLine {
    /// Where it listens.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is made private.
    pub security: Security,
    /// Who signs in; empty where it asks nobody.
    pub username: String,
    /// Whom mail is from.
    pub sender: String,
    /// Whether it has a password.
    pub has_password: bool,
}

/// A letter in a list.
#[derive(Clone, Debug)]
pub struct NoticeLine {
    /// The delivery.
    pub id: NoticeId,
    /// To which channel; none for a member.
    pub channel: Option<ChannelId>,
    /// Whom, in words.
    pub to: String,
    /// What happened.
    pub kind: Kind,
    /// Its first line.
    pub title: String,
    /// Where it leads, below the panel's address.
    pub path: String,
    /// How it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: i32,
    /// What the other side said last.
    pub answer: String,
    /// When it was put in.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub changed_at: OffsetDateTime,
}

impl NoticeLine {
    /// Where the docs say more about one that was not taken, or not at once.
    pub fn help(&self) -> Option<Topic> {
        match self.state {
            State::Failed | State::Unclear | State::Dropped => Some(Topic::NotSent),
            State::Waiting if self.attempts > 0 => Some(Topic::NotSent),
            State::Waiting | State::Sending | State::Sent => None,
        }
    }
}

/// Trouble that was told.
#[derive(Clone, Debug)]
pub struct AlertLine {
    /// The alert.
    pub id: AlertId,
    /// "fra-1 does not answer".
    pub words: String,
    /// Why.
    pub cause: String,
    /// Since when.
    pub opened_at: OffsetDateTime,
    /// Until when; none while it lasts.
    pub closed_at: Option<OffsetDateTime>,
}

/// The page of notices.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The channels; empty for whoever may not manage them.
    pub channels: Vec<ChannelLine>,
    /// The mail server; none for whoever may not manage it.
    pub mail: Option<MailLine>,
    /// What one wants oneself.
    pub mine: Mine,
    /// What was sent: everything for whoever manages channels, else to oneself.
    pub sent: Vec<NoticeLine>,
    /// What is wrong, and was.
    pub alerts: Vec<AlertLine>,
    /// Whether one may manage channels.
    pub may_manage: bool,
}

/// The page of notices.
pub async fn overview(ctx: &Ctx, actor: &Actor) -> Result<Overview, Refused> {
    let mine = mine(ctx, actor).await?;
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let may_manage = manages(actor);
    let (mut lines, mut mail) = (Vec::new(), None);
    if may_manage {
        lines = channel_lines(&mut tx, &permit, actor).await?;
        mail = channels::mail(&mut tx, &permit).await?.as_ref().map(mail_line);
    }
    let sent = letters(&mut tx, &permit, actor, None).await?;
    let alerts = alert_lines(&mut tx, &permit, actor).await?;
    tx.commit().await?;
    Ok(Overview { channels: lines, mail, mine, sent, alerts, may_manage })
}

/// What was sent: everything for whoever manages channels, else to oneself.
pub async fn sent(ctx: &Ctx, actor: &Actor) -> Result<Vec<NoticeLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let sent = letters(&mut tx, &permit, actor, None).await?;
    tx.commit().await?;
    Ok(sent)
}

/// True for whoever manages the team's channels.
fn manages(actor: &Actor) -> bool {
    actor.may(Permission::ManageNotices, On::team(actor.team())).is_ok()
}

async fn letters(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    channel: Option<ChannelId>,
) -> Result<Vec<NoticeLine>, Refused> {
    let only = match (manages(actor), actor.who().account()) {
        (true, _) => None,
        // A token that may less than its account sees none of the account's own.
        (false, Some(account)) if actor.is_whole() => Some(account),
        (false, _) => return Ok(Vec::new()),
    };
    let rows = notices::list(tx, permit, channel, only, ON_PAGE).await?;
    Ok(rows.into_iter().map(letter).collect())
}

fn letter(row: notices::Row) -> NoticeLine {
    let written = row.letter.0;
    NoticeLine {
        id: row.id,
        channel: row.channel,
        to: row.to_name,
        kind: written.kind,
        title: written.title,
        path: written.path,
        state: row.state,
        attempts: row.attempts,
        answer: row.answer,
        created_at: row.created_at,
        changed_at: row.changed_at,
    }
}

/// What of hosts and certificates is wrong now, and what was lately, as far as one sees them.
pub async fn alerts(ctx: &Ctx, actor: &Actor) -> Result<Vec<AlertLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let lines = alert_lines(&mut tx, &permit, actor).await?;
    tx.commit().await?;
    Ok(lines)
}

/// Alerts of what one sees.
async fn alert_lines(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor) -> Result<Vec<AlertLine>, Refused> {
    let rows = alerts::list(tx, permit, ALERTS).await?;
    let line = |row: alerts::Row| {
        let words = match row.kind.as_str() {
            alerts::HOST_DOWN => format!("{} does not answer", row.subject_name),
            alerts::NOBODY_ANSWERS => "No host answers the panel".to_owned(),
            alerts::CERTIFICATE => format!("The certificate of {} needs you", row.subject_name),
            _ => row.subject_name,
        };
        AlertLine { id: row.id, words, cause: row.cause, opened_at: row.opened_at, closed_at: row.closed_at }
    };
    Ok(rows.into_iter().filter(|row| sees(actor, row)).map(line).collect())
}

/// Whether one sees what an alert is about.
pub(in crate::actions) fn sees(actor: &Actor, row: &alerts::Row) -> bool {
    let team = actor.team();
    let on = match (row.subject_kind.as_str(), row.project) {
        ("host", _) => On::host(team, crate::domain::ids::HostId(row.subject)),
        (_, Some(project)) => On::project(team, project),
        (_, None) => On::team(team),
    };
    gate::sees(actor, on)
}

/// The team's channels.
pub(super) async fn channel_lines(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
) -> Result<Vec<ChannelLine>, Refused> {
    let projects = choices(tx, permit, actor).await?;
    Ok(channels::list(tx, permit, None).await?.into_iter().map(|row| line(row, &projects)).collect())
}

/// A channel's page.
pub(super) async fn channel_view(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    row: Row,
) -> Result<ChannelView, Refused> {
    let choices = choices(tx, permit, actor).await?;
    let sent = letters(tx, permit, actor, Some(row.id)).await?;
    Ok(ChannelView { line: line(row, &choices), choices, sent })
}

/// A channel as a line; projects that are gone are not named.
fn line(row: Row, projects: &[ProjectChoice]) -> ChannelLine {
    let chosen = row.wanted.projects.iter().flatten();
    let names =
        chosen.filter_map(|id| projects.iter().find(|choice| choice.id == *id)).map(|choice| choice.name.clone());
    ChannelLine {
        id: row.id,
        name: row.name,
        service: row.service,
        leads_to: row.leads_to,
        projects: names.collect(),
        wanted: row.wanted,
        rests_until: row.rests_until,
    }
}

/// The mail server as a line.
pub(super) fn mail_line(mail: &Mail) -> MailLine {
    MailLine {
        host: mail.server.host.to_string(),
        port: mail.server.port,
        security: mail.server.security,
        username: mail.server.username.clone(),
        sender: mail.server.sender.to_string(),
        has_password: mail.sealed.is_some(),
    }
}
