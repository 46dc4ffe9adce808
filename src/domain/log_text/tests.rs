//! Hostile lines, and what is shown of them.

use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn check(line: &[u8], picture: Expect) {
    let show = |span: Span| format!("[{}]{}", span.style.classes(), span.text);
    picture.assert_eq(&spans(line).into_iter().map(show).collect::<String>());
}

#[test]
fn colours_become_classes_of_a_closed_set() {
    check(b"ok \x1b[1;31mred\x1b[0m end", expect!["[]ok [log-red log-bold]red[] end"]);
    check(b"\x1b[92;44mx\x1b[39;49my", expect!["[log-bright-green log-on-blue]x[]y"]);
    check(
        b"\x1b[38;5;196mx\x1b[38;2;0;0;200my\x1b[48;5;250mz",
        expect!["[log-red]x[log-blue]y[log-blue log-on-white]z"],
    );
    check(b"\x1b[38;5mx\x1b[999mz\x1b[m.", expect!["[]xz."]);
}

#[test]
fn progress_shows_what_a_terminal_would_show_last() {
    check(b" 10%\r 50%\r100%", expect!["[]100%"]);
    check(b"downloading\rdone\x1b[K", expect!["[]done"]);
    check(b"long text\rab", expect!["[]abng text"]);
    check(b"\x1b[2K\x1b[1Gstep 2", expect!["[]step 2"]);
    check(b"abc\x08\x08X", expect!["[]aXc"]);
    check(b"done\r", expect!["[]done"]);
}

#[test]
fn everything_else_a_terminal_would_obey_is_dropped() {
    check(
        b"\x1b]0;title\x07a\x1b]8;;http://evil\x1b\\b\x1b[2Jc\x1b[?1049hd\x1bPq#0\x1b\\e\x00\x07\x7f",
        expect!["[]abcde"],
    );
    check("a\u{9b}31mb".as_bytes(), expect!["[]a31mb"]);
}

#[test]
fn text_that_would_trick_the_eye_is_made_visible() {
    check("a\u{202e}b\u{feff}\u{2028}".as_bytes(), expect!["[]a⟨U+202E⟩b⟨U+FEFF⟩⟨U+2028⟩"]);
    check(b"a\xff\xfeb", expect!["[]a��b"]);
}

#[test]
fn tabs_go_to_their_stops() {
    check(b"a\tb", expect!["[]a       b"]);
}

#[test]
fn a_long_line_is_cut_at_a_whole_character_with_a_mark() {
    let line = cap("é".repeat(MAX_LINE).into_bytes());
    assert!(line.len() <= MAX_LINE && String::from_utf8(line).unwrap().ends_with(CUT));
    assert_eq!(cap(vec![b'x'; MAX_LINE]).len(), MAX_LINE);
    assert!(plain(&vec![b'x'; MAX_LINE * 2]).ends_with("x … (cut at 16 KiB)"));
    assert_eq!(plain(b"\x1b[99999Cx"), "");
}

proptest! {
    #[test]
    fn whatever_comes_is_shown_without_controls(line in proptest::collection::vec(any::<u8>(), 0..400), tail in "[\u{1b}\\[\\]0-9;mKGCD\r\u{8}a-c]{0,60}") {
        let mut line = line;
        line.extend_from_slice(tail.as_bytes());
        let text = plain(&line);
        prop_assert!(!text.chars().any(|c| c.is_control() || is_trick(c)), "{text:?}");
        prop_assert!(text.chars().count() <= MAX_COLUMNS);
    }
}
