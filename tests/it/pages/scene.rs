//! A team in the middle of its work: hosts, apps with history, a deploy that runs, one that failed. Made by the actions where
//! they can, and by rows where a worker would have written them.

use skiff::actions::apps::{EditConfiguration, EditSource, NewApp, NewRoute, Pair};
use skiff::actions::deploys::RequestDeploy;
use skiff::actions::hosts::NewHost;
use skiff::actions::volumes::NewVolume;
use skiff::actions::{apps, deploys, hosts};
use skiff::domain::ids::{AppId, DeployId, HostId, JobId, ReleaseId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::harness::door::{Owner, Panel};

/// What is in the scene.
pub struct Scene {
    /// The owner.
    pub owner: Owner,
    /// The host.
    pub host: HostId,
    /// A web app with three releases.
    pub web: AppId,
    /// Its deploy that runs.
    pub running: DeployId,
    /// Its job.
    pub job: JobId,
    /// The deploy of a worker that failed.
    pub failed: DeployId,
}

const FACTS: &str = r#"{"os": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-26-amd64", "arch": "amd64", "cpus": 4,
  "memory_mib": 7951, "disk_mib": 78200, "disk_free_mib": 41210, "docker": "20.10.24", "haproxy": "2.6.12", "init": "systemd"}"#;

/// The form of a git app.
pub fn web_form(name: &str) -> NewApp {
    NewApp {
        name: name.into(),
        source: EditSource {
            from: "git".into(),
            git_url: "https://git.example.org/acme/shop.git".into(),
            ..EditSource::default()
        },
        configuration: EditConfiguration {
            port: "8080".into(),
            health_path: "/up".into(),
            memory_mib: "512".into(),
            instances: "2".into(),
            ..EditConfiguration::default()
        },
        routes: vec![NewRoute { domain: format!("{}.example", name.to_lowercase()), path: "/".into() }],
        variables: vec![Pair { name: "GREETING".into(), value: "Ahoy".into() }],
        secrets: vec![Pair { name: "STRIPE_KEY".into(), value: "sk_live_never_shown".into() }],
        volumes: vec![NewVolume { name: "uploads".into(), path: "/srv/uploads".into() }],
        ..NewApp::default()
    }
}

/// A host, provisioned long ago.
pub async fn ready_host(panel: &Panel, owner: &Owner, name: &str, address: &str) -> HostId {
    let input = NewHost { name: name.into(), address: address.into(), ..NewHost::default() };
    let host = hosts::create(&panel.ctx, &owner.actor, input).await.unwrap();
    let mut conn = panel.db.superuser().await;
    run(&mut conn, "update jobs set state = 'succeeded', started_at = now() - interval '70 s', finished_at = now(), lease_until = null where host_id = $1", host.0).await;
    let facts: serde_json::Value = serde_json::from_str(FACTS).unwrap();
    sqlx::query("update hosts set state = 'ready', facts = $2, seen_at = now() - interval '4 s', host_key = 'SHA256:5w8cLJ1iTqzgU0yV2m3o4Qe7hJxkPz9rYbN6tDfGsWA' where id = $1")
        .bind(host.0)
        .bind(facts)
        .execute(&mut conn)
        .await
        .unwrap();
    host
}

/// A check that found two things.
async fn differs(panel: &Panel, host: HostId) {
    let found = serde_json::json!({ "failed": "", "differences": [
        { "what": "clock", "is": "3 min behind the panel's", "should": "at most 5 s apart",
          "act": "On the server: timedatectl set-ntp true. Logs and certificates go by this clock." },
        { "what": "/etc/skiff/haproxy.cfg", "is": "differs from line 61 on", "should": "as the panel writes it", "act": "Make the host ready again." },
    ] });
    sqlx::query("update hosts set checked = $2, checked_at = now() - interval '3 h' where id = $1")
        .bind(host.0)
        .bind(found)
        .execute(&mut panel.db.superuser().await)
        .await
        .unwrap();
}

/// The whole scene.
pub async fn set(panel: &Panel) -> Scene {
    let owner = panel.owner().await;
    let host = ready_host(panel, &owner, "fra-1", "203.0.113.7").await;
    ready_host(panel, &owner, "hel-2", "198.51.100.23").await;
    let on = |form: NewApp| NewApp { host: host.to_string(), ..form };
    let web = apps::create(&panel.ctx, &owner.actor, on(web_form("Shop"))).await.unwrap();
    let mut form = on(web_form("Mailer"));
    form.source = EditSource {
        from: "image".into(),
        image: "registry.example.org/acme/mailer:2.1".into(),
        ..EditSource::default()
    };
    form.configuration = EditConfiguration { kind: "worker".into(), ..EditConfiguration::default() };
    form.routes.clear();
    let worker = apps::create(&panel.ctx, &owner.actor, form).await.unwrap();

    let history = [
        (1, "4e1f0c2", "Sell the first thing", "Grace Hopper", 52),
        (2, "b7d93aa", "cart: keep what is in it over a sign-in", "Ada Lovelace", 26),
        (3, "9f3c21a", "cart: fix the sum of three equal things", "Ada Lovelace", 3),
    ];
    let mut former = None;
    for (number, commit, subject, author, hours) in history {
        let deploy = request(panel, &owner, web).await;
        let release = release(panel, web, number, Some((commit, subject, author))).await;
        end(panel, deploy, web, release, former, hours).await;
        former = Some(release);
    }
    differs(panel, host).await;
    for position in 1..=2 {
        instance(panel, host, web, former.unwrap(), 3, position, true).await;
    }
    let mailer = request(panel, &owner, worker).await;
    let first = release(panel, worker, 1, None).await;
    end(panel, mailer, worker, first, None, 90).await;
    instance(panel, host, worker, first, 1, 1, true).await;
    let failed = request(panel, &owner, worker).await;
    fail(panel, failed).await;

    let running = request(panel, &owner, web).await;
    let job = begin(panel, running, former.unwrap()).await;
    Scene { owner, host, web, running, job, failed }
}

/// A deploy that was asked for.
pub async fn request(panel: &Panel, owner: &Owner, app: AppId) -> DeployId {
    deploys::request(&panel.ctx, &owner.actor, app, RequestDeploy::default()).await.unwrap()
}

/// A release, as a worker writes it.
pub async fn release(panel: &Panel, app: AppId, number: i32, commit: Option<(&str, &str, &str)>) -> ReleaseId {
    let id = ReleaseId(Uuid::now_v7());
    let mut conn = panel.db.superuser().await;
    let hex = format!("{:0<64}", commit.map_or("c0ffee", |commit| commit.0));
    let commit = commit.map(|(short, subject, author)| {
        serde_json::json!({ "id": format!("{short:0<40}"), "author": author, "subject": subject })
    });
    sqlx::query(
        "insert into releases (team_id, id, app_id, number, body, source, created_by)
         select a.team_id, $2, a.id, $3, jsonb_build_object('id', $2::uuid, 'app', a.id, 'environment', a.environment_id,
                'number', $3::int, 'image_id', $4::text, 'image', 'skiff/' || a.slug || ':v' || $3, 'spec', a.spec,
                'secret_versions', '{}'::jsonb, 'placement', a.placement, 'commit', $5::jsonb), s.spec, 'Ada'
           from apps a join sources s on s.team_id = a.team_id and s.id = a.source_id where a.id = $1",
    )
    .bind(app.0)
    .bind(id.0)
    .bind(number)
    .bind(format!("sha256:{hex}"))
    .bind(commit)
    .execute(&mut conn)
    .await
    .unwrap();
    run(&mut conn, "update apps set last_release = last_release + 1 where id = $1", app.0).await;
    id
}

async fn end(panel: &Panel, deploy: DeployId, app: AppId, release: ReleaseId, former: Option<ReleaseId>, hours: i32) {
    let mut conn = panel.db.superuser().await;
    sqlx::query(
        "update deploys set state = 'succeeded', release_id = $2, former_release_id = $3,
                created_at = now() - make_interval(hours => $4), started_at = now() - make_interval(hours => $4),
                finished_at = now() - make_interval(hours => $4) + interval '14.3 s' where id = $1",
    )
    .bind(deploy.0)
    .bind(release.0)
    .bind(former.map(|id| id.0))
    .bind(hours)
    .execute(&mut conn)
    .await
    .unwrap();
    run(&mut conn, "update jobs set state = 'succeeded', started_at = now() - interval '14 s', finished_at = now() where id = (select job_id from deploys where id = $1)", deploy.0).await;
    sqlx::query("update apps set current_release_id = $2, config_changed_at = now() - interval '1 d' where id = $1")
        .bind(app.0)
        .bind(release.0)
        .execute(&mut conn)
        .await
        .unwrap();
}

async fn instance(
    panel: &Panel,
    host: HostId,
    app: AppId,
    release: ReleaseId,
    number: i32,
    position: i32,
    wanted: bool,
) {
    let mut conn = panel.db.superuser().await;
    sqlx::query(
        "insert into ledger_instances (team_id, id, host_id, app_id, release_id, deploy_id, number, position, name, address,
                container_id, wanted)
         select a.team_id, $2, $3, a.id, $4, (select id from deploys where release_id = $4 limit 1), $5, $6,
                'skiff-' || a.slug || '-' || $6, ('10.64.0.' || (10 + $6 + 8 * $5))::inet, repeat('a1', 32), $7
           from apps a where a.id = $1",
    )
    .bind(app.0)
    .bind(Uuid::now_v7())
    .bind(host.0)
    .bind(release.0)
    .bind(number)
    .bind(position)
    .bind(wanted)
    .execute(&mut conn)
    .await
    .unwrap();
}

async fn fail(panel: &Panel, deploy: DeployId) {
    let mut conn = panel.db.superuser().await;
    sqlx::query(
        r#"update deploys set state = 'failed', started_at = now() - interval '63 s', finished_at = now(),
               failure = '{"why": "exited", "code": 1}'::jsonb where id = $1"#,
    )
    .bind(deploy.0)
    .execute(&mut conn)
    .await
    .unwrap();
    run(&mut conn, "update jobs set state = 'failed', reason = 'The program ended by itself with status 1.', started_at = now() - interval '63 s', finished_at = now() where id = (select job_id from deploys where id = $1)", deploy.0).await;
    steps(
        &mut conn,
        deploy,
        &[
            ("prepare", "bring the image to fra-1", "unchanged", ""),
            ("instance", "start mailer-1 on fra-1", "changed", ""),
            ("instance", "wait until mailer-1 is healthy", "failed", "exited with status 1 after 0.4 s"),
            ("instance", "stop the old mailer-1", "skipped", ""),
        ],
    )
    .await;
    lines(
        &mut conn,
        deploy,
        &[
            ("skiff", "Starting mailer-1 on fra-1."),
            ("err", "Traceback (most recent call last):"),
            ("err", "  File \"/srv/mailer.py\", line 12, in <module>"),
            ("err", "    \u{1b}[31mKeyError: 'SMTP_HOST'\u{1b}[0m"),
            ("skiff", "mailer-1 ended by itself with status 1. The old release goes on serving."),
        ],
    )
    .await;
}

async fn begin(panel: &Panel, deploy: DeployId, former: ReleaseId) -> JobId {
    let mut conn = panel.db.superuser().await;
    let job: Uuid = sqlx::query_scalar("select job_id from deploys where id = $1")
        .bind(deploy.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    run(&mut conn, "update jobs set state = 'running', started_at = now() - interval '7 s', lease_until = now() + interval '1 h', leased_by = 'a test' where id = $1", job).await;
    sqlx::query("update deploys set state = 'running', started_at = now() - interval '7 s', former_release_id = $2 where id = $1")
        .bind(deploy.0)
        .bind(former.0)
        .execute(&mut conn)
        .await
        .unwrap();
    steps(
        &mut conn,
        deploy,
        &[
            ("source", "fetch 77ab01c from main", "changed", "0.3 s behind the forge"),
            ("source", "build the image on fra-1", "changed", "7 steps, 5 cached"),
            ("prepare", "bring the image to fra-1", "unchanged", ""),
            ("first instance", "create shop-3 on fra-1", "changed", ""),
            ("first instance", "start shop-3", "changed", ""),
            ("first instance", "wait until shop-3 is healthy", "running", "answers 503"),
            ("first instance", "add shop-3 to the proxy", "planned", ""),
            ("after the switch", "drain shop-1 (30 s at most)", "planned", ""),
            ("after the switch", "stop shop-1", "planned", ""),
            ("watch", "watch for 60 s", "planned", ""),
        ],
    )
    .await;
    lines(
        &mut conn,
        deploy,
        &[
            ("skiff", "Fetched 77ab01c \"basket: a lighter one\" from main."),
            ("out", "\u{1b}[1m#1\u{1b}[0m [build 1/5] FROM docker.io/library/rust:1.94 \u{1b}[2mCACHED\u{1b}[0m"),
            ("out", "\u{1b}[1m#2\u{1b}[0m [build 2/5] WORKDIR /src \u{1b}[2mCACHED\u{1b}[0m"),
            ("out", "\u{1b}[1m#5\u{1b}[0m [build 5/5] RUN cargo build --release"),
            ("out", "   \u{1b}[1;32mCompiling\u{1b}[0m shop v0.4.2 (/src)"),
            ("err", "\u{1b}[1;33mwarning\u{1b}[0m: unused variable: `sum`"),
            ("out", "    \u{1b}[1;32mFinished\u{1b}[0m `release` profile [optimized] target(s) in 9.71s"),
            ("skiff", "Built in 11.2 s. Starting shop-3 on fra-1 at 10.64.0.34."),
            ("out", "2026-11-21T07:38:12Z INFO listening on 0.0.0.0:8080"),
            ("skiff", "GET /up answers 503; asking again every 250 ms for 60 s at most."),
        ],
    )
    .await;
    JobId(job)
}

async fn steps(conn: &mut PgConnection, deploy: DeployId, all: &[(&str, &str, &str, &str)]) {
    for (index, (stage, words, state, note)) in all.iter().enumerate() {
        sqlx::query(
            "insert into job_steps (team_id, job_id, seq, stage, words, state, note, started_at, finished_at)
             select team_id, job_id, $2, $3, $4, $5, $6,
                    case when $5 in ('planned', 'skipped') then null else now() - make_interval(secs => 7 - 0.6 * $2) end,
                    case when $5 in ('planned', 'skipped', 'running') then null else now() - make_interval(secs => 6.7 - 0.6 * $2) end
               from deploys where id = $1",
        )
        .bind(deploy.0)
        .bind(i32::try_from(index).unwrap() + 1)
        .bind(stage)
        .bind(words)
        .bind(state)
        .bind(note)
        .execute(&mut *conn)
        .await
        .unwrap();
    }
}

/// Lines of a deploy's log, numbered on from those that are there.
pub async fn lines(conn: &mut PgConnection, deploy: DeployId, all: &[(&str, &str)]) {
    for (stream, text) in all {
        sqlx::query(
            "insert into job_log (team_id, job_id, seq, stream, offset_bytes, line)
             select team_id, job_id, 1 + coalesce((select max(seq) from job_log l where l.job_id = d.job_id), 0), $2, 0, $3
               from deploys d where id = $1",
        )
        .bind(deploy.0)
        .bind(stream)
        .bind(text.as_bytes())
        .execute(&mut *conn)
        .await
        .unwrap();
    }
}

async fn run(conn: &mut PgConnection, statement: &'static str, id: Uuid) {
    sqlx::query(statement).bind(id).execute(conn).await.unwrap();
}
