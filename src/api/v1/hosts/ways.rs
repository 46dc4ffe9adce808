//! The ways in to a host: changed, given once, and ended.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HostDetail, detail};
use crate::actions::hosts::{self, EditHost, ForgetHost, GivePass};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::change::Set;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, patch, put};
use crate::api::take::{OfHost, Sent};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let manage = Permission::ManageHosts;
    Routes::new()
        .about(Topic::HostMoves)
        .add(
            patch("/hosts/{host}", manage)
                .title("Change the name of a host, or the way in; its pinned key stays")
                .gives::<Json<HostDetail>>(),
            edit,
        )
        .about(Topic::HostForgotten)
        .add(
            delete("/hosts/{host}", manage)
                .title("Forget a host; nothing on the server is touched")
                .gives::<Json<Forgotten>>(),
            forget,
        )
        .about(Topic::LettingIn)
        .add(
            put("/hosts/{host}/pass", manage)
                .title("Give a password or a private key that lets Skiff in once")
                .gives::<Json<HostDetail>>(),
            give,
        )
}

/// What changes. What is not there stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// What people call it.
    #[serde(default)]
    name: Set<String>,
    /// Where it answers SSH.
    #[serde(default)]
    address: Set<String>,
    /// Its SSH port; null means 22.
    #[serde(default)]
    port: Set<u64>,
    /// The user to sign in as.
    #[serde(default)]
    user: Set<String>,
    /// The server to go through, `user@address:port`; null means straight.
    #[serde(default)]
    jump: Set<String>,
}

/// What shall be forgotten.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Forget {
    /// The host's name, so that no other one is forgotten by mistake.
    #[serde(default)]
    name: String,
    /// True where the server is gone for good, with the instances and volumes that were on it.
    #[serde(default)]
    gone: bool,
}

/// A host that was forgotten.
#[derive(Serialize, JsonSchema)]
struct Forgotten {
    /// What it was called.
    name: String,
    /// What remains on the server.
    remains: Vec<Remains>,
}

/// Something that remains on a server.
#[derive(Serialize, JsonSchema)]
struct Remains {
    /// What.
    what: String,
    /// The line that takes it away, as root.
    line: String,
}

/// A password or a private key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pass {
    /// The user's password.
    #[serde(default)]
    password: Option<String>,
    /// A private key, the file's whole text.
    #[serde(default)]
    private_key: Option<String>,
    /// What the key is locked with.
    #[serde(default)]
    passphrase: Option<String>,
}

async fn edit(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(change): Sent<Edit>,
) -> Result<Json<HostDetail>, Problem> {
    let known = hosts::get(api.actions(), &caller.actor, id).await?;
    let mut form = EditHost {
        name: known.line.name,
        address: known.line.address,
        port: known.ssh_port.to_string(),
        user: known.ssh_user,
        jump: known.jump,
    };
    change.name.text(&mut form.name);
    change.address.text(&mut form.address);
    change.port.shown(&mut form.port);
    change.user.text(&mut form.user);
    change.jump.text(&mut form.jump);
    hosts::edit(api.actions(), &caller.actor, id, form).await?;
    Ok(Json(detail(&api, &caller, id).await?))
}

async fn forget(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(Forget { name, gone }): Sent<Forget>,
) -> Result<Json<Forgotten>, Problem> {
    let form = ForgetHost { name, gone: if gone { "yes" } else { "no" }.to_owned() };
    let forgotten = hosts::forget(api.actions(), &caller.actor, id, form).await?;
    let remains = |(what, line): (&str, &str)| Remains { what: what.to_owned(), line: line.to_owned() };
    Ok(Json(Forgotten { name: forgotten.name, remains: forgotten.remains.into_iter().map(remains).collect() }))
}

async fn give(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(pass): Sent<Pass>,
) -> Result<Json<HostDetail>, Problem> {
    let form = GivePass {
        password: pass.password.unwrap_or_default(),
        private_key: pass.private_key.unwrap_or_default(),
        passphrase: pass.passphrase.unwrap_or_default(),
    };
    hosts::give_pass(api.actions(), &caller.actor, id, form).await?;
    Ok(Json(detail(&api, &caller, id).await?))
}
