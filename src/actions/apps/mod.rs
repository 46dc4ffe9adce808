//! Apps: describe, list, show, edit. An edit is saved and pending until the next deploy. Not here: deploying.

mod addresses;
mod configuration;
mod create;
mod dockerfile;
mod edit;
mod entries;
mod forms;
mod get;
mod hsts;
mod list;
mod named;
pub(in crate::actions) mod placement;
mod remove;
mod source;
mod stop;
mod views;

pub(in crate::actions) use addresses::Addresses;
pub use create::create;
pub use dockerfile::{
    DockerfileLine, DockerfileView, FoundView, KeepDockerfile, KeptText, LookView, NO_REPOSITORY, dockerfile,
    keep_dockerfile, look_at_source,
};
pub(in crate::actions) use edit::{Editing, begin as begin_edit};
pub use edit::{configure, remove_variable, rename, set_source, set_variable};
pub(in crate::actions) use entries::{MOST_ROUTES, MOST_VARIABLES, MOST_VOLUMES};
pub use forms::{EditConfiguration, EditSource, NewApp, NewRoute, Pair, PlaceApp, RenameApp, SetVariable};
pub use get::get;
pub use hsts::{SetHsts, set_hsts};
pub(in crate::actions) use list::lines;
pub use list::{list, new_form};
pub use named::named;
pub use placement::place;
pub(in crate::actions) use remove::left_on;
pub use remove::{Gone, Leaving, RemoveApp, gone, remove};
pub use stop::stop;
pub use views::{
    AppLine, AppState, AppView, DeployBrief, EnvironmentChoice, HealthView, HostChoice, May, NewAppForm, PendingChange,
    PlaceLine, ReleaseBrief, RouteView, RoutesStand, SourceView, Stopped, TakenBack, VariableLine,
};
