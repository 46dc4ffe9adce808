//! Certificates on their way to a host's proxy: the file first, so that a reload or a reboot finds the same, then the running proxy,
//! which takes them without a reload. Not here: which ones a host needs (`execute/ingress.rs`).

mod dialogue;
mod discard;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Ctx;
use super::execute::ingress::MODE;
use super::set_certificates;
use crate::db::{certificates, host_logins};
use crate::domain::cause::Cause;
use crate::domain::certificate::covers;
use crate::domain::ids::{CertificateId, HostId};
use crate::domain::ingress::{self as words, Answer, FilePath, Home, Ingress, Listed, MapEntry, Tls, TlsFiles, tls};
use crate::domain::names::Domain;
use crate::domain::rights::Permit;
use crate::domain::secret::Secret;
use crate::remote::{Error, File, Host};
use crate::vault;

/// Only the proxy reads a key: it does so as root, before it gives its rights up.
const KEY_MODE: u32 = 0o600;
/// Certificates that are spoken about with the running proxy in one dialogue: some 4 KB each, and milliseconds.
const AT_ONCE: usize = 64;

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

/// By what is told which certificates a host lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By what is noted of it alone: quick, also where there are thousands.
    Notes,
    /// By the files in its folder too: before HAProxy reads them, and where they may have got lost.
    Folder,
}

/// Opens those certificates that the host lacks, or has another version of: [`files`] are written for them. They are served only once
/// they are listed.
pub async fn lacking(
    ctx: &Ctx,
    permit: &Permit,
    id: HostId,
    host: &Host,
    wanted: &Ingress,
    by: By,
) -> Result<Vec<Brought>, Trouble> {
    let Some(want) = wanted.tls.as_ref().filter(|tls| !tls.certificates.is_empty()) else { return Ok(Vec::new()) };
    let needed: Vec<CertificateId> = want.certificates.iter().copied().collect();
    let lost = match by {
        By::Notes => Vec::new(),
        By::Folder => {
            let there: BTreeSet<CertificateId> = in_folder(host, &wanted.home.tls).await?.into_iter().collect();
            needed.iter().copied().filter(|id| !there.contains(id)).collect()
        }
    };
    let mut tx = ctx.db.begin(permit).await?;
    let rows = certificates::lacking(&mut tx, permit, id, &needed, &lost).await?;
    let brought = open(ctx, permit, &mut tx, rows).await?;
    tx.commit().await?;
    Ok(brought)
}

/// Those whose files are there.
async fn in_folder(host: &Host, files: &TlsFiles) -> Result<Vec<CertificateId>, Error> {
    let names = host.list_folder(files.folder.as_ref()).await?;
    Ok(names.iter().filter_map(|name| files.named(&format!("{}/{name}", files.folder))).collect())
}

/// Where they stand on the host.
pub fn paths(wanted: &Ingress, brought: &[Brought]) -> Vec<String> {
    brought.iter().map(|one| wanted.home.tls.certificate(one.id)).collect()
}

/// What stands there.
pub fn files<'a>(paths: &'a [String], brought: &'a [Brought]) -> impl Iterator<Item = File<'a>> {
    brought.iter().zip(paths).map(|(one, path)| File { path, bytes: one.pem.expose().as_bytes(), mode: KEY_MODE })
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

/// Notes that the host has these, in file and running proxy.
pub async fn note(ctx: &Ctx, permit: &Permit, id: HostId, brought: &[Brought]) -> Result<(), sqlx::Error> {
    if brought.is_empty() {
        return Ok(());
    }
    let these: Vec<(CertificateId, &str)> = brought.iter().map(|one| (one.id, one.fingerprint.as_str())).collect();
    let mut tx = ctx.db.begin(permit).await?;
    certificates::note_installed(&mut tx, permit, id, &these).await?;
    tx.commit().await
}

/// What the running proxy has of HTTPS.
pub struct Running {
    /// None where they were just brought to what is wanted.
    routes: Option<Vec<MapEntry>>,
    maps: Vec<Vec<MapEntry>>,
    doors: Vec<String>,
    stored: BTreeSet<CertificateId>,
    open: Option<tls::Open>,
    listed: Vec<Listed>,
}

impl Running {
    /// True where it serves what is wanted of HTTPS, and nothing else. Its files were written before it was told.
    pub fn serves(&self, wanted: &Ingress) -> bool {
        let Some(want) = &wanted.tls else { return false };
        let same = |map: &FilePath, running: &[MapEntry], entries: &BTreeMap<String, String>| {
            words::map_changes(map, running, entries).is_empty()
        };
        let maps = want.maps(&wanted.home.tls);
        let listed: BTreeSet<CertificateId> = self.listed.iter().map(|entry| entry.id).collect();
        listed == want.certificates
            && want.relist(&self.listed).1.is_empty()
            && self.stored.is_subset(&want.certificates)
            && tls::panel_changes(want, &self.doors).is_empty()
            && maps.iter().zip(&self.maps).all(|((map, entries), running)| same(map, running, entries))
            && self.routes.as_ref().is_none_or(|routes| same(&wanted.home.map, routes, &wanted.route_entries()))
    }

    /// The same after its map of routes was brought to what is wanted.
    pub fn routed(self) -> Self {
        Self { routes: None, ..self }
    }
}

/// Asks it; none where HTTPS is not wanted of it.
pub async fn look(host: &Host, wanted: &Ingress) -> Result<Option<Running>, Error> {
    let Some(want) = &wanted.tls else { return Ok(None) };
    let (home, files) = (&wanted.home, &wanted.home.tls);
    let mut questions: Vec<String> = want.maps(files).iter().map(|(map, _)| format!("show map {map}")).collect();
    let maps = questions.len();
    questions.extend([
        format!("show servers state {}", tls::PANEL),
        "show ssl cert".to_owned(),
        format!("show ssl crt-list -n {}", files.list),
        format!("show map {}", home.map),
    ]);
    let answers = dialogue::ask(host, &questions).await?;
    let answer = |at: usize| answers.get(at).map(String::as_str).unwrap_or_default();
    Ok(Some(Running {
        routes: Some(words::read_map(answer(maps + 3))),
        maps: answers.iter().take(maps).map(|text| words::read_map(text)).collect(),
        doors: tls::read_doors(answer(maps)),
        stored: tls::read_stored(answer(maps + 1), files),
        open: tls::read_open(answer(maps + 1), files),
        listed: tls::read_listed(answer(maps + 2), files),
    }))
}

/// Makes the running proxy serve exactly what is wanted of HTTPS, and notes it: what was brought, and what it lacks for whatever
/// reason. Certificates that nothing needs any more leave it, and their files go. Gives what was done, in words. Where `strict`, one
/// that the proxy does not take is a failure. Not compared: whether it has the right versions of what nothing changed ([`other_versions`]).
pub async fn settle(
    ctx: &Ctx,
    permit: &Permit,
    id: HostId,
    host: &Host,
    wanted: &Ingress,
    brought: Vec<Brought>,
    strict: bool,
) -> Result<Vec<String>, Trouble> {
    let running = look(host, wanted).await?;
    settle_seen(ctx, permit, id, host, wanted, running, brought, strict).await
}

/// The same where it was asked already, and nothing of it was changed since.
#[expect(clippy::too_many_arguments, reason = "what was seen and what was brought, of one host")]
pub async fn settle_seen(
    ctx: &Ctx,
    permit: &Permit,
    id: HostId,
    host: &Host,
    wanted: &Ingress,
    running: Option<Running>,
    brought: Vec<Brought>,
    strict: bool,
) -> Result<Vec<String>, Trouble> {
    let (Some(want), Some(running)) = (&wanted.tls, running) else { return Ok(Vec::new()) };
    let files = &wanted.home.tls;
    let at = Place { ctx, permit, id, host, files, want, running: &running };
    let mut change = brought;
    let known = change.iter().map(|one| one.id).chain(running.listed.iter().map(|entry| entry.id));
    let known: BTreeSet<CertificateId> = known.collect();
    let lacking: Vec<CertificateId> = want.certificates.difference(&known).copied().collect();
    change.extend(at.opened(&lacking).await?);
    let Served { mut said, taken, refused, reloaded } = Box::pin(at.serve(change)).await?;
    // A name is taken from nobody whose successor is not served.
    let (held, serving) = at.held(&refused).await?;
    // A reload reads the list as it is wanted.
    if !reloaded {
        said.extend(at.share(&held).await?);
    }
    let served: Vec<&String> = taken.iter().chain(&serving).collect();
    let led = at.led(&refused, &served);
    if let Cow::Owned(led) = &led {
        // Nor by the next reload.
        let maps = led.maps(files).map(|(map, entries)| (map.to_string(), tls::map_text(&entries)));
        let maps = maps.iter().map(|(path, text)| File { path, bytes: text.as_bytes(), mode: MODE });
        host.put_all(&maps.collect::<Vec<_>>()).await?;
    }
    let mut lines = tls::panel_changes(want, &running.doors);
    // Of the routes only the panel's own: those of apps change with their deploys.
    if let Some(routes) = &running.routes {
        let mut to_panel = wanted.route_entries();
        to_panel.retain(|_, slot| slot == tls::PANEL);
        let of_panel = |entry: &&MapEntry| entry.value == tls::PANEL || to_panel.contains_key(&entry.key);
        let led: Vec<MapEntry> = routes.iter().filter(of_panel).cloned().collect();
        lines.extend(words::map_changes(&wanted.home.map, &led, &to_panel));
    }
    for ((map, entries), running) in led.maps(files).iter().zip(&running.maps) {
        lines.extend(words::map_changes(map, running, entries));
    }
    tell(host, &lines).await?;
    Box::pin(discard::discard(&at, &held, &mut said)).await?;
    match refused.into_iter().next_back().map(|one| one.why) {
        Some(detail) if strict => Err(Error::ProxyRefused { detail }.into()),
        // A deploy does not fail by it: it is noted with the certificate, whose page says so, and brought by a job of its own that does
        // not give up.
        Some(_) => {
            let mut tx = ctx.db.begin(permit).await?;
            let cause = Cause::System { why: "a certificate that the proxy did not take".to_owned(), deploy: None };
            set_certificates::ask_of(&mut tx, permit, id, cause).await?;
            tx.commit().await?;
            Ok(said)
        }
        None => Ok(said),
    }
}

/// A certificate that the running proxy did not take.
struct Refused {
    names: Vec<String>,
    why: String,
}

/// What came of having certificates served.
struct Served {
    said: Vec<String>,
    /// The names of those that it took.
    taken: Vec<String>,
    refused: Vec<Refused>,
    /// True where the proxy was reloaded, and has its list from the file.
    reloaded: bool,
}

/// A host whose running proxy was looked at.
struct Place<'a> {
    ctx: &'a Ctx,
    permit: &'a Permit,
    id: HostId,
    host: &'a Host,
    files: &'a TlsFiles,
    want: &'a Tls,
    running: &'a Running,
}

impl Place<'_> {
    /// These certificates with their keys, as far as their files stand here. One that was renewed in this moment comes with a job of
    /// its own.
    async fn opened(&self, ids: &[CertificateId]) -> Result<Vec<Brought>, Trouble> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.ctx.db.begin(self.permit).await?;
        let rows = certificates::noted(&mut tx, self.permit, self.id, ids).await?;
        let opened = open(self.ctx, self.permit, &mut tx, rows).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Has the running proxy serve these, and notes each: that it does, or why it does not. The others are served all the same.
    async fn serve(&self, change: Vec<Brought>) -> Result<Served, Trouble> {
        let fits = |one: &&Brought| one.pem.expose().len() <= tls::MAX_LIVE_BYTES;
        let (live, long): (Vec<&Brought>, Vec<&Brought>) = change.iter().partition(fits);
        let mut not: BTreeMap<CertificateId, String> = BTreeMap::new();
        let (mut wait, mut clear) = (dialogue::Wait::new(), BTreeSet::new());
        if !live.is_empty() {
            clear.extend(dialogue::open(self, &mut wait).await?);
        }
        for some in live.chunks(AT_ONCE) {
            not.extend(dialogue::offer(self, some, &mut wait, std::mem::take(&mut clear)).await?);
        }
        let reloaded = !long.is_empty();
        if reloaded {
            // Too long for one command: the file has it, and a reload reads files.
            super::proxy::reload(self.host).await?;
        }
        if !not.is_empty() {
            let mut tx = self.ctx.db.begin(self.permit).await?;
            for (id, why) in &not {
                certificates::note_trouble(&mut tx, self.permit, self.id, *id, why).await?;
            }
            tx.commit().await?;
        }
        let (taken, not_taken): (Vec<Brought>, Vec<Brought>) =
            change.into_iter().partition(|one| !not.contains_key(&one.id));
        note(self.ctx, self.permit, self.id, &taken).await?;
        let refused =
            not_taken.into_iter().map(|one| Refused { why: not.remove(&one.id).unwrap_or_default(), names: one.names });
        Ok(Served {
            said: taken.iter().map(|one| format!("{} is served", one.names.join(", "))).collect(),
            taken: taken.into_iter().flat_map(|one| one.names).collect(),
            refused: refused.collect(),
            reloaded,
        })
    }

    /// Those of what is listed that go on being served as they are, for they are for a name of one that was not taken; what is not known any
    /// more may be. With the names of what is known.
    async fn held(&self, refused: &[Refused]) -> Result<(BTreeSet<CertificateId>, Vec<String>), Trouble> {
        if refused.is_empty() {
            return Ok((BTreeSet::new(), Vec::new()));
        }
        let listed: BTreeSet<CertificateId> = self.running.listed.iter().map(|entry| entry.id).collect();
        let ids: Vec<CertificateId> = listed.iter().copied().collect();
        let mut tx = self.ctx.db.begin(self.permit).await?;
        let known = certificates::some(&mut tx, self.permit, &ids).await?;
        tx.commit().await?;
        let meets = |name: &String, other: &String| name == other || covers(name, other) || covers(other, name);
        let names: Vec<&String> = refused.iter().flat_map(|one| &one.names).collect();
        let free =
            known.iter().filter(|row| !row.names.iter().any(|name| names.iter().any(|other| meets(name, other))));
        let free: BTreeSet<CertificateId> = free.map(|row| row.id).collect();
        let held = listed.difference(&free).copied().collect();
        Ok((held, known.into_iter().flat_map(|row| row.names).collect()))
    }

    /// What is wanted, without the domains that plain HTTP would newly lead to HTTPS while no certificate is served for them: a browser
    /// would remember the way there.
    fn led(&self, refused: &[Refused], served: &[&String]) -> Cow<'_, Tls> {
        let before: BTreeSet<&str> =
            self.running.maps.first().into_iter().flatten().map(|entry| entry.key.as_str()).collect();
        let bare = |domain: &Domain| {
            !before.contains(domain.as_ref())
                && refused.iter().flat_map(|one| &one.names).any(|name| covers(name, domain.as_ref()))
                && !served.iter().any(|name| covers(name, domain.as_ref()))
        };
        if !self.want.secured.iter().any(bare) {
            return Cow::Borrowed(self.want);
        }
        let mut led = self.want.clone();
        led.secured.retain(|domain| !bare(domain));
        Cow::Owned(led)
    }

    /// Has each of those that were listed already served for the names that are wanted of it now; those that are held for those of before, too.
    async fn share(&self, held: &BTreeSet<CertificateId>) -> Result<Option<String>, Trouble> {
        let (again, mut gone) = self.want.relist(&self.running.listed);
        gone.retain(|entry| !held.contains(&entry.id));
        if again.is_empty() && gone.is_empty() {
            return Ok(None);
        }
        dialogue::relist(self, &again, &gone).await?;
        let of: BTreeSet<CertificateId> = gone.iter().map(|entry| entry.id).chain(again).collect();
        let words =
            if of.len() == 1 { "one certificate is".to_owned() } else { format!("{} certificates are", of.len()) };
        Ok(Some(format!("{words} served for other names than before")))
    }
}

/// The certificates of which the running proxy has another version than the one that is wanted, or whose files are not there: somebody else
/// changed them.
pub async fn other_versions(
    ctx: &Ctx,
    permit: &Permit,
    host: &Host,
    wanted: &Ingress,
) -> Result<Vec<CertificateId>, Trouble> {
    let ids: Vec<CertificateId> = wanted.tls.iter().flat_map(|tls| &tls.certificates).copied().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = ctx.db.begin(permit).await?;
    let rows = certificates::some(&mut tx, permit, &ids).await?;
    tx.commit().await?;
    let question = |row: &certificates::Row| format!("show ssl cert {}", wanted.home.tls.certificate(row.id));
    let there: BTreeSet<CertificateId> = in_folder(host, &wanted.home.tls).await?.into_iter().collect();
    let mut differ: Vec<CertificateId> = rows.iter().map(|row| row.id).filter(|id| !there.contains(id)).collect();
    for some in rows.chunks(AT_ONCE) {
        let answers = dialogue::ask(host, &some.iter().map(question).collect::<Vec<_>>()).await?;
        differ.extend(some.iter().zip(&answers).filter_map(|(row, answer)| {
            let serial = tls::read_serial(answer);
            serial.is_none_or(|serial| !tls::same_serial(&serial, &row.serial)).then_some(row.id)
        }));
    }
    differ.sort_unstable_by_key(|id| id.0);
    differ.dedup();
    Ok(differ)
}

/// Has them brought anew, file and running proxy, by whoever settles next.
pub async fn bring_anew(ctx: &Ctx, permit: &Permit, id: HostId, ids: &[CertificateId]) -> Result<(), sqlx::Error> {
    let mut tx = ctx.db.begin(permit).await?;
    certificates::forget(&mut tx, permit, id, ids).await?;
    tx.commit().await
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
