//! `skiff acme` and the orders of `skiff certificates`.

use serde_json::json;
use skiff::actions::{apps, hosts};

use super::terminal::{Terminal, token};
use crate::harness::door::Panel;
use crate::harness::panel::new_app;

/// A panel with the app "web", which is served at web.example.org; nothing is got there, as no worker runs.
pub(super) async fn panel() -> (Panel, Terminal) {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let form = hosts::NewHost { name: "fra 1".into(), address: "fra-1.example.org".into(), ..Default::default() };
    hosts::create(&panel.ctx, &owner.actor, form).await.unwrap();
    apps::create(&panel.ctx, &owner.actor, new_app("web")).await.unwrap();
    let secret = token(&panel.ctx, &owner.actor, "owner").await;
    let terminal = Terminal::signed_in(&panel.base, &secret).await;
    (panel, terminal)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_chosen_shown_and_forgotten() {
    let (_panel, terminal) = panel().await;
    assert!(terminal.run(&["acme"]).await.well().out.contains("skiff acme choose letsencrypt --agree-to-terms"));
    terminal.run(&["acme", "choose", "letsencrypt"]).await.refused(1, "terms: The authority gives certificates only");
    terminal.run(&["acme", "choose", "ftp://ca", "--agree-to-terms"]).await.refused(1, "directory: ");
    terminal
        .run(&["acme", "choose", "letsencrypt", "--agree-to-terms", "--root", "/nowhere"])
        .await
        .refused(1, "/nowhere");
    let choose = ["acme", "choose", "https://ca.example.org/dir", "--agree-to-terms", "--email", "ada@example.org"];
    let key = "c2VjcmV0LXNlY3JldC1zZWNyZXQ";
    let ran = terminal.type_in(&[&choose[..], &["--eab-id", "kid"]].concat(), key).await.well();
    assert_eq!(ran.out, "Certificates come from https://ca.example.org/dir.\n");
    let shown = terminal.run(&["acme", "show"]).await.well();
    for words in ["https://ca.example.org/dir", "ada@example.org", "made with the first", "agreed to by Ada", "kid"] {
        assert!(shown.out.contains(words), "{words}: {shown:?}");
    }
    assert!(!shown.out.contains(key));
    let document = terminal.run(&["acme", "--json"]).await.well().json();
    assert_eq!(document["email"], "ada@example.org");
    terminal.run(&["acme", "forget"]).await.well();
    assert_eq!(terminal.run(&["acme", "--json"]).await.well().json()["directory"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn dns_accounts_are_kept_and_their_tokens_never_shown() {
    let (_panel, terminal) = panel().await;
    assert!(terminal.run(&["acme", "dns-accounts"]).await.well().out.contains("has no DNS account"));
    let secret = "canary-of-the-token-52";
    let ran = terminal.type_in(&["acme", "dns-accounts", "add", "ours", "cloudflare"], secret).await.well();
    assert!(ran.out.starts_with("ours is kept") && !ran.out.contains(secret), "{ran:?}");
    terminal.type_in(&["acme", "dns-accounts", "add", "ours", "cloudflare"], secret).await.refused(1, "name: ");
    terminal.type_in(&["acme", "dns-accounts", "add", "x", "nobody"], secret).await.refused(1, "kind: ");
    let own =
        ["acme", "dns-accounts", "add", "own", "rfc2136", "--server", "192.0.2.7:5353", "--key-name", "skiff-key"];
    terminal.type_in(&own, "short").await.refused(1, "key: ");
    terminal.type_in(&own, "4Tc0K1QkcMCs7cOW2LuSWnxQY0qysdvsZlSb4yTN9pA=").await.well();
    let listed = terminal.run(&["acme", "dns-accounts", "list"]).await.well();
    assert!(listed.out.contains("cloudflare") && listed.out.contains("192.0.2.7:5353"), "{listed:?}");
    assert!(!listed.out.contains(secret) && !listed.out.contains("4Tc0"), "{listed:?}");
    let change = ["acme", "dns-accounts", "change", "ours"];
    terminal.type_in(&change, "").await.refused(1, "token: ");
    let ran = terminal.type_in(&change, "another-token-of-it").await.well();
    assert!(ran.out.starts_with("ours is changed") && !ran.out.contains("another-token"), "{ran:?}");
    let moved = ["acme", "dns-accounts", "change", "own", "--server", "192.0.2.8"];
    let moved = terminal.type_in(&[&moved[..], &["--json"]].concat(), "").await.well().json();
    assert_eq!((&moved["server"], &moved["key_name"]), (&json!("192.0.2.8:53"), &json!("skiff-key")));
    terminal.type_in(&["acme", "dns-accounts", "change", "nobody"], "x").await.refused(1, "There is no DNS account");
    terminal.run(&["acme", "dns-accounts", "remove", "ours"]).await.well();
    terminal.run(&["acme", "dns-accounts", "remove", "ours"]).await.refused(1, "There is no DNS account ours.");
    let left = terminal.run(&["acme", "dns-accounts", "--json"]).await.well().json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_ordered_got_again_and_given_up() {
    let (panel, terminal) = panel().await;
    assert!(terminal.run(&["certificates", "orders"]).await.well().out.contains("Nothing is wanted yet."));
    let order = ["certificates", "order", "web.example.org"];
    terminal.run(&order).await.refused(1, "No certificate authority is chosen yet.");
    terminal.run(&["acme", "choose", "letsencrypt", "--agree-to-terms"]).await.well();
    terminal.run(&["certificates", "order"]).await.refused(2, "NAME");
    terminal.run(&["certificates", "order", "*.example.org"]).await.refused(1, "dns_account: ");
    terminal.run(&["certificates", "order", "elsewhere.example.org"]).await.refused(1, "leads to no app of this team");
    terminal.run(&[&order[..], &["--dns-account", "ours"]].concat()).await.refused(1, "There is no DNS account ours.");
    assert!(terminal.run(&order).await.well().out.contains("web.example.org is being got"));
    terminal.run(&order).await.refused(1, "exactly these names already");
    let listed = terminal.run(&["certificates", "orders"]).await.well();
    assert!(listed.out.contains("web.example.org") && listed.out.contains("being got"), "{listed:?}");
    terminal.run(&["certificates", "forget", "web.example.org"]).await.refused(1, "It is being got at this moment.");

    // Somebody waits for it, and it comes.
    let mut conn = panel.db.superuser().await;
    let failed = "update jobs set state = 'failed', finished_at = now() where kind = 'obtain_certificate'";
    sqlx::query(failed).execute(&mut conn).await.unwrap();
    let comes = async {
        let got = "update acme_orders set not_before = now(), not_after = now() + interval '60 days 1 hour'";
        let again = "update jobs set state = 'succeeded', finished_at = now() where kind = 'obtain_certificate' and state = 'queued'";
        let begun = std::time::Instant::now();
        while sqlx::query(again).execute(&mut conn).await.unwrap().rows_affected() == 0 {
            assert!(begun.elapsed() < std::time::Duration::from_secs(30), "nobody asked for it");
            sqlx::query(got).execute(&mut conn).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let get = ["certificates", "get", "web.example.org", "--wait"];
    let (ran, ()) = tokio::join!(terminal.run(&get), comes);
    assert_eq!(ran.well().out, "web.example.org: valid 60 days\n");
    let listed = terminal.run(&["certificates", "orders", "--json"]).await.well().json();
    assert_eq!(listed["items"][0]["state"], "valid");
    let gone = terminal.run(&["certificates", "forget", "web.example.org"]).await.well();
    assert!(gone.out.contains("is renewed no more"), "{gone:?}");
    terminal
        .run(&["certificates", "get", "web.example.org"])
        .await
        .refused(1, "No certificate is wanted for web.example.org.");
}
