//! The real HAProxy with the file, the map and the commands of `domain::ingress`, unprivileged and on loopback.

mod apps;
mod bodies;
mod h2c;
mod proxy;
mod release_script;
mod reloads;
mod routes;
mod rules;
mod servers;
mod tls;
mod trust;
mod versions;

use skiff::domain::app::Route;
use skiff::domain::ids::{AppId, RouteId};
use skiff::domain::ingress::{Backend, Ingress, Ruled};
use skiff::domain::rules::Rules;
use std::net::Ipv4Addr;

/// A route of this domain and path.
fn route(domain: &str, path: &str) -> Route {
    Route { domain: domain.parse().unwrap(), path: path.parse().unwrap() }
}

/// A backend with servers `name` at 127.0.1.n.
fn backend(slot: u32, port: u16, servers: &[(&str, u8)]) -> Backend {
    let server = |(name, last): &(&str, u8)| (name.parse().unwrap(), address(*last));
    Backend {
        slot,
        app: AppId(uuid::Uuid::from_u128(u128::from(slot))),
        port,
        servers: servers.iter().map(server).collect(),
        peers: Vec::new(),
        ruled: Vec::new(),
        front: Default::default(),
    }
}

/// All of 127.0.0.0/8 is this machine.
fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, last)
}

/// Lets a route lead to a slot by these rules.
fn rule(ingress: &mut Ingress, slot: u32, domain: &str, path: &str, rules: Rules) {
    let route = route(domain, path);
    let id = RouteId(uuid::Uuid::now_v7());
    ingress.routes.push((route.clone(), slot));
    let backend = ingress.backends.iter_mut().find(|backend| backend.slot == slot).unwrap();
    backend.ruled.push(Ruled { id, route, rules });
}
