//! Searching the docs: sections that have all the words, the best first. A query costs one walk through some hundred kilobytes.

use super::{Page, Section, pages};

/// Characters of a query that are read.
const QUERY: usize = 100;
/// Words of it that are looked for.
const WORDS: usize = 8;
/// Sections that are shown.
const HITS: usize = 20;
/// Bytes of a section's text before the first word that was found, and in all.
const BEFORE: usize = 60;
const EXCERPT: usize = 240;
/// What a word in the heading, in the page's title, and in the text is worth; of the text at most so many count.
const IN_HEADING: usize = 12;
const IN_TITLE: usize = 4;
const MOST_IN_TEXT: usize = 6;
/// What it is worth that all words stand together as they were typed.
const TOGETHER: usize = 10;

/// A piece of text, found or around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The text.
    pub text: String,
    /// True where it was looked for.
    pub found: bool,
}

/// A section that has what was looked for.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Its page.
    pub page: &'static Page,
    /// The section.
    pub section: &'static Section,
    /// Its heading.
    pub heading: Vec<Mark>,
    /// Where its text has it.
    pub excerpt: Vec<Mark>,
}

/// The sections that have all words of the query; where none has, those that have most of them.
pub fn search(query: &str) -> Vec<Hit> {
    let query: String = query.chars().take(QUERY).collect::<String>().to_ascii_lowercase();
    let words: Vec<&str> =
        query.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).take(WORDS).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(usize, usize, Hit)> = Vec::new();
    for page in pages() {
        for section in &page.sections {
            let (matched, worth) = weigh(page, section, &words, query.trim());
            if matched > 0 {
                let heading = marked(&section.heading, &words);
                found.push((matched, worth, Hit { page, section, heading, excerpt: excerpt(&section.text, &words) }));
            }
        }
    }
    let best = found.iter().map(|(matched, ..)| *matched).max().unwrap_or(0);
    found.retain(|(matched, ..)| *matched == best);
    // Stable: of two that are worth the same the first in the docs.
    found.sort_by_key(|found| std::cmp::Reverse(found.1));
    found.into_iter().take(HITS).map(|(.., hit)| hit).collect()
}

/// How many of the words a section has, and what that is worth.
fn weigh(page: &Page, section: &Section, words: &[&str], query: &str) -> (usize, usize) {
    let lower = |text: &str| text.to_ascii_lowercase();
    let (title, heading, text) = (lower(&page.title), lower(&section.heading), lower(&section.text));
    let (mut matched, mut worth) = (0, 0);
    for word in words {
        let here = starts(&heading, word) * IN_HEADING
            + starts(&title, word) * IN_TITLE
            + starts(&text, word).min(MOST_IN_TEXT);
        matched += usize::from(here > 0);
        worth += here;
    }
    if words.len() > 1 && (heading.contains(query) || text.contains(query)) {
        worth += TOGETHER;
    }
    (matched, worth)
}

/// How often a word of the text begins so.
fn starts(text: &str, word: &str) -> usize {
    places(text, word).count()
}

/// Where words of the text begin so. Both are in lower case.
fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |before: &str| before.ends_with(|c: char| c.is_alphanumeric());
    text.match_indices(word).map(|(at, _)| at).filter(move |at| !inside(text.get(..*at).unwrap_or_default()))
}

/// The text around the first word that is found in it; its beginning where none is.
fn excerpt(text: &str, words: &[&str]) -> Vec<Mark> {
    let lower = text.to_ascii_lowercase();
    let first = words.iter().filter_map(|word| places(&lower, word).next()).min().unwrap_or(0);
    let begin = first.saturating_sub(BEFORE);
    // At the begin of a word, so that none is cut.
    let begin = match begin {
        0 => 0,
        begin => (begin..first)
            .find(|at| text.is_char_boundary(*at) && text.get(..*at).is_some_and(|b| b.ends_with(' ')))
            .unwrap_or(first),
    };
    let rest = text.get(begin..).unwrap_or_default();
    let end = (EXCERPT.min(rest.len())..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
    let shown = rest.get(..end).unwrap_or_default();
    let mut marks = marked(shown, words);
    let dots = |text: &str| Mark { text: text.to_owned(), found: false };
    if begin > 0 {
        marks.insert(0, dots("… "));
    }
    if end < rest.len() {
        marks.push(dots(" …"));
    }
    marks
}

/// The text in pieces, the words that are looked for apart.
fn marked(text: &str, words: &[&str]) -> Vec<Mark> {
    let lower = text.to_ascii_lowercase();
    let mut spots: Vec<(usize, usize)> =
        words.iter().flat_map(|word| places(&lower, word).map(|at| (at, at + word.len()))).collect();
    spots.sort_unstable();
    let mut marks = Vec::new();
    let mut at = 0;
    let mut push = |from: usize, to: usize, found: bool| {
        let text = text.get(from..to).unwrap_or_default();
        if !text.is_empty() {
            marks.push(Mark { text: text.to_owned(), found });
        }
    };
    for (from, to) in spots {
        // One may stand in another.
        if from < at {
            continue;
        }
        push(at, from, false);
        push(from, to, true);
        at = to;
    }
    push(at, text.len(), false);
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(marks: &[Mark]) -> String {
        marks.iter().map(|mark| if mark.found { format!("[{}]", mark.text) } else { mark.text.clone() }).collect()
    }

    #[test]
    fn words_are_marked_where_they_begin() {
        assert_eq!(told(&marked("The portal and the Port; ports", &["port"])), "The [port]al and the [Port]; [port]s");
        assert_eq!(told(&marked("Äpfel und Birnen", &["birn", "äpfel"])), "Äpfel und [Birn]en");
        assert_eq!(told(&marked("report", &["port"])), "report");
    }

    #[test]
    fn an_excerpt_is_around_what_was_found() {
        let long = format!("{} the needle {}", "word ".repeat(50), "more ".repeat(80));
        let shown = told(&excerpt(&long, &["needle"]));
        assert!(shown.starts_with("… word") && shown.contains("the [needle] more") && shown.ends_with(" …"), "{shown}");
        assert_eq!(told(&excerpt("Short.", &["none"])), "Short.");
    }

    #[test]
    fn the_section_about_it_comes_first() {
        for (query, page, id) in [
            ("out of memory", "deploy-failures", "out-of-memory"),
            ("port never opened", "deploy-failures", "the-port-never-opened"),
            ("forgetting a host", "hosts", "forgetting-a-host"),
            ("gitlab", "push", "gitlab"),
            ("support bundle", "doctor", "a-support-bundle"),
        ] {
            let hits = search(query);
            let first = hits.first().unwrap_or_else(|| panic!("{query}: nothing"));
            assert_eq!((first.page.slug.as_str(), first.section.id.as_str()), (page, id), "{query}");
        }
        for nothing in ["", "   ", "?!", "xyzzy"] {
            assert!(search(nothing).is_empty(), "{nothing}");
        }
        assert!(search(&"a ".repeat(10_000)).len() <= HITS);
    }
}
