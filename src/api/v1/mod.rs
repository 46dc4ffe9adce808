//! The calls, a file per noun. Each is: parse, ask the action, write JSON.

pub mod acme;
pub mod apps;
pub mod audit;
pub mod certificates;
pub mod configuration;
pub mod deploys;
pub mod dockerfiles;
pub mod doctor;
pub mod document;
pub mod fronts;
pub mod hooks;
pub mod host_checks;
pub mod hosts;
pub mod hsts;
pub mod instances;
pub mod invitations;
pub mod jobs;
pub mod logs;
pub mod me;
pub mod members;
pub mod notices;
pub mod panel;
pub mod placement;
pub mod projects;
pub mod releases;
pub mod routes;
pub mod scopes;
pub mod secrets;
pub mod sources;
pub mod status;
pub mod teams;
pub mod tokens;
pub mod variables;
pub mod volumes;

use super::routes::Routes;

/// Every call.
pub fn routes() -> Routes {
    Routes::new()
        .merge(document::routes())
        .merge(me::routes())
        .merge(status::routes())
        .merge(apps::routes())
        .merge(configuration::routes())
        .merge(placement::routes())
        .merge(sources::routes())
        .merge(dockerfiles::routes())
        .merge(variables::routes())
        .merge(secrets::routes())
        .merge(routes::routes())
        .merge(fronts::routes())
        .merge(hsts::routes())
        .merge(volumes::routes())
        .merge(instances::routes())
        .merge(logs::routes())
        .merge(hooks::routes())
        .merge(deploys::routes())
        .merge(releases::routes())
        .merge(jobs::routes())
        .merge(hosts::routes())
        .merge(acme::routes())
        .merge(host_checks::routes())
        .merge(doctor::routes())
        .merge(projects::routes())
        .merge(tokens::routes())
        .merge(teams::routes())
        .merge(members::routes())
        .merge(notices::routes())
        .merge(invitations::routes())
        .merge(panel::routes())
        .merge(audit::routes())
        .merge(certificates::routes())
}
