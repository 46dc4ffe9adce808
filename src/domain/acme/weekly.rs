//! How often an authority gives a certificate for exactly the same names: what counts, and when another one may be asked for.

use time::{Duration, OffsetDateTime};

use super::LETS_ENCRYPT_STAGING;
use super::trouble::moment;

/// Certificates for exactly the same names within a week: what Let's Encrypt gives. Others are not asked for more either.
pub const MOST_A_WEEK: usize = 5;
/// How many of these are left for the renewal that comes by itself, while a valid one is there.
const LEFT_FOR_RENEWAL: usize = 1;
/// For so long an issue counts.
const WEEK: Duration = Duration::days(7);
/// An authority whose certificates live shorter than this wants them renewed more often than five times a week: it has no such limit.
const SHORTEST: Duration = Duration::days(3);

/// Whether an authority counts a certificate that lives so long; one that was got and is not known counts.
pub fn is_counted(directory: &str, life: Option<Duration>) -> bool {
    directory != LETS_ENCRYPT_STAGING && life.is_none_or(|life| life >= SHORTEST)
}

/// Until when none is asked for any more, by itself or by a person, as so many were got within the last week (the oldest first).
pub fn enough_until(issues: &[OffsetDateTime], now: OffsetDateTime) -> Option<OffsetDateTime> {
    until(issues, MOST_A_WEEK, now)
}

/// Why a person gets none now, as a sentence with when to ask again; `valid` where a valid one is there.
pub fn too_many(issues: &[OffsetDateTime], valid: bool, now: OffsetDateTime) -> Option<String> {
    let most = if valid { MOST_A_WEEK - LEFT_FOR_RENEWAL } else { MOST_A_WEEK };
    let until = until(issues, most, now)?;
    let (count, after) = (recent(issues, now).len(), moment(until).unwrap_or_default());
    let rest = match valid && count < MOST_A_WEEK {
        true => " The one that is left is for the renewal that comes by itself; what is there is valid meanwhile.",
        false => "",
    };
    Some(format!(
        "{count} certificates for exactly these names were got within 7 days, and a certificate authority (Let's Encrypt) gives \
         {MOST_A_WEEK}.{rest} Ask again after {after}."
    ))
}

fn recent(issues: &[OffsetDateTime], now: OffsetDateTime) -> Vec<OffsetDateTime> {
    issues.iter().copied().filter(|at| *at > now - WEEK).collect()
}

/// When fewer than `most` of them are left.
fn until(issues: &[OffsetDateTime], most: usize, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let recent = recent(issues, now);
    let turn = recent.len().checked_sub(most)?;
    recent.get(turn).map(|at| *at + WEEK)
}
