//! Whether a record that was written is seen, by what each of the zone's own name servers says of it. A resolver in between is asked
//! only where they say nothing, late and seldom: it keeps "there is none" for as long as the zone allows, half an hour at some.

use std::time::Duration;

/// How long a record may take to be seen: name servers tell each other within a minute or two.
pub const SEEN_WITHIN: Duration = Duration::from_secs(150);
/// Between two looks of a resolver.
pub const HEARSAY_PAUSE: Duration = Duration::from_secs(30);

/// What somebody said of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is there.
    Has,
    /// It is not, or has another value.
    HasNot,
    /// Nothing; or nothing that counts, as it does not keep the zone.
    Silent(String),
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The authority is asked.
    Seen,
    /// They are asked again.
    Again,
    /// So is a resolver.
    Hearsay,
    /// Nobody waits any longer.
    Over,
}

/// What is done, so long after it was written. `settle` is how long resolvers are not asked, `asked` when one was.
pub fn next(found: &[(String, Said)], waited: Duration, settle: Duration, asked: Option<Duration>) -> Next {
    let some = |wanted: &Said| found.iter().any(|(_, said)| said == wanted);
    let (has, has_not) = (some(&Said::Has), some(&Said::HasNot));
    if has && !has_not {
        return Next::Seen;
    }
    // A resolver that takes its time is asked once after that, and not again and again.
    if !has && waited >= SEEN_WITHIN && asked.is_some_and(|asked| asked >= SEEN_WITHIN) {
        return Next::Over;
    }
    // Where one has it, the others will. Where none has, this network may have a zone of its own under the same name.
    let due = waited >= settle && asked.is_none_or(|asked| waited >= asked.saturating_add(HEARSAY_PAUSE));
    match has {
        false if due => Next::Hearsay,
        _ if waited >= SEEN_WITHIN => Next::Over,
        _ => Next::Again,
    }
}

/// What was found where, as part of a sentence. `resolver` is what this machine's own name server said; none where it was not asked.
pub fn whereabouts(found: &[(String, Said)], resolver: Option<&Said>) -> String {
    let those = |wanted: &dyn Fn(&Said) -> bool| {
        let names: Vec<&str> =
            found.iter().filter(|(_, said)| wanted(said)).map(|(server, _)| server.as_str()).collect();
        (names.join(", "), names.len())
    };
    let mut parts = Vec::new();
    for (wanted, one, many) in [(Said::Has, "has it", "have it"), (Said::HasNot, "does not have it", "do not have it")]
    {
        match those(&|said| *said == wanted) {
            (_, 0) => {}
            (names, 1) => parts.push(format!("{names} {one}")),
            (names, _) => parts.push(format!("{names} {many}")),
        }
    }
    for (server, said) in found {
        if let Said::Silent(why) = said {
            parts.push(format!("{server} gives this machine no answer ({why})"));
        }
    }
    match resolver {
        None => {}
        Some(Said::Has) => parts.push("this machine's own name server has it".to_owned()),
        Some(Said::HasNot) => parts.push("this machine's own name server does not have it".to_owned()),
        Some(Said::Silent(why)) => parts.push(format!("this machine's own name server gives no answer ({why})")),
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(said: &[Said]) -> Vec<(String, Said)> {
        said.iter().enumerate().map(|(n, said)| (format!("ns{n}.example.org"), said.clone())).collect()
    }

    fn silent() -> Said {
        Said::Silent("timed out".into())
    }

    #[test]
    fn a_record_is_seen_where_all_that_answer_have_it() {
        const SETTLE: Duration = Duration::from_secs(60);
        let next = |said: &[Said], waited: u64, asked: Option<u64>| {
            super::next(&servers(said), Duration::from_secs(waited), SETTLE, asked.map(Duration::from_secs))
        };
        assert_eq!(next(&[Said::Has, Said::Has], 0, None), Next::Seen);
        assert_eq!(next(&[Said::Has, silent()], 0, None), Next::Seen);
        assert_eq!(next(&[Said::Has, Said::HasNot], 0, None), Next::Again);
        assert_eq!(next(&[Said::Has, Said::HasNot], 149, None), Next::Again, "no hearsay where one has it");
        assert_eq!(next(&[Said::Has, Said::HasNot], 150, None), Next::Over);
        // A resolver is not asked at once, whoever is silent, and then seldom.
        for said in [&[silent(), silent()][..], &[], &[Said::HasNot, silent()]] {
            assert_eq!(next(said, 0, None), Next::Again);
            assert_eq!(next(said, 59, None), Next::Again);
            assert_eq!(next(said, 60, None), Next::Hearsay);
            assert_eq!(next(said, 62, Some(60)), Next::Again);
            assert_eq!(next(said, 90, Some(60)), Next::Hearsay);
            assert_eq!(next(said, 150, Some(120)), Next::Hearsay, "once more at the end");
            assert_eq!(next(said, 152, Some(150)), Next::Over);
            assert_eq!(next(said, 190, Some(152)), Next::Over, "and not again, however long it took");
        }
    }

    #[test]
    fn what_was_found_where_is_told() {
        let found = servers(&[Said::Has, Said::HasNot, silent(), Said::HasNot]);
        assert_eq!(
            whereabouts(&found, None),
            "ns0.example.org has it; ns1.example.org, ns3.example.org do not have it; ns2.example.org gives this machine no answer (timed out)"
        );
        assert_eq!(whereabouts(&[], Some(&Said::HasNot)), "this machine's own name server does not have it");
        assert_eq!(whereabouts(&[], Some(&silent())), "this machine's own name server gives no answer (timed out)");
    }
}
