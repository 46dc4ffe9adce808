//! Hostile text in every field of every form: each is refused by the field's name, or kept and shown byte for byte.

mod acme;
mod fields;
mod people;
mod ways;

use skiff::actions::accounts::{self, SignIn};
use skiff::actions::apps::{self, EditConfiguration, EditSource};
use skiff::actions::setup::{self, SetUp};
use skiff::actions::{Refused, jobs};

use self::fields::{Shown, Target, fields};
use crate::harness::panel::{Panel, new_app, set_up, token, unowned};

/// The corpus: shells, options, paths, templates, markup, addresses, text that hides or lies, and plain length.
fn corpus() -> Vec<String> {
    let mut all: Vec<String> = [
        ";",
        "; id",
        "| id",
        "|| id",
        "& id",
        "&& id",
        "$(id)",
        "`id`",
        "${IFS}id",
        "$HOME",
        "a\nb",
        "a\r\nb",
        "\n",
        "\t",
        "a\0b",
        "\0",
        "-oProxyCommand=id",
        "--upload-pack=id",
        "--",
        "-",
        "-rf /",
        "ext::sh -c id",
        "file:///etc/passwd",
        "../",
        "../../etc/passwd",
        "..",
        ".",
        "/etc/passwd",
        "%2e%2e%2f",
        "%00",
        "..\\..\\x",
        "\\\\host\\share",
        "C:\\x",
        "{{7*7}}",
        "{% raw %}",
        "${{7*7}}",
        "<%= 7 %>",
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)",
        "' or '1'='1",
        "'; drop table apps; --",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://169.254.169.254/",
        "http://[::1]:5432/",
        "user@host:--x",
        "a:b@c",
        "\u{202e}gpj.exe",
        "\u{200e}",
        "\u{feff}x",
        "é",
        "日本語",
        "🚀",
        "İ",
        "ﬀ",
        "\u{1b}[31mred",
        "\u{7f}",
        "null",
        "undefined",
        "NaN",
        "1e309",
        "-1",
        "99999999999999999999",
        "0x10",
        " x ",
        "",
        "true",
        "[]",
        "{}",
        "*",
        "?",
        "!",
        "#",
        "%s%n",
        "CON",
        "a b",
        "A=B",
    ]
    .iter()
    .map(|text| (*text).to_owned())
    .collect();
    all.push("a".repeat(64 * 1024));
    all.push("/".repeat(5_000));
    all.push("é".repeat(300));
    all
}

#[tokio::test]
async fn every_field_refuses_or_keeps_every_text() {
    let panel = Panel::new().await;
    let owner = &panel.owner;
    let host = panel.host(owner, "fra").await;
    let app = panel.app(owner, "web").await;
    let mut form = new_app("worker");
    form.configuration = EditConfiguration { kind: "worker".into(), ..EditConfiguration::default() };
    form.routes.clear();
    let worker = apps::create(&panel.ctx, owner, form).await.unwrap();
    let mut form = new_app("git");
    form.source = EditSource { git_url: "https://example.org/a/b.git".into(), ..EditSource::default() };
    let git = apps::create(&panel.ctx, owner, form).await.unwrap();
    let project = apps::get(&panel.ctx, owner, app).await.unwrap().line.project;
    let entry = SignIn { email: "ada@example.org".into(), password: crate::harness::panel::PASSWORD.into() };
    let account = accounts::sign_in(&panel.ctx, "", entry).await.unwrap().account;
    let mut known = Vec::new();
    for id in [app, worker] {
        known.push((id, apps::get(&panel.ctx, owner, id).await.unwrap().configuration));
    }
    let target = Target { panel, app, worker, git, host, project, account, known };

    let corpus = corpus();
    let (mut refused, mut kept) = (0, 0);
    for (form, field, send) in fields() {
        for text in &corpus {
            let short: String = text.chars().take(40).collect();
            match send(&target, text.clone()).await {
                Ok(Shown::Default) => assert!(text.trim().is_empty(), "{form}.{field} took {short:?} for nothing"),
                Ok(Shown::Never) => kept += 1,
                Ok(Shown::As(shown)) => {
                    assert!(shown == *text, "{form}.{field} changed {short:?}");
                    kept += 1;
                }
                Ok(Shown::Trimmed(shown)) => {
                    assert!(shown == text.trim(), "{form}.{field} changed {short:?}");
                    kept += 1;
                }
                Err(Refused::Fields(wrong)) => {
                    assert!(wrong.iter().any(|w| w.field == field), "{form}.{field} of {short:?} blames {wrong:?}");
                    let told = wrong.iter().map(|w| w.sentence.as_str()).collect::<String>();
                    let echo = text.len() > 3 && told.contains(text.as_str());
                    assert!(!echo, "{form}.{field} repeats the text: {told}");
                    refused += 1;
                }
                Err(Refused::Conflict(_)) if field == "host_key" => refused += 1,
                Err(other) => panic!("{form}.{field} of {short:?}: {other:?}"),
            }
        }
    }
    assert!(refused > 1_000 && kept > 300, "the corpus was tried: {refused} refused, {kept} kept");
    // What was kept can be listed.
    jobs::list(&target.panel.ctx, &target.panel.owner, false, None).await.unwrap();
    skiff::actions::home::get(&target.panel.ctx, &target.panel.owner).await.unwrap();
    skiff::actions::audit::list(&target.panel.ctx, &target.panel.owner, None).await.unwrap();
}

#[tokio::test]
async fn the_set_up_form_refuses_them_too() {
    let (_test, ctx, _key) = unowned().await;
    let token = token(&ctx).await;
    for text in corpus() {
        // The password is too short throughout, so that nothing is ever made and the token stays.
        let wrong = SetUp { password: "short".into(), ..set_up(&token) };
        for form in [
            SetUp { name: text.clone(), ..wrong.clone() },
            SetUp { email: text.clone(), ..wrong.clone() },
            SetUp { team: text.clone(), ..wrong.clone() },
        ] {
            let answer = setup::create_owner(&ctx, "", form).await;
            assert!(matches!(answer, Err(Refused::Fields(_))), "{answer:?}");
        }
        let answer = setup::create_owner(&ctx, "", SetUp { token: text, ..wrong }).await;
        assert!(matches!(answer, Err(Refused::Conflict(_))), "{answer:?}");
    }
}
