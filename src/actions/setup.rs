//! The first run: a one-time token opens set-up, which makes the owner's account and the team. Not here: sessions.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::fields::Fields;
use super::setup_name::{self, Wanted};
use super::{Ctx, Refused};
use crate::db::{accounts, audit, members, panel, setup as setup_tokens, teams};
use crate::domain::ids::{AccountId, MemberId, TeamId};
use crate::domain::names::{DisplayName, Email, Slug};
use crate::domain::rights::{Actor, Grant, On, Permission, Role, Scope};
use crate::domain::secret::Secret;
use crate::vault;

/// Whether the panel has an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody owns it: set-up is open to whoever has the token.
    Open,
    /// It has an owner: set-up is closed for good.
    Done,
}

/// The set-up form. Not `Debug`: it holds the password.
#[derive(Clone, Default)]
pub struct SetUp {
    /// The one-time token of the link.
    pub token: String,
    /// The owner's name.
    pub name: String,
    /// The owner's e-mail address: what one signs in with.
    pub email: String,
    /// The password, at least 12 characters.
    pub password: String,
    /// The team's name.
    pub team: String,
    /// The name the panel shall have, and what that needs; nothing where its domain is empty.
    pub address: Wanted,
}

/// The owner, ready to be signed in.
#[derive(Clone, Debug)]
pub struct FirstOwner {
    /// The account.
    pub account: AccountId,
    /// The owner's name.
    pub name: String,
    /// The team's slug: the first part of all its addresses.
    pub team: String,
    /// Whether a name for the panel is being tried, or why it is not; none where none was asked for.
    pub tried: Option<Result<(), String>>,
}

/// How long a set-up link works: long enough to open an ssh tunnel, short enough to be worthless in an old log.
pub const TOKEN_LIVES: Duration = Duration::from_secs(30 * 60);
/// The least length of a password, in characters (NIST SP 800-63B-4 asks for 15 where it stands alone, 8 beside another).
pub const SHORTEST_PASSWORD: usize = 12;
/// The longest password that is hashed: more is only work.
pub const LONGEST_PASSWORD: usize = 1024;
/// The slug of the team that exists before anybody owns it.
const UNOWNED: &str = "home";

/// Whether the panel has an owner.
pub async fn stage(ctx: &Ctx) -> Result<Stage, Refused> {
    let mut tx = ctx.db.begin_door().await?;
    let panel = panel::get(&mut tx).await?;
    tx.commit().await?;
    Ok(match panel.and_then(|panel| panel.set_up_at) {
        Some(_) => Stage::Done,
        None => Stage::Open,
    })
}

/// A new one-time link; the one before works no longer. None where the panel has an owner.
pub async fn new_link(ctx: &Ctx) -> Result<Option<String>, Refused> {
    let mut tx = ctx.db.begin_door().await?;
    if panel::get(&mut tx).await?.is_some_and(|panel| panel.set_up_at.is_some()) {
        return Ok(None);
    }
    let token = vault::random_token();
    setup_tokens::replace(&mut tx, &vault::token_hash(token.expose()), TOKEN_LIVES).await?;
    tx.commit().await?;
    Ok(Some(format!("{}/setup?token={}", super::panel::base_url(ctx).await?, token.expose())))
}

/// Whether the token of a link opens set-up now. A closed set-up and a wrong token are the same answer.
pub async fn opens(ctx: &Ctx, token: &str) -> Result<bool, Refused> {
    let mut tx = ctx.db.begin_door().await?;
    let opens = setup_tokens::opens(&mut tx, &vault::token_hash(token)).await?;
    let open = panel::get(&mut tx).await?.is_some_and(|panel| panel.set_up_at.is_none());
    tx.commit().await?;
    Ok(opens && open)
}

/// Makes the owner's account and the team, and closes set-up: all in one transaction, for one person only.
pub async fn create_owner(ctx: &Ctx, address: &str, input: SetUp) -> Result<FirstOwner, Refused> {
    if !opens(ctx, &input.token).await? {
        return Err(spent());
    }
    let mut fields = Fields::default();
    let name = fields.text::<DisplayName>("name", &input.name);
    let email = fields.text::<Email>("email", &input.email);
    let team = fields.text::<DisplayName>("team", &input.team);
    let password = password(&mut fields, "password", &input.password);
    let mut door = ctx.db.begin_door().await?;
    let known = teams::first(&mut door).await?;
    door.commit().await?;
    let id = known.as_ref().map_or_else(|| TeamId(Uuid::now_v7()), |team| team.id);
    let wants_a_name = !input.address.domain.trim().is_empty();
    if wants_a_name {
        let permit = Actor::on_the_panels_machine(id).may(Permission::OwnTeam, On::team(id))?;
        setup_name::check(ctx, &permit, &mut fields, &input.address).await?;
    }
    let (Some(name), Some(email), Some(team), Some(password), true) = (name, email, team, password, fields.fine())
    else {
        return Err(fields.refuse());
    };
    let hash = vault::hash_password(password).await.ok_or_else(|| Refused::internal(&"no password could be hashed"))?;

    let account = AccountId(Uuid::now_v7());
    // The permit of the owner-to-be. It comes to nothing unless the token is spent in the same transaction.
    let grant = Grant { scope: Scope::Team(id), role: Role::Owner };
    let actor = Actor::new(account, name.to_string(), address.to_owned(), id, vec![grant]);
    let permit = actor.may(Permission::OwnTeam, On::team(id))?;
    let mut tx = ctx.db.begin(&permit).await?;
    // The row of the panel first: of two at once the second waits here, and then finds it closed.
    if !panel::close_set_up(&mut tx).await? || !setup_tokens::spend(&mut tx, &vault::token_hash(&input.token)).await? {
        return Err(spent());
    }
    let slug = Slug::of(team.as_ref(), "team", &[]);
    match known {
        Some(_) => teams::rename(&mut tx, id, &slug, &team).await?,
        None => teams::insert(&mut tx, id, &slug, &team, &ctx.vault.new_team_key(id)).await?,
    }
    accounts::insert(&mut tx, account, &email, name.as_ref(), &hash).await?;
    let member = MemberId(Uuid::now_v7());
    members::insert(&mut tx, &permit, member, account).await?;
    members::grant(&mut tx, &permit, member, grant).await?;
    let event = audit::New {
        action: "panel.set_up",
        kind: "team",
        subject: Some(id.0),
        name: team.as_ref(),
        before: None,
        after: Some(json!({ "owner": email, "team": team })),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    // The panel has its owner, whatever becomes of the name: its page says more, and takes another.
    let tried = match wants_a_name {
        true => Some(setup_name::begin(ctx, &actor, &input.address).await.map_err(|refused| refused.in_words())),
        false => None,
    };
    Ok(FirstOwner { account, name: name.into(), team: slug.into(), tried })
}

/// The team that things can be enrolled in before anybody owns the panel: the oldest one, made where there is none. Its
/// owner is whoever sets the panel up.
pub async fn first_team(ctx: &Ctx) -> Result<TeamId, Refused> {
    let mut door = ctx.db.begin_door().await?;
    let known = teams::first(&mut door).await?;
    door.commit().await?;
    if let Some(team) = known {
        return Ok(team.id);
    }
    let id = TeamId(Uuid::now_v7());
    let permit = Actor::on_the_panels_machine(id).may(Permission::OwnTeam, On::team(id))?;
    let mut tx = ctx.db.begin(&permit).await?;
    let name: DisplayName = "Home".parse().map_err(|bad| Refused::internal(&bad))?;
    super::teams::insert(ctx, &mut tx, &permit, &Slug::of(UNOWNED, UNOWNED, &[]), &name).await?;
    tx.commit().await?;
    Ok(id)
}

/// The answer to a token that is wrong, too old or used.
fn spent() -> Refused {
    Refused::Conflict(
        "This set-up link does not work any more. Print a new one on the panel's machine with: skiff setup".into(),
    )
}

/// Reads a new password.
pub(super) fn password(fields: &mut Fields, field: &'static str, raw: &str) -> Option<Secret<String>> {
    let length = raw.chars().count();
    if (SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
        return Some(Secret::new(raw.to_owned()));
    }
    fields.wrong(field, format!("Use {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters. A few words do well."));
    None
}
