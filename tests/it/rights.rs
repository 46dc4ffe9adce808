//! Every route behind the browser's door, asked by everybody, against the committed table rights.txt. A new route without a row
//! fails; `UPDATE_EXPECT=1` writes the table anew, and the difference is then read by a person.

use skiff::actions::invitations::{self, NewInvitation};
use skiff::actions::projects::{self, NewEnvironment, NewProject};
use skiff::actions::{apps, deploys};
use skiff::domain::rights::{Permission, Role};
use skiff::web::routes::{Policy, Route};

use crate::harness::door::{Panel, Visitor};
use crate::pages::scene::{self, Scene};

/// Who asks, in the order of the columns.
///
/// "dev: in" and "dev: out" are one person, a developer of one environment, asked about what is in it and what is not.
const WHO: [&str; 8] = ["nobody", "viewer", "developer", "admin", "owner", "stranger", "dev: in", "dev: out"];

/// The id of nothing.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What the routes are asked about.
#[derive(Clone)]
struct Ids {
    team: String,
    account: String,
    app: String,
    deploy: String,
    job: String,
    host: String,
    project: String,
    member: String,
    invitation: String,
    instance: String,
    route: String,
}

/// A path that names what is there.
fn real(route: &Route, ids: &Ids) -> String {
    let id = match route.path.split('/').nth(3) {
        Some("apps") => &ids.app,
        Some("deploys") => &ids.deploy,
        Some("jobs") => &ids.job,
        Some("hosts") => &ids.host,
        Some("projects") => &ids.project,
        Some("tokens") => &ids.account,
        Some("members") => &ids.member,
        Some("invitations") => &ids.invitation,
        Some("certificates") => NOBODY,
        // A hook's id alone opens nothing.
        Some("{id}" | "notices") => NOBODY,
        _ => "",
    };
    let vendored = route.path.contains("vendor");
    let name = if vendored { "ibm-plex-sans-latin-400-normal.woff2" } else { "logo.svg" };
    let fills = [
        ("{team}", ids.team.as_str()),
        ("{id}", id),
        ("{instance}", ids.instance.as_str()),
        ("{route}", ids.route.as_str()),
        ("{number}", "1"),
        ("{hash}", "000000000000"),
        ("{folder}", "ibm-plex-sans-5.3.0"),
        ("{name}", name),
        ("{provider}", "github"),
        ("{page}", "hosts"),
    ];
    fills.iter().fold(route.path.to_owned(), |path, (key, value)| path.replace(key, value))
}

/// Ids of what the scene has, and of a project beside it: an app of the environment *dev*, which Dina may develop, and
/// nothing else.
async fn ids(panel: &Panel, scene: &Scene) -> (Ids, Ids) {
    let (ctx, owner) = (&panel.ctx, &scene.owner);
    let mut conn = panel.db.superuser().await;
    let main: uuid::Uuid = sqlx::query_scalar("select id from projects limit 1").fetch_one(&mut conn).await.unwrap();
    let lab = projects::create(ctx, &owner.actor, NewProject { name: "Lab".into() }).await.unwrap();
    let form = NewEnvironment { name: "dev".into() };
    let dev = projects::create_environment(ctx, &owner.actor, lab, form).await.unwrap();
    let mut form = scene::web_form("Sketch");
    (form.environment, form.host) = (dev.to_string(), scene.host.to_string());
    let app = apps::create(ctx, &owner.actor, form).await.unwrap();
    scene::release(panel, app, 1, None).await;
    let deploy = scene::request(panel, owner, app).await;
    let job = deploys::get(ctx, &owner.actor, deploy).await.unwrap().job;
    let dina = panel.member("Dina", owner.team, Role::Developer).await;
    sqlx::query("update grants set scope_kind = 'environment', scope_id = $2 where member_id = (select id from members where account_id = $1)")
        .bind(dina.0)
        .bind(dev.0)
        .execute(&mut conn)
        .await
        .unwrap();
    let mo = panel.member("Mo", owner.team, Role::Viewer).await;
    let member: uuid::Uuid = sqlx::query_scalar("select id from members where account_id = $1")
        .bind(mo.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let form = NewInvitation { role: "viewer".into(), ..NewInvitation::default() };
    invitations::create(ctx, &owner.actor, form).await.unwrap();
    let invitation: uuid::Uuid = sqlx::query_scalar("select id from invitations").fetch_one(&mut conn).await.unwrap();
    let instance: uuid::Uuid = sqlx::query_scalar("select id from ledger_instances where app_id = $1 limit 1")
        .bind(scene.web.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let route_of = "select id from routes where app_id = $1 limit 1";
    let route: uuid::Uuid = sqlx::query_scalar(route_of).bind(scene.web.0).fetch_one(&mut conn).await.unwrap();
    let sketch: uuid::Uuid = sqlx::query_scalar(route_of).bind(app.0).fetch_one(&mut conn).await.unwrap();
    let out = Ids {
        team: owner.slug.clone(),
        account: owner.account.to_string(),
        app: scene.web.to_string(),
        deploy: scene.running.to_string(),
        job: scene.job.to_string(),
        host: scene.host.to_string(),
        project: main.to_string(),
        member: member.to_string(),
        invitation: invitation.to_string(),
        instance: instance.to_string(),
        route: route.to_string(),
    };
    let within = Ids {
        team: out.team.clone(),
        account: out.account.clone(),
        app: app.to_string(),
        deploy: deploy.to_string(),
        job: job.to_string(),
        host: out.host.clone(),
        project: lab.to_string(),
        member: out.member.clone(),
        invitation: out.invitation.clone(),
        instance: out.instance.clone(),
        route: sketch.to_string(),
    };
    (out, within)
}

/// What the door said, in a word.
fn word(answer: &reqwest::Response) -> &'static str {
    let to = answer.headers().get("location").map_or("", |to| to.to_str().unwrap());
    match answer.status().as_u16() {
        303 if to.starts_with("/login") => "sign-in",
        401 => "unsigned",
        403 => "no",
        404 => "hidden",
        // What is asked of a host, which stands nowhere here.
        503 => "away",
        405 | 500.. => "broken",
        _ => "yes",
    }
}

async fn ask(visitor: &Visitor, token: &str, route: &Route, path: &str) -> &'static str {
    let answer = match route.method {
        "GET" => visitor.get(path).await,
        _ => visitor.post(path, token, &[]).await,
    };
    word(&answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_whom_the_table_says() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let team = scene.owner.team;
    panel.member("Vera", team, Role::Viewer).await;
    panel.member("Dora", team, Role::Developer).await;
    panel.member("Alan", team, Role::Admin).await;
    let others = panel.other_team().await;
    panel.member("Olaf", others, Role::Owner).await;
    let (out, within) = ids(&panel, &scene).await;
    let mut people = vec![(panel.visitor(), panel.visitor())];
    for email in ["vera", "dora", "alan", "ada", "olaf", "dina"] {
        let email = format!("{email}@example.org");
        // A second session for signing out, so that the first goes on.
        people.push((panel.signed_in(&email).await, panel.signed_in(&email).await));
    }
    people.push((panel.signed_in("dina@example.org").await, panel.signed_in("dina@example.org").await));
    let mut rows = Vec::new();
    for route in &panel.table {
        let mut cells = Vec::new();
        for (index, (visitor, second)) in people.iter().enumerate() {
            let path = real(route, if index == 6 { &within } else { &out });
            let visitor = if route.path == "/logout" { second } else { visitor };
            let open = matches!(route.policy, Policy::Open | Policy::SetUp);
            let token = match (route.method, index) {
                ("GET", _) => String::new(),
                (_, 0) => visitor.token("/login").await,
                _ if open => visitor.form_token.clone(),
                _ => visitor.token("/account").await,
            };
            let said = match (route.path, index) {
                ("/logout", 1..) => {
                    let answer = visitor.post(&path, &token, &[]).await;
                    if answer.status() == 303 && visitor.get("/account").await.status() == 303 {
                        "yes"
                    } else {
                        "broken"
                    }
                }
                _ => ask(visitor, &token, route, &path).await,
            };
            cells.push(said);
        }
        let policy = match route.policy {
            Policy::Open => "open".to_owned(),
            Policy::SetUp => "set-up".to_owned(),
            Policy::Signed => "signed".to_owned(),
            Policy::Account => "account".to_owned(),
            Policy::Team(permission) => format!("team {permission:?}"),
        };
        if matches!(route.policy, Policy::Team(_)) {
            assert_eq!((cells[0], cells[5]), ("sign-in", "hidden"), "{} {}", route.method, route.path);
        }
        if matches!(route.policy, Policy::Team(_)) && route.path.contains("{id}") {
            assert_ne!(cells[7], "yes", "{} {} lets in somebody of another environment", route.method, route.path);
        }
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:<9}")).collect();
        rows.push(
            format!("{:<4} {:<46} {policy:<18} {}", route.method, route.path, cells.join(" ")).trim_end().to_owned(),
        );
    }
    rows.sort_by_key(|row| row.split_whitespace().map(str::to_owned).nth(1));
    let heads: Vec<String> = WHO.iter().map(|who| format!("{who:<9}")).collect();
    let head = format!("{:<4} {:<46} {:<18} {}", "", "route", "policy", heads.join(" ")).trim_end().to_owned();
    expect_test::expect_file!["rights.txt"].assert_eq(&format!("{head}\n{}\n", rows.join("\n")));
}

/// The same team, and ids of nothing in it.
fn nothing(ids: &Ids) -> Ids {
    let id = || uuid::Uuid::now_v7().to_string();
    Ids {
        team: ids.team.clone(),
        account: id(),
        app: id(),
        deploy: id(),
        job: id(),
        host: id(),
        project: id(),
        member: id(),
        invitation: id(),
        instance: id(),
        route: id(),
    }
}

/// All that an answer shows: its status, its headers but for those that differ with every answer, its body.
async fn shown(visitor: &Visitor, token: &str, method: &str, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = match method {
        "GET" => visitor.get(path).await,
        _ => visitor.post(path, token, fields).await,
    };
    let differs = ["date", "x-request-id", "set-cookie"];
    let headers = answer.headers().iter().filter(|(name, _)| !differs.contains(&name.as_str()));
    let mut headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort();
    let status = answer.status();
    format!("{status}\n{}\n{}", headers.join("\n"), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_anothers_looks_like_what_is_not_there() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let others = panel.other_team().await;
    panel.member("Olaf", others, Role::Owner).await;
    let (out, within) = ids(&panel, &scene).await;
    let (olaf, dina) = (panel.signed_in("olaf@example.org").await, panel.signed_in("dina@example.org").await);
    let (olaf_token, dina_token) = (olaf.token("/account").await, dina.token("/account").await);
    let at_home = Ids { team: "others".to_owned(), ..out.clone() };
    let no_team = Ids { team: "nobody-has-this".to_owned(), ..out.clone() };
    // Of her own app, an instance of another one.
    let hers = Ids { instance: uuid::Uuid::now_v7().to_string(), ..within.clone() };
    let mut alike = 0;
    for route in panel.table.iter().filter(|route| matches!(route.policy, Policy::Team(_))) {
        let olafs = [(&at_home, &nothing(&at_home)), (&out, &no_team)];
        let dinas = [(&out, &nothing(&out)), (&within, &hers)];
        let whole = [(&olaf, &olaf_token, olafs), (&dina, &dina_token, dinas)];
        for (visitor, token, pairs) in whole {
            for (theirs, none) in pairs {
                let (there, not) = (real(route, theirs), real(route, none));
                if there == not {
                    continue;
                }
                let there_shown = shown(visitor, token, route.method, &there, &[]).await;
                if !there_shown.starts_with("404") {
                    // Dina may see that, or is told which role it takes before anything is looked up.
                    assert!(std::ptr::eq(visitor, &dina), "{} {there}: {there_shown}", route.method);
                    continue;
                }
                let not_shown = shown(visitor, token, route.method, &not, &[]).await;
                assert_eq!(there_shown, not_shown, "{} {there} and {not}", route.method);
                alike += 1;
            }
        }
    }
    assert!(alike > 150, "{alike}");
    // In the fields of a form: the sentence beside the field is the same.
    let none = nothing(&out);
    let environment: uuid::Uuid = sqlx::query_scalar("select environment_id from apps where id = $1")
        .bind(scene.web.0)
        .fetch_one(&mut panel.db.superuser().await)
        .await
        .unwrap();
    let environment = environment.to_string();
    let mut said = Vec::new();
    for (host, environment) in [(out.host.as_str(), environment.as_str()), (&none.host, &none.project)] {
        let fields = [
            ("name", "Stolen"),
            ("from", "image"),
            ("image", "web:1"),
            ("port", "8080"),
            ("host", host),
            ("environment", environment),
        ];
        let page = shown(&olaf, &olaf_token, "POST", "/t/others/apps", &fields).await;
        said.push(page.replace(host, "HOST").replace(environment, "ENVIRONMENT"));
    }
    assert!(said[0].starts_with("422") && said[0] == said[1], "{said:#?}");
}

/// A number for all that a team has: it differs when any row of any of its tables does.
async fn all_of(panel: &Panel, team: uuid::Uuid) -> Vec<(String, String)> {
    let mut conn = panel.db.superuser().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_attribute a join pg_class c on c.oid = a.attrelid
          where a.attname = 'team_id' and c.relkind in ('r', 'p') and not c.relispartition
            and c.relnamespace = 'public'::regnamespace order by 1",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut all = Vec::new();
    for table in tables {
        let sql = format!(
            "select count(*)::text || ' ' || md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {table} t where team_id = $1"
        );
        let hash = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(team).fetch_one(&mut conn).await.unwrap();
        all.push((table, hash));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_changes_nothing_and_anothers_ids_under_ones_own_team_name_nothing() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let team = scene.owner.team;
    panel.member("Vera", team, Role::Viewer).await;
    let others = panel.other_team().await;
    panel.member("Olaf", others, Role::Owner).await;
    let (out, _) = ids(&panel, &scene).await;
    let own = Ids { team: "others".to_owned(), ..out };
    let theirs = Ids { team: scene.owner.slug.clone(), ..own.clone() };
    let (vera, olaf) = (panel.signed_in("vera@example.org").await, panel.signed_in("olaf@example.org").await);
    let (vera_token, olaf_token) = (vera.token("/account").await, olaf.token("/account").await);
    let before = all_of(&panel, team.0).await;
    assert!(before.len() > 20, "{before:?}");
    let mut asked = 0;
    for route in panel.table.iter().filter(|route| matches!(route.policy, Policy::Team(_))) {
        let path = real(route, &theirs);
        // A stranger in the team's address, and whoever may only look at what acts.
        assert_eq!(ask(&olaf, &olaf_token, route, &path).await, "hidden", "{} {path}", route.method);
        if route.method == "POST" && !matches!(route.policy, Policy::Team(Permission::View)) {
            assert_eq!(ask(&vera, &vera_token, route, &path).await, "no", "{} {path}", route.method);
        }
        // Nobody signed in sees whether it is there.
        assert_eq!(ask(&panel.visitor(), "", route, &path).await, "sign-in", "{} {path}", route.method);
        // The owner of another team, in that team's address, with this team's ids: not there, whatever he may at home.
        if route.path.contains("{id}") {
            let path = real(route, &own);
            assert_eq!(ask(&olaf, &olaf_token, route, &path).await, "hidden", "{} {path}", route.method);
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
    // And in the fields of a form.
    let environment: uuid::Uuid = sqlx::query_scalar("select environment_id from apps where id = $1")
        .bind(scene.web.0)
        .fetch_one(&mut panel.db.superuser().await)
        .await
        .unwrap();
    let (host, environment) = (scene.host.to_string(), environment.to_string());
    let fields = [
        ("name", "Stolen"),
        ("from", "image"),
        ("image", "web:1"),
        ("port", "8080"),
        ("host", host.as_str()),
        ("environment", environment.as_str()),
    ];
    let answer = olaf.post("/t/others/apps", &olaf_token, &fields).await;
    assert!(answer.status().is_client_error(), "{}", answer.status());
    assert!(!answer.text().await.unwrap().contains("fra-1"), "nor is it named");
    assert_eq!(all_of(&panel, team.0).await, before, "nothing of the team is another than it was");
    let apps: i64 = sqlx::query_scalar("select count(*) from apps where team_id = $1")
        .bind(others.0)
        .fetch_one(&mut panel.db.superuser().await)
        .await
        .unwrap();
    assert_eq!(apps, 0);
}
