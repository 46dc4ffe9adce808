//! The port of HTTPS of the host that leads to the panel: the name goes with it, and it is not taken away from under the name.

use std::time::Duration;

use skiff::actions::hosts::{self, SetHttpsPort};
use skiff::actions::panel::{self, NewAddress};
use skiff::actions::{self, Refused};

use super::{NAME, Stage};
use crate::harness::panel::Panel;

#[tokio::test(flavor = "multi_thread")]
async fn the_name_goes_with_the_port_of_https_and_its_host_stays() {
    let stage = Stage::new().await;
    let (ctx, owner) = (&stage.ctx, &stage.world.team.owner);
    stage.certificate(NAME).await;
    let keep = NewAddress { domain: NAME.into(), keep: true, ..NewAddress::default() };
    panel::try_address(ctx, owner, keep).await.unwrap();
    stage.until("it is kept", |view| view.serving.is_some()).await;
    stage.jobs_over().await;

    // What would take the panel's name away is refused, with what to do first.
    let set =
        async |port: &str| hosts::set_https_port(ctx, owner, stage.id, SetHttpsPort { https_port: port.into() }).await;
    let refused = format!("{:?}", set("none").await.unwrap_err());
    assert!(
        refused.contains("The panel is reached as panel.test through") && refused.contains("https_port"),
        "{refused}"
    );
    let name = panel::address(ctx, owner).await.unwrap().serving.unwrap().host_name;
    let forget = async || {
        let form = hosts::ForgetHost { name: name.clone(), gone: String::new() };
        hosts::forget(ctx, owner, stage.id, form).await
    };
    let refused = forget().await.unwrap_err();
    assert!(matches!(&refused, Refused::Conflict(why) if why.contains("gives that name up")), "{refused:?}");

    // Another port is one for the panel's name, too, from the moment it is listened on.
    set("8443").await.unwrap();
    links_are_made_with(ctx, "https://panel.test").await;
    assert_eq!(stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap().status, 200);
    let ended = stage.world.provision_again(stage.id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    stage.until("it is known", |view| view.serving.as_ref().is_some_and(|line| line.url.ends_with(":8443"))).await;
    links_are_made_with(ctx, "https://panel.test:8443").await;
    assert_eq!(stage.authority.get(stage.at(), 8443, NAME, "/login").await.unwrap().status, 200);
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let led = plain.get(format!("http://{}/login", stage.host.address)).header("host", NAME).send().await.unwrap();
    assert_eq!(led.headers()["location"], "https://panel.test:8443/login");

    // Given up, it holds up nothing.
    panel::give_up_address(ctx, owner).await.unwrap();
    stage.jobs_over().await;
    set("none").await.unwrap();
    assert!(
        panel::address(ctx, owner).await.unwrap().servers.is_empty(),
        "what will serve none any more leads nowhere"
    );
    forget().await.unwrap();
}

/// Waits until they are: names are read again when those that were read have grown old.
async fn links_are_made_with(ctx: &actions::Ctx, url: &str) {
    let begun = tokio::time::Instant::now();
    while panel::base_url(ctx).await.unwrap() != url {
        assert!(begun.elapsed() < Duration::from_secs(30), "links are made with {url}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_name_whose_port_was_left_behind_is_led_there_by_the_migration() {
    let panel = Panel::new().await;
    let (moved, same) = (panel.host(&panel.owner, "moved").await, panel.host(&panel.owner, "same").await);
    let mut conn = panel.test.superuser().await;
    for (state, host, port) in [("serving", moved, 8443), ("trial", same, 443)] {
        sqlx::query("update hosts set proxy_https_port = $2 where id = $1")
            .bind(host.0)
            .bind(port)
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query(
            "insert into panel_addresses (state, domain, owner_team, host_id, door, port, nonce, until)
             values ($1, $1 || '.test', $2, $3, 7070, 443, $1, case when $1 = 'trial' then now() + interval '1 hour' end)",
        )
        .bind(state)
        .bind(panel.owner.team().0)
        .bind(host.0)
        .execute(&mut conn)
        .await
        .unwrap();
    }
    // As who migrates, whom walls hold back, too.
    let text = include_str!("../../../../migrations/0182_port_of_the_panels_names.sql");
    sqlx::raw_sql("set role skiff_owner").execute(&mut conn).await.unwrap();
    sqlx::raw_sql(text).execute(&mut conn).await.unwrap();
    let ports: Vec<(String, i32)> =
        sqlx::query_as("select state, port from panel_addresses order by state").fetch_all(&mut conn).await.unwrap();
    assert_eq!(ports, [("serving".to_owned(), 8443), ("trial".to_owned(), 443)]);
    let walled: bool = sqlx::query_scalar("select relforcerowsecurity from pg_class where relname = 'hosts'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert!(walled);
}
