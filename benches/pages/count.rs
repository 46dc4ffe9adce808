//! Counting what a page asks the database, as the server itself logs it.

use std::path::PathBuf;

use sqlx::PgConnection;

use crate::harness::door::Panel;
use crate::load;
use crate::seed::Seed;

/// The pages, in the order of the answers.
pub const PAGES: [&str; 3] = ["home", "app", "deploy"];

/// Statements of each page: the first time after something was written, and once more.
pub async fn statements(panel: &Panel, seed: &Seed<'_>, cookie: &str) -> [(usize, usize); 3] {
    let mut conn = panel.db.superuser().await;
    let log = log_file();
    let pages = [seed.home(), seed.app_pages().remove(0), seed.deploy_pages().remove(0)];
    // Once, so that whatever is prepared is prepared.
    for page in &pages {
        ask(panel, page, cookie).await;
    }
    set(&mut conn, "alter system set log_statement = 'all'").await;
    let mut counts = [(0, 0); 3];
    for (page, counted) in pages.iter().zip(&mut counts) {
        load::write(&mut conn).await;
        let before = logged(&log);
        ask(panel, page, cookie).await;
        let between = logged(&log);
        ask(panel, page, cookie).await;
        *counted = (between - before, logged(&log) - between);
    }
    set(&mut conn, "alter system reset log_statement").await;
    counts
}

async fn ask(panel: &Panel, page: &str, cookie: &str) {
    let request = reqwest::Client::new().get(format!("{}{page}", panel.base)).header("cookie", cookie);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

async fn set(conn: &mut PgConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&mut *conn).await.unwrap();
    sqlx::raw_sql("select pg_reload_conf()").execute(conn).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
}

/// The log of the server this process started.
fn log_file() -> PathBuf {
    format!("/tmp/skiff-it-pg-{}/log", std::process::id()).into()
}

fn logged(log: &PathBuf) -> usize {
    let text = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    // The listener's and the pool's signs of life are not the page's.
    let ours =
        |line: &&str| (line.contains("LOG:  execute ") || line.contains("LOG:  statement: ")) && !line.ends_with(": ");
    text.lines().filter(ours).count()
}
