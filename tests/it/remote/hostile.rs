//! A host that has the right key and means ill: what it opens is refused, what it says too much is not kept, and it ends
//! nobody's calls but its own.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use russh::keys::{HashAlg, decode_secret_key};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId};
use skiff::domain::ids::HostId;
use skiff::domain::names::HostAddress;
use skiff::remote::{Login, Pool, PoolSettings, keys};
use tokio::net::TcpListener;

/// Channels that it opens, of each kind.
const OPENED: usize = 100;
/// A banner near the largest packet there is.
const BANNER_BYTES: usize = 200_000;

#[derive(Default)]
struct Tally {
    refused: AtomicUsize,
    taken: AtomicUsize,
}

impl Tally {
    fn count<T, E>(&self, opened: Result<T, E>) {
        let of = if opened.is_ok() { &self.taken } else { &self.refused };
        of.fetch_add(1, Ordering::Relaxed);
    }
}

struct Hostile(Arc<Tally>);

impl Handler for Hostile {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(Some("\u{1b}[2J".repeat(BANNER_BYTES / 4)))
    }

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Self::Error> {
        let (handle, tally) = (session.handle(), self.0.clone());
        tokio::spawn(async move {
            for n in 0..OPENED {
                tally.count(handle.channel_open_forwarded_tcpip("127.0.0.1", 80, "127.0.0.1", n as u32).await);
                tally.count(handle.channel_open_forwarded_streamlocal("/var/run/docker.sock").await);
                tally.count(handle.channel_open_x11("127.0.0.1", n as u32).await);
                tally.count(handle.channel_open_agent().await);
                tally.count(handle.channel_open_session().await);
                tally.count(handle.channel_open_direct_tcpip("127.0.0.1", 5432, "127.0.0.1", n as u32).await);
            }
        });
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(id)?;
        session.exit_status_request(id, 0)?;
        session.eof(id)?;
        session.close(id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_nobody_asked_for_are_refused_and_the_connection_goes_on() {
    let (host_key, _) = keys::generate("a host").unwrap();
    let host_key = decode_secret_key(host_key.expose(), None).unwrap();
    let print = host_key.public_key().fingerprint(HashAlg::Sha256).to_string();
    let config = Arc::new(Config { keys: vec![host_key], ..Config::default() });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tally = Arc::new(Tally::default());
    let seen = tally.clone();
    tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            let session = run_stream(config.clone(), peer, Hostile(seen.clone())).await;
            tokio::spawn(async move { session.unwrap().await.ok() });
        }
    });
    let login = Login {
        id: HostId(uuid::Uuid::now_v7()),
        name: "hostile".to_owned(),
        address: "127.0.0.1".parse::<HostAddress>().unwrap(),
        port,
        user: "root".parse().unwrap(),
        key: keys::generate("ours").unwrap().0,
        host_key: print,
        jump: None,
    };
    let host = Pool::new(PoolSettings::default()).host(&login).await.unwrap();
    for _ in 0..500 {
        if tally.refused.load(Ordering::Relaxed) + tally.taken.load(Ordering::Relaxed) >= 6 * OPENED {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let counted = (tally.refused.load(Ordering::Relaxed), tally.taken.load(Ordering::Relaxed));
    assert_eq!(counted, (6 * OPENED, 0), "refused, taken");
    assert!(host.is_connected(), "what it opens is no reason to lose it");
    host.ready().await.unwrap();
}
