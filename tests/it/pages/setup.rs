//! Set-up asks for the panel's name where it has none: in a browser, with something wrong first.

use skiff::actions::{acme, hosts, panel, setup};
use skiff::domain::rights::Actor;

use super::walk::Walk;
use crate::harness::browser::Browser;
use crate::harness::door::{PASSWORD, Panel};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_panels_name_is_asked_for_and_nothing_typed_is_lost() {
    let panel = Panel::open().await;
    let team = setup::first_team(&panel.ctx).await.unwrap();
    let shell = Actor::on_the_panels_machine(team);
    let form = hosts::NewHost { name: "this machine".into(), address: "203.0.113.7".into(), ..Default::default() };
    hosts::create(&panel.ctx, &shell, form).await.unwrap();
    let mut conn = panel.db.superuser().await;
    sqlx::query("update hosts set proxy_https_port = 443").execute(&mut conn).await.unwrap();

    let link = panel.set_up_link().await;
    let walk = Walk::with(Browser::start().await, &panel.base, "setup-name", "none.example");
    walk.browser.client.goto(&link).await.unwrap();
    walk.says("optional: HTTPS from anywhere").await;
    walk.press("The panel's own address").await;
    walk.says("203-0-113-7.sslip.io, which needs none").await;
    walk.look("setup-name").await;
    let people = [("name", "Ada Lovelace"), ("email", "ada@example.org"), ("password", PASSWORD), ("team", "Harbour")];
    walk.fill(&people).await;
    walk.fill(&[("domain", "https://panel.example.org"), ("acme_email", "ops@example.org")]).await;
    walk.press("Become the owner").await;
    walk.says("Use a domain such as shop.example.org").await;
    walk.says("Agree, or leave the domain empty.").await;
    walk.browser.picture("setup-name-refused").await;
    assert!(!walk.browser.overflows().await);
    // The browser complains of the status.
    walk.browser.console().await;
    for (field, typed) in
        [("domain", "https://panel.example.org"), ("acme_email", "ops@example.org"), ("team", "Harbour")]
    {
        let script = "return document.querySelector(`[name=\"${arguments[0]}\"]`).value";
        assert_eq!(walk.browser.client.execute(script, vec![field.into()]).await.unwrap(), typed);
    }
    walk.fill(&[("domain", "panel.example.org"), ("password", PASSWORD)]).await;
    let terms = fantoccini::Locator::Css("[name=terms]");
    walk.browser.client.find(terms).await.unwrap().click().await.unwrap();
    walk.press("Become the owner").await;
    walk.says("The name is being tried, and kept as soon as it leads here.").await;
    walk.says("on trial").await;
    walk.look("setup-name-tried").await;
    let trial = panel::address(&panel.ctx, &shell).await.unwrap().trial.unwrap();
    assert_eq!(trial.domain.as_ref(), "panel.example.org");
    let chosen = acme::chosen(&panel.ctx, &shell).await.unwrap().unwrap();
    assert_eq!(
        (chosen.authority, chosen.email.as_str(), chosen.terms_agreed_by.as_str()),
        ("letsencrypt", "ops@example.org", "Ada Lovelace")
    );
}
