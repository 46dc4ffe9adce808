//! Where an app runs, and how many instances on which host. Takes effect with the next deploy. Not here: what that does.

use serde_json::json;

use super::edit::{self, Editing};
use super::forms::PlaceApp;
use super::views::PlaceLine;
use crate::actions::fields::Fields;
use crate::actions::routes::ports;
use crate::actions::{Ctx, Refused};
use crate::db::{self, hosts};
use crate::domain::app::Spec;
use crate::domain::host::HostState;
use crate::domain::ids::{AppId, HostId};
use crate::domain::plan::MAX_INSTANCES;
use crate::domain::release::{self, Place};
use crate::domain::rights::{Actor, Permission};

/// The form's field.
const FIELD: &str = "places";

/// Why one number does not tell where an app on several hosts runs.
pub(super) const SEVERAL: &str =
    "The app runs on several hosts: set the number on each of them, where the configuration says where it runs.";

/// Places an app: exactly the hosts with a number, in their order.
pub async fn place(ctx: &Ctx, actor: &Actor, id: AppId, input: PlaceApp) -> Result<(), Refused> {
    let mut edit = edit::begin(ctx, actor, id, Permission::EditApps).await?;
    let placed = read(&mut edit, actor, &input).await?;
    edit.keep_placed(&placed).await
}

/// What a form asks for, with what stands in the audit.
pub(in crate::actions) struct Placed {
    /// The hosts and their numbers.
    pub places: Vec<Place>,
    before: serde_json::Value,
    after: serde_json::Value,
}

/// Reads the form against the team's hosts and what is known of the app.
pub(in crate::actions) async fn read(edit: &mut Editing, actor: &Actor, input: &PlaceApp) -> Result<Placed, Refused> {
    let all = db::hosts::list(&mut edit.tx, &edit.permit, None).await?;
    let mut fields = Fields::default();
    let places = counts(&mut fields, input, &all, &edit.app.placement);
    let volumes = db::volumes::of_app(&mut edit.tx, &edit.permit, edit.app.id).await?;
    if fields.fine() {
        one_home(&mut fields, &edit.app.spec, &volumes, &places, &all);
    }
    let known = |host: HostId| edit.app.placement.iter().any(|place| place.host == host);
    let further: Vec<HostId> = places.iter().map(|place| place.host).filter(|host| !known(*host)).collect();
    if let Some(why) = ports::cannot_follow(&mut edit.tx, &edit.permit, actor, edit.app.id, &further).await? {
        fields.wrong(FIELD, why);
    }
    if !fields.fine() {
        return Err(fields.refuse());
    }
    let (before, after) = (words(&edit.app.placement, &all), words(&places, &all));
    Ok(Placed { places, before, after })
}

/// The hosts with a number. Those that have one already come first, in the order they had: the first one builds.
fn counts(fields: &mut Fields, input: &PlaceApp, all: &[hosts::Row], known: &[Place]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut total = 0;
    for (at, entry) in input.places.iter().enumerate() {
        let Some(host) = all.iter().find(|row| entry.name.trim().parse() == Ok(row.id)) else {
            fields.wrong_entry(FIELD, at, "The team has no such host.");
            continue;
        };
        let raw = entry.value.trim();
        let digits = raw.chars().all(|c| c.is_ascii_digit());
        let number = if raw.is_empty() { Some(0) } else { raw.parse().ok().filter(|_| digits) };
        let Some(instances @ 0..=64) = number else {
            fields.wrong_entry(FIELD, at, &format!("Use a whole number from 0 to {MAX_INSTANCES} for {}.", host.name));
            continue;
        };
        if instances == 0 {
            continue;
        }
        if places.iter().any(|place| place.host == host.id) {
            fields.wrong_entry(FIELD, at, &format!("{} is named twice.", host.name));
        }
        if host.state == HostState::New && !known.iter().any(|place| place.host == host.id) {
            fields.wrong_entry(FIELD, at, &format!("{} is not ready yet: make it ready first.", host.name));
        }
        total += usize::from(instances);
        places.push(Place { host: host.id, instances });
    }
    if fields.fine() && places.is_empty() {
        fields.wrong(FIELD, "Give at least one host an instance. To have nothing run, stop the app.");
    }
    if total > MAX_INSTANCES {
        fields.wrong(FIELD, format!("An app has at most {MAX_INSTANCES} instances in all; these are {total}."));
    }
    let before = |place: &Place| known.iter().position(|old| old.host == place.host).unwrap_or(usize::MAX);
    places.sort_by_key(before);
    places
}

/// A volume is one host's: an app that has one runs there and nowhere else.
fn one_home(fields: &mut Fields, spec: &Spec, volumes: &[db::volumes::Row], places: &[Place], all: &[hosts::Row]) {
    let Some(mount) = spec.mounts.first() else { return };
    if places.len() > 1 {
        let words = format!(
            "The app keeps data in the volume {}, and each host would have a volume of its own: choose one host, or take the volume out.",
            mount.name
        );
        fields.wrong(FIELD, words);
        return;
    }
    let name = |host: HostId| all.iter().find(|row| row.id == host).map_or("another host", |row| &row.name);
    let mounted = volumes.iter().filter(|row| spec.mounts.iter().any(|mount| mount.volume == row.id));
    let mut elsewhere = mounted.filter_map(|row| row.host.map(|host| (row, host)));
    let away = elsewhere.find(|(_, host)| places.iter().any(|place| place.host != *host));
    if let Some((row, host)) = away {
        let words = format!(
            "The data of the volume {} is on {}: elsewhere the app would begin with an empty one. Take the volume out first, if that is meant.",
            row.name,
            name(host)
        );
        fields.wrong(FIELD, words);
    }
}

/// A placement by the names of its hosts, for the audit.
fn words(places: &[Place], all: &[hosts::Row]) -> serde_json::Value {
    let name =
        |host: HostId| all.iter().find(|row| row.id == host).map_or_else(|| host.to_string(), |row| row.name.clone());
    places.iter().map(|place| (name(place.host), json!(place.instances))).collect()
}

impl Editing {
    /// Keeps the places, in the caller's transaction.
    pub(in crate::actions) async fn put_places(&mut self, places: &[Place]) -> Result<(), Refused> {
        let mut spec = self.app.spec.0.clone();
        spec.instances = release::instances(places);
        db::apps::update_spec(&mut self.tx, &self.permit, self.app.id, &spec, places).await?;
        self.app.spec.0 = spec;
        self.app.placement.0 = places.to_vec();
        Ok(())
    }

    /// Keeps the places, writes the event down and commits.
    async fn keep_placed(mut self, placed: &Placed) -> Result<(), Refused> {
        self.put_places(&placed.places).await?;
        self.finish("app.placed", Some(placed.before.clone()), Some(placed.after.clone())).await
    }

    /// The event alone, where more follows in the transaction.
    pub(in crate::actions) async fn note_placed(&mut self, placed: &Placed) -> Result<(), Refused> {
        self.note("app.placed", Some(placed.before.clone()), Some(placed.after.clone())).await
    }
}

/// The places of an app with as many instances in all: only one on one host can be told by one number.
pub(super) fn with_total(known: &[Place], instances: u16) -> Option<Vec<Place>> {
    match known {
        _ if release::instances(known) == instances => Some(known.to_vec()),
        [only] => Some(vec![Place { host: only.host, instances }]),
        _ => None,
    }
}

/// The hosts an app can be placed on, those it is on first.
pub(super) fn of_rows(all: &[hosts::Row], places: &[Place]) -> Vec<PlaceLine> {
    let at = |row: &hosts::Row| places.iter().position(|place| place.host == row.id);
    let mut lines: Vec<(usize, PlaceLine)> = all
        .iter()
        .map(|row| {
            let instances = at(row).and_then(|at| places.get(at)).map_or(0, |place| place.instances);
            let ready = row.state == HostState::Ready;
            let line = PlaceLine { id: row.id, name: row.name.clone(), arch: row.facts.arch.clone(), ready, instances };
            (at(row).unwrap_or(usize::MAX), line)
        })
        .collect();
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line).collect()
}
