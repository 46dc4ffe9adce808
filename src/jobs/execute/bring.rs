//! Bringing a proxy to what is wanted: by its socket where that does, by a reload of a file that it was asked about first
//! where it does not; and what a deploy must know of the app's routes. Not here: what is wanted (`ingress.rs`).

use std::time::Duration;

use super::Here;
use super::ingress::{CONFIG, CONFIG_MODE, MODE, troubled, write};
use crate::db::routes;
use crate::domain::app::Route;
use crate::domain::ids::HostId;
use crate::domain::ingress::{self, Answer, Ingress};
use crate::domain::rights::Permit;
use crate::domain::rules::Front;
use crate::jobs::certificates::{self, By, Trouble};
use crate::jobs::provision::scripts;
use crate::jobs::stop::Stop;
use crate::jobs::{Ctx, proxy};
use crate::remote::{self, File, Host};

/// Where a file that HAProxy is asked about stands, before it takes the other's place.
pub const NEXT: &str = "/etc/skiff/haproxy.cfg.next";
/// Reading a file with thousands of servers takes seconds.
const ACCEPTS_LIMIT: Duration = Duration::from_secs(30);

impl Here<'_> {
    /// Brings the proxy to what is wanted, and says why it was reloaded, where it was.
    pub(super) async fn bring(&self, wanted: &Ingress) -> Result<Option<String>, Stop> {
        let (ctx, permit) = (self.work.ctx, &self.work.run.permit);
        let brought = bring(ctx, permit, self.reached.id(), self.host, wanted).await;
        let brought = brought.map_err(|trouble| troubled(&self.reached.row.name, trouble))?;
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

/// Writes all files and brings the running proxy to them, its certificates among them: by its socket, or by a reload where that
/// does not do. Says why it was reloaded, where it was, or HAProxy's own words, where it refused: then all is as before.
pub async fn bring(
    ctx: &Ctx,
    permit: &Permit,
    id: HostId,
    host: &Host,
    wanted: &Ingress,
) -> Result<Result<Option<String>, String>, Trouble> {
    // On the heap: the two side by side would fill a thread's stack.
    let (running, secured) = tokio::join!(Box::pin(proxy::look(host)), Box::pin(certificates::look(host, wanted)));
    let running = match running {
        Ok(running) => running,
        // One that does not run may start again with the right files; what they bring is noted below.
        Err(_) => {
            write(ctx, permit, id, host, wanted, By::Folder).await?;
            proxy::look(host).await?
        }
    };
    let Some(why) = ingress::needs_reload(&running.slots, &running.fixed, wanted) else {
        let brought = write(ctx, permit, id, host, wanted, By::Notes).await?;
        let mut lines = ingress::map_changes(&wanted.home.map, &running.map, &wanted.route_entries());
        lines.extend(wanted.admitted_changes(&running.admitted));
        let answers = if lines.is_empty() { Vec::new() } else { host.haproxy().ask(&lines).await? };
        for answer in answers {
            match ingress::read_answer(&answer) {
                Answer::Done | Answer::AlreadyThere | Answer::Absent => {}
                other => return Ok(Err(format!("{other:?}"))),
            }
        }
        // Where it did not answer it is asked once more.
        match secured {
            Ok(secured) => {
                let secured = secured.map(certificates::Running::routed);
                certificates::settle_seen(ctx, permit, id, host, wanted, secured, brought, false).await?
            }
            Err(_) => certificates::settle(ctx, permit, id, host, wanted, brought, false).await?,
        };
        return Ok(Ok(None));
    };
    if let Err(words) = accepts(host, wanted).await? {
        return Ok(Err(words));
    }
    let former = Former::of(host, wanted).await;
    let brought = write(ctx, permit, id, host, wanted, By::Folder).await?;
    match proxy::reload(host).await {
        Ok(()) => {
            // A proxy that was reloaded has read its files.
            certificates::note(ctx, permit, id, &brought).await?;
            Ok(Ok(Some(why)))
        }
        Err(remote::Error::ProxyRefused { detail }) => {
            // What runs must be able to start again with the files that stand there.
            former.put_back(host).await?;
            Ok(Err(detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// The file and the lists it names, as they were.
struct Former(Vec<(String, Vec<u8>, u32)>);

impl Former {
    /// Those that are there.
    async fn of(host: &Host, wanted: &Ingress) -> Self {
        let lists = certificates::lists(wanted).into_iter().map(|(path, _)| (path, MODE));
        let mut paths: Vec<(String, u32)> = lists.collect();
        paths.extend([(wanted.home.map.to_string(), MODE), (CONFIG.to_owned(), CONFIG_MODE)]);
        let mut all = Vec::new();
        for (path, mode) in paths {
            if let Ok(bytes) = host.get(&path).await {
                all.push((path, bytes, mode));
            }
        }
        Self(all)
    }

    async fn put_back(&self, host: &Host) -> Result<(), remote::Error> {
        let files = self.0.iter().map(|(path, bytes, mode)| File { path, bytes, mode: *mode });
        host.put_all(&files.collect::<Vec<_>>()).await
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
