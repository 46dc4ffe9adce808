//! What looks like a secret, though nobody said that it is one: tokens by how they begin, passwords by the word before them, private
//! keys by their frame. For texts that leave the panel. Not here: values that are known (`redact`).

use super::redact::MASK;

/// How tokens begin that are told by that alone: ours, the signing tokens of hooks, and those of well-known services.
const TOKENS: [&str; 12] = [
    "skf_",
    "whsec_",
    "skiff-master-key-1 ",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "sk_live_",
    "sk_test_",
    "AKIA",
];
/// Words after which a secret stands, behind an equals sign or a colon.
const WORDS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "private_key",
    "authorization",
    "cookie",
];
/// What a private key's frame says.
const FRAME: &str = "PRIVATE KEY-----";

/// The text without them. Line ends stay.
pub fn blot(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut in_key = false;
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            clean.push('\n');
        }
        // A key may stand escaped in one line as well.
        if let Some(start) = line.find("-----BEGIN ").filter(|_| line.contains(FRAME)) {
            in_key = !line.contains("-----END ");
            clean.push_str(line.get(..start).unwrap_or_default());
            clean.push_str(MASK);
            continue;
        }
        if in_key {
            in_key = !line.contains("-----END ");
            continue;
        }
        clean.push_str(&words(&credentials(&tokens(line))));
    }
    clean
}

/// Tokens by their beginning.
fn tokens(line: &str) -> String {
    let mut line = line.to_owned();
    for begin in TOKENS {
        let begins = |rest: &str| rest.starts_with(begin).then_some((begin.len(), None));
        line = after(&line, begins, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '=' | '.'));
    }
    line
}

/// What stands before the host in an address: `postgres://user:password@host`.
fn credentials(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = behind.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>' | ')'));
        let authority = behind.get(..end.unwrap_or(behind.len())).unwrap_or(behind);
        match authority.rfind('@') {
            Some(at) => {
                clean.push_str(MASK);
                rest = behind.get(at..).unwrap_or_default();
            }
            None => rest = behind,
        }
    }
    clean.push_str(rest);
    clean
}

/// Values by the word before them: `password=x`, `"token": "x"`, `Authorization: Bearer x`.
fn words(line: &str) -> String {
    let mut line = line.to_owned();
    for word in WORDS {
        line = after(
            &line,
            |rest| {
                let head = rest.get(..word.len())?;
                if !head.eq_ignore_ascii_case(word) {
                    return None;
                }
                let behind = rest.get(word.len()..)?;
                let behind_name = behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
                let unquoted = behind_name.trim_start_matches(['"', '\'']);
                let value = unquoted.trim_start().strip_prefix(['=', ':'])?;
                let value = value.trim_start();
                // A value in quotes ends with them, whatever is in it.
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                let mut value = quote.and_then(|quote| value.strip_prefix(quote)).unwrap_or(value);
                for scheme in ["Bearer ", "Basic ", "bearer ", "basic "] {
                    value = value.strip_prefix(scheme).unwrap_or(value);
                }
                Some((rest.len() - value.len(), quote))
            },
            |c| !c.is_whitespace() && !matches!(c, '"' | '\'' | ',' | ';' | '&' | '}' | ')'),
        );
    }
    line
}

/// Masks what follows each place at which `begins` says how much to keep: up to the quote it names, or as long as `goes_on`.
fn after(line: &str, begins: impl Fn(&str) -> Option<(usize, Option<char>)>, goes_on: impl Fn(char) -> bool) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some((kept, quote)) = begins(rest) {
            let (head, behind) = rest.split_at_checked(kept).unwrap_or((rest, ""));
            let ends = |c: char| quote.map_or(!goes_on(c), |quote| c == quote);
            let end = behind.find(ends).unwrap_or(behind.len());
            clean.push_str(head);
            if end > 0 {
                clean.push_str(MASK);
            }
            rest = behind.get(end..).unwrap_or_default();
            if head.is_empty() && end == 0 {
                break;
            }
        } else {
            clean.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_goes_and_the_rest_stays() {
        for (text, clean) in [
            (
                "set it up at http://127.0.0.1:7070/setup?token=aB3-x_9 (a new link",
                "set it up at http://127.0.0.1:7070/setup?token=••• (a new link",
            ),
            ("curl -H 'Authorization: Bearer skf_abc123' x", "curl -H 'Authorization: Bearer •••' x"),
            ("token skf_abc123, done", "token skf_•••, done"),
            ("DATABASE_URL=postgres://skiff:hu:n@ter2@db:5432/skiff?x", "DATABASE_URL=postgres://•••@db:5432/skiff?x"),
            (
                "see https://git.example.org/a@b and mail a@b.example",
                "see https://git.example.org/a@b and mail a@b.example",
            ),
            ("{\"password\": \"x, y\", \"user\": \"ada\"}", "{\"password\": \"•••\", \"user\": \"ada\"}"),
            ("POSTGRES_PASSWORD=abc STRIPE_SECRET_KEY='sk_live_1'", "POSTGRES_PASSWORD=••• STRIPE_SECRET_KEY='•••'"),
            ("The secret STRIPE_KEY could not be opened.", "The secret STRIPE_KEY could not be opened."),
            ("no password was asked for", "no password was asked for"),
            ("a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\nb", "a\n•••\n\n\nb"),
            ("x -----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY-----", "x •••"),
            ("", ""),
        ] {
            assert_eq!(blot(text), clean, "{text}");
        }
    }
}
