//! Certificates that serve and come to their end: one that a person brought is renewed by nobody else, and one that was got by itself should
//! have been. Told at each stage once. Not here: why one could not be had (`obtain_certificate`).

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use crate::db::certificates::Row;
use crate::db::{acme, acme_orders, acme_routes, alerts, certificates};
use crate::domain::certificate::{ByName, Candidate, Origin, covers};
use crate::domain::ids::CertificateId;
use crate::domain::rights::Permit;

/// A month before the end a person has the time to get another one.
const MONTH: Duration = Duration::days(30);
/// A week before the end it is pressing.
const WEEK: Duration = Duration::days(7);
/// Of a life that is short, the last sixth is: what is renewed by itself should have been at a third.
const SHARE: i32 = 6;

/// Who renews a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// A person, who brought it.
    Person,
    /// The panel, which could not yet.
    Panel,
    /// Nobody: it is not wanted any more.
    Nobody,
    /// Nobody, as no authority is chosen.
    NoAuthority,
}

/// Tells of the team's certificates that serve and run out, and of those that do so no more. The same where no authority is chosen.
pub(super) async fn tell(conn: &mut PgConnection, permit: &Permit) -> Result<(), sqlx::Error> {
    alerts::close_unwanted_certificates(&mut *conn, permit).await?;
    let now = acme_orders::now(&mut *conn).await?;
    let all = certificates::list(&mut *conn, permit, None).await?;
    let candidates: Vec<Candidate> =
        all.iter().map(|row| Candidate { id: row.id, names: row.names.clone(), not_after: row.not_after }).collect();
    let domains = acme_routes::domains(&mut *conn, permit).await?;
    let by_name = ByName::new(&candidates);
    let serving: BTreeMap<&str, &Candidate> =
        domains.iter().filter_map(|domain| by_name.choose(domain, now).map(|one| (domain.as_str(), one))).collect();
    let served: BTreeSet<CertificateId> = serving.values().map(|one| one.id).collect();
    let open: BTreeSet<_> = alerts::open_certificates(&mut *conn, permit).await?.into_iter().collect();
    let chosen = acme::settings(&mut *conn).await?.is_some();
    let orders = acme_orders::list(&mut *conn, permit, None).await?;
    let ordered: BTreeMap<CertificateId, bool> =
        orders.iter().filter_map(|order| Some((order.certificate?, order.trouble.is_some()))).collect();
    for row in &all {
        let by = match (row.origin, chosen, ordered.get(&row.id)) {
            (Origin::Uploaded, ..) => By::Person,
            (Origin::Acme, true, Some(_)) => By::Panel,
            (Origin::Acme, true, None) => By::Nobody,
            (Origin::Acme, false, _) => By::NoAuthority,
        };
        // What the panel has not tried yet it renews within minutes: there is nothing to do.
        let waits = by == By::Panel && ordered.get(&row.id) == Some(&false);
        let ends = (served.contains(&row.id) && !waits).then(|| ends_soon(row, by, now)).flatten();
        let Some((cause, stage)) = ends else {
            if waits || !open.contains(&row.id.0) {
                continue;
            }
            // Where its names lead nowhere any more, nothing is well again.
            let well = serving.iter().any(|(domain, one)| {
                one.not_after > now && row.names.iter().any(|name| name == domain || covers(name, domain))
            });
            match well {
                true => alerts::certificate(&mut *conn, permit, row.id.0, &row.names, None).await?,
                false => drop(alerts::close(&mut *conn, permit, alerts::CERTIFICATE, row.id.0).await?),
            }
            continue;
        };
        let needs = alerts::Needs { cause: &cause, stage: &stage, uploaded: by == By::Person };
        alerts::certificate(&mut *conn, permit, row.id.0, &row.names, Some(needs)).await?;
    }
    Ok(())
}

/// The same after one came or went: where none is told of and this one is good for long, there is nothing to say, and thousands are not read.
pub async fn tell_of_one(conn: &mut PgConnection, permit: &Permit, ends: OffsetDateTime) -> Result<(), sqlx::Error> {
    let now = acme_orders::now(&mut *conn).await?;
    if ends - now >= MONTH && alerts::open_certificates(&mut *conn, permit).await?.is_empty() {
        return Ok(());
    }
    tell(conn, permit).await
}

/// What is said of a certificate that comes to its end, and the stage that it is in: one of a person's a month before, each a week before
/// (one that lives for days only a day or so), and when it has ended. None while that is far.
fn ends_soon(row: &Row, by: By, now: OffsetDateTime) -> Option<(String, String)> {
    let (left, on) = (row.not_after - now, row.not_after.date());
    let pressing = match by {
        By::Person => WEEK,
        _ => WEEK.min((row.not_after - row.not_before) / SHARE),
    };
    let (what, stage) = match left {
        left if !left.is_positive() => (format!("It ran out on {on}: browsers refuse it."), "over"),
        left if left < pressing && pressing < WEEK => (format!("It runs out soon, on {on}."), "week"),
        left if left < pressing => (format!("It runs out within a week, on {on}."), "week"),
        left if left < MONTH && by == By::Person => (format!("It runs out within a month, on {on}."), "month"),
        _ => return None,
    };
    let then = match (by, stage) {
        (By::Person, "over") => "Upload a newer one.",
        (By::Person, _) => "Upload a newer one before that.",
        (By::Panel, _) => "It could not be renewed so far: look under Automatic why.",
        (By::Nobody, _) => "Nobody renews it: get one under Automatic, or upload one.",
        (By::NoAuthority, _) => "Nobody renews it, as no certificate authority is chosen: choose one, or upload one.",
    };
    Some((format!("{what} {then}"), format!("{stage} {on}")))
}
