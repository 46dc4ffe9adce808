//! The lists of an app's form: routes, variables, secrets, volumes. Not here: keeping them.

use std::collections::BTreeMap;

use super::forms::{NewRoute, Pair};
use crate::actions::fields::Fields;
use crate::actions::volumes::NewVolume;
use crate::domain::app::{Kind, Route};
use crate::domain::names::{Domain, EnvName, EnvValue, MountPath, PathPrefix, PlainName};
use crate::domain::secret::Secret;

/// The most routes of an app: each is a line of the proxy's map on every host.
pub const MOST_ROUTES: usize = 50;
/// The most variables and secrets of an app together.
pub const MOST_VARIABLES: usize = 200;
/// The most bytes of all names and values together: what the kernel lets a program be started with is 2 MiB.
pub const MOST_VARIABLE_BYTES: usize = 512 * 1024;
/// The most volumes of an app.
pub const MOST_VOLUMES: usize = 20;

/// Reads routes; entries without a domain and with no other path than `/` are passed over.
pub fn routes(fields: &mut Fields, raw: &[NewRoute], kind: Kind) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for (place, entry) in
        raw.iter().enumerate().filter(|(_, e)| !(e.domain.is_empty() && matches!(e.path.as_str(), "" | "/")))
    {
        let domain = fields.entry::<Domain>("routes", place, &entry.domain);
        let path = fields.entry::<PathPrefix>("routes", place, &entry.path);
        let (Some(domain), Some(path)) = (domain, path) else { continue };
        let route = Route { domain, path };
        if routes.contains(&route) {
            fields.wrong_entry("routes", place, "the domain and path are there twice.");
        } else {
            routes.push(route);
        }
    }
    if kind == Kind::Worker && !routes.is_empty() {
        fields.wrong(
            "routes",
            "A worker answers no requests, so it has no domains. Choose the kind web, or leave them out.",
        );
    }
    if routes.len() > MOST_ROUTES {
        fields.wrong("routes", format!("Use at most {MOST_ROUTES} domains and paths."));
    }
    routes
}

/// Reads plain variables; entries with both texts empty are passed over.
pub fn variables(fields: &mut Fields, raw: &[Pair]) -> BTreeMap<EnvName, EnvValue> {
    named(fields, "variables", raw)
}

/// Reads secret variables, which must not have the name of a plain one.
pub fn secrets(
    fields: &mut Fields,
    raw: &[Pair],
    variables: &BTreeMap<EnvName, EnvValue>,
) -> Vec<(EnvName, Secret<String>)> {
    let secrets = named(fields, "secrets", raw);
    if let Some(name) = secrets.keys().find(|name| variables.contains_key(*name)) {
        fields.wrong("secrets", format!("{name} is a plain variable already: one name, one value."));
    }
    if variables.len() + secrets.len() > MOST_VARIABLES {
        fields.wrong("variables", format!("Use at most {MOST_VARIABLES} variables and secrets together."));
    }
    let bytes: usize =
        [variables, &secrets].iter().flat_map(|map| map.iter()).map(|(n, v)| n.as_ref().len() + v.as_ref().len()).sum();
    if bytes > MOST_VARIABLE_BYTES {
        fields.wrong("variables", TOO_MANY_BYTES);
    }
    secrets.into_iter().map(|(name, value)| (name, Secret::new(String::from(value)))).collect()
}

/// The sentence where all values together are too long.
pub const TOO_MANY_BYTES: &str =
    "All variables together are longer than 512 KiB: no program could be started with them.";

/// Reads names with values.
fn named(fields: &mut Fields, field: &'static str, raw: &[Pair]) -> BTreeMap<EnvName, EnvValue> {
    let mut read = BTreeMap::new();
    for (place, pair) in raw.iter().enumerate().filter(|(_, pair)| !(pair.name.is_empty() && pair.value.is_empty())) {
        let name = fields.entry::<EnvName>(field, place, &pair.name);
        let value = fields.entry::<EnvValue>(field, place, &pair.value);
        let (Some(name), Some(value)) = (name, value) else { continue };
        if read.insert(name, value).is_some() {
            fields.wrong_entry(field, place, "the name is there twice.");
        }
    }
    read
}

/// Reads volumes; entries with both texts empty are passed over.
pub fn volumes(fields: &mut Fields, raw: &[NewVolume]) -> Vec<(PlainName, MountPath)> {
    let mut volumes: Vec<(PlainName, MountPath)> = Vec::new();
    for (place, entry) in raw.iter().enumerate().filter(|(_, e)| !(e.name.is_empty() && e.path.is_empty())) {
        let name = fields.entry::<PlainName>("volumes", place, &entry.name);
        let path = fields.entry::<MountPath>("volumes", place, &entry.path);
        let (Some(name), Some(path)) = (name, path) else { continue };
        if volumes.iter().any(|(known, at)| *known == name || *at == path) {
            fields.wrong_entry("volumes", place, "the name or the path is there twice.");
        } else {
            volumes.push((name, path));
        }
    }
    if volumes.len() > MOST_VOLUMES {
        fields.wrong("volumes", format!("Use at most {MOST_VOLUMES} volumes."));
    }
    volumes
}
