//! Pebble, the test authority of Let's Encrypt, as a process of its own.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::harness::tls::trusting;
use crate::harness::visitors::Way;

/// Longer than a start takes on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running Pebble; ended with the value.
pub struct Pebble {
    /// Its directory.
    pub directory: String,
    /// The certificate it is reached by, which stands for its own root (PEM).
    pub root: String,
    management: u16,
    folder: tempfile::TempDir,
    _child: Child,
}

/// How it shall be.
pub struct How {
    /// The name server it asks.
    pub dns: String,
    /// Seconds its certificates are valid.
    pub valid_s: u64,
    /// The key it wants accounts bound to.
    pub binding: Option<(&'static str, &'static str)>,
}

impl Pebble {
    /// Starts it.
    pub async fn start(how: How) -> Self {
        Self::start_at(how, "127.0.0.1").await
    }

    /// The same, reached at this address of this machine.
    pub async fn start_at(how: How, address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), address.to_owned()]).unwrap();
        std::fs::write(at("cert.pem"), own.cert.pem()).unwrap();
        std::fs::write(at("key.pem"), own.signing_key.serialize_pem()).unwrap();
        let (port, management) = (free_port(), free_port());
        let keys = how.binding.map(|(id, key)| serde_json::json!({ id: key })).unwrap_or(serde_json::json!({}));
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("{address}:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": at("cert.pem"), "privateKey": at("key.pem"),
            "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
            "externalAccountBindingRequired": how.binding.is_some(), "externalAccountMACKeys": keys,
            "certificateValidityPeriod": how.valid_s,
        } });
        std::fs::write(at("config.json"), config.to_string()).unwrap();
        let log = std::fs::File::create(at("log")).unwrap();
        // Killed with this process, also where that is killed itself. It refuses some good nonces, as it does by default.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "pebble", "-config"]).arg(at("config.json"));
        command.args(["-strict=false", "-dnsserver", &how.dns]).env("PEBBLE_VA_NOSLEEP", "1");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let child = command.spawn().unwrap();
        let begun = Instant::now();
        while tokio::net::TcpStream::connect((address, port)).await.is_err() {
            let log = std::fs::read_to_string(at("log")).unwrap();
            assert!(begun.elapsed() < READY_WITHIN, "pebble does not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            directory: format!("https://{address}:{port}/dir"),
            root: own.cert.pem(),
            folder,
            management,
            _child: child,
        }
    }

    /// The root that its certificates lead to (PEM): another one with every start.
    pub async fn issuer(&self) -> String {
        let way = Way { at: ([127, 0, 0, 1], self.management).into(), trust: trusting(&self.root) };
        way.ask("localhost", "/roots/0").await.unwrap()
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Orders that were asked for.
    pub fn orders(&self) -> usize {
        self.log().lines().filter(|line| line.contains("There are now") && line.contains("orders in the db")).count()
    }
}

/// A port that nobody has.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
