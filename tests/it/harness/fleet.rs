//! Several hosts: what they do for one another, and apps placed on them.

use futures_util::future::join_all;
use skiff::domain::app::Spec;
use skiff::domain::ids::{AppId, HostId};
use skiff::domain::release::{self, Place};
use sqlx::types::Json;

use super::host::TestHost;
use super::world::World;

/// Adds test hosts and makes them ready, side by side.
pub async fn ready(world: &World, hosts: &[&TestHost]) -> Vec<HostId> {
    let mut ids = Vec::new();
    for host in hosts {
        ids.push(world.add_host(host).await);
    }
    for ended in join_all(ids.iter().map(|id| world.provision_again(*id))).await {
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
    }
    ids
}

/// Has a host build for the others: noted, and made ready with its registry.
pub async fn builds(world: &World, host: HostId) {
    let password = skiff::vault::random_token();
    let key = world.secret("host", host.0, "registry password", password.expose()).await;
    let mut conn = world.db.superuser().await;
    sqlx::query("update hosts set builds = true, registry_key = $2 where id = $1")
        .bind(host.0)
        .bind(key.0)
        .execute(&mut conn)
        .await
        .unwrap();
    let ended = world.provision_again(host).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
}

/// Lets the other hosts reach this one under its own address.
pub async fn reachable(world: &World, host: HostId, at: &TestHost) {
    let mut conn = world.db.superuser().await;
    sqlx::query("update hosts set private_address = $2::text::inet where id = $1")
        .bind(host.0)
        .bind(&at.address)
        .execute(&mut conn)
        .await
        .unwrap();
    let ended = world.provision_again(host).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
}

/// Places an app, as its form does; it takes effect with the next deploy.
pub async fn place(world: &World, app: AppId, spec: &mut Spec, places: &[(HostId, u16)]) {
    let placement: Vec<Place> =
        places.iter().map(|(host, instances)| Place { host: *host, instances: *instances }).collect();
    spec.instances = release::instances(&placement);
    let mut conn = world.db.superuser().await;
    sqlx::query("update apps set spec = $2, placement = $3 where id = $1")
        .bind(app.0)
        .bind(Json(&*spec))
        .bind(Json(&placement))
        .execute(&mut conn)
        .await
        .unwrap();
}

/// Puts a test host into the database once more, as another host at a further address of it, and counts it as ready.
pub async fn also_at(world: &World, host: HostId, address: &str) -> HostId {
    let id = HostId(uuid::Uuid::now_v7());
    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    sqlx::query(
        "insert into hosts (team_id, id, number, slug, name, address, ssh_port, ssh_user, ssh_key, host_key, state, proxy_port)
         select team_id, $2, skiff_free_host_number(), $3, $3, $4, ssh_port, ssh_user, ssh_key, host_key, 'ready', http_port
           from hosts where id = $1",
    )
    .bind(host.0)
    .bind(id.0)
    .bind(format!("host-{}", &id.simple()[26..]))
    .bind(address)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id
}
