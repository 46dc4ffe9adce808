//! Wiring: settings become contexts, doors are opened, and drained on SIGTERM. Not here: logic.

mod doctor;
pub mod doors;
mod ground;
mod hand_over;
mod logging;
mod own_log;
mod seat;
mod serve;

use std::time::Duration;

use clap::CommandFactory;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::cli::{self, Failed};
use crate::config::{BadSettings, Cli, Command, Store};
use crate::domain::help::Topic;
use ground::Ground;

/// Why the program stopped otherwise than asked. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Settings.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// The database.
    #[error(transparent)]
    Database(#[from] crate::db::ConnectError),
    /// The database's own server.
    #[error(transparent)]
    Cluster(#[from] crate::db::cluster::ClusterError),
    /// The database, later.
    #[error("The database failed: {0}.")]
    Query(#[from] sqlx::Error),
    /// The master key's file.
    #[error(transparent)]
    KeyFile(#[from] crate::vault::BadKeyFile),
    /// The master key.
    #[error(transparent)]
    Key(#[from] crate::vault::WrongMasterKey),
    /// Git.
    #[error("Git cannot be used: {0}.")]
    Git(#[from] crate::providers::git::CannotOpen),
    /// Certificates for notices.
    #[error(transparent)]
    Roots(#[from] crate::providers::notices::BadRoots),
    /// A folder.
    #[error("The folder {folder} cannot be used: {cause}.")]
    Folder {
        /// Which.
        folder: std::path::PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The address to listen on.
    #[error("Skiff cannot listen on {listen}: {cause}. Is it running already? Another address is set by SKIFF_LISTEN.")]
    Listen {
        /// Which.
        listen: std::net::SocketAddr,
        /// The system's words.
        cause: std::io::Error,
    },
    /// A command.
    #[error(transparent)]
    Command(#[from] Failed),
    /// A command of the panel's own machine.
    #[error("{failed}")]
    Here {
        /// Why.
        failed: Failed,
        /// What it is about.
        about: Topic,
    },
    /// A command that asks a panel.
    #[error("{failed}")]
    Afar {
        /// Why.
        failed: Failed,
        /// What it is about.
        about: Topic,
    },
    /// Root could not hand over.
    #[error("The panel's user cannot do this in root's place: {0}.")]
    HandOver(std::io::Error),
    /// The machine.
    #[error("The machine has no room for the program's threads: {0}.")]
    Threads(std::io::Error),
}

impl Stopped {
    /// What a command has to say on standard output all the same.
    pub fn answer(&self) -> Option<String> {
        match self {
            Self::Command(failed) | Self::Here { failed, .. } | Self::Afar { failed, .. } => failed.answer(),
            _ => None,
        }
    }

    /// The exit status.
    pub fn code(&self) -> u8 {
        match self {
            Self::Command(failed) | Self::Here { failed, .. } | Self::Afar { failed, .. } => failed.code(),
            _ => 1,
        }
    }

    /// Where the docs say more; none where the sentence says where, as those that a panel elsewhere gave do.
    pub fn help(&self) -> Option<Topic> {
        match self {
            Self::Settings(BadSettings::PlainHttp { .. } | BadSettings::BaseUrl) => Some(Topic::OtherAddress),
            Self::Settings(BadSettings::Database(_)) | Self::Database(_) | Self::Cluster(_) | Self::Query(_) => {
                Some(Topic::Database)
            }
            Self::KeyFile(_) | Self::Key(_) => Some(Topic::MasterKey),
            Self::Git(_) => Some(Topic::PanelGit),
            Self::Roots(_) | Self::Folder { .. } | Self::HandOver(_) => Some(Topic::Settings),
            Self::Listen { .. } => Some(Topic::PanelPort),
            Self::Threads(_) => Some(Topic::PanelThreads),
            Self::Command(failed) => failed.help_from_afar(Topic::FromATerminal),
            Self::Here { failed, about } => failed.help(*about),
            Self::Afar { failed, about } => failed.help_from_afar(*about),
        }
    }

    /// The same of a command of the panel's own machine that is about this.
    fn about(self, about: Topic) -> Self {
        match self {
            Self::Command(failed) => Self::Here { failed, about },
            other => other,
        }
    }
}

/// Threads of the program. Pages and jobs wait far more than they work; each thread costs memory.
const THREADS: usize = 2;
/// How long the runtime may take to drop what is left (a password being hashed, a name being looked up).
const LAST_MOMENTS: Duration = Duration::from_secs(2);

/// Does what was asked, and gives what is to be printed.
pub fn run(command: Command) -> Result<String, Stopped> {
    hand_over::to_the_panels_user(&command).map_err(Stopped::HandOver)?;
    // russh and sqlx bring their own; both must find this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(settings) => {
                logging::start(&settings.store);
                serve::run(settings).await.map(|()| String::new())
            }
            Command::Setup(store) => {
                let done = with_ground(&store, async |ground| Ok(cli::setup::run(&ground.actions).await?)).await;
                done.map_err(|stopped| stopped.about(Topic::SignIn))
            }
            Command::Admin { store, command } => {
                let about = command.about();
                let act = async |ground: &Ground| Ok(cli::admin::run(&ground.actions, command).await?.to_string());
                with_ground(&store, act).await.map_err(|stopped| stopped.about(about))
            }
            Command::SelfUpgrade(input) => Err(Stopped::from(cli::self_upgrade::run(&input)).about(Topic::Upgrade)),
            Command::Doctor { store, input } => match input.is_remote(&store.data_dir) {
                true => {
                    let asked = cli::doctor::ask(&input).await;
                    asked.map_err(|failed| Stopped::Afar { failed, about: Topic::Doctor })
                }
                false => doctor::run(&store, &input).await.map_err(|stopped| stopped.about(Topic::Doctor)),
            },
            Command::Docs(input) => Ok(cli::docs::run(&input)?),
            Command::Remote(command) => {
                let about = command.about();
                let done = cli::remote::run(command, Cli::command()).await;
                done.map_err(|failed| Stopped::Afar { failed, about })
            }
        }
    });
    runtime.shutdown_timeout(LAST_MOMENTS);
    outcome
}

fn runtime() -> Result<Runtime, Stopped> {
    Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().map_err(Stopped::Threads)
}

/// Runs a command on the panel's ground, with wake-ups while it runs.
async fn with_ground<T>(store: &Store, act: impl AsyncFnOnce(&Ground) -> Result<T, Stopped>) -> Result<T, Stopped> {
    logging::start_quiet(store);
    let ground = Ground::open(store).await?;
    let over = CancellationToken::new();
    let changes = ground.actions.changes.clone();
    #[expect(clippy::disallowed_methods, reason = "owned here: ended and awaited below")]
    let listening = tokio::spawn({
        let over = over.clone();
        async move { changes.listen(over).await }
    });
    let outcome = act(&ground).await;
    over.cancel();
    let _ = listening.await;
    ground.close().await;
    outcome
}
