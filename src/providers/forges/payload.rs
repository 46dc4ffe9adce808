//! The JSON of a push, as far as it is read. GitHub, Gitea and GitLab call the same things by nearly the same names.
//! Every field may be missing; of the list of commits only the last is kept, however long it is.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::domain::hook::{Event, Push, tidy};

/// Characters of an author's name or a subject that are kept.
const TEXT: usize = 200;
/// Characters of a reference's or repository's name that are kept: Git's own limit for a reference is about this.
const NAME: usize = 255;

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "ref", default)]
    reference: Option<String>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    deleted: Option<bool>,
    #[serde(default)]
    head_commit: Option<Commit>,
    #[serde(default, deserialize_with = "last")]
    commits: Option<Commit>,
    #[serde(default)]
    repository: Option<Repository>,
    #[serde(default)]
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Commit {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    author: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    #[serde(default)]
    full_name: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    path_with_namespace: Option<String>,
}

/// Reads the JSON of a push.
pub fn push(body: &[u8]) -> Event {
    // A list would be read as the fields in their order.
    let object = body.trim_ascii_start().first() == Some(&b'{');
    let Some(payload) = serde_json::from_slice::<Payload>(body).ok().filter(|_| object) else {
        return Event::Unreadable("It is not the JSON of a push.");
    };
    let after = payload.after.unwrap_or_default();
    // A reference that is gone points to the commit of zeros.
    let gone = !after.is_empty() && after.bytes().all(|byte| byte == b'0');
    let commit = payload.head_commit.or(payload.commits);
    let (message, author) = commit.map(|commit| (commit.message, commit.author)).unwrap_or_default();
    let repository = payload.repository.and_then(|repository| repository.full_name);
    let repository = repository.or(payload.project.and_then(|project| project.path_with_namespace));
    Event::Push(Push {
        reference: payload.reference.map(|text| tidy(&text, NAME)),
        commit: after.parse().ok().filter(|_| !gone),
        deleted: gone || payload.deleted == Some(true),
        repository: repository.map(|text| tidy(&text, NAME)),
        author: tidy(&author.and_then(|author| author.name).unwrap_or_default(), TEXT),
        subject: tidy(&message.unwrap_or_default(), TEXT),
    })
}

/// The last of a list; none of an empty one, or of null.
fn last<'de, D: Deserializer<'de>>(list: D) -> Result<Option<Commit>, D::Error> {
    struct Last;
    impl<'de> Visitor<'de> for Last {
        type Value = Option<Commit>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of commits")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut last = None;
            while let Some(commit) = list.next_element()? {
                last = Some(commit);
            }
            Ok(last)
        }
    }
    list.deserialize_any(Last)
}

/// What a generic sender says: all of it may be left out.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "ref", default)]
    reference: Option<String>,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default)]
    repository: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Reads what a generic sender says. An empty body says nothing, which is enough.
pub fn said(body: &[u8]) -> Event {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Event::Push(Push::default());
    }
    let Ok(said) = serde_json::from_slice::<Said>(body) else {
        return Event::Unreadable("It is not a JSON object such as {\"ref\": \"main\"}.");
    };
    let full = |name: String| if name.starts_with("refs/") { name } else { ["refs/heads/", &name].concat() };
    let text = |text: Option<String>| tidy(&text.unwrap_or_default(), TEXT);
    Event::Push(Push {
        reference: said.reference.filter(|name| !name.trim().is_empty()).map(|name| tidy(&full(name), NAME)),
        commit: said.commit.and_then(|commit| commit.trim().to_lowercase().parse().ok()),
        deleted: false,
        repository: said.repository.map(|text| tidy(&text, NAME)),
        author: text(said.author),
        subject: text(said.message),
    })
}
