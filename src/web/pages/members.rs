//! The team: its members and what they may where, its open invitations, its name.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::actions::invitations::InvitationLine;
use crate::actions::members::{self, MemberLine, MemberView, Members, SetGrant};
use crate::actions::{FieldError, Refused, teams};
use crate::domain::help::Topic;
use crate::domain::ids::MemberId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, manage) = (Policy::Team(Permission::View), Policy::Team(Permission::ManageMembers));
    Routes::new()
        .about(Topic::Members)
        .get("/t/{team}/members", view, index)
        .post("/t/{team}/members/leave", view, leave)
        .get("/t/{team}/members/{id}", view, show)
        .post("/t/{team}/members/{id}/grants", manage, set_grant)
        .post("/t/{team}/members/{id}/remove", manage, remove)
        .post("/t/{team}/name", Policy::Team(Permission::OwnTeam), rename)
}

/// The team's page.
#[derive(Template)]
#[template(path = "members/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The team's slug.
    pub team: String,
    /// The team's name.
    pub name: String,
    /// What it shows.
    pub view: Members,
    /// Open invitations, each with the button that takes it back.
    pub invitations: Vec<(InvitationLine, Form)>,
    /// The form of the team's name.
    pub rename: Option<Form>,
    /// The form to leave.
    pub leave: Form,
}

impl Index {
    /// The page of this team.
    pub fn new(here: &Here, mut view: Members) -> Result<Self, Problem> {
        let place = here.place()?;
        let (team, name) = (place.team.slug.clone(), place.team.name.clone());
        let at = |below: &str| SafeUrl::path(["t", &team].into_iter().chain(below.split('/')));
        let revoke = |line: InvitationLine| {
            let action = SafeUrl::path(["t", &team, "invitations", &line.id.to_string(), "revoke"]);
            (line, Form::act(action, &here.token, "Take back", "small"))
        };
        let field = Field::text("name", "Name").value(&name).hint("Its addresses stay as they are.");
        let rename = Form::new(at("name"), &here.token, "Rename", vec![field]).style("").inline();
        let sure = Field::text("team", "The team's name")
            .exactly(&name)
            .hint(["Type ", &name, ". The way back is an invitation."].concat());
        Ok(Self {
            shell: Shell::new(here, "Team", "Team").crumb("Team", None),
            invitations: std::mem::take(&mut view.invitations).into_iter().map(revoke).collect(),
            rename: view.may_rename.then_some(rename),
            leave: Form::new(at("members/leave"), &here.token, "Leave the team", vec![sure]).style("danger").inline(),
            team,
            name,
            view,
        })
    }

    fn page(&self, line: &MemberLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "members", &line.id.to_string()])
    }

    fn notices(&self) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "notices"])
    }

    fn invite(&self) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "invitations", "new"])
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

/// A member's page.
#[derive(Template)]
#[template(path = "members/show.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The member.
    pub view: MemberView,
    /// The form of a role somewhere.
    pub grant: Option<Form>,
    /// The form that removes the member.
    pub remove: Option<Form>,
}

impl Show {
    /// The page of this member.
    pub fn new(here: &Here, view: MemberView) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let id = view.line.id.to_string();
        let may = !view.scopes.is_empty();
        let scopes = view.scopes.iter().map(|scope| Choice::new(&scope.value, &scope.words, "")).collect();
        let mut roles: Vec<Choice> = view
            .roles
            .iter()
            .map(|role| Choice::new(role.word(), role.word(), super::invitations::may(*role)))
            .collect();
        roles.push(Choice::new("", "none", "takes back what was given there"));
        let first = view.line.grants.first();
        let fields = vec![
            Field::of(Input::Select(scopes), "scope", "Where")
                .value(first.map_or("team", |grant| grant.place.value.as_str())),
            Field::of(Input::Radio(roles), "role", "Role there").value(first.map_or("", |grant| grant.role.word())),
        ];
        let at = |act: &str| SafeUrl::path(["t", &team, "members", &id, act]);
        let sure = Field::code("email", "The member's e-mail address")
            .exactly(&view.line.email)
            .hint(["Type ", &view.line.email, ". What they asked for goes on under their name."].concat());
        let remove = Form::new(at("remove"), &here.token, "Remove from the team", vec![sure]).style("danger").inline();
        Ok(Self {
            shell: Shell::new(here, view.line.name.clone(), "Team")
                .crumb("Team", Some(SafeUrl::path(["t", &team, "members"])))
                .crumb(view.line.name.clone(), None),
            grant: may.then(|| Form::new(at("grants"), &here.token, "Set the role", fields)),
            remove: (may && !view.line.me).then_some(remove),
            view,
        })
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

async fn index(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let view = members::list(web.actions(), here.actor()?).await?;
    Ok(page_with(StatusCode::OK, &Index::new(&here, view)?))
}

/// The team's page again, with why something was refused.
async fn again(
    web: &Web,
    here: &Here,
    put: impl FnOnce(&mut Index, Vec<FieldError>, String),
    refused: Refused,
) -> Result<Response, Problem> {
    let (fields, whole) = match refused {
        Refused::Fields(fields) => (fields, String::new()),
        Refused::Conflict(why) => (Vec::new(), why),
        other => return Err(other.into()),
    };
    let mut index = Index::new(here, members::list(web.actions(), here.actor()?).await?)?;
    put(&mut index, fields, whole);
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &index))
}

/// A form with what was refused of it.
fn mend(form: Form, fields: &[FieldError], whole: String) -> Form {
    if whole.is_empty() { form.refuse(fields) } else { form.refuse_whole(whole) }
}

async fn leave(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    match members::leave(web.actions(), here.actor()?, &sent.get("team")).await {
        Ok(()) => {
            session::flash(&session, &format!("You have left {}.", here.place()?.team.name)).await?;
            Ok(Redirect::to("/teams").into_response())
        }
        Err(refused) => {
            let typed = sent.get("team");
            let put = |index: &mut Index, fields: Vec<FieldError>, whole| {
                index.leave = mend(index.leave.clone().with("team", &typed), &fields, whole);
            };
            again(&web, &here, put, refused).await
        }
    }
}

async fn rename(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    match teams::rename(web.actions(), here.actor()?, &sent.get("name")).await {
        Ok(_) => {
            session::flash(&session, "The team has its new name.").await?;
            Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "members"]).as_str()).into_response())
        }
        Err(refused) => {
            let typed = sent.get("name");
            let put = |index: &mut Index, fields: Vec<FieldError>, whole| {
                index.rename = index.rename.take().map(|form| mend(form.with("name", &typed), &fields, whole));
            };
            again(&web, &here, put, refused).await
        }
    }
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, MemberId)>) -> Result<Response, Problem> {
    let view = members::get(web.actions(), here.actor()?, id).await?;
    Ok(page_with(StatusCode::OK, &Show::new(&here, view)?))
}

async fn set_grant(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, MemberId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = SetGrant { scope: sent.get("scope"), role: sent.get("role") };
    let (fields, whole) = match members::set_grant(web.actions(), here.actor()?, id, input).await {
        Ok(()) => {
            session::flash(&session, "That holds from now on.").await?;
            // Whoever has just demoted themselves may not see this page any more, and is told so there.
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "members", &id.to_string()]);
            return Ok(Redirect::to(page.as_str()).into_response());
        }
        Err(Refused::Fields(fields)) => (fields, String::new()),
        Err(Refused::Conflict(why)) => (Vec::new(), why),
        Err(refused) => return Err(refused.into()),
    };
    let mut show = Show::new(&here, members::get(web.actions(), here.actor()?, id).await?)?;
    let (scope, role) = (sent.get("scope"), sent.get("role"));
    show.grant = show.grant.map(|form| mend(form.with("scope", &scope).with("role", &role), &fields, whole));
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
}

async fn remove(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, MemberId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let (fields, whole) = match members::remove(web.actions(), here.actor()?, id, &sent.get("email")).await {
        Ok(()) => {
            session::flash(&session, "Removed. From now on they see nothing of this team.").await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "members"]);
            return Ok(Redirect::to(page.as_str()).into_response());
        }
        Err(Refused::Fields(fields)) => (fields, String::new()),
        Err(Refused::Conflict(why)) => (Vec::new(), why),
        Err(refused) => return Err(refused.into()),
    };
    let mut show = Show::new(&here, members::get(web.actions(), here.actor()?, id).await?)?;
    let typed = sent.get("email");
    show.remove = show.remove.map(|form| mend(form.with("email", &typed), &fields, whole));
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
}
