//! When trouble with hosts is trouble: one "down" after three looks in vain over 90 seconds, one "up" after two that were
//! answered. Many at once are one alert, and no answer from anywhere is the panel's own trouble. Not here: looking.

use super::ids::HostId;

/// Looks in vain in a row before a host counts as down …
const FAILURES: i32 = 3;
/// … over at least so many seconds: a restart of a server's network takes less.
const FAILING_S: i64 = 90;
/// Looks in a row that are answered before it counts as back.
const ANSWERS: i32 = 2;
/// How many more seconds the first waits for the others that began to fail, or came back, with it.
const GATHER_S: i64 = 60;
/// Up to so many hosts are told of one by one.
pub const ONE_BY_ONE: usize = 3;

/// What was seen of a host lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The host.
    pub host: HostId,
    /// It is another machine than the panel's: reached over a network.
    pub remote: bool,
    /// Looks in a row that were in vain.
    pub failures: i32,
    /// Seconds since the first of them.
    pub failing_s: i64,
    /// Looks in a row that were answered.
    pub answers: i32,
    /// Seconds since the first of them.
    pub answering_s: i64,
    /// It was told to be down, and not to be back.
    pub told: bool,
}

/// What was told of the panel's own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Nothing is open; it came back so many seconds ago, where it was ever gone.
    Fine(Option<i64>),
    /// No host answers, and that was told.
    Gone,
}

/// What is to be told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Nothing,
    /// These do not answer.
    Down(Vec<HostId>),
    /// These answer again.
    Up(Vec<HostId>),
    /// None of the remote hosts answers.
    NobodyAnswers(Vec<HostId>),
    /// The panel reaches hosts again.
    SomebodyAnswers,
}

/// True where one more look may change what is told: the others of the team are only asked about then.
pub fn matters(failures: i32, failing_s: i64, answers: i32, open: bool) -> bool {
    if answers > 0 { answers >= ANSWERS && open } else { failures >= FAILURES && failing_s >= FAILING_S && !open }
}

/// Decides by what was seen of a team's hosts.
pub fn decide(hosts: &[Seen], network: Network) -> Verdict {
    let remote: Vec<&Seen> = hosts.iter().filter(|host| host.remote && host.was_seen()).collect();
    let network_was_back = match network {
        Network::Gone if remote.iter().any(|host| host.is_back()) => return Verdict::SomebodyAnswers,
        Network::Gone => return verdict_of(hosts.iter().filter(|host| !host.remote).collect(), None),
        Network::Fine(ago) => ago,
    };
    let together = remote.len() > 1 && remote.iter().all(|host| host.fails() && !host.told);
    if together && let Some(oldest) = oldest_ripe(&remote, network_was_back) {
        let all = remote.iter().all(|host| host.is_ripe(network_was_back));
        return if all || oldest >= FAILING_S + GATHER_S {
            Verdict::NobodyAnswers(remote.iter().map(|host| host.host).collect())
        } else {
            Verdict::Nothing
        };
    }
    verdict_of(hosts.iter().collect(), network_was_back)
}

/// The same without a look at the panel's own network.
fn verdict_of(hosts: Vec<&Seen>, back_s: Option<i64>) -> Verdict {
    let ripe: Vec<HostId> = hosts.iter().filter(|host| host.is_ripe(back_s)).map(|host| host.host).collect();
    let unripe = hosts.iter().any(|host| host.fails() && !host.told && !host.is_ripe(back_s));
    if let Some(oldest) = oldest_ripe(&hosts, back_s)
        && (!unripe || oldest >= FAILING_S + GATHER_S)
    {
        return Verdict::Down(ripe);
    }
    let told = hosts.iter().filter(|host| host.told).count();
    let back: Vec<&&Seen> = hosts.iter().filter(|host| host.told && host.is_back()).collect();
    let longest = back.iter().map(|host| host.answering_s).max();
    let wait = told > ONE_BY_ONE && back.len() < told && longest.is_some_and(|longest| longest < GATHER_S);
    if back.is_empty() || wait { Verdict::Nothing } else { Verdict::Up(back.iter().map(|host| host.host).collect()) }
}

/// For how long the one that is to be told fails, where there is one.
fn oldest_ripe(hosts: &[&Seen], back_s: Option<i64>) -> Option<i64> {
    hosts.iter().filter(|host| host.is_ripe(back_s)).map(|host| host.failing_for(back_s)).max()
}

impl Seen {
    fn was_seen(&self) -> bool {
        self.failures > 0 || self.answers > 0
    }

    fn fails(&self) -> bool {
        self.failures > 0
    }

    fn is_back(&self) -> bool {
        self.answers >= ANSWERS
    }

    /// What failed while the panel's own network was gone says nothing.
    fn failing_for(&self, back_s: Option<i64>) -> i64 {
        back_s.filter(|_| self.remote).map_or(self.failing_s, |back| self.failing_s.min(back))
    }

    fn is_ripe(&self, back_s: Option<i64>) -> bool {
        !self.told && self.failures >= FAILURES && self.failing_for(back_s) >= FAILING_S
    }
}

#[cfg(test)]
mod tests;
