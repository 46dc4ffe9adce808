//! The description of the API, OpenAPI 3.1, made of what is there: paths and policies of the table, bodies and queries of the
//! handlers' own arguments, answers of the types that are written. Not here: serving it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::answer::{Accepted, Created, Page, Text};
use super::problem;
use super::routes::{Policy, Route};
use super::{Api, BASE};
use crate::actions::tokens::Caller;
use crate::domain::VERSION;

/// Where the schemas are.
const SCHEMAS: &str = "/components/schemas";

/// The document under construction.
pub struct Document {
    paths: BTreeMap<String, Map<String, Value>>,
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            paths: BTreeMap::new(),
            read: generator(Contract::Deserialize, false),
            written: generator(Contract::Serialize, false),
        }
    }
}

fn generator(contract: Contract, inline: bool) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
        settings.contract = contract;
        settings.inline_subschemas = inline;
    });
    settings.into_generator()
}

/// One call of the document.
pub struct Operation<'a> {
    read: &'a mut SchemaGenerator,
    parameters: Vec<Value>,
    body: Option<Schema>,
}

impl Operation<'_> {
    /// It takes this as its body.
    pub fn body<T: JsonSchema>(&mut self) {
        self.body = Some(self.read.subschema_for::<T>());
    }

    /// It takes the fields of this in its query.
    pub fn query<T: JsonSchema>(&mut self) {
        let schema = generator(Contract::Deserialize, true).into_root_schema_for::<T>();
        let needed: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut field = field.clone();
            let words = field.as_object_mut().and_then(|field| field.remove("description"));
            self.parameters.push(json!({
                "name": name,
                "in": "query",
                "required": needed.contains(&name.as_str()),
                "description": words.unwrap_or_default(),
                "schema": field,
            }));
        }
    }

    /// It takes this header.
    pub fn header(&mut self, name: &str, words: &str) {
        let schema = json!({ "type": "string" });
        self.parameters
            .push(json!({ "name": name, "in": "header", "required": false, "description": words, "schema": schema }));
    }
}

/// An argument of a handler that can say what of the request it reads.
pub trait Told {
    /// Says it.
    fn tell(operation: &mut Operation<'_>);
}

/// Arguments that read nothing a caller would have to know of.
macro_rules! untold {
    ($($kind:ty),+) => {$(
        impl Told for $kind {
            fn tell(_: &mut Operation<'_>) {}
        }
    )+};
}
untold!(State<Api>, Caller, axum::http::HeaderMap);

/// The arguments of a handler, as axum names them: a mark, then each.
macro_rules! told {
    ($($argument:ident),*) => {
        impl<M, $($argument: Told),*> Told for (M, $($argument,)*) {
            fn tell(operation: &mut Operation<'_>) {
                let _ = &operation;
                $($argument::tell(operation);)*
            }
        }
    };
}
told!();
told!(A);
told!(A, B);
told!(A, B, C);
told!(A, B, C, D);
told!(A, B, C, D, E);
told!(A, B, C, D, E, F);

/// What a call answers with, for the document.
pub struct Answer {
    status: &'static str,
    words: &'static str,
    body: Option<fn(&mut SchemaGenerator) -> Schema>,
    media: &'static [&'static str],
    also: Option<(&'static str, &'static str)>,
}

impl Answer {
    /// Done, and nothing to say.
    pub fn nothing() -> Self {
        Self { status: "204", words: "Done.", body: None, media: &[], also: None }
    }

    fn json<T: JsonSchema>(status: &'static str, words: &'static str) -> Self {
        let body: fn(&mut SchemaGenerator) -> Schema = SchemaGenerator::subschema_for::<T>;
        Self { status, words, body: Some(body), media: &["application/json"], also: None }
    }

    /// An answer in these media types, each piece of it of this form.
    pub fn of_media<T: JsonSchema>(words: &'static str, media: &'static [&'static str]) -> Self {
        Self { media, ..Self::json::<T>("200", words) }
    }
}

/// A type that calls answer with.
pub trait Gives {
    /// How the document says it.
    fn answer() -> Answer;
}

impl<T: JsonSchema> Gives for Json<T> {
    fn answer() -> Answer {
        Answer::json::<T>("200", "As it is now.")
    }
}

impl<T: JsonSchema> Gives for Page<T> {
    fn answer() -> Answer {
        Answer::json::<Self>("200", "One page of the list.")
    }
}

impl<T: JsonSchema> Gives for Created<T> {
    fn answer() -> Answer {
        Answer::json::<T>("201", "Made. `Location` says where it is.")
    }
}

impl<T: JsonSchema> Gives for Accepted<T> {
    fn answer() -> Answer {
        let also = Some(("200", "It had been asked for before, under the same Idempotency-Key."));
        Answer { also, ..Answer::json::<T>("202", "It will be done.") }
    }
}

impl Gives for Text {
    fn answer() -> Answer {
        Answer::of_media::<String>("The whole log, as it was said.", &["text/plain"])
    }
}

impl Document {
    /// Writes a call down. `handler` is the full name of its function: its end names the call.
    pub fn add<T: Told>(&mut self, route: &Route, handler: &str, title: &str, answer: &Answer) {
        let mut operation = Operation { read: &mut self.read, parameters: in_path(route.path), body: None };
        T::tell(&mut operation);
        let Operation { parameters, body, .. } = operation;
        let mut names = handler.rsplit("::");
        let (function, noun) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
        let mut told = json!({
            "operationId": format!("{noun}.{function}"),
            "summary": title,
            "tags": [noun],
            "responses": self.responses(answer),
        });
        if let Some(told) = told.as_object_mut() {
            if !parameters.is_empty() {
                told.insert("parameters".into(), parameters.into());
            }
            if let Some(schema) = body {
                let content = json!({ "application/json": { "schema": schema } });
                told.insert("requestBody".into(), json!({ "required": true, "content": content }));
            }
            match route.policy {
                Policy::Open => told.insert("security".into(), json!([])),
                Policy::Token(permission) => {
                    let least = permission.least().word();
                    told.insert("description".into(), json!(format!("Needs the role {least} on what it is about.")))
                }
            };
        }
        self.paths.entry(route.path.to_owned()).or_default().insert(route.method.to_lowercase(), told);
    }

    fn responses(&mut self, answer: &Answer) -> Value {
        let mut content = Map::new();
        if let Some(schema) = answer.body.map(|make| make(&mut self.written)) {
            for media in answer.media {
                content.insert((*media).to_owned(), json!({ "schema": schema }));
            }
        }
        let mut responses = Map::new();
        let mut tell = |status: &str, words: &str| {
            let told = match content.is_empty() {
                true => json!({ "description": words }),
                false => json!({ "description": words, "content": content }),
            };
            responses.insert(status.to_owned(), told);
        };
        tell(answer.status, answer.words);
        if let Some((status, words)) = answer.also {
            tell(status, words);
        }
        responses.insert("default".into(), json!({ "$ref": "#/components/responses/Problem" }));
        responses.into()
    }

    /// Takes another one's calls in.
    pub fn merge(&mut self, mut other: Self) {
        for (path, calls) in other.paths {
            self.paths.entry(path).or_default().extend(calls);
        }
        self.read.definitions_mut().extend(other.read.take_definitions(false));
        self.written.definitions_mut().extend(other.written.take_definitions(false));
    }

    /// The document as text.
    pub fn finish(mut self) -> String {
        let problem = self.written.subschema_for::<problem::Body>();
        let mut schemas = self.read.take_definitions(false);
        schemas.extend(self.written.take_definitions(false));
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Skiff",
                "version": VERSION,
                "summary": "Everything the panel's pages do, for programs.",
                "description": "A token is of one account and one team, so that no team stands in any path. Errors are \
                                application/problem+json (RFC 9457) and name the fields they are about.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": BASE }],
            "security": [{ "token": [] }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "responses": {
                    "Problem": {
                        "description": "What did not work out.",
                        "content": { problem::MEDIA_TYPE: { "schema": problem } },
                    },
                },
                "securitySchemes": {
                    "token": { "type": "http", "scheme": "bearer", "description": "skf_…, made on the page Tokens." },
                },
            },
        });
        document.to_string()
    }
}

/// The parameters of a path, by the names they have everywhere.
fn in_path(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names
        .map(|name| {
            let id = json!({ "type": "string", "format": "uuid" });
            let (words, schema) = match name {
                "app" => (
                    "An id; or a name: project.environment.app, or its end where that is unique.",
                    json!({ "type": "string" }),
                ),
                "host" => ("An id, or the host's short name.", json!({ "type": "string" })),
                "name" => ("The name of the variable.", json!({ "type": "string" })),
                "environment" => ("The environment's id.", id),
                "number" => ("The release's number.", json!({ "type": "integer", "minimum": 1 })),
                _ => ("The id.", id),
            };
            json!({ "name": name, "in": "path", "required": true, "description": words, "schema": schema })
        })
        .collect()
}
