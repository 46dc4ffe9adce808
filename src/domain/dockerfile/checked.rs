//! The only ways in which something of a manifest gets into a Dockerfile, and the Dockerfile itself: checked texts.

use crate::domain::names::checked_text;

/// Bytes of a Dockerfile that is kept: the longest in the field have a fifth of it.
const LONGEST: usize = 64 * 1024;

checked_text! {
    /// A version: one to three numbers with points between.
    Version = |text| {
        let number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let fits = text.split('.').count() <= 3 && text.split('.').all(number);
        if fits { Ok(text.to_owned()) } else { Err("Use a version such as 3.12.") }
    };
    /// The name of a package, module or program: letters, digits, `_`, `.` and `-`, not beginning with the last two; at most 80.
    Word = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let fits = (1..=80).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(['.', '-']);
        if fits { Ok(text.to_owned()) } else { Err("Use letters, digits, dot, hyphen and underscore.") }
    };
    /// A path of such names, relative, at most 200.
    FilePath = |text| {
        let text = text.trim_start_matches("./");
        let fits = text.len() <= 200 && text.split('/').all(|part| part.parse::<Word>().is_ok());
        if fits { Ok(text.to_owned()) } else { Err("Use a path of plain names.") }
    };
    /// A command that a shell reads as it stands: words without anything special in them but `$PORT`, at most 300.
    Command = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ':' | '=' | '@' | ',' | '+');
        let word = |word: &str| {
            let word = word.replace("${PORT}", "0").replace("$PORT", "0");
            !word.is_empty() && word.chars().all(plain)
        };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let fits = (1..=300).contains(&text.len()) && text.split(' ').all(word) && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if fits { Ok(text) } else { Err("Use plain words, and $PORT.") }
    };
    /// The text of a Dockerfile: at most 64 KiB, with a `FROM` line, lines ending in a newline.
    DockerfileText = |text| {
        let text = text.replace("\r\n", "\n");
        if text.len() > LONGEST { return Err("The Dockerfile is longer than 64 KiB."); }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err("The Dockerfile contains a control character. Only line breaks and tabs may be in it.");
        }
        let from = |line: &str| line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("from"));
        if !text.lines().any(from) { return Err("The Dockerfile has no FROM line: with one it says what image it starts from."); }
        Ok(format!("{}\n", text.trim_end()))
    };
}

impl Version {
    /// The first version in a text such as `>=3.11,<4`, `^20.0.0`, `v22` or `1.x`; none where there is no number.
    pub fn within(text: &str) -> Option<Self> {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let rest = text.get(start..)?;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let numbers: Vec<&str> = rest.get(..end)?.split('.').filter(|part| !part.is_empty()).take(3).collect();
        numbers.join(".").parse().ok()
    }

    /// Its first so many numbers: of `3.12.1` and 2 it is `3.12`.
    pub fn first(&self, numbers: usize) -> String {
        self.as_ref().split('.').take(numbers).collect::<Vec<_>>().join(".")
    }
}
