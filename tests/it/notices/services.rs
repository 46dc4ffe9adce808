//! What Slack, Discord, Telegram, ntfy and a webhook are sent, and what is said of their answers.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::json;
use skiff::actions::notices;
use skiff::actions::{self};
use skiff::providers::notices::{Outside, Settings, signature};

use super::{add, all, channel, tried, webhook, wrong};
use crate::harness::panel::Panel;
use crate::harness::services::{WebService, outside_of};

/// A panel whose Slack, Discord and Telegram are this server.
async fn before(service: &WebService) -> (Panel, actions::Ctx) {
    let panel = Panel::new().await;
    let ctx = actions::Ctx { outside: outside_of(Some(&service.base), None), ..panel.ctx.clone() };
    (panel, ctx)
}

#[tokio::test]
async fn slack_gets_its_text_and_its_words_are_said() {
    let service = WebService::start(|number, _| match number {
        0 => (StatusCode::OK, "ok"),
        1 => (StatusCode::NOT_FOUND, "no_service"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "rollup_error"),
    })
    .await;
    let (panel, ctx) = before(&service).await;
    let mut form = channel("slack", "https://hooks.slack.com/services/T0/B0/secret");
    form.name = "<!channel> & ops".into();
    let id = add(&ctx, &panel.owner, form).await;
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert_eq!((answered.taken, answered.words.as_str()), (true, "Slack answered 200: ok"));
    let asked = service.asked().remove(0);
    assert_eq!(asked.path, "/services/T0/B0/secret");
    assert_eq!(asked.header("content-type"), "application/json");
    let text = asked.json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("*A test from Skiff to &lt;!channel&gt; &amp; ops*\n"), "{text}");
    assert!(text.contains("/notices|Open in Skiff>"), "{text}");

    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert!(!answered.taken);
    assert_eq!(
        answered.words,
        "Slack answered 404: no_service. The webhook or its channel is gone: make a new one at Slack and enter its address."
    );
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert_eq!(answered.words, "Slack answered 500: rollup_error.");
}

#[tokio::test]
async fn discord_gets_an_embed_that_calls_nobody() {
    let service = WebService::start(|number, _| match number {
        0 => StatusCode::NO_CONTENT.into_response(),
        _ => {
            (StatusCode::NOT_FOUND, axum::Json(json!({ "message": "Unknown Webhook", "code": 10015 }))).into_response()
        }
    })
    .await;
    let (panel, ctx) = before(&service).await;
    let id = add(&ctx, &panel.owner, channel("discord", "https://discord.com/api/webhooks/1/secret")).await;
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert_eq!((answered.taken, answered.words.as_str()), (true, "Discord answered 204."));
    let asked = service.asked().remove(0);
    assert_eq!(asked.path, "/api/webhooks/1/secret");
    let json = asked.json();
    assert_eq!(json["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(json["embeds"][0]["title"], "A test from Skiff to discord");
    assert!(json["embeds"][0]["url"].as_str().unwrap().ends_with("/notices"), "{json}");
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert!(answered.words.starts_with("Discord answered 404: Unknown Webhook. The webhook is gone"), "{answered:?}");
}

#[tokio::test]
async fn telegram_gets_plain_text_and_no_sentence_shows_the_token() {
    let service = WebService::start(|number, _| match number {
        0 => (StatusCode::OK, axum::Json(json!({ "ok": true, "result": {} }))),
        _ => {
            let said = json!({ "ok": false, "error_code": 400, "description": "Bad Request: chat not found" });
            (StatusCode::BAD_REQUEST, axum::Json(said))
        }
    })
    .await;
    let (panel, ctx) = before(&service).await;
    let token = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
    let mut form = channel("telegram", "");
    (form.token, form.chat) = (token.into(), "-1001234567890".into());
    let id = add(&ctx, &panel.owner, form).await;
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert_eq!((answered.taken, answered.words.as_str()), (true, "Telegram answered 200: ok"));
    let asked = service.asked().remove(0);
    assert_eq!(asked.path, format!("/bot{token}/sendMessage"));
    let json = asked.json();
    assert_eq!(json["chat_id"], "-1001234567890");
    assert!(json.get("parse_mode").is_none(), "{json}");
    assert!(json["text"].as_str().unwrap().starts_with("A test from Skiff to telegram\n"), "{json}");
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert_eq!(
        answered.words,
        "Telegram answered 400: Bad Request: chat not found. Does the chat exist, and is the bot in it?"
    );
    // Nobody listens there.
    let away = actions::Ctx { outside: outside_of(Some("http://127.0.0.1:9"), None), ..ctx.clone() };
    let answered = notices::test(&away, &panel.owner, id).await.unwrap();
    assert!(!answered.taken && !answered.words.contains("AAHdq"), "{answered:?}");
    let everything = all_texts(&panel).await;
    assert!(!everything.contains("AAHdq"), "the token stands in the database");
}

/// Every text of what notices keep, and of history.
async fn all_texts(panel: &Panel) -> String {
    let mut conn = panel.test.superuser().await;
    let mut all = String::new();
    for table in ["notice_channels", "notice_deliveries", "notice_mail", "audit_events", "jobs"] {
        let sql = sqlx::AssertSqlSafe(format!("select coalesce(string_agg(t::text, ' '), '') from {table} t"));
        let text: String = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        all.push_str(&text);
    }
    all
}

#[tokio::test]
async fn ntfy_gets_its_topic_and_the_token_goes_to_no_other_server() {
    let service = WebService::start(|_, asked| match asked.header("authorization") {
        "Bearer tk_secret" => (StatusCode::OK, axum::Json(json!({ "id": "x", "event": "message" }))),
        _ => (StatusCode::FORBIDDEN, axum::Json(json!({ "code": 40301, "http": 403, "error": "forbidden" }))),
    })
    .await;
    let other = WebService::start(|_, _| (StatusCode::OK, "{}")).await;
    let (panel, ctx) = before(&service).await;
    let mut form = channel("ntfy", &format!("{}/our-topic", service.base));
    form.token = "tk_secret".into();
    let id = add(&ctx, &panel.owner, form.clone()).await;
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert_eq!((answered.taken, answered.words.as_str()), (true, "ntfy answered 200."));
    let asked = service.asked().remove(0);
    assert_eq!((asked.path.as_str(), asked.json()["topic"].as_str()), ("/", Some("our-topic")));
    assert_eq!(asked.json()["title"], "A test from Skiff to ntfy");

    // Another topic of the same server keeps the token; another server does not get it.
    (form.url, form.token) = (format!("{}/other-topic", service.base), String::new());
    notices::edit(&ctx, &panel.owner, id, form.clone()).await.unwrap();
    assert!(notices::test(&ctx, &panel.owner, id).await.unwrap().taken);
    form.url = format!("{}/our-topic", other.base);
    notices::edit(&ctx, &panel.owner, id, form.clone()).await.unwrap();
    assert!(notices::test(&ctx, &panel.owner, id).await.unwrap().taken);
    assert_eq!(other.asked()[0].header("authorization"), "");
    form.url = format!("{}/our-topic", service.base);
    notices::edit(&ctx, &panel.owner, id, form).await.unwrap();
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert!(answered.words.starts_with("ntfy answered 403: forbidden. Does the topic ask"), "{answered:?}");
}

#[tokio::test]
async fn a_webhook_is_signed_over_time_and_body_and_no_redirect_is_followed() {
    let elsewhere = WebService::start(|_, _| StatusCode::OK).await;
    let to = format!("{}/elsewhere", elsewhere.base);
    let service = WebService::start(move |number, _| match number {
        0 => StatusCode::ACCEPTED.into_response(),
        1 => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to.clone())]).into_response(),
        _ => (StatusCode::UNAUTHORIZED, "<html>an intranet's page</html>").into_response(),
    })
    .await;
    let (panel, ctx) = before(&service).await;
    let form = webhook("hook", &format!("{}/in?from=skiff", service.base));
    let secret = form.secret.clone();
    let id = add(&ctx, &panel.owner, form).await;
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert_eq!((answered.taken, answered.words.as_str()), (true, "127.0.0.1 answered 202."));
    let asked = service.asked().remove(0);
    assert_eq!(asked.path, "/in?from=skiff");
    let timestamp = asked.header("skiff-timestamp").parse().unwrap();
    // As a receiver does it, by another program than ours.
    let signed = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", &secret, "-r"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            std::io::Write::write_all(child.stdin.as_mut().unwrap(), format!("{timestamp}.{}", asked.body).as_bytes())?;
            child.wait_with_output()
        })
        .unwrap();
    let hex = String::from_utf8(signed.stdout).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(asked.header("skiff-signature"), format!("sha256={hex}"));
    assert_eq!(asked.header("skiff-signature"), signature(&secret, timestamp, &asked.body));
    assert_ne!(signature(&secret, timestamp + 1, &asked.body), signature(&secret, timestamp, &asked.body));
    let json = asked.json();
    assert_eq!((json["event"].as_str(), asked.header("skiff-event")), (Some("test"), "test"));
    assert_eq!(json["id"].as_str(), Some(asked.header("skiff-delivery")));
    assert!(json["phase"].is_null(), "it neither begins nor ends: {json}");
    assert_eq!((json["sent_at"].as_i64(), json["team"].as_str()), (Some(timestamp), Some("Shop")));

    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert!(answered.words.contains("answered 307. It leads elsewhere, which is not followed"), "{answered:?}");
    assert_eq!(elsewhere.asked().len(), 0);
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert!(!answered.words.contains("intranet"), "{answered:?}");
    assert!(answered.words.contains("answered 401. Does it check the signature"), "{answered:?}");
}

#[tokio::test]
async fn a_secret_that_is_made_is_given_once() {
    let service = WebService::start(|_, _| StatusCode::OK).await;
    let (panel, ctx) = before(&service).await;
    let mut form = webhook("hook", &service.base);
    form.secret = String::new();
    let made = notices::add(&ctx, &panel.owner, form).await.unwrap_or_else(|refused| panic!("{refused:?}"));
    let secret = made.secret.expect("one is made").expose().clone();
    assert!(notices::test(&ctx, &panel.owner, made.id).await.unwrap().taken);
    let asked = service.asked().remove(0);
    let timestamp = asked.header("skiff-timestamp").parse().unwrap();
    assert_eq!(asked.header("skiff-signature"), signature(&secret, timestamp, &asked.body));
    assert!(!all_texts(&panel).await.contains(&secret));
}

#[tokio::test]
async fn nothing_goes_to_private_addresses_unless_the_operator_permits_it_nor_ever_to_metadata() {
    let service = WebService::start(|_, _| StatusCode::OK).await;
    let panel = Panel::new().await;
    let closed = Outside::new(Settings { base_url: "https://panel.example.org".into(), ..Settings::default() });
    let closed = actions::Ctx { outside: closed, ..panel.ctx.clone() };
    let port = service.base.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let answered = tried(&closed, &panel.owner, webhook(host, &format!("http://{host}:{port}/"))).await;
        assert!(!answered.taken, "{host}");
        assert!(answered.words.contains("leads to a private address. Notices go there only where"), "{answered:?}");
    }
    assert_eq!(service.asked().len(), 0);
    let open = actions::Ctx { outside: outside_of(None, None), ..panel.ctx.clone() };
    for host in ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"] {
        let answered = tried(&open, &panel.owner, webhook(host, &format!("http://{host}/latest/meta-data"))).await;
        assert!(answered.words.contains("leads to an address that notices never go to"), "{answered:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_in_a_form_is_said_beside_its_field() {
    let panel = Panel::new().await;
    let add = async |form| wrong(notices::add(&panel.ctx, &panel.owner, form).await.err().expect("refused"));
    let said = add(channel("slack", "https://example.org/x")).await;
    assert!(said[0].starts_with("url: Use the address of an incoming webhook as Slack shows it"), "{said:?}");
    let mut form = channel("email", "");
    (form.name, form.to) = (String::new(), "ada@example.org\nnobody".into());
    form.wanted.events.push("moon_rises".into());
    form.wanted.projects.push("00000000-0000-0000-0000-000000000000".into());
    let said = add(form).await;
    let fields: Vec<&str> = said.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(fields, ["name", "to", "events", "projects"], "{said:?}");
    assert!(said[1].starts_with("to: Entry 2:"), "{said:?}");
    let said = add(channel("pigeon", "")).await;
    assert!(said[0].starts_with("service: Choose one of: email, slack"), "{said:?}");
    let mut form = channel("telegram", "");
    form.wanted = all();
    let said = add(form).await;
    assert_eq!(said.len(), 2, "{said:?}");
}
