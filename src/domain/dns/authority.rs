//! Who keeps a name: from which zones on that is looked for, and what the answer of a zone's own name server leads to.

use super::{Data, Reply};

/// What an answer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The server keeps the name's zone, and this is what the name has of what was asked for.
    Here(Vec<Data>),
    /// Another name is meant, which may be in somebody else's zone.
    Alias(String),
    /// A zone below is kept by others.
    Below {
        /// The zone.
        zone: String,
        /// Its name servers.
        servers: Vec<String>,
    },
    /// Nothing: the server refused, or does not keep the zone and says what it once heard.
    Nowhere,
}

/// The zones a name may be in, from the top on. The name itself is not among them: a resolver that was asked about it, by whatever
/// kind of record, keeps "no such name" for as long as the zone says, and often for all names below.
pub fn zones_above(name: &str) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    let mut rest = name.trim_end_matches('.');
    while let Some((_, above)) = rest.split_once('.') {
        all.push(above);
        rest = above;
    }
    all.reverse();
    // Who keeps a name of two labels is known at the top alone; for longer ones the top is not asked.
    let from = usize::from(all.len() > 1);
    all.split_off(from)
}

/// What the answer of a name server of this zone to a question about the name leads to.
pub fn step(reply: &Reply, zone: &str, name: &str) -> Step {
    if !matches!(reply.code, 0 | 3) {
        return Step::Nowhere;
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if !reply.authoritative {
        return below(reply, zone, &name);
    }
    let mut meant = name.as_str();
    for _ in &reply.answers {
        let alias = reply.answers.iter().filter(|record| record.name == meant);
        match alias.map(|record| &record.data).find_map(|data| if let Data::Alias(to) = data { Some(to) } else { None })
        {
            Some(to) => meant = to,
            None => break,
        }
    }
    let here = reply.answers.iter().filter(|record| record.name == meant && !matches!(record.data, Data::Alias(_)));
    let here: Vec<Data> = here.map(|record| record.data.clone()).collect();
    match here.is_empty() && meant != name {
        true => Step::Alias(meant.to_owned()),
        false => Step::Here(here),
    }
}

/// Those a zone's server leads on to. Only downwards, so that it ends.
fn below(reply: &Reply, zone: &str, name: &str) -> Step {
    let holds = |inner: &str, outer: &str| inner == outer || inner.ends_with(&format!(".{outer}"));
    let mut led = None;
    let mut servers = Vec::new();
    for record in &reply.authority {
        if let Data::NameServer(server) = &record.data
            && record.name.len() > zone.len()
            && holds(name, &record.name)
            && holds(&record.name, zone)
        {
            led = Some(record.name.clone());
            servers.push(server.clone());
        }
    }
    match led {
        Some(zone) if reply.answers.is_empty() => Step::Below { zone, servers },
        _ => Step::Nowhere,
    }
}
