//! When it is tried again, and when a certificate is renewed.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::Trouble;

/// Failed proofs of one name within an hour after which the authority is not asked: it allows five.
pub const MOST_FAILURES: i64 = 3;
/// After a failure at the authority: it counts them.
const LADDER: [Duration; 4] = [minutes(15), minutes(60), minutes(6 * 60), minutes(24 * 60)];
/// After something that was seen beforehand: looking costs nobody anything, and people wait for it.
const SOON: [Duration; 4] = [minutes(1), minutes(2), minutes(5), minutes(15)];
/// The longest pause while the authority is away: it may be back at any time.
const WHILE_AWAY: Duration = minutes(6 * 60);
/// The longest that an authority's own word is believed: a mistake there must not end all renewals.
const LONGEST: Duration = minutes(8 * 24 * 60);

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// When it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After this.
    After(Duration),
    /// When a person asks for it.
    Asked,
}

/// The authority's wish for the time of renewal (RFC 9773).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its beginning.
    pub start: OffsetDateTime,
    /// Its end.
    pub end: OffsetDateTime,
}

/// When to try again after this trouble, which was the last of so many in a row (1 for the first).
pub fn again(trouble: &Trouble, tries: u32, now: OffsetDateTime) -> Again {
    if trouble.needs_a_person() {
        return Again::Asked;
    }
    let step = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    let on = |ladder: &[Duration; 4]| ladder.get(step).or(ladder.last()).copied().unwrap_or(WHILE_AWAY);
    let said = |until: &Option<OffsetDateTime>| {
        let left = until.map(|until| until - now).and_then(|left| Duration::try_from(left).ok());
        left.unwrap_or_default().min(LONGEST)
    };
    Again::After(match trouble {
        trouble if trouble.found_beforehand() => on(&SOON),
        Trouble::RateLimited { until, .. } => on(&LADDER).max(said(until)),
        Trouble::ServerDown { until, .. } => on(&LADDER).min(WHILE_AWAY).max(said(until)),
        _ => on(&LADDER),
    })
}

/// How long to wait before the authority may be asked to prove a name: these proofs of it failed within the last hour, the
/// oldest first.
pub fn wait_for(failures: &[OffsetDateTime], now: OffsetDateTime) -> Option<Duration> {
    const HOUR: Duration = minutes(60);
    let most = usize::try_from(MOST_FAILURES).unwrap_or(3);
    let recent: Vec<_> = failures.iter().filter(|at| **at > now - HOUR).collect();
    if recent.len() < most {
        return None;
    }
    // It may be asked when all but two of them are an hour old.
    let until = recent.get(recent.len() - most).map(|at| **at + HOUR)?;
    Duration::try_from(until - now).ok()
}

/// When a certificate is renewed: within the authority's window where it has one, else when a third of its life is left;
/// each at a moment of its own, so that a thousand made in one night are not renewed in one.
pub fn renew_at(
    id: Uuid,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    window: Option<Window>,
) -> OffsetDateTime {
    if let Some(Window { start, end }) = window
        && end > start
    {
        return start + (end - start) * share(id);
    }
    let life = not_after - not_before;
    // Up to a twentieth of its life earlier, never later.
    not_after - life / 3 - (life / 20) * share(id)
}

/// A number from 0 to 1 that is always the same for one id, and spread over all of them.
fn share(id: Uuid) -> f64 {
    // FNV-1a: the last bytes of an id of version 7 are random, and mixed well enough by this.
    let hash = id
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let top = u32::try_from(hash >> 32).unwrap_or(0);
    f64::from(top) / f64::from(u32::MAX)
}
