//! The pages, a file per noun. Not here: what they show is read from (the actions).

pub mod account;
pub mod acme;
pub mod apps;
pub mod audit;
pub mod certificates;
pub mod deploys;
pub mod docs;
pub mod doctor;
pub mod health;
pub mod home;
pub mod hosts;
pub mod invitations;
pub mod jobs;
pub mod login;
pub mod members;
pub mod notices;
pub mod panel;
pub mod projects;
pub mod releases;
pub mod setup;
pub mod teams;
pub mod tokens;
pub mod told;

use super::routes::{Policy, Routes};
use super::{assets, hooks};

/// Every route of the door.
pub fn routes() -> Routes {
    Routes::new()
        .get("/assets/{hash}/{name}", Policy::Open, assets::hashed)
        .get("/assets/vendor/{folder}/{name}", Policy::Open, assets::vendored)
        .merge(health::routes())
        .merge(docs::routes())
        .merge(setup::routes())
        .merge(login::routes())
        .merge(account::routes())
        .merge(home::routes())
        .merge(apps::routes())
        .merge(deploys::routes())
        .merge(releases::routes())
        .merge(hosts::routes())
        .merge(acme::routes())
        .merge(jobs::routes())
        .merge(doctor::routes())
        .merge(projects::routes())
        .merge(members::routes())
        .merge(invitations::routes())
        .merge(notices::routes())
        .merge(teams::routes())
        .merge(audit::routes())
        .merge(certificates::routes())
        .merge(tokens::routes())
        .merge(panel::routes())
        .merge(hooks::routes())
}
