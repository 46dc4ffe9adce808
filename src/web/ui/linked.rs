//! A sentence in which addresses of pages can be followed: what is shown of a link is where it leads.

use askama::Template;
use askama::filters::HtmlSafe;

use super::SafeUrl;

/// The sentence, in parts.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "ui/_linked.html")]
pub struct Linked {
    /// Each as it is shown, and where it leads if it is an address.
    pub parts: Vec<(String, Option<SafeUrl>)>,
}

impl HtmlSafe for Linked {}

impl Linked {
    /// Of this text: what begins with `https://`, up to the next space.
    pub fn of(text: impl AsRef<str>) -> Self {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        for piece in text.as_ref().split_inclusive(char::is_whitespace) {
            // A sign at its end is the sentence's.
            let word =
                piece.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ',' | ';' | ':' | '"' | ')'));
            match SafeUrl::web(word).filter(|_| word.starts_with("https://")) {
                Some(url) => {
                    parts.push((std::mem::take(&mut plain), None));
                    parts.push((word.to_owned(), Some(url)));
                    plain.push_str(piece.strip_prefix(word).unwrap_or_default());
                }
                None => plain.push_str(piece),
            }
        }
        parts.push((plain, None));
        Self { parts }
    }
}

#[cfg(test)]
mod tests {
    use askama::Template as _;

    use super::Linked;

    #[test]
    fn an_address_in_a_sentence_is_a_link_to_what_is_shown_and_nothing_else_is() {
        let html = |text: &str| Linked::of(text).render().unwrap();
        assert_eq!(
            html("Visit https://ca.example/unpause?jwt=a.b-c_d and then press. <b>"),
            "Visit <a href=\"https://ca.example/unpause?jwt=a.b-c_d\" rel=\"noreferrer\">https://ca.example/unpause?jwt=a.b-c_d</a> \
             and then press. &#60;b&#62;"
        );
        assert!(html("see https://ca.example/x.").ends_with("https://ca.example/x</a>."));
        for plain in ["javascript:alert(1)", "http://ca.example/", "(https://ca.example/", "https://"] {
            assert_eq!(html(plain), plain);
        }
        assert!(!html("https://ca.example/\"onclick=x").contains("\"onclick"));
    }
}
