//! What a template may not do: decide about escaping, carry scripts or styles, or put text where a browser runs it.

use super::Source;
use std::collections::BTreeMap;

/// Attributes that hold an address which a browser follows or loads.
const ADDRESSES: &[&str] = &[
    "href",
    "src",
    "srcset",
    "action",
    "formaction",
    "poster",
    "data",
    "hx-get",
    "hx-post",
    "hx-put",
    "hx-patch",
    "hx-delete",
    "hx-sse:connect",
    "xlink:href",
];
/// Types whose values are checked addresses or constants of ours.
const CHECKED: &[&str] = &["SafeUrl", "'static str"];

/// One start tag: its name and its attributes with their values as written.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    line: usize,
}

/// Where a template's own syntax that begins here ends.
fn template_syntax(rest: &str) -> Option<usize> {
    for (open, close) in [("{{", "}}"), ("{%", "%}"), ("{#", "#}")] {
        if rest.starts_with(open) {
            return Some(rest.find(close).map_or(rest.len(), |end| end + 2));
        }
    }
    None
}

/// The start tags of a template. Its own syntax is skipped over, so that `>` in it ends no tag.
fn tags(text: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(skip) = template_syntax(rest) {
            at += skip;
            continue;
        }
        let starts = rest.starts_with('<') && rest[1..].starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let line = text[..at].lines().count().max(1);
        let (tag, length) = one_tag(rest, line);
        found.push(tag);
        at += length;
    }
    found
}

fn one_tag(rest: &str, line: usize) -> (Tag, usize) {
    let mut at = 1;
    let word = |at: usize| {
        let ends = |c: char| c.is_whitespace() || matches!(c, '>' | '=' | '"' | '\'' | '{');
        rest[at..].find(ends).unwrap_or(rest.len() - at)
    };
    let length = word(at);
    let mut tag =
        Tag { name: rest[at..at + length].trim_end_matches('/').to_lowercase(), attributes: Vec::new(), line };
    at += length;
    while at < rest.len() {
        if let Some(skip) = template_syntax(&rest[at..]) {
            // Between attributes a template may choose one, so what stands there is read as attributes too.
            at += skip;
            continue;
        }
        let c = rest[at..].chars().next().unwrap_or('>');
        if c == '>' {
            return (tag, at + 1);
        }
        let length = word(at);
        if length == 0 {
            at += c.len_utf8();
            continue;
        }
        let name = rest[at..at + length].to_lowercase();
        at += length;
        let mut value = String::new();
        if rest[at..].starts_with('=') {
            at += 1;
            let quote = rest[at..].chars().next().filter(|c| matches!(c, '"' | '\''));
            at += quote.map_or(0, char::len_utf8);
            while at < rest.len() {
                if let Some(skip) = template_syntax(&rest[at..]) {
                    value.push_str(&rest[at..at + skip]);
                    at += skip;
                    continue;
                }
                let c = rest[at..].chars().next().unwrap_or('>');
                if quote.map_or(c.is_whitespace() || c == '>', |quote| c == quote) {
                    at += quote.map_or(0, char::len_utf8);
                    break;
                }
                value.push(c);
                at += c.len_utf8();
            }
        }
        tag.attributes.push((name, value));
    }
    (tag, rest.len())
}

/// Everything but addresses.
pub fn unsafe_places(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut say = |line: usize, what: String| complaints.push(format!("{}:{line}: {what}", source.path));
    for (i, line) in source.text.lines().enumerate() {
        let packed: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        if packed.contains("|safe") || packed.contains("|escape(\"none\"") {
            say(i + 1, "|safe is banned: a fragment says HtmlSafe once instead".to_owned());
        }
        if packed.contains("{%autoescape") || packed.contains("escape=\"none\"") {
            say(i + 1, "escaping is never switched off".to_owned());
        }
    }
    for tag in tags(&source.text) {
        let interpolated = |value: &str| value.contains("{{") || value.contains("{%");
        let has = |name: &str| tag.attributes.iter().any(|(n, _)| n == name);
        if tag.name == "style" {
            say(tag.line, "styles are files of static/css".to_owned());
        }
        if tag.name == "script" && !has("src") {
            say(tag.line, "scripts are files of static/js".to_owned());
        }
        if matches!(tag.name.as_str(), "iframe" | "object" | "embed" | "base") {
            say(tag.line, format!("<{}> has no place in our pages", tag.name));
        }
        for (name, value) in &tag.attributes {
            let event =
                name.starts_with("on") && name.chars().skip(2).all(|c| c.is_ascii_alphabetic()) && name.len() > 3;
            if name == "style" || event || name.starts_with("hx-on") || name == "srcdoc" {
                say(tag.line, format!("{name} is code or style in a page"));
            }
            if (name == "hx-vals" || name == "hx-vars" || name == "hx-headers" || name == "hx-config")
                && interpolated(value)
            {
                say(tag.line, format!("{name} is read as a program or JSON: nothing is put into it"));
            }
        }
    }
    complaints
}

/// The last name of an expression: `self.page(app)` and `x.page` are `page`.
fn last_name(expression: &str) -> String {
    let plain = expression.split('(').next().unwrap_or("").trim();
    plain.rsplit(['.', ':', '&', ' ']).next().unwrap_or("").to_owned()
}

/// Names that a template binds, with the expressions they are bound to.
fn bound(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in text.split("{%").skip(1) {
        let inner = part.split("%}").next().unwrap_or("").trim_matches(['-', ' ']);
        let Some(start) = inner.find("let ") else { continue };
        let Some((pattern, expression)) = inner[start + 4..].split_once('=') else { continue };
        for name in
            pattern.replace("Some", " ").split(|c: char| !c.is_alphanumeric() && c != '_').filter(|n| !n.is_empty())
        {
            names.entry(name.to_owned()).or_default().push(expression.trim().to_owned());
        }
    }
    names
}

/// True where this text declares the name as a checked address: a field, a function's answer, or a binding.
fn declares_checked(name: &str, text: &str) -> bool {
    let mut declared = false;
    for line in text.lines().filter(|line| CHECKED.iter().any(|kind| line.contains(kind))) {
        let after = |start: usize| line[start + name.len()..].trim_start().starts_with([':', '(', '<', '=']);
        let whole = |start: usize| !line[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        declared |= line.match_indices(name).any(|(start, _)| whole(start) && after(start));
    }
    declared
}

/// True where this text declares the name as a field that is no checked address.
fn declares_other(name: &str, text: &str) -> bool {
    let field = format!("pub {name}: ");
    text.lines().any(|line| line.trim().starts_with(&field) && !CHECKED.iter().any(|kind| line.contains(kind)))
}

/// Interpolated addresses that are not of a checked type. One that begins with `#` or `?` stays on its page, and the
/// names of our own files (`assets.…`) are made by the build.
pub fn unchecked_addresses(templates: &[Source], pages: &[Source], views: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for template in templates {
        let names = bound(&template.text);
        for tag in tags(&template.text) {
            for (attribute, value) in &tag.attributes {
                let stays = value.starts_with('#') || value.starts_with('?');
                if !ADDRESSES.contains(&attribute.as_str()) || !value.contains("{{") || stays {
                    continue;
                }
                let whole = value
                    .strip_prefix("{{")
                    .and_then(|rest| rest.strip_suffix("}}"))
                    .filter(|inner| !inner.contains("{{"));
                let Some(inner) = whole.map(str::trim) else {
                    complaints.push(format!(
                        "{}:{}: {attribute} is glued together from pieces: {value}",
                        template.path, tag.line
                    ));
                    continue;
                };
                if inner.starts_with("assets.") {
                    continue;
                }
                // A name bound in the template is what it was bound to.
                let mut expressions = vec![inner.to_owned()];
                expressions.extend(names.get(inner).into_iter().flatten().cloned());
                let checked = expressions.iter().any(|expression| {
                    let name = last_name(expression);
                    let root = expression.trim_start_matches('&').split(['.', '(']).next().unwrap_or("");
                    // A view of the actions has texts only: what is read from one is never an address.
                    let viewed =
                        root != "self" && root != "shell" && expression.contains('.') && !expression.contains('(');
                    let text = viewed && views.iter().any(|view| declares_other(&name, &view.text));
                    !text && pages.iter().any(|page| declares_checked(&name, &page.text))
                });
                if !checked {
                    complaints.push(format!("{}:{}: {attribute}=\"{value}\" is no SafeUrl", template.path, tag.line));
                }
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_places_are_seen() {
        for text in [
            "{{ body|safe }}",
            "{{ body | safe }}",
            "{{ body|escape(\"none\") }}",
            "<script>alert(1)</script>",
            "<script type=module>let x = {{ x }}</script>",
            "<style>a { color: red }</style>",
            "<p style=\"color: {{ colour }}\">",
            "<a href=\"/x\" onclick='go()'>",
            "<p\n  {% if a > b %}class=\"x\"{% endif %}\n  onmouseover=x>",
            "<button hx-on:click=\"x\">",
            "<button hx-vals='{\"a\": \"{{ a }}\"}'>",
            "<iframe src=\"/x\"></iframe>",
        ] {
            assert!(!unsafe_places(&Source::new("templates/x.html", text)).is_empty(), "{text}");
        }
        let fine = "<p class=\"{{ tone }}\" data-once title=\"on='x'\">{% if a > 1 %}style=\"x\"{% endif %}</p><script src=\"/x.js\"></script>";
        assert_eq!(unsafe_places(&Source::new("templates/x.html", fine)), [""; 0]);
    }

    #[test]
    fn unchecked_addresses_are_seen() {
        let page = |fields: &str| vec![Source::new("src/web/pages/x.rs", fields)];
        let views = [Source::new("src/actions/apps.rs", "pub struct App {\n    pub url: String,\n}")];
        let check = |text: &str, fields: &str| {
            unchecked_addresses(&[Source::new("templates/x.html", text)], &page(fields), &views)
        };
        assert_eq!(check("<a href=\"{{ url }}\">", "    url: SafeUrl,"), [""; 0]);
        assert_eq!(check("{% if let Some(u) = url %}<a href=\"{{ u }}\">", "    url: Option<SafeUrl>,"), [""; 0]);
        assert_eq!(check("<a href=\"{{ self.page(x) }}\">", "    fn page(&self, x: &X) -> SafeUrl {"), [""; 0]);
        assert_eq!(check("<a href=\"#L{{ line }}\"><img src=\"{{ assets.logo }}\">", ""), [""; 0]);
        assert_eq!(check("<a href=\"{{ url }}\">", "    url: String,").len(), 1);
        assert_eq!(check("<a href=\"{{ url }}\">", "    my_url: SafeUrl,").len(), 1);
        assert_eq!(check("<a href=\"{{ url }}\">", "").len(), 1);
        assert_eq!(check("<a href=\"/t/{{ team }}\">", "    team: SafeUrl,").len(), 1);
        assert_eq!(check("<img src={{ self.at(\"x\") }}>", "    fn at(&self) -> String {").len(), 1);
        assert_eq!(check("{% let u = app.url %}<form action='{{ u }}'>", "    url: SafeUrl,").len(), 1);
        assert_eq!(check("<form action='{{ app.url }}'>", "    url: SafeUrl,").len(), 1);
    }
}
