//! Forges as they call a hook: how each signs, and how it spells what happened. Pure: no clock, no network.
//! Not here: what is made of it (`domain::hook`).

mod generic;
mod gitea;
mod github;
mod gitlab;
mod payload;
mod proof;

pub use proof::Proof;

use crate::domain::hook::{Event, Headers, Provider};

/// A forge, as far as hooks go.
pub trait Forge: Send + Sync {
    /// What the request shows to prove its sender; none where it shows nothing that could be right.
    fn proof(&self, headers: &Headers) -> Option<Proof>;

    /// The forge's own id of the delivery: the same when it is sent again. None where it has none.
    fn delivery(&self, headers: &Headers) -> Option<String>;

    /// The event by the forge's name, as it is kept: "push", "Tag Push Hook".
    fn event(&self, headers: &Headers) -> String;

    /// What the request tells. Called only after its proof held.
    fn read(&self, headers: &Headers, body: &[u8]) -> Event;
}

/// The forge of a provider.
pub fn of(provider: Provider) -> &'static dyn Forge {
    match provider {
        Provider::Github => &github::Github,
        Provider::Gitlab => &gitlab::Gitlab,
        Provider::Gitea => &gitea::Gitea,
        Provider::Generic => &generic::Generic,
    }
}

/// Characters of an event's name that are kept.
const EVENT: usize = 60;

/// A header's text; empty where it is not there.
fn header<'a>(headers: &'a Headers, name: &str) -> &'a str {
    headers.get(name).map(String::as_str).unwrap_or_default()
}

/// An id of a delivery, if it is one: not empty, and short enough to be a key.
fn id(headers: &Headers, name: &str) -> Option<String> {
    /// Theirs are UUIDs; a CI's may be the name of a run.
    const LONGEST: usize = 200;
    let id = header(headers, name).trim();
    let fits = (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| id.to_owned())
}

#[cfg(test)]
mod tests;
