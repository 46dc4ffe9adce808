//! Addresses that may stand in `href` and `src`. Not here: anything that asks for them.

use std::fmt;

use crate::domain::help::Topic;

/// An address that leads to a page: ours, or one over http(s). `javascript:` and its kin cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeUrl(String);

impl SafeUrl {
    /// A path of ours; each part stands after a slash and is encoded.
    pub fn path<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        // A page has some hundred: room for a team, a noun and an id at once.
        let mut path = String::with_capacity(80);
        for part in parts {
            path.push('/');
            // A space comes alone, as a plus.
            path.extend(
                url::form_urlencoded::byte_serialize(part.as_bytes())
                    .map(|piece| if piece == "+" { "%20" } else { piece }),
            );
        }
        if path.is_empty() { Self("/".to_owned()) } else { Self(path) }
    }

    /// A heading of a page of the docs; the page itself where the heading is empty.
    pub fn docs(page: &str, heading: &str) -> Self {
        let mut address = Self::path(["docs", page]);
        if !heading.is_empty() {
            address.0.push('#');
            address.0.extend(url::form_urlencoded::byte_serialize(heading.as_bytes()));
        }
        address
    }

    /// Where the docs say more about it.
    pub fn help(topic: Topic) -> Self {
        Self(topic.path())
    }

    /// The same with something after the last part that is a constant of ours: `?to=head`, `#log`.
    pub fn and(mut self, tail: &'static str) -> Self {
        self.0.push_str(tail);
        self
    }

    /// The same from behind a line of a log.
    pub fn after(mut self, line: i64) -> Self {
        self.0.push_str(&format!("?after={line}"));
        self
    }

    /// The same with the page one comes back to afterwards.
    pub fn back_to(mut self, page: &Self) -> Self {
        self.0.push_str("?back=");
        self.0.extend(url::form_urlencoded::byte_serialize(page.0.as_bytes()));
        self
    }

    /// The same with what was asked for in a form that is sent by GET; empty values are left out.
    pub fn asking<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            self.0.push(if self.0.contains('?') { '&' } else { '?' });
            self.0.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
            self.0.push('=');
            self.0.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
        }
        self
    }

    /// The same from before a thing with this id, in a list that goes on.
    pub fn before(mut self, id: uuid::Uuid) -> Self {
        self.0.push_str(&format!("?before={id}"));
        self
    }

    /// The same at one thing on the page, whose `id` is this word, a hyphen and the thing's.
    pub fn at(mut self, word: &'static str, id: uuid::Uuid) -> Self {
        self.0.push_str(&format!("#{word}-{id}"));
        self
    }

    /// An address somebody gave, if it is one of the web.
    pub fn web(text: &str) -> Option<Self> {
        let url = url::Url::parse(text).ok()?;
        matches!(url.scheme(), "http" | "https").then(|| Self(url.into()))
    }

    /// A path of ours that came back to us: it must not lead to another host (`//elsewhere`, `/\elsewhere`).
    pub fn back(text: &str) -> Option<Self> {
        let ours = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
        (ours && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// An asset of ours.
    pub(in crate::web) fn asset(path: &str, fragment: &'static str) -> Self {
        Self([path, fragment].concat())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SafeUrl;

    #[test]
    fn only_the_web_and_our_own_paths_are_linked() {
        assert_eq!(SafeUrl::web("https://shop.example").unwrap().as_str(), "https://shop.example/");
        for bad in ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//x", "vbscript:x", ""] {
            assert_eq!(SafeUrl::web(bad), None, "{bad}");
        }
        for bad in ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb"] {
            assert_eq!(SafeUrl::back(bad), None, "{bad}");
        }
        assert_eq!(SafeUrl::back("/t/acme/apps").unwrap().as_str(), "/t/acme/apps");
    }

    #[test]
    fn parts_cannot_leave_their_place() {
        assert_eq!(SafeUrl::path(["t", "../x", "a b?"]).as_str(), "/t/..%2Fx/a%20b%3F");
        assert_eq!(SafeUrl::path([]).as_str(), "/");
        let asked = SafeUrl::path(["x"]).asking([("q", "a&b=\"c d"), ("none", "")]);
        assert_eq!(asked.as_str(), "/x?q=a%26b%3D%22c+d");
    }
}
