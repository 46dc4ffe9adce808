//! `skiff notices`: channels, the mail server and one's own choice; and what of an app and a host is set beside their pages.

use serde_json::json;

use super::certificates::panel;

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_added_changed_and_removed_and_what_leads_to_them_is_never_shown() {
    let (_panel, terminal) = panel().await;
    assert!(terminal.run(&["notices"]).await.well().out.contains("skiff notices add NAME SERVICE"));
    let address = "https://hooks.slack.com/services/T000/B000/canary52";
    let ran = terminal.type_in(&["notices", "add", "ops", "slack"], address).await.well();
    assert!(ran.out.starts_with("ops is told from now on.") && !ran.out.contains("canary52"), "{ran:?}");
    terminal.type_in(&["notices", "add", "ops", "slack"], address).await.refused(1, "name: ");
    terminal.type_in(&["notices", "add", "x", "slack"], "").await.refused(1, "url: ");
    terminal.type_in(&["notices", "add", "x", "fax"], address).await.refused(1, "service");
    terminal.type_in(&["notices", "add", "x", "slack", "--event", "rain"], address).await.refused(1, "events");
    terminal.type_in(&["notices", "add", "x", "slack", "--project", "no"], address).await.refused(1, "no project no.");
    let listed = terminal.run(&["notices", "--json"]).await.well().json();
    let usual = json!(["deploy_failed", "deploy_returned", "host_down", "host_up", "certificate"]);
    assert_eq!((&listed["items"][0]["events"], &listed["items"][0]["projects"]), (&usual, &json!(null)));

    // Two values nobody shall see, a line each; and one that is made.
    let ntfy = ["notices", "add", "phone", "ntfy", "--with-token"];
    terminal.type_in(&ntfy, "https://ntfy.example.org/topic").await.refused(1, "Access token is missing in line 2");
    let made = terminal.type_in(&ntfy, "https://ntfy.example.org/topic\ntk_canary53").await.well();
    assert!(!made.out.contains("canary53"), "{made:?}");
    let hook = ["notices", "add", "hook", "webhook", "--project", "main"];
    let made = terminal.type_in(&hook, "https://example.org/in").await.well();
    assert!(made.out.contains("which is not shown again: "), "{made:?}");
    let own = ["notices", "add", "own", "webhook", "--with-secret"];
    let made = terminal.type_in(&own, "https://example.org/in\ncanary-of-a-secret-0123456789abcdef").await.well();
    assert!(!made.out.contains("not shown again") && !made.out.contains("canary"), "{made:?}");
    terminal.type_in(&own, "a\nb\nc").await.refused(1, "More lines came");

    // What is not said stays.
    let changed = terminal.run(&["notices", "change", "hook", "--rename", "in", "--event", "host_down"]).await.well();
    assert_eq!(changed.out, "in is changed.\n");
    let all = terminal.run(&["notices", "--json"]).await.well().json();
    let named = |name: &str| all["items"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    let channel = named("in");
    assert_eq!((&channel["events"], &channel["leads_to"]), (&json!(["host_down"]), &json!("example.org")));
    assert_eq!(channel["projects"].as_array().unwrap().len(), 1);
    terminal.run(&["notices", "change", "in", "--all-projects"]).await.well();
    let moved = ["notices", "change", "ops", "--with-address"];
    terminal.type_in(&moved, "http://hooks.example.org/x").await.refused(1, "url: ");
    terminal.type_in(&moved, "https://hooks.slack.com/services/T1/B1/other").await.well();
    // A group's number is no option, and addresses and chats stay, too.
    let mail = ["notices", "add", "mail", "email", "--to", "ada@example.org", "--to", "bob@example.org"];
    terminal.run(&mail).await.well();
    terminal.run(&["notices", "change", "mail", "--event", "host_up"]).await.well();
    let bot = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
    terminal.type_in(&["notices", "add", "group", "telegram", "--chat", "-1001234567890"], bot).await.well();
    terminal.run(&["notices", "change", "group", "--event", "host_up"]).await.well();
    // One token, which is asked for once, whatever it is called.
    terminal.type_in(&["notices", "change", "group", "--with-address", "--with-token"], bot).await.well();
    let all = terminal.run(&["notices", "--json"]).await.well().json();
    let led = |name: &str| {
        let all = all["items"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap()["leads_to"].as_str().unwrap().to_owned()
    };
    assert!(led("mail").contains("ada@example.org") && led("mail").contains("bob@example.org"), "{}", led("mail"));
    assert!(led("group").contains("-1001234567890"), "{}", led("group"));
    terminal.run(&["notices", "remove", "mail"]).await.well();
    terminal.run(&["notices", "remove", "group"]).await.well();
    terminal.run(&["notices", "change", "nobody", "--rename", "x"]).await.refused(1, "The team has no channel nobody");
    terminal.run(&["notices", "remove", "in"]).await.well();
    terminal
        .run(&["notices", "remove", "in"])
        .await
        .refused(1, "The team has no channel in: skiff notices lists them.");
    let left = terminal.run(&["notices", "--json"]).await.well().json();
    assert_eq!(left["items"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_server_is_set_and_one_chooses_what_one_is_told() {
    let (_panel, terminal) = panel().await;
    assert!(terminal.run(&["notices", "mail"]).await.well().out.contains("has no mail server"));
    terminal.run(&["notices", "mail", "--sender", "x@example.org"]).await.refused(1, "--host");
    let set = ["notices", "mail", "--host", "mail.example.org", "--user", "skiff", "--sender", "skiff@example.org"];
    let ran = terminal.type_in(&set, "canary-of-a-password").await.well();
    assert!(ran.out.contains("mail.example.org:587, starttls") && !ran.out.contains("canary"), "{ran:?}");
    terminal.run(&["notices", "mail", "--sender", "x"]).await.refused(1, "sender: ");
    let shown = terminal.run(&["notices", "mail", "--json"]).await.well().json();
    assert_eq!((&shown["has_password"], &shown["sender"]), (&json!(true), &json!("skiff@example.org")));
    let ran = terminal.run(&["notices", "mail", "--sender", "ops@example.org", "--json"]).await.well().json();
    assert_eq!((&ran["has_password"], &ran["username"]), (&json!(true), &json!("skiff")), "what is not said stays");
    let moved = ["notices", "mail", "--security", "tls", "--json"];
    terminal.type_in(&moved, "").await.refused(1, "password: ");
    let ran = terminal.type_in(&moved, "canary-of-a-password").await.well().json();
    assert_eq!((&ran["port"], &ran["sender"]), (&json!(465), &json!("ops@example.org")));
    assert_eq!(terminal.run(&["notices", "mail", "--no-user", "--json"]).await.well().json()["username"], json!(""));

    assert!(terminal.run(&["notices", "mine"]).await.well().out.contains("You are told nothing"));
    let mine = ["notices", "mine", "--email", "ada@example.org", "--event", "deploy_failed", "--event", "host_down"];
    let ran = terminal.run(&mine).await.well();
    assert_eq!(ran.out, "ada@example.org is told of deploy_failed, host_down.\n");
    terminal.run(&["notices", "mine", "--event", "rain"]).await.refused(1, "events");
    assert!(terminal.run(&["notices", "mine", "--nothing"]).await.well().out.contains("You are told nothing"));
    assert!(terminal.run(&["notices", "mail", "--remove"]).await.well().out.contains("has no mail server"));
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_to_come_by_https_and_a_host_gets_other_ports() {
    let (_panel, terminal) = panel().await;
    assert!(terminal.run(&["front", "web"]).await.well().out.contains("browsers come by HTTPS only: no"));
    let ran = terminal.run(&["front", "web", "--hsts", "on", "--gzip", "on"]).await.well();
    for words in ["browsers come by HTTPS only: yes", "text compressed: yes"] {
        assert!(ran.out.contains(words), "{ran:?}");
    }
    assert_eq!(terminal.run(&["front", "web", "--json"]).await.well().json()["hsts"], json!(true));
    assert_eq!(terminal.run(&["front", "web", "--hsts", "off", "--json"]).await.well().json()["hsts"], json!(false));

    terminal.run(&["front", "web", "--hsts", "on", "--port", "5432=nowhere"]).await.refused(1, "ports");
    let front = terminal.run(&["front", "web", "--json"]).await.well().json();
    assert_eq!(front["hsts"], json!(false), "nothing is told browsers for a year where the rest was refused");

    let ran = terminal.run(&["proxy", "fra-1", "--http-port", "8080", "--https-port", "8443"]).await.well();
    assert!(ran.out.contains("ports: 8080, and 8443 for HTTPS, once it was made ready with them"), "{ran:?}");
    let ran = terminal.run(&["proxy", "fra-1", "--https-port", "0", "--json"]).await.well().json();
    assert_eq!((&ran["http_port"], &ran["https_port"]), (&json!(8080), &json!(null)));
    terminal.run(&["proxy", "fra-1", "--https-port", "8080"]).await.refused(1, "https_port: ");
    // What was taken before the refusal is said with it, and above where the docs say more.
    let ran = terminal.run(&["proxy", "fra-1", "--http-port", "8081", "--https-port", "8081"]).await;
    let ran = ran.refused(1, "\nTaken before it, and stays: the port of HTTP.\nMore: ");
    assert!(ran.err.starts_with("skiff: https_port: "), "{ran:?}");
    assert_eq!(terminal.run(&["proxy", "fra-1", "--https-port", "0", "--json"]).await.well().json()["http_port"], 8081);
    terminal.run(&["proxy", "fra-1", "--http-port", "0"]).await.refused(2, "0");
}
