//! Which version suits what a manifest asks for: `>=18`, `^20.1 || 22.x`, `>= 3.1, < 3.5`. Not here: where that stands, and the images.

use super::bases::Base;
use super::checked::Version;

/// Alternatives that are read, and bounds of each: nobody writes as many.
const MOST: usize = 16;

/// What is asked for.
pub struct Wish {
    /// The version that is taken, or where there is none that suits, the one that is named.
    pub version: Version,
    /// The same for people, by what is named: "20.1", "from 18".
    pub words: String,
    /// Whether several of those that there are would do.
    pub open: bool,
}

/// Reads it. What suits is the usual version, where that is within; else the newest that is; of alternatives the newest of each one's. None
/// where no version is named.
pub fn read(text: &str, base: &Base) -> Option<Wish> {
    let ranges: Vec<Range> = text.split("||").take(MOST).filter_map(Range::read).collect();
    let suits = |range: &Range, known: &str| range.admits(&numbers(known));
    let best = ranges.iter().filter_map(|range| {
        let known = [base.usual].into_iter().chain(base.versions.iter().rev().copied());
        Some((known.into_iter().find(|known| suits(range, known))?, range))
    });
    let (version, range) = match best.max_by_key(|(known, _)| numbers(known)) {
        Some((known, range)) => (known.parse().ok()?, range),
        None => ranges.first().map(|range| (range.named.clone(), range))?,
    };
    let open = base.versions.iter().filter(|known| ranges.iter().any(|range| suits(range, known))).count() > 1;
    let named = &range.named;
    let words = match side(&version, named) {
        std::cmp::Ordering::Equal => named.to_string(),
        std::cmp::Ordering::Greater => format!("from {named}"),
        std::cmp::Ordering::Less => format!("below {named}"),
    };
    Some(Wish { version, words, open })
}

/// On which side of the named one this one is, by the numbers that both have.
fn side(version: &Version, named: &Version) -> std::cmp::Ordering {
    let (version, named) = (numbers(version.as_ref()), numbers(named.as_ref()));
    let both = version.len().min(named.len());
    version.iter().take(both).cmp(named.iter().take(both))
}

fn numbers(text: &str) -> Vec<u32> {
    text.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// Bounds that hold together.
struct Range {
    bounds: Vec<Bound>,
    /// The first version in it.
    named: Version,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut bounds: Vec<Bound> = Vec::new();
        let (mut sign, mut named) = (None, None);
        for word in words(text) {
            if bounds.len() >= MOST {
                break;
            }
            if word == "-" {
                // `18 - 20`: from the one to the other.
                if let Some(last) = bounds.last_mut() {
                    last.sign = Sign::From;
                }
                sign = Some(Sign::UpTo);
            } else if word.chars().all(is_sign) {
                sign = Some(Sign::of(word));
            } else {
                let sign = sign.take().unwrap_or(Sign::Same);
                let version = word.strip_prefix('v').unwrap_or(word);
                if version.starts_with(|c: char| c.is_ascii_digit())
                    && let Some(version) = Version::within(version)
                {
                    bounds.push(Bound { sign, numbers: numbers(version.as_ref()) });
                    named.get_or_insert(version);
                }
            }
        }
        Some(Self { bounds, named: named? })
    }

    fn admits(&self, known: &[u32]) -> bool {
        self.bounds.iter().all(|bound| bound.admits(known))
    }
}

fn is_sign(c: char) -> bool {
    matches!(c, '<' | '>' | '=' | '~' | '^' | '!')
}

/// Signs and what stands between them, as words.
fn words(text: &str) -> Vec<&str> {
    let blank = |c: char| c.is_whitespace() || matches!(c, ',' | '"' | '\'');
    let mut words = Vec::new();
    for mut rest in text.split(blank) {
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| is_sign(c) != is_sign(first)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            words.push(word);
            rest = behind;
        }
    }
    words
}

/// How a version bounds others.
#[derive(Clone, Copy)]
enum Sign {
    Same,
    /// `^`: the first number stays.
    First,
    /// `~`, `~>`: all but the last number stay.
    Tail,
    From,
    Above,
    UpTo,
    Below,
    Not,
}

impl Sign {
    fn of(text: &str) -> Self {
        match text {
            "^" => Self::First,
            "~" | "~>" => Self::Tail,
            ">=" => Self::From,
            ">" => Self::Above,
            "<=" => Self::UpTo,
            "<" => Self::Below,
            "!=" => Self::Not,
            _ => Self::Same,
        }
    }
}

/// A version and how it bounds others.
struct Bound {
    sign: Sign,
    numbers: Vec<u32>,
}

impl Bound {
    /// Whether a version that there is suits, which has as many numbers as tags of the images have: what is named may be finer, and then
    /// some of the line suit.
    fn admits(&self, known: &[u32]) -> bool {
        let named: Vec<u32> = self.numbers.iter().copied().chain(std::iter::repeat(0)).take(known.len()).collect();
        let same = |first: usize| known.iter().zip(&self.numbers).take(first).all(|(a, b)| a == b);
        let finer = self.numbers.iter().skip(known.len()).any(|number| *number > 0);
        let known_is = known.cmp(named.as_slice());
        match self.sign {
            Sign::Same => same(known.len()),
            Sign::First => same(1) && known_is.is_ge(),
            Sign::Tail => same(self.numbers.len().saturating_sub(1).max(1)) && known_is.is_ge(),
            Sign::From => known_is.is_ge(),
            Sign::Above => known_is.is_gt() || (finer && known_is.is_eq()),
            Sign::UpTo => known_is.is_lt() || same(known.len()),
            Sign::Below => known_is.is_lt() || (finer && known_is.is_eq()),
            Sign::Not => self.numbers.len() > known.len() || !same(known.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bases::{NODE, RUBY};
    use super::*;

    #[test]
    fn the_usual_version_is_taken_where_it_suits_and_else_the_newest_that_does() {
        let node = |text| read(text, &NODE).map(|wish| (wish.version.to_string(), wish.words));
        for (text, version, words) in [
            ("20", "20", "20"),
            ("v20.11.1", "20", "20.11.1"),
            ("20.x", "20", "20"),
            ("^20.1", "20", "20.1"),
            ("~18.2.0", "18", "18.2.0"),
            (">=18", "22", "from 18"),
            (">= 18.17.0", "22", "from 18.17.0"),
            (">18", "22", "from 18"),
            (">=24", "24", "24"),
            (">=22.5", "22", "22.5"),
            (">=18 <21", "20", "from 18"),
            (">=18<21", "20", "from 18"),
            ("<21.0.0", "20", "below 21.0.0"),
            ("<=20", "20", "20"),
            ("18 - 20", "20", "from 18"),
            ("18 || 20 || 22", "22", "22"),
            ("18.x||20.x", "20", "20"),
            ("^18.12.0 || >=20", "22", "from 20"),
            ("16 || 17", "16", "16"),
            (">=26", "26", "26"),
        ] {
            assert_eq!(node(text), Some((version.to_owned(), words.to_owned())), "{text}");
        }
        for text in ["", "*", "lts/*", "latest", "||", ">=", "x\nRUN y"] {
            assert!(node(text).is_none(), "{text}");
        }
        let ruby = |text| read(text, &RUBY).map(|wish| wish.version.to_string());
        for (text, version) in [
            (r#""3.2.2""#, "3.2"),
            (r#"">= 3.1""#, "3.4"),
            (r#"">= 3.1", "< 3.4""#, "3.3"),
            (r#"">= 3.1", "!= 3.4.0""#, "3.4"),
            ("'~> 3.1.0'", "3.1"),
            ("'~> 3.1'", "3.4"),
            ("'3'", "3.4"),
            ("'<= 3'", "3.4"),
            ("'2.7.8'", "2.7.8"),
        ] {
            assert_eq!(ruby(text).as_deref(), Some(version), "{text}");
        }
    }
}
