//! Push to deploy by calls: turned on, its secret, what came through it, replayed, turned off.

use serde_json::json;
use skiff::actions::hooks;
use skiff::domain::rights::Role;

use super::{Client, token};
use crate::hooks::{Hooked, ONE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_is_turned_on_called_replayed_and_turned_off() {
    let mut hooked = Hooked::with("github").await;
    let client = Client::new(&hooked.panel, &token(&hooked.panel, &hooked.owner.actor, "developer").await);
    assert_eq!(client.send("DELETE", "/apps/shop/hook", None).await.0, 204);
    let off = client.get("/apps/shop/hook").await;
    assert_eq!((&off["hook"], &off["loopback"]), (&json!(null), &json!(true)));
    for (method, path) in [("POST", "/apps/shop/hook/rotate"), ("DELETE", "/apps/shop/hook")] {
        assert_eq!(client.send(method, path, None).await.0, 409, "{method} {path}: it is off");
    }
    for wrong in ["", "bitbucket", "GitHub", "../github", "github\0"] {
        let (status, answer) = client.send("POST", "/apps/shop/hook", Some(json!({ "provider": wrong }))).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!("provider")), "{wrong:?}: {answer}");
    }

    let (status, made) = client.send("POST", "/apps/shop/hook", Some(json!({ "provider": "github" }))).await;
    assert_eq!((status, &made["provider"]), (201, &json!("github")), "{made}");
    assert_eq!(client.send("POST", "/apps/shop/hook", Some(json!({ "provider": "gitlab" }))).await.0, 409);
    let secret = made["secret"].as_str().unwrap().to_owned();
    hooked.path = made["url"].as_str().unwrap().strip_prefix(&hooked.panel.base).unwrap().to_owned();
    hooked.secret.clone_from(&secret);
    assert_eq!(hooked.push("one", ONE).await.0, 202, "the forge is let in with it");
    let shown = client.get("/apps/shop/hook").await;
    assert_eq!(shown["hook"]["url"], made["url"]);
    // A token reads no secret that is there; a person does, and that is written down.
    let owner = Client::new(&hooked.panel, &token(&hooked.panel, &hooked.owner.actor, "owner").await);
    assert_eq!(owner.send("POST", "/apps/shop/hook/secret", None).await.0, 404);
    let again = hooks::show(&hooked.panel.ctx, &hooked.owner.actor, hooked.app).await.unwrap();
    assert_eq!(*again.secret.expose(), secret);
    let (_, rotated) = client.send("POST", "/apps/shop/hook/rotate", None).await;
    assert_ne!(rotated["secret"], json!(secret));
    assert_eq!(hooked.push("two", ONE).await.0, 401, "the old one ended at once");

    let all = client.get("/apps/shop/deliveries").await;
    assert_eq!((all["items"].as_array().unwrap().len(), &all["next"]), (1, &json!(null)), "{all}");
    let line = &all["items"][0];
    assert_eq!(
        (&line["answer"], &line["branch"], &line["commit"]),
        (&json!("deploys"), &json!("main"), &json!("9f3c21a"))
    );
    let path = format!("/apps/shop/deliveries/{}", line["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await, *line);
    let (status, deploy) = client.send("POST", &format!("{path}/replay"), None).await;
    assert_eq!(status, 202, "{deploy}");
    let replayed = client.get(&path).await;
    assert_eq!(replayed["deploy"], deploy["id"]);
    assert!(replayed["replayed_by"].as_str().unwrap().starts_with("Ada (token"), "{replayed}");
    for wrong in ["x", "..%2f..", "%00", &hooked.owner.account.to_string()] {
        assert_eq!(client.send("GET", &format!("/apps/shop/deliveries/{wrong}"), None).await.0, 404, "{wrong}");
    }

    // Who may only look sees what came, and makes no secret.
    let account = hooked.panel.member("Vera", hooked.owner.team, Role::Viewer).await;
    let vera = skiff::actions::accounts::actor(&hooked.panel.ctx, account, &hooked.owner.slug, "").await.unwrap();
    let vera = Client::new(&hooked.panel, &token(&hooked.panel, &vera, "owner").await);
    assert_eq!(vera.get(&path).await["id"], line["id"]);
    assert_eq!(vera.send("POST", "/apps/shop/hook/rotate", None).await.0, 403);
    let audit = client.get("/audit?kind=app").await;
    assert!(audit.to_string().contains("looked at the secret of the hook of Shop"), "{audit}");
    let rotated = rotated["secret"].as_str().unwrap();
    for said in [audit, client.get("/apps/shop/hook").await, client.get("/apps/shop/deliveries").await] {
        assert!(!said.to_string().contains(&secret) && !said.to_string().contains(rotated), "{said}");
    }
}
