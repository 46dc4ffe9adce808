//! Telling what happened: who wants to know of an event, and a letter for each. The job is made by the transaction the event
//! happened in (migration 0110). Not here: sending (`notice`).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Ctx;
use super::notice::Notice;
use super::stop::detail;
use crate::db::notices::{self, DeployTold, Event, New, State};
use crate::db::{Tx, channels, members};
use crate::domain::cause::Cause;
use crate::domain::ids::{AccountId, ChannelId, DeployId, NoticeEventId, NoticeId};
use crate::domain::notice::{self, Deployed, Detail, Kind, Letter};
use crate::domain::rights::{Actor, On, Permission};
use crate::queue::{self, Job, Lost, Outcome, Run};

/// Tell who wants to know of an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Announce {
    /// The event.
    pub event: NoticeEventId,
}

/// Letters to one receiver in an hour: more than that tell nobody anything, and a service would shut us out.
const MOST_IN_AN_HOUR: i64 = 60;
/// The last words of a failed deploy's job come this much later than its end.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Job for Announce {
    const KIND: &'static str = "announce";
    /// Some short statements.
    const DEADLINE: Duration = Duration::from_secs(60);
    type Ctx = Ctx;

    async fn run(self, _: &Ctx, run: &Run) -> Outcome {
        match self.announce(run).await {
            Ok(outcome) => outcome,
            Err(Lost::Taken) => Outcome::Again { after: Duration::ZERO, why: String::new() },
            Err(Lost::Unknown(error)) => Outcome::Again { after: run.backoff(), why: detail(error) },
        }
    }
}

/// What is told, before each letter has its number.
struct Told {
    event: Event,
    deploy: Option<(DeployId, DeployTold)>,
    slug: String,
    team: String,
}

impl Announce {
    async fn announce(&self, run: &Run) -> Result<Outcome, Lost> {
        let permit = &run.permit;
        let mut tx = run.begin().await?;
        let Some(event) = notices::event(&mut tx, permit, self.event).await? else { return Ok(Outcome::Succeeded) };
        let deploy = match event.deploy {
            Some(id) => notices::deploy(&mut tx, permit, id).await?.map(|told| (id, told)),
            None => None,
        };
        // The job's last words are known to have no secrets; the reason in the deploy's row is not.
        if event.kind == Kind::DeployFailed && deploy.as_ref().is_some_and(|(_, told)| !told.over) {
            return Ok(Outcome::Later { after: LAST_WORDS, why: "the deploy's last words".to_owned() });
        }
        let (slug, team) = notices::team(&mut tx, permit).await?;
        let told = Told { event, deploy, slug, team };
        let (kind, project) = (told.event.kind, told.event.project);
        for channel in channels::list(&mut tx, permit, None).await? {
            if channel.wanted.covers(kind, project) {
                let to = (Some(channel.id), None, channel.name.as_str());
                self.put_in(&mut tx, run, to, &told, &told.event.detail.0).await?;
            }
        }
        for choice in channels::choices(&mut tx, permit, None).await? {
            if !choice.wanted.covers(kind, project) {
                continue;
            }
            let grants = members::grants_of(&mut tx, permit, choice.account).await?;
            let member = Actor::new(choice.account, String::new(), String::new(), permit.team(), grants);
            // Nobody is told of what they may not see.
            if let Some(detail) = told.seen_by(&member) {
                let to = (None, Some(choice.account), choice.email.as_ref());
                self.put_in(&mut tx, run, to, &told, &detail).await?;
            }
        }
        tx.commit().await?;
        Ok(Outcome::Succeeded)
    }

    /// A letter for one receiver, and the job that sends it. An event that is told a second time finds them there.
    async fn put_in(
        &self,
        tx: &mut Tx<'_>,
        run: &Run,
        (channel, account, to): (Option<ChannelId>, Option<AccountId>, &str),
        told: &Told,
        detail: &Detail,
    ) -> Result<(), sqlx::Error> {
        let permit = &run.permit;
        let id = NoticeId(Uuid::now_v7());
        let letter = told.letter(id.0, detail);
        let new = New { id, event: Some(self.event), channel, account, to, letter: &letter };
        if notices::lately(tx, permit, channel, account).await? >= MOST_IN_AN_HOUR {
            let why = format!("Not sent: there were {MOST_IN_AN_HOUR} within an hour.");
            notices::insert(tx, permit, &new, State::Dropped, &why).await?;
            return Ok(());
        }
        if notices::insert(tx, permit, &new, State::Waiting, "").await? {
            let cause = Cause::System { why: letter.title.clone(), deploy: told.event.deploy };
            let title = format!("Notice to {to}");
            let new = queue::New { priority: -5, ..queue::New::new(&title, cause) };
            queue::push(tx, permit, &Notice { delivery: id }, new).await?;
        }
        Ok(())
    }
}

impl Told {
    /// The detail of what a member may see; none where that is nothing.
    fn seen_by(&self, member: &Actor) -> Option<Detail> {
        let team = member.team();
        let sees = |on: On| member.may(Permission::View, on).is_ok();
        let detail = &self.event.detail.0;
        if let Some((_, deploy)) = &self.deploy {
            return sees(On::environment(team, deploy.project, deploy.environment)).then(|| detail.clone());
        }
        let hosts: Vec<_> = detail.hosts.iter().filter(|host| sees(On::host(team, host.id))).cloned().collect();
        let whole = sees(On::team(team)) || self.event.project.is_some_and(|project| sees(On::project(team, project)));
        (whole || !hosts.is_empty()).then(|| Detail { hosts, ..detail.clone() })
    }

    fn letter(&self, id: Uuid, detail: &Detail) -> Letter {
        let kind = self.event.kind;
        match (&self.deploy, kind) {
            (Some((deploy, told)), _) => {
                // What a watch says of a release has no secrets in it.
                let reason = match (kind, &told.failure) {
                    (Kind::DeploySucceeded, _) => String::new(),
                    (Kind::DeployReturned, Some(failure)) => failure.0.sentence(),
                    _ => told.reason.clone(),
                };
                let words = Deployed {
                    app: [told.project_name.as_str(), &told.environment_name, &told.app].join(" / "),
                    number: told.number,
                    former: told.former,
                    reason,
                    asked_by: told.cause.0.who().to_owned(),
                    path: format!("/t/{}/deploys/{deploy}", self.slug),
                };
                notice::deploy(id, kind, &self.team, &words)
            }
            (None, Kind::Certificate) => notice::certificate(id, &self.team, &self.slug, detail),
            (None, _) => notice::hosts(id, kind, &self.team, &self.slug, &detail.hosts, detail.offline),
        }
    }
}
