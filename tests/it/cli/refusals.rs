//! What does not work out: each a sentence and a status of its own.

use skiff::actions::{apps, hosts, projects, tokens};
use skiff::db::host_logins;
use skiff::domain::host::HostState;
use skiff::domain::rights::Permit;

use super::terminal::{Ran, Terminal, token};
use crate::harness::door::Panel;
use crate::harness::panel::new_app;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_taken_ends_with_4() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let secret = token(&panel.ctx, &owner.actor, "viewer").await;
    let terminal = Terminal::signed_in(&panel.base, &secret).await;
    let stranger = Terminal::new();
    stranger.type_in(&["login", &panel.base], "hunter2").await.refused(4, "That is not a token");
    let forged = format!("skf_{}", "a".repeat(49));
    stranger.type_in(&["login", &panel.base], &forged).await.refused(4, "does not take the token");
    assert!(!stranger.settings().exists(), "nothing is kept of a token that is not taken");

    terminal.run(&["hosts", "add", "a", "a.example.org", "--later"]).await.refused(1, "");
    let mut conn = panel.db.superuser().await;
    sqlx::query("update api_tokens set expires_at = now() - interval '1 second'").execute(&mut conn).await.unwrap();
    terminal.run(&["apps"]).await.refused(4, "skiff login");
    sqlx::query("update api_tokens set expires_at = null").execute(&mut conn).await.unwrap();
    terminal.run(&["apps"]).await.well();
    let line = tokens::list(&panel.ctx, &owner.actor).await.unwrap().into_iter().next().unwrap();
    tokens::revoke(&panel.ctx, &owner.actor, line.id).await.unwrap();
    let ran = terminal.run(&["apps", "--json"]).await.refused(4, "skiff login");
    assert_eq!(last(&ran), format!("More: {}/docs/api#a-token", panel.base), "as the panel says it");
}

/// The last line of standard error.
fn last(ran: &Ran) -> &str {
    ran.err.lines().last().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_as_a_panel_ends_with_3() {
    let forged = format!("skf_{}", "a".repeat(49));
    let at = |url: &str| Terminal::new().with("SKIFF_URL", url).with("SKIFF_TOKEN", &forged);
    // A port that was just free.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = at(&format!("http://127.0.0.1:{port}")).run(&["apps"]).await.refused(3, "cannot be reached");
    assert_eq!(last(&ran), "More: skiff docs cli#no-panel-answers");

    let answers = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "does not answer in JSON"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "too old"),
        ("HTTP/1.1 302 Found\r\nlocation: https://evil.example/\u{1b}[2J\r\ncontent-length: 0\r\n\r\n", ""),
        ("SSH-2.0-OpenSSH_9.2\r\n", ""),
    ];
    for (answer, said) in answers {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let ran = at(&base).run(&["apps"]).await.refused(3, said);
        assert!(!ran.err.contains('\u{1b}') && !ran.err.contains(&forged), "{ran:?}");
        serving.abort();
    }
    let ran = at("http://panel.example.org").run(&["apps"]).await.refused(2, "https");
    assert_eq!(last(&ran), "More: skiff docs cli#typed-wrongly");
    let ran = Terminal::new().with("SKIFF_TOKEN", &forged).run(&["apps"]).await.refused(4, "SKIFF_URL");
    assert_eq!(last(&ran), "More: skiff docs cli#not-signed-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_apps_or_several() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let form = hosts::NewHost { name: "one".into(), address: "one.example.org".into(), ..Default::default() };
    let host = hosts::create(&panel.ctx, &owner.actor, form).await.unwrap();
    let permit = Permit::of_claimed_row(owner.team);
    let mut tx = panel.db.begin(&permit).await.unwrap();
    host_logins::observed(&mut tx, &permit, host, HostState::Ready, "").await.unwrap();
    tx.commit().await.unwrap();
    apps::create(&panel.ctx, &owner.actor, new_app("web")).await.unwrap();
    let project =
        projects::create(&panel.ctx, &owner.actor, projects::NewProject { name: "Shop".into() }).await.unwrap();
    let environment = projects::get(&panel.ctx, &owner.actor, project).await.unwrap().line.environments[0].id;
    let mut second = new_app("web");
    second.environment = environment.to_string();
    second.routes[0].domain = "shop.example.org".into();
    apps::create(&panel.ctx, &owner.actor, second).await.unwrap();
    let secret = token(&panel.ctx, &owner.actor, "owner").await;
    let terminal = Terminal::signed_in(&panel.base, &secret).await;

    terminal.run(&["status", "web"]).await.refused(1, "shop.prod.web");
    terminal.run(&["env", "shop.prod.web"]).await.well();
    terminal.run(&["env", "shop/prod/web"]).await.well();
    for none in ["nowhere", "../tokens", "a/../../hosts", "web?x=1", "%2e%2e", "\u{1b}[2J", "$(touch canary)"] {
        let ran = terminal.run(&["releases", none]).await;
        assert!(ran.code == 1 && ran.out.is_empty() && !ran.err.contains('\u{1b}'), "{none:?}: {ran:?}");
    }
    terminal.run(&["releases", ".."]).await.refused(1, "is no name");
}
