//! Bringing a proxy to what is wanted: by its socket where that does, by a reload of a file that it was asked about first
//! where it does not; and what a deploy must know of the app's routes. Not here: what is wanted (`ingress.rs`).

use std::time::Duration;

use super::Here;
use super::ingress::{CONFIG, CONFIG_MODE, MODE, write};
use crate::db::routes;
use crate::domain::app::Route;
use crate::domain::ingress::{self, Answer, Ingress};
use crate::domain::rules::Front;
use crate::jobs::provision::scripts;
use crate::jobs::proxy;
use crate::jobs::stop::Stop;
use crate::remote::{self, File, Host};

/// Where a file that HAProxy is asked about stands, before it takes the other's place.
pub const NEXT: &str = "/etc/skiff/haproxy.cfg.next";
/// Reading a file with thousands of servers takes seconds.
const ACCEPTS_LIMIT: Duration = Duration::from_secs(30);

impl Here<'_> {
    /// Brings the proxy to what is wanted, and says why it was reloaded, where it was.
    pub(super) async fn bring(&self, wanted: &Ingress) -> Result<Option<String>, Stop> {
        let brought = bring(self.host, wanted).await.map_err(|e| self.failed(e))?;
        brought.map_err(|words| self.refused(words))
    }

    /// What holds for all routes of the app, as the proxies have it.
    pub(super) async fn front(&self) -> Result<Front, Stop> {
        let (ctx, permit) = (self.work.ctx, &self.work.run.permit);
        let mut tx = ctx.db.begin(permit).await?;
        let front = routes::front(&mut tx, permit, self.work.want.release.app).await?;
        tx.commit().await?;
        Ok(front.map(|front| front.applied.0).unwrap_or_default())
    }

    /// A route by which a request is sure to meet the app: one without rules, while nobody works on the app.
    pub(super) async fn open_route(&self) -> Result<Result<Route, &'static str>, Stop> {
        let (ctx, permit, app) = (self.work.ctx, &self.work.run.permit, self.work.want.release.app);
        let mut tx = ctx.db.begin(permit).await?;
        let all = routes::of_app(&mut tx, permit, app).await?;
        tx.commit().await?;
        if all.is_empty() {
            return Ok(Err("the app has no route"));
        }
        if self.front().await?.maintenance {
            return Ok(Err("its visitors see the page of maintenance"));
        }
        let plain = all.iter().find(|row| row.applied.as_ref().is_some_and(|rules| rules.is_plain()));
        Ok(plain.map(routes::Row::route).ok_or("its routes have rules that a request of ours does not meet"))
    }
}

/// Writes file and maps and brings the running proxy to them: by its socket, or by a reload where that does not do. Says why
/// it was reloaded, where it was, or HAProxy's own words, where it refused: then all is as before.
pub async fn bring(host: &Host, wanted: &Ingress) -> Result<Result<Option<String>, String>, remote::Error> {
    let running = match proxy::look(host).await {
        Ok(running) => running,
        // One that does not run may start again with the right file.
        Err(_) => {
            write(host, wanted).await?;
            proxy::look(host).await?
        }
    };
    let Some(why) = ingress::needs_reload(&running.slots, &running.fixed, wanted) else {
        write(host, wanted).await?;
        let mut lines = ingress::map_changes(&wanted.home.map, &running.map, &wanted.route_entries());
        lines.extend(wanted.admitted_changes(&running.admitted));
        if lines.is_empty() {
            return Ok(Ok(None));
        }
        for answer in host.haproxy().ask(&lines).await? {
            match ingress::read_answer(&answer) {
                Answer::Done | Answer::AlreadyThere | Answer::Absent => {}
                other => return Ok(Err(format!("{other:?}"))),
            }
        }
        return Ok(Ok(None));
    };
    if let Err(words) = accepts(host, wanted).await? {
        return Ok(Err(words));
    }
    let map = wanted.home.map.as_ref();
    let (former, former_map) = (host.get(CONFIG).await, host.get(map).await);
    write(host, wanted).await?;
    match proxy::reload(host).await {
        Ok(()) => Ok(Ok(Some(why))),
        Err(remote::Error::ProxyRefused { detail }) => {
            // What runs must be able to start again with the file that stands there.
            if let (Ok(former), Ok(former_map)) = (former, former_map) {
                host.put_all(&[
                    File { path: map, bytes: &former_map, mode: MODE },
                    File { path: CONFIG, bytes: &former, mode: CONFIG_MODE },
                ])
                .await?;
            }
            Ok(Err(detail))
        }
        Err(error) => Err(error),
    }
}

/// Asks HAProxy whether it would read this file, before anything is changed; its own words where it would not.
pub async fn accepts(host: &Host, wanted: &Ingress) -> Result<Result<(), String>, remote::Error> {
    host.put(NEXT, wanted.haproxy_cfg().as_bytes(), CONFIG_MODE).await?;
    let mut said = scripts::Said::default();
    let mut listen = |_, line: &[u8]| {
        said.take(line);
    };
    let exit = host.run(&scripts::ACCEPTS, &[], ACCEPTS_LIMIT, &mut listen).await?;
    Ok(match exit.ok() {
        true => Ok(()),
        false => Err(said.reason.unwrap_or_else(|| format!("asking HAProxy ended with {}", exit.status))),
    })
}
