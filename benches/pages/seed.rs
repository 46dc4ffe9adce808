//! A full panel: apps made by the actions, their history by rows as workers would have written them.

use skiff::actions::apps;
use skiff::domain::ids::HostId;
use uuid::Uuid;

use crate::harness::door::{Owner, Panel};
use crate::scene::{ready_host, web_form};

/// Releases of one app; each was deployed once, and each deploy said `LINES` lines: 2,000 releases and 1,000,000 lines in 200 apps.
const RELEASES: i32 = 10;
const LINES: i32 = 500;

pub struct Seed<'a> {
    panel: &'a Panel,
    owner: Owner,
    host: HostId,
    apps: Vec<Uuid>,
    /// Deploy and job of each app's last release.
    deploys: Vec<(Uuid, Uuid)>,
}

impl<'a> Seed<'a> {
    /// A team with four hosts and no app.
    pub async fn begin(panel: &'a Panel) -> Self {
        let owner = panel.owner().await;
        let host = ready_host(panel, &owner, "fra-1", "203.0.113.7").await;
        for number in 2..=4 {
            ready_host(panel, &owner, &format!("fra-{number}"), &format!("203.0.113.{}", number + 6)).await;
        }
        Self { panel, owner, host, apps: Vec::new(), deploys: Vec::new() }
    }

    /// Adds apps with their history until there are so many.
    pub async fn grow(&mut self, apps: usize) {
        let mut conn = self.panel.db.superuser().await;
        while self.apps.len() < apps {
            let mut form = web_form(&format!("Shop {:03}", self.apps.len() + 1));
            form.host = self.host.to_string();
            form.routes[0].domain = format!("shop-{}.example", self.apps.len() + 1);
            let app = apps::create(&self.panel.ctx, &self.owner.actor, form).await.unwrap();
            for statement in HISTORY {
                sqlx::query(statement).bind(app.0).bind(RELEASES).bind(LINES).execute(&mut conn).await.unwrap();
            }
            self.apps.push(app.0);
            let last = "select id, job_id from deploys where app_id = $1 order by created_at desc limit 1";
            self.deploys.push(sqlx::query_as(last).bind(app.0).fetch_one(&mut conn).await.unwrap());
        }
        for table in ["apps", "releases", "deploys", "jobs", "job_steps", "job_log", "ledger_instances"] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("vacuum analyze {table}"))).execute(&mut conn).await.unwrap();
        }
        sqlx::raw_sql("checkpoint").execute(&mut conn).await.unwrap();
    }

    /// From now on only so many apps are asked for, spread over all.
    pub fn shown(&mut self, apps: usize) {
        let step = self.apps.len() / apps;
        self.apps = self.apps.iter().copied().step_by(step).collect();
        self.deploys = self.deploys.iter().copied().step_by(step).collect();
    }

    pub fn team(&self) -> Uuid {
        self.owner.team.0
    }

    pub fn home(&self) -> String {
        format!("/t/{}", self.owner.slug)
    }

    pub fn app_pages(&self) -> Vec<String> {
        self.ids(&format!("/t/{}/apps/", self.owner.slug))
    }

    pub fn ids(&self, before: &str) -> Vec<String> {
        self.apps.iter().map(|app| format!("{before}{app}")).collect()
    }

    pub fn deploy_pages(&self) -> Vec<String> {
        self.deploys.iter().map(|(deploy, _)| format!("/t/{}/deploys/{deploy}", self.owner.slug)).collect()
    }

    /// The bare page finds the log by its job.
    pub fn deploy_ids(&self, before: &str) -> Vec<String> {
        self.deploys.iter().map(|(_, job)| format!("{before}{job}")).collect()
    }
}

/// One app's history: $1 the app, $2 how many releases, $3 how many lines each.
const HISTORY: [&str; 6] = [
    "insert into releases (team_id, id, app_id, number, body, source, created_by, created_at)
     select a.team_id, r.id, a.id, r.number,
            jsonb_build_object('id', r.id, 'app', a.id, 'environment', a.environment_id, 'number', r.number,
              'image_id', 'sha256:' || encode(sha256(r.number::text::bytea), 'hex'), 'image', 'skiff/' || a.slug || ':v' || r.number,
              'spec', a.spec, 'secret_versions', '{}'::jsonb, 'placement', a.placement,
              'commit', jsonb_build_object('id', encode(sha1.h, 'hex'), 'author', 'Ada Lovelace', 'subject', 'cart: fix the sum of three')),
            s.spec, 'Ada', now() - make_interval(hours => $2 - r.number)
       from apps a join sources s on s.team_id = a.team_id and s.id = a.source_id,
            lateral (select gen_random_uuid() as id, number from generate_series(1, $2::int) number) r,
            lateral (select substring(sha256((a.id::text || r.number)::bytea) for 20) as h) sha1
      where a.id = $1 and $3::int > 0",
    "insert into jobs (id, team_id, kind, args, title, state, cause, created_at, started_at, finished_at)
     select r.id, r.team_id, 'deploy', '{}', 'Deploy ' || a.name, 'succeeded',
            (select jsonb_build_object('by', 'person', 'account', m.account_id, 'name', 'Ada') from members m where m.team_id = a.team_id limit 1), r.created_at, r.created_at, r.created_at + interval '9 s'
       from releases r join apps a on a.team_id = r.team_id and a.id = r.app_id where a.id = $1 and $2::int + $3::int > 0",
    "insert into deploys (team_id, id, app_id, job_id, target, release_id, former_release_id, state, plan, switched_at, cause,
                          created_at, started_at, finished_at)
     select r.team_id, gen_random_uuid(), r.app_id, r.id, '{\"to\": \"head\"}', r.id,
            (select f.id from releases f where f.app_id = r.app_id and f.number = r.number - 1), 'succeeded', null,
            r.created_at + interval '7 s', j.cause, r.created_at, r.created_at, r.created_at + interval '9 s'
       from releases r join jobs j on j.team_id = r.team_id and j.id = r.id where r.app_id = $1 and $2::int + $3::int > 0",
    "insert into job_steps (team_id, job_id, seq, stage, words, state, note, started_at, finished_at)
     select r.team_id, r.id, n, (array['source', 'prepare', 'first instance', 'after the switch'])[1 + (n - 1) / 3],
            'start shop-' || n || ' on fra-1', 'changed', 'seen after 0.3 s', r.created_at + make_interval(secs => 0.8 * n),
            r.created_at + make_interval(secs => 0.8 * n + 0.7)
       from releases r, generate_series(1, 11) n where r.app_id = $1 and $2::int + $3::int > 0",
    "insert into job_log (team_id, job_id, seq, at, stream, step, offset_bytes, line)
     select r.team_id, r.id, n, r.created_at + make_interval(secs => 0.015 * n), 'out', 1 + n / 50, n * 77,
            convert_to(E'\\x1b[1;32m   Compiling\\x1b[0m something-or-other v0.4.' || n || ' (/src/crates/something)', 'UTF8')
       from releases r, generate_series(1, $3::int) n where r.app_id = $1 and $2::int > 0",
    "with current as (
       update apps a set current_release_id = r.id, last_release = r.number
         from releases r where r.app_id = a.id and r.number = $2 and a.id = $1 and $3::int > 0
       returning a.team_id, a.id, a.slug, r.id as release, r.number)
     insert into ledger_instances (team_id, id, host_id, app_id, release_id, deploy_id, number, position, name, address, container_id,
                                   wanted, seen, seen_at)
     select c.team_id, gen_random_uuid(), h.id, c.id, c.release, d.id, c.number, p, 'skiff-' || c.slug || '-' || c.number || '-' || p,
            ('10.64.0.0'::inet + (select count(*) from ledger_instances) + p), repeat('a1', 32), true, 'up', now()
       from current c join deploys d on d.release_id = c.release join hosts h on h.team_id = c.team_id and h.name = 'fra-1',
            generate_series(1, 2) p",
];
