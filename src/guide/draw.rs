//! One page: its text as HTML, its headings with their anchors, its sections as plain text. What is HTML in a text is shown as text.

use std::fmt;

use askama::filters::HtmlSafe;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::domain::help::DOCS;

/// A drawn text: nothing else becomes one, so that all of it came from our own docs through the library.
#[derive(Debug)]
pub struct Body(String);

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Body {}

/// A heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Its anchor.
    pub id: String,
    /// Its words.
    pub text: String,
    /// 1 for the page's own, 2, 3 …
    pub level: u8,
}

/// What stands below a heading, as plain text: for the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The heading's anchor.
    pub id: String,
    /// The heading's words.
    pub heading: String,
    /// The text.
    pub text: String,
}

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Its name in addresses.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: Body,
    /// Its headings, in their order.
    pub headings: Vec<Heading>,
    /// Its sections, in their order.
    pub sections: Vec<Section>,
    /// Where its links lead, as they are written on the page.
    pub links: Vec<String>,
}

impl Page {
    /// Draws a text in Markdown.
    pub fn draw(slug: &str, text: &str) -> Self {
        let mut pen = Pen::default();
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            pen.take(event);
        }
        pen.close();
        let mut drawn = String::with_capacity(text.len() * 2);
        html::push_html(&mut drawn, pen.events.into_iter());
        let title = pen.headings.first().map_or_else(|| slug.to_owned(), |heading| heading.text.clone());
        Self {
            slug: slug.to_owned(),
            title,
            body: Body(drawn),
            headings: pen.headings,
            sections: pen.sections,
            links: pen.links,
        }
    }

    /// The headings that its contents list.
    pub fn contents(&self) -> impl Iterator<Item = &Heading> {
        self.headings.iter().filter(|heading| heading.level == 2)
    }
}

/// Goes through the events of a text.
#[derive(Default)]
struct Pen<'a> {
    events: Vec<Event<'a>>,
    headings: Vec<Heading>,
    anchors: Anchors,
    sections: Vec<Section>,
    links: Vec<String>,
    /// Where the heading that is open began, and its words so far.
    open: Option<(usize, String)>,
    /// The text below the last heading.
    text: String,
}

impl<'a> Pen<'a> {
    fn take(&mut self, event: Event<'a>) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                self.close();
                self.open = Some((self.events.len(), String::new()));
                self.events.push(event);
            }
            Event::End(TagEnd::Heading(level)) => self.heading(level),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let dest_url = CowStr::from(address(&dest_url));
                self.links.push(dest_url.to_string());
                self.events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
            }
            Event::Html(html) | Event::InlineHtml(html) => self.words(html, Event::Text),
            Event::Text(text) => self.words(text, Event::Text),
            Event::Code(code) => self.words(code, Event::Code),
            // What ends inside a sentence parts no words.
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Link) => self.events.push(event),
            Event::SoftBreak | Event::HardBreak | Event::End(_) => {
                self.text.push(' ');
                self.events.push(event);
            }
            other => self.events.push(other),
        }
    }

    fn words(&mut self, text: CowStr<'a>, as_event: fn(CowStr<'a>) -> Event<'a>) {
        match &mut self.open {
            Some((_, heading)) => heading.push_str(&text),
            None => self.text.push_str(&text),
        }
        self.events.push(as_event(text));
    }

    fn heading(&mut self, level: HeadingLevel) {
        let Some((began, text)) = self.open.take() else { return };
        let id = self.anchors.of(&text);
        if let Some(start) = self.events.get_mut(began) {
            *start = Event::Start(Tag::Heading {
                level,
                id: Some(id.clone().into()),
                classes: Vec::new(),
                attrs: Vec::new(),
            });
        }
        if level != HeadingLevel::H1 {
            let link = format!("<a class=\"anchor\" href=\"#{id}\" aria-label=\"The address of this heading\">#</a>");
            self.events.push(Event::InlineHtml(link.into()));
        }
        self.events.push(Event::End(TagEnd::Heading(level)));
        self.headings.push(Heading { id, text, level: level as u8 });
    }

    /// Ends the section of the last heading.
    fn close(&mut self) {
        let text: Vec<&str> = self.text.split_whitespace().collect();
        let text = text.join(" ");
        self.text.clear();
        if let Some(heading) = self.headings.last() {
            self.sections.push(Section { id: heading.id.clone(), heading: heading.text.clone(), text });
        }
    }
}

/// The anchors of a page, in the order of its headings.
#[derive(Default)]
pub(super) struct Anchors(Vec<String>);

impl Anchors {
    /// That of the next heading. As GitHub does it: the second one of the same words is another one.
    pub(super) fn of(&mut self, text: &str) -> String {
        let id = anchor(text);
        let same = self.0.iter().filter(|known| **known == id).count();
        self.0.push(id.clone());
        if same > 0 { format!("{id}-{same}") } else { id }
    }
}

/// The anchor of a heading, as GitHub makes it: so a link leads to the same place there and here.
fn anchor(text: &str) -> String {
    let letter = |c: char| match c {
        ' ' | '-' => Some('-'),
        '_' => Some('_'),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    text.trim().chars().filter_map(letter).collect()
}

/// A link of the guides, which lie beside each other as files, as it is on a page.
pub(super) fn address(link: &str) -> String {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    match (file.strip_suffix(".md").filter(|file| !file.contains(['/', ':'])), heading) {
        (Some(page), Some(heading)) => [DOCS, "/", page, "#", heading].concat(),
        (Some(page), None) => [DOCS, "/", page].concat(),
        (None, _) => link.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_drawn_with_anchors_and_its_links_lead_to_pages() {
        let text = "# A page\n\nSee [hosts](hosts.md#the-servers-key) & `a <b>`.\n\n## The server's key\n\nOne.\n\n## The server's key\n\nTwo <script>alert(1)</script>\n";
        let page = Page::draw("page", text);
        let html = page.body.to_string();
        assert!(html.contains("<h1 id=\"a-page\">A page</h1>"), "{html}");
        assert!(
            html.contains("<a href=\"/docs/hosts#the-servers-key\">hosts</a> &amp; <code>a &lt;b&gt;</code>"),
            "{html}"
        );
        assert!(!html.contains("<script"), "{html}");
        let ids: Vec<&str> = page.headings.iter().map(|heading| heading.id.as_str()).collect();
        assert_eq!((page.title.as_str(), ids), ("A page", vec!["a-page", "the-servers-key", "the-servers-key-1"]));
        let texts: Vec<&str> = page.sections.iter().map(|section| section.text.as_str()).collect();
        assert_eq!(texts, ["See hosts & a <b>.", "One.", "Two <script>alert(1)</script>"]);
        assert_eq!(page.links, ["/docs/hosts#the-servers-key"]);
    }

    #[test]
    fn an_anchor_is_what_github_makes_of_a_heading() {
        for (heading, id) in [
            ("The host refuses Skiff's key", "the-host-refuses-skiffs-key"),
            ("Refused, no answer, answered 503", "refused-no-answer-answered-503"),
            ("`skiff doctor`", "skiff-doctor"),
            ("A-B c", "a-b-c"),
        ] {
            let page = Page::draw("x", &format!("## {heading}\n"));
            assert_eq!(page.headings[0].id, id);
        }
    }
}
