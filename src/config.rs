//! Settings from flags and environment, read once. Not here: anything that uses them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

use crate::cli::{admin, docs, doctor, remote, self_upgrade};
use crate::db::{ConnectError, DatabaseSettings};
use crate::domain::VERSION;
use crate::domain::secret::Secret;

/// Skiff: the control panel for people who did not want to use Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "skiff", version = VERSION, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one value in a process")]
pub enum Command {
    /// Run the panel: its pages and its workers
    Serve(Serve),
    /// Print a new one-time link that opens set-up, while the panel has no owner
    Setup(Store),
    /// Act on this panel from a shell of its own machine; prints JSON
    Admin {
        /// Where the panel keeps its things.
        #[command(flatten)]
        store: Store,
        /// What to do.
        #[command(subcommand)]
        command: admin::Command,
    },
    /// Put a newer package in place of the installed one, with a copy of the database and a way back; as root
    SelfUpgrade(self_upgrade::SelfUpgrade),
    /// Say what is wrong with the panel, its database, hosts and domains, and what to do; ends with 1 where something is bad
    Doctor {
        /// Where the panel keeps its things.
        #[command(flatten)]
        store: Store,
        /// What is examined.
        #[command(flatten)]
        input: doctor::Examine,
    },
    /// Read the docs here, or search them; needs no panel and no network
    Docs(docs::Docs),
    /// What a panel somewhere is asked for.
    #[command(flatten)]
    Remote(remote::Command),
}

/// Where the panel keeps its things, where nothing else is said.
pub const DATA_DIR: &str = "/var/lib/skiff-panel";

/// Where the panel keeps its things, and how it is reached.
#[derive(Clone, Debug, Args)]
pub struct Store {
    /// Folder of everything Skiff keeps on this machine: the master key, repositories, and its own Postgres cluster
    #[arg(long, env = "SKIFF_DATA_DIR", default_value = DATA_DIR)]
    pub data_dir: PathBuf,
    /// Address and port the pages are served on; plain http, so a loopback address unless SKIFF_BASE_URL is https
    #[arg(long, env = "SKIFF_LISTEN", default_value = "127.0.0.1:7070")]
    pub listen: SocketAddr,
    /// Address people reach the panel at, such as https://skiff.example.org [default: http:// and the listen address]
    #[arg(long, env = "SKIFF_BASE_URL")]
    pub base_url: Option<Url>,
    /// Says that what listens here is a container's port, published on its machine's loopback address only: then plain http
    /// may be listened for on any address of the container
    #[arg(long, env = "SKIFF_PUBLISHED_ON_LOOPBACK")]
    pub published_on_loopback: bool,
    /// PostgreSQL 14 or newer, postgres://user:password@host/database [default: a private cluster in the data folder]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The same database for the role that owns the tables and migrates them [default: DATABASE_URL]
    #[arg(long, env = "SKIFF_DATABASE_OWNER_URL", hide_env_values = true)]
    pub database_owner_url: Option<String>,
    /// The same database for the role of the workers [default: DATABASE_URL]
    #[arg(long, env = "SKIFF_DATABASE_WORKER_URL", hide_env_values = true)]
    pub database_worker_url: Option<String>,
    /// The master key that seals all secrets, made at the first start; keep a copy elsewhere [default: master.key in the
    /// data folder]
    #[arg(long, env = "SKIFF_MASTER_KEY_FILE")]
    pub master_key_file: Option<PathBuf>,
    /// A folder of this machine whose git repositories apps may be built from (file:///…) [default: none may]
    #[arg(long, env = "SKIFF_LOCAL_SOURCES")]
    pub local_sources: Option<PathBuf>,
    /// Certificates (PEM) to trust at git servers in place of the machine's own, for a private authority
    #[arg(long, env = "SKIFF_GIT_CA_FILE")]
    pub git_ca_file: Option<PathBuf>,
    /// Lets notices (webhooks, ntfy, mail servers) go to private addresses and to this machine; never to link-local ones
    #[arg(long, env = "SKIFF_NOTICES_PRIVATE")]
    pub notices_private: bool,
    /// Certificates (PEM) to trust where notices go in place of the machine's own, for a private authority
    #[arg(long, env = "SKIFF_NOTICES_CA_FILE")]
    pub notices_ca_file: Option<PathBuf>,
    /// How the log on standard error is written
    #[arg(long, env = "SKIFF_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by module ("info,skiff::remote=debug"); below info only Skiff itself speaks
    #[arg(long, env = "SKIFF_LOG", default_value = "info")]
    pub log: String,
}

/// Settings of `skiff serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Where the panel keeps its things.
    #[command(flatten)]
    pub store: Store,
    /// What this process does; any number of each may run on one database
    #[arg(long, env = "SKIFF_ROLE", value_enum, default_value_t = Role::All)]
    pub role: Role,
    /// Jobs this process runs at once
    #[arg(long, env = "SKIFF_WORKERS", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Serves pages only.
    Web,
    /// Runs jobs only.
    Worker,
    /// Both.
    All,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Settings that do not go together. Each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum BadSettings {
    /// Plain http on an address others can reach.
    #[error(
        "Skiff speaks plain http, so it listens on this machine only, not on {listen}. From elsewhere, open a tunnel: \
         ssh -L {port}:127.0.0.1:{port} <user>@<this machine>, then http://127.0.0.1:{port}. Behind a proxy that \
         speaks https, set SKIFF_BASE_URL to its https address."
    )]
    PlainHttp {
        /// The address asked for.
        listen: SocketAddr,
        /// Its port.
        port: u16,
    },
    /// An own address that browsers cannot use.
    #[error("SKIFF_BASE_URL is an address such as https://skiff.example.org, without a path.")]
    BaseUrl,
    /// The database's address cannot be read.
    #[error(transparent)]
    Database(#[from] ConnectError),
}

impl Store {
    /// The panel's own address, checked against where it listens.
    pub fn base_url(&self) -> Result<Url, BadSettings> {
        let own = || match self.published_on_loopback {
            true => format!("http://127.0.0.1:{}", self.listen.port()),
            false => format!("http://{}", self.listen),
        };
        let own = || own().parse().map_err(|_| BadSettings::BaseUrl);
        let base = self.base_url.clone().map_or_else(own, Ok)?;
        let plain = base.path() == "/" && base.query().is_none() && base.fragment().is_none() && base.has_host();
        if !plain || !matches!(base.scheme(), "http" | "https") || !base.username().is_empty() {
            return Err(BadSettings::BaseUrl);
        }
        // What is published on loopback is reached under a loopback name; the door answers to no other over http.
        let published =
            self.published_on_loopback && matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if base.scheme() == "http" && !self.listen.ip().is_loopback() && !published {
            return Err(BadSettings::PlainHttp { listen: self.listen, port: self.listen.port() });
        }
        Ok(base)
    }

    /// The database, where one was given.
    pub fn database(&self) -> Result<Option<DatabaseSettings>, BadSettings> {
        let Some(url) = &self.database_url else { return Ok(None) };
        let (worker, owner) = (self.database_worker_url.as_deref(), self.database_owner_url.as_deref());
        Ok(Some(DatabaseSettings::from_urls(url, worker, owner)?))
    }

    /// What of these settings is a secret.
    pub fn secrets(&self) -> Vec<Secret<String>> {
        let urls = [&self.database_url, &self.database_worker_url, &self.database_owner_url];
        let read = urls.into_iter().flatten().filter_map(|url| Url::parse(url).ok());
        let passwords = read.filter_map(|url| url.password().map(str::to_owned));
        // As it stands in the address, and as it is.
        let both = passwords.flat_map(|password| {
            let plain = url::form_urlencoded::parse(["p=", &password].concat().as_bytes())
                .next()
                .map(|(_, value)| value.into_owned());
            [Some(password), plain].into_iter().flatten()
        });
        both.map(Secret::new).collect()
    }

    /// These settings for whoever helps: where the database is, and as whom it is entered, without how.
    pub fn shown(&self) -> serde_json::Value {
        let database = |url: &Option<String>| {
            url.as_ref().map(|url| match Url::parse(url) {
                Ok(url) => serde_json::json!({
                    "host": url.host_str(), "port": url.port(), "database": url.path().trim_start_matches('/'),
                    "user": url.username(), "password": url.password().map(|_| "set"),
                }),
                Err(_) => serde_json::json!("an address that cannot be read"),
            })
        };
        serde_json::json!({
            "data_dir": self.data_dir, "listen": self.listen, "base_url": self.base_url.as_ref().map(Url::as_str),
            "published_on_loopback": self.published_on_loopback, "database": database(&self.database_url),
            "database_of_workers": database(&self.database_worker_url), "database_of_owner": database(&self.database_owner_url),
            "master_key_file": self.master_key_file(), "local_sources": self.local_sources, "git_ca_file": self.git_ca_file,
            "notices_private": self.notices_private, "notices_ca_file": self.notices_ca_file,
            "log_format": format!("{:?}", self.log_format).to_lowercase(), "log": self.log,
        })
    }

    /// The master key's file.
    pub fn master_key_file(&self) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| self.data_dir.join("master.key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(arguments: &[&str]) -> Store {
        let all = ["skiff", "setup"].into_iter().chain(arguments.iter().copied());
        match Cli::try_parse_from(all).map(|cli| cli.command) {
            Ok(Command::Setup(store)) => store,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        assert_eq!(store(&["--listen", "127.0.0.1:1"]).base_url().unwrap().as_str(), "http://127.0.0.1:1/");
        assert_eq!(store(&["--listen", "[::1]:1"]).base_url().unwrap().as_str(), "http://[::1]:1/");
        let sentence = store(&["--listen", "0.0.0.0:7070"]).base_url().unwrap_err().to_string();
        assert!(sentence.contains("ssh -L 7070:127.0.0.1:7070"), "{sentence}");
        let named = store(&["--listen", "0.0.0.0:7070", "--base-url", "http://skiff.example.org"]);
        assert!(matches!(named.base_url(), Err(BadSettings::PlainHttp { .. })));
        let proxied = store(&["--listen", "0.0.0.0:7070", "--base-url", "https://skiff.example.org"]);
        assert_eq!(proxied.base_url().unwrap().as_str(), "https://skiff.example.org/");
    }

    #[test]
    fn a_container_published_on_loopback_is_known_by_a_loopback_name_only() {
        let published = |more: &[&str]| {
            store(&[&["--listen", "0.0.0.0:7070", "--published-on-loopback"], more].concat()).base_url()
        };
        assert_eq!(published(&[]).unwrap().as_str(), "http://127.0.0.1:7070/");
        assert_eq!(published(&["--base-url", "http://localhost:8000"]).unwrap().as_str(), "http://localhost:8000/");
        for elsewhere in ["http://192.0.2.7:7070", "http://skiff.example.org", "http://0.0.0.0:7070"] {
            let refused = published(&["--base-url", elsewhere]);
            assert!(matches!(refused, Err(BadSettings::PlainHttp { .. })), "{elsewhere}");
        }
    }

    #[test]
    fn an_own_address_has_no_path() {
        for wrong in ["https://x.example/panel", "ftp://x.example", "https://user@x.example", "https://x.example/?a"] {
            assert!(matches!(store(&["--base-url", wrong]).base_url(), Err(BadSettings::BaseUrl)), "{wrong}");
        }
    }
}
