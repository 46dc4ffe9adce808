//! The text of a bearer token: `skf_`, 32 random bytes as 43 letters and digits, and a checksum of them as six. So a program
//! that looks for leaked tokens knows one for sure, and a mistyped one is told without asking the database.
//! Not here: the randomness, the hash that is kept.

use super::secret::Secret;

/// What every token begins with.
pub const PREFIX: &str = "skf_";
/// Letters and digits of the random part: 62⁴³ > 2²⁵⁶.
const RANDOM: usize = 43;
/// Letters and digits of the checksum: 62⁶ > 2³².
const CHECKSUM: usize = 6;
/// Characters of its end that are kept, to tell it from others.
const HINT: usize = 4;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The token of these random bytes.
pub fn of(bytes: &[u8; 32]) -> Secret<String> {
    let random = base62(bytes, RANDOM);
    let checksum = checksum(&random);
    Secret::new([PREFIX, &random, &checksum].concat())
}

/// True for a text that may be a token: of its form, and with the right checksum.
pub fn looks_right(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else { return false };
    if rest.len() != RANDOM + CHECKSUM || !rest.bytes().all(|c| c.is_ascii_alphanumeric()) {
        return false;
    }
    rest.split_at_checked(RANDOM).is_some_and(|(random, check)| checksum(random) == check)
}

/// What is kept of a token's text to tell it from others: its last characters.
pub fn hint(token: &str) -> String {
    token.get(token.len().saturating_sub(HINT)..).unwrap_or_default().to_owned()
}

fn checksum(random: &str) -> String {
    base62(&crc32fast::hash(random.as_bytes()).to_be_bytes(), CHECKSUM)
}

/// A number, its bytes from the highest on, as so many digits to the base 62.
fn base62(number: &[u8], digits: usize) -> String {
    let mut number = number.to_vec();
    let mut text = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut rest = 0_u32;
        for byte in &mut number {
            let here = (rest << 8) | u32::from(*byte);
            *byte = u8::try_from(here / 62).unwrap_or(u8::MAX);
            rest = here % 62;
        }
        text.push(DIGITS.get(rest as usize).copied().map_or('0', char::from));
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_form_and_checksum() {
        let token = of(&[7; 32]);
        let text = token.expose();
        assert_eq!(text.len(), 53);
        assert!(looks_right(text), "{text}");
        assert_eq!(of(&[0; 32]).expose().get(..47), Some("skf_0000000000000000000000000000000000000000000"));
        assert!(looks_right(of(&[255; 32]).expose()));
        assert_eq!(hint(text), text[49..]);
    }

    #[test]
    fn every_wrong_character_is_seen() {
        let token = of(&[42; 32]);
        let text = token.expose();
        for place in 0..text.len() {
            let mut wrong: Vec<char> = text.chars().collect();
            wrong[place] = if wrong[place] == 'x' { 'y' } else { 'x' };
            assert!(!looks_right(&wrong.into_iter().collect::<String>()), "at {place}");
        }
        for wrong in ["", "skf_", "Bearer", &text[1..], &format!("{text} "), &text.replace("skf", "ghp"), "skf_é"] {
            assert!(!looks_right(wrong), "{wrong}");
        }
        assert!(!looks_right(&format!("skf_{}", "é".repeat(24) + "a")));
    }

    #[test]
    fn numbers_become_digits() {
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[62], 2), "10");
        assert_eq!(base62(&[1, 0], 3), "048");
    }
}
