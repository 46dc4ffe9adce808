//! Names of our own things and of environment variables.

use super::{checked_text, has_hidden};

checked_text! {
    /// The short name of a thing in URLs: 1–40 of a–z, 0–9 and hyphen, not beginning or ending with a hyphen.
    Slug = |text| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=40).contains(&text.len()) && text.chars().all(plain) && !text.starts_with('-') && !text.ends_with('-');
        if fits { Ok(text.to_owned()) } else { Err("Use 1 to 40 lowercase letters, digits and hyphens, not beginning or ending with a hyphen.") }
    };
    /// A name people read: 1–80 characters, none of them control characters; outer white space is cut.
    DisplayName = |text| {
        let text = text.trim();
        let fits = (1..=80).contains(&text.chars().count()) && !has_hidden(text);
        if fits { Ok(text.to_owned()) } else { Err("Use 1 to 80 visible characters.") }
    };
    /// An e-mail address, loosely: one `@`, no spaces, at most 254 characters (RFC 5321 §4.5.3.1); kept in lower case.
    Email = |text| {
        let text = text.trim();
        let parts: Vec<&str> = text.split('@').collect();
        let fits = matches!(parts.as_slice(), [user, domain] if !user.is_empty() && !domain.is_empty() && !domain.starts_with('.') && !domain.ends_with('.'))
            && text.len() <= 254 && !text.chars().any(char::is_whitespace) && !has_hidden(text);
        if fits { Ok(text.to_lowercase()) } else { Err("Use an e-mail address such as ada@example.org.") }
    };
    /// The name of an environment variable (POSIX.1-2017 §8.1): letters, digits and underscore, not beginning with a digit, at most 200.
    EnvName = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let fits = (1..=200).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(|c: char| c.is_ascii_digit());
        if fits { Ok(text.to_owned()) } else { Err("Use letters, digits and underscores, not beginning with a digit.") }
    };
    /// The value of an environment variable: any text without NUL (execve(2)), at most 32 KiB.
    EnvValue = |text| {
        if text.contains('\0') { return Err("The value must not contain a NUL character: no program could receive it."); }
        if text.len() > 32 * 1024 { return Err("The value is longer than 32 KiB."); }
        Ok(text.to_owned())
    };
    /// The name of a volume within an app: as a slug.
    PlainName = |text| text.parse::<Slug>().map(String::from).map_err(|bad| bad.0);
    /// The name of a Dockerfile stage: letters, digits, `_`, `-` and `.`, beginning with a letter, at most 60.
    BuildTarget = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let fits = (1..=60).contains(&text.len()) && text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_alphabetic());
        if fits { Ok(text.to_owned()) } else { Err("Use the name of a stage in the Dockerfile: letters, digits, dot, hyphen and underscore.") }
    };
}

impl Slug {
    /// The longest a slug may be, less room for a "-123" behind it.
    const ROOM: usize = 36;

    /// A slug made of a name: "My Shop!" becomes `my-shop`; where nothing is left of it, `fallback` is taken. Where it is
    /// among `taken`, the first free of `-2`, `-3` … is put behind it.
    pub fn of(name: &str, fallback: &'static str, taken: &[String]) -> Self {
        let mut base = String::new();
        for c in name.chars().map(|c| c.to_ascii_lowercase()) {
            if base.len() >= Self::ROOM {
                break;
            }
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                base.push(c);
            } else if !base.is_empty() && !base.ends_with('-') {
                base.push('-');
            }
        }
        let base = base.trim_end_matches('-');
        let base = if base.is_empty() { fallback } else { base };
        let free = |text: &String| !taken.contains(text);
        let numbered = (2..=taken.len() + 2).map(|n| format!("{base}-{n}"));
        let slug = std::iter::once(base.to_owned()).chain(numbered).find(free);
        Self(slug.unwrap_or_else(|| fallback.to_owned()))
    }
}
