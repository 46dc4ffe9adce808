//! Deploys on a real host, followed from a terminal: to the end, over a restart of the panel, or only for a while.

use skiff::actions::{accounts, members};
use skiff::domain::ids::{AccountId, MemberId};
use skiff::domain::rights::{Actor, Grant, Role, Scope};
use uuid::Uuid;

use super::terminal::{Terminal, ended, token};
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::program::Program;
use crate::harness::world::{World, ask};

/// The owner of the world's team, with an account.
pub(super) async fn owner(world: &World) -> Actor {
    member(world, "ada@example.org", Role::Owner).await.1
}

/// A member of the world's team with this role in all of it.
async fn member(world: &World, email: &str, role: Role) -> (MemberId, Actor) {
    let (account, member) = (AccountId(Uuid::now_v7()), MemberId(Uuid::now_v7()));
    let permit = &world.team.permit;
    let mut tx = world.db.begin(permit).await.unwrap();
    skiff::db::accounts::insert(&mut tx, account, &email.parse().unwrap(), email, "no hash").await.unwrap();
    skiff::db::members::insert(&mut tx, permit, member, account).await.unwrap();
    let grant = Grant { scope: Scope::Team(world.team.id), role };
    skiff::db::members::grant(&mut tx, permit, member, grant).await.unwrap();
    tx.commit().await.unwrap();
    let slug = format!("team-{}", world.team.id.simple());
    (member, accounts::actor(&world.actions(), account, &slug, "127.0.0.1").await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_is_followed_to_its_end_and_the_exit_status_is_true() {
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let actor = owner(&world).await;
    let mut program = Program::start(&world).await;
    let id = world.provision(&host).await;
    for version in ["1", "2"] {
        host.load_app(&format!("127.0.0.1:5000/hello:{version}"), version).await;
    }
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "cli.test").await;
    let name = app.id.to_string();
    let secret = token(&world.actions(), &actor, "developer").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;

    let first = terminal.run(&["deploy", &name, "--wait"]).await.well();
    assert!(first.out.contains("Release #1") && first.out.contains("serves at http://cli.test"), "{first:?}");
    assert!(first.err.contains("= ") && !first.err.contains('\u{1b}'), "steps, and no drawing in a pipe: {first:?}");
    let second = terminal.run(&["deploy", &name, "--image", "127.0.0.1:5000/hello:2", "--wait", "--json"]).await.well();
    assert_eq!((second.json()["state"].as_str(), second.json()["release"].as_i64()), (Some("succeeded"), Some(2)));
    assert!(ask(&host, "cli.test", "/").await.1.contains('2'));
    terminal.run(&["status", &name]).await.well();

    let back = terminal.run(&["rollback", &name, "--wait"]).await.well();
    assert!(back.out.contains("serves"), "{back:?}");
    assert!(ask(&host, "cli.test", "/").await.1.contains('1'));
    let releases = terminal.run(&["releases", &name, "--json"]).await.well().json();
    let serves =
        releases["items"].as_array().unwrap().iter().find(|release| release["current"] == true).unwrap().clone();
    assert_eq!(serves["number"], 1, "{releases}");

    // The panel goes away in the middle, and comes back.
    let mut spec = app.spec.clone();
    spec.variables.insert("START_DELAY_MS".parse().unwrap(), "3000".parse().unwrap());
    app.save(spec).await;
    let following = terminal.command(&["deploy", &name, "--wait"]).spawn().unwrap();
    let job = newest(&world).await;
    world.reach_step(job, "start").await;
    program.kill().await;
    program.again().await;
    let over = ended(following).await.well();
    assert!(over.out.contains("serves"), "{over:?}");

    // Ctrl-C ends the following, not the deploy.
    let followed = terminal.command(&["deploy", &name, "--wait"]).spawn().unwrap();
    let former = job;
    let job = loop {
        let job = newest(&world).await;
        if job != former {
            break job;
        }
    };
    world.reach_step(job, "start").await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(followed.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    ended(followed).await.refused(130, "goes on without this terminal");
    assert_eq!(world.over(job).await.state, "succeeded");

    // One that fails says why.
    app.set("STATUS", "500").await;
    let failed = terminal.run(&["deploy", &name, "--wait"]).await.refused(1, "The deploy failed.");
    assert!(failed.out.is_empty() && failed.err.contains("500"), "{failed:?}");
    let json = terminal.run(&["deploy", &name, "--wait", "--json"]).await;
    assert_eq!((json.code, json.json()["state"].as_str()), (1, Some("failed")), "{json:?}");
    assert_eq!(ask(&host, "cli.test", "/").await.0, 200, "the old one serves");
    let mut conn = world.db.superuser().await;
    let count = sqlx::query_scalar::<_, i64>("select count(*) from deploys where app_id = $1").bind(app.id.0);
    assert_eq!(count.fetch_one(&mut conn).await.unwrap(), 7, "each was asked for once");
    crate::harness::quiet::assert_quiet(&world.db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_asked_for_goes_on_when_she_is_removed() {
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let owner = owner(&world).await;
    let (grace, developer) = member(&world, "grace@example.org", Role::Developer).await;
    let program = Program::start(&world).await;
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "removed.test").await;
    app.set("START_DELAY_MS", "3000").await;
    let name = app.id.to_string();
    let secret = token(&world.actions(), &developer, "developer").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;

    let following = terminal.command(&["deploy", &name, "--wait"]).spawn().unwrap();
    let job = newest(&world).await;
    world.reach_step(job, "start").await;
    members::remove(&world.actions(), &owner, grace, "grace@example.org").await.unwrap();

    let told = ended(following).await;
    assert!(told.code != 0 && told.err.contains("token"), "her terminal sees no more of it: {told:?}");
    assert_eq!(world.over(job).await.state, "succeeded", "what was begun is not left half done");
    assert_eq!(ask(&host, "removed.test", "/").await.0, 200);
    terminal.run(&["deploy", &name]).await.refused(told.code, "token");
    let mut conn = world.db.superuser().await;
    let asked =
        "select count(*) from audit_events where action = 'deploy.requested' and who like '%grace@example.org%'";
    assert_eq!(
        sqlx::query_scalar::<_, i64>(asked).fetch_one(&mut conn).await.unwrap(),
        1,
        "history still says who asked"
    );
    crate::harness::quiet::assert_quiet(&world.db).await;
}

/// The job of the newest deploy that is not over, once there is one.
async fn newest(world: &World) -> skiff::domain::ids::JobId {
    let mut conn = world.db.superuser().await;
    loop {
        let newest = "select d.job_id from deploys d join jobs j on j.id = d.job_id
                      where j.state in ('queued', 'running') order by d.created_at desc limit 1";
        if let Some(job) = sqlx::query_scalar::<_, Uuid>(newest).fetch_optional(&mut conn).await.unwrap() {
            return skiff::domain::ids::JobId(job);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_removed_by_its_name_and_the_end_is_true() {
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let actor = owner(&world).await;
    let program = Program::start(&world).await;
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let app = world.app(id, "127.0.0.1:5000/hello:1", "gone.test").await;
    app.must_deploy().await;
    let name: String = sqlx::query_scalar("select name from apps where id = $1")
        .bind(app.id.0)
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    let developer = token(&world.actions(), &actor, "developer").await;
    let no = Terminal::signed_in(&program.base, &developer).await;
    no.run(&["apps", "remove", &name, "--yes", &name]).await.refused(1, "admin");
    let secret = token(&world.actions(), &actor, "owner").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;
    terminal.run(&["apps", "remove", &name]).await.refused(2, "--yes");
    terminal.run(&["apps", "remove", &name, "--yes", "another"]).await.refused(1, "name: Type");
    let flags = ["apps", "remove", &name, "--yes", &name, "--with-volume", "nothing"];
    terminal.run(&flags).await.refused(1, "volumes: The app has no volume of this name");
    assert_eq!(ask(&host, "gone.test", "/").await.0, 200);
    let ran = terminal.run(&["apps", "remove", &name, "--yes", &name]).await.well();
    assert!(ran.out.contains("is left on any host") && ran.err.contains("remove the files"), "{ran:?}");
    assert!(app.containers(&host).await.is_empty());
    assert_eq!(ask(&host, "gone.test", "/").await.0, 421);
    let list = terminal.run(&["apps", "--json"]).await.well().json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(0), "{list}");
    crate::harness::quiet::assert_quiet(&world.db).await;
}
