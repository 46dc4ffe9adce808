//! The doctor on a real host, from the panel's machine, from a terminal elsewhere, and in the browser.

use std::time::Duration;

use skiff::actions::doctor;
use skiff::domain::doctor::{Area, Finding, Grade};
use skiff::domain::help::Topic;
use sqlx::ConnectOptions;
use tokio::process::Command;

use crate::cli::terminal::{Ran, Terminal, ended, token};
use crate::harness::door::Panel;
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::program::{self, Program};
use crate::harness::world::World;

/// A shell on the panel's machine.
pub fn local(world: &World, args: &[&str]) -> Command {
    let url = |options: &sqlx::postgres::PgConnectOptions| options.to_url_lossy().to_string();
    let settings = &world.db.settings;
    let mut command = Command::new(env!("CARGO_BIN_EXE_skiff"));
    command.args(args).env_clear().env("PATH", std::env::var("PATH").unwrap()).env("HOME", world.data_dir());
    command.env("SKIFF_DATA_DIR", world.data_dir()).env("DATABASE_URL", url(&settings.app));
    command
        .env("SKIFF_DATABASE_WORKER_URL", url(&settings.worker))
        .env("SKIFF_DATABASE_OWNER_URL", url(&settings.owner));
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

/// The data folder is its owner's alone, as the program makes it.
pub fn close(world: &World) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(world.data_dir(), mode).unwrap();
}

async fn run(mut command: Command) -> Ran {
    ended(command.kill_on_drop(true).spawn().unwrap()).await
}

/// What was found about this.
fn about<'a>(found: &'a [Finding], area: Area, of: &str) -> Vec<&'a Finding> {
    found.iter().filter(|finding| finding.area == area && finding.of.contains(of)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_on_a_host_is_found_and_what_is_well_is_said_to_be() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let app = world.app(id, "127.0.0.1:5000/hello:1", "nowhere.invalid").await;
    app.must_deploy().await;
    let ctx = world.actions();
    let job = skiff::actions::hosts::check(&ctx, &world.team.owner, id).await.unwrap();
    assert_eq!(world.over(job).await.state, "succeeded");

    let report = doctor::examine(&ctx, &world.team.owner).await.unwrap();
    let hosts = about(&report.findings, Area::Host, "host-");
    assert!(hosts.len() == 1 && hosts[0].grade == Grade::Ok, "{report:#?}");
    assert!(about(&report.findings, Area::Database, "").iter().all(|found| found.grade == Grade::Ok), "{report:#?}");
    // No name server answers for this name (RFC 6761), or there is none at all.
    let name = about(&report.findings, Area::Domain, "nowhere.invalid");
    assert!(name.len() == 1 && name[0].grade > Grade::Ok && name[0].help == Some(Topic::DomainElsewhere), "{name:#?}");

    // Somebody changes a folder; the last check says it.
    host.enter(&["chmod", "777", "/etc/skiff"]).await.must("chmod");
    let job = skiff::actions::hosts::check(&ctx, &world.team.owner, id).await.unwrap();
    assert_eq!(world.over(job).await.state, "succeeded");
    let report = doctor::examine(&ctx, &world.team.owner).await.unwrap();
    let found = about(&report.findings, Area::Host, "host-");
    assert!(
        found.len() == 1 && found[0].grade == Grade::Warn && found[0].what.starts_with("folder /etc/skiff is 777"),
        "{found:#?}"
    );

    // The port of HTTPS is dead, and that of HTTP is not: the file of the proxy lost its line.
    let https = "sed -i '/^ *bind .*:443/d' /etc/skiff/haproxy.cfg && kill -USR2 $(cat /run/skiff/haproxy.pid 2>/dev/null || pgrep -o -f skiff/haproxy.cfg)";
    host.enter(&["/bin/bash", "-c", https]).await.must("without HTTPS");
    let mut found = Vec::new();
    for _ in 0..100 {
        let report = doctor::examine(&ctx, &world.team.owner).await.unwrap();
        found = report.findings.into_iter().filter(|found| found.what.contains("HTTPS port 443")).collect();
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(found.len() == 1 && found[0].grade == Grade::Bad && found[0].help == Some(Topic::PortTaken), "{found:#?}");

    // The proxy is stopped: seen just now, without a check.
    host.enter(&["/bin/bash", "-c", "systemctl stop skiff-haproxy 2>/dev/null || /etc/init.d/skiff-haproxy stop"])
        .await
        .must("stop");
    let report = doctor::examine(&ctx, &world.team.owner).await.unwrap();
    let found = about(&report.findings, Area::Host, "host-");
    assert!(found.iter().any(|found| found.grade == Grade::Bad && found.help == Some(Topic::ProxyAway)), "{found:#?}");
    assert_eq!(report.grade(), Grade::Bad);

    host.cut_with_resets().await;
    let report = doctor::examine(&ctx, &world.team.owner).await.unwrap();
    let found = about(&report.findings, Area::Host, "host-");
    assert!(found.len() == 1 && found[0].help == Some(Topic::HostAway), "{found:#?}");
    host.heal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_panels_machine_it_helps_where_nothing_starts() {
    let world = World::idle(fresh_database().await).await;
    close(&world);
    let well = run(local(&world, &["doctor"])).await.well();
    for words in ["PANEL", "master key: The master key can be read", "DATABASE", "schema: Its schema is ", "All well: "]
    {
        assert!(well.out.contains(words), "{words}: {}", well.out);
    }
    let json = run(local(&world, &["doctor", "--json"])).await.well().json();
    assert_eq!(json["grade"], "ok", "{json}");
    assert!(json["findings"].as_array().unwrap().len() >= 8, "{json}");

    // The key is gone: said, and none is made in its place.
    let key = world.data_dir().join("master.key");
    std::fs::rename(&key, world.data_dir().join("away")).unwrap();
    let ran = run(local(&world, &["doctor"])).await.refused(1, "1 thing is bad.");
    assert!(
        ran.out.contains("BAD   master key: The master key")
            && ran.out.contains("> skiff docs panel-trouble#the-master-key"),
        "{}",
        ran.out
    );
    assert!(!key.exists(), "the doctor makes nothing");
    // Another panel's key.
    skiff::vault::Vault::create(&key).unwrap();
    let ran = run(local(&world, &["doctor"])).await.refused(1, "1 thing is bad.");
    assert!(ran.out.contains("not the one this database was set up with"), "{}", ran.out);
    std::fs::rename(world.data_dir().join("away"), &key).unwrap();

    // Nobody takes jobs.
    let mut conn = world.db.superuser().await;
    sqlx::query("insert into jobs (id, team_id, kind, args, title, cause, run_at) values (gen_random_uuid(), $1, 'tidy', '{}', 'Tidy', '{\"by\": \"system\", \"why\": \"x\", \"deploy\": null}', now() - interval '5 min')")
        .bind(world.team.id.0)
        .execute(&mut conn)
        .await
        .unwrap();
    let ran = run(local(&world, &["doctor"])).await.refused(1, "1 thing is bad.");
    assert!(ran.out.contains("A job has waited for 5 min, and nobody takes it."), "{}", ran.out);
    sqlx::query("delete from jobs").execute(&mut conn).await.unwrap();

    // A schema of tomorrow's program.
    sqlx::query("insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, '', 0)")
        .execute(&mut conn)
        .await
        .unwrap();
    let ran = run(local(&world, &["doctor"])).await.refused(1, "1 thing is bad.");
    assert!(ran.out.contains("Its schema is 9999; this program is older"), "{}", ran.out);
    sqlx::query("delete from _sqlx_migrations where version = 9999").execute(&mut conn).await.unwrap();

    // No database, and no folder.
    let mut command = local(&world, &["doctor"]);
    command.env("DATABASE_URL", "postgres://skiff:hunter2secret@127.0.0.1:1/skiff");
    let ran = run(command).await.refused(1, "1 thing is bad.");
    assert!(
        ran.out.contains("BAD   server: PostgreSQL at 127.0.0.1:1 does not answer")
            && !ran.out.contains("hunter2secret"),
        "{}",
        ran.out
    );
    let mut command = local(&world, &["doctor", "--data-dir", "/nonexistent/skiff"]);
    command.env_remove("DATABASE_URL");
    let ran = run(command).await.refused(1, "things are bad.");
    assert!(ran.out.contains("There is no database: /nonexistent/skiff/postgres is not there"), "{}", ran.out);
    assert!(!std::path::Path::new("/nonexistent").exists(), "the doctor makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_elsewhere_it_is_asked_with_a_token_of_an_admin() {
    let world = World::idle(fresh_database().await).await;
    close(&world);
    let team = program::owner(&world).await;
    let program = Program::start(&world).await;
    let ctx = world.actions();
    let owner = skiff::actions::accounts::actor(&ctx, first_account(&world).await, &team, "127.0.0.1").await.unwrap();
    let secret = token(&ctx, &owner, "owner").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;
    let ran = terminal.run(&["doctor", "--data-dir", "/nonexistent/skiff"]).await.well();
    assert!(ran.out.contains("data folder: ") && ran.out.contains("All well"), "{}", ran.out);
    let secret = token(&ctx, &owner, "admin").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;
    let json = terminal.run(&["doctor", "--data-dir", "/nonexistent/skiff", "--json"]).await.well().json();
    let areas: Vec<&str> =
        json["findings"].as_array().unwrap().iter().map(|found| found["area"].as_str().unwrap()).collect();
    assert!(areas.is_empty(), "an admin's token is told nothing of the panel: {areas:?}");
    let secret = token(&ctx, &owner, "developer").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;
    let ran = terminal.run(&["doctor", "--data-dir", "/nonexistent/skiff"]).await.refused(1, "it needs the role admin");
    assert!(ran.err.contains(&format!("More: {}/docs/members#roles", program.base)), "{}", ran.err);
}

async fn first_account(world: &World) -> skiff::domain::ids::AccountId {
    let mut conn = world.db.superuser().await;
    let id: uuid::Uuid =
        sqlx::query_scalar("select id from accounts order by created_at limit 1").fetch_one(&mut conn).await.unwrap();
    skiff::domain::ids::AccountId(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_browser_it_comes_at_once_and_then_tells() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let ada = panel.signed_in("ada@example.org").await;
    let page = format!("/t/{}/doctor", owner.slug);
    let first = ada.text(&page).await;
    assert!(first.contains("hx-trigger=\"load\"") && !first.contains("PostgreSQL"), "{first}");
    let told = tokio::time::timeout(Duration::from_secs(60), ada.text(&format!("{page}?now=yes"))).await.unwrap();
    assert!(told.contains("PostgreSQL") && told.contains("All well"), "{told}");
    let by_script =
        ada.http.get(ada.at(&page)).header("hx-request", "true").send().await.unwrap().text().await.unwrap();
    assert!(by_script.contains("PostgreSQL"), "{by_script}");
}

/// Errors on pages, in the API and at the end of commands lead to the docs.
#[tokio::test]
async fn what_went_wrong_leads_to_its_place_in_the_docs() {
    let panel = Panel::open().await;
    let scene = crate::pages::scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let team = format!("/t/{}", scene.owner.slug);
    let deploy = ada.text(&format!("{team}/deploys/{}", scene.failed)).await;
    assert!(deploy.contains("href=\"/docs/deploy-failures#the-program-ended-by-itself\""), "{deploy}");
    let host = ada.text(&format!("{team}/hosts/{}", scene.host)).await;
    assert!(host.contains("href=\"/docs/host-trouble#the-clock-is-wrong\""), "a difference of its check: {host}");
    assert!(!host.contains("the-host-does-not-answer"), "{host}");
    sqlx::query("update hosts set state = 'unreachable', state_note = 'The host does not answer by SSH (timed out).' where id = $1")
        .bind(scene.host.0)
        .execute(&mut panel.db.superuser().await)
        .await
        .unwrap();
    let host = ada.text(&format!("{team}/hosts/{}", scene.host)).await;
    assert!(host.contains("href=\"/docs/host-trouble#the-host-does-not-answer\""), "{host}");
    let client = crate::api::Client::new(&panel, &token(&panel.ctx, &scene.owner.actor, "owner").await);
    let told = client.get(&format!("/deploys/{}", scene.failed)).await;
    assert_eq!(told["help"], "/docs/deploy-failures#the-program-ended-by-itself");
    assert_eq!(
        client.get(&format!("/hosts/{}", scene.host)).await["help"],
        "/docs/host-trouble#the-host-does-not-answer"
    );
    let wrong = reqwest::get(format!("{}/api/v1/apps", panel.base)).await.unwrap();
    let wrong: serde_json::Value = wrong.json().await.unwrap();
    assert_eq!(wrong["help"], "/docs/api#a-token");
    let forged = ada.post(&format!("{team}/apps"), "wrong", &[]).await.text().await.unwrap();
    assert!(forged.contains("href=\"/docs/panel-trouble#a-form-was-not-taken\""), "{forged}");
}
