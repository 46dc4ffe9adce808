//! Inviting somebody, and the page a link leads to: with it one joins, signed in or with a new account.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::login::with_token;
use crate::actions::Refused;
use crate::actions::invitations::{self, Choices, Made, NewAccount, NewInvitation, Offer};
use crate::domain::help::Topic;
use crate::domain::ids::InvitationId;
use crate::domain::rights::{Permission, Role};
use crate::door::client;
use crate::web::actor::{At, Here, Newcomer};
use crate::web::assets::{self, Links};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let manage = Policy::Team(Permission::ManageMembers);
    Routes::new()
        .about(Topic::Inviting)
        .get("/t/{team}/invitations/new", manage, new)
        .post("/t/{team}/invitations", manage, create)
        .post("/t/{team}/invitations/{id}/revoke", manage, revoke)
        .get("/join", Policy::Open, offer)
        .post("/join", Policy::Open, join_as_new)
        .post("/join/account", Policy::Account, join)
}

/// What a role may, in a few words.
pub fn may(role: Role) -> &'static str {
    match role {
        Role::Viewer => "sees everything there but secrets",
        Role::Developer => "deploys, configures and makes apps",
        Role::Admin => "manages hosts (and so is root on them), projects and members",
        Role::Owner => "owns the team: names other owners, renames it",
    }
}

/// The page with the form.
#[derive(Template)]
#[template(path = "invitations/new.html")]
pub struct New {
    /// The frame.
    pub shell: Shell,
    /// The form.
    pub form: Form,
}

impl New {
    /// The form, with what was typed.
    pub fn new(here: &Here, choices: &Choices, input: &NewInvitation) -> Result<Self, Problem> {
        let team = &here.place()?.team.slug;
        let role = |role: &Role| Choice::new(role.word(), role.word(), may(*role));
        let place = |place: &crate::actions::scopes::ScopeLine| {
            (Choice::new(&place.value, &place.words, ""), input.scopes.contains(&place.value))
        };
        let fields = vec![
            Field::text("note", "For whom")
                .value(&input.note)
                .hint("A name or an address, for your list. May be empty.")
                .focus(),
            Field::of(Input::Radio(choices.roles.iter().map(role).collect()), "role", "Role").value(&input.role),
            Field::of(Input::Checks(choices.scopes.iter().map(place).collect()), "scopes", "Where")
                .hint("In these places alone; everything else of the team is not there for them."),
            Field::number("days", "The link works for", "days").value(&input.days).empty(invitations::DAYS.to_string()),
        ];
        let members = SafeUrl::path(["t", team, "members"]);
        let action = SafeUrl::path(["t", team, "invitations"]);
        Ok(Self {
            shell: Shell::new(here, "Invite", "Team").crumb("Team", Some(members.clone())).crumb("Invite", None),
            form: Form::new(action, &here.token, "Make the link", fields).back(members),
        })
    }
}

/// The page that shows a new link, once.
#[derive(Template)]
#[template(path = "invitations/made.html")]
pub struct Ready {
    /// The frame.
    pub shell: Shell,
    /// The invitation.
    pub made: Made,
    /// The team's page.
    pub members: SafeUrl,
}

/// The page a link leads to.
#[derive(Template)]
#[template(path = "invitations/offer.html")]
pub struct Show {
    /// The assets.
    pub assets: Links,
    /// What it says.
    pub offer: Offer,
    /// Until when the link works.
    pub until: When,
    /// Whether somebody is signed in, who then joins with that account.
    pub signed_in: bool,
    /// The form that joins.
    pub form: Form,
    /// Where one signs in and comes back from.
    pub sign_in: SafeUrl,
}

async fn new(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let choices = invitations::choices(web.actions(), here.actor()?).await?;
    let input =
        NewInvitation { role: Role::Developer.word().to_owned(), scopes: vec!["team".into()], ..Default::default() };
    Ok(page_with(StatusCode::OK, &New::new(&here, &choices, &input)?))
}

async fn create(State(web): State<Web>, here: Here, sent: Sent) -> Result<Response, Problem> {
    let input = NewInvitation {
        note: sent.get("note"),
        role: sent.get("role"),
        scopes: sent.all("scopes"),
        days: sent.get("days"),
    };
    let refused = match invitations::create(web.actions(), here.actor()?, input.clone()).await {
        Ok(made) => {
            let members = SafeUrl::path(["t", &here.place()?.team.slug, "members"]);
            let shell =
                Shell::new(&here, "Invited", "Team").crumb("Team", Some(members.clone())).crumb("Invited", None);
            return Ok(page_with(StatusCode::OK, &Ready { shell, made, members }));
        }
        Err(refused) => refused,
    };
    let mut page = New::new(&here, &invitations::choices(web.actions(), here.actor()?).await?, &input)?;
    page.form = match refused {
        Refused::Fields(fields) => page.form.refuse(&fields),
        Refused::Conflict(why) => page.form.refuse_whole(why),
        other => return Err(other.into()),
    };
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
}

async fn revoke(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, InvitationId)>,
) -> Result<Response, Problem> {
    invitations::revoke(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "Taken back: the link lets nobody in.").await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "members"]).as_str()).into_response())
}

impl Show {
    fn new(offer: Offer, link: &str, form_token: &str, signed_in: bool, input: &NewAccount) -> Self {
        let form = if signed_in {
            let fields = vec![Field::hidden("token", link)];
            Form::new(SafeUrl::path(["join", "account"]), form_token, "Join", fields)
        } else {
            let fields = vec![
                Field::hidden("token", link),
                Field::text("name", "Your name").value(&input.name).focus(),
                Field::of(Input::Email, "email", "E-mail").value(&input.email).hint("What you sign in with."),
                Field::of(Input::Password("new-password"), "password", "Password").hint("At least 12 characters."),
            ];
            Form::new(SafeUrl::path(["join"]), form_token, "Make an account and join", fields)
        };
        let until = When::new(offer.expires_at);
        let sign_in = SafeUrl::path(["login"]).back_to(&SafeUrl::path(["join"]).asking([("token", link)]));
        Self { assets: assets::links(), until, signed_in, form, sign_in, offer }
    }
}

/// The token stands in the query, as paths are logged.
#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    token: String,
}

async fn offer(
    State(web): State<Web>,
    newcomer: Newcomer,
    session: Session,
    Query(Asked { token: link }): Query<Asked>,
) -> Result<Response, Problem> {
    let offer = invitations::look(web.actions(), &link).await?;
    let who = session::signed_in(&session).await?;
    let token = who.as_ref().map_or(&newcomer.token, |who| &who.token);
    let show = Show::new(offer, &link, token, who.is_some(), &NewAccount::default());
    Ok(with_token(page_with(StatusCode::OK, &show), &web, &newcomer))
}

async fn join_as_new(
    State(web): State<Web>,
    newcomer: Newcomer,
    session: Session,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Problem> {
    let link = sent.get("token");
    let input = NewAccount { name: sent.get("name"), email: sent.get("email"), password: sent.get("password") };
    match invitations::join_as_new(web.actions(), &newcomer.address, &link, input.clone()).await {
        Ok(joined) => {
            session::sign_in(&session, joined.account, &client::agent(&headers), &newcomer.address).await?;
            session::flash(&session, &format!("Welcome to {}.", joined.team_name)).await?;
            Ok(Redirect::to(SafeUrl::path(["t", &joined.team]).as_str()).into_response())
        }
        Err(Refused::Fields(fields)) => {
            let offer = invitations::look(web.actions(), &link).await?;
            let mut show = Show::new(offer, &link, &newcomer.token, false, &input);
            show.form = show.form.refuse(&fields);
            Ok(with_token(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show), &web, &newcomer))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn join(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let link = sent.get("token");
    let joined = invitations::join(web.actions(), here.account, &here.name, &here.address, &link).await?;
    session::flash(&session, &format!("Welcome to {}.", joined.team_name)).await?;
    Ok(Redirect::to(SafeUrl::path(["t", &joined.team]).as_str()).into_response())
}
