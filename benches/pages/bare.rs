//! The pages to compare with: a handler, one indexed query, a template. No session, no rights, no frame.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use skiff::door::server::{Limits, serve as accept};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::door::Panel;
use crate::seed::Seed;

/// As many connections as the panel's pages have.
const CONNECTIONS: u32 = 12;

#[derive(Clone)]
struct Bare {
    pool: PgPool,
    team: Uuid,
}

#[derive(sqlx::FromRow)]
struct App {
    id: Uuid,
    name: String,
    domain: Option<String>,
    created_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct Release {
    number: i32,
    commit_id: Option<String>,
    created_by: String,
    created_at: OffsetDateTime,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html><title>Apps</title><table>{% for app in apps %}
<tr><th><a href="/apps/{{ app.id }}">{{ app.name }}</a><td>{% if let Some(domain) = app.domain %}<a href="http://{{ domain }}/">{{ domain }}</a>{% endif %}<td>{{ app.created_at }}</tr>{% endfor %}</table>"#
)]
struct Apps {
    apps: Vec<App>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html><title>Releases</title><table>{% for release in releases %}
<tr><th>v{{ release.number }}<td>{% if let Some(commit) = release.commit_id %}<code>{{ commit }}</code>{% endif %}<td>{{ release.created_by }}<td>{{ release.created_at }}</tr>{% endfor %}</table>"#
)]
struct Releases {
    releases: Vec<Release>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html><title>Log</title><ol>{% for (seq, at, line) in lines %}
<li value="{{ seq }}"><time>{{ at }}</time> {{ line }}</li>{% endfor %}</ol>"#
)]
struct Log {
    lines: Vec<(i64, OffsetDateTime, String)>,
}

/// Serves them beside the panel; gives host and port.
pub async fn serve(panel: &Panel, seed: &Seed<'_>) -> String {
    let options = panel.db.settings.owner.clone().username("postgres");
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false).connect_lazy_with(options);
    let router = Router::new()
        .route("/home", get(apps))
        .route("/apps/{id}", get(releases))
        .route("/deploys/{id}", get(log))
        .route("/one", get(one))
        .with_state(Bare { pool, team: seed.team() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    tokio::spawn(accept(listener, router, Limits::default(), CancellationToken::new()));
    authority
}

fn page<T: Template>(template: &T) -> impl IntoResponse + use<T> {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], template.render().unwrap())
}

async fn apps(State(bare): State<Bare>) -> impl IntoResponse {
    let apps = sqlx::query_as("select id, name, domain, created_at from apps where team_id = $1 order by name, id")
        .bind(bare.team)
        .fetch_all(&bare.pool)
        .await
        .unwrap();
    page(&Apps { apps })
}

async fn one(State(bare): State<Bare>) -> impl IntoResponse {
    let apps = sqlx::query_as("select id, name, domain, created_at from apps where team_id = $1 limit 1")
        .bind(bare.team)
        .fetch_all(&bare.pool)
        .await
        .unwrap();
    page(&Apps { apps })
}

async fn releases(State(bare): State<Bare>, Path(app): Path<Uuid>) -> impl IntoResponse {
    let releases = sqlx::query_as(
        "select number, commit_id, created_by, created_at from releases
          where team_id = $1 and app_id = $2 order by number desc limit 20",
    )
    .bind(bare.team)
    .bind(app)
    .fetch_all(&bare.pool)
    .await
    .unwrap();
    page(&Releases { releases })
}

async fn log(State(bare): State<Bare>, Path(job): Path<Uuid>) -> impl IntoResponse {
    let lines = sqlx::query_as(
        "select seq, at, convert_from(line, 'UTF8') from job_log where job_id = $1 order by seq limit 500",
    )
    .bind(job)
    .fetch_all(&bare.pool)
    .await
    .unwrap();
    page(&Log { lines })
}
