//! Secrets are taken out of what is logged. A redactor learns the values before the first line; every line of output
//! passes through it. It knows the forms in which programs repeat a value: as it is, base64, percent-encoded, escaped
//! for JSON, and the lines of a value that has several. Not here: which values a job has.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroize;

/// What stands in the place of a secret.
pub const MASK: &str = "•••";
/// Values and parts shorter than this many bytes are not searched for: they would blot out half of every log, and hide
/// nothing that could not be guessed.
pub const SHORTEST: usize = 4;

/// Bytes that are kept of one form: more than any usual key in base64. A longer form is known by its beginning, and
/// from there to the end of the line nothing is shown. It bounds what looking at one byte of a log can cost.
const LONGEST: usize = 4 * 1024;
/// Bytes of memory the forms of all values may take: hundreds of keys of many lines. Beyond it no line is shown at all:
/// better no log than one with a secret in it.
const MAX_KNOWN: usize = 32 * 1024 * 1024;
/// What one form takes besides its bytes, roughly: many short ones must not pass the cap unseen.
const OVERHEAD: usize = 64;

/// Learns secret values, and replaces them in lines of bytes.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Sorted: the one that stands at a place of a line is found by halving, however many there are. Not an automaton:
    /// that takes hundreds of times the memory, and what it copied of the secrets could not be wiped.
    needles: Vec<Needle>,
    /// How needles begin: most places of most lines are passed by this alone.
    heads: Heads,
    /// More was to be learnt than is kept.
    full: bool,
}

#[derive(Clone)]
struct Needle {
    form: Vec<u8>,
    /// The longest other needle this one begins with.
    shorter: Option<usize>,
}

/// The first [`SHORTEST`] bytes of the needles: a bit for each hash of 16 bits. It says "perhaps", or "certainly not".
#[derive(Clone, Default)]
struct Heads(Vec<u64>);

impl Heads {
    /// The word and the bit of what begins so; none for what is shorter than any needle.
    fn place(text: &[u8]) -> Option<(usize, u64)> {
        let head = u32::from_le_bytes(*text.first_chunk::<SHORTEST>()?);
        // Multiplied by 2^32 divided by the golden ratio (Fibonacci hashing), the upper half is spread evenly.
        let hash = head.wrapping_mul(0x9E37_79B1) >> 16;
        Some(((hash / 64) as usize, 1 << (hash % 64)))
    }

    fn insert(&mut self, needle: &[u8]) {
        self.0.resize(1 << 10, 0);
        if let Some((word, bit)) = Self::place(needle)
            && let Some(word) = self.0.get_mut(word)
        {
            *word |= bit;
        }
    }

    fn may_have(&self, text: &[u8]) -> bool {
        Self::place(text).is_some_and(|(word, bit)| self.0.get(word).is_some_and(|word| word & bit != 0))
    }
}

impl Drop for Redactor {
    fn drop(&mut self) {
        self.needles.iter_mut().for_each(|needle| needle.form.zeroize());
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
        for mut form in forms.into_iter().filter(known) {
            self.needles.push(Needle { form: form.iter().copied().take(LONGEST).collect(), shorter: None });
            form.zeroize();
        }
        self.arrange(MAX_KNOWN);
    }

    /// Sorts what is known, and links each needle to those it begins with; above this size nothing is kept.
    fn arrange(&mut self, most: usize) {
        self.needles.sort_by(|a, b| a.form.cmp(&b.form));
        self.needles.dedup_by(|again, kept| {
            let same = again.form == kept.form;
            if same {
                again.form.zeroize();
            }
            same
        });
        let size: usize = self.needles.iter().map(|needle| needle.form.len() + OVERHEAD).sum();
        self.full |= size > most;
        if self.full {
            self.needles.drain(..).for_each(|mut needle| needle.form.zeroize());
            return;
        }
        // In this order, what begins with a needle follows it directly. So those that the present one may begin with
        // are a chain, and each needle enters and leaves it once.
        let mut chain: Vec<usize> = Vec::new();
        for at in 0..self.needles.len() {
            let Some((sorted, [needle, ..])) = self.needles.split_at_mut_checked(at) else { continue };
            let begins = |last: &mut usize| sorted.get(*last).is_some_and(|n| needle.form.starts_with(&n.form));
            while chain.pop_if(|last| !begins(last)).is_some() {}
            needle.shorter = chain.last().copied();
            chain.push(at);
            self.heads.insert(&needle.form);
        }
    }

    /// True where nothing was learnt.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty() && !self.full
    }

    /// The line with every known value masked. Lines are to be whole: a value that is cut in two is not found, so
    /// streams are cut at line ends, or overlap by `longest`.
    pub fn line(&self, line: &[u8]) -> Vec<u8> {
        if self.full && !line.is_empty() {
            return MASK.as_bytes().to_vec();
        }
        let mut clean = Vec::with_capacity(line.len());
        let mut rest = line;
        while let Some((first, after)) = rest.split_first() {
            match self.longest_at(rest) {
                Some(length) => {
                    if !clean.ends_with(MASK.as_bytes()) {
                        clean.extend_from_slice(MASK.as_bytes());
                    }
                    // Of what is cut at this length the end is not known.
                    let masked = if length < LONGEST { length } else { rest.len() };
                    rest = rest.get(masked..).unwrap_or_default();
                }
                None => {
                    clean.push(*first);
                    rest = after;
                }
            }
        }
        clean
    }

    /// The length of the longest needle that stands at the beginning of this text.
    fn longest_at(&self, text: &[u8]) -> Option<usize> {
        if !self.heads.may_have(text) {
            return None;
        }
        // The last needle that does not sort after the text: each needle the text begins with, this one begins with
        // too, or is it.
        let after = self.needles.partition_point(|needle| needle.form.as_slice() <= text);
        let mut needle = self.needles.get(after.checked_sub(1)?)?;
        let common = needle.form.iter().zip(text).take_while(|(a, b)| a == b).count();
        while needle.form.len() > common {
            needle = self.needles.get(needle.shorter?)?;
        }
        Some(needle.form.len())
    }

    /// The same for text.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.line(text.as_bytes())).into_owned()
    }

    /// Bytes of the longest form: how much of a cut line must be kept back until the rest of it comes.
    pub fn longest(&self) -> usize {
        self.needles.iter().map(|needle| needle.form.len()).max().unwrap_or(0)
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
    fn of_values_that_begin_alike_the_longest_that_stands_there_is_masked() {
        let secrets = ["aaaa", "aaaab0", "aaaabb0", "aaaabbb0", "aaaabb", "zzzz"];
        assert_eq!(clean(&secrets, "aaaabbb1 aaaabb0 aaaab1 aaab zzzzz"), "•••b1 ••• •••b1 aaab •••z");
    }

    #[test]
    fn behind_the_beginning_of_a_very_long_value_nothing_is_shown() {
        let long: String = (0..6_000).map(|n| format!("{n}.")).collect();
        assert_eq!(clean(&[&long], &format!("before {long}after")), "before •••");
        assert_eq!(clean(&[&long], &format!("{} short", &long[..2_000])), format!("{} short", &long[..2_000]));
    }

    #[test]
    fn with_more_values_than_can_be_kept_no_line_is_shown() {
        let mut redactor = Redactor::default();
        redactor.learn("secret");
        redactor.arrange(2 * OVERHEAD);
        assert!(!redactor.is_empty());
        assert_eq!(redactor.text("harmless"), MASK);
        assert_eq!(redactor.text(""), "");
        redactor.learn("another");
        assert_eq!(redactor.text("not another"), MASK);
    }

    #[test]
    fn a_value_of_thousands_of_lines_does_not_slow_the_log() {
        let lines: Vec<String> = (0..4_601).map(|n| format!("{:06x}", n * 3_001)).collect();
        let mut redactor = Redactor::default();
        redactor.learn(&lines.join("\n"));
        // Looked up one by one, these would be nine thousand comparisons for each of a million bytes.
        assert_eq!(redactor.text(&"0 1 2 3 ".repeat(125_000)).len(), 1_000_000);
        assert_eq!(redactor.text(&format!("x {} y", lines[4_600])), "x ••• y");
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
