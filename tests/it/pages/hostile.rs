//! Hostile text in every place people and machines can write to: shown as it is, and inert.

use skiff::actions::apps::{Pair, SetVariable};
use skiff::actions::projects::NewProject;
use skiff::actions::{apps, projects};

use fantoccini::Locator;

use crate::harness::browser::{Browser, WAIT};
use crate::harness::door::{PASSWORD, Panel};

use super::scene;

/// What was used against systems like this one, short enough for a name.
const HOSTILE: &[&str] = &[
    "<img src=x onerror=alert(1)>",
    "\"><script>alert(2)</script>",
    "' autofocus onfocus=alert(3) x='",
    "</textarea><svg onload=alert(4)>",
    "javascript:alert(5)//",
    "{{7*7}}${7*7}<%=7*7%>",
    "</title><script>alert(6)</script>",
    "<b hx-get=/logout hx-trigger=load hx-on:click=alert(7)>",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_text_is_shown_and_does_nothing() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let owner = &scene.owner;
    let all = HOSTILE.join(" ");
    let mut conn = panel.db.superuser().await;
    for (index, text) in HOSTILE.iter().enumerate() {
        let mut form = scene::web_form("Shop");
        form.name = (*text).to_owned();
        form.host = scene.host.to_string();
        form.routes.clear();
        form.volumes.clear();
        form.variables = vec![Pair { name: "TEXT".into(), value: all.clone() }];
        apps::create(&panel.ctx, &owner.actor, form).await.unwrap();
        scene::lines(
            &mut conn,
            scene.running,
            &[("out", text), ("err", &format!("\u{1b}]8;;{text}\u{7}{text}\u{1b}[31m{text}"))],
        )
        .await;
        let step = "update job_steps set words = $2, note = $2, stage = $2 where job_id = $1 and seq = $3";
        sqlx::query(step)
            .bind(scene.job.0)
            .bind(text)
            .bind(i32::try_from(index).unwrap() + 1)
            .execute(&mut conn)
            .await
            .unwrap();
    }
    for text in HOSTILE {
        projects::create(&panel.ctx, &owner.actor, NewProject { name: (*text).to_owned() }).await.unwrap();
    }
    let input = SetVariable { name: "TEXT".into(), value: all.clone() };
    apps::set_variable(&panel.ctx, &owner.actor, scene.web, input).await.unwrap();
    for statement in [
        "update jobs set title = $1, reason = $1, wait_reason = $1",
        "update hosts set name = $1, state_note = $1, facts = jsonb_build_object('os', $1::text, 'kernel', $1::text, 'docker', $1::text)",
        "update hosts set checked_at = now(), checked = jsonb_build_object('failed', '', 'differences',
                jsonb_build_array(jsonb_build_object('what', $1::text, 'is', $1::text, 'should', $1::text, 'act', $1::text)))",
        "update accounts set name = $1",
        "update teams set name = $1",
        "update sessions set device = $1, address = $1",
        "update environments set name = $1",
    ] {
        sqlx::query(statement).bind(&all).execute(&mut conn).await.unwrap();
    }
    let browser = Browser::start().await;
    browser.client.goto(&format!("{}/login", panel.base)).await.unwrap();
    browser.fill("email", "ada@example.org").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.client.wait().at_most(WAIT).for_element(Locator::Css(".rail")).await.unwrap();
    let team = format!("/t/{}", owner.slug);
    let web = format!("{team}/apps/{}", scene.web);
    let pages = [
        team.clone(),
        format!("{team}/apps"),
        format!("{team}/apps/new"),
        web.clone(),
        format!("{web}/variables"),
        format!("{web}/configuration"),
        format!("{web}/releases"),
        format!("{team}/deploys/{}", scene.running),
        format!("{team}/deploys/{}", scene.failed),
        format!("{team}/jobs"),
        format!("{team}/hosts"),
        format!("{team}/hosts/{}", scene.host),
        format!("{team}/projects"),
        format!("{team}/audit"),
        "/account".to_owned(),
    ];
    for page in pages {
        browser.client.goto(&format!("{}{page}", panel.base)).await.unwrap();
        browser.client.wait().at_most(WAIT).for_element(Locator::Css("h1")).await.unwrap();
        // An alert would block this call: dialogs are left open.
        let script = "return [document.querySelectorAll('main img, main script, main [onerror], main [onload], main [onfocus], main [hx-on\\\\:click]').length,
                              [...document.querySelectorAll('a')].filter(a => a.protocol === 'javascript:').length, location.pathname]";
        let seen =
            browser.client.execute(script, vec![]).await.unwrap_or_else(|error| panic!("{page}: a dialog? {error}"));
        assert_eq!(seen, serde_json::json!([0, 0, page]), "{page}");
        let console = browser.console().await;
        assert!(console.iter().all(|line| !line.contains("Content Security Policy")), "{page}: {console:?}");
    }
    browser.client.goto(&format!("{}{team}/projects", panel.base)).await.unwrap();
    let shown = browser.wait_text("main").await;
    for text in HOSTILE {
        assert!(shown.contains(text), "shown as it is: {text}");
    }
}
