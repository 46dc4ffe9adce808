//! Members, invitations and teams by calls: what they do, and that a token gives and takes no more than it may itself.

use serde_json::{Value, json};
use skiff::actions::invitations::{self, NewInvitation};
use skiff::actions::tokens::{NewToken, create};
use skiff::domain::rights::Role;

use super::{Client, token};
use crate::harness::door::{Owner, Panel};

async fn owner(role: &str) -> (Panel, Owner, Client) {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let client = Client::new(&panel, &token(&panel, &owner.actor, role).await);
    (panel, owner, client)
}

/// The member of this name.
async fn member(client: &Client, name: &str) -> Value {
    let all = client.get("/members").await;
    let found = all["items"].as_array().unwrap().iter().find(|line| line["account"]["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name}: {all}"))
}

fn path(member: &Value, act: &str) -> String {
    format!("/members/{}{act}", member["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_invitation_is_made_once_shown_once_and_taken_back() {
    let (panel, _, client) = owner("owner").await;
    let (_, project) = client.send("POST", "/projects", Some(json!({ "name": "Shop" }))).await;
    let place = &project["environments"][0]["id"];
    let wanted = json!({ "note": "Grace", "role": "developer", "scopes": [{ "environment": place }], "days": 2 });
    let (status, made) = client.send("POST", "/invitations", Some(wanted)).await;
    assert_eq!((status, &made["words"], &made["days"]), (201, &json!("developer of Shop / prod"), &json!(2)), "{made}");
    let link = made["link"].as_str().unwrap();
    let listed = client.get("/invitations").await;
    let token = link.rsplit('=').next().unwrap();
    assert!(listed["items"][0]["id"] == made["id"] && !listed.to_string().contains(token), "{listed}");
    assert!(!client.get("/audit").await.to_string().contains(token));
    assert_eq!(panel.visitor().get(&format!("/join?token={token}")).await.status(), 200);
    let one = format!("/invitations/{}", made["id"].as_str().unwrap());
    assert_eq!(client.send("DELETE", &one, None).await.0, 204);
    assert_eq!(client.get("/invitations").await["items"], json!([]));
    assert_eq!(panel.visitor().get(&format!("/join?token={token}")).await.status(), 409, "the link lets nobody in");

    let nowhere = json!([{ "project": place }]);
    let both = json!([{}, { "project": place, "host": place }]);
    for (body, field, entry) in [
        (json!({}), "role", json!(null)),
        (json!({ "role": "king" }), "role", json!(null)),
        (json!({ "role": "viewer", "days": 31 }), "days", json!(null)),
        (json!({ "role": "viewer", "days": 0 }), "days", json!(null)),
        (json!({ "role": "viewer", "days": "7" }), "days", json!(null)),
        (json!({ "role": "viewer", "note": "a\u{202e}b" }), "note", json!(null)),
        (json!({ "role": "viewer", "note": "x".repeat(81) }), "note", json!(null)),
        (json!({ "role": "viewer", "scopes": nowhere }), "scopes", json!(null)),
        (json!({ "role": "viewer", "scopes": both }), "scopes", json!(1)),
        (json!({ "role": "viewer", "scopes": [{ "team": place }] }), "team", json!(0)),
        (json!({ "role": "viewer", "scopes": "team" }), "scopes", json!(null)),
    ] {
        let (status, answer) = client.send("POST", "/invitations", Some(body.clone())).await;
        let wrong = &answer["errors"][0];
        assert_eq!((status, &wrong["field"], &wrong["entry"]), (422, &json!(field), &entry), "{body}: {answer}");
    }
    assert_eq!(client.get("/invitations").await["items"], json!([]), "nothing was made of them");
}

#[tokio::test]
async fn a_role_is_given_changed_and_taken_back_and_who_is_removed_is_out() {
    let (panel, owner, client) = owner("owner").await;
    let account = panel.member("Dora", owner.team, Role::Developer).await;
    let dora = skiff::actions::accounts::actor(&panel.ctx, account, &owner.slug, "").await.unwrap();
    let hers = Client::new(&panel, &token(&panel, &dora, "owner").await);
    let (_, project) = client.send("POST", "/projects", Some(json!({ "name": "Shop" }))).await;
    let scope = json!({ "project": project["id"] });
    let line = member(&client, "Dora").await;
    let grants = path(&line, "/grants");
    let (status, now) = client.send("PUT", &grants, Some(json!({ "role": "admin", "scope": scope }))).await;
    assert_eq!(
        (status, now["grants"].as_array().unwrap().len(), &now["grants"][1]["place"]),
        (200, 2, &json!("Shop")),
        "{now}"
    );
    assert_eq!(now["grants"][1]["scope"], json!({ "kind": "project", "id": project["id"] }));
    let (status, now) = client.send("PUT", &grants, Some(json!({ "role": null }))).await;
    assert_eq!((status, now["grants"].as_array().unwrap().len()), (200, 1), "{now}");
    assert_eq!(hers.get("/me").await["role"], "admin");
    let (status, refused) = client.send("PUT", &grants, Some(json!({ "role": null, "scope": scope }))).await;
    assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!("role")), "it is all she may: {refused}");
    for (body, field) in [
        (json!({ "role": "owner", "scope": scope }), "role"),
        (json!({ "role": "viewer", "scope": { "project": owner.account } }), "scope"),
        (json!({ "role": "viewer", "scope": { "project": "x" } }), "project"),
        (json!({ "role": ["viewer"] }), "role"),
    ] {
        let (status, answer) = client.send("PUT", &grants, Some(body)).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(field)), "{answer}");
    }
    // Of a part of the team she sees herself alone, and manages nobody.
    assert_eq!(hers.get("/members").await["items"].as_array().unwrap().len(), 1);
    let ada = member(&client, "Ada").await;
    assert_eq!(hers.send("GET", &path(&ada, ""), None).await.0, 404);
    assert_eq!(hers.send("POST", "/invitations", Some(json!({ "role": "viewer" }))).await.0, 403);

    let removal = path(&line, "/removal");
    let (status, wrong) = client.send("POST", &removal, Some(json!({ "email": "ada@example.org" }))).await;
    assert_eq!((status, &wrong["errors"][0]["field"]), (422, &json!("email")), "{wrong}");
    assert_eq!(client.send("POST", &removal, Some(json!({ "email": line["email"] }))).await.0, 204);
    assert_eq!(hers.send("GET", "/me", None).await.0, 401, "her token went with it");
    assert_eq!(client.send("POST", &removal, Some(json!({ "email": line["email"] }))).await.0, 404);
    let (status, last) = client.send("POST", &path(&ada, "/removal"), Some(json!({ "email": ada["email"] }))).await;
    assert_eq!(status, 409, "the last owner stays: {last}");
}

#[tokio::test]
async fn a_token_gives_no_more_than_it_may_itself() {
    let (panel, owner, whole) = owner("owner").await;
    panel.member("Vera", owner.team, Role::Viewer).await;
    let (_, project) = whole.send("POST", "/projects", Some(json!({ "name": "Shop" }))).await;
    let of = async |role: &str, scope: String| {
        let form = NewToken { name: format!("{role} {scope}"), role: role.into(), scope, days: "7".into() };
        Client::new(&panel, create(&panel.ctx, &owner.actor, form).await.unwrap().secret.expose())
    };
    let vera = member(&whole, "Vera").await;
    let ada = member(&whole, "Ada").await;
    let (grants, hers) = (path(&vera, "/grants"), path(&ada, "/grants"));
    let role = |role: &str| Some(json!({ "role": role }));

    // An owner's token for an admin: up to admin, and no owner is its to change.
    let admin = of("admin", String::new()).await;
    for (method, path, body, expected) in [
        ("POST", "/invitations", role("owner"), 422),
        ("POST", "/invitations", role("admin"), 201),
        ("PUT", grants.as_str(), role("owner"), 422),
        ("PUT", grants.as_str(), role("admin"), 200),
        ("PUT", hers.as_str(), role("viewer"), 403),
        ("PATCH", "/team", Some(json!({ "name": "Mine" })), 403),
        ("POST", "/teams", Some(json!({ "name": "Mine" })), 403),
        ("POST", "/members/leave", Some(json!({ "team": "Acme" })), 409),
    ] {
        let (status, answer) = admin.send(method, path, body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
    }
    // One for a part of the team gives nothing in it, whatever its role; nor does one that only looks or deploys.
    let project = format!("project:{}", project["id"].as_str().unwrap());
    for small in [of("owner", project).await, of("developer", String::new()).await, of("viewer", String::new()).await] {
        for (method, path, body) in [
            ("POST", "/invitations", role("viewer")),
            ("GET", "/invitations", None),
            ("PUT", grants.as_str(), role("viewer")),
            ("POST", &path(&vera, "/removal"), Some(json!({ "email": vera["email"] }))),
            ("PATCH", "/team", Some(json!({ "name": "Mine" }))),
            ("POST", "/teams", Some(json!({ "name": "Mine" }))),
        ] {
            let (status, answer) = small.send(method, path, body).await;
            assert_eq!(status, 403, "{method} {path}: {answer}");
        }
        let (status, answer) = small.send("POST", "/members/leave", Some(json!({ "team": "Acme" }))).await;
        assert_eq!((status, answer["type"].as_str()), (409, Some("urn:skiff:problem:conflict")), "{answer}");
    }
    assert_eq!(whole.get("/team").await["name"], "Acme");
    assert_eq!(whole.get("/invitations").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_invitation_made_with_a_token_ends_with_it() {
    let (panel, owner, client) = owner("owner").await;
    let opens = async |link: &str| {
        let token = link.rsplit('=').next().unwrap();
        panel.visitor().get(&format!("/join?token={token}")).await.status().as_u16()
    };
    let mut made = Vec::new();
    for name in ["ended", "run out", "good"] {
        let form = NewToken { name: name.into(), role: "admin".into(), scope: String::new(), days: "2".into() };
        let token = create(&panel.ctx, &owner.actor, form).await.unwrap();
        let with = Client::new(&panel, token.secret.expose());
        let (status, invitation) = with.send("POST", "/invitations", Some(json!({ "role": "viewer" }))).await;
        let link = invitation["link"].as_str().unwrap().to_owned();
        assert_eq!((status, opens(&link).await), (201, 200), "{name}: {invitation}");
        made.push((token.line, link));
    }
    let form = NewInvitation { role: "viewer".into(), ..NewInvitation::default() };
    let by_page = invitations::create(&panel.ctx, &owner.actor, form).await.unwrap().link;
    assert_eq!(client.send("DELETE", &format!("/tokens/{}", made[0].0.id), None).await.0, 204);
    sqlx::query("update api_tokens set expires_at = now() where id = $1")
        .bind(made[1].0.id.0)
        .execute(&mut panel.db.superuser().await)
        .await
        .unwrap();
    for (link, expected) in [(&made[0].1, 409), (&made[1].1, 409), (&made[2].1, 200), (&by_page, 200)] {
        assert_eq!(opens(link).await, expected, "{link}");
    }
    // The list has those that still work, and says until when: no longer than the token.
    let listed = client.get("/invitations").await;
    let ends: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|line| line["expires_at"].as_str().unwrap()).collect();
    assert!(ends.len() == 2 && ends[0] > ends[1], "{listed}");
}

#[tokio::test]
async fn teams_are_made_named_listed_and_left() {
    let (panel, owner, client) = owner("owner").await;
    let (status, side) = client.send("POST", "/teams", Some(json!({ "name": "Side Project" }))).await;
    assert_eq!((status, &side["slug"]), (201, &json!("side-project")), "{side}");
    for (body, field) in
        [(json!({ "name": "Side Project" }), "name"), (json!({ "name": " " }), "name"), (json!({}), "name")]
    {
        let (status, answer) = client.send("POST", "/teams", Some(body)).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(field)), "{answer}");
    }
    let (status, renamed) = client.send("PATCH", "/team", Some(json!({ "name": " Acme & Sons " }))).await;
    assert_eq!((status, &renamed["name"], &renamed["slug"]), (200, &json!("Acme & Sons"), &json!(owner.slug)));
    assert_eq!(client.get("/team").await, renamed);
    let (_, wrong) = client.send("PATCH", "/team", Some(json!({ "name": "a\nb" }))).await;
    assert_eq!(wrong["errors"][0]["field"], "name", "{wrong}");
    let names = |list: Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|team| team["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(client.get("/teams").await), ["Acme & Sons", "Side Project"]);
    let small = Client::new(&panel, &token(&panel, &owner.actor, "developer").await);
    assert_eq!(names(small.get("/teams").await), ["Acme & Sons"], "of its account's other teams it says nothing");

    let account = panel.member("Dora", owner.team, Role::Developer).await;
    let dora = skiff::actions::accounts::actor(&panel.ctx, account, &owner.slug, "").await.unwrap();
    let hers = Client::new(&panel, &token(&panel, &dora, "developer").await);
    let (status, wrong) = hers.send("POST", "/members/leave", Some(json!({ "team": "Acme" }))).await;
    assert_eq!((status, &wrong["errors"][0]["field"]), (422, &json!("team")), "{wrong}");
    assert_eq!(hers.send("POST", "/members/leave", Some(json!({ "team": "Acme & Sons" }))).await.0, 204);
    assert_eq!(hers.send("GET", "/me", None).await.0, 401);
    let (status, last) = client.send("POST", "/members/leave", Some(json!({ "team": "Acme & Sons" }))).await;
    assert_eq!(status, 409, "the last owner stays: {last}");
}
