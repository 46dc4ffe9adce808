//! Views that were just read, kept for as long as reading again would give the same: until anything is committed to the
//! database. So a page that is looked at again and again costs no more than finding out who looks. Not here: what is read.
//!
//! A view belongs to the account it was made for: what one may see is written in the database too, so that equal moments
//! mean equal rights. And only for an actor who has just come in: one that was read longer ago is of a moment that is over.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{Ctx, Refused};
use crate::db::moments;
use crate::domain::ids::{AccountId, TeamId};
use crate::domain::rights::{Actor, Moment, Who};

/// What the views on the shelf may weigh together: people look at few pages at a time, and a deploy's with its log takes
/// some 100 KiB.
const MOST_BYTES: usize = 6 << 20;
/// A view that is heavier than this is read each time: the lines of its log are long.
const HEAVIEST: usize = MOST_BYTES / 8;
/// A view is read again after this, changed or not: a database that was replaced by an older copy could come to an equal
/// moment by other ways.
const NO_LONGER_THAN: Duration = Duration::from_secs(30);

/// How long somebody waits for another's reading of the same: it takes some milliseconds, and then one reads oneself.
const ONE_READS_FOR: Duration = Duration::from_millis(100);

/// How much memory a view takes, more or less.
pub trait Weigh {
    /// In bytes.
    fn bytes(&self) -> usize;
}

/// The shelf. Cheap to clone.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Shelf>>);

/// What is on it, all of one moment.
#[derive(Default)]
struct Shelf {
    moment: Option<Moment>,
    views: HashMap<Key, Standing>,
    bytes: usize,
    turns: HashMap<Key, Weak<tokio::sync::Mutex<()>>>,
}

/// A view on the shelf.
struct Standing {
    since: Instant,
    bytes: usize,
    view: View,
}

/// In which team, for whom, what kind of view, of what.
type Key = (Option<TeamId>, AccountId, TypeId, String);
type View = Arc<dyn Any + Send + Sync>;

impl Kept {
    /// The view of this kind that was read for this actor since the last change, or else what `read` gives now.
    pub async fn view<T: Weigh + Send + Sync + 'static>(
        &self,
        ctx: &Ctx,
        actor: &Actor,
        of: Uuid,
        read: impl AsyncFnOnce() -> Result<T, Refused>,
    ) -> Result<Arc<T>, Refused> {
        let (Some(moment), Who::Person { account, .. }) = (actor.moment(), actor.who()) else {
            return read().await.map(Arc::new);
        };
        let key = (Some(actor.team()), *account, TypeId::of::<T>(), of.to_string());
        self.at(ctx, moment, key, read).await
    }

    /// The same for an account of which nothing is known yet but when its session was read.
    pub(super) async fn of_account<T: Weigh + Send + Sync + 'static>(
        &self,
        ctx: &Ctx,
        moment: Option<&Moment>,
        account: AccountId,
        of: &str,
        read: impl AsyncFnOnce() -> Result<T, Refused>,
    ) -> Result<Arc<T>, Refused> {
        let Some(moment) = moment else { return read().await.map(Arc::new) };
        self.at(ctx, moment, (None, account, TypeId::of::<T>(), of.to_owned()), read).await
    }

    async fn at<T: Weigh + Send + Sync + 'static>(
        &self,
        ctx: &Ctx,
        moment: &Moment,
        key: Key,
        read: impl AsyncFnOnce() -> Result<T, Refused>,
    ) -> Result<Arc<T>, Refused> {
        if let Some(view) = self.find(moment, &key) {
            return Ok(view);
        }
        // Of several who miss the same at once, one reads and the others are given that.
        let turn = self.turn(&key);
        let first = tokio::time::timeout(ONE_READS_FOR, turn.lock()).await;
        if let Some(view) = self.find(moment, &key) {
            return Ok(view);
        }
        let read = self.read(ctx, moment, key, read).await;
        drop(first);
        read
    }

    async fn read<T: Weigh + Send + Sync + 'static>(
        &self,
        ctx: &Ctx,
        moment: &Moment,
        key: Key,
        read: impl AsyncFnOnce() -> Result<T, Refused>,
    ) -> Result<Arc<T>, Refused> {
        let view = Arc::new(read().await?);
        let bytes = view.bytes();
        // Equal before and after: then every statement in between saw the same.
        if bytes <= HEAVIEST && moments::now(&mut *ctx.db.door().await?).await? == *moment {
            self.keep(moment, key, Standing { since: Instant::now(), bytes, view: view.clone() });
        }
        Ok(view)
    }

    /// The lock of those who want to read this now; gone with the last of them.
    fn turn(&self, key: &Key) -> Arc<tokio::sync::Mutex<()>> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.turns.retain(|_, turn| turn.strong_count() > 0);
        let standing = shelf.turns.get(key).and_then(Weak::upgrade);
        standing.unwrap_or_else(|| {
            let turn = Arc::default();
            shelf.turns.insert(key.clone(), Arc::downgrade(&turn));
            turn
        })
    }

    fn find<T: Send + Sync + 'static>(&self, moment: &Moment, key: &Key) -> Option<Arc<T>> {
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.moment.as_ref() != Some(moment) {
            return None;
        }
        let standing = shelf.views.get(key).filter(|standing| standing.since.elapsed() < NO_LONGER_THAN)?;
        standing.view.clone().downcast().ok()
    }

    fn keep(&self, moment: &Moment, key: Key, standing: Standing) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.moment.as_ref() != Some(moment) {
            shelf.moment = Some(moment.clone());
            shelf.views.clear();
            shelf.bytes = 0;
        }
        shelf.remove(&key);
        while shelf.bytes + standing.bytes > MOST_BYTES {
            let oldest = shelf.views.iter().min_by_key(|(_, standing)| standing.since).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            shelf.remove(&oldest);
        }
        shelf.bytes += standing.bytes;
        shelf.views.insert(key, standing);
    }
}

impl Shelf {
    fn remove(&mut self, key: &Key) {
        if let Some(standing) = self.views.remove(key) {
            self.bytes -= standing.bytes;
        }
    }
}
