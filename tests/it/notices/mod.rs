//! Notices: what services get and what is said of their answers, who is told of what, once and not twice, and when trouble with
//! hosts is told.

mod delivery;
mod deploys;
mod ends;
mod hosts;
mod mail;
mod pages;
mod pictures;
mod services;

use skiff::actions::notices::{self, Answered, SetChannel, WantedForm};
use skiff::actions::{self, Refused};
use skiff::domain::ids::ChannelId;
use skiff::domain::rights::Actor;
use sqlx::Row;

use crate::harness::postgres::TestDb;

/// All events there are to choose.
pub fn all() -> WantedForm {
    let events = ["deploy_failed", "deploy_returned", "deploy_succeeded", "host_down", "host_up"];
    WantedForm { events: events.map(str::to_owned).to_vec(), projects: Vec::new() }
}

/// A channel of a signed webhook.
pub fn webhook(name: &str, url: &str) -> SetChannel {
    SetChannel {
        name: name.into(),
        service: "webhook".into(),
        url: url.into(),
        secret: "a secret of 26 characters!".replace(' ', "-"),
        wanted: all(),
        ..SetChannel::default()
    }
}

/// A channel of this service.
pub fn channel(service: &str, url: &str) -> SetChannel {
    SetChannel { name: service.into(), service: service.into(), url: url.into(), wanted: all(), ..Default::default() }
}

/// Adds a channel.
pub async fn add(ctx: &actions::Ctx, actor: &Actor, form: SetChannel) -> ChannelId {
    match notices::add(ctx, actor, form).await {
        Ok(made) => made.id,
        Err(refused) => panic!("{refused:?}"),
    }
}

/// Adds a channel and tries it.
pub async fn tried(ctx: &actions::Ctx, actor: &Actor, form: SetChannel) -> Answered {
    let id = add(ctx, actor, form).await;
    notices::test(ctx, actor, id).await.unwrap()
}

/// What was wrong with a form: "field: sentence".
pub fn wrong(refused: Refused) -> Vec<String> {
    match refused {
        Refused::Fields(errors) => errors.iter().map(|error| format!("{}: {}", error.field, error.sentence)).collect(),
        other => panic!("{other:?}"),
    }
}

/// Deliveries, oldest first: state, attempts, answer.
pub async fn deliveries(db: &TestDb) -> Vec<(String, i32, String)> {
    let rows = sqlx::query("select state, attempts, answer from notice_deliveries order by created_at, id")
        .fetch_all(&mut db.superuser().await)
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}
