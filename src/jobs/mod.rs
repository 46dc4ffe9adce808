//! What is done later: one file per kind of job. Not here: actions and doors; a job never calls another, it enqueues it.

pub mod announce;
pub mod certificates;
pub mod check_host;
pub mod current;
pub mod deploy;
pub mod ends_of_certificates;
pub mod execute;
pub mod keep_renewal;
pub mod log;
mod logged;
pub mod look_after_certificates;
pub mod look_at_host;
pub mod look_at_source;
pub mod networks;
pub mod notice;
pub mod observe;
pub mod obtain_certificate;
pub mod panel_address;
pub mod provision;
pub mod proxy;
pub mod registry;
pub mod remove_app;
pub mod remove_volume;
pub mod renewal;
pub mod restart_instance;
pub mod retention;
pub mod set_certificates;
pub mod set_proxy;
pub mod source;
pub mod stop;
pub mod stop_app;
pub mod tidy;
pub mod watch;

use std::sync::Arc;

use crate::access::Access;
use crate::db::Db;
use crate::providers::dns::Services;
use crate::providers::git::Git;
use crate::providers::names::Names;
use crate::providers::notices::Outside;
use crate::queue::Registry;
use crate::remote::Pool;
use crate::vault::Vault;

/// What every kind of job works with. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    /// The database.
    pub db: Db,
    /// Opens sealed values.
    pub vault: Arc<Vault>,
    /// Connections to hosts.
    pub pool: Pool,
    /// Repositories.
    pub git: Git,
    /// The way to names as a visitor has it.
    pub visitor: crate::providers::outside::Outside,
    /// Names as the DNS has them.
    pub names: Names,
    /// Where those who keep domains are asked.
    pub dns: Services,
    /// The panel's own name in the labels of what it makes.
    pub panel: uuid::Uuid,
    /// Services outside that take notices.
    pub outside: Outside,
}

impl Ctx {
    /// The way to hosts.
    pub fn access(&self) -> Access {
        Access { db: self.db.clone(), vault: Arc::clone(&self.vault), pool: self.pool.clone() }
    }
}

/// The kinds that change hosts and look at them, and all those of certificates: what one runner does where there is but one.
pub fn registry(ctx: &Ctx) -> Registry {
    with_certificates(on_hosts(ctx), ctx)
}

/// The kinds that change hosts and look at them.
pub fn on_hosts(ctx: &Ctx) -> Registry {
    Registry::new()
        .with::<check_host::CheckHost>(ctx.clone())
        .with::<deploy::Deploy>(ctx.clone())
        .with::<keep_renewal::KeepRenewal>(ctx.clone())
        .with::<look_at_host::LookAtHost>(ctx.clone())
        .with::<look_at_source::LookAtSource>(ctx.clone())
        .with::<panel_address::PanelAddress>(ctx.clone())
        .with::<provision::Provision>(ctx.clone())
        .with::<remove_app::RemoveApp>(ctx.clone())
        .with::<remove_volume::RemoveVolume>(ctx.clone())
        .with::<restart_instance::RestartInstance>(ctx.clone())
        .with::<set_certificates::SetCertificates>(ctx.clone())
        .with::<set_proxy::SetProxy>(ctx.clone())
        .with::<stop_app::StopApp>(ctx.clone())
        .with::<tidy::Tidy>(ctx.clone())
        .with::<watch::Watch>(ctx.clone())
}

/// The kinds that get certificates. They wait for authorities, for name servers and for jobs that bring things to hosts, and so
/// have a runner of their own: they hold up no deploy.
pub fn certificates_of(ctx: &Ctx) -> Registry {
    with_certificates(Registry::new(), ctx)
}

fn with_certificates(registry: Registry, ctx: &Ctx) -> Registry {
    registry
        .with::<look_after_certificates::LookAfterCertificates>(ctx.clone())
        .with::<obtain_certificate::ObtainCertificate>(ctx.clone())
}

/// The kinds that tell what happened. They have a runner of their own: a service that does not answer holds up no deploy.
pub fn notices(ctx: &Ctx) -> Registry {
    Registry::new().with::<announce::Announce>(ctx.clone()).with::<notice::Notice>(ctx.clone())
}
