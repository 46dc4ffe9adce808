//! What is shown on a terminal: tables aligned by the width of their letters, times, and text of others made harmless.

use std::fmt::Write as _;
use std::io::IsTerminal;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use unicode_width::UnicodeWidthStr;

use crate::domain::log_text;

/// Columns between two columns of a table.
const GAP: usize = 2;

/// Text of others: nothing in it is obeyed by a terminal.
pub fn plain(text: &str) -> String {
    // A line's end would begin a row of its own; log lines come without.
    log_text::plain(text.replace(['\n', '\r', '\t'], " ").as_bytes())
}

/// A line of a log, harmless, with its tabs.
pub fn line(text: &str) -> String {
    log_text::plain(text.as_bytes())
}

/// The text at a path such as `release.number`; empty where there is none.
pub fn at(value: &Value, path: &str) -> String {
    let mut here = value;
    for name in path.split('.') {
        let Some(next) = here.get(name) else { return String::new() };
        here = next;
    }
    match here {
        Value::String(text) => plain(text),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// The lines of a list.
pub fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Puts a value into a document.
pub fn set(document: &mut Value, name: &str, value: Value) {
    if let Some(fields) = document.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// A time as `2026-11-25 07:58` of UTC; a dash where there is none.
pub fn time(value: &Value, path: &str) -> String {
    match OffsetDateTime::parse(&at(value, path), &Rfc3339) {
        Ok(at) => {
            let (day, at) = (at.date(), at.time());
            format!("{day} {:02}:{:02}", at.hour(), at.minute())
        }
        Err(_) => "-".into(),
    }
}

/// The clock of a time of UTC, as `07:58:01`; a dash where there is none.
pub fn clock(value: &Value, path: &str) -> String {
    match OffsetDateTime::parse(&at(value, path), &Rfc3339) {
        Ok(at) => {
            let at = at.time();
            format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
        }
        Err(_) => "-".into(),
    }
}

/// A state as people read it.
pub fn state(value: &Value, path: &str) -> String {
    at(value, path).replace('_', " ")
}

/// A table: its head, its rows. Empty cells are a dash, so that columns can be cut by scripts.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let cell = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_uppercase))
        .chain(rows.iter().map(|row| row.each_ref().map(|text| cell(text))))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = text.width().max(*width);
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, text) in widths.iter().zip(row) {
            let _ = write!(line, "{text}{}", " ".repeat(width - text.width() + GAP));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// One thing as name and value, a line each; what is empty is left out.
pub fn facts(of: &[(&str, String)]) -> String {
    let width = of.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let lines: Vec<String> = of
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}{}{value}", " ".repeat(width - name.width() + GAP)))
        .collect();
    lines.join("\n")
}

/// A sentence in lines of a terminal of at most this width; a word that is longer stands alone.
pub fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// True where a person watches what is told: not in a pipe, not where programs build.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal() && may_colour()
}

/// True where nobody has said that a terminal is to be left plain.
pub fn may_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !set("NO_COLOR") && !set("CI") && !dumb
}

/// Tells a person something beside the answer.
pub fn tell(text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr().lock(), format_args!("{text}\n"));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_letters_are_shown() {
        let rows = [["web".into(), "läuft".into()], ["店铺".into(), String::new()], ["a-long-name".into(), "x".into()]];
        expect![[r#"
            NAME         STATE
            web          läuft
            店铺         -
            a-long-name  x"#]]
        .assert_eq(&table(["name", "state"], &rows));
    }

    #[test]
    fn nothing_of_others_is_obeyed() {
        let hostile = json!({"name": "\u{1b}[2J\u{1b}]0;owned\u{7}web\u{202e}x\nroot  ready\u{9b}31m"});
        let shown = at(&hostile, "name");
        assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown:?}");
        assert!(shown.contains("web"), "{shown:?}");
    }

    #[test]
    fn times_and_what_is_not_there() {
        let row = json!({"at": "2026-11-25T07:58:01.123456Z", "release": {"number": 3}, "none": null});
        assert_eq!(time(&row, "at"), "2026-11-25 07:58");
        assert_eq!(time(&row, "none"), "-");
        assert_eq!(at(&row, "release.number"), "3");
        assert_eq!(at(&row, "none.deeper"), "");
    }
}
