//! Certificates that a host renewed itself while the panel was gone: what it is given for that, and whether the panel takes over what it
//! got. Not here: the host's own script (`scripts/renew.bash`).

use time::OffsetDateTime;

use super::Facts;
use crate::domain::ids::CertificateId;

/// Everything of it on a host, but for the timer.
pub const FOLDER: &str = "/var/lib/skiff/renew";
/// Bytes of a chain and a key that are read.
const MAX_BYTES: usize = 64 * 1024;

/// A file of it.
pub fn path(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// The note of a host that it renewed this one.
pub fn note(id: CertificateId) -> String {
    format!("{FOLDER}/got/{}", id.simple())
}

/// What may be renewed: a line for each, its id and its names.
pub fn list_text<'a>(all: impl IntoIterator<Item = (CertificateId, &'a [String])>) -> String {
    let lines = all.into_iter().map(|(id, names)| format!("{} {}\n", id.simple(), names.join(" ")));
    lines.collect()
}

/// Where the authority's directory is: one line.
pub fn settings_text(directory: &str) -> String {
    let line: String = directory.chars().filter(|c| !c.is_control()).collect();
    line + "\n"
}

/// The certificates of a proxy's file, and its key; none where it is not both.
pub fn split(text: &str) -> Option<(String, String)> {
    let (mut chain, mut key, mut in_key) = (String::new(), String::new(), false);
    for line in text.get(..MAX_BYTES.min(text.len()))?.lines() {
        if line.starts_with("-----BEGIN ") {
            in_key = line.contains("PRIVATE KEY");
        }
        let to = if in_key { &mut key } else { &mut chain };
        to.push_str(line);
        to.push('\n');
    }
    (!chain.is_empty() && !key.is_empty()).then_some((chain, key))
}

/// What the panel has of a certificate.
#[derive(Clone, Debug)]
pub struct Former<'a> {
    /// Its names.
    pub names: &'a [String],
    /// The SHA-256 of what is served, hex.
    pub fingerprint: &'a str,
    /// From when that is valid.
    pub not_before: OffsetDateTime,
    /// Until when.
    pub not_after: OffsetDateTime,
}

/// What becomes of what a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The panel has it.
    Known,
    /// The panel has one that is good for longer, and brings it.
    Older,
    /// The panel takes it over.
    Taken,
    /// It is replaced by one that the panel gets, for this reason.
    Replaced(&'static str),
}

/// Decides. Whoever is root on a host has the key of what is served there, and gains nothing by another one for the same names and for
/// no longer than the authority gives; anything else is not taken.
pub fn judge(former: &Former<'_>, found: &Facts) -> Verdict {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    if found.fingerprint.eq_ignore_ascii_case(former.fingerprint) {
        return Verdict::Known;
    }
    if sorted(former.names) != sorted(&found.names) {
        return Verdict::Replaced("it is for other names");
    }
    if found.not_after <= former.not_after {
        return Verdict::Older;
    }
    let life = former.not_after - former.not_before;
    if found.not_after - found.not_before > life + life / 10 {
        return Verdict::Replaced("it lasts longer than those of the authority do");
    }
    Verdict::Taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    fn facts(names: &[&str], from: OffsetDateTime, days: i64) -> Facts {
        Facts {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            issuer: String::new(),
            serial: String::new(),
            fingerprint: format!("{}{days}", names.len()),
            not_before: from,
            not_after: from + Duration::days(days),
        }
    }

    #[test]
    fn only_a_newer_one_for_the_same_names_and_no_longer_is_taken() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let later = start + Duration::days(75);
        let ours = facts(&["a.test", "b.test"], start, 90);
        let former = Former {
            names: &ours.names,
            fingerprint: &ours.fingerprint,
            not_before: ours.not_before,
            not_after: ours.not_after,
        };
        assert_eq!(judge(&former, &ours), Verdict::Known);
        assert_eq!(judge(&former, &facts(&["b.test", "a.test"], later, 91)), Verdict::Taken);
        assert_eq!(judge(&former, &facts(&["a.test", "b.test"], later, 6)), Verdict::Older);
        for names in [&["a.test"][..], &["a.test", "b.test", "c.test"], &["a.test", "*.test"]] {
            assert_eq!(judge(&former, &facts(names, later, 89)), Verdict::Replaced("it is for other names"));
        }
        let long = judge(&former, &facts(&["a.test", "b.test"], later, 3_650));
        assert_eq!(long, Verdict::Replaced("it lasts longer than those of the authority do"));
    }

    #[test]
    fn a_file_is_split_and_texts_have_one_line_for_each() {
        let file = "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nK\n-----END PRIVATE KEY-----\n";
        let (chain, key) = split(file).unwrap();
        assert!(chain.ends_with("END CERTIFICATE-----\n") && key.starts_with("-----BEGIN PRIVATE"), "{chain}{key}");
        assert!(split("-----BEGIN CERTIFICATE-----\n").is_none() && split("").is_none());
        let id = CertificateId(uuid::Uuid::nil());
        let names = ["a.test".to_owned(), "b.test".to_owned()];
        assert_eq!(list_text([(id, &names[..])]), format!("{} a.test b.test\n", "0".repeat(32)));
        assert_eq!(settings_text("https://ca\n/dir"), "https://ca/dir\n");
    }
}
