//! Certificates: is each one good, renewed, and where it is served?

use time::{Duration, OffsetDateTime};

use super::{Area, Finding, Grade};
use crate::domain::acme::Trouble;
use crate::domain::certificate::{Age, age, covers, help_of_host};
use crate::domain::help::Topic;

/// Findings that are told one by one: who has more begins with these.
const MOST: usize = 50;
/// Domains that are named in one sentence.
const NAMED: usize = 3;
/// A certificate that is renewed by itself is so when a third of its life is left: with less than this part of it, nobody did.
const LATE: i32 = 6;

/// A certificate on a host.
#[derive(Clone, Debug)]
pub struct OnHost {
    /// The host's name.
    pub host: String,
    /// True where this very version is served there.
    pub current: bool,
    /// True where some version is.
    pub any: bool,
    /// Why the last try failed; empty where it did not.
    pub trouble: String,
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct CertificateSeen {
    /// Its names.
    pub names: Vec<String>,
    /// Whether Skiff got it.
    pub renewed: bool,
    /// From when it is valid.
    pub not_before: OffsetDateTime,
    /// Until when.
    pub not_after: OffsetDateTime,
    /// Where it is to be.
    pub hosts: Vec<OnHost>,
}

/// A certificate that is wanted.
#[derive(Clone, Debug)]
pub struct OrderSeen {
    /// Its names.
    pub names: Vec<String>,
    /// What went wrong last.
    pub trouble: Option<Trouble>,
    /// Until when what was got is valid; none before anything was.
    pub not_after: Option<OffsetDateTime>,
}

/// What was seen of a team's.
#[derive(Clone, Debug)]
pub struct CertificatesSeen {
    /// Now.
    pub now: OffsetDateTime,
    /// All there are.
    pub there: Vec<CertificateSeen>,
    /// All that are wanted.
    pub orders: Vec<OrderSeen>,
    /// Domains of routes for which none is wanted.
    pub unordered: Vec<String>,
    /// Whether an authority was chosen.
    pub chosen: bool,
    /// Whether a host of the team serves HTTPS.
    pub https: bool,
    /// The panel's own name, where a host of the team serves it.
    pub panel: Option<String>,
}

impl CertificatesSeen {
    /// Whether a certificate that is good now is for this name.
    fn has(&self, name: &str) -> bool {
        self.there.iter().any(|one| one.not_after > self.now && one.names.iter().any(|of| serves(of, name)))
    }

    /// Whether something else than a trouble is to be told of it: nothing wrong is said of the same names already.
    fn is_told(&self, names: &[String]) -> bool {
        self.orders.iter().any(|order| order.trouble.is_some() && order.names == names)
    }
}

/// The same name, or one that a wildcard is for.
fn serves(of: &str, name: &str) -> bool {
    of == name || covers(of, name)
}

/// What that means.
pub fn certificates(seen: &CertificatesSeen) -> Vec<Finding> {
    let area = Area::Certificate;
    let mut found: Vec<Finding> = seen.panel.iter().filter(|name| !seen.has(name)).map(|name| panel(name)).collect();
    found.extend(seen.orders.iter().filter_map(|one| order(seen, one)));
    found.extend(seen.there.iter().flat_map(|one| certificate(seen, one)));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.grade));
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if more > 0 {
        let act = "Mend these first, then look again.";
        let what = format!("{more} more findings about certificates are not told here.");
        found.push(Finding::warn(area, "more", what, act, Topic::Certificates));
    }
    let without: Vec<&str> = seen
        .unordered
        .iter()
        .map(String::as_str)
        .filter(|name| !seen.has(name) && !name.ends_with(".localhost"))
        .collect();
    if seen.https && !seen.chosen && !without.is_empty() {
        let mut finding = Finding::warn(
            area,
            "authority",
            format!("{} by plain HTTP only: no certificate authority is chosen.", named(&without)),
            "Choose one under Hosts → Certificates → Automatic → Authority, and each gets a certificate; or upload yours.",
            Topic::CertificateAuthority,
        );
        // Who wants it so has it so.
        finding.grade = Grade::Ok;
        found.push(finding);
    }
    let good = seen.there.iter().filter(|one| one.not_after > seen.now);
    if let Some(next) = good.clone().map(|one| one.not_after).min() {
        let left = left(next - seen.now);
        let what = match good.count() {
            1 => format!("1 certificate is valid, for {left} more."),
            many => format!("{many} certificates are valid; the first of them ends in {left}."),
        };
        found.push(Finding::ok(area, "all", what));
    }
    found
}

fn panel(name: &str) -> Finding {
    Finding::bad(
        Area::Certificate,
        name,
        "It is the panel's own name, and there is no valid certificate for it: nobody comes in by it.",
        "Upload one for it, or choose a certificate authority. On its machine the panel is still reached by its loopback address.",
        Topic::PanelAddress,
    )
}

fn order(seen: &CertificatesSeen, one: &OrderSeen) -> Option<Finding> {
    let trouble = one.trouble.as_ref()?;
    let left_of = one.not_after.map(|end| end - seen.now).filter(|left| left.is_positive());
    // Somebody brought one for the same names.
    if left_of.is_none() && one.names.iter().all(|name| seen.has(name)) {
        return None;
    }
    let then = if trouble.needs_a_person() {
        "Nothing goes on by itself before that: then press Get one now, under Hosts → Certificates → Automatic."
    } else {
        "It is tried again by itself; Get one now, under Hosts → Certificates → Automatic, tries it at once."
    };
    let (grade, what) = match left_of {
        Some(time) => (Grade::Warn, format!("Not renewed, and good for {} more. {}", left(time), trouble.sentence())),
        None if one.not_after.is_some() => (Grade::Bad, format!("It has run out. {}", trouble.sentence())),
        None if trouble.needs_a_person() => (Grade::Bad, trouble.sentence()),
        None => (Grade::Warn, trouble.sentence()),
    };
    let mut finding = Finding::bad(Area::Certificate, first(&one.names), what, then, trouble.help());
    finding.grade = grade;
    Some(finding)
}

fn certificate(seen: &CertificatesSeen, one: &CertificateSeen) -> Vec<Finding> {
    let (area, of) = (Area::Certificate, first(&one.names));
    let mut found = Vec::new();
    // What no host serves, or another one is served in place of, is in nobody's way.
    let served = !one.hosts.is_empty();
    let time = one.not_after - seen.now;
    match (age(one.not_after, seen.now).1, one.renewed) {
        _ if !served || seen.is_told(&one.names) => {}
        (Age::Over, _) if one.names.iter().all(|name| seen.has(name)) => {}
        (Age::Over, true) => found.push(Finding::bad(
            area,
            of,
            "It has expired, and was not renewed: browsers refuse it.",
            "Press Get one now, under Hosts → Certificates → Automatic: it says what is in the way.",
            Topic::CertificateRenewal,
        )),
        (Age::Over, false) => found.push(Finding::bad(
            area,
            of,
            "It has expired: browsers refuse it.",
            "Upload a new one for the same names.",
            Topic::CertificateEnds,
        )),
        (Age::Ending, false) => found.push(Finding::warn(
            area,
            of,
            format!("It ends in {}, and nobody renews it.", left(time)),
            "Upload the next one for the same names.",
            Topic::CertificateEnds,
        )),
        (_, true) if time < (one.not_after - one.not_before) / LATE => found.push(Finding::warn(
            area,
            of,
            format!("It ends in {}, and was not renewed.", left(time)),
            "Is the panel running all the time? Press Renew now, under Hosts → Certificates → Automatic.",
            Topic::CertificateRenewal,
        )),
        _ => {}
    }
    for place in one.hosts.iter().filter(|place| !place.current) {
        let how = if place.any { "still serves the one before" } else { "does not serve it yet" };
        let what = match place.trouble.as_str() {
            "" => format!("{} {how}.", place.host),
            why => format!("{} {how}: {why}", place.host),
        };
        let act = "It is brought again by itself. If it stays so, make the host ready again.";
        found.push(Finding::warn(area, of, what, act, help_of_host(&place.trouble)));
    }
    found
}

fn first(names: &[String]) -> &str {
    names.first().map(String::as_str).unwrap_or_default()
}

/// "shop.example.org and 2 more are reached".
fn named(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        1 => format!("{shown} is reached"),
        all if all > NAMED => format!("{shown} and {} more are reached", all - NAMED),
        _ => format!("{shown} are reached"),
    }
}

/// A time that is left, as people read it.
fn left(time: Duration) -> String {
    match (time.whole_days(), time.whole_hours()) {
        (2.., _) => format!("{} days", time.whole_days()),
        (_, 2..) => format!("{} h", time.whole_hours()),
        _ => format!("{} min", time.whole_minutes().max(0)),
    }
}
