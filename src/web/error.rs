//! Pages for what did not work out. Each says what happened and offers ways back; a fault of ours shows an id, never a cause.
//! Not here: refused forms (their page shows the sentences beside the fields).

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ui;
use crate::actions::Refused;
use crate::domain::help::{self, Topic};
use crate::door::request_id::RequestId;

/// Seconds after which a page that could not be shown may be asked for again.
const RETRY_AFTER_S: &str = "5";

/// Why a page cannot be shown. Named for what its reader can do.
#[derive(Clone, Debug)]
pub enum Problem {
    /// Nothing there, or nothing one may see: the same answer.
    NotFound,
    /// Seen, but not one's to do: the sentence names the role it needs.
    Forbidden(String),
    /// Nobody is signed in; `back` is where to go afterwards.
    SignIn {
        /// The page that was asked for.
        back: String,
    },
    /// The form came from elsewhere, or its page was too old.
    Forged,
    /// The request came under a name that is not this panel's.
    WrongHost {
        /// The panel's own address.
        base: String,
    },
    /// Does not go with how things are now.
    Conflict(String),
    /// Cannot be done at the moment.
    Unavailable(String),
    /// Asked for too often.
    TooOften(String),
    /// The request cannot be read.
    Unreadable(StatusCode),
    /// A fault of ours; the log has the cause under this id, or under the request's where there is none.
    Fault(Option<String>),
}

impl Problem {
    /// Notes the cause in the log and keeps it from the page.
    pub fn fault(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "A page could not be made");
        Self::Fault(None)
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden(_) | Self::Forged => StatusCode::FORBIDDEN,
            Self::SignIn { .. } => StatusCode::UNAUTHORIZED,
            Self::WrongHost { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unreadable(status) => *status,
            Self::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NotFound,
            Refused::Forbidden(why) => Self::Forbidden(why.to_string()),
            Refused::Fields(fields) => {
                Self::Conflict(fields.into_iter().map(|field| field.sentence).collect::<Vec<_>>().join(" "))
            }
            Refused::Conflict(why) => Self::Conflict(why),
            Refused::Unavailable(why) => Self::Unavailable(why),
            Refused::TooOften(why) => Self::TooOften(why),
            Refused::Internal(id) => Self::Fault(Some(id)),
        }
    }
}

impl From<tower_sessions::session::Error> for Problem {
    fn from(error: tower_sessions::session::Error) -> Self {
        tracing::error!(%error, "The session could not be read");
        Self::Unavailable("The panel cannot reach its database at the moment.".to_owned())
    }
}

/// In an answer's extensions: where the docs say more about what was asked for.
#[derive(Clone, Copy, Debug)]
pub struct About(pub Topic);

/// In an answer's extensions: it is for a program, and no page is drawn in its place.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "errors/page.html")]
struct Page<'a> {
    assets: &'a super::assets::Links,
    status: u16,
    title: &'a str,
    sentence: &'a str,
    advice: &'a str,
    id: &'a str,
    again: bool,
    help: Option<ui::SafeUrl>,
}

/// Draws the page of a problem, once the request's id is known; answers of the machinery (no such route, body too large)
/// become problems too.
pub async fn show(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let by_script = request.headers().contains_key("hx-request");
    let mut response = next.run(request).await;
    let status = response.status();
    if response.extensions().get::<Plain>().is_some() {
        return response;
    }
    let about = response.extensions().get::<About>().map(|about| about.0);
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if !status.is_client_error() && !status.is_server_error() => return response,
        None if response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) =>
        {
            return response;
        }
        None if status == StatusCode::SERVICE_UNAVAILABLE => return response, // `/ready`, for machines
        None if status == StatusCode::NOT_FOUND => Problem::NotFound,
        None if status.is_server_error() => Problem::Fault(None),
        None => Problem::Unreadable(status),
    };
    draw(&problem, about, &id, by_script)
}

fn draw(problem: &Problem, about: Option<Topic>, request_id: &str, by_script: bool) -> Response {
    if let Problem::SignIn { back } = problem {
        return to_sign_in(back, by_script);
    }
    let status = problem.status();
    let (title, sentence, advice) = words(problem);
    let id = match problem {
        Problem::Fault(Some(id)) => id.as_str(),
        Problem::Fault(None) => request_id,
        _ => "",
    };
    let again = matches!(problem, Problem::Unavailable(_) | Problem::Fault(_));
    let links = super::assets::links();
    let help = Some(ui::SafeUrl::help(more(problem, about)));
    let page = Page { assets: &links, status: status.as_u16(), title, sentence: &sentence, advice, id, again, help };
    let mut response = ui::page_with(status, &page);
    if matches!(problem, Problem::Unavailable(_)) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    }
    response
}

/// Where the docs say more. `about` is what the route is about.
fn more(problem: &Problem, about: Option<Topic>) -> Topic {
    match problem {
        Problem::NotFound => Topic::NothingHere,
        Problem::Unreadable(_) => Topic::Unreadable,
        Problem::SignIn { .. } => Topic::SignIn,
        Problem::Forbidden(_) => Topic::Roles,
        Problem::Forged => Topic::FormNotTaken,
        Problem::WrongHost { .. } => Topic::OtherAddress,
        Problem::Conflict(_) => about.unwrap_or(Topic::NotNow),
        Problem::TooOften(_) => about.unwrap_or(Topic::NotNow),
        // The sentence knows best what is away.
        Problem::Unavailable(why) => help::of_sentence(why).or(about).unwrap_or(Topic::NotNow),
        Problem::Fault(_) => Topic::Internal,
    }
}

/// What happened, and what to try.
fn words(problem: &Problem) -> (&'static str, String, &'static str) {
    match problem {
        Problem::NotFound => (
            "Nothing is here",
            "This address leads to nothing, or to something of another team.".to_owned(),
            "Check the address, or start again from home.",
        ),
        Problem::Forbidden(why) => {
            ("Not yours to do", why.clone(), "An owner or admin of the team can give you that role.")
        }
        Problem::SignIn { .. } => ("Sign in", String::new(), ""),
        Problem::Forged => (
            "This form was not taken",
            "It did not come from a page of this panel, or the page was too old.".to_owned(),
            "Go back, load the page again, and send it once more.",
        ),
        Problem::WrongHost { base } => (
            "This panel has another address",
            ["It answers at ", base, " only."].concat(),
            "Where that address is on the server itself, bring it to your machine with: ssh -L 7070:127.0.0.1:7070 you@server",
        ),
        Problem::Conflict(why) => ("That does not go now", why.clone(), "Go back and look how things are now."),
        Problem::Unavailable(why) => {
            ("Not at the moment", why.clone(), "The page tries again by itself in a few seconds.")
        }
        Problem::TooOften(why) => ("Too often", why.clone(), "Nothing was done. Wait as long as it says."),
        Problem::Unreadable(status) => (
            "The request could not be read",
            match *status {
                StatusCode::PAYLOAD_TOO_LARGE => "What was sent is larger than this form takes (1 MiB).",
                StatusCode::METHOD_NOT_ALLOWED => "This address is there, but not for this kind of request.",
                StatusCode::REQUEST_TIMEOUT => "The request came too slowly.",
                _ => "Something in it is not as this page sends it.",
            }
            .to_owned(),
            "Go back and try again.",
        ),
        Problem::Fault(_) => (
            "Something went wrong inside Skiff",
            "Nothing was changed that is not shown. The panel's log has the cause under this id.".to_owned(),
            "Try again; if it stays, look into the log.",
        ),
    }
}

/// A person is sent to sign in and then back; a script is told to go there.
fn to_sign_in(back: &str, by_script: bool) -> Response {
    let place = match back.is_empty() {
        true => "/login".to_owned(),
        false => {
            let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
            ["/login?back=", &back].concat()
        }
    };
    if by_script {
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", place)]).into_response();
    }
    axum::response::Redirect::to(&place).into_response()
}
