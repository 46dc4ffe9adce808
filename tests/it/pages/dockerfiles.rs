//! The Dockerfile on the page of an app's source: what is said of it, its form, its file.

use skiff::domain::dockerfile::{Files, Found, Look, write};
use skiff::domain::ids::AppId;

use crate::harness::door::Panel;

use super::scene;

/// What a look at the repository leaves, and the text that is kept, by whom.
pub async fn looked(panel: &Panel, app: AppId, kept: Option<(&str, &str)>) {
    let package = r#"{"name": "shop", "scripts": {"build": "tsc", "start": "next start"}, "engines": {"node": "16.x"}, "devDependencies": {"typescript": "^5"}}"#;
    let files = Files::new(
        ["package.json", "package-lock.json"].map(str::to_owned),
        [("package.json".to_owned(), package.to_owned())].into(),
    );
    let written = write(&files, Some(8080)).unwrap();
    let (text, by) = kept.unwrap_or((written.text.as_ref(), ""));
    let look = serde_json::to_value(Look {
        commit: "9f3c21a4d5".repeat(4).parse().unwrap(),
        found: Found::Written(written.clone()),
    });
    sqlx::query(
        "update sources set look = $2, looked_at = now(), dockerfile = $3, dockerfile_by = $4, dockerfile_at = now()
          where id = (select source_id from apps where id = $1)",
    )
    .bind(app.0)
    .bind(look.unwrap())
    .bind(text)
    .bind(by)
    .execute(&mut panel.db.superuser().await)
    .await
    .unwrap();
}

#[tokio::test]
async fn the_page_of_the_source_shows_the_text_and_takes_another() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let source = format!("/t/{}/apps/{}/source", scene.owner.slug, scene.web);
    let page = ada.text(&source).await;
    assert!(page.contains("not looked at yet") && page.contains("Look at the repository"), "{page}");
    assert!(!page.contains("<textarea"), "nothing to edit yet");
    assert_eq!(ada.get(&format!("{source}/dockerfile")).await.status(), 404);

    let asked = ada.submit(&source, &format!("{source}/look"), &[]).await;
    assert_eq!(asked.status(), 303);
    assert_eq!(asked.headers()["location"].to_str().unwrap(), source);
    let page = ada.text(&source).await;
    assert!(page.contains("being looked at") && page.contains("hx-trigger=\"every 2s\""));
    sqlx::query("update jobs set state = 'succeeded', finished_at = now() where kind = 'look_at_source'")
        .execute(&mut panel.db.superuser().await)
        .await
        .unwrap();

    looked(&panel, scene.web, None).await;
    let page = ada.text(&source).await;
    for said in [
        "Skiff recognises Node.js by",
        "package-lock.json",
        "Node.js 16 is asked for; 22 is taken.",
        "written by Skiff",
        "Look again",
    ] {
        assert!(page.contains(said), "{said} in\n{page}");
    }
    assert!(!page.contains("What would be written now"));
    let file = ada.get(&format!("{source}/dockerfile")).await;
    assert!(file.headers()["content-disposition"].to_str().unwrap().contains("filename=\"Dockerfile\""));
    let text = file.text().await.unwrap();
    assert!(text.starts_with("# Node.js, by package.json") && text.ends_with("CMD [\"npm\", \"start\"]\n"), "{text}");

    let act = format!("{source}/dockerfile");
    let wrong = ada.submit(&source, &act, &[("text", "RUN <b>nothing</b>\r\n")]).await;
    assert_eq!(wrong.status(), 422);
    let page = wrong.text().await.unwrap();
    assert!(
        page.contains("RUN &#60;b&#62;nothing&#60;/b&#62;") && page.contains("has no FROM line"),
        "kept, and said beside: {page}"
    );
    let kept = ada.submit(&source, &act, &[("text", "FROM node:22\r\nRUN echo </textarea><script>\r\n")]).await;
    assert_eq!(kept.status(), 303);
    let page = ada.text(&source).await;
    assert!(
        page.contains("as Ada left it") && page.contains("What would be written now") && page.contains("Take this one")
    );
    assert!(!page.contains("</textarea><script>"), "{page}");
    let taken = ada.submit(&source, &act, &[("text", &text)]).await;
    assert_eq!(taken.status(), 303);
    let page = ada.text(&source).await;
    assert!(page.contains("written by Skiff") && !page.contains("What would be written now"));

    panel.member("Vera", scene.owner.team, skiff::domain::rights::Role::Viewer).await;
    let page = panel.signed_in("vera@example.org").await.text(&source).await;
    assert!(page.contains("Skiff recognises Node.js") && !page.contains("Keep it") && !page.contains("Look again"));
}
