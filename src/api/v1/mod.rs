//! The calls, a file per noun. Each is: parse, ask the action, write JSON.

pub mod apps;
pub mod audit;
pub mod configuration;
pub mod deploys;
pub mod document;
pub mod fronts;
pub mod hooks;
pub mod host_checks;
pub mod hosts;
pub mod instances;
pub mod invitations;
pub mod jobs;
pub mod logs;
pub mod me;
pub mod members;
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
        .merge(variables::routes())
        .merge(secrets::routes())
        .merge(routes::routes())
        .merge(fronts::routes())
        .merge(volumes::routes())
        .merge(instances::routes())
        .merge(logs::routes())
        .merge(hooks::routes())
        .merge(deploys::routes())
        .merge(releases::routes())
        .merge(jobs::routes())
        .merge(hosts::routes())
        .merge(host_checks::routes())
        .merge(projects::routes())
        .merge(tokens::routes())
        .merge(teams::routes())
        .merge(members::routes())
        .merge(invitations::routes())
        .merge(audit::routes())
}
