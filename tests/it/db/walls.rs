//! Row-level security, append-only history, and the sentences of a start that cannot be.

use skiff::db::Db;
use skiff::domain::rights::Permit;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use crate::harness::postgres::{empty_database, fresh_database};
use crate::harness::team::TestTeam;

/// Every table with the column, from the catalogue: a table added later is tested without a line here.
async fn team_tables(conn: &mut PgConnection) -> Vec<String> {
    let rows = sqlx::query(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
          where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attname = 'team_id'
          order by 1",
    );
    rows.fetch_all(conn).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Puts one row of the team into every table, as a superuser without triggers and foreign keys: what the row says does
/// not matter, only whose it is.
async fn fill(conn: &mut PgConnection, table: &str, team: Uuid) {
    let columns = sqlx::query(
        "select attname, format_type(atttypid, null), exists (
                  select from pg_constraint k where k.conrelid = attrelid and k.contype = 'c' and attnum = any(k.conkey)
                    and pg_get_constraintdef(k.oid) like '%ARRAY%')
           from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped and attnotnull
            and not atthasdef",
    )
    .bind(table)
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for column in &columns {
        let (name, kind): (String, String) = (column.get(0), column.get(1));
        let value = match (name.as_str(), kind.as_str()) {
            ("team_id", _) => format!("'{team}'"),
            ("scope_kind", _) => "'host'".into(),
            ("owner_kind", _) => "'app'".into(),
            ("role", _) => "'viewer'".into(),
            ("provider", _) => "'github'".into(),
            ("stream", _) => "'out'".into(),
            (_, "uuid") => format!("'{}'", Uuid::new_v4()),
            (_, "jsonb") => "'{}'".into(),
            (_, "bytea") => "'\\x00'".into(),
            (_, "inet") => "'10.0.0.1'".into(),
            (_, "boolean") => "false".into(),
            (_, "timestamp with time zone") => "now()".into(),
            (_, "smallint" | "integer" | "bigint") => "(random() * 50 + 1)::int".into(),
            _ => format!("'{}'", Uuid::new_v4().simple()),
        };
        names.push(name);
        values.push(value);
    }
    let insert = format!("insert into {table} ({}) values ({})", names.join(", "), values.join(", "));
    sqlx::raw_sql(AssertSqlSafe(insert.clone()))
        .execute(conn)
        .await
        .unwrap_or_else(|error| panic!("{insert}: {error}"));
}

async fn seen(conn: &mut PgConnection, table: &str) -> i64 {
    let count = AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(count).fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn no_table_shows_another_teams_rows() {
    let db = fresh_database().await;
    let (ours, theirs) = (TestTeam::new(&db).await, TestTeam::new(&db).await);
    let mut superuser = db.superuser().await;
    sqlx::raw_sql("set session_replication_role = replica").execute(&mut superuser).await.unwrap();
    let tables = team_tables(&mut superuser).await;
    assert!(tables.len() > 20, "{tables:?}");
    for table in &tables {
        // A partition is filled through its parent, except where only it is asked.
        let (rows, policies): (bool, i64) = sqlx::query_as(
            "select c.relrowsecurity and c.relforcerowsecurity, (select count(*) from pg_policy p where p.polrelid = c.oid)
               from pg_class c where c.oid = $1::regclass",
        )
        .bind(table)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
        assert!(rows, "{table} has no row-level security");
        let partition = table.starts_with("job_log_") && table != "job_log_ends";
        assert_eq!(policies == 0, partition, "{table}");
        if !partition {
            fill(&mut superuser, table, theirs.id.0).await;
        }
    }
    let counted: i64 = seen(&mut superuser, "job_log").await;
    assert_eq!(counted, 1, "the rows are really there");

    for table in &tables {
        let worker = Permit::of_claimed_row(ours.id);
        let mut of_us = db.begin(&ours.permit).await.unwrap();
        let mut of_our_job = db.begin(&worker).await.unwrap();
        let mut of_the_door = db.begin_door().await.unwrap();
        let mut of_the_queue = db.begin_worker().await.unwrap();
        assert_eq!(seen(&mut of_us, table).await, 0, "{table} shows them to us");
        assert_eq!(seen(&mut of_our_job, table).await, 0, "{table} shows them to our jobs");
        let door =
            i64::from(["members", "grants", "api_tokens", "invitations", "hooks", "routes"].contains(&table.as_str()));
        assert_eq!(seen(&mut of_the_door, table).await, door, "{table} at the door");
        let queue = i64::from(["jobs", "host_sights", "acme_turns"].contains(&table.as_str()));
        assert_eq!(seen(&mut of_the_queue, table).await, queue, "{table} to the queue");
        let mut nobody = sqlx::Connection::begin(&mut superuser).await.unwrap();
        sqlx::raw_sql("set local role skiff_app").execute(&mut *nobody).await.unwrap();
        assert_eq!(seen(&mut nobody, table).await, 0, "{table} without a team");
    }
    for table in &tables {
        let partition = table.starts_with("job_log_") && table != "job_log_ends";
        if !partition {
            let mut of_them = db.begin(&theirs.permit).await.unwrap();
            assert_eq!(seen(&mut of_them, table).await, 1, "{table} shows them their own");
        }
    }
}

#[tokio::test]
async fn a_row_cannot_be_written_for_another_team() {
    let db = fresh_database().await;
    let (ours, theirs) = (TestTeam::new(&db).await, TestTeam::new(&db).await);
    let mut tx = db.begin(&ours.permit).await.unwrap();
    let write = sqlx::query("insert into projects (team_id, id, slug, name) values ($1, $2, 'shop', 'Shop')")
        .bind(theirs.id.0)
        .bind(Uuid::now_v7());
    let error = write.execute(&mut *tx).await.unwrap_err();
    assert!(error.to_string().contains("row-level security"), "{error}");
}

#[tokio::test]
async fn the_app_role_is_no_worker() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut tx = db.begin(&team.permit).await.unwrap();
    sqlx::query("insert into jobs (id, team_id, kind, args, title, cause) values ($1, $2, 'any', '{}', 'Any', '{}')")
        .bind(Uuid::now_v7())
        .bind(team.id.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut door = db.begin_door().await.unwrap();
    sqlx::raw_sql("set local skiff.scope = 'worker'").execute(&mut *door).await.unwrap();
    assert_eq!(seen(&mut door, "jobs").await, 0, "saying so is not enough");
}

#[tokio::test]
async fn the_audit_is_never_changed() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut tx = db.begin(&team.permit).await.unwrap();
    sqlx::query("insert into audit_events (team_id, id, who, action, subject_kind) values ($1, $2, 'Ada', 'app.created', 'app')")
        .bind(team.id.0)
        .bind(Uuid::now_v7())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for change in ["update audit_events set who = 'Eve'", "delete from audit_events"] {
        let mut tx = db.begin(&team.permit).await.unwrap();
        let error = sqlx::raw_sql(change).execute(&mut *tx).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "the app's role: {error}");
        let mut superuser = db.superuser().await;
        let error = sqlx::raw_sql(change).execute(&mut superuser).await.unwrap_err();
        assert!(error.to_string().contains("never changed"), "any role: {error}");
    }
}

#[tokio::test]
async fn a_newer_programs_database_is_refused() {
    let db = fresh_database().await;
    let mut superuser = db.superuser().await;
    sqlx::raw_sql(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (99999, 'from the future', true, '\\x00', 0)",
    )
    .execute(&mut superuser)
    .await
    .unwrap();
    let said = Db::connect(&db.settings).await.unwrap_err().to_string();
    assert!(said.starts_with("This database was migrated by a newer Skiff (its schema is 99999"), "{said}");
}

#[tokio::test]
async fn migrations_run_once_however_many_start() {
    let db = empty_database().await;
    let starts = (0..4).map(|_| Db::connect(&db.settings));
    for started in futures_util::future::join_all(starts).await {
        started.unwrap().ping().await.unwrap();
    }
    Db::connect(&db.settings).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    use skiff::db::DatabaseSettings;
    let db = fresh_database().await;
    let said = Db::connect(&db.settings.with_database("nowhere")).await.unwrap_err().to_string();
    assert!(said.contains("refuses: database \"nowhere\" does not exist"), "{said}");
    let said = DatabaseSettings::from_urls("mysql://ada:secret@x/y", None, None).unwrap_err().to_string();
    assert!(said.contains("postgres://user:password@host/database"), "{said}");
    assert!(!said.contains("secret"), "{said}");
    let shown = format!("{:?}", DatabaseSettings::from_urls("postgres://ada:secret@x/y", None, None).unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}
