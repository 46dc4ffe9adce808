//! What the instances of an app print, put together by time, without secrets: a page of it, or as it comes. It comes from
//! the hosts and is kept nowhere. Every instance has a pump that always drains; a viewer who is too slow, or a program that
//! is too fast, loses lines and is told how many. Not here: HTML.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::batch::Batch;
use super::listen::{Ear, Heard, listen};
use super::redaction::Redaction;
use super::views::{AppLogLine, Logs, Origin, Voice, Wanted};
use crate::actions::gate::{self, Open};
use crate::actions::standing::Standing;
use crate::actions::{Ctx, Refused, hosts};
use crate::db;
use crate::db::changes::Topic;
use crate::domain::ids::{AppId, InstanceId};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::remote::Stream;
use crate::remote::docker::TAIL_LINES;

pub use super::listen::Seats;

/// Lines a page begins with.
pub const LINES: u16 = 200;
/// Lines of each instance in a file.
pub const DOWNLOAD_LINES: u16 = TAIL_LINES;
/// Lines of one update: more in a tenth of a second nobody reads.
const AT_ONCE: usize = 300;
/// Instances one viewer listens to: beyond that one picks.
const PER_VIEWER: usize = 32;
/// Instances of an app that are looked through: 64 serving, as many arriving, and some kept.
const MOST: i64 = 200;
/// The least time between two updates: ten pictures a second are enough.
const PACE: Duration = Duration::from_millis(100);
/// The first lines of all instances come within moments of each other; who is silent for this long has said them.
const QUIET: Duration = Duration::from_millis(250);
/// The longest wait for the first lines.
const FIRST: Duration = Duration::from_secs(2);
/// A page waits this long for hosts that do not answer.
const READ_LIMIT: Duration = Duration::from_secs(4);
/// A file may take longer.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(60);
/// Bytes a file may have: the last lines of some instances fit, and it is put together in memory.
const DOWNLOAD_BYTES: usize = 16 << 20;
/// Bytes a page may have.
const PAGE_BYTES: usize = 2 << 20;
/// The longest wait between two looks for new instances: a wake-up may be lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The least time between two looks: a busy team wakes all the time.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// After this long the viewer is sent away; it comes back at once, and its right is asked again.
const LONGEST: Duration = Duration::from_secs(600);

/// Somebody who listens to an app.
pub struct Follow {
    ctx: Ctx,
    permit: Permit,
    app: AppId,
    wanted: Wanted,
    follow: bool,
    beginning: Beginning,
    standing: Standing,
    redaction: Redaction,
    origins: HashMap<InstanceId, Origin>,
    heard: SelectAll<BoxStream<'static, (InstanceId, Heard)>>,
    full: bool,
    begun: bool,
    wake: watch::Receiver<u64>,
    awake: bool,
    look_at: Instant,
    until: Instant,
}

/// Listens to an app's instances. Those that a deploy starts meanwhile join by themselves.
pub async fn follow(ctx: &Ctx, actor: &Actor, app: AppId, wanted: Wanted) -> Result<Follow, Refused> {
    let beginning = Beginning::of(&wanted);
    begin(ctx, actor, app, wanted, true, beginning).await
}

/// The newest lines of an app's instances, for a page.
pub async fn read(ctx: &Ctx, actor: &Actor, app: AppId, wanted: Wanted) -> Result<Logs, Refused> {
    let beginning = Beginning::of(&wanted);
    let mut all = begin(ctx, actor, app, wanted, false, beginning).await?;
    let instances = all.instances().await?;
    let (lines, until) = all.whole(Batch::new(beginning.lines, PAGE_BYTES), READ_LIMIT).await?;
    Ok(Logs { lines, instances, until })
}

/// The newest lines as a text to keep: when, where from, what.
pub async fn download(ctx: &Ctx, actor: &Actor, app: AppId, wanted: Wanted) -> Result<Vec<u8>, Refused> {
    let beginning = Beginning { lines: usize::from(DOWNLOAD_LINES) * PER_VIEWER, of_each: DOWNLOAD_LINES };
    let mut all = begin(ctx, actor, app, wanted, false, beginning).await?;
    let batch = Batch::new(beginning.lines, DOWNLOAD_BYTES);
    let (lines, _) = all.whole(batch, DOWNLOAD_LIMIT).await?;
    let mut text = Vec::new();
    for line in lines {
        let at = line.at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let from = line.origin.map(|o| format!("{} v{}#{}", o.host, o.number, o.position));
        text.extend_from_slice(format!("{at} {} ", from.as_deref().unwrap_or("skiff")).as_bytes());
        text.extend_from_slice(&line.line);
        text.push(b'\n');
    }
    Ok(text)
}

/// What one begins with.
#[derive(Clone, Copy)]
struct Beginning {
    /// Lines of all together, the newest.
    lines: usize,
    /// Lines of each instance that are looked through for them.
    of_each: u16,
}

impl Beginning {
    fn of(wanted: &Wanted) -> Self {
        let lines = wanted.tail.unwrap_or(LINES).min(TAIL_LINES);
        // A filter looks further back; who comes back gets what was missed meanwhile.
        let further = !wanted.text.is_empty() || wanted.after.is_some();
        match lines {
            // Whatever is heard is new then.
            0 => Self { lines: AT_ONCE, of_each: 0 },
            _ => Self { lines: lines.into(), of_each: if further { TAIL_LINES } else { lines } },
        }
    }
}

async fn begin(
    ctx: &Ctx,
    actor: &Actor,
    app: AppId,
    wanted: Wanted,
    follow: bool,
    beginning: Beginning,
) -> Result<Follow, Refused> {
    let Open { tx, permit, .. } = gate::app(ctx, actor, app, Permission::View).await?;
    tx.commit().await?;
    Ok(Follow {
        // Before the first look: what comes in between wakes us.
        wake: ctx.changes.subscribe(Topic::Team(actor.team())),
        ctx: ctx.clone(),
        permit,
        app,
        wanted: Wanted { text: wanted.text.to_lowercase(), ..wanted },
        follow,
        beginning,
        standing: Standing::default(),
        redaction: Redaction::default(),
        origins: HashMap::new(),
        heard: SelectAll::new(),
        full: false,
        begun: false,
        awake: true,
        look_at: Instant::now(),
        until: Instant::now() + LONGEST,
    })
}

impl Follow {
    /// Waits until there is something to tell: some lines, by time. None when it is time to come back and ask anew.
    pub async fn next(&mut self) -> Result<Option<Vec<AppLogLine>>, Refused> {
        while Instant::now() < self.until {
            if Instant::now() >= self.look_at {
                let notes = self.join().await?;
                self.look_at = Instant::now() + LOOK_EVERY;
                if !notes.is_empty() {
                    return Ok(Some(notes));
                }
            }
            let wait_until = self.look_at.min(self.until);
            let first = tokio::select! {
                Some(first) = self.heard.next() => first,
                woken = self.wake.changed(), if self.awake => {
                    // Nobody wakes any more: the timer goes on alone.
                    self.awake = woken.is_ok();
                    self.look_at = self.look_at.min(Instant::now() + LOOK_PAUSE);
                    continue;
                }
                () = sleep_until(wait_until) => continue,
            };
            let lines = self.gather(first).await;
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
        Ok(None)
    }

    /// Everything that is heard within a moment. The first time, what all have to say first.
    async fn gather(&mut self, first: (InstanceId, Heard)) -> Vec<AppLogLine> {
        let begins = !std::mem::replace(&mut self.begun, true);
        let mut batch = Batch::new(if begins { self.beginning.lines } else { AT_ONCE }, PAGE_BYTES);
        let end = Instant::now() + if begins { FIRST } else { PACE };
        let mut heard = Some(first);
        while let Some(one) = heard.take() {
            self.take(one, &mut batch);
            let wait = if begins { end.min(Instant::now() + QUIET) } else { end };
            heard = timeout_at(wait, self.heard.next()).await.ok().flatten();
        }
        let (mut lines, left_out) = batch.sorted();
        if left_out > 0 && (!begins || self.wanted.after.is_some()) {
            let words = match begins {
                true => format!("{left_out} older lines were left out."),
                false => format!("{left_out} lines were left out: they came faster than anybody reads."),
            };
            lines.insert(0, word(lines.first().map(|line| line.at), None, words));
        }
        lines
    }

    /// Reads everything there is, until all have said it or the time is over; and the newest moment that was read.
    async fn whole(
        &mut self,
        mut batch: Batch,
        limit: Duration,
    ) -> Result<(Vec<AppLogLine>, Option<OffsetDateTime>), Refused> {
        let mut notes = self.join().await?;
        let mut open: HashSet<InstanceId> = self.origins.keys().copied().collect();
        let end = Instant::now() + limit;
        let mut newest = None;
        while let Ok(Some((instance, heard))) = timeout_at(end, self.heard.next()).await {
            match &heard {
                Heard::Over | Heard::Silent(_) => drop(open.remove(&instance)),
                Heard::Line(line) => newest = newest.max(line.at),
                Heard::Back => {}
            }
            self.take((instance, heard), &mut batch);
        }
        let late = open.iter().filter_map(|instance| self.origins.get(instance));
        let mut late: Vec<&str> = late.map(|origin| origin.host.as_str()).collect();
        late.sort_unstable();
        late.dedup();
        notes.extend(late.iter().map(|host| word(None, None, format!("{host} has not told all in time."))));
        let (mut lines, _) = batch.sorted();
        lines.extend(notes);
        Ok((lines, newest))
    }

    /// Takes one thing in, as a line that may be shown.
    fn take(&self, (instance, heard): (InstanceId, Heard), batch: &mut Batch) {
        let Some(origin) = self.origins.get(&instance) else { return };
        let host = &origin.host;
        match heard {
            Heard::Over => {}
            Heard::Back => batch.push(word(None, Some(origin), format!("{host} answers again."))),
            Heard::Silent(why) => {
                let words = format!("{host} does not answer: {why}. Its lines follow when it does.");
                batch.push(word(None, Some(origin), self.redaction.text(&words)));
            }
            Heard::Line(said) => {
                let at = said.at.unwrap_or_else(OffsetDateTime::now_utc);
                if said.lost_before > 0 {
                    let words = format!("{} lines were lost: they came faster than they were read.", said.lost_before);
                    batch.push(word(Some(at), Some(origin), words));
                }
                let line = self.redaction.line(&said.bytes);
                if !self.wanted.text.is_empty() {
                    let plain = crate::domain::log_text::plain(&line).to_lowercase();
                    if !plain.contains(&self.wanted.text) {
                        return;
                    }
                }
                let voice = if said.stream == Stream::Err { Voice::Err } else { Voice::Out };
                batch.push(AppLogLine { at, origin: Some(origin.clone()), voice, line });
            }
        }
    }

    /// Looks for instances that are not listened to yet, learns their secrets, and listens to them.
    async fn join(&mut self) -> Result<Vec<AppLogLine>, Refused> {
        let mut tx = self.ctx.db.begin(&self.permit).await?;
        self.standing.holds(&mut tx, &self.permit).await?;
        let rows = db::instances::list(&mut tx, &self.permit, Some(self.app), None, MOST).await?;
        tx.commit().await?;
        let mut notes = Vec::new();
        for row in rows {
            let asked = self.wanted.instance.map_or(!row.kept, |only| only == row.id);
            let asked = asked && self.wanted.position.is_none_or(|only| only == row.position);
            if !asked || row.container.is_none() || self.origins.contains_key(&row.id) {
                continue;
            }
            let seat = self.ctx.log_seats.take(row.host).filter(|_| self.origins.len() < PER_VIEWER);
            let Some(seat) = seat else {
                if !std::mem::replace(&mut self.full, true) {
                    let words = "More logs are open than its host can send at once: pick one instance.";
                    notes.push(word(None, None, words.to_owned()));
                }
                continue;
            };
            // Its secrets first: without them nothing of it may be shown.
            self.redaction.learn(&self.ctx, &self.permit, [row.release]).await?;
            let Ok(name) = row.name.parse() else { continue };
            let tint = self.origins.len();
            let origin =
                Origin { instance: row.id, host: row.host_name, number: row.number, position: row.position, tint };
            if self.begun {
                let words = format!("Instance {} of v{} on {} joins.", origin.position, origin.number, origin.host);
                notes.push(word(None, Some(&origin), words));
            }
            self.origins.insert(row.id, origin);
            self.heard.push(listen(Ear {
                access: self.ctx.access(),
                permit: self.permit.clone(),
                instance: row.id,
                host: row.host,
                name,
                tail: self.beginning.of_each,
                after: self.wanted.after,
                follow: self.follow,
                _seat: seat,
            }));
        }
        Ok(notes)
    }

    /// The instances there are, for picking one.
    async fn instances(&mut self) -> Result<Vec<hosts::InstanceLine>, Refused> {
        let mut tx = self.ctx.db.begin(&self.permit).await?;
        let rows = db::instances::list(&mut tx, &self.permit, Some(self.app), None, MOST).await?;
        tx.commit().await?;
        Ok(rows.into_iter().filter(|row| row.container.is_some()).map(hosts::instance).collect())
    }
}

/// A word of ours among the lines.
fn word(at: Option<OffsetDateTime>, origin: Option<&Origin>, words: String) -> AppLogLine {
    let at = at.unwrap_or_else(OffsetDateTime::now_utc);
    AppLogLine { at, origin: origin.cloned(), voice: Voice::Skiff, line: words.into_bytes() }
}
