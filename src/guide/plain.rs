//! A page as plain text for a terminal: folded at a width, headings underlined, links as the command that shows where they lead. Not here: whose
//! terminal that is, and how wide.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use unicode_width::UnicodeWidthStr;

use super::draw::{Anchors, address};
use crate::domain::help::DOCS;

/// How far code, cells below their row's first, and the rest of a list's entry are indented.
const CODE: &str = "    ";
const CELL: &str = "      ";
/// Columns between two columns of a table.
const GAP: usize = 2;
/// What keeps the words of a command together while its line is folded.
const TIED: char = '\u{a0}';

/// A heading that was written.
struct Written {
    id: String,
    level: HeadingLevel,
    line: usize,
}

/// Writes a text in Markdown.
struct Scribe {
    slug: String,
    width: usize,
    lines: Vec<String>,
    headings: Vec<Written>,
    anchors: Anchors,
    /// The words of what is open, and the indents around it: for its next line, and for those after.
    words: String,
    indents: Vec<(String, String)>,
    /// The numbers of the lists that are open; none for one without numbers.
    lists: Vec<Option<u64>>,
    links: Vec<(usize, String)>,
    code: bool,
    rows: Vec<Vec<String>>,
}

/// A page of the docs in lines of at most this width, or one section of it with those below; none where there is no such place.
pub(super) fn told(slug: &str, text: &str, place: Option<&str>, width: usize) -> Option<String> {
    let mut scribe = Scribe {
        slug: slug.to_owned(),
        width,
        lines: Vec::new(),
        headings: Vec::new(),
        anchors: Anchors::default(),
        words: String::new(),
        indents: Vec::new(),
        lists: Vec::new(),
        links: Vec::new(),
        code: false,
        rows: Vec::new(),
    };
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        scribe.take(event);
    }
    scribe.flush();
    let lines = match place {
        None => scribe.lines.as_slice(),
        Some(place) => {
            let mut from_here = scribe.headings.iter().skip_while(|heading| heading.id != place);
            let begin = from_here.next()?;
            let end = from_here.find(|heading| heading.level <= begin.level);
            scribe.lines.get(begin.line..end.map_or(scribe.lines.len(), |end| end.line))?
        }
    };
    Some(lines.join("\n").trim_end().to_owned())
}

impl Scribe {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.begin(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code => {
                let lines: Vec<String> = text.lines().map(|line| [&self.indent(), CODE, line].concat()).collect();
                self.lines.extend(lines.iter().map(|line| line.trim_end().to_owned()));
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.words.push_str(&text),
            Event::Code(code) => {
                self.words.push('`');
                self.words.extend(code.chars().map(|c| if c == ' ' { TIED } else { c }));
                self.words.push('`');
            }
            Event::SoftBreak | Event::HardBreak => self.words.push(' '),
            _ => {}
        }
    }

    fn begin(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => self.gap(),
            // What stands first in an entry of a list follows its mark.
            Tag::Paragraph if !self.at_mark() => self.gap(),
            Tag::CodeBlock(_) => {
                self.flush();
                self.gap();
                self.code = true;
            }
            Tag::List(first) => {
                self.flush();
                if self.lists.is_empty() {
                    self.gap();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", number.saturating_sub(1))
                    }
                    _ => "- ".to_owned(),
                };
                let rest = " ".repeat(mark.width());
                self.indents.push((mark, rest));
            }
            Tag::BlockQuote(_) => self.indents.push(("  ".to_owned(), "  ".to_owned())),
            Tag::Table(_) => {
                self.gap();
                self.rows.clear();
            }
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            Tag::Emphasis => self.words.push('*'),
            Tag::Link { dest_url, .. } => self.links.push((self.words.len(), address(&dest_url))),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::Paragraph => self.flush(),
            TagEnd::CodeBlock => self.code = false,
            TagEnd::List(_) => drop(self.lists.pop()),
            TagEnd::Item | TagEnd::BlockQuote(_) => {
                self.flush();
                self.indents.pop();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.words);
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell.trim().to_owned());
                }
            }
            TagEnd::Table => self.table(),
            TagEnd::Emphasis => self.words.push('*'),
            TagEnd::Link => self.link(),
            _ => {}
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text = std::mem::take(&mut self.words).replace(TIED, " ");
        let rule = match level {
            HeadingLevel::H1 => "═",
            HeadingLevel::H2 => "─",
            _ => "╌",
        };
        self.headings.push(Written { id: self.anchors.of(&text.replace('`', "")), level, line: self.lines.len() });
        self.lines.push(text.clone());
        self.lines.push(rule.repeat(text.width()));
    }

    /// Says where a link leads: how that is read here, or its address.
    fn link(&mut self) {
        let Some((began, to)) = self.links.pop() else { return };
        let place = match to.strip_prefix(DOCS).map(|rest| rest.trim_start_matches('/')) {
            Some(place) => format!("skiff{TIED}docs{TIED}{place}"),
            None if to.starts_with('#') => format!("skiff{TIED}docs{TIED}{}{to}", self.slug),
            None => to,
        };
        if self.words.get(began..) != Some(place.as_str()) {
            self.words.push_str(&[" (", &place, ")"].concat());
        }
    }

    /// A table, in columns where they fit; else each row as its first cell with the others below it.
    fn table(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
        let widths: Vec<usize> =
            (0..columns).map(|at| rows.iter().map(|row| cell(row, at).width()).max().unwrap_or_default()).collect();
        if widths.iter().sum::<usize>() + GAP * columns.saturating_sub(1) <= self.width {
            for row in &rows {
                let mut line = String::new();
                for (at, width) in widths.iter().enumerate() {
                    let text = cell(row, at);
                    line.push_str(&text);
                    line.push_str(&" ".repeat(width - text.width() + GAP));
                }
                if !line.trim().is_empty() {
                    self.lines.push(line.replace(TIED, " ").trim_end().to_owned());
                }
            }
            return;
        }
        let head = rows.first().cloned().unwrap_or_default();
        for row in rows.iter().skip(1) {
            self.lines.extend(folded(&cell(row, 0), self.width, "", CODE));
            for at in 1..columns {
                // Of two columns the second says what the first is; of more each says which it is.
                let name = cell(&head, at);
                let begin =
                    if columns > 2 && !name.is_empty() { [CELL, &name, ": "].concat() } else { CELL.to_owned() };
                if !cell(row, at).is_empty() {
                    self.lines.extend(folded(&cell(row, at), self.width, &begin, CELL));
                }
            }
        }
    }

    /// Writes the words of what is open.
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        if words.trim().is_empty() {
            return;
        }
        let first = self.indent();
        for (next, rest) in &mut self.indents {
            next.clone_from(rest);
        }
        let rest = self.indent();
        self.lines.extend(folded(&words, self.width, &first, &rest));
    }

    fn indent(&self) -> String {
        self.indents.iter().map(|(next, _)| next.as_str()).collect()
    }

    /// True where nothing was written yet behind the mark of an entry.
    fn at_mark(&self) -> bool {
        self.indents.last().is_some_and(|(next, rest)| next != rest)
    }

    /// An empty line, where something else stands above.
    fn gap(&mut self) {
        self.flush();
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }
}

/// Words in lines of at most this width; one that is longer stands alone.
fn folded(words: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in words.split([' ', '\n', '\t']).filter(|word| !word.is_empty()) {
        if !empty && line.width() + 1 + word.width() > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines.into_iter().map(|line| line.replace(TIED, " ")).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const TEXT: &str = "# A page\n\nSee [hosts](hosts.md#a-jump-host) or [below](#two), at <https://x.example>: *Cancel* is **bold**.\n\n\
        - one `a command` of some length that is folded\n- two\n\n  more\n\n1. first\n2. second\n\n## Two\n\n```\nskiff   login\n```\n\n\
        | Command | |\n|---|---|\n| `skiff logs APP` | what its instances print, put together by time |\n\n### Deeper\n\n| A | B |\n|---|---|\n| 1 | two |\n\n## Two\n\nLast.\n";

    #[test]
    fn a_page_is_told_in_lines_of_its_width() {
        expect![[r#"
            A page
            ══════

            See hosts (skiff docs hosts#a-jump-host) or
            below (skiff docs page#two), at
            https://x.example: *Cancel* is bold.

            - one `a command` of some length that is
              folded
            - two

              more

            1. first
            2. second

            Two
            ───

                skiff   login

            `skiff logs APP`
                  what its instances print, put together
                  by time

            Deeper
            ╌╌╌╌╌╌

            A  B
            1  two

            Two
            ───

            Last."#]]
        .assert_eq(&told("page", TEXT, None, 44).unwrap());
    }

    #[test]
    fn a_section_is_told_with_those_below_it() {
        let two = told("page", TEXT, Some("two"), 44).unwrap();
        assert!(two.starts_with("Two\n───\n") && two.ends_with("1  two") && two.contains("Deeper"), "{two}");
        assert_eq!(told("page", TEXT, Some("two-1"), 44).unwrap(), "Two\n───\n\nLast.");
        assert_eq!(told("page", TEXT, Some("three"), 44), None);
        assert_eq!(told("page", TEXT, Some("a-page"), 44), told("page", TEXT, None, 44));
    }
}
