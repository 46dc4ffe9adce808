//! What did not work out, as RFC 9457 says it: a type that stays the same, a sentence for people, the fields by name. A fault
//! of ours shows an id, never a cause.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::actions::Refused;
use crate::domain::help::{self, Topic};
use crate::door::request_id::RequestId;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// What every type begins with.
const TYPE: &str = "urn:skiff:problem:";
/// Seconds after which a call may be tried again that was refused for now.
const RETRY_AFTER_S: &str = "5";
/// The same after too many wrong tokens.
const RETRY_AFTER_WRONG_S: &str = "60";

/// Why a call was not answered as wished. Named for what the caller can do.
#[derive(Clone, Debug)]
pub enum Problem {
    /// No token, or none that is good: one answer, whatever is the matter with it.
    Token,
    /// Seen, but not the token's to do.
    Forbidden(String),
    /// Not there, or not the token's to see.
    NotFound,
    /// There, but not for this method.
    Method,
    /// Fields to mend.
    Fields(Vec<Wrong>),
    /// Does not go with how things are now.
    Conflict(String),
    /// Cannot be read as what it should be.
    Unreadable(String),
    /// The body is no JSON, by its own word.
    MediaType,
    /// The body is too large.
    TooLarge,
    /// The body came too slowly.
    Slow,
    /// Asked for too often.
    TooOften(String),
    /// Cannot be done at the moment.
    Unavailable(String),
    /// A fault of ours; the log has the cause under this id, or under the request's where there is none.
    Fault(Option<String>),
}

/// A field that needs another value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Wrong {
    /// The field's name.
    pub field: String,
    /// Which entry of a list, counted from 0, where it is one.
    pub entry: Option<usize>,
    /// What is wrong and what to send instead.
    pub detail: String,
}

/// The body of a problem.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Body {
    /// Which kind of problem: stays the same, whatever the words.
    r#type: String,
    /// The kind in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What happened and what to try: one sentence for people.
    detail: String,
    /// The fields that need another value; empty where it is not about fields.
    errors: Vec<Wrong>,
    /// Where the docs say more.
    help: Topic,
    /// Under which id the panel's log has the cause, where it is a fault of the panel.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

impl Problem {
    /// The problem of a status that the machinery gave.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::Method,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::REQUEST_TIMEOUT => Self::Slow,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::MediaType,
            status if status.is_client_error() => Self::Unreadable("The request cannot be read.".to_owned()),
            _ => Self::Fault(None),
        }
    }

    /// Status, the end of the type, title.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Token => (StatusCode::UNAUTHORIZED, "token", "A token is needed"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not yours to do"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Nothing is here"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", "Not for this method"),
            Self::Fields(_) => (StatusCode::UNPROCESSABLE_ENTITY, "fields", "Some fields need another value"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "That does not go now"),
            Self::Unreadable(_) => (StatusCode::BAD_REQUEST, "unreadable", "The request cannot be read"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Not JSON"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "slow", "Too slow"),
            Self::TooOften(_) => (StatusCode::TOO_MANY_REQUESTS, "too-often", "Too often"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not at the moment"),
            Self::Fault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "fault", "Something went wrong inside Skiff"),
        }
    }

    /// Where the docs say more. `about` is what the call is about; how calls are made is for whoever writes programs.
    fn help(&self, about: Option<Topic>) -> Topic {
        match self {
            Self::Token => Topic::Token,
            Self::Forbidden(_) => Topic::Roles,
            Self::Fault(_) => Topic::Internal,
            Self::Fields(_) | Self::Conflict(_) => about.unwrap_or(Topic::Problems),
            // Before the call was let in it is about wrong tokens.
            Self::TooOften(_) => about.unwrap_or(Topic::Token),
            // The sentence knows best what is away.
            Self::Unavailable(why) => help::of_sentence(why).or(about).unwrap_or(Topic::Problems),
            Self::NotFound => Topic::NothingHere,
            Self::Method | Self::Unreadable(_) | Self::MediaType | Self::TooLarge | Self::Slow => Topic::Problems,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Token => {
                "Send a token that is good: Authorization: Bearer skf_… One that ran out, was ended, or whose \
                            account left the team is good no more."
                    .to_owned()
            }
            Self::NotFound => "There is no such thing, or it is not this token's to see.".to_owned(),
            Self::Method => {
                "This address is there, but not for this method: the header Allow says for which.".to_owned()
            }
            Self::Fields(wrong) => match wrong.as_slice() {
                [only] => format!("{}: {}", only.field, only.detail),
                all => format!("{} fields need another value.", all.len()),
            },
            Self::MediaType => "Send JSON, with the header Content-Type: application/json.".to_owned(),
            Self::TooLarge => "The body is larger than 1 MiB.".to_owned(),
            Self::Slow => "The body came too slowly.".to_owned(),
            Self::Fault(_) => {
                "Nothing was changed that is not shown. The panel's log has the cause under this id.".to_owned()
            }
            Self::Forbidden(why)
            | Self::Conflict(why)
            | Self::Unreadable(why)
            | Self::TooOften(why)
            | Self::Unavailable(why) => why.clone(),
        }
    }
}

/// In an answer's extensions: where the docs say more about what was asked for.
#[derive(Clone, Copy, Debug)]
pub struct About(pub Topic);

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NotFound,
            Refused::Forbidden(why) => Self::Forbidden(why.to_string()),
            Refused::Fields(fields) => {
                let wrong = |error: crate::actions::FieldError| Wrong {
                    field: error.field.to_owned(),
                    entry: error.entry,
                    detail: error.sentence,
                };
                Self::Fields(fields.into_iter().map(wrong).collect())
            }
            Refused::Conflict(why) => Self::Conflict(why),
            Refused::TooOften(why) => Self::TooOften(why),
            Refused::Unavailable(why) => Self::Unavailable(why),
            Refused::Internal(id) => Self::Fault(Some(id)),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a problem, once the request's id is known; answers of the machinery (no such route, another method)
/// become problems too.
pub async fn show(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let mut response = next.run(request).await;
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if !status.is_client_error() && !status.is_server_error() => return response,
        None => Problem::of_status(status),
    };
    let about = response.extensions().get::<About>().map(|about| about.0);
    let mut drawn = draw(&problem, about, &id);
    if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
        drawn.headers_mut().insert(header::ALLOW, allow);
    }
    drawn
}

fn draw(problem: &Problem, about: Option<Topic>, request_id: &str) -> Response {
    let (status, slug, title) = problem.kind();
    let body = Body {
        r#type: [TYPE, slug].concat(),
        title: title.to_owned(),
        status: status.as_u16(),
        detail: problem.detail(),
        help: problem.help(about),
        errors: match problem {
            Problem::Fields(wrong) => wrong.clone(),
            _ => Vec::new(),
        },
        id: match problem {
            Problem::Fault(id) => Some(id.clone().unwrap_or_else(|| request_id.to_owned())),
            _ => None,
        },
    };
    let mut response = (status, axum::Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    match problem {
        Problem::Token => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"skiff\""));
        }
        Problem::TooOften(_) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_WRONG_S));
        }
        Problem::Unavailable(_) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        _ => {}
    }
    response
}
