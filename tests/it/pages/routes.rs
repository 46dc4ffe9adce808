//! The pages of routes, by their forms alone.

use skiff::actions::apps;

use super::scene::{self, Scene};
use crate::harness::door::Panel;

/// Gives the web app a backend in its host's proxy, as far as the tables know.
pub(super) async fn claim(panel: &Panel, scene: &Scene) {
    sqlx::query("insert into ledger_backends (team_id, host_id, slot, app_id) select team_id, $1, 1, id from apps where id = $2")
        .bind(scene.host.0)
        .bind(scene.web.0)
        .execute(&mut panel.db.superuser().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn rules_are_shown_before_they_are_saved_and_kept_where_they_are_refused() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let list = format!("/t/{}/apps/{}/routes", scene.owner.slug, scene.web);
    let route = apps::get(&panel.ctx, &scene.owner.actor, scene.web).await.unwrap().routes[0].id;
    let page = format!("{list}/{route}");
    assert!(ada.text(&list).await.contains(&format!("href=\"{page}\"")));

    let wrong = [
        ("allow", "10.0.0.0/8\nthere <b>"),
        ("answer_headers", "X-A: \"kept\""),
        ("users.1", "ada"),
        ("users.2", "long enough"),
    ];
    let refused = ada.submit(&page, &page, &wrong).await;
    assert_eq!(refused.status(), 422);
    let text = refused.text().await.unwrap();
    for kept in ["Line 2: Use an address such as", "there &#60;b&#62;", "X-A: &#34;kept&#34;", "value=\"ada\""] {
        assert!(text.contains(kept), "{kept}: {text}");
    }

    let rules = [
        ("allow", "10.0.0.0/8"),
        ("users.1", "ada"),
        ("users.2", "long enough"),
        ("body_mb", "5"),
        ("redirect_status", "308"),
    ];
    let mut see = rules.to_vec();
    see.push(("see", "yes"));
    claim(&panel, &scene).await;
    let shown = ada.submit(&page, &page, &see).await;
    assert_eq!(shown.status(), 200);
    let text = shown.text().await.unwrap();
    assert!(text.contains("nothing is saved yet") && !text.contains("$2y$"), "{text}");
    let new = format!("<ins>+ acl from-{} src 10.0.0.0/8</ins>", route.simple());
    assert!(text.contains(&new) && text.contains("<ins>+ user ada password …</ins>"), "{text}");
    sqlx::query("delete from ledger_backends").execute(&mut panel.db.superuser().await).await.unwrap();
    assert!(!ada.text(&list).await.contains("password for 1 user"), "only looked at");
    let saved = ada.submit(&page, &page, &rules).await;
    assert_eq!((saved.status().as_u16(), saved.headers()["location"].to_str().unwrap()), (303, list.as_str()));
    let text = ada.text(&list).await;
    assert!(text.contains("password for 1 user, only from 1 network, at most 5 MB sent"), "{text}");
    assert!(!ada.text(&page).await.contains("long enough"), "a password does not come back");

    // Another one, with its rules at once.
    let new = [("domain", "www.shop.example"), ("path", "/"), ("redirect", "https://shop.example")];
    let saved = ada.submit(&list, &list, &new).await;
    assert_eq!(saved.status(), 303, "{}", saved.text().await.unwrap());
    assert!(ada.text(&list).await.contains("redirects to https://shop.example (308)"));
    let gone = ada.submit(&list, &format!("{list}/00000000-0000-0000-0000-000000000000"), &[]).await;
    assert_eq!(gone.status(), 409);
}

#[tokio::test]
async fn a_route_is_led_to_an_app_that_is_chosen_from_those_one_may_change() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let of = |app: skiff::domain::ids::AppId| format!("/t/{}/apps/{app}/routes", scene.owner.slug);
    let route = apps::get(&panel.ctx, &scene.owner.actor, scene.web).await.unwrap().routes[0].clone();
    let mut form = scene::web_form("Next");
    form.host = scene.host.to_string();
    let next = apps::create(&panel.ctx, &scene.owner.actor, form).await.unwrap();
    let page = format!("{}/{}", of(scene.web), route.id);
    let text = ada.text(&page).await;
    assert!(text.contains("Lead it to another app") && text.contains(&format!("value=\"{next}\"")), "{text}");

    // Requests come already, and the other app serves nothing.
    claim(&panel, &scene).await;
    let act = format!("{page}/move");
    let refused = ada.submit(&page, &act, &[("app", &next.to_string())]).await;
    assert_eq!(refused.status(), 422);
    let text = refused.text().await.unwrap();
    assert!(text.contains("Next serves nothing yet"), "{text}");
    let refused = ada.submit(&page, &act, &[("app", "")]).await;
    assert_eq!(refused.status(), 422);

    sqlx::query("delete from ledger_backends").execute(&mut panel.db.superuser().await).await.unwrap();
    let seen = ada.submit(&page, &act, &[("app", &next.to_string()), ("see", "yes")]).await;
    assert_eq!(seen.status(), 200);
    let text = seen.text().await.unwrap();
    assert!(text.contains("nothing is saved yet"), "{text}");
    assert!(text.contains(&format!("value=\"{next}\" selected")), "what was chosen stays: {text}");
    assert!(ada.text(&of(scene.web)).await.contains(&format!("<code>{}", route.domain)));
    let moved = ada.submit(&page, &act, &[("app", &next.to_string())]).await;
    assert_eq!(moved.status(), 303, "{}", moved.text().await.unwrap());
    assert!(ada.text(&of(next)).await.contains(&route.domain));
    assert!(!ada.text(&of(scene.web)).await.contains(&format!("<code>{}", route.domain)));
    let history = ada.text(&format!("/t/{}/audit", scene.owner.slug)).await;
    assert!(history.contains(&format!("led {}{} from", route.domain, route.path)), "{history}");
}

#[tokio::test]
async fn maintenance_is_switched_and_its_page_is_kept_where_it_is_refused() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let app = format!("/t/{}/apps/{}", scene.owner.slug, scene.web);
    let (list, front) = (format!("{app}/routes"), format!("{app}/front"));
    let refused =
        ada.submit(&list, &front, &[("maintenance_page", "<p>kept</p>"), ("maintenance_allow", "nobody")]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().await.unwrap().contains("&#60;p&#62;kept&#60;/p&#62;"));
    let saved = ada.submit(&list, &front, &[("options", "gzip"), ("maintenance_page", "<p>soon</p>")]).await;
    assert_eq!(saved.status(), 303);
    assert!(ada.text(&list).await.contains("value=\"gzip\" checked"));
    for (on, shown) in [("yes", true), ("no", false)] {
        let done = ada.submit(&list, &format!("{app}/maintenance"), &[("on", on)]).await;
        assert_eq!(done.status(), 303);
        assert_eq!(ada.text(&list).await.contains("Everybody sees the page of maintenance"), shown, "{on}");
    }

    let host = format!("/t/{}/hosts/{}/front", scene.owner.slug, scene.host);
    let to = |what: &str| format!("/t/{}/hosts/{}/{what}", scene.owner.slug, scene.host);
    let refused = ada.submit(&host, &to("trust"), &[("forwarded", "0.0.0.0/0")]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().await.unwrap().contains("Then anybody could say where they come from."));
    let refused = ada.submit(&host, &to("base-domain"), &[("base_domain", "not one")]).await;
    assert_eq!(refused.status(), 422);
    let saved = ada.submit(&host, &to("base-domain"), &[("base_domain", "apps.example.org")]).await;
    assert_eq!(saved.status(), 303);
    assert!(ada.text(&host).await.contains("apps.example.org"));
}

/// What the form that leads there was made from.
fn as_of(text: &str, action: &str) -> String {
    let form = text.split(&format!("action=\"{action}\"")).nth(1).unwrap_or_else(|| panic!("{action}: {text}"));
    let field = form.split("name=\"as_of\" value=\"").nth(1).unwrap_or_else(|| panic!("{form}"));
    field.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_form_that_another_was_faster_with_says_what_is_there_now_and_keeps_what_was_typed() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let app = format!("/t/{}/apps/{}", scene.owner.slug, scene.web);
    let (list, front) = (format!("{app}/routes"), format!("{app}/front"));
    let old = as_of(&ada.text(&list).await, &front);
    let theirs = [("as_of", old.as_str()), ("maintenance_allow", "10.0.0.0/8")];
    assert_eq!(ada.submit(&list, &front, &theirs).await.status(), 303);
    let mine = |as_of: &str, see: &str| {
        let all = [("as_of", as_of), ("options", "gzip"), ("error_page", "<p>mine</p>"), ("see", see)];
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let submit = async |sent: [(String, String); 4]| {
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = ada.submit(&list, &front, &sent).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for see in ["yes", ""] {
        let (status, text) = submit(mine(&old, see)).await;
        assert_eq!(status, 422, "{text}");
        for said in ["Somebody else changed what holds", "maintenance: 10.0.0.0/8", "&#60;p&#62;mine&#60;/p&#62;"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert_ne!(as_of(&text, &front), old, "saving once more replaces it");
    }
    assert!(ada.text(&list).await.contains("10.0.0.0/8"));
    // One that is only looked at stays one of what was there then.
    let new = as_of(&ada.text(&list).await, &front);
    let (status, text) = submit(mine(&new, "yes")).await;
    assert_eq!((status, as_of(&text, &front)), (200, new.clone()));
    assert_eq!(submit(mine(&new, "")).await.0, 303);

    let host = format!("/t/{}/hosts/{}/front", scene.owner.slug, scene.host);
    let trust = format!("/t/{}/hosts/{}/trust", scene.owner.slug, scene.host);
    let old = as_of(&ada.text(&host).await, &trust);
    let theirs = [("as_of", old.as_str()), ("forwarded", "10.7.0.0/16")];
    assert_eq!(ada.submit(&host, &trust, &theirs).await.status(), 303);
    let mine = [("as_of", old.as_str()), ("cloudflare", "yes"), ("proxy_protocol", "10.9.0.0/16")];
    let refused = ada.submit(&host, &trust, &mine).await;
    assert_eq!(refused.status(), 422);
    let text = refused.text().await.unwrap();
    assert!(text.contains("X-Forwarded-For of 10.7.0.0/16") && text.contains("10.9.0.0/16</textarea>"), "{text}");
    let again = [("as_of", &*as_of(&text, &trust)), ("cloudflare", "yes"), ("proxy_protocol", "10.9.0.0/16")];
    assert_eq!(ada.submit(&host, &trust, &again).await.status(), 303);
}

#[tokio::test]
async fn what_the_proxies_did_not_take_is_said_with_its_reason_and_can_be_tried_again() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let list = format!("/t/{}/apps/{}/routes", scene.owner.slug, scene.web);
    let again = format!("{list}/again");
    let route = apps::get(&panel.ctx, &scene.owner.actor, scene.web).await.unwrap().routes[0].id;
    claim(&panel, &scene).await;
    let page = format!("{list}/{route}");
    assert_eq!(ada.submit(&page, &page, &[("allow", "10.0.0.0/8"), ("redirect_status", "308")]).await.status(), 303);
    let text = ada.text(&list).await;
    assert!(text.contains("not so yet") && text.contains("The proxies are being told"), "{text}");
    assert!(!text.contains(&again), "nothing is in the way: {text}");
    let home = format!("/t/{}", scene.owner.slug);
    assert!(!ada.text(&home).await.contains("did not take the last change"));

    // As the job leaves it where a host's proxy refuses.
    let mut conn = panel.db.superuser().await;
    sqlx::query("update jobs set state = 'failed', finished_at = now(), reason = 'fra-1: Port 5434 cannot be opened. Nothing was changed.' where kind = 'set_proxy'")
        .execute(&mut conn)
        .await
        .unwrap();
    let text = ada.text(&list).await;
    for said in [
        "did not take the last change",
        "fra-1: Port 5434 cannot be opened.",
        "Try again</button>",
        "/jobs/",
        again.as_str(),
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let told = ada.submit(&list, &again, &[]).await;
    assert_eq!((told.status().as_u16(), told.headers()["location"].to_str().unwrap()), (303, list.as_str()));
    let waiting: i64 = sqlx::query_scalar("select count(*) from jobs where kind = 'set_proxy' and state = 'queued'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(waiting, 1);
    let history = ada.text(&format!("/t/{}/audit", scene.owner.slug)).await;
    assert!(history.contains("had the proxies told once more"), "{history}");
}
