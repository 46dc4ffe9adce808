//! One's own account: password, signed-in devices, theme, teams.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::actions::Refused;
use crate::actions::accounts::{self, Account, ChangePassword, SessionLine};
use crate::domain::help::Topic;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, Input, SafeUrl, Sent, Shell, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .about(Topic::SignIn)
        .get("/account", Policy::Account, show)
        .post("/account/password", Policy::Account, change_password)
        .post("/account/sessions/end", Policy::Account, end_session)
}

/// A signed-in device and the button that signs it out.
pub struct SessionRow {
    /// The device.
    pub line: SessionLine,
    /// What it is, in words.
    pub device: String,
    /// The button.
    pub end: Option<Form>,
}

/// The page.
#[derive(Template)]
#[template(path = "account/show.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The account.
    pub view: Account,
    /// The form of the password.
    pub password: Form,
    /// Where one is signed in.
    pub sessions: Vec<SessionRow>,
}

impl Show {
    /// The page of this account.
    pub fn new(here: &Here, view: Account) -> Self {
        let fields = vec![
            Field::of(Input::Password("current-password"), "current", "Password as it is"),
            Field::of(Input::Password("new-password"), "new", "New password").hint("At least 12 characters."),
            Field::of(Input::Password("new-password"), "repeat", "New password again"),
        ];
        let password = Form::new(SafeUrl::path(["account", "password"]), &here.token, "Change password", fields);
        let row = |line: &SessionLine| {
            let mut form = Form::act(SafeUrl::path(["account", "sessions", "end"]), &here.token, "Sign out", "small");
            for group in &mut form.groups {
                group.fields = vec![Field::hidden("handle", &line.handle)];
            }
            SessionRow { device: device(&line.device), end: (!line.current).then_some(form), line: line.clone() }
        };
        let sessions = view.sessions.iter().map(row).collect();
        Self { shell: Shell::new(here, "Account", "").crumb("Account", None), password, sessions, view }
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

/// "Firefox on Linux", from what a browser calls itself. The order matters: most of them name their forebears too.
fn device(agent: &str) -> String {
    let first =
        |known: &[(&str, &'static str)]| known.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, word)| *word);
    let browser = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Windows", "Windows"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => [browser, " on ", system].concat(),
        (Some(word), None) | (None, Some(word)) => word.to_owned(),
        (None, None) => "Unknown".to_owned(),
    }
}

async fn show(State(web): State<Web>, here: Here, session: Session) -> Result<Response, Problem> {
    let view = accounts::get(web.actions(), here.account, &session::hash(&session)).await?;
    Ok(page_with(StatusCode::OK, &Show::new(&here, view)))
}

async fn change_password(
    State(web): State<Web>,
    here: Here,
    session: Session,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = ChangePassword { current: sent.get("current"), new: sent.get("new"), repeat: sent.get("repeat") };
    let hash = session::hash(&session);
    match accounts::change_password(web.actions(), here.account, &hash, &here.address, input).await {
        Ok(()) => {
            session::flash(&session, "The password is changed. Other devices were signed out.").await?;
            Ok(Redirect::to("/account").into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut show = Show::new(&here, accounts::get(web.actions(), here.account, &hash).await?);
            show.password = show.password.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(Refused::TooOften(why)) => {
            let mut show = Show::new(&here, accounts::get(web.actions(), here.account, &hash).await?);
            show.password = show.password.refuse_whole(why);
            Ok(page_with(StatusCode::TOO_MANY_REQUESTS, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn end_session(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Redirect, Problem> {
    match accounts::revoke_session(web.actions(), here.account, &sent.get("handle")).await {
        Ok(()) => {}
        Err(Refused::NotFound) => return Err(Problem::Conflict("That device was signed out already.".to_owned())),
        Err(refused) => return Err(refused.into()),
    }
    session::flash(&session, "Signed out there.").await?;
    Ok(Redirect::to("/account"))
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn browsers_are_told_by_what_only_they_say() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36 Edg/120.0";
        assert_eq!(device(edge), "Edge on Windows");
        assert_eq!(
            device("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"),
            "Firefox on Linux"
        );
        assert_eq!(device("<script>"), "Unknown");
    }
}
