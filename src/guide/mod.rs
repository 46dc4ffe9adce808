//! The docs in the program: the guides of `docs/guide`, embedded and drawn at their first use, so that they can be read offline, on a panel
//! without a database, and by whoever is not signed in. Not here: the addresses they answer at (`web/pages/docs.rs`), the command that prints
//! them (`cli/docs.rs`).

mod draw;
mod plain;
mod search;

pub use draw::{Body, Heading, Page, Section};
pub use search::{Hit, Mark, search};

use std::sync::OnceLock;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/docs/guide/"]
struct Files;

/// The pages in the order in which they are read. What is in no group stands at the end.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Begin", &["install", "first-run", "docker"]),
    ("Servers", &["hosts", "hosts-check", "several-hosts", "https", "automatic-certificates"]),
    ("Apps", &["apps", "routes", "deploys", "push", "secrets", "volumes", "removing"]),
    ("People and programs", &["members", "notices", "cli", "api"]),
    ("When something is wrong", &["doctor", "deploy-failures", "host-trouble", "panel-trouble"]),
];
/// What the rest is called.
const REST: &str = "More";
/// How the file of a page ends.
const ENDING: &str = ".md";

/// Some pages under one word.
pub struct Group {
    /// The word.
    pub word: &'static str,
    /// The pages.
    pub pages: Vec<Page>,
}

/// All of the docs.
pub fn groups() -> &'static [Group] {
    static ONCE: OnceLock<Vec<Group>> = OnceLock::new();
    ONCE.get_or_init(read)
}

/// All pages.
pub fn pages() -> impl Iterator<Item = &'static Page> {
    groups().iter().flat_map(|group| &group.pages)
}

/// The page of this name.
pub fn page(slug: &str) -> Option<&'static Page> {
    pages().find(|page| page.slug == slug)
}

/// The page of this name as plain text in lines of at most this width, or one section of it with those below; none where there is no such
/// page or place.
pub fn plain(slug: &str, place: Option<&str>, width: usize) -> Option<String> {
    let file = Files::get(&[slug, ENDING].concat())?;
    plain::told(slug, std::str::from_utf8(&file.data).ok()?, place, width)
}

fn read() -> Vec<Group> {
    let draw = |slug: &str| {
        let file = Files::get(&[slug, ENDING].concat())?;
        Some(Page::draw(slug, std::str::from_utf8(&file.data).ok()?))
    };
    let mut groups: Vec<Group> = GROUPS
        .iter()
        .map(|(word, slugs)| Group { word, pages: slugs.iter().filter_map(|slug| draw(slug)).collect() })
        .collect();
    let known = |slug: &str| GROUPS.iter().any(|(_, slugs)| slugs.contains(&slug));
    let mut rest: Vec<String> = Files::iter()
        .filter_map(|file| file.strip_suffix(ENDING).map(str::to_owned))
        .filter(|slug| !known(slug))
        .collect();
    rest.sort();
    groups.push(Group { word: REST, pages: rest.iter().filter_map(|slug| draw(slug)).collect() });
    groups.retain(|group| !group.pages.is_empty());
    groups
}
