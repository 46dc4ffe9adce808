//! `skiff doctor` on the panel's machine: as much as can be looked at, whatever is broken. Unlike a start it makes nothing that is not there and
//! brings no schema up. Not here: what findings mean, how they are told.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::own_log::{self, Logs};
use super::{Stopped, logging};
use crate::actions::doctor::{self, Piece, Place};
use crate::actions::{Ctx, Settings};
use crate::cli::Failed;
use crate::cli::doctor::Examine;
use crate::config::Store;
use crate::db::changes::Changes;
use crate::db::cluster::{Cluster, ClusterSettings};
use crate::db::{Db, panel};
use crate::domain::doctor::{Area, Finding, Grade, Report, unreached};
use crate::domain::help::Topic;
use crate::domain::secret::Secret;
use crate::providers::names::Names;
use crate::providers::notices::{self, Outside};
use crate::vault::Vault;

/// Examines, and gives what is to be printed.
pub async fn run(store: &Store, input: &Examine) -> Result<String, Stopped> {
    logging::start_quiet(store);
    let base = store.base_url()?;
    let place = Place { data_dir: store.data_dir.clone(), master_key_file: store.master_key_file() };
    let mut report = Report::default();
    report.add(doctor::machine(&place, base.as_str().trim_end_matches('/')));
    let mut archive = None;
    match Opened::open(store).await {
        Err(why) => report.add([unreached(&why)]),
        Ok(opened) => {
            opened.examine(store, &place, &mut report).await;
            if input.bundle.is_some() {
                archive = Some(opened.bundle(store, input, report.clone()).await);
            }
            opened.close().await;
        }
    }
    let told = serde_json::to_value(report.told()).unwrap_or(Value::Null);
    match (&input.bundle, archive) {
        (None, _) => Ok(input.told(told, None)?),
        (Some(_), None) => {
            let said = input.told(told, None);
            let reason = "No bundle was written: without the database nobody can say which values are secret.";
            let text = match said {
                Ok(text) => text,
                Err(failed) => failed.answer().unwrap_or_default(),
            };
            Err(Failed::Shown { text, reason: reason.to_owned() }.into())
        }
        (Some(file), Some(archive)) => {
            write(file, &archive?)?;
            let said = input.told(told, None);
            if file != Path::new("-") {
                let names = "names of hosts and domains are in it";
                let place = file.display();
                let _ = writeln!(
                    std::io::stderr().lock(),
                    "The bundle is in {place}. Read it before you give it away: {names}."
                );
                return Ok(said?);
            }
            // Standard output is the archive's.
            let (text, ended) = match said {
                Ok(text) => (text, Ok(String::new())),
                Err(Failed::Shown { text, reason }) => (text, Err(Failed::Said(reason))),
                Err(other) => (String::new(), Err(other)),
            };
            let _ = writeln!(std::io::stderr().lock(), "{text}");
            Ok(ended?)
        }
    }
}

/// The database, opened for looking.
struct Opened {
    db: Db,
    vault: Option<Vault>,
    server: Option<Cluster>,
}

impl Opened {
    /// Opens it, or says in a sentence why not.
    async fn open(store: &Store) -> Result<Self, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let (settings, server) = match store.database().map_err(|error| said(&error))? {
            Some(settings) => (settings, None),
            None => {
                let folder = store.data_dir.join("postgres");
                if !folder.exists() {
                    return Err(format!(
                        "There is no database: {} is not there, and DATABASE_URL names none. Was the panel ever started here?",
                        folder.display()
                    ));
                }
                let cluster =
                    Cluster::start(&ClusterSettings { folder, user: None }).await.map_err(|error| said(&error))?;
                (cluster.settings(), Some(cluster))
            }
        };
        match Db::look(&settings).await {
            Ok(db) => Ok(Self { db, vault: Vault::open(&store.master_key_file()).ok(), server }),
            Err(error) => {
                if let Some(server) = server {
                    server.stop().await;
                }
                Err(error.to_string())
            }
        }
    }

    async fn examine(&self, store: &Store, place: &Place, report: &mut Report) {
        let found = match doctor::database(&self.db).await {
            Ok(found) => found,
            Err(refused) => vec![unreached(&refused.to_string())],
        };
        let readable = found.iter().all(|finding| finding.of != "schema" || finding.grade == Grade::Ok);
        report.add(found);
        let Some(vault) = self.vault.clone().filter(|_| readable) else { return };
        if let Some(finding) = self.wrong_key(&vault).await {
            report.add([finding]);
            return;
        }
        report.add(doctor::examine_all(&self.actions(store, vault, Some(place.clone()))).await.findings);
    }

    /// A key that is one, and not this database's.
    async fn wrong_key(&self, vault: &Vault) -> Option<Finding> {
        let mut tx = self.db.begin_door().await.ok()?;
        let known = panel::get(&mut tx).await.ok()??;
        let wrong = vault.check(&known.key_check).err()?;
        let act = "Put back the key this panel was set up with: a copy of it should be kept elsewhere.";
        Some(Finding::bad(Area::Panel, "master key", wrong.to_string(), act, Topic::MasterKey))
    }

    fn actions(&self, store: &Store, vault: Vault, place: Option<Place>) -> Ctx {
        let base_url = store.base_url().map(|base| base.as_str().trim_end_matches('/').to_owned()).unwrap_or_default();
        let outside = Outside::new(notices::Settings { base_url: base_url.clone(), ..Default::default() });
        let settings = Settings {
            base_url,
            local_sources: store.local_sources.clone(),
            door: store.listen.port(),
            names: Default::default(),
            place,
        };
        Ctx {
            changes: Changes::new(&self.db),
            db: self.db.clone(),
            vault,
            settings: Arc::new(settings),
            kept: Default::default(),
            pool: Default::default(),
            log_seats: Default::default(),
            hooks: Default::default(),
            outside,
            lookup: Names::of_this_machine(),
        }
    }

    async fn bundle(&self, store: &Store, input: &Examine, report: Report) -> Result<Vec<u8>, Failed> {
        let vault = self.vault.clone().ok_or_else(|| {
            Failed::Said("No bundle was written: without the master key nobody can say which values are secret.".into())
        })?;
        let ctx = self.actions(store, vault, None);
        let mut pieces = vec![Piece::document("settings.json", &store.shown())];
        let logs = logs(input)?;
        let texts = [("log.txt", logs.panel), ("upgrades.txt", logs.upgrades)];
        pieces
            .extend(texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| Piece::text(name, text)));
        let mut known = store.secrets();
        let key = std::fs::read_to_string(store.master_key_file()).unwrap_or_default();
        known.extend(key.split_whitespace().map(|word| Secret::new(word.to_owned())));
        Ok(doctor::bundle(&ctx, report, pieces, &known).await?)
    }

    async fn close(self) {
        self.db.close().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

/// The logs that go into the bundle: those that root handed over, the one that was named, or the usual ones where they may be read.
fn logs(input: &Examine) -> Result<Logs, Failed> {
    let cannot = |file: &Path| {
        let file = file.display().to_string();
        move |cause: std::io::Error| Failed::Said(format!("The log {file} cannot be read: {cause}."))
    };
    match (&input.log_file, input.upgrade_lines) {
        (Some(file), Some(upgrades)) => Ok(Logs::apart(&own_log::typed().map_err(cannot(file))?, upgrades)),
        (Some(file), None) if file == Path::new("-") => {
            Ok(Logs { panel: own_log::end(&own_log::typed().map_err(cannot(file))?), upgrades: String::new() })
        }
        (Some(file), None) => Ok(Logs { panel: own_log::end_of(file).map_err(cannot(file))?, upgrades: String::new() }),
        (None, _) => Ok(own_log::read()),
    }
}

/// Writes the archive, for its owner alone. A file that is there already stays as it is.
fn write(file: &Path, archive: &[u8]) -> Result<(), Failed> {
    let cannot = |cause: std::io::Error| {
        Failed::Said(format!("The bundle cannot be written to {}: {cause}. Name another file.", file.display()))
    };
    if file == Path::new("-") {
        return std::io::stdout().lock().write_all(archive).map_err(cannot);
    }
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let written = opened.map_err(cannot)?.write_all(archive);
    if written.is_err() {
        // Half an archive would be sent to somebody as a whole one.
        std::fs::remove_file(file).map_err(cannot)?;
    }
    written.map_err(cannot)
}
