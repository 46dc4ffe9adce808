//! Certificates of one proxy that are for the same names: for which of them each is served. HAProxy goes by the kind of key where two are
//! for one name, stars among them, and takes one that has run out as well as one that is good. Told which names each is served for, it has
//! no choice. Not here: which one is chosen (`ByName::choose`), and how it is told (`ingress::tls`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use time::OffsetDateTime;

use super::{ByName, Candidate, wildcard_over};
use crate::domain::ids::CertificateId;

/// Domains below a star that are left out one by one, also where the star serves fewer: a name that no route leads to is answered then.
const MOST_LEFT_OUT: usize = 50;
/// Bytes of one certificate's names: HAProxy takes and shows lines as long as its buffer of 16 KiB. With more, the certificate is served for
/// all of its names.
const MOST_BYTES: usize = 14_000;

/// The names that each certificate is served for, by what was chosen for each domain; `!shop.example.org` is left out of a star. Only those
/// that are not served for all of their own names: the others need no word.
pub fn shared(chosen: &BTreeMap<&str, &Candidate>) -> BTreeMap<CertificateId, BTreeSet<String>> {
    let mut below: HashMap<String, Vec<(&str, CertificateId)>> = HashMap::new();
    for (domain, one) in chosen {
        if let Some(star) = wildcard_over(domain) {
            below.entry(star).or_default().push((domain, one.id));
        }
    }
    let needed: BTreeMap<CertificateId, &Candidate> = chosen.values().map(|one| (one.id, *one)).collect();
    let mut told = BTreeMap::new();
    for one in needed.into_values() {
        let (mut words, mut all) = (BTreeSet::new(), true);
        for name in &one.names {
            if chosen.get(name.as_str()).is_some_and(|other| other.id != one.id) {
                all = false;
                continue;
            }
            let domains = below.get(name).map(Vec::as_slice).unwrap_or_default();
            let (own, others): (Vec<_>, Vec<_>) = domains.iter().copied().partition(|(_, id)| *id == one.id);
            all &= others.is_empty();
            if others.len() <= MOST_LEFT_OUT || bytes(&others) <= bytes(&own) {
                words.insert(name.clone());
                words.extend(others.iter().map(|(domain, _)| format!("!{domain}")));
            } else {
                words.extend(own.iter().map(|(domain, _)| (*domain).to_owned()));
            }
        }
        if !all && words.iter().map(|word| word.len() + 1).sum::<usize>() <= MOST_BYTES {
            told.insert(one.id, words);
        }
    }
    told
}

/// Bytes of these domains in a line.
fn bytes(domains: &[(&str, CertificateId)]) -> usize {
    domains.iter().map(|(domain, _)| domain.len() + 2).sum()
}

/// Of these domains, those that a certificate is for but another one is chosen for, by the certificate that is passed over.
pub fn passed_over<'a>(
    by_name: &ByName<'_>,
    domains: &'a [String],
    now: OffsetDateTime,
) -> HashMap<CertificateId, Vec<&'a str>> {
    let mut passed: HashMap<CertificateId, Vec<&str>> = HashMap::new();
    for domain in domains {
        let Some(chosen) = by_name.choose(domain, now) else { continue };
        let others = by_name.all_for(domain).filter(|(_, one)| one.id != chosen.id);
        for id in others.map(|(_, one)| one.id).collect::<BTreeSet<_>>() {
            passed.entry(id).or_default().push(domain);
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn candidate(n: u128, names: &[&str], days: i64) -> Candidate {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Candidate { id: CertificateId(uuid::Uuid::from_u128(n)), names, not_after: NOW + Duration::days(days) }
    }

    /// What is told of each, where something is.
    fn told(all: &[Candidate], domains: &[&str]) -> Vec<(u128, String)> {
        let by_name = ByName::new(all);
        let chosen = domains.iter().map(|domain| (*domain, by_name.choose(domain, NOW).unwrap())).collect();
        let words = |words: BTreeSet<String>| words.into_iter().collect::<Vec<_>>().join(" ");
        shared(&chosen).into_iter().map(|(id, of)| (id.0.as_u128(), words(of))).collect()
    }

    #[test]
    fn nothing_is_told_where_none_is_in_anothers_way() {
        let all = [candidate(1, &["a.test", "b.test"], 90), candidate(2, &["*.c.test", "c.test"], 90)];
        assert_eq!(told(&all, &["a.test", "c.test", "x.c.test"]), []);
        // The other one for this name is not needed, and comes to no host.
        let all = [candidate(1, &["a.test"], 90), candidate(2, &["a.test"], 30)];
        assert_eq!(told(&all, &["a.test"]), []);
    }

    #[test]
    fn a_name_of_two_is_told_to_one() {
        let all = [candidate(1, &["a.test", "b.test"], 90), candidate(2, &["a.test", "c.test"], 30)];
        assert_eq!(told(&all, &["a.test", "b.test", "c.test"]), [(2, "c.test".to_owned())]);
        // One that has run out is still served where there is nothing better.
        let all = [candidate(1, &["a.test", "b.test"], -1), candidate(2, &["a.test", "c.test"], 30)];
        assert_eq!(told(&all, &["a.test", "b.test", "c.test"]), [(1, "b.test".to_owned())]);
    }

    #[test]
    fn a_star_leaves_out_what_has_its_own_and_the_other_way_round() {
        let all = [candidate(1, &["*.a.test", "a.test"], 90), candidate(2, &["x.a.test", "a.test"], 30)];
        let domains = ["a.test", "x.a.test", "y.a.test"];
        assert_eq!(told(&all, &domains), [(1, "!x.a.test *.a.test a.test".to_owned()), (2, "x.a.test".to_owned())]);
        // Its own has run out, and is needed for another name.
        let all = [candidate(1, &["*.a.test"], 90), candidate(2, &["x.a.test", "b.test"], -1)];
        assert_eq!(told(&all, &["x.a.test", "b.test"]), [(2, "b.test".to_owned())]);
        // Two stars for the same.
        let all = [candidate(1, &["*.a.test", "b.test"], 30), candidate(2, &["*.a.test"], 90)];
        assert_eq!(told(&all, &["x.a.test", "b.test"]), [(1, "!x.a.test *.a.test b.test".to_owned())]);
    }

    #[test]
    fn it_is_known_which_names_of_one_are_served_by_another() {
        let all = [candidate(1, &["*.a.test", "x.a.test"], 90), candidate(2, &["x.a.test", "b.test"], 30)];
        let domains = ["x.a.test", "y.a.test", "b.test"].map(str::to_owned);
        let passed = passed_over(&ByName::new(&all), &domains, NOW);
        assert_eq!(passed.into_iter().collect::<Vec<_>>(), [(all[1].id, vec!["x.a.test"])]);
    }

    #[test]
    fn a_star_over_many_with_their_own_names_the_few_that_it_serves() {
        let names: Vec<String> = (0..1_000).map(|n| format!("customer-{n}.a.test")).collect();
        let mut all: Vec<Candidate> = (2..).zip(&names).map(|(n, name)| candidate(n, &[name], 90)).collect();
        all.push(candidate(1, &["*.a.test"], 90));
        let mut domains: Vec<&str> = names.iter().map(String::as_str).collect();
        domains.push("x.a.test");
        assert_eq!(told(&all, &domains), [(1, "x.a.test".to_owned())]);

        // As long as the line would be with either, it is left to HAProxy.
        let more: Vec<String> = (0..2_000).map(|n| format!("more{n}.a.test")).collect();
        domains.extend(more.iter().map(String::as_str));
        assert_eq!(told(&all, &domains), []);
        // A line that HAProxy takes and shows whole.
        let few: Vec<&str> = domains.iter().copied().take(900).chain(["x.a.test", "y.a.test"]).collect();
        let own = told(&all, &few);
        assert_eq!(own, [(1, "x.a.test y.a.test".to_owned())]);
    }
}
