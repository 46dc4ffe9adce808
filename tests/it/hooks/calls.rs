//! Signed calls: which deploy, which do not, and that none deploys twice.

use skiff::actions::apps::{self, RemoveApp};
use skiff::actions::{deploys, hooks};

use super::{Hooked, ONE, TWO, shapes, sign};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_to_the_branch_deploys_its_head_and_history_says_by_whom() {
    let hooked = Hooked::with("github").await;
    let (status, words) = hooked.push("72d3162e-cc78-11e3-81ab-4c9367dc0958", ONE).await;
    assert_eq!((status, words.as_str()), (202, "deploys: A deploy was asked for.\n"));
    let (ctx, actor) = (&hooked.panel.ctx, &hooked.owner.actor);
    let view = hooks::get(ctx, actor, hooked.app).await.unwrap();
    let line = &view.deliveries[0];
    let said = (line.branch.as_str(), line.commit.as_str(), line.author.as_str(), line.subject.as_str());
    assert_eq!(said, ("main", "9f3c21a", "Ada Lovelace", "cart: fix the sum of three equal things"));
    let deploy = deploys::get(ctx, actor, line.deploy.unwrap().0).await.unwrap();
    assert_eq!(deploy.line.who, "a push 9f3c21a by Ada Lovelace");
    assert_eq!(deploy.intent, "the head of main", "not the commit of the payload");
    assert_eq!(deploy.delivery, Some(line.id), "each leads to the other");
    let again = deploys::get(ctx, actor, hooks::replay(ctx, actor, hooked.app, line.id).await.unwrap()).await.unwrap();
    assert_eq!(again.delivery, Some(line.id));
    assert_eq!(deploys::get(ctx, actor, deploy.line.id).await.unwrap().delivery, Some(line.id), "still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hook_of_a_removed_app_answers_as_one_that_never_was() {
    let hooked = Hooked::with("github").await;
    assert_eq!(hooked.push("one", ONE).await.0, 202);
    let (ctx, actor) = (&hooked.panel.ctx, &hooked.owner.actor);
    let form = RemoveApp { name: "Shop".into(), volumes: String::new() };
    apps::remove(ctx, actor, hooked.app, form).await.unwrap();
    let body = shapes::github_push("refs/heads/main", TWO);
    let signature = format!("sha256={}", sign(&hooked.secret, body.as_bytes()));
    let headers =
        [("x-github-event", "push"), ("x-github-delivery", "two"), ("x-hub-signature-256", signature.as_str())];
    let never = "/hooks/github/00000000-0000-0000-0000-000000000001";
    let unknown = hooked.post(never, &headers, body.as_bytes()).await;
    assert_eq!(hooked.post(&hooked.path, &headers, body.as_bytes()).await, unknown);
    assert_eq!((unknown.0, hooked.rows().await), (401, (1, 1, 1)), "nothing came of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_push_to_the_branch_is_kept_and_ignored() {
    let hooked = Hooked::with("github").await;
    let zeros = "0".repeat(40);
    let elsewhere = shapes::github_push("refs/heads/main", ONE).replace("acme/shop\"", "acme/other\"");
    let cases = [
        ("ping", shapes::GITHUB_PING.to_owned(), "The forge tried the address: it works."),
        ("push", shapes::github_push("refs/heads/next", ONE), "The app deploys the branch main."),
        ("push", shapes::github_push("refs/tags/v1", ONE), "A tag was pushed: branches deploy."),
        ("push", shapes::github_push("refs/heads/main", &zeros), "A branch was deleted."),
        ("push", elsewhere, "It is about another repository than the app's."),
        ("push", "{}".to_owned(), "It does not say which branch was pushed."),
        ("push", "{\"ref\": 7}".to_owned(), "It is not the JSON of a push."),
        ("push", "\u{0}\u{1}".to_owned(), "It is not the JSON of a push."),
        ("pull_request", shapes::GITHUB_PULL_REQUEST.to_owned(), "Only pushes deploy."),
        ("\u{fe}x", "{}".to_owned(), "It does not say which event it is."),
        ("", "{}".to_owned(), "It does not say which event it is."),
    ];
    for (n, (event, body, why)) in cases.iter().enumerate() {
        let (status, words) = hooked.github(event, &format!("id-{n}"), body).await;
        assert_eq!((status, words.trim_end()), (200, format!("ignored: {why}").as_str()), "number {n}");
    }
    assert_eq!(hooked.rows().await, (cases.len() as i64, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_delivery_a_hundred_times_and_one_commit_ten_times_are_one_deploy() {
    let hooked = Hooked::with("github").await;
    let same = futures_util::future::join_all((0..100).map(|_| hooked.push("one", ONE))).await;
    let taken = same.iter().filter(|(status, _)| *status == 202).count();
    assert_eq!(taken, 1, "{same:?}");
    assert!(same.iter().all(|(status, _)| matches!(status, 200 | 202)), "{same:?}");
    for n in 0..10 {
        let (status, words) = hooked.push(&format!("guid-{n}"), ONE).await;
        assert_eq!(status, 200, "{words}");
        assert!(words.starts_with("already there"), "{words}");
    }
    assert_eq!(hooked.rows().await, (11, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_pushes_the_newest_waits_and_going_back_to_an_older_commit_deploys() {
    let hooked = Hooked::with("github").await;
    for n in 0..50 {
        let (status, words) = hooked.push(&format!("{n}"), &format!("{n:040x}").replacen('0', "a", 1)).await;
        assert_eq!(status, 202, "{words}");
    }
    let deploys = hooked.deploys().await;
    let waiting = deploys.iter().filter(|state| *state == "queued").count();
    assert_eq!((deploys.len(), waiting), (50, 1), "the rest is superseded: {deploys:?}");
    assert_eq!(deploys.last().unwrap(), "queued");
    assert_eq!(hooked.push("x", ONE).await.0, 202);
    assert_eq!(hooked.push("y", TWO).await.0, 202);
    assert_eq!(hooked.push("z", ONE).await.0, 202, "a forced push back to the first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_pushes_is_taken_whole_and_the_newest_of_them_waits() {
    let hooked = Hooked::with("github").await;
    let mut calls = Vec::new();
    for n in 0..150 {
        let commit = format!("{n:040x}").replacen('0', "b", 1);
        let (other, twice) = (n % 10 == 3, n % 10 == 7);
        let branch = if other { "refs/heads/next" } else { "refs/heads/main" };
        let body = shapes::github_push(branch, &commit);
        let hooked = &hooked;
        calls.push(async move {
            // The forge loses patience with some and sends them again at once.
            let id = format!("burst-{}", n - i32::from(twice));
            (other, hooked.github("push", &id, &body).await)
        });
    }
    let answers = futures_util::future::join_all(calls).await;
    let statuses = |wanted: u16| answers.iter().filter(|(_, (status, _))| *status == wanted).count();
    assert_eq!((statuses(202), statuses(200)), (120, 30), "{answers:?}");
    for (other, (status, words)) in &answers {
        assert!(!other || (*status, words.starts_with("ignored")) == (200, true), "{words}");
        assert!(*status != 202 || words.starts_with("deploys"), "{words}");
    }
    let (deliveries, deploys, jobs) = hooked.rows().await;
    assert_eq!((deliveries, deploys), (135, jobs), "each once");
    let states = hooked.deploys().await;
    assert_eq!(states.iter().filter(|state| *state == "queued").count(), 1, "{states:?}");
    assert_eq!(states.last().unwrap(), "queued");
    let newest = "select d.deploy_id = (select id from deploys order by id desc limit 1) from deliveries d
                   where d.answer = 'deploys' order by d.received_at desc, d.id desc limit 1";
    let newest = sqlx::query_scalar::<_, bool>(newest).fetch_one(&mut hooked.panel.db.superuser().await).await.unwrap();
    assert!(newest, "the newest push and the newest deploy belong together");
    let without = "select count(*) from deliveries where answer = 'deploys' and deploy_id is null";
    let without =
        sqlx::query_scalar::<_, i64>(without).fetch_one(&mut hooked.panel.db.superuser().await).await.unwrap();
    assert_eq!(without, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_github_is_read_too() {
    let hooked = Hooked::with("github").await;
    let json = shapes::github_push("refs/heads/main", ONE);
    let encoded: String = url::form_urlencoded::byte_serialize(json.as_bytes()).collect();
    let body = format!("payload={encoded}");
    let signature = format!("sha256={}", sign(&hooked.secret, body.as_bytes()));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-github-event", "push"),
        ("x-hub-signature-256", &signature),
    ];
    assert_eq!(hooked.post(&hooked.path, &headers, body.as_bytes()).await.0, 202);
    // Without an id, the same bytes are the same delivery.
    let (status, words) = hooked.post(&hooked.path, &headers, body.as_bytes()).await;
    assert_eq!((status, words.trim_end()), (200, "This delivery was received before."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitlab_gitea_and_a_script_deploy_as_well() {
    let gitlab = Hooked::with("gitlab").await;
    let body = shapes::gitlab_push(ONE);
    let headers = [
        ("x-gitlab-event", "Push Hook"),
        ("x-gitlab-event-uuid", "13792a34-cac6-4fda-95a8-c58e00a3954e"),
        ("x-gitlab-token", gitlab.secret.as_str()),
    ];
    assert_eq!(gitlab.post(&gitlab.path, &headers, body.as_bytes()).await.0, 202);
    let view = hooks::get(&gitlab.panel.ctx, &gitlab.owner.actor, gitlab.app).await.unwrap();
    assert_eq!(
        (view.deliveries[0].author.as_str(), view.deliveries[0].subject.as_str()),
        ("Ada Lovelace", "fix the readme")
    );

    let gitea = Hooked::with("gitea").await;
    let body = shapes::gitea_push(ONE);
    let signature = sign(&gitea.secret, body.as_bytes());
    let headers = [("x-gitea-event", "push"), ("x-gitea-delivery", "f6266f16"), ("x-gitea-signature", &signature)];
    assert_eq!(gitea.post(&gitea.path, &headers, body.as_bytes()).await.0, 202);

    let script = Hooked::with("generic").await;
    let signature = format!("sha256={}", sign(&script.secret, b""));
    let headers = [("x-skiff-signature", signature.as_str())];
    assert_eq!(script.post(&script.path, &headers, b"").await.0, 202);
    assert_eq!(script.post(&script.path, &headers, b"").await.0, 202, "without an id it is meant each time");
    assert_eq!(script.deploys().await, ["superseded", "queued"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_hostile_words_as_words_and_replays() {
    let hooked = Hooked::with("github").await;
    let body = shapes::github_push("refs/heads/next", ONE).replace("cart: fix", "<script>alert(1)</script>");
    assert_eq!(hooked.github("push", "one", &body).await.0, 200);
    let ada = hooked.panel.signed_in("ada@example.org").await;
    let page = format!("/t/{}/apps/{}/push", hooked.owner.slug, hooked.app);
    let text = ada.text(&page).await;
    assert!(text.contains(&hooked.path) && text.contains("which no forge reaches"), "{text}");
    assert!(!text.contains("<script>alert") && !text.contains(&hooked.secret), "{text}");
    let shown = ada.submit(&page, &format!("{page}/secret"), &[]).await.text().await.unwrap();
    assert!(shown.contains(&hooked.secret));
    let view = hooks::get(&hooked.panel.ctx, &hooked.owner.actor, hooked.app).await.unwrap();
    let id = view.deliveries[0].id.to_string();
    let answer = ada.submit(&page, &format!("{page}/replay"), &[("delivery", &id)]).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(hooked.deploys().await, ["queued"]);
    assert!(ada.text(&page).await.contains("replayed"));
    let off = ada.submit(&page, &format!("{page}/off"), &[]).await;
    assert_eq!(off.status(), 303);
    assert!(ada.text(&page).await.contains("Turn push to deploy on"));
}
