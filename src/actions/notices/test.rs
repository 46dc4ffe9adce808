//! The test button: a letter is sent at once, and what the service answered is said. It stands among what was sent.

use super::channels::record;
use super::{Ctx, Refused};
use crate::actions::gate::{self, Open};
use crate::actions::panel;
use crate::db::notices::{self, New, State};
use crate::db::{channels, host_logins};
use crate::domain::ids::{ChannelId, NoticeId};
use crate::domain::notice;
use crate::domain::rights::{Actor, Permission};
use crate::jobs::notice::{open_mailing, open_target};

/// Tests of one team in a minute: the button is for people.
const MOST_IN_A_MINUTE: i64 = 10;

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Whether the service took the letter.
    pub taken: bool,
    /// What it answered, in words.
    pub words: String,
}

/// Tries a channel.
pub async fn test(ctx: &Ctx, actor: &Actor, id: ChannelId) -> Result<Answered, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageNotices).await?;
    let row = channels::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    if notices::tests_lately(&mut tx, &permit).await? >= MOST_IN_A_MINUTE {
        return Err(Refused::TooOften("There were ten tests within a minute. Try again in a minute.".into()));
    }
    let data_key = host_logins::data_key(&mut tx, &permit).await?;
    let target = open_target(&ctx.vault, &data_key, permit.team(), &row).map_err(Refused::Conflict)?;
    let mail = channels::mail(&mut tx, &permit).await?;
    let mailing = open_mailing(&ctx.vault, &data_key, permit.team(), mail).map_err(Refused::Conflict)?;
    let (slug, team) = notices::team(&mut tx, &permit).await?;
    let delivery = NoticeId(uuid::Uuid::now_v7());
    let letter = notice::test(delivery.0, &team, &slug, &row.name, actor.name());
    let new = New { id: delivery, event: None, channel: Some(id), account: None, to: &row.name, letter: &letter };
    notices::insert(&mut tx, &permit, &new, State::Sending, "").await?;
    record(&mut tx, &permit, "channel.tested", id, &row.name, (None, None)).await?;
    tx.commit().await?;

    let outside = ctx.outside.known_as(panel::named_url(ctx).await?);
    let answer = outside.send(&target, mailing.as_ref(), &letter).await;
    let (taken, words) = match answer {
        Ok(words) => (true, words),
        Err(refusal) => (false, refusal.words),
    };
    let mut tx = ctx.db.begin(&permit).await?;
    let state = if taken { State::Sent } else { State::Failed };
    notices::mark(&mut tx, &permit, delivery, state, &words).await?;
    if taken {
        channels::rest(&mut tx, &permit, id, None).await?;
    }
    tx.commit().await?;
    Ok(Answered { taken, words })
}
