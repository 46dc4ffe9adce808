//! What calls answer with. Not here: what did not work out (`problem`).

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::BASE;
use crate::actions::jobs::Download;

/// One page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins: send it as `cursor`. None on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that is never long.
    pub fn whole(items: impl IntoIterator<Item = T>) -> Json<Self> {
        Json(Self { items: items.into_iter().collect(), next: None })
    }

    /// A page of at most so many; where it is full, `next` says where it goes on.
    pub fn part<L>(lines: Vec<L>, most: i64, next: impl FnOnce(&L) -> String) -> Json<Self>
    where
        T: From<L>,
    {
        let full = i64::try_from(lines.len()).is_ok_and(|count| count >= most);
        let next = lines.last().filter(|_| full).map(next);
        Json(Self { items: lines.into_iter().map(T::from).collect(), next })
    }
}

/// A time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub OffsetDateTime);

impl From<OffsetDateTime> for Time {
    fn from(at: OffsetDateTime) -> Self {
        Self(at)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_offset(time::UtcOffset::UTC).format(&Rfc3339).map_err(serde::ser::Error::custom)?;
        to.serialize_str(&text)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Something was made: 201, with where it is now.
pub struct Created<T> {
    path: String,
    body: T,
}

impl<T> Created<T> {
    /// What was made, at this path below the base.
    pub fn at(path: String, body: T) -> Self {
        Self { path, body }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        located(StatusCode::CREATED, &self.path, self.body)
    }
}

/// Something will be done: 202. Where it can be followed is said, where it can.
pub struct Accepted<T> {
    path: Option<String>,
    status: StatusCode,
    body: T,
}

impl<T> Accepted<T> {
    /// What will be done.
    pub fn new(body: T) -> Self {
        Self { path: None, status: StatusCode::ACCEPTED, body }
    }

    /// The same, to be followed at this path below the base.
    pub fn at(path: String, body: T) -> Self {
        Self { path: Some(path), ..Self::new(body) }
    }

    /// It had been asked for before: 200.
    pub fn again(mut self) -> Self {
        self.status = StatusCode::OK;
        self
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        match self.path {
            Some(path) => located(self.status, &path, self.body),
            None => (self.status, Json(self.body)).into_response(),
        }
    }
}

fn located(status: StatusCode, path: &str, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(place) = HeaderValue::from_str(&[BASE, path].concat()) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// A log as it was said, as one text.
pub struct Text(pub Download);

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        let name = ["attachment; filename=\"", &self.0.file, "\""].concat();
        let kind = "text/plain; charset=utf-8".to_owned();
        ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], Body::from_stream(self.0.bytes))
            .into_response()
    }
}
