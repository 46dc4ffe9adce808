//! Certificates on their way to a host's proxy: the file first, so that a reload or a reboot finds the same, then the running proxy,
//! which takes them without a reload. Not here: which ones a host needs (`execute/ingress.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::Ctx;
use crate::db::{certificates, host_logins};
use crate::domain::ids::{CertificateId, HostId};
use crate::domain::ingress::{self as words, Answer, Home, Ingress, MapEntry, Tls, TlsFiles, tls};
use crate::domain::rights::Permit;
use crate::domain::secret::Secret;
use crate::remote::{Error, File, Host};
use crate::vault;

/// Only the proxy reads a key: it does so as root, before it gives its rights up.
const KEY_MODE: u32 = 0o600;
/// Files written at once.
const AT_ONCE: usize = crate::remote::PUT_FILES;
/// Characters of an answer that a sentence quotes.
const QUOTED: usize = 200;

/// What went wrong.
#[derive(Debug)]
pub enum Trouble {
    /// The database.
    Db(sqlx::Error),
    /// The host.
    Host(Error),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

/// A version whose file was just written.
#[derive(Debug)]
pub struct Brought {
    /// The certificate.
    pub id: CertificateId,
    /// Its names.
    pub names: Vec<String>,
    fingerprint: String,
    pem: Secret<String>,
}

/// Writes the files of those certificates that the host lacks, or has another version of. They are served only once they are listed.
pub async fn bring(
    ctx: &Ctx,
    permit: &Permit,
    id: HostId,
    host: &Host,
    wanted: &Ingress,
) -> Result<Vec<Brought>, Trouble> {
    let Some(want) = wanted.tls.as_ref().filter(|tls| !tls.certificates.is_empty()) else { return Ok(Vec::new()) };
    let files = &wanted.home.tls;
    let there = host.list_folder(files.folder.as_ref()).await?;
    let there: BTreeSet<CertificateId> =
        there.iter().filter_map(|name| files.named(&format!("{}/{name}", files.folder))).collect();
    let mut tx = ctx.db.begin(permit).await?;
    let rows = certificates::list(&mut tx, permit, None).await?;
    let known = certificates::installed(&mut tx, permit, Some(id)).await?;
    let stands = |row: &certificates::Row| {
        let noted = known.iter().any(|one| one.certificate == row.id && one.fingerprint == row.fingerprint);
        noted && there.contains(&row.id)
    };
    let lacking = rows.into_iter().filter(|row| want.certificates.contains(&row.id) && !stands(row)).collect();
    let brought = open(ctx, permit, &mut tx, lacking).await?;
    tx.commit().await?;
    put(host, files, &brought).await?;
    Ok(brought)
}

/// Opens these versions.
async fn open(
    ctx: &Ctx,
    permit: &Permit,
    tx: &mut crate::db::Tx<'_>,
    rows: Vec<certificates::Row>,
) -> Result<Vec<Brought>, Trouble> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let data_key = host_logins::data_key(tx, permit).await?;
    let versions: Vec<uuid::Uuid> = rows.iter().map(|row| row.version).collect();
    let mut sealed: BTreeMap<_, _> = certificates::sealed(tx, permit, &versions).await?.into_iter().collect();
    let mut opened = Vec::new();
    for row in rows {
        // Replaced in this moment: whoever replaced it asks for the host again.
        let Some(envelope) = sealed.remove(&row.version) else { continue };
        let place = vault::Context::certificate(permit.team(), row.version);
        let text = ctx.vault.unseal(&data_key, &place, &envelope).ok();
        let text = text.and_then(|bytes| String::from_utf8(bytes.expose().clone()).ok());
        let Some(text) = text else {
            let names = row.names.join(", ");
            return Err(Error::refused(&format!(
                "the certificate for {names} cannot be opened with the panel's master key"
            ))
            .into());
        };
        opened.push(Brought { id: row.id, names: row.names, fingerprint: row.fingerprint, pem: Secret::new(text) });
    }
    Ok(opened)
}

async fn put(host: &Host, files: &TlsFiles, brought: &[Brought]) -> Result<(), Error> {
    for some in brought.chunks(AT_ONCE) {
        let paths: Vec<String> = some.iter().map(|one| files.certificate(one.id)).collect();
        let all: Vec<File<'_>> = some
            .iter()
            .zip(&paths)
            .map(|(one, path)| File { path, bytes: one.pem.expose().as_bytes(), mode: KEY_MODE })
            .collect();
        host.put_all(&all).await?;
    }
    Ok(())
}

/// Notes that the host has these, in file and running proxy.
pub async fn note(ctx: &Ctx, permit: &Permit, id: HostId, brought: &[Brought]) -> Result<(), sqlx::Error> {
    if brought.is_empty() {
        return Ok(());
    }
    let mut tx = ctx.db.begin(permit).await?;
    for one in brought {
        certificates::note_installed(&mut tx, permit, id, one.id, &one.fingerprint).await?;
    }
    tx.commit().await
}

/// What the running proxy has of HTTPS.
struct Running {
    routes: Vec<MapEntry>,
    maps: Vec<Vec<MapEntry>>,
    doors: Vec<String>,
    stored: BTreeSet<CertificateId>,
    listed: BTreeSet<CertificateId>,
}

async fn look(host: &Host, want: &Tls, home: &Home) -> Result<Running, Error> {
    let files = &home.tls;
    let mut questions: Vec<String> = want.maps(files).iter().map(|(map, _)| format!("show map {map}")).collect();
    let maps = questions.len();
    questions.extend([
        format!("show servers state {}", tls::PANEL),
        "show ssl cert".to_owned(),
        format!("show ssl crt-list -n {}", files.list),
        format!("show map {}", home.map),
    ]);
    let answers = host.haproxy().ask(&questions).await?;
    let answer = |at: usize| answers.get(at).map(String::as_str).unwrap_or_default();
    Ok(Running {
        routes: words::read_map(answer(maps + 3)),
        maps: answers.iter().take(maps).map(|text| words::read_map(text)).collect(),
        doors: tls::read_doors(answer(maps)),
        stored: tls::read_stored(answer(maps + 1), files),
        listed: tls::read_listed(answer(maps + 2), files),
    })
}

/// Makes the running proxy serve exactly what is wanted of HTTPS, and notes it: what was brought, and what it lacks for whatever
/// reason. Where `thorough`, what it has is compared too. Certificates that nothing needs any more leave it, and their files go.
/// Gives what was done, in words.
pub async fn settle(
    ctx: &Ctx,
    permit: &Permit,
    id: HostId,
    host: &Host,
    wanted: &Ingress,
    brought: Vec<Brought>,
    thorough: bool,
) -> Result<Vec<String>, Trouble> {
    let Some(want) = &wanted.tls else { return Ok(Vec::new()) };
    let files = &wanted.home.tls;
    let running = look(host, want, &wanted.home).await?;
    let mut said = Vec::new();
    let mut change = brought;
    let mut lacking: BTreeSet<CertificateId> = want
        .certificates
        .difference(&running.listed)
        .filter(|id| !change.iter().any(|one| one.id == **id))
        .copied()
        .collect();
    let mut tx = ctx.db.begin(permit).await?;
    let rows = certificates::list(&mut tx, permit, None).await?;
    if thorough {
        lacking.extend(other_version(host, want, files, &rows).await?);
    }
    let rows = rows.into_iter().filter(|row| lacking.contains(&row.id) && !change.iter().any(|one| one.id == row.id));
    let more = open(ctx, permit, &mut tx, rows.collect()).await?;
    tx.commit().await?;
    change.extend(more);
    for one in &change {
        let (stored, listed) = (running.stored.contains(&one.id), running.listed.contains(&one.id));
        if let Err(why) = serve(host, files, one, stored, listed).await? {
            let mut tx = ctx.db.begin(permit).await?;
            certificates::note_trouble(&mut tx, permit, id, one.id, &why).await?;
            tx.commit().await?;
            return Err(Error::ProxyRefused { detail: why }.into());
        }
        said.push(format!("{} is served", one.names.join(", ")));
    }
    note(ctx, permit, id, &change).await?;
    let mut lines = tls::panel_changes(want, &running.doors);
    // Of the routes only the panel's own: those of apps change with their deploys.
    let mut to_panel = wanted.route_entries();
    to_panel.retain(|_, slot| slot == tls::PANEL);
    let of_panel = |entry: &&MapEntry| entry.value == tls::PANEL || to_panel.contains_key(&entry.key);
    let led: Vec<MapEntry> = running.routes.iter().filter(of_panel).cloned().collect();
    lines.extend(words::map_changes(&wanted.home.map, &led, &to_panel));
    for ((map, entries), running) in want.maps(files).iter().zip(&running.maps) {
        lines.extend(words::map_changes(map, running, entries));
    }
    tell(host, &lines).await?;
    said.extend(drop_unwanted(ctx, permit, id, host, want, files, &running).await?);
    Ok(said)
}

/// Certificates of which the running proxy has another version than the one that is wanted.
async fn other_version(
    host: &Host,
    want: &Tls,
    files: &TlsFiles,
    rows: &[certificates::Row],
) -> Result<Vec<CertificateId>, Error> {
    let rows: Vec<_> = rows.iter().filter(|row| want.certificates.contains(&row.id)).collect();
    let questions: Vec<String> =
        rows.iter().map(|row| format!("show ssl cert {}", files.certificate(row.id))).collect();
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let answers = host.haproxy().ask(&questions).await?;
    let differ = rows.iter().zip(&answers).filter(|(row, answer)| {
        let serial = tls::read_serial(answer);
        serial.is_none_or(|serial| !tls::same_serial(&serial, &row.serial))
    });
    Ok(differ.map(|(row, _)| row.id).collect())
}

/// Has the running proxy serve one certificate; or gives why it does not.
async fn serve(
    host: &Host,
    files: &TlsFiles,
    one: &Brought,
    stored: bool,
    listed: bool,
) -> Result<Result<(), String>, Error> {
    if one.pem.expose().len() > tls::MAX_LIVE_BYTES {
        // Too long for one command: the file has it, and a reload reads files.
        return super::proxy::reload(host).await.map(Ok);
    }
    let mut asked = Vec::new();
    if stored {
        // Whoever was stopped in between has left an open change behind.
        asked.push((tls::abort(files, one.id), None));
    } else {
        asked.push((tls::announce(files, one.id), None));
    }
    let offer = asked.len();
    asked.push((tls::offer(files, one.id), Some(one.pem.expose().as_str())));
    asked.push((tls::commit(files, one.id), None));
    if !listed {
        asked.push((tls::enlist(files, one.id), None));
    }
    let answers = host.haproxy().ask_with(&asked).await?;
    for (at, answer) in answers.iter().enumerate().skip(offer) {
        let fine = match at - offer {
            0 => answer.contains("Transaction"),
            1 => answer.contains("Success"),
            _ => answer.contains("Success") || answer.contains("already"),
        };
        if !fine {
            let said = answer.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no answer");
            let said: String = said.chars().filter(|c| !c.is_control()).take(QUOTED).collect();
            return Ok(Err(format!("HAProxy does not take the certificate for {}: {said}", one.names.join(", "))));
        }
    }
    Ok(Ok(()))
}

/// Takes out what nothing leads to any more: running proxy, file, ledger.
async fn drop_unwanted(
    ctx: &Ctx,
    permit: &Permit,
    id: HostId,
    host: &Host,
    want: &Tls,
    files: &TlsFiles,
    running: &Running,
) -> Result<Vec<String>, Trouble> {
    let mut tx = ctx.db.begin(permit).await?;
    let known = certificates::installed(&mut tx, permit, Some(id)).await?;
    tx.commit().await?;
    let mut gone: BTreeSet<CertificateId> = known.iter().map(|one| one.certificate).collect();
    gone.extend(&running.stored);
    gone.retain(|id| !want.certificates.contains(id));
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let lines: Vec<String> = gone.iter().flat_map(|id| tls::discard(files, *id)).collect();
    host.haproxy().ask(&lines).await?;
    let paths: Vec<String> = gone.iter().map(|id| files.certificate(*id)).collect();
    host.remove_files(&paths.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let mut tx = ctx.db.begin(permit).await?;
    for certificate in &gone {
        certificates::forget(&mut tx, permit, id, *certificate).await?;
    }
    tx.commit().await?;
    let words = if gone.len() == 1 {
        "one certificate that nothing leads to is".to_owned()
    } else {
        format!("{} certificates that nothing leads to are", gone.len())
    };
    Ok(vec![format!("{words} gone from the server")])
}

/// Says lines to the running proxy; anything but "done" and "it was so" is a failure.
async fn tell(host: &Host, lines: &[String]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    for answer in host.haproxy().ask(lines).await? {
        match words::read_answer(&answer) {
            Answer::Done | Answer::AlreadyThere | Answer::Absent => {}
            other => return Err(Error::ProxyRefused { detail: format!("{other:?}") }),
        }
    }
    Ok(())
}

/// The lists of HTTPS as files, beside the proxy's own: path and text.
pub fn lists(wanted: &Ingress) -> Vec<(String, String)> {
    let Some(want) = &wanted.tls else { return Vec::new() };
    let Home { tls: files, .. } = &wanted.home;
    let maps = want.maps(files).into_iter().map(|(map, entries)| (map.to_string(), tls::map_text(&entries)));
    std::iter::once((files.list.to_string(), want.list(files))).chain(maps).collect()
}
