//! The pages of notices, as a browser draws them: whole at every width, in light and dark, also where texts are others' and long.

use skiff::actions::notices::{self, SetMail};
use sqlx::types::Json;
use uuid::Uuid;

use super::{add, channel, webhook};
use crate::harness::browser::Browser;
use crate::harness::door::Panel;
use crate::pages::pictures::{look, sign_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_notices_are_whole() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let browser = Browser::start().await;
    sign_in(&browser, &panel).await;
    let home = format!("/t/{}/notices", owner.slug);
    look(&browser, &panel, "notices-empty", &home).await;
    for service in ["email", "slack", "telegram", "webhook"] {
        look(&browser, &panel, &format!("notices-new-{service}"), &format!("{home}/channels/new?service={service}"))
            .await;
    }
    let mail = SetMail {
        host: "smtp.example.org".into(),
        security: "starttls".into(),
        username: "skiff".into(),
        password: "never shown".into(),
        sender: "skiff@example.org".into(),
        ..SetMail::default()
    };
    notices::set_mail(&panel.ctx, &owner.actor, mail).await.unwrap();
    look(&browser, &panel, "notices-mail", &format!("{home}/mail")).await;
    let mut form = channel("email", "");
    (form.name, form.to) =
        ("Everybody on call".into(), "ada@example.org, grace.hopper@a-very-long-domain.example.org".into());
    let everybody = add(&panel.ctx, &owner.actor, form).await;
    let mut form = channel("slack", "https://hooks.slack.com/services/T0/B0/x");
    (form.name, form.wanted.events) = ("#ops".into(), vec!["deploy_failed".into(), "host_down".into()]);
    add(&panel.ctx, &owner.actor, form).await;
    let hostile = "<img src=x onerror=alert(1)> of a name that goes on";
    let hook = add(&panel.ctx, &owner.actor, webhook(hostile, "https://hooks.example.org/skiff")).await;
    let mut conn = panel.db.superuser().await;
    let rows = [
        (
            everybody.0,
            "host_down",
            "fra-1 does not answer",
            "sent",
            1,
            "smtp.example.org answered 250: 2.0.0 queued as 4711",
        ),
        (
            hook.0,
            "deploy_failed",
            "shop / prod / web: the deploy of v12 failed",
            "waiting",
            3,
            "hooks.example.org answered 503.",
        ),
        (hook.0, "deploy_returned", "shop / prod / web: v11 is taken back", "failed", 1, hostile),
        (hook.0, "host_up", "fra-1 answers again", "unclear", 1, "Whether it arrived is not known."),
    ];
    for (to, kind, title, state, attempts, answer) in rows {
        let letter = serde_json::json!({
            "id": Uuid::now_v7(), "kind": kind, "title": title, "body": "", "path": "/t/acme/hosts", "team": "Acme",
        });
        sqlx::query(
            "insert into notice_deliveries (team_id, id, channel_id, to_name, kind, letter, state, attempts, answer)
             select $1, $2, $3, name, $4, $5, $6, $7, $8 from notice_channels where id = $3",
        )
        .bind(owner.team.0)
        .bind(Uuid::now_v7())
        .bind(to)
        .bind(kind)
        .bind(Json(letter))
        .bind(state)
        .bind(attempts)
        .bind(answer)
        .execute(&mut conn)
        .await
        .unwrap();
    }
    sqlx::query("update notice_channels set rests_until = now() + interval '4 minutes' where id = $1")
        .bind(hook.0)
        .execute(&mut conn)
        .await
        .unwrap();
    for (name, cause, closed) in
        [("fra-1", "It does not answer within 10 s: connection timed out", false), ("hel-2", "", true)]
    {
        sqlx::query(
            "insert into alerts (team_id, id, kind, subject_kind, subject_id, subject_name, cause, opened_at, closed_at)
             values ($1, $2, 'host_down', 'host', $2, $3, $4, now() - interval '1 hour', case when $5 then now() end)",
        )
        .bind(owner.team.0)
        .bind(Uuid::now_v7())
        .bind(name)
        .bind(cause)
        .bind(closed)
        .execute(&mut conn)
        .await
        .unwrap();
    }
    look(&browser, &panel, "notices", &home).await;
    let own = format!("{home}/channels/{hook}");
    look(&browser, &panel, "notices-channel", &own).await;
    assert!(browser.wait_text("main").await.contains(hostile), "shown as it is");
    look(&browser, &panel, "members", &format!("/t/{}/members", owner.slug)).await;
}
