//! Lines of logs as they may be shown. What a program prints is hostile: of all that a terminal would obey, colours and
//! the overwriting of a line's beginning are kept, everything else is dropped or made visible. Each line stands alone: a
//! colour that is not ended ends with its line. Not here: redacting, storing, HTML.

mod colour;

pub use colour::Colour;

use colour::extended;
use vte::{Params, Parser, Perform};

/// Bytes kept of one line, the mark of cutting included.
pub const MAX_LINE: usize = 16 * 1024;
/// What stands at the end of a line that was cut.
pub const CUT: &str = " … (cut at 16 KiB)";
/// Columns a line may have: escape sequences can move the cursor by billions.
const MAX_COLUMNS: usize = MAX_LINE;
/// Columns between tabulator stops.
const TAB: usize = 8;

/// How a piece of a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// The colour of the letters; none for the page's own.
    pub colour: Option<Colour>,
    /// The colour behind them.
    pub behind: Option<Colour>,
    /// Bold.
    pub bold: bool,
    /// Faint.
    pub faint: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underlined: bool,
}

/// A piece of a line in one style. The text holds no control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// Cuts a line that is too long for a log at a whole character, and marks it.
pub fn cap(mut line: Vec<u8>) -> Vec<u8> {
    if line.len() > MAX_LINE {
        let mut end = MAX_LINE - CUT.len();
        // The first byte that is cut off must begin a character (RFC 3629 §3); a character has at most four bytes.
        for _ in 0..3 {
            match line.get(end) {
                Some(byte) if byte & 0b1100_0000 == 0b1000_0000 => end -= 1,
                _ => break,
            }
        }
        line.truncate(end);
        line.extend_from_slice(CUT.as_bytes());
    }
    line
}

/// What a terminal would show of a line in the end, as pieces of one style each.
pub fn spans(line: &[u8]) -> Vec<Span> {
    let line = cap(line.to_vec());
    let mut screen = Screen::default();
    Parser::new().advance(&mut screen, String::from_utf8_lossy(&line).as_bytes());
    screen.spans()
}

/// The same without styles.
pub fn plain(line: &[u8]) -> String {
    spans(line).into_iter().map(|span| span.text).collect()
}

impl Style {
    /// The classes a page has for it, of a closed set: `log-red log-bold`. Empty for the page's own look.
    pub fn classes(&self) -> String {
        let mut classes: Vec<&str> = Vec::new();
        classes.extend(self.colour.map(Colour::class));
        classes.extend(self.behind.map(Colour::behind_class));
        let marks = [
            (self.bold, "log-bold"),
            (self.faint, "log-faint"),
            (self.italic, "log-italic"),
            (self.underlined, "log-underlined"),
        ];
        classes.extend(marks.into_iter().filter(|(on, _)| *on).map(|(_, class)| class));
        classes.join(" ")
    }
}

/// One line of a terminal.
#[derive(Default)]
struct Screen {
    cells: Vec<(char, Style)>,
    cursor: usize,
    style: Style,
}

impl Screen {
    /// Writes one character where the cursor is.
    fn put(&mut self, c: char) {
        if self.cursor >= MAX_COLUMNS {
            return;
        }
        while self.cells.len() < self.cursor {
            self.cells.push((' ', Style::default()));
        }
        match self.cells.get_mut(self.cursor) {
            Some(cell) => *cell = (c, self.style),
            None => self.cells.push((c, self.style)),
        }
        self.cursor += 1;
    }

    /// Erases a part of the line: 0 from the cursor on, 1 up to it, 2 all (ECMA-48 §8.3.41).
    fn erase(&mut self, how: u16) {
        match how {
            0 => self.cells.truncate(self.cursor),
            1 => self.cells.iter_mut().take(self.cursor + 1).for_each(|cell| *cell = (' ', Style::default())),
            2 => self.cells.clear(),
            _ => {}
        }
    }

    /// Changes the style (ECMA-48 §8.3.117, and xterm's 38 and 48).
    fn rendition(&mut self, params: &Params) {
        let numbers: Vec<u16> = params.iter().flat_map(|group| group.iter().copied()).collect();
        let mut rest = numbers.as_slice();
        while let Some((code, after)) = rest.split_first() {
            rest = after;
            match code {
                0 => self.style = Style::default(),
                1 => self.style.bold = true,
                2 => self.style.faint = true,
                3 => self.style.italic = true,
                4 => self.style.underlined = true,
                22 => (self.style.bold, self.style.faint) = (false, false),
                23 => self.style.italic = false,
                24 => self.style.underlined = false,
                30..=37 => self.style.colour = Colour::numbered(code - 30),
                39 => self.style.colour = None,
                40..=47 => self.style.behind = Colour::numbered(code - 40),
                49 => self.style.behind = None,
                90..=97 => self.style.colour = Colour::numbered(code - 90 + 8),
                100..=107 => self.style.behind = Colour::numbered(code - 100 + 8),
                38 | 48 => {
                    let (colour, used) = extended(rest);
                    let place = if *code == 38 { &mut self.style.colour } else { &mut self.style.behind };
                    *place = colour;
                    rest = rest.get(used..).unwrap_or_default();
                }
                _ => {}
            }
        }
        if numbers.is_empty() {
            self.style = Style::default();
        }
    }

    /// The cells as pieces, without blanks at the end.
    fn spans(self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (c, style) in self.cells {
            match spans.last_mut() {
                Some(last) if last.style == style => last.text.push(c),
                _ => spans.push(Span { text: c.to_string(), style }),
            }
        }
        while let Some(last) = spans.last_mut().filter(|last| last.style.behind.is_none()) {
            last.text.truncate(last.text.trim_end_matches(' ').len());
            if !last.text.is_empty() {
                break;
            }
            spans.pop();
        }
        spans
    }
}

/// Characters that change the direction or the lines of the text around them, or hide in it.
fn is_trick(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl Perform for Screen {
    fn print(&mut self, c: char) {
        if is_trick(c) {
            format!("⟨U+{:04X}⟩", u32::from(c)).chars().for_each(|c| self.put(c));
        } else if !c.is_control() {
            self.put(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.cursor = 0,
            0x08 => self.cursor = self.cursor.saturating_sub(1),
            b'\t' => {
                let stop = (self.cursor / TAB + 1) * TAB;
                while self.cursor < stop.min(MAX_COLUMNS) {
                    self.put(' ');
                }
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: char) {
        if !intermediates.is_empty() {
            return;
        }
        let first = params.iter().next().and_then(|group| group.first()).copied().unwrap_or(0);
        let distance = usize::from(first.max(1));
        match action {
            'm' => self.rendition(params),
            'K' => self.erase(first),
            'G' => self.cursor = (distance - 1).min(MAX_COLUMNS),
            'C' => self.cursor = (self.cursor + distance).min(MAX_COLUMNS),
            'D' => self.cursor = self.cursor.saturating_sub(distance),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
