//! The panel itself: whether it can work, and the address it is reached at. Not here: who owns it (`setup`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use time::OffsetDateTime;

use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused, acme};
use crate::db::panel_addresses::{self, New, Row, State};
use crate::db::{self, audit};
use crate::domain::cause::Cause;
use crate::domain::certificate;
use crate::domain::ids::HostId;
use crate::domain::names::Domain;
use crate::domain::outgoing;
use crate::domain::rights::{Actor, Permit};
use crate::jobs::look_after_certificates;
use crate::jobs::panel_address::{self, PanelAddress};
use crate::jobs::set_certificates;
use crate::providers::outside;
use crate::queue;
use crate::vault;

/// How old they may be where somebody asks for the proof of a trial that has perhaps just begun.
const ASKED_AGAIN: Duration = Duration::from_millis(200);
/// How long names that were read are taken as they were: another process may have changed them.
const FRESH: Duration = Duration::from_secs(2);
/// How long a name may take until it leads here: DNS may be slow, and somebody may have yet to write the record.
const TRIAL_S: f64 = 30.0 * 60.0;

/// Whether the database answers.
pub async fn ready(ctx: &Ctx) -> Result<(), Refused> {
    Ok(ctx.db.ping().await?)
}

/// A name the panel is reached by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub domain: Domain,
    /// The port of HTTPS.
    pub port: u16,
    /// True where the panel is known by it; false while it is on trial.
    pub serving: bool,
    nonce: String,
}

impl Name {
    /// "https://panel.example.org", with the port where it is another than 443.
    pub fn url(&self) -> String {
        panel_addresses::url(&self.domain, self.port)
    }
}

/// The names as they were read last. Cheap to clone; all that hold one see the same.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<Mutex<Option<Read>>>);

/// Names, and when they were read.
type Read = (Instant, Vec<Name>);

impl Names {
    fn get(&self) -> Option<Vec<Name>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, names)| names.clone())
    }

    /// Has them read again where they are older than this.
    fn forget_older(&self, than: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|(at, _)| at.elapsed() > than) {
            *kept = None;
        }
    }

    fn keep(&self, names: Option<&[Name]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = names.map(|names| (Instant::now(), names.to_vec()));
    }
}

/// The names the panel is reached by through a proxy.
pub async fn names(ctx: &Ctx) -> Result<Vec<Name>, Refused> {
    if let Some(names) = ctx.settings.names.get() {
        return Ok(names);
    }
    let mut door = ctx.db.begin_door().await?;
    let rows = panel_addresses::all(&mut door).await?;
    door.commit().await?;
    let name = |row: Row| Name {
        domain: row.domain,
        port: u16::try_from(row.port).unwrap_or(443),
        serving: row.state == State::Serving,
        nonce: row.nonce,
    };
    let names: Vec<Name> = rows.into_iter().map(name).collect();
    ctx.settings.names.keep(Some(&names));
    Ok(names)
}

/// The address under the name the panel is known by, where it has one.
pub async fn named_url(ctx: &Ctx) -> Result<Option<String>, Refused> {
    Ok(names(ctx).await?.into_iter().find(|name| name.serving).map(|name| name.url()))
}

/// The address that links are made with: under the name the panel is known by, or what it was started with.
pub async fn base_url(ctx: &Ctx) -> Result<String, Refused> {
    Ok(named_url(ctx).await?.unwrap_or_else(|| ctx.settings.base_url.clone()))
}

/// Whether this is what the panel proves itself with.
pub async fn proves(ctx: &Ctx, nonce: &str) -> Result<bool, Refused> {
    // Anybody may ask: what cannot be one costs nothing, and what was read a moment ago is not read again.
    if nonce.len() != vault::TOKEN_CHARS {
        return Ok(false);
    }
    ctx.settings.names.forget_older(ASKED_AGAIN);
    Ok(names(ctx).await?.iter().any(|name| vault::same(name.nonce.as_bytes(), nonce.as_bytes())))
}

/// A server that may lead to the panel.
#[derive(Clone, Debug)]
pub struct Server {
    /// The host.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// A name made of its address, where it has a public one: good at once, without a record of one's own.
    pub made_name: Option<String>,
    /// Whether it is the panel's own machine, by its loopback.
    pub here: bool,
}

/// How one name of the panel stands.
#[derive(Clone, Debug)]
pub struct AddressLine {
    /// The name.
    pub domain: Domain,
    /// Its address in the browser.
    pub url: String,
    /// The server whose proxy leads here.
    pub host: HostId,
    /// Its name.
    pub host_name: String,
    /// Since when it stands so.
    pub since: OffsetDateTime,
    /// What the last try found; empty where it is well.
    pub note: String,
    /// When it was first reached through the name.
    pub reached_at: Option<OffsetDateTime>,
    /// The trial's end.
    pub until: Option<OffsetDateTime>,
    /// Days its certificate is still good for; none where it has none.
    pub days_left: Option<i64>,
}

/// The panel's address.
#[derive(Clone, Debug)]
pub struct AddressView {
    /// What it was started with: it always works.
    pub loopback: String,
    /// The name it is known by.
    pub serving: Option<AddressLine>,
    /// The name on trial.
    pub trial: Option<AddressLine>,
    /// The servers that may lead here.
    pub servers: Vec<Server>,
}

/// Whether the actor may change the panel's own address. Whoever leads the panel's name elsewhere reads every password that is typed
/// there, so it is asked of the owners of the team that the panel was set up with.
pub async fn may(ctx: &Ctx, actor: &Actor) -> Result<bool, Refused> {
    gate::owns_panel(ctx, actor).await
}

/// The panel's address, and what it could be.
pub async fn address(ctx: &Ctx, actor: &Actor) -> Result<AddressView, Refused> {
    let Open { mut tx, permit, .. } = gate::panel(ctx, actor).await?;
    let rows = panel_addresses::all(&mut tx).await?;
    let hosts = db::hosts::list(&mut tx, &permit, None).await?;
    let certificates = db::certificates::list(&mut tx, &permit, None).await?;
    tx.commit().await?;
    let now = OffsetDateTime::now_utc();
    let days = |domain: &Domain| {
        let fits =
            certificates.iter().filter(|one| one.names.iter().any(|name| certificate::covers(name, domain.as_ref())));
        fits.map(|one| certificate::age(one.not_after, now).0).max()
    };
    let line = |row: Row| {
        let name = Name {
            domain: row.domain,
            port: u16::try_from(row.port).unwrap_or(443),
            serving: false,
            nonce: String::new(),
        };
        AddressLine {
            url: name.url(),
            days_left: days(&name.domain),
            domain: name.domain,
            host_name: hosts.iter().find(|host| host.id == row.host).map(|host| host.name.clone()).unwrap_or_default(),
            host: row.host,
            since: row.since,
            note: row.note,
            reached_at: row.reached_at,
            until: row.until,
        }
    };
    let (serving, trial): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.state == State::Serving);
    let servers = hosts.iter().filter(|host| serves_https(host)).map(|host| Server {
        id: host.id,
        name: host.name.clone(),
        made_name: made_name_of(&host.address),
        here: outgoing::is_this_machine(&host.address),
    });
    Ok(AddressView {
        loopback: ctx.settings.base_url.clone(),
        servers: servers.collect(),
        serving: serving.into_iter().next().map(line),
        trial: trial.into_iter().next().map(line),
    })
}

/// Whether its proxy serves HTTPS, and goes on doing so when the host is made ready again.
fn serves_https(host: &db::hosts::Row) -> bool {
    host.proxy_https_port.is_some() && host.https_port.is_some()
}

/// A name made of the address that a server has: that of this machine, where the server is known by its loopback.
pub(in crate::actions) fn made_name_of(server: &str) -> Option<String> {
    match outgoing::is_this_machine(server) {
        true => outside::own_address().and_then(|own| made_name(&own.to_string())),
        false => made_name(server),
    }
}

/// A name made of a public address, which public name servers know without a record: `203-0-113-7.sslip.io`.
fn made_name(address: &str) -> Option<String> {
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    // Shared by a provider's customers (RFC 6598): nobody outside comes in by it.
    let shared = matches!(address.octets(), [100, 64..128, _, _]);
    let inner = address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified();
    (!inner && !shared).then(|| format!("{}.sslip.io", address.to_string().replace('.', "-")))
}

/// The form that gives the panel a name.
#[derive(Clone, Debug, Default)]
pub struct NewAddress {
    /// The name.
    pub domain: String,
    /// The server whose proxy leads here: its id; empty where there is but one.
    pub host: String,
    /// Whether to keep the name as soon as it was reached, without waiting for somebody who comes under it.
    pub keep: bool,
}

/// Tries a name for the panel. What it is reached by now goes on working, and stays where the name is not confirmed.
pub async fn try_address(ctx: &Ctx, actor: &Actor, input: NewAddress) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::panel(ctx, actor).await?;
    let mut fields = Fields::default();
    let hosts = db::hosts::list(&mut tx, &permit, None).await?;
    let suits = suits(ctx, &mut tx, &mut fields, &hosts, &input).await?;
    let (Some((domain, host)), true) = (suits, fields.fine()) else { return Err(fields.refuse()) };
    let known = panel_addresses::all(&mut tx).await?;
    if known.iter().any(|row| row.state == State::Serving && row.domain == domain && row.host == host.id) {
        return Err(Refused::field("domain", "The panel is known by this name already."));
    }
    let nonce = vault::random_token();
    let new = New {
        domain: &domain,
        team: permit.team(),
        host: host.id,
        door: ctx.settings.door,
        port: host.proxy_https_port.and_then(|port| u16::try_from(port).ok()).unwrap_or(443),
        nonce: nonce.expose(),
        seconds: TRIAL_S,
    };
    panel_addresses::try_out(&mut tx, &new).await?;
    let domains = [domain.to_string()];
    look_after_certificates::want(&mut tx, &permit, &domains, &actor.who().cause()).await?;
    // Whoever tries again has mended what was in the way, as a rule: it is not waited for the order's own time.
    acme::try_again(&mut tx, &permit, actor, domain.as_ref()).await?;
    record(&mut tx, &permit, "panel.address_tried", &domain).await?;
    let job = PanelAddress { nonce: nonce.expose().clone(), keep: input.keep };
    push(&mut tx, &permit, actor, &format!("Try the panel's address {domain}"), host.id, &job).await?;
    // A name on trial before this one leads here no more.
    for row in known.iter().filter(|row| row.state == State::Trial && row.host != host.id) {
        ask(&mut tx, &permit, actor, row.host, &hosts).await?;
    }
    tx.commit().await?;
    ctx.settings.names.keep(None);
    Ok(())
}

/// Has the proxies lead to where the panel listens now: it was started with another port than when it got its names.
pub async fn door_moved(ctx: &Ctx) -> Result<(), Refused> {
    let door = ctx.settings.door;
    let mut read = ctx.db.begin_door().await?;
    let rows = panel_addresses::all(&mut read).await?;
    read.commit().await?;
    for row in rows.into_iter().filter(|row| row.door != i32::from(door)) {
        let Open { mut tx, permit, .. } = gate::team(ctx, &Actor::on_the_panels_machine(row.team)).await?;
        panel_addresses::move_door(&mut tx, &row.nonce, door).await?;
        let cause = Cause::System { why: "the panel listens on another port".into(), deploy: None };
        set_certificates::ask_all(&mut tx, &permit, cause).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Looks whether the panel can be led to under this name, by one of these hosts.
pub(super) async fn suits<'a>(
    ctx: &Ctx,
    tx: &mut db::Tx<'_>,
    fields: &mut Fields,
    hosts: &'a [db::hosts::Row],
    input: &NewAddress,
) -> Result<Option<(Domain, &'a db::hosts::Row)>, Refused> {
    let domain = fields.text::<Domain>("domain", &input.domain);
    let serving: Vec<&db::hosts::Row> = hosts.iter().filter(|host| serves_https(host)).collect();
    let host = match (input.host.trim(), serving.as_slice()) {
        ("", [one]) => Some(*one),
        (id, all) => all.iter().copied().find(|host| host.id.to_string() == id),
    };
    if host.is_none() {
        let sentence = match serving.is_empty() {
            true => "No server serves HTTPS yet. Give one a port for HTTPS on its page, and make it ready.",
            false => "Choose the server that the panel runs on.",
        };
        fields.wrong("host", sentence);
    }
    if let Some(domain) = &domain {
        db::routes::hold_name(tx, domain.as_ref()).await?;
        let mut door = ctx.db.begin_door().await?;
        let taken = panel_addresses::is_routed(&mut door, domain).await?;
        door.commit().await?;
        if taken {
            fields.wrong(
                "domain",
                "An app is served under this name. Choose another, or take the name from the app first.",
            );
        }
    }
    Ok(domain.zip(host))
}

/// Makes the name on trial the panel's own. Only somebody who came under it can say that it works.
pub async fn confirm_address(ctx: &Ctx, actor: &Actor, under: &str) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::panel(ctx, actor).await?;
    let rows = panel_addresses::all(&mut tx).await?;
    let over = || {
        Refused::Conflict("The trial is over, and the panel's address is as it was before. Try the name again.".into())
    };
    let trial = rows.iter().find(|row| row.state == State::Trial).ok_or_else(over)?;
    if !trial.domain.as_ref().eq_ignore_ascii_case(under) {
        return Err(Refused::Conflict(format!(
            "Open the panel under {} and say it there: that shows that the name works for you.",
            trial.domain
        )));
    }
    if !panel_addresses::confirm(&mut tx, &trial.nonce).await? {
        return Err(over());
    }
    // Whoever came under the name came from outside, whatever could not be tried from here.
    panel_addresses::note(&mut tx, &trial.nonce, "", None).await?;
    record(&mut tx, &permit, "panel.address_changed", &trial.domain).await?;
    // What waited for this has nothing to wait for any more.
    let job = PanelAddress { nonce: trial.nonce.clone(), keep: false };
    push(&mut tx, &permit, actor, &format!("Keep the panel's address {}", trial.domain), trial.host, &job).await?;
    let hosts = db::hosts::list(&mut tx, &permit, None).await?;
    let mut places: Vec<HostId> = rows.iter().map(|row| row.host).collect();
    places.dedup();
    for host in places {
        ask(&mut tx, &permit, actor, host, &hosts).await?;
    }
    tx.commit().await?;
    ctx.settings.names.keep(None);
    Ok(())
}

/// Gives up the name on trial, or else the one the panel is known by. The loopback address goes on working.
pub async fn give_up_address(ctx: &Ctx, actor: &Actor) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::panel(ctx, actor).await?;
    let rows = panel_addresses::all(&mut tx).await?;
    let row = rows.iter().max_by_key(|row| row.state == State::Trial).ok_or(Refused::NotFound)?;
    panel_addresses::remove(&mut tx, row.state).await?;
    record(&mut tx, &permit, "panel.address_removed", &row.domain).await?;
    let job = PanelAddress { nonce: row.nonce.clone(), keep: false };
    push(&mut tx, &permit, actor, &format!("Give up the panel's address {}", row.domain), row.host, &job).await?;
    let hosts = db::hosts::list(&mut tx, &permit, None).await?;
    ask(&mut tx, &permit, actor, row.host, &hosts).await?;
    tx.commit().await?;
    ctx.settings.names.keep(None);
    Ok(())
}

/// Asks for a trial to go on; one that waits does not any more.
async fn push(
    tx: &mut db::Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    title: &str,
    host: HostId,
    job: &PanelAddress,
) -> Result<(), Refused> {
    let new = queue::New {
        lock_key: Some(panel_address::LOCK.to_owned()),
        host: Some(host),
        ..queue::New::new(title, actor.who().cause())
    };
    queue::push(tx, permit, job, new).await?;
    Ok(())
}

/// Asks for the proxy of a host to lead where it shall.
async fn ask(
    tx: &mut db::Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    host: HostId,
    hosts: &[db::hosts::Row],
) -> Result<(), Refused> {
    if let Some(known) = hosts.iter().find(|known| known.id == host) {
        set_certificates::ask(tx, permit, host, &known.name, actor.who().cause()).await?;
    }
    Ok(())
}

async fn record(tx: &mut db::Tx<'_>, permit: &Permit, action: &'static str, domain: &Domain) -> Result<(), Refused> {
    let after = Some(json!({ "name": domain }));
    let event = audit::New { action, kind: "panel", subject: None, name: domain.as_ref(), before: None, after };
    Ok(audit::record(tx, permit, event).await?)
}

#[cfg(test)]
mod tests {
    use super::made_name;

    #[test]
    fn a_name_is_made_of_a_public_address_only() {
        assert_eq!(made_name("203.0.113.7").as_deref(), Some("203-0-113-7.sslip.io"));
        for none in ["10.0.0.1", "127.0.0.1", "192.168.1.4", "169.254.1.1", "fra-1.example.org", "::1", "0.0.0.0"] {
            assert_eq!(made_name(none), None, "{none}");
        }
    }
}
