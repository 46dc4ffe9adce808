//! The colours of a terminal, as a closed set of classes.

/// One of the sixteen colours of terminals. Pages have a class for each, fit for light and dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// 30, 40.
    Black,
    /// 31, 41.
    Red,
    /// 32, 42.
    Green,
    /// 33, 43.
    Yellow,
    /// 34, 44.
    Blue,
    /// 35, 45.
    Magenta,
    /// 36, 46.
    Cyan,
    /// 37, 47.
    White,
    /// 90, 100.
    Grey,
    /// 91, 101.
    BrightRed,
    /// 92, 102.
    BrightGreen,
    /// 93, 103.
    BrightYellow,
    /// 94, 104.
    BrightBlue,
    /// 95, 105.
    BrightMagenta,
    /// 96, 106.
    BrightCyan,
    /// 97, 107.
    BrightWhite,
}

impl Colour {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Black,
        Self::Red,
        Self::Green,
        Self::Yellow,
        Self::Blue,
        Self::Magenta,
        Self::Cyan,
        Self::White,
        Self::Grey,
        Self::BrightRed,
        Self::BrightGreen,
        Self::BrightYellow,
        Self::BrightBlue,
        Self::BrightMagenta,
        Self::BrightCyan,
        Self::BrightWhite,
    ];

    /// The class of letters of this colour.
    pub fn class(self) -> &'static str {
        match self {
            Self::Black => "log-black",
            Self::Red => "log-red",
            Self::Green => "log-green",
            Self::Yellow => "log-yellow",
            Self::Blue => "log-blue",
            Self::Magenta => "log-magenta",
            Self::Cyan => "log-cyan",
            Self::White => "log-white",
            Self::Grey => "log-grey",
            Self::BrightRed => "log-bright-red",
            Self::BrightGreen => "log-bright-green",
            Self::BrightYellow => "log-bright-yellow",
            Self::BrightBlue => "log-bright-blue",
            Self::BrightMagenta => "log-bright-magenta",
            Self::BrightCyan => "log-bright-cyan",
            Self::BrightWhite => "log-bright-white",
        }
    }

    /// The class of letters on this colour. The bright ones look like their plain ones there.
    pub fn behind_class(self) -> &'static str {
        match self {
            Self::Black | Self::Grey => "log-on-black",
            Self::Red | Self::BrightRed => "log-on-red",
            Self::Green | Self::BrightGreen => "log-on-green",
            Self::Yellow | Self::BrightYellow => "log-on-yellow",
            Self::Blue | Self::BrightBlue => "log-on-blue",
            Self::Magenta | Self::BrightMagenta => "log-on-magenta",
            Self::Cyan | Self::BrightCyan => "log-on-cyan",
            Self::White | Self::BrightWhite => "log-on-white",
        }
    }

    /// The colour with this number, 0–15.
    pub(super) fn numbered(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The nearest colour to one of the 256 of xterm: its cube of 6×6×6 and its 24 greys.
    fn of_256(number: u16) -> Option<Self> {
        match number {
            0..=15 => Self::numbered(number),
            16..=231 => {
                let at = number - 16;
                let part = |n: u16| u8::try_from(n * 51).unwrap_or(u8::MAX);
                Some(Self::nearest(part(at / 36), part(at / 6 % 6), part(at % 6)))
            }
            232..=255 => {
                let grey = u8::try_from((number - 232) * 11).unwrap_or(u8::MAX);
                Some(Self::nearest(grey, grey, grey))
            }
            _ => None,
        }
    }

    /// The nearest colour to this red, green and blue.
    fn nearest(red: u8, green: u8, blue: u8) -> Self {
        let most = red.max(green).max(blue);
        let least = red.min(green).min(blue);
        if most - least < 48 {
            return match most {
                0..=47 => Self::Black,
                48..=143 => Self::Grey,
                144..=223 => Self::White,
                224..=255 => Self::BrightWhite,
            };
        }
        // A part counts where it is nearer to the strongest one than to the weakest.
        let middle = least / 2 + most / 2;
        let bits = u16::from(red > middle) | u16::from(green > middle) << 1 | u16::from(blue > middle) << 2;
        let bright = if most > 200 && least > 60 { 8 } else { 0 };
        Self::numbered(bits + bright).unwrap_or(Self::White)
    }
}

/// The colour after 38 or 48, and how many numbers it took.
pub(super) fn extended(rest: &[u16]) -> (Option<Colour>, usize) {
    let byte = |n: &u16| u8::try_from(*n).unwrap_or(u8::MAX);
    match rest {
        [5, number, ..] => (Colour::of_256(*number), 2),
        [2, red, green, blue, ..] => (Some(Colour::nearest(byte(red), byte(green), byte(blue))), 4),
        _ => (None, rest.len()),
    }
}
