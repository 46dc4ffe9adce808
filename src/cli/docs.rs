//! `skiff docs`: the docs in the program on a terminal, without a panel, a database or a network. Not here: the texts, searching them (`guide`).

use clap::Args;
use rustix::termios::tcgetwinsize;
use serde_json::{Value, json};

use super::Failed;
use super::remote::Answer;
use crate::guide::{self, Hit, Mark, Page};

/// Columns of a line: longer ones are hard to read, and shorter ones fold every command.
const WIDEST: usize = 100;
const NARROWEST: usize = 40;
/// How an excerpt is indented.
const INDENT: &str = "    ";
/// How the file of a page ends, for whoever types its name.
const ENDING: &str = ".md";

/// What is read.
#[derive(Clone, Debug, Args)]
pub struct Docs {
    /// A page, or PAGE#PLACE for one section of it; the address of one on a panel is taken, too [default: lists the pages]
    #[arg(value_name = "PAGE[#PLACE]", conflicts_with = "search")]
    pub page: Option<String>,
    /// List the sections that have these words
    #[arg(long, value_name = "WORDS", num_args = 1..)]
    pub search: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What is to be printed.
pub fn run(input: &Docs) -> Result<String, Failed> {
    let answer = match &input.page {
        Some(page) => read(page)?,
        None if input.search.is_empty() => list(),
        None => found(&input.search.join(" ")),
    };
    Ok(if input.json { answer.document.to_string() } else { answer.text })
}

/// All pages, in the order in which they are read.
fn list() -> Answer {
    let width = guide::pages().map(|page| page.slug.len()).max().unwrap_or_default();
    let (mut lines, mut documents) = (Vec::new(), Vec::new());
    for group in guide::groups() {
        lines.push(group.word.to_owned());
        for page in &group.pages {
            lines.push(format!("  {:width$}  {}", page.slug, page.title));
            documents.push(json!({ "page": page.slug, "title": page.title, "group": group.word }));
        }
        lines.push(String::new());
    }
    lines.push(
        "skiff docs PAGE prints one, skiff docs PAGE#PLACE a section of it; skiff docs --search WORDS looks for words."
            .into(),
    );
    Answer::list(documents, lines.join("\n"))
}

/// A page, or a section of it.
fn read(typed: &str) -> Result<Answer, Failed> {
    // As it stands in the address of a page on a panel, and in the name of its file.
    let typed = typed.rsplit_once("/docs/").map_or(typed, |(_, rest)| rest);
    let (slug, place) = typed.split_once('#').map_or((typed, None), |(slug, place)| (slug, Some(place)));
    let slug = slug.rsplit('/').next().unwrap_or_default();
    let slug = slug.strip_suffix(ENDING).unwrap_or(slug);
    let place = place.filter(|place| !place.is_empty());
    let Some(page) = guide::page(slug) else {
        let known: Vec<&str> = guide::pages().map(|page| page.slug.as_str()).collect();
        return Err(Failed::Usage(format!("The docs have no page {slug}. There are: {}.", known.join(", "))));
    };
    let Some(text) = guide::plain(slug, place, width()) else {
        return Err(Failed::Usage(format!(
            "The page {slug} has no place {}. There are: {}.",
            place.unwrap_or_default(),
            places(page).join(", ")
        )));
    };
    let document =
        json!({ "page": page.slug, "place": place, "title": page.title, "places": places(page), "text": text });
    Ok(Answer::new(document, text))
}

/// The places of a page.
fn places(page: &Page) -> Vec<&str> {
    page.headings.iter().map(|heading| heading.id.as_str()).collect()
}

/// The sections that have these words, as the page of the docs finds them.
fn found(query: &str) -> Answer {
    let hits = guide::search(query);
    if hits.is_empty() {
        return Answer::list(Vec::new(), format!("Nothing found for {query}. skiff docs lists the pages."));
    }
    let documents: Vec<Value> = hits
        .iter()
        .map(|hit| json!({ "page": hit.page.slug, "place": hit.section.id, "title": hit.page.title, "heading": words(&hit.heading), "text": words(&hit.excerpt) }))
        .collect();
    let texts: Vec<String> = hits.iter().map(told).collect();
    Answer::list(documents, texts.join("\n\n"))
}

/// A section that was found: how to read it, what it is called, and where it has the words.
fn told(hit: &Hit) -> String {
    let mut lines = vec![format!("skiff docs {}#{}", hit.page.slug, hit.section.id)];
    let heading = words(&hit.heading);
    lines.push(match heading == hit.page.title {
        true => [INDENT, &heading].concat(),
        false => [INDENT, &hit.page.title, " · ", &heading].concat(),
    });
    let excerpt = super::show::folded(&words(&hit.excerpt), width().saturating_sub(INDENT.len()));
    lines.extend(excerpt.iter().map(|line| [INDENT, line].concat()));
    lines.join("\n")
}

fn words(marks: &[Mark]) -> String {
    marks.iter().map(|mark| mark.text.as_str()).collect()
}

/// Columns of the terminal that is written to, within what can be read well.
fn width() -> usize {
    let columns =
        tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    columns.unwrap_or(WIDEST).clamp(NARROWEST, WIDEST)
}
