//! What every command stands on: the data folder, the database, the master key. Not here: doors and workers.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Stopped;
use crate::actions;
use crate::config::Store;
use crate::db::changes::Changes;
use crate::db::cluster::{Cluster, ClusterSettings};
use crate::db::{Db, panel};
use crate::providers::names::Names;
use crate::providers::notices::{self, Outside};
use crate::vault::Vault;

/// The panel's ground.
pub struct Ground {
    /// What actions work with.
    pub actions: actions::Ctx,
    /// The panel's own name in the labels of what it makes.
    pub panel: Uuid,
    /// The database's own server, where no address of another was given.
    server: Option<Server>,
}

/// The database's own server, restarted when it dies, and how to stop it.
struct Server {
    stop: CancellationToken,
    keeping: JoinHandle<()>,
}

impl Ground {
    /// Opens it: the database is started (where it is our own), reached and migrated, the master key read (or made, at the
    /// very first start) and compared with the one the database was set up with.
    pub async fn open(store: &Store) -> Result<Self, Stopped> {
        let base_url = store.base_url()?;
        let roots = Outside::roots(store.notices_ca_file.as_deref())?;
        private_folder(&store.data_dir)?;
        let (settings, server) = match store.database()? {
            Some(settings) => (settings, None),
            None => {
                let place = ClusterSettings { folder: store.data_dir.join("postgres"), user: None };
                let cluster = Cluster::start(&place).await?;
                (cluster.settings(), Some(Server::keep(cluster)))
            }
        };
        let opened = async {
            let db = Db::connect(&settings).await?;
            let vault = vault(&db, &store.master_key_file()).await?;
            let mut tx = db.begin_door().await?;
            let panel = panel::get(&mut tx).await?.map(|panel| panel.id).unwrap_or_default();
            tx.commit().await?;
            Ok((db, vault, panel))
        };
        let (db, vault, panel) = match opened.await {
            Ok(opened) => opened,
            Err(stopped) => {
                stop(server).await;
                return Err(stopped);
            }
        };
        let base_url = base_url.as_str().trim_end_matches('/').to_owned();
        let (private, services) = (store.notices_private, None);
        let outside = Outside::new(notices::Settings { private, roots, services, base_url: base_url.clone() });
        let settings = actions::Settings {
            base_url,
            local_sources: store.local_sources.clone(),
            door: store.listen.port(),
            names: Default::default(),
            place: Some(actions::doctor::Place {
                data_dir: store.data_dir.clone(),
                master_key_file: store.master_key_file(),
            }),
        };
        let actions = actions::Ctx {
            changes: Changes::new(&db),
            db,
            vault,
            settings: Arc::new(settings),
            kept: Default::default(),
            pool: Default::default(),
            log_seats: Default::default(),
            hooks: Default::default(),
            outside,
            lookup: Names::of_this_machine(),
        };
        Ok(Self { actions, panel, server })
    }

    /// Closes the database's connections, and stops its server where it is our own.
    pub async fn close(self) {
        self.actions.db.close().await;
        stop(self.server).await;
    }
}

impl Server {
    fn keep(cluster: Cluster) -> Self {
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "owned here: ended and awaited below")]
        let keeping = tokio::spawn(cluster.keep(stop.clone()));
        Self { stop, keeping }
    }
}

async fn stop(server: Option<Server>) {
    if let Some(Server { stop, keeping }) = server {
        stop.cancel();
        let _ = keeping.await;
    }
}

/// A folder that only the panel's user may look into.
fn private_folder(folder: &Path) -> Result<(), Stopped> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|cause| Stopped::Folder { folder: folder.to_owned(), cause })
}

/// The master key. One is made only where neither the file nor a database set up with one is there.
async fn vault(db: &Db, file: &Path) -> Result<Vault, Stopped> {
    let mut tx = db.begin_door().await?;
    let known = panel::get(&mut tx).await?;
    let vault = match &known {
        Some(_) => Vault::open(file)?,
        None if file.exists() => Vault::open(file)?,
        None => Vault::create(file)?,
    };
    if known.is_none() {
        panel::create(&mut tx, &vault.key_check()).await?;
    }
    // Of two first starts at once, the second finds the first one's value here, and stops unless their keys are the same.
    if let Some(panel) = panel::get(&mut tx).await? {
        vault.check(&panel.key_check)?;
    }
    tx.commit().await?;
    Ok(vault)
}
