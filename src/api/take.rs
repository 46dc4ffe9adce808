//! What calls take out of a request: the body, the query, names in the path. Everything that is wrong in it is said by the
//! field's name. Not here: what the fields mean; the actions say that.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header;
use axum::http::request::Parts;
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::Api;
use super::openapi::{Operation, Told};
use super::problem::{Problem, Wrong};
use crate::actions::tokens::Caller;
use crate::actions::{apps, hosts};
use crate::domain::ids::{AppId, EnvironmentId, HostId};

/// The body, as JSON. An empty one is an empty object.
pub struct Sent<T>(pub T);

impl<T: JsonSchema> Told for Sent<T> {
    fn tell(operation: &mut Operation<'_>) {
        operation.body::<T>();
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map_err(|_| Problem::Unreadable("The body broke off.".to_owned()))?.to_bytes();
        if bytes.is_empty() {
            return read(b"{}").map(Self);
        }
        if !is_json(&parts) {
            return Err(Problem::MediaType);
        }
        read(&bytes).map(Self)
    }
}

fn is_json(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if let Some(problem) = no_object(bytes) {
        return Err(problem);
    }
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let whole = serde_path_to_error::deserialize(&mut from).map_err(|error| {
        let path = error.path().clone();
        let cause = error.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data => Problem::Fields(vec![wrong(&path, &cause.to_string())]),
            // A word was expected and a list or an object is there: the reader stumbles over it as over bad text.
            _ if std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok()) => {
                Problem::Fields(vec![wrong(&path, "")])
            }
            _ => no_json(&cause),
        }
    })?;
    let more = |_| Problem::Unreadable("There is more behind the JSON value of the body.".to_owned());
    from.end().map_err(more)?;
    Ok(whole)
}

/// What is wrong with a body that is no object: a list would be taken for the fields in their order, and an empty one for no field at all.
fn no_object(bytes: &[u8]) -> Option<Problem> {
    let kind = match bytes.trim_ascii_start().first()? {
        b'{' => return None,
        b'[' => "a list",
        b'"' => "a text",
        b'n' => "null",
        b't' | b'f' => "true or false",
        _ => "a number",
    };
    Some(match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) => Problem::Unreadable(format!("The body is {kind}. Send an object: {{\"name\": value, …}}.")),
        Err(cause) => no_json(&cause),
    })
}

fn no_json(cause: &serde_json::Error) -> Problem {
    Problem::Unreadable(format!("The body is no JSON: look at line {}, column {}.", cause.line(), cause.column()))
}

/// The field a mistake is in, and a sentence without what was sent: it may be a secret.
fn wrong(path: &serde_path_to_error::Path, said: &str) -> Wrong {
    use serde_path_to_error::Segment;
    let (mut field, mut entry) = (String::new(), None);
    for segment in path.iter() {
        match segment {
            Segment::Map { key } => field.clone_from(key),
            Segment::Seq { index } => entry = Some(*index),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let quoted = said.split('`').nth(1).unwrap_or_default();
    let detail = if said.starts_with("unknown field") {
        quoted.clone_into(&mut field);
        "There is no field of this name here.".to_owned()
    } else if said.starts_with("missing field") {
        quoted.clone_into(&mut field);
        "This field is needed.".to_owned()
    } else if said.starts_with("duplicate field") {
        quoted.clone_into(&mut field);
        "This field is there twice.".to_owned()
    } else {
        let expected = said.rsplit_once("expected ").map_or("another kind of value", |(_, expected)| expected);
        let expected = expected.split(" at line ").next().unwrap_or_default();
        format!("Send {}.", kind(expected))
    };
    // A name of theirs is not repeated at any length.
    let field = field.chars().filter(|c| !c.is_control()).take(80).collect();
    Wrong { field, entry, detail }
}

/// A kind of value as people say it.
fn kind(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not below 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a UUID string" => "an id".to_owned(),
        "unit" => "one word".to_owned(),
        other if other.starts_with("struct ") || other == "a map" => "an object".to_owned(),
        other => other.replace('`', ""),
    }
}

/// The query.
pub struct Asked<T>(pub T);

impl<T: JsonSchema> Told for Asked<T> {
    fn tell(operation: &mut Operation<'_>) {
        operation.query::<T>();
    }
}

impl<T: DeserializeOwned> FromRequestParts<Api> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Api) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|why| {
            let said = why.to_string();
            let name = said.rsplit(": ").find_map(|piece| piece.split('`').nth(1)).unwrap_or_default();
            let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
            Problem::Unreadable(match name.is_empty() {
                true => "Something in the query is not as this call takes it.".to_owned(),
                false => format!("The query is not as this call takes it: look at {name}."),
            })
        })
    }
}

/// One parameter of the path, as text.
async fn named(parts: &mut Parts, state: &Api, wanted: &str) -> Result<String, Problem> {
    let all = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::NotFound)?;
    let found = all.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
    found.ok_or(Problem::NotFound)
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or(Problem::Token)
    }
}

/// The app of `{app}`: by its id or its name.
pub struct OfApp(pub AppId);

impl Told for OfApp {
    fn tell(_: &mut Operation<'_>) {}
}

impl FromRequestParts<Api> for OfApp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Api) -> Result<Self, Problem> {
        let named = named(parts, state, "app").await?;
        if let Ok(id) = named.parse() {
            return Ok(Self(id));
        }
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self(apps::named(state.actions(), &caller.actor, &named).await?))
    }
}

/// The host of `{host}`: by its id or its short name.
pub struct OfHost(pub HostId);

impl Told for OfHost {
    fn tell(_: &mut Operation<'_>) {}
}

impl FromRequestParts<Api> for OfHost {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Api) -> Result<Self, Problem> {
        let named = named(parts, state, "host").await?;
        if let Ok(id) = named.parse() {
            return Ok(Self(id));
        }
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self(hosts::named(state.actions(), &caller.actor, &named).await?))
    }
}

/// The name of a parameter `{name}`, as text.
pub struct Named(pub String);

impl Told for Named {
    fn tell(_: &mut Operation<'_>) {}
}

impl FromRequestParts<Api> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Api) -> Result<Self, Problem> {
        named(parts, state, "name").await.map(Self)
    }
}

/// The id of a parameter `{id}`.
pub struct OfId<T>(pub T);

impl<T> Told for OfId<T> {
    fn tell(_: &mut Operation<'_>) {}
}

impl<T: std::str::FromStr> FromRequestParts<Api> for OfId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Api) -> Result<Self, Problem> {
        named(parts, state, "id").await?.parse().map(Self).map_err(|_| Problem::NotFound)
    }
}

/// The environment of `{environment}`: by its id.
pub struct OfEnvironment(pub EnvironmentId);

impl Told for OfEnvironment {
    fn tell(_: &mut Operation<'_>) {}
}

impl FromRequestParts<Api> for OfEnvironment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Api) -> Result<Self, Problem> {
        named(parts, state, "environment").await?.parse().map(Self).map_err(|_| Problem::NotFound)
    }
}

/// The number of a parameter `{number}`.
pub struct OfNumber(pub i32);

impl Told for OfNumber {
    fn tell(_: &mut Operation<'_>) {}
}

impl FromRequestParts<Api> for OfNumber {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Api) -> Result<Self, Problem> {
        named(parts, state, "number").await?.parse().map(Self).map_err(|_| Problem::NotFound)
    }
}

/// The name a caller gave its request, so that it is done once: the header Idempotency-Key.
pub struct Once(pub String);

impl Told for Once {
    fn tell(operation: &mut Operation<'_>) {
        operation.header(
            "Idempotency-Key",
            "A name for this request, 1–200 visible ASCII characters: asked again under it within a day, it is not done twice.",
        );
    }
}

impl FromRequestParts<Api> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let Some(name) = parts.headers.get("idempotency-key") else { return Ok(Self(String::new())) };
        let name = name.to_str().ok().filter(|name| !name.is_empty());
        let unfit = || Problem::Unreadable("The Idempotency-Key is not 1–200 visible ASCII characters.".to_owned());
        name.map(|name| Self(name.to_owned())).ok_or_else(unfit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[expect(dead_code, reason = "only read")]
        name: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        inner: Option<Inner>,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        list: Vec<Inner>,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        word: Option<crate::domain::rights::Role>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        port: u16,
    }

    fn said(text: &str) -> String {
        match read::<Form>(text.as_bytes()) {
            Ok(_) => "taken".to_owned(),
            Err(Problem::Fields(wrong)) => wrong
                .iter()
                .map(|wrong| format!("{} {:?} {}", wrong.field, wrong.entry, wrong.detail))
                .collect::<Vec<_>>()
                .join("; "),
            Err(Problem::Unreadable(why)) => why,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_the_fields_name_and_without_what_was_sent() {
        for (text, expected) in [
            (r#"{"name": "x"}"#, "taken"),
            (r#"{"name": "x", "nam": "skf_secret"}"#, "nam None There is no field of this name here."),
            (r#"{}"#, "name None This field is needed."),
            (r#"{"name": 5}"#, "name None Send a string."),
            (r#"{"name": "x", "inner": {"port": "skf_secret"}}"#, "port None Send a whole number, not below 0."),
            (r#"{"name": "x", "inner": {"port": 70000}}"#, "port None Send a whole number, not below 0."),
            (r#"{"name": "x", "inner": 5}"#, "inner None Send an object."),
            (r#"{"name": "x", "list": [{"port": 1}, {"port": -1}]}"#, "port Some(1) Send a whole number, not below 0."),
            (r#"{"name": "x", "word": ["viewer"]}"#, "word None Send another kind of value."),
            (r#"{"name": "x", "word": {"viewer": 1}}"#, "word None Send one word."),
            (r#"{"name": "x", "name": "y"}"#, "name None This field is there twice."),
            (r#"{"name": "x""#, "The body is no JSON: look at line 1, column 12."),
            (r#"{"name": "x"} {}"#, "There is more behind the JSON value of the body."),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }
}
