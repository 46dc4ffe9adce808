//! A log line as pieces of styled text. The bytes are hostile: only colours and weights survive of their escape sequences.
//! Not here: capping and redacting (done before a line is stored).

use vte::{Params, Parser, Perform};

/// Text of one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Names of styles, "a1 bold"; empty for plain text.
    pub class: String,
    /// The text.
    pub text: String,
}

/// A line, ready for a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogText {
    /// One after the other.
    pub pieces: Vec<Piece>,
}

/// Splits a line. What a `\r` overwrote is gone, as on a terminal.
pub fn pieces(line: &[u8]) -> LogText {
    let mut pen = Pen::default();
    Parser::new().advance(&mut pen, line);
    pen.close();
    LogText { pieces: pen.pieces }
}

/// Writes text in the style the sequences so far have set.
#[derive(Default)]
struct Pen {
    pieces: Vec<Piece>,
    text: String,
    colour: Option<u8>,
    bold: bool,
    faint: bool,
    underline: bool,
    rewrite: bool,
}

impl Pen {
    fn close(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let mut class = Vec::new();
        class.extend(self.colour.and_then(|colour| COLOURS.get(usize::from(colour)).copied()));
        class.extend(self.bold.then_some("bold"));
        class.extend(self.faint.then_some("dim"));
        class.extend(self.underline.then_some("under"));
        self.pieces.push(Piece { class: class.join(" "), text: std::mem::take(&mut self.text) });
    }

    fn style(&mut self, params: &Params) {
        let mut codes = params.iter().flat_map(|codes| codes.iter().copied());
        while let Some(code) = codes.next() {
            match code {
                0 => (self.colour, self.bold, self.faint, self.underline) = (None, false, false, false),
                1 => self.bold = true,
                2 => self.faint = true,
                4 => self.underline = true,
                22 => (self.bold, self.faint) = (false, false),
                24 => self.underline = false,
                30..=37 => self.colour = u8::try_from(code - 30).ok(),
                90..=97 => self.colour = u8::try_from(code - 82).ok(),
                39 => self.colour = None,
                38 | 48 => {
                    let picked = match codes.next() {
                        Some(5) => codes.next().filter(|index| *index < 16).and_then(|index| u8::try_from(index).ok()),
                        Some(2) => codes.by_ref().take(3).fold(None, |_, _| None),
                        _ => None,
                    };
                    self.colour = if code == 38 { picked } else { self.colour };
                }
                _ => {}
            }
        }
    }
}

/// The sixteen colours' names in the style sheet.
const COLOURS: [&str; 16] =
    ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12", "a13", "a14", "a15"];

/// Characters that change the direction of text or hide: shown as what they are not.
fn hides(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl Perform for Pen {
    fn print(&mut self, c: char) {
        if self.rewrite {
            self.rewrite = false;
            self.pieces.clear();
            self.text.clear();
        }
        self.text.push(if hides(c) { '\u{fffd}' } else { c });
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => self.print('\t'),
            b'\r' => self.rewrite = true,
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        if action == 'm' {
            self.close();
            self.style(params);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Vec<(String, String)> {
        pieces(line.as_bytes()).pieces.into_iter().map(|piece| (piece.class, piece.text)).collect()
    }

    fn plain(text: &str) -> Vec<(String, String)> {
        vec![(String::new(), text.to_owned())]
    }

    #[test]
    fn colours_become_styles_and_everything_else_goes() {
        assert_eq!(
            said("a\u{1b}[1;31mb\u{1b}[0mc"),
            [("", "a"), ("a1 bold", "b"), ("", "c")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        assert_eq!(said("\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[Hx\u{1b}[6n"), plain("x"));
        assert_eq!(said("\u{1b}]8;;javascript:alert(1)\u{7}link\u{1b}]8;;\u{7}"), plain("link"));
        assert_eq!(
            said("\u{1b}[38;2;1;2;3mx\u{1b}[38;5;9my"),
            [("", "x"), ("a9", "y")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }

    #[test]
    fn progress_is_folded_and_bad_bytes_are_shown_as_such() {
        assert_eq!(said("10%\r20%\r100%"), plain("100%"));
        assert_eq!(said("done\r"), plain("done"), "a line end of another system erases nothing");
        assert_eq!(pieces(b"a\xffb").pieces.first().unwrap().text, "a\u{fffd}b");
        assert_eq!(said("a\u{202e}b\0c"), plain("a\u{fffd}bc"));
    }
}
