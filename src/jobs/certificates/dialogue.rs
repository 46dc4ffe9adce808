//! What is said to the running proxy about certificates. HAProxy lets one client at a time work on them, and refuses all others meanwhile
//! at once (management.txt, "show ssl cert": a client that reads slowly holds everybody off): what it refuses so is asked again. Not here:
//! which certificates, and what comes of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Brought, Place};
use crate::domain::ids::CertificateId;
use crate::domain::ingress::tls;
use crate::remote::{Error, Host};

/// Characters of an answer that a sentence quotes.
const QUOTED: usize = 200;
/// Before the first time that it is asked again: another's question about a few certificates takes a millisecond.
const LOCKED_FIRST: Duration = Duration::from_millis(3);
/// Before later times.
const LOCKED_PAUSE: Duration = Duration::from_millis(200);
/// Whoever holds it for longer than HAProxy lets a client do nothing (`stats timeout`) does not read at all.
const LOCKED_LIMIT: Duration = Duration::from_secs(15);

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

/// Asks the present worker about certificates: each command's answer, in order. What is said must do no harm when it is said twice.
pub(super) async fn ask(host: &Host, commands: &[String]) -> Result<Vec<String>, Error> {
    ask_with(host, &commands.iter().map(|command| (command.clone(), None)).collect::<Vec<_>>()).await
}

/// The same, where some of the commands are followed by a text. Where somebody else holds the certificates for longer than the limit, the
/// answers say so.
async fn ask_with(host: &Host, commands: &[(String, Option<&str>)]) -> Result<Vec<String>, Error> {
    let until = Instant::now() + LOCKED_LIMIT;
    let mut pause = LOCKED_FIRST;
    loop {
        let answers = host.haproxy().ask_with(commands).await?;
        if !answers.iter().any(|answer| tls::is_locked(answer)) || Instant::now() > until {
            return Ok(answers);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOCKED_PAUSE);
    }
}

/// Gives these to the running proxy in one dialogue. Which of them it does not take, and why.
pub(super) async fn offer(at: &Place<'_>, some: &[&Brought]) -> Result<Vec<(CertificateId, String)>, Error> {
    let (mut asked, mut meant) = (Vec::new(), Vec::new());
    for one in some {
        let mut say = |turn, line, text| {
            asked.push((line, text));
            meant.push((*one, turn));
        };
        let files = at.files;
        // Whoever was stopped in between has left an open change behind.
        let stored = at.running.stored.contains(&one.id);
        let room = if stored { tls::abort(files, one.id) } else { tls::announce(files, one.id) };
        say(Turn::Room, room, None);
        say(Turn::Offer, tls::offer(files, one.id), Some(one.pem.expose().as_str()));
        say(Turn::Commit, tls::commit(files, one.id), None);
        // There is nothing to take back where that went well; where it did not, the next one would stumble over it.
        say(Turn::Room, tls::abort(files, one.id), None);
        if !at.running.listed.contains(&one.id) {
            say(Turn::Enlist, tls::enlist(files, one.id), None);
        }
    }
    let answers = ask_with(at.host, &asked).await?;
    let mut refused: Vec<(CertificateId, String)> = Vec::new();
    for (answer, (one, turn)) in answers.iter().zip(&meant) {
        if turn.is_fine(answer) || refused.last().is_some_and(|(id, _)| *id == one.id) {
            continue;
        }
        let said = answer.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no answer");
        let said: String = said.chars().filter(|c| !c.is_control()).take(QUOTED).collect();
        let words = format!("HAProxy does not take the certificate for {}: {said}", one.names.join(", "));
        refused.push((one.id, words));
    }
    Ok(refused)
}
