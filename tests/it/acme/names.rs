//! A name server of the test's own: it answers what the test says at that moment, over datagrams and connections.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use skiff::domain::acme::record::Said;
use skiff::domain::dns::Kind;
use skiff::providers::names::Names;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

type Records = Arc<Mutex<BTreeMap<(String, u16), Vec<Vec<u8>>>>>;

/// The server; ended with the value.
pub struct NameServer {
    /// Where it listens.
    pub address: SocketAddr,
    records: Records,
    _tasks: JoinSet<()>,
}

impl NameServer {
    /// The same as a resolver is: what it does not know it asks of that server, without the mark of those that keep the name, and it
    /// keeps the answer for ever, also that there is none.
    pub async fn caching(beyond: SocketAddr) -> Self {
        let udp = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = udp.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut kept: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            let mut bytes = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut bytes).await {
                let question = bytes[..length].to_vec();
                let reply = match kept.get(&question[12..]) {
                    Some(reply) => [&question[..2], &reply[2..]].concat(),
                    None => {
                        let mut reply = passed_on(&question, beyond).await.unwrap();
                        reply[2] &= !0x04;
                        kept.insert(question[12..].to_vec(), reply.clone());
                        reply
                    }
                };
                let _ = udp.send_to(&reply, from).await;
            }
        });
        Self { address, records: Records::default(), _tasks: tasks }
    }

    /// Starts it, knowing nothing.
    pub async fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), None).await
    }

    /// The same at this address; names it does not know are asked of that server.
    pub async fn start_at(address: SocketAddr, beyond: Option<SocketAddr>) -> Self {
        let tcp = TcpListener::bind(address).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = Arc::new(UdpSocket::bind(address).await.unwrap());
        let records = Records::default();
        let mut tasks = JoinSet::new();
        let known = Arc::clone(&records);
        tasks.spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut bytes).await {
                let question = bytes[..length].to_vec();
                match (answer(&known, &question), beyond) {
                    // "No such name" of ours is not that of the world.
                    (Some(reply), Some(beyond)) if reply[3] & 15 == 3 => {
                        let udp = Arc::clone(&udp);
                        tokio::spawn(async move {
                            if let Ok(reply) = passed_on(&question, beyond).await {
                                let _ = udp.send_to(&reply, from).await;
                            }
                        });
                    }
                    (Some(reply), _) => drop(udp.send_to(&reply, from).await),
                    (None, _) => {}
                }
            }
        });
        let known = Arc::clone(&records);
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let known = Arc::clone(&known);
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut bytes = vec![0; usize::from(length)];
                        if stream.read_exact(&mut bytes).await.is_err() {
                            return;
                        }
                        let Some(reply) = answer(&known, &bytes) else { return };
                        let framed = [&u16::try_from(reply.len()).unwrap().to_be_bytes()[..], &reply].concat();
                        if stream.write_all(&framed).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, records, _tasks: tasks }
    }

    /// Lets a name lead there, and nowhere else.
    pub fn point(&self, name: &str, to: &[&str]) {
        let mut records = self.records.lock().unwrap();
        records.retain(|(known, _), _| known != name);
        for address in to {
            let (kind, bytes) = match address.parse().unwrap() {
                IpAddr::V4(four) => (1, four.octets().to_vec()),
                IpAddr::V6(six) => (28, six.octets().to_vec()),
            };
            records.entry((name.to_owned(), kind)).or_default().push(bytes);
        }
    }

    /// Lets a name stand for another one.
    pub fn alias(&self, name: &str, to: &str) {
        self.records.lock().unwrap().insert((name.to_owned(), 5), vec![encoded(to)]);
    }

    /// Gives a name a text, or takes it away.
    pub fn text(&self, name: &str, text: &str, there: bool) {
        let mut records = self.records.lock().unwrap();
        let all = records.entry((name.to_owned(), 16)).or_default();
        let bytes = [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
        all.retain(|known| *known != bytes);
        if there {
            all.push(bytes);
        }
    }

    /// Lets it be known as the one that keeps a zone, beside others.
    pub fn keeps(&self, zone: &str, server: &str, at: &str) {
        self.records.lock().unwrap().entry((zone.to_owned(), 2)).or_default().push(encoded(server));
        self.point(server, &[at]);
    }

    /// The way to look names up there; the name servers that keep zones are asked at its port, too.
    pub fn names(&self) -> Names {
        Names { servers: vec![self.address], keepers_port: self.address.port(), ..Names::default() }
    }
}

/// A name as bytes.
fn encoded(name: &str) -> Vec<u8> {
    let labels =
        name.split('.').flat_map(|label| [&[u8::try_from(label.len()).unwrap()][..], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// What another name server answers.
async fn passed_on(question: &[u8], to: SocketAddr) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(to).await?;
    socket.send(question).await?;
    let mut reply = vec![0; 4096];
    let length = tokio::time::timeout(std::time::Duration::from_secs(10), socket.recv(&mut reply)).await??;
    reply.truncate(length);
    Ok(reply)
}

/// The answer to a question: what is known, or that there is no such name.
fn answer(records: &Records, question: &[u8]) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(question.get(at..at + 2)?.try_into().unwrap());
    let (name, end) = (labels.join("."), at + 4);
    let records = records.lock().unwrap();
    let (kind, found) = match records.get(&(name.clone(), 5)) {
        Some(other) => (5, other.clone()),
        None => (kind, records.get(&(name.clone(), kind)).cloned().unwrap_or_default()),
    };
    let exists = records.keys().any(|(known, _)| *known == name);
    let code = if exists { 0 } else { 3 };
    let mut reply = question.get(..2)?.to_vec();
    reply.extend([0x85, 0x80 | code, 0, 1]);
    reply.extend(u16::try_from(found.len()).unwrap().to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(question.get(12..end)?);
    for data in found {
        reply.extend([0xc0, 0x0c]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 1]);
        reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend(data);
    }
    Some(reply)
}

#[tokio::test]
async fn a_name_is_looked_up_with_all_its_addresses_and_texts() {
    let server = NameServer::start().await;
    server.point("shop.test", &["192.0.2.7", "192.0.2.8", "2001:db8::7"]);
    server.text("_acme-challenge.shop.test", "one", true);
    server.text("_acme-challenge.shop.test", "two", true);
    let names = server.names();
    let found: Vec<String> = names.addresses("Shop.test").await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.7", "192.0.2.8", "2001:db8::7"]);
    assert!(names.addresses("other.test").await.unwrap().is_empty());
    assert_eq!(names.texts("_acme-challenge.shop.test").await.unwrap(), [b"one".to_vec(), b"two".to_vec()]);
    let dead =
        Names { servers: vec![format!("127.0.0.1:{}", super::ca::free_port()).parse().unwrap()], ..Names::default() };
    assert!(dead.addresses("shop.test").await.is_err());
    let second = Names { servers: vec![dead.servers[0], server.address], ..Names::default() };
    assert_eq!(second.addresses("shop.test").await.unwrap().len(), 3, "the next one is asked");
}

/// What those that keep the record say, each by its name.
async fn said(names: &Names, record: &str, text: &str) -> Vec<(String, Said)> {
    names.keepers(record, Kind::Txt).await.unwrap().have(text.as_bytes()).await
}

#[tokio::test]
async fn those_that_keep_a_record_are_asked_themselves() {
    let record = "_acme-challenge.shop.test";
    let first = NameServer::start_at(([127, 0, 0, 1], 0).into(), None).await;
    // The second stands at another address of this machine, at the same port.
    let second = NameServer::start_at(([127, 0, 0, 2], first.address.port()).into(), None).await;
    first.keeps("shop.test", "ns1.shop.test", "127.0.0.1");
    first.keeps("shop.test", "ns2.shop.test", "127.0.0.2");
    let resolver = NameServer::caching(first.address).await;
    let names = Names { servers: vec![resolver.address], ..first.names() };
    let found = |one: Said, two: Said| vec![("ns1.shop.test".to_owned(), one), ("ns2.shop.test".to_owned(), two)];
    assert_eq!(said(&names, record, "x").await, found(Said::HasNot, Said::HasNot));
    first.text(record, "x", true);
    assert_eq!(said(&names, record, "x").await, found(Said::Has, Said::HasNot));
    second.text(record, "x", true);
    assert_eq!(said(&names, record, "x").await, found(Said::Has, Said::Has));
    assert_eq!(said(&names, record, "y").await, found(Said::HasNot, Said::HasNot));
    // The resolver was never asked for it: it knows of no absence.
    assert_eq!(names.texts(record).await.unwrap(), [b"x".to_vec()]);

    // A cache in their place is none of them, and one that is gone says nothing.
    drop(second);
    let caches = Names { keepers_port: resolver.address.port(), ..names.clone() };
    let silent = said(&caches, record, "x").await;
    assert!(silent.iter().all(|(_, said)| matches!(said, Said::Silent(_))), "{silent:?}");
    let [(_, Said::Has), (_, Said::Silent(why))] = &said(&names, record, "x").await[..] else { panic!("ns2 is gone") };
    assert!(why.starts_with("127.0.0.2: "), "{why}");
    assert!(names.keepers("_acme-challenge.nowhere.test", Kind::Txt).await.is_err());

    // An alias into another zone, and what a name has of addresses.
    first.alias("_acme-challenge.www.shop.test", "proofs.other.test");
    first.keeps("other.test", "ns.other.test", "127.0.0.1");
    assert_eq!(said(&names, "_acme-challenge.www.shop.test", "z").await, [("ns.other.test".into(), Said::HasNot)]);
    first.text("proofs.other.test", "z", true);
    assert_eq!(said(&names, "_acme-challenge.www.shop.test", "z").await, [("ns.other.test".into(), Said::Has)]);
    assert!(names.addresses("late.shop.test").await.unwrap().is_empty());
    first.point("late.shop.test", &["192.0.2.7", "2001:db8::7"]);
    assert!(names.addresses("late.shop.test").await.unwrap().is_empty(), "the resolver keeps that there is none");
    assert_eq!(names.addresses_kept("late.shop.test").await.unwrap().len(), 2);
}
