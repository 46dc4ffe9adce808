//! Sending one letter. A service that does not answer is asked again, later and later; whatever it says is kept. Of an attempt
//! whose sender was lost nobody knows whether it arrived, and it is not repeated: nobody gets a letter twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::Ctx;
use super::stop::detail;
use crate::db::channels::{Mail, Row};
use crate::db::notices::{self, Left, State, Taken};
use crate::db::{Tx, channels, host_logins, panel_addresses};
use crate::domain::channel::{Service, Target};
use crate::domain::ids::{NoticeId, TeamId};
use crate::domain::rights::Permit;
use crate::domain::secret::Secret;
use crate::providers::notices::{Mailing, NotSent};
use crate::queue::{Job, Lost, Outcome, Run};
use crate::vault::{Context, Vault};

/// Send one letter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// The delivery.
    pub delivery: NoticeId,
}

/// After each attempt in vain, so long until the next; after the last one it is given up: what happened two hours ago is no
/// news.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(60 * 60),
];
/// A channel that did not answer is left alone by other letters for so long at most: they do not wait for it in a row.
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);
/// A letter that is being sent while the panel stops has so long to be answered.
const LAST_MOMENT: Duration = Duration::from_secs(4);
/// What is said of a letter whose sender was lost.
const UNCLEAR: &str =
    "The panel was stopped while this was sent: whether it arrived is not known, and it is not sent twice.";

/// What is said of a letter that everybody has who is still a receiver.
const NOBODY_LEFT: &str = "All others have it; whoever was still without it was taken out of the channel.";

/// What a service answered that took a letter.
struct Answered {
    words: String,
    /// Who is still without it: a mail server may take it for some.
    left: Left,
}

impl Job for Notice {
    const KIND: &'static str = "notice";
    /// One service answers within 20 s or not at all.
    const DEADLINE: Duration = Duration::from_secs(120);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        match self.deliver(ctx, run).await {
            Ok(outcome) => outcome,
            Err(Lost::Taken) => lost(),
            Err(Lost::Unknown(error)) => Outcome::Again { after: run.backoff(), why: detail(error) },
        }
    }
}

/// Whoever has the job now goes on.
fn lost() -> Outcome {
    Outcome::Again { after: Duration::ZERO, why: String::new() }
}

impl Notice {
    async fn deliver(&self, ctx: &Ctx, run: &Run) -> Result<Outcome, Lost> {
        let permit = &run.permit;
        let mut tx = run.begin().await?;
        let Some(taken) = notices::take(&mut tx, permit, self.delivery).await? else { return Ok(Outcome::Succeeded) };
        match taken.state {
            State::Waiting => {}
            State::Sending => {
                let words = match &taken.left {
                    None => UNCLEAR.to_owned(),
                    Some(left) => format!("{} {UNCLEAR}", still_without(&left.0)),
                };
                return self.end(tx, permit, State::Unclear, &words).await;
            }
            State::Sent | State::Failed | State::Unclear | State::Dropped => return Ok(Outcome::Succeeded),
        }
        if let Some(channel) = taken.channel {
            let rests = channels::rests_for(&mut tx, permit, channel).await?;
            if rests > 0.0 {
                let after = Duration::from_secs_f64(rests);
                return Ok(Outcome::Later { after, why: "the channel did not answer lately".to_owned() });
            }
        }
        let (target, mailing) = match receiver(&mut tx, ctx, permit, &taken).await? {
            Ok(found) => found,
            Err(why) => return self.end(tx, permit, State::Dropped, &why).await,
        };
        // Whoever has it already does not get it again.
        let target = match &taken.left {
            None => target,
            Some(left) => match those(target, &left.0) {
                Some(target) => target,
                // It was sent to all others.
                None => {
                    let words = with_dead(NOBODY_LEFT, &left.0.dead);
                    notices::mark(&mut tx, permit, self.delivery, State::Sent, &words).await?;
                    tx.commit().await?;
                    return Ok(Outcome::Succeeded);
                }
            },
        };
        notices::mark(&mut tx, permit, self.delivery, State::Sending, "").await?;
        let known_as = panel_addresses::serving_url(&mut tx).await?;
        tx.commit().await?;

        let outside = ctx.outside.known_as(known_as);
        let mut sending = Box::pin(async {
            let (mailing, letter) = (mailing.as_ref(), &taken.letter.0);
            match &target {
                Target::Email { to } => {
                    let mailed = outside.mail(mailing, to, letter).await?;
                    Ok::<_, NotSent>(Answered {
                        words: mailed.words,
                        left: Left { to: mailed.left, dead: mailed.dead },
                    })
                }
                _ => {
                    let words = outside.send(&target, mailing, letter).await?;
                    Ok(Answered { words, left: Left { to: Vec::new(), dead: String::new() } })
                }
            }
        });
        let answer = tokio::select! {
            answer = &mut sending => answer,
            () = run.lost.cancelled() => match timeout(LAST_MOMENT, sending).await {
                Ok(answer) => answer,
                Err(_) => return Ok(lost()),
            },
        };
        self.answered(run, &taken, answer).await
    }

    /// Writes down what was answered, and says how it goes on.
    async fn answered(&self, run: &Run, taken: &Taken, answer: Result<Answered, NotSent>) -> Result<Outcome, Lost> {
        let permit = &run.permit;
        let mut tx = run.begin().await?;
        let former = taken.left.as_ref().map(|left| &left.0);
        let dead = former.map(|left| left.dead.as_str()).unwrap_or_default();
        let some_have_it = former.is_some() || answer.is_ok();
        let refusal = match answer {
            Ok(Answered { words, left }) => {
                if let Some(channel) = taken.channel {
                    channels::rest(&mut tx, permit, channel, None).await?;
                }
                let words = with_dead(&words, dead);
                if left.to.is_empty() {
                    notices::mark(&mut tx, permit, self.delivery, State::Sent, &words).await?;
                    tx.commit().await?;
                    return Ok(Outcome::Succeeded);
                }
                let left = Left { dead: with_dead(&left.dead, dead), ..left };
                notices::leave(&mut tx, permit, self.delivery, &left).await?;
                NotSent { words, again: true, after: None }
            }
            Err(refusal) => match former {
                None => refusal,
                Some(left) => {
                    let words = format!("{} {}", still_without(left), with_dead(&refusal.words, dead));
                    NotSent { words, ..refusal }
                }
            },
        };
        let tries = usize::try_from(taken.attempts).unwrap_or_default();
        let Some(pause) = PAUSES.get(tries).filter(|_| refusal.again) else {
            return self.end(tx, permit, State::Failed, &refusal.words).await;
        };
        let pause = refusal.after.unwrap_or_default().max(*pause);
        // Where some have it, it is not the channel that does not answer: other letters need not wait.
        if let Some(channel) = taken.channel.filter(|_| !some_have_it) {
            channels::rest(&mut tx, permit, channel, Some(pause.min(LONGEST_REST).as_secs_f64())).await?;
        }
        notices::mark(&mut tx, permit, self.delivery, State::Waiting, &refusal.words).await?;
        tx.commit().await?;
        Ok(Outcome::Again { after: pause, why: refusal.words })
    }

    async fn end(&self, mut tx: Tx<'_>, permit: &Permit, state: State, words: &str) -> Result<Outcome, Lost> {
        notices::mark(&mut tx, permit, self.delivery, state, words).await?;
        tx.commit().await?;
        Ok(Outcome::Failed { reason: words.to_owned() })
    }
}

/// Those of a target who are still without a letter; none where nobody of them is left.
fn those(target: Target, left: &Left) -> Option<Target> {
    let Target::Email { mut to } = target else { return None };
    to.retain(|one| left.to.contains(one));
    (!to.is_empty()).then_some(Target::Email { to })
}

/// Who has not got it yet, in words.
fn still_without(left: &Left) -> String {
    let to: Vec<&str> = left.to.iter().map(AsRef::as_ref).collect();
    format!("Still without it: {}.", to.join(", "))
}

/// Words, and a sentence on those that a mail server refused for good at an earlier try.
fn with_dead(words: &str, dead: &str) -> String {
    match (words, dead) {
        (words, "") => words.to_owned(),
        ("", dead) => dead.to_owned(),
        (words, dead) => format!("{}. {dead}", words.trim_end_matches('.')),
    }
}

/// Where a letter goes, or why it goes nowhere any more.
async fn receiver(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    permit: &Permit,
    taken: &Taken,
) -> Result<Result<(Target, Option<Mailing>), String>, sqlx::Error> {
    let data_key = host_logins::data_key(tx, permit).await?;
    let target = match (taken.channel, taken.account) {
        (Some(id), _) => match channels::list(tx, permit, Some(id)).await?.pop() {
            Some(row) => open_target(&ctx.vault, &data_key, permit.team(), &row),
            None => Err("The channel was removed.".to_owned()),
        },
        (None, Some(account)) => match channels::choices(tx, permit, Some(account)).await?.pop() {
            Some(choice) => Ok(Target::Email { to: vec![choice.email] }),
            None => Err("The member left, or wants no notices.".to_owned()),
        },
        (None, None) => Err("It is addressed to nobody.".to_owned()),
    };
    let target = match target {
        Ok(target) => target,
        Err(why) => return Ok(Err(why)),
    };
    let mail = match target.service() {
        Service::Email => channels::mail(tx, permit).await?,
        _ => None,
    };
    Ok(open_mailing(&ctx.vault, &data_key, permit.team(), mail).map(|mailing| (target, mailing)))
}

/// The target of a channel, opened.
pub fn open_target(vault: &Vault, data_key: &[u8], team: TeamId, row: &Row) -> Result<Target, String> {
    let place = Context::notice_channel(team, row.id.0, row.version);
    let bytes = vault.unseal(data_key, &place, &row.sealed).map_err(|error| error.to_string())?;
    serde_json::from_slice(bytes.expose()).map_err(|_| "Where it leads cannot be read: enter it again.".to_owned())
}

/// The team's mail server with its password opened.
pub fn open_mailing(
    vault: &Vault,
    data_key: &[u8],
    team: TeamId,
    mail: Option<Mail>,
) -> Result<Option<Mailing>, String> {
    let Some(mail) = mail else { return Ok(None) };
    let open = |sealed: Vec<u8>| {
        let place = Context::notice_mail(team, mail.version);
        let bytes = vault.unseal(data_key, &place, &sealed).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes.expose().clone()).map_err(|_| "The mail server's password is damaged.")?;
        Ok::<_, String>(Secret::new(text))
    };
    let password = mail.sealed.map(open).transpose()?;
    Ok(Some(Mailing { server: mail.server, password }))
}
