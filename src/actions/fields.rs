//! Reading raw form fields: every field is looked at, every wrong one gets its sentence, and only then is there a refusal.
//! Not here: what the fields mean.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{FieldError, Refused};
use crate::domain::names::Bad;

/// Collects the sentences of all wrong fields of one form.
#[derive(Default)]
pub struct Fields {
    wrong: Vec<FieldError>,
}

impl Fields {
    /// Says that a field is wrong. Only the first sentence of a field is kept.
    pub fn wrong(&mut self, field: &'static str, sentence: impl Into<String>) {
        self.note(field, None, sentence.into());
    }

    /// Says that an entry of a list is wrong; places are counted from 0, and from 1 in the sentence.
    pub fn wrong_entry(&mut self, field: &'static str, place: usize, sentence: &str) {
        self.note(field, Some(place), format!("Entry {}: {sentence}", place + 1));
    }

    fn note(&mut self, field: &'static str, entry: Option<usize>, sentence: String) {
        if self.wrong.iter().all(|known| known.field != field) {
            self.wrong.push(FieldError { field, entry, sentence });
        }
    }

    /// The field as a checked text.
    pub fn text<T: FromStr<Err = Bad>>(&mut self, field: &'static str, raw: &str) -> Option<T> {
        match raw.parse() {
            Ok(value) => Some(value),
            Err(bad) => {
                self.wrong(field, bad.0);
                None
            }
        }
    }

    /// As `text`, within a list: the sentence begins with the entry's place, counted from 1.
    pub fn entry<T: FromStr<Err = Bad>>(&mut self, field: &'static str, place: usize, raw: &str) -> Option<T> {
        match raw.parse() {
            Ok(value) => Some(value),
            Err(bad) => {
                self.wrong_entry(field, place, bad.0);
                None
            }
        }
    }

    /// A field that may be left empty.
    pub fn optional<T: FromStr<Err = Bad>>(&mut self, field: &'static str, raw: &str) -> Option<T> {
        if raw.trim().is_empty() { None } else { self.text(field, raw) }
    }

    /// A whole number within a range; `unit` completes the sentence: "Use a whole number from 1 to 600 (seconds)."
    pub fn number<N>(&mut self, field: &'static str, raw: &str, range: RangeInclusive<N>, unit: &str) -> Option<N>
    where
        N: FromStr + PartialOrd + std::fmt::Display,
    {
        let digits = raw.trim();
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
        match digits.parse::<N>() {
            Ok(number) if plain && range.contains(&number) => Some(number),
            _ => {
                let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
                self.wrong(field, format!("Use a whole number from {} to {}{unit}.", range.start(), range.end()));
                None
            }
        }
    }

    /// A number that may be left empty.
    pub fn optional_number<N>(
        &mut self,
        field: &'static str,
        raw: &str,
        range: RangeInclusive<N>,
        unit: &str,
    ) -> Option<N>
    where
        N: FromStr + PartialOrd + std::fmt::Display,
    {
        if raw.trim().is_empty() { None } else { self.number(field, raw, range, unit) }
    }

    /// A number that has a default when left empty.
    pub fn number_or<N>(
        &mut self,
        field: &'static str,
        raw: &str,
        default: N,
        range: RangeInclusive<N>,
        unit: &str,
    ) -> Option<N>
    where
        N: FromStr + PartialOrd + std::fmt::Display,
    {
        if raw.trim().is_empty() { Some(default) } else { self.number(field, raw, range, unit) }
    }

    /// One of a closed list of words.
    pub fn choice<T: Copy>(&mut self, field: &'static str, raw: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(word, _)| *word == raw).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).filter(|word| !word.is_empty()).collect();
            self.wrong(field, format!("Choose one of: {}.", words.join(", ")));
        }
        found
    }

    /// True while nothing was wrong.
    pub fn fine(&self) -> bool {
        self.wrong.is_empty()
    }

    /// The refusal that names all wrong fields. For use where a value is missing, so that there is at least one.
    pub fn refuse(self) -> Refused {
        Refused::Fields(self.wrong)
    }
}
