//! Deliveries take turns: those of an app one after the other, as they came, and only a few at once in all. Whoever waits here
//! holds no connection of the database, so that no burst and no flood takes them from the pages.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::actions::Refused;
use crate::domain::ids::AppId;

/// Deliveries that are written down at once: a third of the connections that pages use.
const AT_ONCE: usize = 4;
/// Hooks that are looked up at once: half of the connections that ask who somebody is.
const LOOKUPS: usize = 2;
/// Deliveries of one app that wait, half of what the door reads at once: more are sent away, so that one app's flood leaves the
/// others their seats.
const WAITING: usize = 128;
/// How long a delivery waits: forges give up after 10 s.
const WITHIN: Duration = Duration::from_secs(5);

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);
static LOOKING: Semaphore = Semaphore::const_new(LOOKUPS);
static APPS: LazyLock<Mutex<HashMap<AppId, Arc<tokio::sync::Mutex<()>>>>> = LazyLock::new(Mutex::default);

/// The turn of one delivery; over when dropped.
pub(super) struct Turn {
    _app: OwnedMutexGuard<()>,
    _place: SemaphorePermit<'static>,
}

/// Waits for a delivery's turn to be written down.
pub(super) async fn of(app: AppId) -> Result<Turn, Refused> {
    let own = {
        let mut apps = APPS.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody holds or waits for.
        apps.retain(|_, turn| Arc::strong_count(turn) > 1);
        let own = apps.entry(app).or_default().clone();
        // The map has one, whoever has the turn another, and so has this.
        if Arc::strong_count(&own) > WAITING + 3 {
            return Err(too_many());
        }
        own
    };
    let turn = async {
        let app = own.lock_owned().await;
        let place = PLACES.acquire().await.ok()?;
        Some(Turn { _app: app, _place: place })
    };
    timeout(WITHIN, turn).await.ok().flatten().ok_or_else(too_many)
}

/// Waits for the turn to look a hook up.
pub(super) async fn to_look() -> Result<SemaphorePermit<'static>, Refused> {
    timeout(WITHIN, LOOKING.acquire()).await.ok().and_then(Result::ok).ok_or_else(too_many)
}

fn too_many() -> Refused {
    Refused::Unavailable("Too many deliveries wait for their turn. Send it again in a moment.".into())
}
