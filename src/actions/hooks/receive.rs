//! A forge calls: its signature is checked over the bytes as they came, before anything of them is read; then the delivery
//! and the deploy it asks for are written in one transaction. Not here: HTTP.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{place, turns, unseal};
use crate::actions::{Ctx, Refused, deploys};
use crate::db::hooks::Known;
use crate::db::{self, deliveries};
use crate::domain::deploy::Target;
use crate::domain::hook::{self, Answer, Event, Headers, Provider, Push, Verdict};
use crate::domain::ids::{AppId, DeliveryId, DeployId, HookId};
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::domain::secret::Secret;
use crate::providers::forges::{self, Proof};
use crate::vault::random_token;

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
    let Incoming { provider, id, headers, body, address } = incoming;
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
    let key = match forge.delivery(&headers) {
        Some(id) => id,
        // A forge without ids sends the same bytes again; a generic sender without one means it each time.
        None if provider == Provider::Generic => ["skiff:", &delivery.to_string()].concat(),
        None => ["sha256:", &hex::encode(Sha256::digest(&body))].concat(),
    };
    keep(ctx, &actor, &known, Call { delivery, key: &key, name: &forge.event(&headers), event: &event }).await
}

/// The hook of this id, if there is one.
async fn look_up(ctx: &Ctx, id: HookId) -> Result<Option<Known>, Refused> {
    let _turn = turns::to_look().await?;
    Ok(db::hooks::at_door(&mut *ctx.db.door().await?, id).await?)
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

/// A delivery that is to be written down.
struct Call<'a> {
    delivery: DeliveryId,
    key: &'a str,
    name: &'a str,
    event: &'a Event,
}

/// Writes the delivery and its deploy down, both or neither.
async fn keep(ctx: &Ctx, actor: &Actor, known: &Known, call: Call<'_>) -> Result<Received, Refused> {
    let app = known.app;
    let permit = actor.may(Permission::Deploy, On::team(known.team))?;
    let _turn = turns::of(app).await?;
    let mut tx = ctx.db.begin(&permit).await?;
    // One after the other: what another delivery of the same push has begun is seen.
    if !db::apps::lock(&mut tx, &permit, app).await? {
        return Ok(Received::Unsigned);
    }
    let nothing = Push::default();
    let push = if let Event::Push(push) = call.event { push } else { &nothing };
    let moved = push.reference.as_deref().unwrap_or_default();
    let new = deliveries::New {
        id: call.delivery,
        app,
        provider: known.provider,
        key: call.key,
        event: call.name,
        branch: moved.strip_prefix("refs/heads/").unwrap_or(moved),
        commit: push.commit.as_ref().map(AsRef::as_ref).unwrap_or_default(),
        author: &push.author,
        subject: &push.subject,
        address: actor.who().address(),
    };
    if !deliveries::insert(&mut tx, &permit, &new).await? {
        return Ok(Received::Again);
    }
    let (answer, reason, deploy) = act(&mut tx, &permit, actor, known, call.event).await?;
    deliveries::answer(&mut tx, &permit, call.delivery, answer, &reason, deploy).await?;
    deliveries::forget_old(&mut tx, &permit, app).await?;
    tx.commit().await?;
    Ok(Received::Kept { answer, reason, deploy })
}

/// Asks for the deploy, where one is to be.
async fn act(
    tx: &mut db::Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    known: &Known,
    event: &Event,
) -> Result<(Answer, String, Option<DeployId>), Refused> {
    let app: AppId = known.app;
    let row = db::apps::get(tx, permit, app).await?.ok_or(Refused::NotFound)?;
    if let Verdict::Ignore(why) = hook::decide(known.provider, &row.source, event) {
        return Ok((Answer::Ignored, why, None));
    }
    if let Event::Push(Push { commit: Some(commit), .. }) = event
        && deliveries::covered(tx, permit, app, commit).await?
    {
        return Ok((Answer::Present, "This commit is deployed already, or about to be.".to_owned(), None));
    }
    let said = deploys::Said::of(&row, &Target::Head, format!("Deploy {}", row.name));
    match deploys::ask(tx, permit, actor, &row, &Target::Head, said).await {
        Ok(deploy) => Ok((Answer::Deploys, "A deploy was asked for.".to_owned(), Some(deploy))),
        // Said before anything was written: the transaction is good.
        Err(Refused::Conflict(why)) => Ok((Answer::Refused, why, None)),
        Err(refused) => Err(refused),
    }
}
