//! Each command once, as people and as programs read it.

use std::os::unix::fs::MetadataExt;

use expect_test::expect;
use serde_json::json;
use skiff::actions::{apps, hosts};
use skiff::db::host_logins;
use skiff::domain::host::HostState;
use skiff::domain::rights::Permit;

use super::terminal::{Terminal, token};
use crate::harness::door::{Owner, Panel};
use crate::harness::panel::new_app;

/// A panel with a host that counts as ready, and the app "web" on it.
async fn panel() -> (Panel, Owner, Terminal) {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let form = hosts::NewHost { name: "fra 1".into(), address: "fra-1.example.org".into(), ..Default::default() };
    let host = hosts::create(&panel.ctx, &owner.actor, form).await.unwrap();
    let permit = Permit::of_claimed_row(owner.team);
    let mut tx = panel.db.begin(&permit).await.unwrap();
    host_logins::observed(&mut tx, &permit, host, HostState::Ready, "").await.unwrap();
    tx.commit().await.unwrap();
    apps::create(&panel.ctx, &owner.actor, new_app("web")).await.unwrap();
    let secret = token(&panel.ctx, &owner.actor, "owner").await;
    let terminal = Terminal::signed_in(&panel.base, &secret).await;
    (panel, owner, terminal)
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_says_who_one_is_and_keeps_the_token_for_its_owner_alone() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let secret = token(&panel.ctx, &owner.actor, "developer").await;
    let terminal = Terminal::new();
    let ran = terminal.type_in(&["login", &panel.base, "--panel", "home"], &secret).await.well();
    for said in ["home", "Ada", "Acme", "developer", "UTC"] {
        assert!(ran.out.contains(said), "{said}: {ran:?}");
    }
    assert!(!ran.out.contains(&secret) && !ran.err.contains(&secret), "{ran:?}");
    let settings = terminal.settings();
    assert_eq!(std::fs::metadata(&settings).unwrap().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(settings.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    let again = terminal.type_in(&["login", &panel.base, "--panel", "home", "--json"], &secret).await.well();
    assert_eq!(again.json()["account"]["name"], "Ada");

    terminal.run(&["apps", "--panel", "elsewhere"]).await.refused(4, "There are: home.");
    let by_variables = Terminal::new().with("SKIFF_URL", &panel.base).with("SKIFF_TOKEN", &secret);
    assert_eq!(by_variables.run(&["apps", "--json"]).await.well().json(), json!({"items": [], "next": null}));
    assert!(!by_variables.settings().exists());

    terminal.run(&["logout"]).await.well();
    assert!(!std::fs::read_to_string(&settings).unwrap().contains(&secret));
    terminal.run(&["apps"]).await.refused(4, "skiff login");
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_and_hosts_are_listed_and_the_status_is_the_exit_status() {
    let (_panel, _owner, terminal) = panel().await;
    let apps = terminal.run(&["apps"]).await.well();
    assert!(apps.out.starts_with("APP") && apps.out.contains("/prod/web"), "{apps:?}");
    let json = terminal.run(&["apps", "--json"]).await.well().json();
    assert_eq!(json["items"][0]["name"], "web");
    let path = json["items"][0]["path"].as_str().unwrap().to_owned();
    assert_eq!(terminal.run(&["apps", "prod/web", "--json"]).await.well().json()["items"][0]["path"], path.as_str());

    expect![[r#"
        HOST   STATE  ADDRESS            DOCKER  INSTANCES  NOTE
        fra-1  ready  fra-1.example.org  -       0          -
    "#]]
    .assert_eq(&terminal.run(&["hosts"]).await.well().out);
    assert_eq!(terminal.run(&["hosts", "list", "--json"]).await.well().json()["items"][0]["slug"], "fra-1");

    let one = terminal.run(&["status", "web"]).await.refused(1, "is not running as wanted: new");
    assert!(one.out.contains("State") && one.out.contains("0 of 0"), "{one:?}");
    let json = terminal.run(&["status", &path, "--json"]).await;
    assert_eq!((json.code, json.json()["state"].as_str()), (1, Some("new")));
    let all = terminal.run(&["status", "--json"]).await;
    assert!(all.json()["apps"].as_array().unwrap().len() == 1, "{all:?}");
    assert_eq!(terminal.run(&["releases", "web", "--json"]).await.well().json()["items"], json!([]));
    assert!(terminal.run(&["releases", "web"]).await.well().out.contains("skiff deploy web"));
    assert_eq!(terminal.run(&["open", "web", "--print"]).await.well().out.trim(), "http://web.example.org/");
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_and_secrets_are_set_and_no_secret_is_shown() {
    let (_panel, _owner, terminal) = panel().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "# of the shop\nGREETING=\"hello you\"\nLEVEL=1\n").unwrap();
    let path = file.path().to_str().unwrap();
    terminal.run(&["env", "web", "set", "LEVEL=2", "--from-file", path]).await.well();
    assert_eq!(terminal.run(&["env", "web"]).await.well().out, "GREETING=hello you\nLEVEL=2\n");
    let json = terminal.run(&["env", "web", "list", "--json"]).await.well().json();
    assert_eq!(json["items"][1], json!({"name": "LEVEL", "value": "2"}));
    terminal.run(&["env", "web", "unset", "LEVEL"]).await.well();
    terminal.run(&["env", "web", "unset", "GREETING", "LEVEL"]).await.refused(1, "Done before it: GREETING.");
    assert_eq!(terminal.run(&["env", "web"]).await.well().out, "It has no variables.\n");
    terminal.run(&["env", "web", "set", "1 BAD=x"]).await.refused(1, "1 BAD");
    terminal.run(&["env", "web", "set", "nothing"]).await.refused(2, "NAME=value");

    let value = "canary-of-the-terminal-51";
    let set = terminal.type_in(&["secrets", "web", "set", "API_KEY", "--json"], value).await.well();
    let list = terminal.run(&["secrets", "web"]).await.well();
    assert!(list.out.contains("API_KEY"), "{list:?}");
    for shown in [&set, &list] {
        assert!(!shown.out.contains(value) && !shown.err.contains(value), "{shown:?}");
    }
    assert_eq!(terminal.run(&["secrets", "web", "--json"]).await.well().json()["items"][0]["name"], "API_KEY");
    terminal.run(&["secrets", "web", "unset", "API_KEY"]).await.well();
    assert_eq!(terminal.run(&["secrets", "web"]).await.well().out, "It has no secrets.\n");
    terminal.run(&["secrets", "web", "set", "API_KEY", value]).await.refused(2, "unexpected argument");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_is_asked_for_and_a_host_is_added() {
    let (_panel, _owner, terminal) = panel().await;
    let asked = terminal.run(&["deploy", "web"]).await.well();
    assert!(asked.out.contains("/t/") && asked.out.contains("/deploys/"), "{asked:?}");
    let json = terminal.run(&["deploy", "web", "--json", "--image", "web:2"]).await.well().json();
    assert_eq!((json["state"].as_str(), json["final"].as_bool()), (Some("queued"), Some(false)));
    terminal.run(&["deploy", "web", "--ref", "main"]).await.refused(1, "");
    terminal.run(&["rollback", "web"]).await.refused(1, "");

    let added = terminal.run(&["hosts", "add", "ams 1", "ams-1.example.org", "--later"]).await.well();
    assert!(added.out.starts_with("ssh-ed25519 ") && added.out.contains("skiff hosts provision ams-1"), "{added:?}");
    let json = terminal.run(&["hosts", "add", "ams 2", "ams-2.example.org", "--later", "--json"]).await.well().json();
    assert_eq!(json["slug"], "ams-2");
    terminal.run(&["hosts", "add", "x", "not an address", "--later"]).await.refused(1, "address: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_given_another_way_in_and_forgotten_by_its_name() {
    let (_panel, _owner, terminal) = panel().await;
    let args = ["hosts", "add", "ams 1", "ams-1.example.org", "--password-stdin"];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no key").unwrap();
    let identity = file.path().to_str().unwrap();
    terminal.run(&["hosts", "add", "x", "x.example.org", "--identity", identity]).await.refused(1, "private_key: ");
    terminal.run(&["hosts", "add", "x", "x.example.org", "--identity", "/nowhere"]).await.refused(1, "cannot be read");
    terminal.run(&[&args[..], &["--later"]].concat()).await.refused(2, "--later");
    terminal.run(&["hosts", "add", "ams 1", "ams-1.example.org", "--jump", "ada@gate:2222", "--later"]).await.well();
    let edited =
        terminal.run(&["hosts", "edit", "ams-1", "--port", "2200", "--name", "ams one", "--json"]).await.well();
    let edited = edited.json();
    assert_eq!((edited["name"].as_str(), edited["ssh_port"].as_i64()), (Some("ams one"), Some(2200)));
    assert_eq!(
        (edited["jump"].as_str(), edited["address"].as_str()),
        (Some("ada@gate:2222"), Some("ams-1.example.org"))
    );
    let straight = terminal.run(&["hosts", "edit", "ams-1", "--straight", "--json"]).await.well().json();
    assert_eq!(straight["jump"], "");
    terminal.run(&["hosts", "edit", "ams-1", "--user=-x"]).await.refused(1, "user: ");

    terminal.run(&["hosts", "forget", "ams-1"]).await.refused(1, "Type ams one to forget it.");
    terminal
        .run(&["hosts", "forget", "fra-1", "--confirm", "fra 1"])
        .await
        .refused(1, "Apps are placed on fra 1: web.");
    let gone = terminal.run(&["hosts", "forget", "ams-1", "--confirm", "ams one"]).await.well();
    assert_eq!(gone.out, "ams one is forgotten.\n");
    terminal.run(&["hosts", "forget", "ams-1", "--confirm", "ams one"]).await.refused(1, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_added_ruled_and_removed() {
    let (panel, _owner, terminal) = panel().await;
    let ran = terminal.run(&["routes", "web"]).await.well();
    assert!(ran.out.contains("web.example.org/") && ran.out.contains("no rules"), "{ran:?}");
    let add =
        ["routes", "web", "add", "www.web.example.org", "--redirect", "https://web.example.org", "--status", "301"];
    terminal.run(&add).await.well();
    terminal.run(&add).await.refused(1, "lead here already");
    let set = ["routes", "web", "set", "web.example.org", "--user", "ada", "--allow", "10.0.0.0/8, 2001:db8::/32"];
    let ran = terminal.type_in(&set, "a long password").await.well();
    assert!(!ran.out.contains("long"), "{ran:?}");
    // What is not named stays.
    let more = ["routes", "web", "set", "web.example.org/", "--body", "5", "--answer-header", "-Server"];
    let ran = terminal.run(&more).await.well();
    assert!(ran.out.contains("password for 1 user, only from 2 networks, 1 header, at most 5 MB sent"), "{ran:?}");
    let preview = ["routes", "web", "set", "web.example.org", "--no-users", "--preview"];
    assert!(terminal.run(&preview).await.well().out.contains("No proxy leads to the app yet"));
    // Once the app has a backend in its host's proxy, it is lines of that one's file.
    let claim = "insert into ledger_backends (team_id, host_id, slot, app_id)
         select a.team_id, h.id, 1, a.id from apps a join hosts h on h.team_id = a.team_id";
    let mut conn = panel.db.superuser().await;
    sqlx::query(claim).execute(&mut conn).await.unwrap();
    let preview = ["routes", "web", "set", "web.example.org", "--allow", "192.0.2.0/24", "--preview"];
    let ran = terminal.run(&preview).await.well();
    let new = |line: &str| line.trim_start().starts_with("+acl from-") && line.ends_with(" src 192.0.2.0/24");
    assert!(ran.out.lines().any(new), "{ran:?}");
    // Nobody tells the proxies here: it is not waited for, and is said where one looks.
    assert!(terminal.run(&["maintenance", "web", "on", "--no-wait"]).await.well().out.contains("being told"));
    let status = terminal.run(&["status", "web", "--json"]).await.refused(1, "not running").json();
    assert_eq!((&status["maintenance"], &status["routes_wait"]), (&json!(true), &json!(true)), "{status}");
    let status = terminal.run(&["status"]).await;
    assert!(status.out.contains("main/prod/web: everybody sees its page of maintenance."), "{status:?}");
    assert!(status.out.contains("main/prod/web: not every proxy has its routes"), "{status:?}");
    terminal.run(&["maintenance", "web", "off", "--no-wait"]).await.well();
    sqlx::query("delete from ledger_backends").execute(&mut conn).await.unwrap();
    let listed = terminal.run(&["routes", "web", "--json"]).await.well().json();
    let rules = &listed["items"][0]["rules"];
    assert_eq!(
        (&rules["users"], &rules["allow"]),
        (&json!([{"name": "ada"}]), &json!(["10.0.0.0/8", "2001:db8::/32"]))
    );
    assert_eq!(listed["items"][1]["rules"]["redirect"]["status"], 301);
    terminal.run(&["routes", "web", "set", "nowhere.example.org", "--body", "5"]).await.refused(1, "has no route");
    terminal.run(&["routes", "web", "set", "web.example.org", "--allow", "x"]).await.refused(1, "Line 1");
    let wrong = terminal.run(&["routes", "web", "add", "*.x"]).await.refused(1, "domain: Name one domain");
    assert_eq!(wrong.err.matches("Name one domain").count(), 1, "a field is said once: {wrong:?}");
    terminal.run(&["routes", "web", "remove", "www.web.example.org"]).await.well();
    assert_eq!(terminal.run(&["routes", "web", "--json"]).await.well().json()["items"].as_array().unwrap().len(), 1);
    assert!(terminal.run(&["maintenance", "web", "on"]).await.well().out.contains("page of maintenance"));
    assert_eq!(terminal.run(&["maintenance", "web", "off", "--json"]).await.well().json()["maintenance"], false);
}
