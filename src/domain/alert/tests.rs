//! Whole nights, second by second: hosts that are looked at every ten seconds, and what is told of them.

use super::*;
use uuid::Uuid;

/// Between two looks at one host.
const EVERY: i64 = 10;

/// A team's hosts in a world whose time only the test moves.
struct Night {
    hosts: Vec<Seen>,
    since: Vec<i64>,
    network: Network,
    network_back: Option<i64>,
    told: Vec<(i64, Verdict)>,
}

impl Night {
    fn of(count: usize) -> Self {
        let seen = |n| Seen {
            host: HostId(Uuid::from_u128(n)),
            remote: true,
            failures: 0,
            failing_s: 0,
            answers: 5,
            answering_s: 50,
            told: false,
        };
        Self {
            hosts: (1..=count as u128).map(seen).collect(),
            since: vec![0; count],
            network: Network::Fine(None),
            network_back: None,
            told: Vec::new(),
        }
    }

    /// Lets the time pass; `up` says which host answers when.
    fn pass(&mut self, seconds: i64, up: impl Fn(usize, i64) -> bool) {
        for now in 0..seconds {
            for n in 0..self.hosts.len() {
                // Looks are spread over the ten seconds.
                if (now + n as i64) % EVERY == 0 {
                    self.look(n, now, up(n, now));
                }
            }
        }
    }

    fn look(&mut self, n: usize, now: i64, answered: bool) {
        let host = &mut self.hosts[n];
        let turned = if answered { host.answers == 0 } else { host.failures == 0 };
        if turned {
            self.since[n] = now;
        }
        host.failures = if answered { 0 } else { host.failures + 1 };
        host.answers = if answered { host.answers + 1 } else { 0 };
        for (host, since) in self.hosts.iter_mut().zip(&self.since) {
            host.failing_s = if host.failures > 0 { now - since } else { 0 };
            host.answering_s = if host.answers > 0 { now - since } else { 0 };
        }
        let host = &self.hosts[n];
        let open = host.told || self.network == Network::Gone;
        if !matters(host.failures, host.failing_s, host.answers, open) {
            return;
        }
        if let (Network::Fine(ago), Some(back)) = (&mut self.network, self.network_back) {
            *ago = Some(now - back);
        }
        let verdict = decide(&self.hosts, self.network);
        match &verdict {
            Verdict::Nothing => return,
            Verdict::Down(ids) => self.mark(ids, true),
            Verdict::Up(ids) => self.mark(ids, false),
            Verdict::NobodyAnswers(_) => self.network = Network::Gone,
            Verdict::SomebodyAnswers => {
                self.network = Network::Fine(Some(0));
                self.network_back = Some(now);
            }
        }
        self.told.push((now, verdict));
    }

    fn mark(&mut self, ids: &[HostId], told: bool) {
        self.hosts.iter_mut().filter(|host| ids.contains(&host.host)).for_each(|host| host.told = told);
    }

    fn kinds(&self) -> Vec<(&'static str, usize)> {
        let kind = |verdict: &Verdict| match verdict {
            Verdict::Nothing => ("nothing", 0),
            Verdict::Down(ids) => ("down", ids.len()),
            Verdict::Up(ids) => ("up", ids.len()),
            Verdict::NobodyAnswers(ids) => ("nobody", ids.len()),
            Verdict::SomebodyAnswers => ("somebody", 0),
        };
        self.told.iter().map(|(_, verdict)| kind(verdict)).collect()
    }
}

#[test]
fn one_host_that_goes_and_comes_back_is_told_twice() {
    let mut night = Night::of(3);
    night.pass(600, |n, now| n != 1 || !(100..400).contains(&now));
    assert_eq!(night.kinds(), [("down", 1), ("up", 1)]);
    let (down, up) = (night.told[0].0, night.told[1].0);
    assert!((190..=210).contains(&down), "told after 90 s: at {down}");
    assert!((410..=430).contains(&up), "told after two answers: at {up}");
}

#[test]
fn thirty_seconds_up_and_thirty_down_is_nothing() {
    let mut night = Night::of(3);
    night.pass(20 * 60, |n, now| n != 0 || (now / 30) % 2 == 0);
    assert_eq!(night.kinds(), []);
}

#[test]
fn a_fifth_of_all_connections_failing_is_nothing() {
    let mut night = Night::of(5);
    // A fixed scatter: every fifth by a number that depends on host and look.
    night.pass(6 * 3600, |n, now| ((now / EVERY) * 7919 + n as i64 * 104_729) % 5 != 0);
    assert_eq!(night.kinds(), []);
}

#[test]
fn the_panels_own_network_is_one_alert_and_one_all_clear() {
    let mut night = Night::of(20);
    night.pass(1200, |_, now| !(100..700).contains(&now));
    assert_eq!(night.kinds(), [("nobody", 20), ("somebody", 0)]);
}

#[test]
fn a_host_that_stays_away_when_the_network_is_back_is_told_by_itself_and_not_at_once() {
    let mut night = Night::of(20);
    night.pass(1200, |n, now| !(100..700).contains(&now) && (n != 7 || now < 100));
    assert_eq!(night.kinds(), [("nobody", 20), ("somebody", 0), ("down", 1)]);
    assert!(night.told[2].0 - night.told[1].0 >= 90, "{:?}", night.told);
}

#[test]
fn nineteen_of_twenty_are_one_letter_and_so_is_their_return() {
    let mut night = Night::of(20);
    night.pass(1200, |n, now| n == 0 || !(100..700).contains(&now));
    assert_eq!(night.kinds(), [("down", 19), ("up", 19)]);
}

#[test]
fn the_only_host_is_a_host_and_the_panels_own_machine_does_not_hide_that_no_other_answers() {
    let mut night = Night::of(1);
    night.pass(600, |_, now| now < 100);
    assert_eq!(night.kinds(), [("down", 1)]);
    let mut night = Night::of(4);
    night.hosts[0].remote = false;
    night.pass(600, |n, now| n == 0 || now < 100);
    assert_eq!(night.kinds(), [("nobody", 3)]);
}

#[test]
fn one_that_fails_on_and_off_holds_up_another_for_a_minute_at_most() {
    let mut night = Night::of(3);
    night.pass(600, |n, now| match n {
        0 => now < 100,
        1 => (now / 20) % 2 == 0,
        _ => true,
    });
    assert_eq!(night.kinds(), [("down", 1)]);
    assert!(night.told[0].0 <= 100 + 90 + 60 + 2 * EVERY, "{:?}", night.told);
}
