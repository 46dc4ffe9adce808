//! Requests that are not from the forge: none leaves a row, and all are answered alike.

use skiff::actions::hooks;

use super::{Hooked, ONE, shapes, sign};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_calls_are_all_answered_alike_and_leave_nothing() {
    let hooked = Hooked::with("github").await;
    let body = shapes::github_push("refs/heads/main", ONE);
    let right = format!("sha256={}", sign(&hooked.secret, body.as_bytes()));
    let event = ("x-github-event", "push");
    let with = |signature: &str| vec![event, ("x-hub-signature-256", signature.to_owned().leak() as &str)];
    let wrong: Vec<Vec<(&str, &str)>> = vec![
        vec![event],
        with(""),
        with("sha256="),
        with(&right[..70]),
        with(&right.to_uppercase()),
        with(&format!("sha256={}", right[7..].to_uppercase())),
        with(&format!("sha256={}", sign("", body.as_bytes()))),
        with(&format!("sha256={}", sign("another app's", body.as_bytes()))),
        vec![event, ("x-hub-signature", "sha1=e2b2e8e5ef5b1a7c4a2fd9dc4b8b6f3b2d1e7a70")],
        vec![event, ("x-gitlab-token", &hooked.secret)],
    ];
    let mut answers = Vec::new();
    for headers in &wrong {
        answers.push(hooked.post(&hooked.path, headers, body.as_bytes()).await);
    }
    let signed = with(&right);
    for other in [format!("{body} "), body[..body.len() - 1].to_owned(), body.replace("main", "Main"), String::new()] {
        answers.push(hooked.post(&hooked.path, &signed, other.as_bytes()).await);
    }
    // A right signature at an address that is not the hook's.
    let id = hooked.path.rsplit('/').next().unwrap();
    for path in [
        format!("/hooks/github/{}", uuid::Uuid::nil()),
        format!("/hooks/gitea/{id}"),
        format!("/hooks/github/{id}%20"),
        "/hooks/github/nonsense".to_owned(),
    ] {
        answers.push(hooked.post(&path, &signed, body.as_bytes()).await);
    }
    let first = answers[0].clone();
    assert_eq!(first.0, 401);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, first, "number {n}");
    }
    assert_eq!(hooked.rows().await, (0, 0, 0));
    assert_eq!(hooked.post("/hooks/sourceforge/x", &signed, body.as_bytes()).await.0, 404);
    assert_eq!(hooked.post(&hooked.path, &signed, body.as_bytes()).await.0, 202, "the right one is taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_secret_and_another_teams_open_nothing() {
    let hooked = Hooked::with("github").await;
    let (ctx, actor) = (&hooked.panel.ctx, &hooked.owner.actor);
    let shown = hooks::show(ctx, actor, hooked.app).await.unwrap();
    assert_eq!((shown.secret.expose(), shown.secret.expose().len()), (&hooked.secret, 43));
    let rotated = hooks::rotate(ctx, actor, hooked.app).await.unwrap();
    assert_ne!(rotated.secret.expose(), &hooked.secret);
    assert_eq!(hooked.push("a", ONE).await.0, 401, "the old secret ends at once");
    let hooked = Hooked { secret: rotated.secret.expose().clone(), ..hooked };
    assert_eq!(hooked.push("a", ONE).await.0, 202);
    hooks::remove(&hooked.panel.ctx, &hooked.owner.actor, hooked.app).await.unwrap();
    assert_eq!(hooked.push("b", ONE).await.0, 401, "off is off");
    let kept: Vec<u8> = sqlx::query_scalar("select coalesce(string_agg(v::text, ''), '')::bytea from (select to_jsonb(d) v from deliveries d union all select to_jsonb(e) from audit_events e) all_rows")
        .fetch_one(&mut hooked.panel.db.superuser().await)
        .await
        .unwrap();
    let kept = String::from_utf8(kept).unwrap();
    assert!(kept.contains("hook.rotated") && !kept.contains(&hooked.secret), "no secret is written down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_may_have_25_mib_and_not_a_byte_more() {
    let hooked = Hooked::with("generic").await;
    let most = 25 * 1024 * 1024;
    let mut body = vec![b' '; most];
    let signature = format!("sha256={}", sign(&hooked.secret, &body));
    let headers = [("x-skiff-signature", signature.as_str())];
    assert_eq!(hooked.post(&hooked.path, &headers, &body).await.0, 202, "blank is as good as empty");
    body.push(b' ');
    assert_eq!(hooked.post(&hooked.path, &headers, &body).await.0, 413);
    assert_eq!(hooked.rows().await, (1, 1, 1));
}
