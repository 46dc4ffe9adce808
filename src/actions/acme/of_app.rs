//! How the certificates of an app's domains stand, and getting one now.

use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{acme, acme_orders, acme_routes, certificates};
use crate::domain::acme::MOST_ORDERS;
use crate::domain::certificate::{ByName, Candidate, Origin, covers};
use crate::domain::help::Topic;
use crate::domain::ids::{AcmeOrderId, AppId, JobId};
use crate::domain::rights::{Actor, Permission};
use crate::jobs::{look_after_certificates, set_certificates};

use super::{NOBODY_CHOSE, OrderState, OrderView, directory, now, too_many_orders};

/// How a domain's certificate stands.
#[derive(Clone, Debug)]
pub struct DomainView {
    /// The domain.
    pub domain: String,
    /// How it stands; none where nothing gets one by itself.
    pub state: Option<OrderState>,
    /// The same in few words: "valid 64 days", "waiting for DNS: …", "none".
    pub words: String,
    /// What is wrong and what to try; empty where nothing is.
    pub trouble: String,
    /// Where the docs say more about that.
    pub help: Option<Topic>,
    /// The order it is got by.
    pub order: Option<AcmeOrderId>,
    /// The job that waits or runs for it.
    pub job: Option<JobId>,
    /// Whether one can be got now.
    pub gettable: bool,
}

/// The certificates of an app's domains.
pub async fn of_app(ctx: &Ctx, actor: &Actor, app: AppId) -> Result<Vec<DomainView>, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::View).await?;
    let domains = acme_routes::domains_of(&mut tx, &permit, app).await?;
    let rows = acme_orders::list(&mut tx, &permit, None).await?;
    let there = certificates::list(&mut tx, &permit, None).await?;
    let directory = directory(&mut tx).await?;
    let chosen = directory.is_some();
    let moment = acme_orders::now(&mut tx).await?;
    tx.commit().await?;
    let candidates: Vec<Candidate> =
        there.iter().map(|row| Candidate { id: row.id, names: row.names.clone(), not_after: row.not_after }).collect();
    let by_name = ByName::new(&candidates);
    let view = |domain: String| {
        let serving = by_name.choose(&domain, moment);
        let of_a_person = serving.and_then(|serving| there.iter().find(|row| row.id == serving.id));
        if let Some(row) = of_a_person.filter(|row| row.origin == Origin::Uploaded && row.not_after > moment) {
            let days = (row.not_after - moment).whole_days();
            let words = format!("your own, valid {days} {}", if days == 1 { "day" } else { "days" });
            return DomainView {
                domain,
                state: Some(OrderState::Valid),
                words,
                trouble: String::new(),
                help: None,
                order: None,
                job: None,
                gettable: false,
            };
        }
        // The one for this very name before a star that covers it too.
        let exact = rows.iter().find(|row| row.names.contains(&domain));
        let row = exact.or_else(|| rows.iter().find(|row| row.names.iter().any(|name| covers(name, &domain))));
        match row {
            Some(row) => {
                let order = OrderView::of(row.clone(), moment, directory.as_deref());
                DomainView {
                    domain,
                    state: Some(order.state),
                    words: order.words,
                    trouble: order.trouble,
                    help: order.help,
                    order: Some(order.id),
                    job: order.job,
                    gettable: chosen,
                }
            }
            None => {
                let words = match chosen {
                    true if rows.len() >= MOST_ORDERS => "none: the team has as many as a team may have",
                    true => "none yet",
                    false => "none: no certificate authority is chosen",
                };
                DomainView {
                    domain,
                    state: None,
                    words: words.to_owned(),
                    trouble: String::new(),
                    help: None,
                    order: None,
                    job: None,
                    gettable: chosen,
                }
            }
        }
    };
    Ok(domains.into_iter().map(view).collect())
}

/// Gets the certificate of one of an app's domains now. Returns the job to watch.
pub async fn get_now_for(ctx: &Ctx, actor: &Actor, app: AppId, domain: &str) -> Result<JobId, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::EditApps).await?;
    let domains = acme_routes::domains_of(&mut tx, &permit, app).await?;
    let domain = domains.into_iter().find(|known| known == domain.trim()).ok_or(Refused::NotFound)?;
    if acme::settings(&mut tx).await?.is_none() {
        return Err(Refused::Conflict(NOBODY_CHOSE.to_owned()));
    }
    let covering = |rows: &[acme_orders::Row]| {
        let exact = rows.iter().find(|row| row.names.contains(&domain));
        exact.or_else(|| rows.iter().find(|row| row.names.iter().any(|name| covers(name, &domain)))).map(|row| row.id)
    };
    let known = acme_orders::list(&mut tx, &permit, None).await?;
    let mut order = covering(&known);
    if order.is_none() {
        if known.len() >= MOST_ORDERS {
            return Err(Refused::Conflict(too_many_orders()));
        }
        let domains = std::slice::from_ref(&domain);
        let cause = actor.who().cause();
        let wanted = look_after_certificates::want(&mut tx, &permit, domains, &cause).await?;
        // One that was got before is there: it is brought to the hosts, and nobody is asked for another one.
        if wanted.taken > 0
            && let Some(job) = set_certificates::ask_all(&mut tx, &permit, cause).await?.into_iter().next()
        {
            tx.commit().await?;
            return Ok(job);
        }
        order = covering(&acme_orders::list(&mut tx, &permit, None).await?);
    }
    let order = order.ok_or_else(|| {
        Refused::Conflict(
            "A certificate of your own serves this domain. Remove it first, if Skiff shall get one.".to_owned(),
        )
    })?;
    let job = now(&mut tx, &permit, actor, order).await?;
    tx.commit().await?;
    Ok(job)
}
