//! A forge calls: its signature is checked over the bytes as they came, before anything of them is read. Not here: HTTP; writing
//! the delivery down (`keep.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::keep::{self, Call};
use super::together::Together;
use super::{place, unseal};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::db::hooks::Known;
use crate::domain::hook::{self, Answer, Headers, Provider};
use crate::domain::ids::{AppId, DeliveryId, DeployId, HookId};
use crate::domain::rights::Actor;
use crate::domain::secret::Secret;
use crate::providers::forges::{self, Proof};
use crate::vault::random_token;

/// Calls whose hooks wait to be looked up: what the door reads at once is less.
const LOOKUPS: usize = 1024;
/// Deliveries of one app that wait to be written down, a kilobyte or two each. More are sent away.
const WAITING: usize = 512;
/// Apps whose deliveries are written down at once: a third of the connections that pages use.
const APPS_AT_ONCE: usize = 4;
/// A body larger than this is hashed beside the threads that answer: its HMAC takes longer than a millisecond.
const LARGE: usize = 256 * 1024;

/// A request to a hook.
pub struct Incoming {
    /// Who calls, by the address.
    pub provider: Provider,
    /// The hook, by the address.
    pub id: String,
    /// Its headers.
    pub headers: Headers,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// The client's address.
    pub address: String,
    /// The seat that the body's memory is counted by: free again when the body is.
    pub seat: Option<OwnedSemaphorePermit>,
}

/// What is answered to somebody who waits for a delivery to be written down.
type Written = Result<Received, Refused>;

/// The lines in which calls are answered together. Cheap to clone.
#[derive(Clone)]
pub struct Lines {
    lookups: Together<HookId, Result<Option<Known>, Refused>>,
    /// Those of an app are written down one after the other, as they came.
    apps: Arc<Mutex<HashMap<AppId, Together<Call, Written>>>>,
    places: Arc<Semaphore>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { lookups: Together::default(), apps: Arc::default(), places: Arc::new(Semaphore::new(APPS_AT_ONCE)) }
    }
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// No such hook, or not its signature: the same answer for both, and nothing is written down.
    Unsigned,
    /// It was received before.
    Again,
    /// It was written down.
    Kept {
        /// What came of it.
        answer: Answer,
        /// Why, in a sentence.
        reason: String,
        /// The deploy that was asked for.
        deploy: Option<DeployId>,
    },
}

/// True where a request shows something that could prove its sender: without it, its body need not be read.
pub fn may_be_signed(provider: Provider, headers: &Headers) -> bool {
    forges::of(provider).proof(headers).is_some()
}

/// Receives a call.
pub async fn receive(ctx: &Ctx, incoming: Incoming) -> Result<Received, Refused> {
    let Incoming { provider, id, headers, body, address, seat } = incoming;
    let forge = forges::of(provider);
    let Some(proof) = forge.proof(&headers) else { return Ok(Received::Unsigned) };
    let id = HookId(id.parse().unwrap_or(Uuid::nil()));
    let known = look_up(ctx, id).await?.filter(|known| known.provider == provider);
    // Where there is no hook, the same work is done with a secret that nobody knows.
    let secret = known.as_ref().and_then(|known| secret(ctx, id, known));
    let (there, secret) = (secret.is_some(), secret.unwrap_or_else(random_token));
    let (fits, body) = holds(proof, secret, body).await?;
    let Some(known) = known.filter(|_| there && fits) else { return Ok(Received::Unsigned) };

    let event = forge.read(&headers, &body);
    let delivery = DeliveryId(Uuid::now_v7());
    let actor = Actor::of_delivery(delivery, hook::words(&event), address, known.team);
    let name = forge.event(&headers);
    let key = match forge.delivery(&headers) {
        Some(id) => id,
        // A forge without ids sends the same bytes again; a generic sender without one means it each time.
        None if provider == Provider::Generic => ["skiff:", &delivery.to_string()].concat(),
        None => ["sha256:", &hex::encode(Sha256::digest(&body))].concat(),
    };
    drop((body, seat));
    write_down(ctx, Call { actor, known, delivery, key, name, event }).await
}

/// Waits until the delivery is written down.
async fn write_down(ctx: &Ctx, call: Call) -> Result<Received, Refused> {
    let (app, places) = (call.known.app, ctx.hooks.places.clone());
    let line = {
        let mut apps = ctx.hooks.apps.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever took one out of the map before this a moment ago has it to itself; the app's row keeps the two apart.
        apps.retain(|_, line| !line.is_idle());
        apps.entry(app).or_default().clone()
    };
    let ctx = ctx.clone();
    let answer = move |calls: Vec<Call>| {
        let (ctx, places) = (ctx.clone(), places.clone());
        async move {
            let _place = places.acquire().await;
            keep::all(&ctx, app, &calls).await
        }
    };
    line.ask(call, WAITING, answer).await?
}

/// The hook of this id, if there is one.
async fn look_up(ctx: &Ctx, id: HookId) -> Result<Option<Known>, Refused> {
    let db = ctx.db.clone();
    let answer = move |ids: Vec<HookId>| {
        let db = db.clone();
        async move {
            match all_at_door(&db, &ids).await {
                Ok(known) => ids.iter().map(|id| Ok(known.get(id).cloned())).collect(),
                Err(refused) => ids.iter().map(|_| Err(refused.clone())).collect(),
            }
        }
    };
    ctx.hooks.lookups.ask(id, LOOKUPS, answer).await?
}

/// The hooks of these ids, as far as they are there.
async fn all_at_door(db: &db::Db, ids: &[HookId]) -> Result<HashMap<HookId, Known>, Refused> {
    let found = db::hooks::at_door(&mut *db.door().await?, ids).await?;
    Ok(found.into_iter().map(|known| (known.id, known)).collect())
}

/// The secret of a hook. One that does not open fits nothing: the panel's log says which.
fn secret(ctx: &Ctx, id: HookId, known: &Known) -> Option<Secret<String>> {
    let opened = unseal(ctx, &known.data_key, &place(known.team, id, known.version), &known.sealed);
    opened.inspect_err(|error| tracing::error!(hook.id = %id, %error, "The secret of a hook does not open")).ok()
}

/// Whether the proof holds; gives the body back.
async fn holds(proof: Proof, secret: Secret<String>, body: Vec<u8>) -> Result<(bool, Vec<u8>), Refused> {
    let large = body.len() > LARGE;
    let check = move || (proof.holds(secret.expose(), &body), body);
    match large {
        false => Ok(check()),
        true => tokio::task::spawn_blocking(check).await.map_err(|error| Refused::internal(&error)),
    }
}
