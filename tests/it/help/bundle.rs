//! The support bundle: what is in it, and that none of the secrets that were planted everywhere is.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use flate2::read::GzDecoder;
use uuid::Uuid;

use skiff::actions::doctor::SEALED;

use super::doctor::local;
use crate::cli::terminal::ended;
use crate::harness::host::TestHost;
use crate::harness::world::World;

/// Secrets, by where each was planted. None of them looks like one, so that only knowing them helps.
const PLANTED: [&str; 13] = [
    "plain-looking words of an app",
    "another hidden value 77",
    "registry password here",
    "value of a former version",
    "hook-secret-under-test",
    "once-given-password",
    "https://ntfy.example/hidden-topic-of-ours",
    "mail-server-password-9",
    "token-of-the-keeper-of-domains",
    "YmluZGluZyBrZXkgb2YgMzIgYnl0ZXM",
    "account-key-at-the-authority",
    "key-of-an-order-under-way",
    "line-of-a-private-key-of-a-certificate",
];
/// What binds the account, as bytes: entered and shown as base64url.
const BINDING: &[u8] = b"binding key of 32 bytes";
/// A certificate is for everybody: it stays readable.
const PUBLIC: &str = "line-of-a-certificate-itself";

/// What looks like a secret, and is known to nobody.
const GUESSED: [(&str, &str); 4] = [
    ("set up at http://127.0.0.1:7070/setup?token=Zk3NotKnownToken9", "Zk3NotKnownToken9"),
    ("GET /x Authorization: Bearer skf_4bUnknownBearer", "4bUnknownBearer"),
    ("connecting to postgres://other:UnknownPw42@db.example/x", "UnknownPw42"),
    ("{\"password\": \"unknown, in json\"}", "unknown, in json"),
];

/// The texts in an archive.
fn unpack(archive: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (name, text)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_in_a_bundle_wherever_it_was_planted() {
    let (host, world) = (TestHost::light().await, World::idle(crate::harness::postgres::fresh_database().await).await);
    let id = world.add_host(&host).await;
    let app = world.app(id, "127.0.0.1:5000/hello:1", "shop.example.org").await;
    world.secret("app", app.id.0, "A", PLANTED[0]).await;
    world.secret("source", app.source.0, "B", PLANTED[1]).await;
    world.secret("host", id.0, "registry password", PLANTED[2]).await;
    world.secret("app", Uuid::now_v7(), "C", PLANTED[3]).await;
    let ctx = world.actions();
    let mut conn = world.db.superuser().await;
    let data_key: Vec<u8> = sqlx::query_scalar("select data_key from teams where id = $1")
        .bind(world.team.id.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    // A hook's secret.
    let hook = Uuid::now_v7();
    let place = skiff::vault::Context { table: "hooks", column: "sealed", team: world.team.id, row: hook, version: 1 };
    let sealed = ctx.vault.seal(&data_key, &place, PLANTED[4].as_bytes()).unwrap();
    sqlx::query("insert into hooks (team_id, id, app_id, provider, sealed) values ($1, $2, $3, 'github', $4)")
        .bind(world.team.id.0)
        .bind(hook)
        .bind(app.id.0)
        .bind(sealed)
        .execute(&mut conn)
        .await
        .unwrap();
    // What was given to sign in with once.
    let pass = skiff::remote::Pass::Password(skiff::domain::secret::Secret::new(PLANTED[5].to_owned()));
    let given = Uuid::now_v7();
    let sealed = ctx
        .vault
        .seal(&data_key, &skiff::vault::Context::host_pass(world.team.id, given), pass.to_keep().expose())
        .unwrap();
    sqlx::query("insert into host_passes (team_id, host_id, id, sealed) values ($1, $2, $3, $4)")
        .bind(world.team.id.0)
        .bind(id.0)
        .bind(given)
        .bind(sealed)
        .execute(&mut conn)
        .await
        .unwrap();

    // Notices: a channel and a mail server.
    let seal = |place: skiff::vault::Context, value: &str| ctx.vault.seal(&data_key, &place, value.as_bytes()).unwrap();
    let team = world.team.id;
    let id_of_channel = Uuid::now_v7();
    let target = serde_json::json!({ "ntfy": { "url": PLANTED[6], "token": null } }).to_string();
    sqlx::query("insert into notice_channels (team_id, id, name, service, sealed, leads_to) values ($1, $2, 'ops', 'ntfy', $3, 'a topic')")
        .bind(team.0)
        .bind(id_of_channel)
        .bind(seal(skiff::vault::Context::notice_channel(team, id_of_channel, 1), &target))
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::query("insert into notice_mail (team_id, host, port, security, username, sealed, sender) values ($1, 'mail.example', 587, 'starttls', 'ops', $2, 'ops@example.org')")
        .bind(team.0)
        .bind(seal(skiff::vault::Context::notice_mail(team, 1), PLANTED[7]))
        .execute(&mut conn)
        .await
        .unwrap();
    // Certificates: who keeps domains, the panel's binding, the team's account, an order under way, and one that was got.
    let (keeper, account, order) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    sqlx::query("insert into dns_accounts (team_id, id, name, kind, sealed) values ($1, $2, 'ours', 'cloudflare', $3)")
        .bind(team.0)
        .bind(keeper)
        .bind(seal(skiff::vault::Context::dns_account(team, keeper), PLANTED[8]))
        .execute(&mut conn)
        .await
        .unwrap();
    // On loopback, where nobody listens: the doctor asks it for the time.
    let directory = "https://127.0.0.1:9/directory";
    sqlx::query("insert into acme_settings (directory, email, ca_root, eab_id, eab_sealed, terms_agreed_by, terms_agreed_at) values ($1, '', '', 'kid', $2, 'Ada', now())")
        .bind(directory)
        .bind(ctx.vault.seal_for_panel(&skiff::vault::Context::acme_binding(), BINDING))
        .execute(&mut conn)
        .await
        .unwrap();
    let credentials = serde_json::json!({ "id": "https://ca.example/1", "key_pkcs8": PLANTED[10] }).to_string();
    sqlx::query("insert into acme_accounts (team_id, id, directory, eab_id, sealed) values ($1, $2, $3, 'kid', $4)")
        .bind(team.0)
        .bind(account)
        .bind(directory)
        .bind(ctx.vault.seal_for_panel(&skiff::vault::Context::acme_account(account), credentials.as_bytes()))
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::query("insert into acme_orders (team_id, id, names, names_key, order_key) values ($1, $2, '{shop.example.org}', 'x', $3)")
        .bind(team.0)
        .bind(order)
        .bind(seal(skiff::vault::Context::acme_key(team, order), PLANTED[11]))
        .execute(&mut conn)
        .await
        .unwrap();
    let (certificate, version) = (Uuid::now_v7(), Uuid::now_v7());
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{PUBLIC}\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        PLANTED[12]
    );
    sqlx::query("insert into certificates (team_id, id, origin) values ($1, $2, 'uploaded')")
        .bind(team.0)
        .bind(certificate)
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::query("insert into certificate_versions (team_id, id, certificate_id, sealed, names, issuer, serial, fingerprint, not_before, not_after) values ($1, $2, $3, $4, '{other.example.org}', 'x', '1', 'x', now(), now() + interval '90 days')")
        .bind(team.0)
        .bind(version)
        .bind(certificate)
        .bind(seal(skiff::vault::Context::certificate(team, version), &pem))
        .execute(&mut conn)
        .await
        .unwrap();
    // Nothing that can be sealed was forgotten.
    for (table, column) in SEALED {
        let sql = format!("select exists (select from {table} where {column} is not null)");
        let planted: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut conn).await.unwrap();
        assert!(planted, "nothing is planted in {table}.{column}");
    }

    // All of them are said wherever a text could carry one: in reasons of jobs, in the note and the facts of a host, in what a check found,
    // in names, and in the panel's log.
    let mut all: Vec<String> = PLANTED.map(str::to_owned).to_vec();
    all.push(PUBLIC.to_owned());
    all.extend(GUESSED.map(|(text, _)| text.to_owned()));
    let key = std::fs::read_to_string(world.data_dir().join("master.key")).unwrap();
    all.push(key.trim().to_owned());
    all.push(host.root_key.replace('\n', " "));
    let everything = all.join(" and ");
    for said in &all {
        sqlx::query("insert into jobs (id, team_id, kind, args, title, cause, state, reason, finished_at) values (gen_random_uuid(), $1, 'tidy', '{}', $2, '{\"by\": \"system\", \"why\": \"x\", \"deploy\": null}', 'failed', $2, now())")
            .bind(world.team.id.0).bind(said).execute(&mut conn).await.unwrap();
    }
    let checked = serde_json::json!({ "failed": "", "differences": [{ "what": "proxy", "is": everything, "should": everything, "act": everything }] });
    sqlx::query("update hosts set state = 'ready', state_note = $2, facts = jsonb_build_object('os', $2::text, 'docker', $2::text), checked = $3, checked_at = now() where id = $1")
        .bind(id.0).bind(&everything).bind(checked).execute(&mut conn).await.unwrap();
    let log = world.data_dir().join("panel.log");
    let lines: Vec<String> = (0..2_500)
        .map(|line| format!("line {line} {}", if line % 100 == 0 { everything.as_str() } else { PUBLIC }))
        .collect();
    std::fs::write(&log, lines.join("\n")).unwrap();

    let file = world.data_dir().join("support.tar.gz");
    let args = ["doctor", "--bundle", file.to_str().unwrap(), "--log-file", log.to_str().unwrap()];
    let ran = ended(local(&world, &args).spawn().unwrap()).await;
    assert!(file.exists(), "{ran:#?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "its owner's alone");
    let texts = unpack(&std::fs::read(&file).unwrap());
    let names: Vec<&str> = texts.iter().map(|(name, _)| name.trim_start_matches("skiff-support/")).collect();
    assert_eq!(
        names,
        ["README.txt", "doctor.json", "versions.json", "schema.json", "jobs.json", "settings.json", "log.txt"]
    );
    let of = |name: &str| &texts.iter().find(|(found, _)| found.ends_with(name)).unwrap().1;
    for (name, text) in &texts {
        for secret in PLANTED.iter().copied().chain(GUESSED.map(|(_, secret)| secret)) {
            assert!(!text.contains(secret), "{name} has {secret}");
        }
        for line in key
            .split_whitespace()
            .skip(1)
            .chain(host.root_key.lines().filter(|line| line.len() > 20 && !line.starts_with("-----")))
        {
            assert!(!text.contains(line), "{name} has a key");
        }
    }
    // And it is of use: it was not emptied.
    assert!(of("doctor.json").contains("proxy is •••"), "{}", of("doctor.json"));
    assert!(
        of("versions.json").contains(&format!("\"skiff\": \"{}\"", skiff::domain::VERSION))
            && of("settings.json").contains("\"data_dir\"")
    );
    assert!(of("log.txt").contains(PUBLIC), "what is public stays");
    assert_eq!(of("log.txt").lines().count(), 2_000, "the end of the log");
    assert!(of("log.txt").starts_with("line 500 •••"), "{}", of("log.txt"));
    assert!(of("jobs.json").contains("\"kind\": \"tidy\"") && of("schema.json").contains("\"success\": true"));

    // A file that is there stays.
    let again = ended(local(&world, &args).spawn().unwrap()).await;
    assert!(again.code == 1 && again.err.contains("cannot be written"), "{again:#?}");
    // To standard output, the findings beside it.
    let mut child = local(&world, &["doctor", "--bundle", "-"]).spawn().unwrap();
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut child.stdout.take().unwrap(), &mut bytes).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(unpack(&bytes).len(), 6, "no log was named");
    assert!(String::from_utf8_lossy(&output.stderr).contains("DATABASE"), "{output:?}");

    // Root hands over to whoever owns the data folder, and the bundle lies where root said, though only root may write there.
    let owner = ["--recursive", "65534:65534", world.data_dir().to_str().unwrap()];
    crate::harness::host::run("chown", &owner).await.must("another owner");
    let roots = tempfile::tempdir().unwrap();
    let mut command = local(&world, &["doctor", "--bundle", "support.tar.gz"]);
    let ran = ended(command.current_dir(roots.path()).spawn().unwrap()).await;
    let archive = std::fs::read(roots.path().join("support.tar.gz")).unwrap_or_default();
    assert!(!archive.is_empty() && ran.err.contains("DATABASE"), "{ran:#?}");
    assert_eq!(unpack(&archive).len(), 6);

    // A log that root alone may read goes with it.
    let closed = roots.path().join("closed.log");
    std::fs::write(&closed, "said to root alone\n").unwrap();
    std::fs::set_permissions(roots.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let args = ["doctor", "--bundle", "with-log.tar.gz", "--log-file", closed.to_str().unwrap()];
    let ran = ended(local(&world, &args).current_dir(roots.path()).spawn().unwrap()).await;
    let texts = unpack(&std::fs::read(roots.path().join("with-log.tar.gz")).unwrap());
    let log = texts.iter().find(|(name, _)| name.ends_with("/log.txt")).map(|(_, text)| text.as_str());
    assert_eq!(log, Some("said to root alone\n"), "{ran:#?}");

    // One value that does not open: nothing is written, as nobody can say that it is not in it.
    sqlx::query("update secret_versions set sealed = 'x'").execute(&mut conn).await.unwrap();
    let other = world.data_dir().join("other.tar.gz");
    let ran = ended(local(&world, &["doctor", "--bundle", other.to_str().unwrap()]).spawn().unwrap()).await;
    assert!(ran.code == 1 && ran.err.contains("cannot be opened") && !other.exists(), "{ran:#?}");
}

/// Whoever adds a column of sealed bytes has the bundle learn what is in it.
#[tokio::test]
async fn every_sealed_column_is_known() {
    // What is no secret that could be said: hashes, what checks the master key, what is wrapped by it, lines that are clean.
    const OTHERS: [(&str, &str); 8] = [
        ("api_tokens", "hash"),
        ("builds", "key"),
        ("invitations", "token_hash"),
        ("panel", "key_check"),
        ("job_log", "line"),
        ("sessions", "id_hash"),
        ("setup_tokens", "token_hash"),
        ("teams", "data_key"),
    ];
    let db = crate::harness::postgres::fresh_database().await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select c.relname::text, a.attname::text from pg_attribute a join pg_class c on c.oid = a.attrelid
          where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.atttypid = 'bytea'::regtype and a.attnum > 0 and not a.attisdropped and c.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut db.superuser().await)
    .await
    .unwrap();
    let known: BTreeSet<(&str, &str)> = SEALED.iter().chain(&OTHERS).copied().collect();
    let found: BTreeSet<(&str, &str)> =
        columns.iter().map(|(table, column)| (table.as_str(), column.as_str())).collect();
    assert_eq!(found, known, "a column of bytes is either learnt (actions/doctor/blind.rs) or no secret");
}
