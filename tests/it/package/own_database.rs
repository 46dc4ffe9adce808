//! A panel whose database is at an address of one's own: upgraded with a copy of it, and brought back with it as it was. The database is Debian's
//! own PostgreSQL on the server, and the role is no superuser: what is forced on it by row-level security is forced on its copy, too.

use super::AT;
use super::server::{Server, last};
use super::shelf::Shelf;
use crate::harness::host::TestHost;

/// With everything in it that an address must write otherwise.
const PASSWORD: &str = r"p@ss/w:r d%\x";
const IN_ADDRESS: &str = "p%40ss%2Fw%3Ar%20d%25%5Cx";
/// The server of somebody who has one: a role, its database, an extension, and a schema of theirs.
const DATABASE: &str = r#"set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update; apt-get -qq install -y --no-install-recommends postgresql >/dev/null 2>&1
systemctl start postgresql
super() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups psql -X -q -v ON_ERROR_STOP=1 "$@"); }
super -v password="$1" <<'SQL'
create role keeper login password :'password';
create database panel owner keeper;
SQL
super -d panel -c "create extension pgcrypto; create schema reports authorization keeper; create table reports.kept (a int); alter table reports.kept owner to keeper;
  alter default privileges for role postgres in schema public grant select on tables to keeper; grant create on schema public to keeper"
"#;
/// As the panel's program comes there, and what is broken in it: its first migration goes through, and its second one fails.
const HALF_MIGRATED: &str = r#"#!/bin/bash
[ "$1" = serve ] || exit 0
export PGHOST=127.0.0.1 PGUSER=keeper PGDATABASE=panel PGPASSWORD='p@ss/w:r d%\x'
psql -X -q -c "alter table accounts rename to people; create type mood as enum ('well'); create table moods (account uuid references people (id), mood mood);
  create function accounts() returns setof people language sql as 'select * from people';
  insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999999, 'newer', true, '', 0)"
echo "skiff: The database could not be brought to schema 10000000: it is newer. Nothing was changed by that step." >&2
exit 1
"#;
/// Everything there is, without what changes by itself; the walls of row-level security among it.
const SHAPE: &str = r#"(cd / && setpriv --reuid=postgres --regid=postgres --init-groups pg_dump -d panel --schema-only | grep -vE '^(\\(un)?restrict |--)') | sha256sum; super -d panel -A -t -c "select count(*) filter (where relforcerowsecurity), count(*) filter (where relrowsecurity) from pg_class; select email from accounts; select extname from pg_extension order by 1""#;
const SUPER: &str = r#"super() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups psql -X -q -v ON_ERROR_STOP=1 "$@"); }; "#;
/// Every command line there is, again and again, until told to stop.
const WATCH: &str = "setsid bash -c 'while [ ! -e /root/enough ]; do for one in /proc/[0-9]*/cmdline; do tr \"\\0\" \" \" < $one; echo; done 2>/dev/null | grep -E \"psql|pg_|keeper\"; done > /root/lines' </dev/null >/dev/null 2>&1 &";

#[tokio::test]
async fn a_database_of_ones_own_is_copied_and_put_back() {
    let shelf = Shelf::new("package-own-database").await;
    shelf.good("1.0").await;
    shelf.good("1.1").await;
    shelf.broken("1.2", HALF_MIGRATED).await;
    let hung = HALF_MIGRATED
        .replace("echo \"skiff:", "psql -X -q -c 'create view reports.people as select * from people; create sequence numbers; alter table reports.kept alter a set default nextval($$numbers$$)'\necho \"skiff:");
    shelf.broken("1.3", &hung).await;
    shelf.good("1.4").await;
    let server = Server { host: TestHost::fresh(true, &[(&shelf.folder, AT)]).await };
    server.enter(&["bash", "-c", DATABASE, "database", PASSWORD]).await.must("a PostgreSQL");
    let address = format!("DATABASE_URL=postgres://keeper:{IN_ADDRESS}@127.0.0.1:5432/panel");
    server.enter(&["env", &address, "bash", &format!("{AT}/1.0/install.sh")]).await.must("install.sh");
    server.set_up().await;
    server.runs("1.0").await;
    let shape = async || server.bash(&format!("{SUPER}{SHAPE}")).await;
    let begin = shape().await;
    assert!(begin.contains("ada@example.org") && begin.contains("pgcrypto"), "{begin}");

    // Said before anything is changed.
    for (before, words, after) in [
        (
            "mv /usr/lib/postgresql/15/bin/pg_dump /root/",
            "pg_dump of that version or a newer one is not installed here (package postgresql-client-15)",
            "mv /root/pg_dump /usr/lib/postgresql/15/bin/",
        ),
        (
            "super -d panel -c 'create table public.invoices (a int)' -c 'alter table public.invoices owner to keeper'",
            "there are tables beside the panel's, which would be put back with them: invoices",
            "super -d panel -c 'drop table public.invoices'",
        ),
        (
            "super -d panel -c 'alter table public.teams owner to postgres'",
            "the role keeper owns not all tables and functions in its schema public; SKIFF_DATABASE_OWNER_URL is",
            "super -d panel -c 'alter table public.teams owner to keeper'",
        ),
        (
            "super -d panel -c 'create view reports.apps as select * from public.apps'",
            "tables or views of other schemas hang on the panel's",
            "super -d panel -c 'drop view reports.apps'",
        ),
        (
            "super -d panel -c 'create type public.mood as enum ()'",
            "there are types beside the panel's, which has none in its schema public",
            "super -d panel -c 'drop type public.mood'",
        ),
    ] {
        server.bash(&format!("{SUPER}{before}")).await;
        let said = last(server.upgrade(&["--from", &format!("{AT}/1.1")]).await);
        assert!(
            said.contains(words) && said.ends_with("then: skiff self-upgrade --own-backup. Nothing was changed."),
            "{said}"
        );
        let look = server.upgrade(&["--check", "--from", &format!("{AT}/1.1")]).await.must("--check");
        assert!(look.contains("no copy can be made: ") && look.contains(words), "{look}");
        server.bash(&format!("{SUPER}{after}")).await;
    }
    assert_eq!(shape().await, begin);
    server.runs("1.0").await;

    server.bash(WATCH).await;
    let said = server.upgrade(&["--from", &format!("{AT}/1.1")]).await.must("self-upgrade");
    assert!(
        said.contains("The database as it was before lies in /var/lib/skiff-upgrade/dumps/before-1.1.dump.)"),
        "{said}"
    );
    server.runs("1.1").await;
    assert_eq!(shape().await, begin, "the copy changed nothing");

    let said = last(server.upgrade(&["--from", &format!("{AT}/1.2")]).await);
    assert!(said.starts_with("skiff: the upgrade to 1.2 was taken back: Skiff 1.2 is not well: it ended by itself again and again: The database could not be brought"), "{said}");
    assert!(
        server.bash("cat /var/lib/skiff-upgrade/log").await.contains("the new program changed the database"),
        "it did"
    );
    server.runs("1.1").await;
    assert_eq!(shape().await, begin, "{}", server.state().await);
    server.bash("touch /root/enough; sleep 0.2").await;
    let lines = server.bash("sort -u /root/lines").await;
    assert!(lines.contains("pg_dump -d postgres://keeper@127.0.0.1:5432/panel"), "it was seen at work");
    assert!(!lines.contains(PASSWORD) && !lines.contains(IN_ADDRESS), "a password on a command line");

    // Something of somebody's hangs on what the new program made: nothing is touched until it is removed.
    server.begin_upgrade("1.3").await;
    server.until("it cannot be put back", "grep -q 'could not be put back' /var/lib/skiff-upgrade/log").await;
    let log = server.bash("cat /var/lib/skiff-upgrade/log").await;
    assert!(log.contains("something outside the schema public hangs on the panel's tables: remove it"), "{log}");
    assert!(log.contains("The copy is /var/lib/skiff-upgrade/dumps/before-1.3.dump."), "{log}");
    assert!(log.contains("mend that, then: sudo systemctl restart skiff-upgrade"), "{log}");
    let mended = async |statement: &str| {
        server.bash(&format!("{SUPER} super -d panel -c '{statement}'; : > /var/lib/skiff-upgrade/log; systemctl reset-failed skiff-upgrade; systemctl restart skiff-upgrade")).await
    };
    mended("drop view reports.people").await;
    // No table, and still somebody's: a column would lose what fills it.
    server.until("it cannot be put back", "grep -q 'could not be put back' /var/lib/skiff-upgrade/log").await;
    let fills = "super -d panel -A -t -c \"select column_default from information_schema.columns where table_schema = 'reports'\"";
    assert_eq!(server.bash(&format!("{SUPER}{fills}")).await.trim_end(), "nextval('numbers'::regclass)");
    mended("alter table reports.kept alter a drop default").await;
    server.until_upgraded("1.1").await;
    assert_eq!(shape().await, begin);

    // Cut in the middle of the copy, with the walls down or not: they stand afterwards.
    server.begin_upgrade("1.4").await;
    server.until("it copies", "grep -qx STEP=dump /var/lib/skiff-upgrade/underway && grep -q 'a copy of the database' /var/lib/skiff-upgrade/log || test -e /var/lib/skiff-upgrade/last").await;
    server.bash("systemctl kill -s KILL skiff-upgrade").await;
    server.until_upgraded("1.4").await;
    assert_eq!(shape().await, begin);
    let own = server
        .upgrade(&["--own-backup", "--allow-downgrade", "--from", &format!("{AT}/1.1")])
        .await
        .must("--own-backup");
    assert!(own.contains("is in your own care") && own.ends_with("Skiff 1.1 runs. (It was 1.4.)\n"), "{own}");

    // What keeps the panel from starting is said with where the docs say more about that, not about installing.
    server.bash("systemctl stop skiff; mv /var/lib/skiff-panel/master.key /root/").await;
    let said = server.enter(&["/usr/lib/skiff/set-up"]).await;
    let words: Vec<&str> = said.err.lines().rev().take(2).collect();
    assert_eq!(words[0], "More: skiff docs panel-trouble#the-master-key", "{}", said.err);
    assert!(
        words[1]
            .contains("set-up: the panel does not start: The master key /var/lib/skiff-panel/master.key is not there."),
        "{}",
        said.err
    );
    server.bash("mv /root/master.key /var/lib/skiff-panel/").await;
    server.enter(&["/usr/lib/skiff/set-up"]).await.must("set-up");
    server.runs("1.1").await;
}
