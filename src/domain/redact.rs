//! Secrets are taken out of what is logged. A redactor learns the values before the first line; every line of output
//! passes through it. It knows the forms in which programs repeat a value: as it is, base64, percent-encoded, escaped
//! for JSON, and the lines of a value that has several. Not here: which values a job has.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::BTreeMap;
use zeroize::Zeroize;

/// What stands in the place of a secret.
pub const MASK: &str = "•••";
/// Values and parts shorter than this many bytes are not searched for: they would blot out half of every log, and hide
/// nothing that could not be guessed.
pub const SHORTEST: usize = 4;

/// Learns secret values, and replaces them in lines of bytes.
#[derive(Clone, Default)]
pub struct Redactor {
    /// By their first byte, because every byte of every line is looked up; longest first, so that a value that holds
    /// another one disappears whole.
    needles: BTreeMap<u8, Vec<Vec<u8>>>,
}

impl Drop for Redactor {
    fn drop(&mut self) {
        self.needles.values_mut().flatten().for_each(Zeroize::zeroize);
    }
}

impl Redactor {
    /// Learns a value and the forms it may be repeated in.
    pub fn learn(&mut self, value: &str) {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        let trimmed = value.trim();
        for text in [value, trimmed].into_iter().chain(value.lines().map(str::trim)) {
            forms.push(text.as_bytes().to_vec());
            forms.push(percent(text, b"-._~").into_bytes());
            forms.push(percent(text, b"-._*").replace("%20", "+").into_bytes());
            forms.extend(json_escaped(text).map(String::into_bytes));
            forms.extend(base64_forms(text.as_bytes()));
        }
        let known = |form: &Vec<u8>| form.len() >= SHORTEST && !form.iter().all(u8::is_ascii_whitespace);
        for form in forms.into_iter().filter(known) {
            let Some(first) = form.first() else { continue };
            let bucket = self.needles.entry(*first).or_default();
            bucket.push(form);
            bucket.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            bucket.dedup();
        }
    }

    /// True where nothing was learnt.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The line with every known value masked. Lines are to be whole: a value that is cut in two is not found, so
    /// streams are cut at line ends, or overlap by `longest`.
    pub fn line(&self, line: &[u8]) -> Vec<u8> {
        let mut clean = Vec::with_capacity(line.len());
        let mut rest = line;
        while let Some((first, after)) = rest.split_first() {
            match self.needles.get(first).and_then(|bucket| bucket.iter().find(|needle| rest.starts_with(needle))) {
                Some(needle) => {
                    if !clean.ends_with(MASK.as_bytes()) {
                        clean.extend_from_slice(MASK.as_bytes());
                    }
                    rest = rest.get(needle.len()..).unwrap_or_default();
                }
                None => {
                    clean.push(*first);
                    rest = after;
                }
            }
        }
        clean
    }

    /// The same for text.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.line(text.as_bytes())).into_owned()
    }

    /// Bytes of the longest form: how much of a cut line must be kept back until the rest of it comes.
    pub fn longest(&self) -> usize {
        self.needles.values().flatten().map(Vec::len).max().unwrap_or(0)
    }
}

/// Percent-encoded (RFC 3986 §2.1), but for letters, digits and these marks.
fn percent(text: &str, marks: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || marks.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// As it stands between the quotes of a JSON string.
fn json_escaped(text: &str) -> Option<String> {
    let quoted = serde_json::to_string(text).ok()?;
    quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).map(str::to_owned)
}

/// Base64 of the value, and of the value anywhere inside something else that is encoded (`user:value`): the middle part
/// of each of the three alignments, which does not depend on what stands around it.
fn base64_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3_usize {
        let mut padded = vec![0_u8; before];
        padded.extend_from_slice(value);
        // Whole groups of three only; the first group is shared with what stands before.
        let whole = padded.len() / 3 * 3;
        let from = if before == 0 { 0 } else { 4 };
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(padded.get(..whole).unwrap_or_default());
            let middle = encoded.get(from..).unwrap_or_default().as_bytes();
            // A short middle would be found in any encoded text.
            if middle.len() >= 8 {
                forms.push(middle.to_vec());
            }
        }
        padded.zeroize();
    }
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        forms.push(engine.encode(value).into_bytes());
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn clean(secrets: &[&str], line: &str) -> String {
        let mut redactor = Redactor::default();
        secrets.iter().for_each(|secret| redactor.learn(secret));
        redactor.text(line)
    }

    #[test]
    fn a_value_is_masked_wherever_it_stands() {
        assert_eq!(clean(&["hunter22"], "a hunter22, hunter22hunter22 b"), "a •••, ••• b");
    }

    #[test]
    fn short_values_are_left_alone() {
        assert_eq!(clean(&["abc", "", "   \n "], "abc   abcd"), "abc   abcd");
    }

    #[test]
    fn the_longer_of_two_values_disappears_whole() {
        assert_eq!(clean(&["pass", "password1"], "password1 pass1"), "••• •••1");
    }

    #[test]
    fn encoded_forms_are_masked() {
        let secret = "p@ss \"w\\ord/+?";
        assert_eq!(clean(&[secret], "url p%40ss%20%22w%5Cord%2F%2B%3F."), "url •••.");
        assert_eq!(clean(&[secret], "form p%40ss+%22w%5Cord%2F%2B%3F."), "form •••.");
        assert_eq!(clean(&[secret], r#"{"k":"p@ss \"w\\ord/+?"}"#), r#"{"k":"•••"}"#);
    }

    #[test]
    fn base64_is_masked_alone_and_inside_something_else() {
        let secret = "correct-horse-battery";
        assert_eq!(clean(&[secret], &format!("={}", STANDARD.encode(secret))), "=•••");
        for before in ["", "u", "us", "use"] {
            let line = STANDARD.encode(format!("{before}:{secret}\n"));
            let masked = clean(&[secret], &line);
            assert!(masked.contains(MASK) && masked.len() < 24, "{line} became {masked}");
        }
    }

    #[test]
    fn each_line_of_a_value_is_masked() {
        let key = "-----BEGIN KEY-----\nabcdefgh\r\nijk\nlmnopq\n";
        assert_eq!(clean(&[key], "abcdefgh"), MASK);
        assert_eq!(clean(&[key], "  lmnopq ijk"), "  ••• ijk");
        assert_eq!(clean(&[key], key), MASK);
    }

    #[test]
    fn bytes_that_are_no_text_pass_through() {
        let mut redactor = Redactor::default();
        redactor.learn("secret");
        assert_eq!(redactor.line(b"\xff\xfesecret\x80"), b"\xff\xfe\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\x80");
    }

    proptest! {
        #[test]
        fn no_learnt_value_survives(secrets in proptest::collection::vec("[a-zA-Z0-9+/=%\"\\\\ ]{4,20}", 1..5), around in "[ a-z]{0,10}") {
            let texts: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let line = format!("{around}{}{around}", secrets.join(&around));
            let masked = clean(&texts, &line);
            for secret in secrets.iter().filter(|s| !s.trim().is_empty()) {
                prop_assert!(!masked.contains(secret.as_str()), "{secret:?} in {masked:?}");
            }
        }
    }
}
