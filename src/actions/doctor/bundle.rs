//! The support bundle: what somebody needs who helps from afar, and no secret. A tar.gz of small texts. Not here: where it is written.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::{Value, json};

use super::blind::{Blind, Known};
use crate::actions::{Ctx, Refused};
use crate::db::{self, health, teams};
use crate::domain::VERSION;
use crate::domain::doctor::{Queue, Report};
use crate::domain::rights::{Actor, On, Permission};

/// Jobs that failed, of all teams.
const FAILED: i64 = 50;
/// The folder everything is in.
const FOLDER: &str = "skiff-support";
/// Who opens the bundle reads this first.
const README: &str = "A support bundle of Skiff, made by: skiff doctor --bundle\n\n\
    doctor.json      what the doctor found\n\
    versions.json    of Skiff, the system, PostgreSQL, and of each host\n\
    settings.json    the panel's settings, without passwords\n\
    schema.json      the steps of the database's schema\n\
    jobs.json        jobs by kind and state, and the newest that failed, with their reasons\n\
    log.txt          the end of the panel's log, where it could be read\n\
    upgrades.txt     the end of what the package's upgrades said, where there was one\n\n\
    Every value that is sealed on the panel was taken out of all of this, and what looks like a token, a password or a private key. \
    Names of hosts, domains and apps are in it: read it before you give it away.\n";

/// Something to put in.
pub struct Piece {
    name: &'static str,
    content: Content,
}

enum Content {
    Document(Value),
    Text(String),
}

impl Piece {
    /// A document: each text in it is cleaned by itself, as quotes around it would hide what it is.
    pub fn document(name: &'static str, value: &impl Serialize) -> Self {
        Self { name, content: Content::Document(serde_json::to_value(value).unwrap_or_default()) }
    }

    /// A text of lines.
    pub fn text(name: &'static str, text: String) -> Self {
        Self { name, content: Content::Text(text) }
    }
}

/// Makes the bundle of what was found, and of what the caller knows of the machine.
pub async fn bundle(ctx: &Ctx, report: Report, pieces: Vec<Piece>, known: &Known) -> Result<Vec<u8>, Refused> {
    let blind = Blind::learn(ctx, known).await?;
    let mut all = vec![Piece::document("doctor.json", &report.told()), versions(ctx).await?];
    let mut tx = ctx.db.begin_worker().await?;
    all.push(Piece::document("schema.json", &health::steps(&mut tx).await?));
    let jobs = json!({
        "now": queue(&health::queue(&mut tx).await?),
        "by_kind": health::kinds(&mut tx).await?,
        "failed": health::failed(&mut tx, FAILED).await?,
    });
    tx.commit().await?;
    all.push(Piece::document("jobs.json", &jobs));
    all.extend(pieces);
    let mut files = vec![("README.txt", README.to_owned())];
    files.extend(all.into_iter().map(|Piece { name, content }| match content {
        Content::Document(value) => (name, format!("{:#}\n", blind.value(value))),
        Content::Text(text) => (name, blind.text(&text)),
    }));
    packed(&files).map_err(|error| Refused::internal(&error))
}

fn queue(seen: &Queue) -> Value {
    json!({ "waiting": seen.waiting, "running": seen.running, "overdue": seen.overdue, "oldest_s": seen.oldest_s })
}

/// What runs where.
async fn versions(ctx: &Ctx) -> Result<Piece, Refused> {
    let mut door = ctx.db.begin_door().await?;
    let (server, teams) = (health::server(&mut door).await?, teams::all(&mut door).await?);
    door.commit().await?;
    let mut hosts = Vec::new();
    for team in teams {
        let permit = Actor::on_the_panels_machine(team.id).may(Permission::View, On::team(team.id))?;
        let mut tx = ctx.db.begin(&permit).await?;
        for row in db::hosts::list(&mut tx, &permit, None).await? {
            hosts.push(json!({
                "team": team.name, "host": row.name, "state": row.state, "note": row.note, "facts": row.facts.0,
                "http_port": row.proxy_port, "builds": row.builds, "through_a_jump_host": row.jump_address.is_some(),
                "instances": row.instances, "seen_at": row.seen_at.map(|at| at.unix_timestamp()),
            }));
        }
        tx.commit().await?;
    }
    let os = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let os = os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default().trim_matches('"');
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let document = json!({
        "skiff": VERSION, "system": os, "kernel": kernel.trim(), "architecture": std::env::consts::ARCH,
        "postgresql": server.version, "database_bytes": server.bytes, "connections": server.connections,
        "most_connections": server.most, "hosts": hosts,
    });
    Ok(Piece::document("versions.json", &document))
}

fn packed(files: &[(&'static str, String)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(text.len()).unwrap_or(0));
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0));
        header.set_cksum();
        archive.append_data(&mut header, [FOLDER, "/", name].concat(), text.as_bytes())?;
    }
    let mut gz = archive.into_inner()?;
    gz.flush()?;
    gz.finish()
}
