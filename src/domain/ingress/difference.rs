//! What is different between two texts of haproxy.cfg, section by section, for people who want to see before they save.
//! Hashes of passwords are left out.

/// Lines around a difference that are shown with it.
const AROUND: usize = 2;
/// What is shown in place of a password's hash.
const HIDDEN: &str = "…";

/// A section of the file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its first line: "backend b0001".
    pub name: String,
    /// The lines that differ, with some around them.
    pub lines: Vec<Line>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is in both.
    Same(String),
    /// It goes.
    Gone(String),
    /// It comes.
    New(String),
}

/// The sections that differ, in the order of the newer text. The digest that the file bears of itself is none of them.
pub fn difference(before: &str, after: &str) -> Vec<Block> {
    let (old, new) = (sections(before), sections(after));
    let find =
        |all: &[(String, Vec<String>)], name: &str| all.iter().find(|(n, _)| n == name).map(|(_, lines)| lines.clone());
    let gone = old.iter().filter(|(name, _)| find(&new, name).is_none());
    let mut blocks = Vec::new();
    for (name, lines) in &new {
        let was = find(&old, name).unwrap_or_default();
        push(&mut blocks, name, &was, lines);
    }
    for (name, lines) in gone {
        push(&mut blocks, name, lines, &[]);
    }
    blocks
}

fn push(blocks: &mut Vec<Block>, name: &str, old: &[String], new: &[String]) {
    if old != new {
        blocks.push(Block { name: name.to_owned(), lines: lines(old, new) });
    }
}

/// What is between the first and the last line that differ, with some around.
fn lines(old: &[String], new: &[String]) -> Vec<Line> {
    let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let part = |all: &[String], from: usize, to: usize| all.get(from..to).unwrap_or_default().to_vec();
    let shown = |line: String| if line.starts_with("user ") { hidden(&line) } else { line };
    let mut out: Vec<Line> =
        part(new, same.saturating_sub(AROUND), same).into_iter().map(shown).map(Line::Same).collect();
    out.extend(part(old, same, old.len() - tail).into_iter().map(shown).map(Line::Gone));
    out.extend(part(new, same, new.len() - tail).into_iter().map(shown).map(Line::New));
    let end = new.len() - tail;
    out.extend(part(new, end, (end + AROUND).min(new.len())).into_iter().map(shown).map(Line::Same));
    out
}

/// A user's line without the hash.
fn hidden(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').take(3).collect();
    [words.join(" "), HIDDEN.to_owned()].join(" ")
}

/// The sections by their first lines. Lines are without their indent.
fn sections(text: &str) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.contains(super::config::FIXED)) {
        let begins = !line.starts_with(' ') && !line.starts_with('#');
        match all.last_mut() {
            Some((_, lines)) if !begins => lines.push(line.trim_start().to_owned()),
            _ => all.push((line.to_owned(), Vec::new())),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_that_differ_are_shown_with_the_lines_around() {
        let before = "global\n    a\n\nbackend b1\n    one\n    two\n    three\n    four\n";
        let after = "global\n    a\n\nuserlist u\n    user ada password $2y$05$abc\n\nbackend b1\n    one\n    two\n    2.5\n    three\n    four\n";
        let same = |text: &str| Line::Same(text.into());
        let new = |text: &str| Line::New(text.into());
        assert_eq!(
            difference(before, after),
            [
                Block { name: "userlist u".into(), lines: vec![new("user ada password …")] },
                Block {
                    name: "backend b1".into(),
                    lines: vec![same("one"), same("two"), new("2.5"), same("three"), same("four")]
                },
            ]
        );
        let back = difference(after, before);
        assert_eq!(back.last().map(|block| block.lines.clone()), Some(vec![Line::Gone("user ada password …".into())]));
        assert!(difference(after, after).is_empty());
    }
}
