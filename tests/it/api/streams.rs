//! What stays open ends soon after the right to it has ended, on pages and for programs: not when it would anyway.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::{Method, Response};
use skiff::actions::members::{self, SetGrant};
use skiff::actions::{accounts, tokens};
use skiff::domain::rights::{Actor, Role};

use super::{Client, token};
use crate::harness::door::{Panel, Visitor};
use crate::pages::scene::{self, Scene};

/// What stays open does so for ten minutes; the right is looked at every five seconds.
const SOON: Duration = Duration::from_secs(60);

/// What a token can hold open. No instance has this number: no host is asked.
fn calls(scene: &Scene) -> [String; 3] {
    let (deploy, job) = (scene.running, scene.job);
    [
        format!("/deploys/{deploy}/events"),
        format!("/jobs/{job}/events"),
        "/apps/shop/logs?follow=true&instance=99".into(),
    ]
}

async fn hold(client: &Client, scene: &Scene) -> Vec<Response> {
    let mut open = Vec::new();
    for path in calls(scene) {
        let answer = client.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        open.push(answer);
    }
    open
}

async fn watch(visitor: &Visitor, scene: &Scene) -> Vec<Response> {
    let (slug, mut open) = (&scene.owner.slug, Vec::new());
    let (deploy, job, app) = (scene.running, scene.job, scene.web);
    let other = scene.owner.account;
    for path in [
        format!("/t/{slug}/deploys/{deploy}/live"),
        format!("/t/{slug}/jobs/{job}/live"),
        format!("/t/{slug}/apps/{app}/logs/live?instance={other}"),
    ] {
        let answer = visitor.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}");
        open.push(answer);
    }
    open
}

/// All of them end.
async fn end(open: Vec<Response>, why: &str) {
    let reading = open.into_iter().map(|answer| async move {
        let mut stream = answer.bytes_stream();
        while let Some(Ok(_)) = stream.next().await {}
    });
    tokio::time::timeout(SOON, join_all(reading)).await.unwrap_or_else(|_| panic!("{why}: a stream goes on"));
}

/// Dora, who may deploy.
async fn dora(panel: &Panel, scene: &Scene) -> Actor {
    let account = panel.member("Dora", scene.owner.team, Role::Developer).await;
    accounts::actor(&panel.ctx, account, &scene.owner.slug, "").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_ended_ends_its_streams_and_no_others() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let actor = &scene.owner.actor;
    let (ended, stays) = (token(&panel, actor, "owner").await, token(&panel, actor, "viewer").await);
    let (ended, stays) = (Client::new(&panel, &ended), Client::new(&panel, &stays));
    let open = hold(&ended, &scene).await;
    let other = hold(&stays, &scene).await.remove(0);
    let id = ended.get("/me").await["token"]["id"].as_str().unwrap().parse().unwrap();
    tokens::revoke(&panel.ctx, actor, id).await.unwrap();
    end(open, "the token was ended").await;
    let mut stream = other.bytes_stream();
    let reading = async { while stream.next().await.is_some() {} };
    assert!(tokio::time::timeout(Duration::from_secs(6), reading).await.is_err(), "another token's goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_demoted_or_signed_out_is_told_no_more() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let dora = dora(&panel, &scene).await;
    let owner = &scene.owner.actor;
    let all = members::list(&panel.ctx, owner).await.unwrap().members;
    let id = all.iter().find(|line| line.name == "Dora").unwrap().id;
    let client = Client::new(&panel, &token(&panel, &dora, "owner").await);
    let browser = panel.signed_in("dora@example.org").await;

    let (open, pages) = (hold(&client, &scene).await, watch(&browser, &scene).await);
    members::set_grant(&panel.ctx, owner, id, SetGrant { scope: "team".into(), role: "viewer".into() }).await.unwrap();
    end(open, "she may less than before").await;
    end(pages, "she may less than before").await;

    let elsewhere = panel.signed_in("dora@example.org").await;
    let (gone, other) = (watch(&browser, &scene).await, watch(&elsewhere, &scene).await.remove(0));
    assert_eq!(browser.submit("/account", "/logout", &[]).await.status(), 303);
    end(gone, "she has signed out").await;
    let mut stream = other.bytes_stream();
    let reading = async { while stream.next().await.is_some() {} };
    assert!(tokio::time::timeout(Duration::from_secs(6), reading).await.is_err(), "her other browser's goes on");
    drop(stream);

    let (open, pages) = (hold(&client, &scene).await, watch(&elsewhere, &scene).await);
    members::remove(&panel.ctx, owner, id, "dora@example.org").await.unwrap();
    end(open, "she was removed").await;
    end(pages, "she was removed").await;
    assert_eq!(client.send("GET", "/me", None).await.0, 401);
}
