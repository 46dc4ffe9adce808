//! What is said to the running proxy about certificates. HAProxy lets one client at a time work on them, for as long as its answer takes to
//! be read, and refuses all others at once, also those who only look: what it refuses so is asked again. Not here: which certificates, and
//! what comes of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{AT_ONCE, Brought, Place};
use crate::domain::ids::CertificateId;
use crate::domain::ingress::tls::{self, Listed, Open};
use crate::remote::{Error, Host};

/// Characters of an answer that a sentence quotes.
const QUOTED: usize = 200;
/// Before the first time that it is asked again: another's question about a few certificates takes a millisecond.
const LOCKED_FIRST: Duration = Duration::from_millis(3);
/// Before later times.
const LOCKED_PAUSE: Duration = Duration::from_millis(200);
/// HAProxy itself ends a client that does nothing for 10 s (`stats timeout`).
const LOCKED_LIMIT: Duration = Duration::from_secs(12);
/// Before a change that was found open is taken back.
const OPEN_PAUSE: Duration = Duration::from_secs(1);
/// What is said where that was not enough.
const LOCKED: &str = "another client has been at work on its certificates for seconds. A change that one left open: show ssl cert on its socket has a star before the file, and abort ssl cert FILE ends it";

/// A line of the dialogue about a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Makes room, or clears away what was left behind.
    Room,
    Offer,
    Commit,
    Enlist,
}

impl Turn {
    /// Whether that is how it is answered where all is well.
    fn is_fine(self, answer: &str) -> bool {
        match self {
            Self::Room => true,
            Self::Offer => answer.contains("Transaction"),
            Self::Commit => answer.contains("Success"),
            Self::Enlist => answer.contains("Success") || answer.contains("already"),
        }
    }
}

/// Somebody else is at work on certificates, and what is said about them has to wait.
pub(super) struct Wait {
    until: Instant,
    pause: Duration,
    in_vain: bool,
}

impl Wait {
    pub(super) fn new() -> Self {
        Self { until: Instant::now() + LOCKED_LIMIT, pause: LOCKED_FIRST, in_vain: false }
    }

    /// Begins anew, for what is said next.
    fn next(&mut self) {
        *self = Self::new();
    }

    /// Waits a little; false where that was done for too long.
    async fn on(&mut self) -> bool {
        if Instant::now() > self.until {
            self.in_vain = true;
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LOCKED_PAUSE);
        true
    }
}

/// Asks the present worker about certificates: each command's answer, in order. What is said must do no harm when it is said twice.
pub(super) async fn ask(host: &Host, commands: &[String]) -> Result<Vec<String>, Error> {
    let mut wait = Wait::new();
    loop {
        let answers = host.haproxy().ask(commands).await?;
        if !answers.iter().any(|answer| tls::is_locked(answer)) {
            return Ok(answers);
        }
        if !wait.on().await {
            return Err(Error::ProxyUnavailable { detail: LOCKED.to_owned() });
        }
    }
}

/// Looks after a change that somebody has begun and not ended: one of ours is given as one to take back, another's is waited for. HAProxy 2.6
/// would put what is offered into it.
pub(super) async fn open(at: &Place<'_>, wait: &mut Wait) -> Result<Option<CertificateId>, Error> {
    let mut open = at.running.open;
    loop {
        match open {
            None => return Ok(None),
            Some(Open::Ours(id)) => {
                // Whoever lives ends it within milliseconds.
                sleep(OPEN_PAUSE).await;
                return Ok(Some(id));
            }
            Some(Open::Foreign) if wait.on().await => {
                let answer = ask(at.host, &["show ssl cert".to_owned()]).await?;
                open = tls::read_open(answer.first().map(String::as_str).unwrap_or_default(), at.files);
            }
            Some(Open::Foreign) => return Ok(None),
        }
    }
}

/// Gives these to the running proxy, in one dialogue for all that it takes at once. Which of them it does not take, and why.
pub(super) async fn offer(
    at: &Place<'_>,
    some: &[&Brought],
    wait: &mut Wait,
    mut clear: BTreeSet<CertificateId>,
) -> Result<Vec<(CertificateId, String)>, Error> {
    let mut left = some.to_vec();
    // So nobody else waits once more.
    if wait.in_vain {
        return Ok(left.iter().map(|one| (one.id, words(one, LOCKED))).collect());
    }
    wait.next();
    let mut refused: Vec<(CertificateId, String)> = Vec::new();
    loop {
        let lines = lines(at, &left, &clear);
        let asked: Vec<(String, Option<&str>)> =
            lines.iter().map(|(_, _, line, text)| (line.clone(), text.as_deref())).collect();
        let answers = at.host.haproxy().ask_with(&asked).await?;
        let (mut locked, mut not): (BTreeSet<CertificateId>, BTreeMap<CertificateId, String>) = Default::default();
        for (answer, (one, turn, ..)) in answers.iter().zip(&lines) {
            let behind = match turn {
                Turn::Offer => tls::is_of_another(answer, &at.files.certificate(one.id)),
                Turn::Commit => tls::is_behind(answer),
                Turn::Room | Turn::Enlist => false,
            };
            if tls::is_locked(answer) || behind {
                locked.insert(one.id);
                // What was offered stands in another's change now, which must not be put in place like that.
                clear.extend(behind.then(|| tls::read_behind(answer, at.files)).flatten());
            } else if !turn.is_fine(answer) {
                not.entry(one.id).or_insert_with(|| words(one, answer));
            }
        }
        left.retain(|one| locked.contains(&one.id));
        refused.extend(not.into_iter().filter(|(id, _)| !locked.contains(id)));
        if left.is_empty() {
            return Ok(refused);
        }
        if !wait.on().await {
            refused.extend(left.iter().map(|one| (one.id, words(one, LOCKED))));
            return Ok(refused);
        }
        clear.extend(left.iter().map(|one| one.id));
    }
}

/// Lists these once more, as they are wanted now, and then ends those entries. What is held is said again, both parts for themselves: twice
/// listed does no harm, and the next look ends what is too much.
pub(super) async fn relist(at: &Place<'_>, again: &[CertificateId], gone: &[&Listed]) -> Result<(), Error> {
    let more: Vec<_> = again.iter().map(|id| at.want.enlist(at.files, *id)).collect();
    let less: Vec<_> = gone.iter().map(|entry| (tls::delist(at.files, entry), None)).collect();
    for lines in [more, less] {
        for some in lines.chunks(AT_ONCE) {
            changed(at.host, some).await?;
        }
    }
    Ok(())
}

/// Has these changes of the list made.
async fn changed(host: &Host, lines: &[(String, Option<String>)]) -> Result<(), Error> {
    let (mut left, mut wait) = (lines.iter().collect::<Vec<_>>(), Wait::new());
    loop {
        let asked: Vec<(String, Option<&str>)> =
            left.iter().map(|(line, text)| (line.clone(), text.as_deref())).collect();
        let answers = host.haproxy().ask_with(&asked).await?;
        let answered = left.iter().zip(&answers);
        let held: Vec<_> =
            answered.clone().filter(|(_, answer)| tls::is_locked(answer)).map(|(line, _)| *line).collect();
        let done = |answer: &str| tls::is_locked(answer) || answer.contains("Success") || answer.contains("deleted");
        if let Some((_, answer)) = answered.into_iter().find(|(_, answer)| !done(answer)) {
            return Err(Error::ProxyRefused {
                detail: format!("HAProxy does not change its list of certificates: {}", said(answer)),
            });
        }
        if held.is_empty() {
            return Ok(());
        }
        left = held;
        if !wait.on().await {
            return Err(Error::ProxyUnavailable { detail: LOCKED.to_owned() });
        }
    }
}

/// The dialogue for these: whose line it is, what it is for, the line, and the text after it.
fn lines<'a>(
    at: &Place<'_>,
    some: &[&'a Brought],
    clear: &BTreeSet<CertificateId>,
) -> Vec<(&'a Brought, Turn, String, Option<Cow<'a, str>>)> {
    let files = at.files;
    let mut lines = Vec::new();
    // There is one open change for all: one that could be neither put in place nor taken back would be in everybody's way.
    if let Some(first) = some.first() {
        lines.extend(clear.iter().map(|id| (*first, Turn::Room, tls::abort(files, *id), None)));
    }
    for one in some {
        // Whoever was stopped in between has left an open change behind.
        let stored = at.running.stored.contains(&one.id);
        let room = if stored { tls::abort(files, one.id) } else { tls::announce(files, one.id) };
        lines.push((one, Turn::Room, room, None));
        lines.push((one, Turn::Offer, tls::offer(files, one.id), Some(Cow::Borrowed(one.pem.expose().as_str()))));
        lines.push((one, Turn::Commit, tls::commit(files, one.id), None));
        // There is nothing to take back where that went well; where it did not, the next one would stumble over it.
        lines.push((one, Turn::Room, tls::abort(files, one.id), None));
        if !at.running.listed.iter().any(|entry| entry.id == one.id) {
            let (line, text) = at.want.enlist(files, one.id);
            lines.push((one, Turn::Enlist, line, text.map(Cow::Owned)));
        }
    }
    lines
}

/// Why it was not taken, from the last line of the answer.
fn words(one: &Brought, answer: &str) -> String {
    format!("HAProxy does not take the certificate for {}: {}", one.names.join(", "), said(answer))
}

/// The last line of an answer.
fn said(answer: &str) -> String {
    let said = answer.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no answer");
    said.chars().filter(|c| !c.is_control()).take(QUOTED).collect()
}
