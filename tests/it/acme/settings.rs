//! Who chooses an authority, what of a form is refused by which field, and that no token or key is ever shown.

use skiff::actions::acme::{self, Choice, DnsAccess, NewDnsAccount, NewOrder};
use skiff::actions::{Refused, apps, routes};
use skiff::db;
use skiff::domain::acme::Trouble;
use skiff::domain::rights::{Permit, Role};
use skiff::vault::Context;

use crate::harness::panel::Panel;

fn wrong(refused: Refused) -> Vec<&'static str> {
    match refused {
        Refused::Fields(all) => all.iter().map(|error| error.field).collect(),
        other => panic!("{other:?}"),
    }
}

fn lets_encrypt() -> Choice {
    Choice { authority: "letsencrypt".into(), email: "ada@example.org".into(), terms: true, ..Choice::default() }
}

#[tokio::test]
async fn an_owner_of_the_first_team_chooses_for_the_panel_and_nobody_else() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    assert!(acme::chosen(ctx, owner).await.unwrap().is_none());
    let admin = panel.person(owner, Role::Admin).await;
    assert!(matches!(acme::choose(ctx, &admin, lets_encrypt()).await, Err(Refused::Forbidden(_))));
    let other = panel.another_team().await;
    assert_eq!(acme::choose(ctx, &other, lets_encrypt()).await, Err(Refused::NotFound));
    assert_eq!(acme::chosen(ctx, &other).await.unwrap_err(), Refused::NotFound);

    for (choice, fields) in [
        (Choice::default(), vec!["authority", "terms"]),
        (Choice { terms: false, ..lets_encrypt() }, vec!["terms"]),
        (Choice { email: "nobody".into(), ..lets_encrypt() }, vec!["email"]),
        (
            Choice { authority: "other".into(), directory: "http://ca.example/dir".into(), ..lets_encrypt() },
            vec!["directory"],
        ),
        (
            Choice { ca_root: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----".into(), ..lets_encrypt() },
            vec!["ca_root"],
        ),
        (Choice { ca_root: "no root".into(), ..lets_encrypt() }, vec!["ca_root"]),
        (Choice { eab_id: "kid".into(), ..lets_encrypt() }, vec!["eab_key"]),
        (Choice { eab_key: "c2VjcmV0LXNlY3JldC1zZWNyZXQ".into(), ..lets_encrypt() }, vec!["eab_id"]),
        (Choice { eab_id: "kid".into(), eab_key: "!".into(), ..lets_encrypt() }, vec!["eab_key"]),
    ] {
        assert_eq!(wrong(acme::choose(ctx, owner, choice).await.unwrap_err()), fields);
    }
    let key = "c2VjcmV0LXNlY3JldC1zZWNyZXQ";
    acme::choose(ctx, owner, Choice { eab_id: "kid".into(), eab_key: key.into(), ..lets_encrypt() }).await.unwrap();
    // The key stays where it is not typed again.
    acme::choose(ctx, owner, Choice { eab_id: "kid".into(), ..lets_encrypt() }).await.unwrap();
    let chosen = acme::chosen(ctx, owner).await.unwrap().unwrap();
    assert_eq!(
        (chosen.authority, chosen.eab_id.as_str(), chosen.terms_agreed_by.as_str()),
        ("letsencrypt", "kid", "Ada")
    );
    let mut conn = panel.test.superuser().await;
    let told: String =
        sqlx::query_scalar("select coalesce(string_agg(before::text || after::text, ''), '') from audit_events")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert!(!told.contains(key) && !told.contains("secret-secret"), "{told}");
    let sealed: Vec<u8> =
        sqlx::query_scalar("select eab_sealed from acme_settings").fetch_one(&mut conn).await.unwrap();
    assert!(!sealed.windows(6).any(|part| part == b"secret"));
    acme::forget(ctx, owner).await.unwrap();
    assert!(acme::chosen(ctx, owner).await.unwrap().is_none());
}

#[tokio::test]
async fn every_route_is_wanted_a_certificate_for_as_soon_as_an_authority_is_chosen() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    panel.host(owner, "fra-1").await;
    let app = panel.app(owner, "web").await;
    assert!(acme::list(ctx, owner).await.unwrap().is_empty(), "none is chosen");
    assert_eq!(acme::of_app(ctx, owner, app).await.unwrap()[0].words, "none: no certificate authority is chosen");
    acme::choose(ctx, owner, lets_encrypt()).await.unwrap();
    let route = |domain: &str| apps::NewRoute { domain: domain.into(), path: "/".into() };
    routes::add(ctx, owner, app, route("shop.example.org"), Default::default()).await.unwrap();
    let below = apps::NewRoute { path: "/api".into(), ..route("shop.example.org") };
    routes::add(ctx, owner, app, below, Default::default()).await.unwrap();
    let wanted = acme::list(ctx, owner).await.unwrap();
    assert_eq!(wanted.len(), 1, "one for a domain, however many paths: {wanted:?}");
    assert_eq!(
        (wanted[0].names.as_slice(), wanted[0].words.as_str()),
        (&["shop.example.org".to_owned()][..], "being got")
    );
    let job = acme::get_now_for(ctx, owner, app, "shop.example.org").await.unwrap();
    assert_eq!(Some(job), wanted[0].job, "the one that waits is the one");
    assert_eq!(acme::get_now_for(ctx, owner, app, "other.example.org").await, Err(Refused::NotFound));
    let viewer = panel.person(owner, Role::Viewer).await;
    assert!(matches!(acme::get_now_for(ctx, &viewer, app, "shop.example.org").await, Err(Refused::Forbidden(_))));
    let stranger = panel.another_team().await;
    assert_eq!(acme::get_now_for(ctx, &stranger, app, "shop.example.org").await, Err(Refused::NotFound));
    assert!(acme::list(ctx, &stranger).await.unwrap().is_empty());
}

#[tokio::test]
async fn each_team_has_an_account_of_its_own_and_its_hosts_answer_for_that_alone() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let other = panel.another_team().await;
    acme::choose(ctx, owner, lets_encrypt()).await.unwrap();
    for (actor, thumbprint) in [(owner, "ours"), (&other, "theirs")] {
        let permit = Permit::of_claimed_row(actor.team());
        let mut tx = panel.test.begin(&permit).await.unwrap();
        let settings = db::acme::settings(&mut tx).await.unwrap().unwrap();
        assert_eq!(db::acme::thumbprint(&mut tx, &permit).await.unwrap(), None, "not the other one's");
        let (id, url) = (uuid::Uuid::now_v7(), format!("https://ca.example/{thumbprint}"));
        let account =
            db::acme::Account { id, url, thumbprint: thumbprint.into(), sealed: b"sealed".to_vec(), contact: None };
        db::acme::keep_account(&mut tx, &permit, &settings, &account).await.unwrap();
        assert_eq!(db::acme::thumbprint(&mut tx, &permit).await.unwrap().as_deref(), Some(thumbprint));
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn an_order_names_what_is_wrong_with_it() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    acme::choose(ctx, owner, lets_encrypt()).await.unwrap();
    let order = async |names: &str, account: &str| {
        acme::order(ctx, owner, NewOrder { names: names.into(), dns_account: account.into() }).await
    };
    assert_eq!(wrong(order("", "").await.unwrap_err()), ["names"]);
    assert_eq!(wrong(order("a b!", "").await.unwrap_err()), ["names"]);
    assert_eq!(wrong(order("*.example.org", "").await.unwrap_err()), ["dns_account"]);
    assert_eq!(wrong(order("shop.example.org", "").await.unwrap_err()), ["names"], "it leads to no app of the team");
    assert_eq!(
        wrong(order("*.example.org", "00000000-0000-0000-0000-000000000000").await.unwrap_err()),
        ["dns_account"]
    );

    let form = |kind: &str| NewDnsAccount { name: "ours".into(), kind: kind.into(), ..NewDnsAccount::default() };
    let add = async |form| acme::add_account(ctx, owner, form).await;
    assert_eq!(wrong(add(NewDnsAccount::default()).await.unwrap_err()), ["name", "kind"]);
    assert_eq!(wrong(add(form("cloudflare")).await.unwrap_err()), ["token"]);
    assert_eq!(wrong(add(form("rfc2136")).await.unwrap_err()), ["server", "key_name", "key"]);
    let made = add(NewDnsAccount { token: "a-token".into(), ..form("hetzner") }).await.unwrap();
    assert_eq!(wrong(add(NewDnsAccount { token: "a-token".into(), ..form("hetzner") }).await.unwrap_err()), ["name"]);
    let mut conn = panel.test.superuser().await;
    let sealed: Vec<u8> = sqlx::query_scalar("select sealed from dns_accounts").fetch_one(&mut conn).await.unwrap();
    assert!(!sealed.windows(7).any(|part| part == b"a-token"));

    order("*.example.org, example.org", &made.id.to_string()).await.unwrap();
    let twice = order("example.org *.example.org", &made.id.to_string()).await.unwrap_err();
    assert_eq!(wrong(twice), ["names"], "the same names in another order");
    let other = panel.another_team().await;
    let theirs = acme::add_account(ctx, &other, NewDnsAccount { token: "t".into(), ..form("hetzner") }).await.unwrap();
    let input = |account: &str| NewOrder { names: "*.example.org example.org".into(), dns_account: account.into() };
    acme::order(ctx, &other, input(&theirs.id.to_string())).await.expect("what one team wants is no other's business");
    let names = "*.example.net".to_owned();
    let refused = acme::order(ctx, &other, NewOrder { names, dns_account: made.id.to_string() }).await.unwrap_err();
    assert_eq!(wrong(refused), ["dns_account"], "another team's account is not there");
}

#[tokio::test]
async fn an_account_gets_another_token_and_what_it_failed_is_tried_again() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    acme::choose(ctx, owner, lets_encrypt()).await.unwrap();
    let form =
        NewDnsAccount { name: "ours".into(), kind: "hetzner".into(), token: "a-token".into(), ..Default::default() };
    let made = acme::add_account(ctx, owner, form).await.unwrap();
    let mut conn = panel.test.superuser().await;
    let record = "_acme-challenge.example.org".to_owned();
    for (name, trouble) in [
        ("a.example.org", Trouble::DnsAccount { account: "ours".into(), detail: "401".into() }),
        ("b.example.org", Trouble::NotSeen { record, found: String::new() }),
        ("c.example.org", Trouble::RateLimited { until: None, detail: String::new(), shared: false }),
    ] {
        let input = NewOrder { names: name.into(), dns_account: made.id.to_string() };
        let (id, _) = acme::order(ctx, owner, input).await.unwrap();
        sqlx::query("update acme_orders set trouble = $2, next_at = now() + interval '1 hour' where id = $1")
            .bind(id.0)
            .bind(sqlx::types::Json(trouble))
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let token = |token: &str| DnsAccess { token: token.into(), ..DnsAccess::default() };
    assert_eq!(wrong(acme::change_account(ctx, owner, made.id, token("")).await.unwrap_err()), ["token"]);
    assert_eq!(wrong(acme::change_account(ctx, owner, made.id, token("a b")).await.unwrap_err()), ["token"]);
    let due =
        "select names[1] from acme_orders o join acme_turns t on t.order_id = o.id where due_at <= now() order by 1";
    let due = async |conn: &mut _| sqlx::query_scalar::<_, String>(due).fetch_all(conn).await.unwrap();
    assert!(due(&mut conn).await.is_empty(), "what is refused changes nothing");
    acme::change_account(ctx, owner, made.id, token("another-token")).await.unwrap();
    assert_eq!(due(&mut conn).await, ["a.example.org", "b.example.org"]);

    // What is kept is the new one, and history tells of it without it.
    let permit = Permit::of_claimed_row(owner.team());
    let opened = async || {
        let mut tx = panel.test.begin(&permit).await.unwrap();
        let row = db::dns_accounts::list(&mut tx, &permit, None).await.unwrap().pop().unwrap();
        let key = db::host_logins::data_key(&mut tx, &permit).await.unwrap();
        let secret = ctx.vault.unseal(&key, &Context::dns_account(permit.team(), row.id.0), &row.sealed).unwrap();
        (row, String::from_utf8(secret.expose().to_vec()).unwrap())
    };
    assert_eq!(opened().await.1, "another-token");
    let told: String = sqlx::query_scalar(
        "select string_agg(coalesce(after::text, ''), '') from audit_events where action = 'dns_account.changed'",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert!(told.contains("another one") && !told.contains("another-token"), "{told}");

    // Of a name server what is left empty stays.
    acme::remove_account(ctx, owner, made.id).await.expect_err("certificates are proven with it");
    sqlx::query("delete from acme_orders").execute(&mut conn).await.unwrap();
    acme::remove_account(ctx, owner, made.id).await.unwrap();
    let key = "4Tc0K1QkcMCs7cOW2LuSWnxQY0qysdvsZlSb4yTN9pA=";
    let form = NewDnsAccount {
        name: "own".into(),
        kind: "rfc2136".into(),
        server: "192.0.2.7:5353".into(),
        key_name: "skiff-key".into(),
        algorithm: "hmac-sha512".into(),
        key: key.into(),
        ..NewDnsAccount::default()
    };
    let made = acme::add_account(ctx, owner, form).await.unwrap();
    let moved = DnsAccess { server: "192.0.2.8".into(), ..DnsAccess::default() };
    acme::change_account(ctx, owner, made.id, moved).await.unwrap();
    let (row, secret) = opened().await;
    let shown = (row.server.as_str(), row.key_name.as_str(), row.algorithm.as_str(), secret.as_str());
    assert_eq!(shown, ("192.0.2.8:53", "skiff-key", "hmac-sha512", key));
    let short = DnsAccess { key: "c2hvcnQ=".into(), ..DnsAccess::default() };
    assert_eq!(wrong(acme::change_account(ctx, owner, made.id, short).await.unwrap_err()), ["key"]);

    // Others may not, and other teams see nothing of it.
    let developer = panel.person(owner, Role::Developer).await;
    let refused = acme::change_account(ctx, &developer, made.id, token("x")).await;
    assert!(matches!(refused, Err(Refused::Forbidden(_))));
    let other = panel.another_team().await;
    assert!(matches!(acme::change_account(ctx, &other, made.id, token("x")).await, Err(Refused::NotFound)));
}

#[tokio::test]
async fn what_browsers_trust_stays_where_the_authority_for_trials_is_chosen_and_not_the_other_way_round() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    acme::choose(ctx, owner, lets_encrypt()).await.unwrap();
    let form =
        NewDnsAccount { name: "ours".into(), kind: "hetzner".into(), token: "a-token".into(), ..Default::default() };
    let account = acme::add_account(ctx, owner, form).await.unwrap().id;
    let order = NewOrder { names: "a.example.org".into(), dns_account: account.to_string() };
    let (id, _) = acme::order(ctx, owner, order).await.unwrap();
    let mut conn = panel.test.superuser().await;
    let got = format!(
        "insert into certificates (team_id, id, names, origin) select team_id, id, '{{a.example.org}}', 'acme' from acme_orders;
         insert into certificate_versions (team_id, id, certificate_id, sealed, names, issuer, serial, fingerprint, not_before, not_after, directory)
           select team_id, id, id, '', names, 'it', '1', 'f', now(), now() + interval '80 days', (select directory from acme_settings) from certificates;
         update certificates set current_id = id;
         update acme_orders set certificate_id = id, next_at = now() + interval '30 days' where id = '{}'",
        id.0
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(got)).execute(&mut conn).await.unwrap();
    let permit = Permit::of_claimed_row(owner.team());
    let due = async || {
        let mut tx = panel.test.begin(&permit).await.unwrap();
        let due = db::acme_orders::make_those_of_others_due(&mut tx, &permit).await.unwrap();
        tx.commit().await.unwrap();
        due
    };
    let trials = || Choice { authority: "letsencrypt-staging".into(), ..lets_encrypt() };
    assert_eq!(due().await, 0);
    acme::choose(ctx, owner, trials()).await.unwrap();
    assert_eq!(due().await, 0, "trusted, and not due");
    let theirs = "update certificate_versions set directory = (select directory from acme_settings)";
    sqlx::raw_sql(theirs).execute(&mut conn).await.unwrap();
    acme::choose(ctx, owner, lets_encrypt()).await.unwrap();
    assert_eq!(due().await, 1, "one of the trial is got anew");
}
