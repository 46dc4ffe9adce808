//! A refused form: 422, what was typed is still there, each sentence stands beside its field, the cursor in the first wrong one.

use crate::harness::door::Panel;

use super::scene;

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let ada = panel.signed_in("ada@example.org").await;
    let new = format!("/t/{}/hosts/new", owner.slug);
    let fields = [("name", "Berlin <1>"), ("address", "not an address!"), ("port", "seventy"), ("user", "skiff")];
    let answer = ada.submit(&new, &format!("/t/{}/hosts", owner.slug), &fields).await;
    assert_eq!(answer.status(), 422);
    let page = answer.text().await.unwrap();
    assert!(page.contains("value=\"Berlin &#60;1&#62;\""), "kept, and escaped");
    assert!(page.contains("value=\"not an address!\"") && page.contains("value=\"seventy\""));
    let invalid = page.matches("aria-invalid=\"true\"").count();
    assert_eq!(invalid, 2, "all wrong fields at once");
    assert_eq!(page.matches(" autofocus").count(), 1);
    let focused = page.split(" autofocus").next().unwrap().rsplit("name=\"").next().unwrap();
    assert!(focused.starts_with("address"), "the first wrong one has the cursor");
    assert!(page.contains("<details open"), "the group of the wrong port is unfolded");
    assert!(!page.contains("<details open><summary><b>Web"), "the others stay folded");
}

#[tokio::test]
async fn an_app_is_made_by_its_form_and_edited_by_its_pages() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    scene::ready_host(&panel, &owner, "fra-1", "203.0.113.7").await;
    let ada = panel.signed_in("ada@example.org").await;
    let (team, new) = (format!("/t/{}", owner.slug), format!("/t/{}/apps/new", owner.slug));
    let empty = ada.submit(&new, &format!("{team}/apps"), &[]).await;
    assert_eq!(empty.status(), 422);
    let fields = [
        ("name", "Shop"),
        ("from", "git"),
        ("git_url", "https://git.example.org/acme/shop.git"),
        ("kind", "web"),
        ("port", "8080"),
        ("routes.1", "shop.localhost"),
        ("routes.2", "/"),
        ("routes.1", ""),
        ("routes.2", ""),
        ("secrets.1", "KEY"),
        ("secrets.2", "it is not shown"),
    ];
    let made = ada.submit(&new, &format!("{team}/apps"), &fields).await;
    assert_eq!(made.status(), 303, "{}", made.text().await.unwrap());
    let app = made.headers()["location"].to_str().unwrap().to_owned();
    assert!(ada.text(&app).await.contains("never deployed"));
    assert!(ada.text(&format!("{app}/routes")).await.contains("shop.localhost"));

    let variables = format!("{app}/variables");
    let page = ada.text(&variables).await;
    assert!(page.contains("KEY") && !page.contains("it is not shown"));
    let lines = "first\r\nsecond = \"$HOME\" & 'x'\r\n";
    let set = ada.submit(&variables, &variables, &[("name", "TEXT"), ("value", lines)]).await;
    assert_eq!(set.status(), 303);
    let stored: String = sqlx::query_scalar("select spec->'variables'->>'TEXT' from apps")
        .fetch_one(&mut panel.db.superuser().await)
        .await
        .unwrap();
    assert_eq!(stored, "first\nsecond = \"$HOME\" & 'x'\n", "a browser's line ends are not part of the value");
    assert!(ada.text(&variables).await.contains("Saved."), "it says so once");
    assert!(!ada.text(&variables).await.contains("Saved."), "and only once");

    let configuration = format!("{app}/configuration");
    let wrong = [("kind", "web"), ("port", "8080"), ("instances", "0"), ("memory_mib", "a lot"), ("health", "http")];
    let answer = ada.submit(&configuration, &configuration, &wrong).await;
    assert_eq!(answer.status(), 422);
    assert_eq!(answer.text().await.unwrap().matches("aria-invalid=\"true\"").count(), 2);
    let gone = ada.submit(&variables, &format!("{variables}/remove"), &[("name", "NOT_THERE")]).await;
    assert_eq!(gone.status(), 409, "the page is there, the thing is not");
}
