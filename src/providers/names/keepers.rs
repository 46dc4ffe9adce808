//! The name servers that keep a zone, found and asked themselves: no cache is in between, and nothing is asked of one that could keep
//! "there is none". Not here: what their answers mean (`domain/dns`, `domain/acme/record`).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::timeout;

use super::{Names, NoAnswer, datagram, no_name, over_tcp};
use crate::domain::acme::record::Said;
use crate::domain::dns::{self, Data, Kind, Reply, Step, step, zones_above};
use crate::domain::outgoing;

/// Name servers of one zone that are asked: most have two to four, and thirteen stand at the top.
const MOST_SERVERS: usize = 8;
/// Addresses of one of them that are tried.
const MOST_ADDRESSES: usize = 4;
/// Zones and other names on the way to a record.
const MOST_STEPS: usize = 8;
/// How long one of them may take, with all its addresses.
const ONE: Duration = Duration::from_secs(10);

/// Those that keep what a name has.
#[derive(Clone, Debug)]
pub struct Keepers {
    /// The name: another one, where the one that was looked for only stands for it.
    pub name: String,
    zone: String,
    servers: Vec<Server>,
}

#[derive(Clone, Debug)]
struct Server {
    name: String,
    addresses: Vec<SocketAddr>,
}

impl Names {
    /// Finds them. From the first zone above the name that this machine's name servers know on, each zone's own servers say who keeps
    /// what is below. Where none of them answers, the way ends there, and asking them says so.
    pub async fn keepers(&self, name: &str, kind: Kind) -> Result<Keepers, NoAnswer> {
        let mut known = self.zone_of(name).await?;
        for _ in 0..MOST_STEPS {
            match known.first(kind).await {
                Step::Here(_) | Step::Nowhere => return Ok(known),
                Step::Alias(to) => known = self.zone_of(&to).await?,
                Step::Below { zone, servers } => {
                    known = Keepers { servers: self.at(servers).await, zone, name: known.name };
                }
            }
        }
        Err(NoAnswer(format!("{name} leads from name to name, and to no end")))
    }

    /// The addresses of a name as those that keep it have them now; of none of them where all are silent.
    pub async fn addresses_kept(&self, name: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        let of = async |kind| {
            let keepers = self.keepers(name, kind).await?;
            Ok(match keepers.first(kind).await {
                Step::Here(data) => data.into_iter().filter_map(super::address).collect(),
                _ => Vec::new(),
            })
        };
        let (four, six): (Vec<IpAddr>, Vec<IpAddr>) = tokio::try_join!(of(Kind::A), of(Kind::Aaaa))?;
        Ok(four.into_iter().chain(six).collect())
    }

    /// The first zone above a name whose name servers this machine's know.
    async fn zone_of(&self, name: &str) -> Result<Keepers, NoAnswer> {
        let mut last = NoAnswer(format!("no name server of {name} is known"));
        for zone in zones_above(name) {
            let reply = match self.ask(zone, Kind::Ns).await {
                Ok(reply) => reply,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let server = |data| if let Data::NameServer(server) = data { Some(server) } else { None };
            let of_it = reply.answers.into_iter().filter(|record| record.name.eq_ignore_ascii_case(zone));
            let servers: Vec<String> = of_it.filter_map(|record| server(record.data)).collect();
            if !servers.is_empty() {
                return Ok(Keepers { name: name.to_owned(), zone: zone.to_owned(), servers: self.at(servers).await });
            }
        }
        Err(last)
    }

    /// Where name servers stand.
    async fn at(&self, mut servers: Vec<String>) -> Vec<Server> {
        servers.sort_unstable();
        servers.truncate(MOST_SERVERS);
        let found = servers.into_iter().map(|name| async move {
            let addresses = self.addresses(&name).await.unwrap_or_default();
            // Who keeps a domain says where its name servers stand: nothing is sent to where none can be.
            let good = addresses.into_iter().filter(|at| outgoing::judge(at.to_canonical(), true).is_ok());
            let addresses = good.take(MOST_ADDRESSES).map(|at| (at, self.keepers_port).into()).collect();
            Server { name, addresses }
        });
        join_all(found).await
    }
}

impl Keepers {
    /// What each of them says of a text.
    pub async fn have(&self, text: &[u8]) -> Vec<(String, Said)> {
        let all = self.servers.iter().map(|server| async move {
            let said = match self.ask(server, Kind::Txt).await {
                Ok(Step::Here(data)) if data.iter().any(|data| matches!(data, Data::Text(is) if is == text)) => {
                    Said::Has
                }
                // One that does not know yet of an alias or a zone below, or still does, does not have it either.
                Ok(_) => Said::HasNot,
                Err(why) => Said::Silent(why),
            };
            (server.name.clone(), said)
        });
        join_all(all).await
    }

    /// What the first that answers says.
    async fn first(&self, kind: Kind) -> Step {
        let mut all = FuturesUnordered::new();
        for server in &self.servers {
            all.push(self.ask(server, kind));
        }
        while let Some(said) = all.next().await {
            if let Ok(said) = said {
                return said;
            }
        }
        Step::Nowhere
    }

    /// What one of them says, at the first of its addresses that answers; or why nothing that counts.
    async fn ask(&self, server: &Server, kind: Kind) -> Result<Step, String> {
        let asked = async {
            let mut why = "it has no address".to_owned();
            for address in &server.addresses {
                match ask(*address, &self.name, kind).await {
                    Err(error) => why = format!("{}: {error}", address.ip()),
                    Ok(reply) => match step(&reply, &self.zone, &self.name) {
                        Step::Nowhere if reply.code != 0 => why = format!("{}: code {}", address.ip(), reply.code),
                        Step::Nowhere => why = format!("what answers at {} does not keep the zone", address.ip()),
                        said => return Ok(said),
                    },
                }
            }
            Err(why)
        };
        timeout(ONE, asked).await.unwrap_or_else(|_| Err(format!("nothing within {} s", ONE.as_secs())))
    }
}

/// Asks by datagram, and by connection where that is lost, closed, or too short for the answer.
async fn ask(server: SocketAddr, name: &str, kind: Kind) -> std::io::Result<Reply> {
    let id = rand::random::<u16>();
    let question = dns::question_to_authority(id, name, kind).ok_or_else(no_name)?;
    match datagram(server, id, &question).await {
        Ok(reply) if !reply.cut => Ok(reply),
        Ok(_) => over_tcp(server, id, &question).await,
        Err(error) => over_tcp(server, id, &question).await.map_err(|_| error),
    }
}
