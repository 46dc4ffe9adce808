//! What the page of an app's hook shows.

use time::OffsetDateTime;

use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused, panel};
use crate::db;
use crate::db::deliveries::{self, Row};
use crate::domain::deploy::DeployState;
use crate::domain::hook::{Answer, Provider};
use crate::domain::ids::{AppId, DeliveryId, DeployId, HookId};
use crate::domain::rights::{Actor, Permission};

/// Deliveries on the page.
const ON_PAGE: i64 = 50;

/// An app's hook and what came through it.
#[derive(Clone, Debug)]
pub struct PushView {
    /// The hook, where push to deploy is on.
    pub hook: Option<HookLine>,
    /// The provider to offer first, where it is off.
    pub likely: Provider,
    /// The newest deliveries.
    pub deliveries: Vec<DeliveryLine>,
    /// True where the panel's own address leads to the machine it is asked on: no forge reaches it.
    pub loopback: bool,
}

/// A hook; never its secret.
#[derive(Clone, Debug)]
pub struct HookLine {
    /// The hook.
    pub id: HookId,
    /// Who calls it.
    pub provider: Provider,
    /// The address to enter at the forge.
    pub url: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When its secret was made.
    pub changed_at: OffsetDateTime,
}

/// A delivery. Branch, author and subject are hostile text.
#[derive(Clone, Debug)]
pub struct DeliveryLine {
    /// The delivery.
    pub id: DeliveryId,
    /// Who called.
    pub provider: Provider,
    /// The event by the forge's name.
    pub event: String,
    /// The branch, or whatever moved.
    pub branch: String,
    /// The first digits of the commit; empty where it names none.
    pub commit: String,
    /// Who wrote it.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// What came of it.
    pub answer: Answer,
    /// Why, in a sentence.
    pub reason: String,
    /// The newest deploy it led to, and how that stands.
    pub deploy: Option<(DeployId, DeployState)>,
    /// When it came.
    pub received_at: OffsetDateTime,
    /// When somebody replayed it last, and who.
    pub replayed: Option<(OffsetDateTime, String)>,
}

/// An app's hook and what came through it.
pub async fn get(ctx: &Ctx, actor: &Actor, app: AppId) -> Result<PushView, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::View).await?;
    let row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let hook = db::hooks::of_app(&mut tx, &permit, app).await?;
    let deliveries = deliveries::list(&mut tx, &permit, app, None, ON_PAGE).await?;
    let base = panel::base_url(ctx).await?;
    let line = |row: db::hooks::Row| HookLine {
        id: row.id,
        provider: row.provider,
        url: format!("{base}/hooks/{}/{}", row.provider.slug(), row.id),
        created_at: row.created_at,
        changed_at: row.changed_at,
    };
    Ok(PushView {
        hook: hook.map(line),
        likely: Provider::likely(&row.source),
        deliveries: deliveries.into_iter().map(delivery).collect(),
        loopback: is_loopback(&base),
    })
}

/// All deliveries to an app that are kept, newest first; or this one, which must be there.
pub async fn deliveries(
    ctx: &Ctx,
    actor: &Actor,
    app: AppId,
    one: Option<DeliveryId>,
) -> Result<Vec<DeliveryLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::View).await?;
    let rows = deliveries::list(&mut tx, &permit, app, one, deliveries::KEPT).await?;
    tx.commit().await?;
    if one.is_some() && rows.is_empty() {
        return Err(Refused::NotFound);
    }
    Ok(rows.into_iter().map(delivery).collect())
}

/// A row as a line.
fn delivery(row: Row) -> DeliveryLine {
    DeliveryLine {
        id: row.id,
        provider: row.provider,
        event: row.event,
        branch: row.branch,
        commit: row.commit.chars().take(7).collect(),
        author: row.author,
        subject: row.subject,
        answer: row.answer,
        reason: row.reason,
        deploy: row.deploy.zip(row.deploy_state),
        received_at: row.received_at,
        replayed: row.replayed_at.map(|at| (at, row.replayed_by)),
    }
}

/// True where only programs of the panel's own machine reach this address.
fn is_loopback(base: &str) -> bool {
    let Ok(url) = url::Url::parse(base) else { return false };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn a_panel_without_a_name_is_known_as_one() {
        for base in ["http://127.0.0.1:7070", "http://[::1]:7070", "http://localhost:7070"] {
            assert!(is_loopback(base), "{base}");
        }
        for base in ["https://skiff.example.org", "http://10.0.0.5:7070"] {
            assert!(!is_loopback(base), "{base}");
        }
    }
}
