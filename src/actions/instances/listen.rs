//! Listening to one instance: reached, read, and reached again after its host or its Docker was away. It never ends by
//! itself while the container is there. Not here: what is made of many of them (`logs.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::access::{self, Access};
use crate::domain::ids::{HostId, InstanceId};
use crate::domain::names::ContainerName;
use crate::domain::rights::Permit;
use crate::remote::Host;
use crate::remote::docker::{Following, LogLine, Reading, TAIL_LINES};

/// Logs of one host that are read at once, by all viewers together: each is a channel of its bulk connection, which has
/// 32 for everything.
const PER_HOST: usize = 16;
/// Between two tries to reach what was away.
const RETRY: Duration = Duration::from_secs(3);
/// After so long a silence it is asked whether there was something to hear: Docker's own follower (seen in 20.10) can lose
/// its place for good where files of a log are rotated faster than they are read.
const SILENCE: Duration = Duration::from_secs(5);

/// How many logs of each host are read now. Cheap to clone.
#[derive(Clone, Default)]
pub struct Seats(Arc<Mutex<HashMap<HostId, usize>>>);

/// The right to read one; given back when dropped.
pub(super) struct Seat(Seats, HostId);

impl Seats {
    pub(super) fn take(&self, host: HostId) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(host).or_insert(0);
        if *count >= PER_HOST {
            return None;
        }
        *count += 1;
        Some(Seat(self.clone(), host))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.1) {
            *count = count.saturating_sub(1);
        }
        taken.retain(|_, count| *count > 0);
    }
}

/// What is heard of an instance.
pub(super) enum Heard {
    /// It printed this.
    Line(LogLine),
    /// It cannot be listened to, for this reason; it is tried again.
    Silent(String),
    /// It can be listened to again.
    Back,
    /// That was all.
    Over,
}

/// Whom to listen to, and from where on.
pub(super) struct Ear {
    pub access: Access,
    pub permit: Permit,
    pub instance: InstanceId,
    pub host: HostId,
    pub name: ContainerName,
    pub tail: u16,
    pub after: Option<OffsetDateTime>,
    pub follow: bool,
    /// Held as long as it listens.
    pub _seat: Seat,
}

/// Where one is.
enum Now {
    Reach,
    Read(Following, Arc<Host>),
    Pause,
    Over,
}

struct Listening {
    ear: Ear,
    now: Now,
    silent: bool,
    /// The newest moment that was heard.
    last: Option<OffsetDateTime>,
}

/// What is heard, as it comes.
pub(super) fn listen(ear: Ear) -> BoxStream<'static, (InstanceId, Heard)> {
    let instance = ear.instance;
    let begun = Listening { last: ear.after, ear, now: Now::Reach, silent: false };
    stream::unfold(begun, move |mut listening| async move {
        let heard = listening.next().await?;
        Some(((instance, heard), listening))
    })
    .boxed()
}

impl Listening {
    async fn next(&mut self) -> Option<Heard> {
        loop {
            match &mut self.now {
                Now::Over => return None,
                Now::Pause => {
                    tokio::time::sleep(RETRY).await;
                    self.now = Now::Reach;
                }
                Now::Reach => match self.reach().await {
                    Ok(host) => {
                        let reading = Reading { tail: self.ear.tail, since: self.ear.after, follow: self.ear.follow };
                        self.now = Now::Read(host.docker_bulk().logs_read(&self.ear.name, reading), host);
                        if std::mem::take(&mut self.silent) {
                            return Some(Heard::Back);
                        }
                    }
                    Err(why) => match self.away(why) {
                        Some(heard) => return Some(heard),
                        None => continue,
                    },
                },
                Now::Read(following, host) => {
                    let host = host.clone();
                    let Ok(heard) = timeout(SILENCE, following.next()).await else {
                        if self.ear.follow && self.missed(&host).await {
                            self.go_on(Now::Reach);
                        }
                        continue;
                    };
                    if let Some(line) = heard {
                        // The daemon begins with what is as old as what was heard last.
                        if self.ear.after.is_some_and(|after| line.at.is_some_and(|at| at <= after)) {
                            continue;
                        }
                        self.last = self.last.max(line.at);
                        return Some(Heard::Line(line));
                    }
                    match self.ended(&host).await {
                        Some(heard) => return Some(heard),
                        None => continue,
                    }
                }
            }
        }
    }

    async fn reach(&self) -> Result<Arc<Host>, String> {
        let reached = access::reach(&self.ear.access, &self.ear.permit, &[self.ear.host]).await;
        let reached = reached.map_err(|_| "the panel's database does not answer".to_owned())?;
        let reached = reached.into_iter().next().ok_or("it is gone")?;
        reached.host.map_err(|error| error.to_string())
    }

    /// Whether the container printed something that was not heard.
    async fn missed(&self, host: &Host) -> bool {
        // Who wants only what comes has not missed what was there before.
        if self.last.is_none() && self.ear.tail == 0 {
            return false;
        }
        let newest = Reading { tail: 1, since: self.last, follow: false };
        let mut newest = host.docker_bulk().logs_read(&self.ear.name, newest);
        let line = timeout(SILENCE, newest.next()).await.ok().flatten();
        line.is_some_and(|line| line.at > self.last)
    }

    /// Nothing more comes: the container ended or is gone, or its host is away.
    async fn ended(&mut self, host: &Host) -> Option<Heard> {
        if !self.ear.follow {
            self.now = Now::Over;
            return Some(Heard::Over);
        }
        match host.docker().inspect(&self.ear.name).await {
            // Docker may start it again, or a person.
            Ok(Some(_)) => {
                self.go_on(Now::Pause);
                None
            }
            Ok(None) => {
                self.now = Now::Over;
                Some(Heard::Over)
            }
            Err(error) => self.away(error.to_string()),
        }
    }

    /// Goes on behind what was heard, with all that was said since; where nothing was heard, as it began.
    fn go_on(&mut self, now: Now) {
        if self.last.is_some() {
            (self.ear.after, self.ear.tail) = (self.last, TAIL_LINES);
        }
        self.now = now;
    }

    /// Said once, until it is back.
    fn away(&mut self, why: String) -> Option<Heard> {
        self.go_on(if self.ear.follow { Now::Pause } else { Now::Over });
        (!std::mem::replace(&mut self.silent, true)).then_some(Heard::Silent(why))
    }
}
