//! Accounts: sign in, who one is in a team, password, signed-in devices. Not here: cookies.

use std::time::Duration;

use time::OffsetDateTime;

use super::fields::Fields;
use super::kept::Weigh;
use super::{Ctx, Refused, setup};
use crate::db::{self, members, sessions, sign_ins, teams};
use crate::domain::ids::{AccountId, TeamId};
use crate::domain::rights::{Actor, Moment, On, Permission};
use crate::domain::secret::Secret;
use crate::vault;

/// The sign-in form. Not `Debug`: it holds the password.
#[derive(Clone, Default)]
pub struct SignIn {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
}

/// Somebody whose password was right.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The account.
    pub account: AccountId,
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The teams, by name.
    pub teams: Vec<TeamLine>,
}

/// A team one belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamLine {
    /// The team.
    pub id: TeamId,
    /// Its short name: the first part of its addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// The account page.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When the password was last changed.
    pub password_changed_at: OffsetDateTime,
    /// Where one is signed in, latest first.
    pub sessions: Vec<SessionLine>,
    /// The teams, by name.
    pub teams: Vec<TeamLine>,
}

/// One signed-in device.
#[derive(Clone, Debug)]
pub struct SessionLine {
    /// What names it in a form: the hex of its id's hash, which opens nothing.
    pub handle: String,
    /// What it is: "Firefox on Linux".
    pub device: String,
    /// Where it was last seen from.
    pub address: String,
    /// When one signed in.
    pub created_at: OffsetDateTime,
    /// When it was last seen.
    pub last_seen_at: OffsetDateTime,
    /// True for the one that asks.
    pub current: bool,
}

/// The form that changes the password. Not `Debug`: it holds both.
#[derive(Clone, Default)]
pub struct ChangePassword {
    /// The password as it is.
    pub current: String,
    /// The new one, at least 12 characters.
    pub new: String,
    /// The new one again.
    pub repeat: String,
}

/// The one answer to an unknown address and to a wrong password.
const WRONG: &str = "The e-mail address or the password is not right.";

/// Checks address and password. An unknown address takes as long, and is answered the same, as a wrong password.
/// Attempts are counted before the password is looked at (`db::sign_ins` says against whom).
pub async fn sign_in(ctx: &Ctx, address: &str, input: SignIn) -> Result<SignedIn, Refused> {
    if input.email.len() > LONGEST_EMAIL || input.email.contains('\0') || input.password.len() > LONGEST_ENTRY {
        return Err(Refused::field("password", WRONG));
    }
    let mut tx = ctx.db.begin_door().await?;
    let wait = sign_ins::attempt(&mut tx, &input.email, address).await?;
    let known = db::accounts::credentials(&mut tx, input.email.trim()).await?;
    tx.commit().await?;
    if let Some(wait) = wait {
        return Err(too_many(wait));
    }
    let (who, hash) = known.map(|known| ((known.id, known.name), known.password_hash)).unzip();
    let right = vault::verify_password(Secret::new(input.password), hash).await;
    let (Some((account, name)), true) = (who, right) else { return Err(Refused::field("password", WRONG)) };

    let mut tx = ctx.db.begin_door().await?;
    sign_ins::succeeded(&mut tx, &input.email, address).await?;
    let teams = teams::of_account(&mut tx, account).await?;
    tx.commit().await?;
    let teams = teams.into_iter().map(team).collect();
    Ok(SignedIn { account, name, email: input.email.trim().to_lowercase(), teams })
}

/// Guessing is slowed down: this client has to wait.
fn too_many(wait: Duration) -> Refused {
    let seconds = wait.as_secs();
    let time = if seconds < 60 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) };
    Refused::TooOften(format!("Too many attempts. Try again in {time}."))
}

/// The longest e-mail address (RFC 5321), and the longest password that is looked at.
const LONGEST_EMAIL: usize = 254;
const LONGEST_ENTRY: usize = 4 * setup::LONGEST_PASSWORD;

/// Who an account is in a team, with the grants it has at this moment. A team one does not belong to is not found.
pub async fn actor(ctx: &Ctx, account: AccountId, team: &str, address: &str) -> Result<Actor, Refused> {
    let known = members::whoami(&mut *ctx.db.door().await?, account, Some(team)).await?.ok_or(Refused::NotFound)?;
    let (team, grants) = known.place.ok_or(Refused::NotFound)?;
    Ok(Actor::new(account, known.name, address.to_owned(), team, grants))
}

/// Who asks, and where they stand: what the frame of every page shows.
#[derive(Clone, Debug)]
pub struct Whoami {
    /// The name.
    pub name: String,
    /// The teams, by name.
    pub teams: Vec<TeamLine>,
    /// The place in the team that was named, if one has one there.
    pub place: Option<Place>,
}

/// A place in a team.
#[derive(Clone, Debug)]
pub struct Place {
    /// Somebody who acts in it, with the grants of this moment.
    pub actor: Actor,
    /// The team.
    pub team: TeamLine,
    /// Jobs that run or wait in it now.
    pub running: i64,
}

/// Who asks, in which teams they are, and who they are in the one named; `moment` is when their session was read. None where
/// the account is gone.
pub async fn whoami(
    ctx: &Ctx,
    account: AccountId,
    moment: Option<&Moment>,
    slug: Option<&str>,
    address: &str,
) -> Result<Option<Whoami>, Refused> {
    let read = async || Ok(Known(members::whoami(&mut *ctx.db.door().await?, account, slug).await?));
    let known = ctx.kept.of_account(ctx, moment, account, slug.unwrap_or_default(), read).await?;
    let Some(known) = known.0.clone() else { return Ok(None) };
    let all: Vec<TeamLine> = known.teams.into_iter().map(team).collect();
    let line = |id: TeamId| all.iter().find(|line| line.id == id).cloned();
    let place = match known.place.and_then(|(id, grants)| line(id).map(|team| (team, grants))) {
        Some((team, grants)) => {
            let actor = Actor::new(account, known.name.clone(), address.to_owned(), team.id, grants);
            let actor = actor.read_at(known.moment);
            let running = *ctx.kept.view(ctx, &actor, team.id.0, async || running(ctx, &actor).await).await?;
            Some(Place { actor, team, running: running.0 })
        }
        None => None,
    };
    Ok(Some(Whoami { name: known.name, teams: all, place }))
}

/// Who an account is, where it is there.
struct Known(Option<members::Whoami>);

impl Weigh for Known {
    fn bytes(&self) -> usize {
        /// A team with its names, or a grant.
        const LINE: usize = 120;
        LINE * self.0.as_ref().map_or(1, |who| 2 + who.teams.len() + who.place.as_ref().map_or(0, |(_, all)| all.len()))
    }
}

/// How many jobs run or wait.
#[derive(Clone, Copy)]
struct Running(i64);

impl Weigh for Running {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

async fn running(ctx: &Ctx, actor: &Actor) -> Result<Running, Refused> {
    // Somebody of one project is not told how busy the others are.
    let Ok(permit) = actor.may(Permission::View, On::team(actor.team())) else { return Ok(Running(0)) };
    let mut tx = ctx.db.begin(&permit).await?;
    let count = db::jobs::count_unfinished(&mut tx, &permit).await?;
    tx.commit().await?;
    Ok(Running(count))
}

/// The teams of an account, by name.
pub async fn teams_of(ctx: &Ctx, account: AccountId) -> Result<Vec<TeamLine>, Refused> {
    let mut tx = ctx.db.begin_door().await?;
    let rows = teams::of_account(&mut tx, account).await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(team).collect())
}

/// The account page. `current` is the hash of the asking session's id.
pub async fn get(ctx: &Ctx, account: AccountId, current: &[u8]) -> Result<Account, Refused> {
    let mut tx = ctx.db.begin_door().await?;
    let row = db::accounts::get(&mut tx, account).await?.ok_or(Refused::NotFound)?;
    let signed_in = sessions::of_account(&mut tx, account).await?;
    let teams = teams::of_account(&mut tx, account).await?;
    tx.commit().await?;
    Ok(Account {
        id: row.id,
        name: row.name,
        email: row.email,
        created_at: row.created_at,
        password_changed_at: row.password_changed_at,
        sessions: signed_in
            .into_iter()
            .map(|session| SessionLine {
                current: vault::same(&session.id_hash, current),
                handle: hex::encode(&session.id_hash),
                device: session.device,
                address: session.address,
                created_at: session.created_at,
                last_seen_at: session.last_seen_at,
            })
            .collect(),
        teams: teams.into_iter().map(team).collect(),
    })
}

/// Signs one device of the account out.
pub async fn revoke_session(ctx: &Ctx, account: AccountId, handle: &str) -> Result<(), Refused> {
    let hash = hex::decode(handle).map_err(|_| Refused::NotFound)?;
    let mut tx = ctx.db.begin_door().await?;
    let ended = sessions::end(&mut tx, account, &hash).await?;
    tx.commit().await?;
    if ended { Ok(()) } else { Err(Refused::NotFound) }
}

/// Changes the password and signs all other devices out. The present password is asked again, and attempts at it are
/// counted as sign-ins are.
pub async fn change_password(
    ctx: &Ctx,
    account: AccountId,
    current_session: &[u8],
    address: &str,
    input: ChangePassword,
) -> Result<(), Refused> {
    let mut fields = Fields::default();
    let new = setup::password(&mut fields, "new", &input.new);
    if input.new != input.repeat {
        fields.wrong("repeat", "Repeat the new password exactly.");
    }
    if input.current.len() > LONGEST_ENTRY {
        fields.wrong("current", "This is not your password.");
    }
    let (Some(new), true) = (new, fields.fine()) else { return Err(fields.refuse()) };
    let mut tx = ctx.db.begin_door().await?;
    let row = db::accounts::get(&mut tx, account).await?.ok_or(Refused::NotFound)?;
    let wait = sign_ins::attempt(&mut tx, &row.email, address).await?;
    let hash = db::accounts::password_hash(&mut tx, account).await?;
    tx.commit().await?;
    if let Some(wait) = wait {
        return Err(too_many(wait));
    }
    if !vault::verify_password(Secret::new(input.current), hash).await {
        return Err(Refused::field("current", "This is not your password."));
    }
    let hash = vault::hash_password(new).await.ok_or_else(|| Refused::internal(&"no password could be hashed"))?;
    let mut tx = ctx.db.begin_door().await?;
    sign_ins::succeeded(&mut tx, &row.email, address).await?;
    db::accounts::set_password(&mut tx, account, &hash).await?;
    sessions::end_others(&mut tx, account, current_session).await?;
    tx.commit().await?;
    tracing::info!(account.id = %account, client.address = %address, "The password of account {account} was changed");
    Ok(())
}

/// Sets a forgotten password and signs all devices of the account out. For the panel's own machine only: who is asked for
/// nothing there may read the master key already.
pub async fn reset_password(ctx: &Ctx, email: &str, new: &str) -> Result<AccountId, Refused> {
    let mut fields = Fields::default();
    let new = setup::password(&mut fields, "password", new);
    let mut tx = ctx.db.begin_door().await?;
    let known = db::accounts::credentials(&mut tx, email.trim()).await?;
    tx.commit().await?;
    if known.is_none() {
        fields.wrong("email", "Nobody signs in with this address here.");
    }
    let (Some(new), Some(known)) = (new, known) else { return Err(fields.refuse()) };
    let hash = vault::hash_password(new).await.ok_or_else(|| Refused::internal(&"no password could be hashed"))?;
    let mut tx = ctx.db.begin_door().await?;
    db::accounts::set_password(&mut tx, known.id, &hash).await?;
    sessions::end_others(&mut tx, known.id, &[]).await?;
    sign_ins::forgive(&mut tx, email).await?;
    tx.commit().await?;
    tracing::info!(account.id = %known.id, "The password of account {} was set on the panel's machine", known.id);
    Ok(known.id)
}

/// A row as a line.
fn team(row: teams::Row) -> TeamLine {
    TeamLine { id: row.id, slug: row.slug, name: row.name }
}
