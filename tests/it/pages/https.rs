//! The pages of certificates and of the panel's own address: whole at every width, and what is typed wrong is said beside its field.

use skiff::actions::certificates::{self, NewCertificate};
use skiff::actions::{apps, routes};
use skiff::domain::ids::CertificateId;

use crate::harness::browser::Browser;
use crate::harness::door::Panel;
use crate::harness::tls::{Authority, Made};

use super::pictures::{look, sign_in};
use super::scene;

async fn upload(panel: &Panel, owner: &skiff::domain::rights::Actor, made: &Made) -> uuid::Uuid {
    let input = NewCertificate { chain: made.chain.clone(), key: made.key.clone() };
    certificates::upload(&panel.ctx, owner, input).await.unwrap().id.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_https_are_whole() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let browser = Browser::start().await;
    sign_in(&browser, &panel).await;
    let team = format!("/t/{}", scene.owner.slug);
    look(&browser, &panel, "certificates-empty", &format!("{team}/certificates")).await;
    look(&browser, &panel, "panel-no-host", &format!("{team}/panel")).await;

    let mut conn = panel.db.superuser().await;
    sqlx::query("update hosts set proxy_https_port = 443, https_port = 8443").execute(&mut conn).await.unwrap();
    let authority = Authority::new("Example Trust Services, Issuing CA 3");
    let owner = &scene.owner.actor;
    let fine = upload(&panel, owner, &authority.issue(&["shop.example.org", "www.shop.example.org"], 71)).await;
    let ending = upload(&panel, owner, &authority.issue(&["*.apps.example.org"], 12)).await;
    let domain = apps::get(&panel.ctx, owner, scene.web).await.unwrap().routes[0].domain.clone();
    upload(&panel, owner, &authority.issue(&[&domain, "other.example.org"], 89)).await;
    let passed_over = upload(&panel, owner, &authority.issue(&[&domain, "one-more.example.org"], 41)).await;
    let many: Vec<String> = (1..=40).map(|n| format!("customer-{n}.a-rather-long-domain.example.org")).collect();
    upload(&panel, owner, &authority.issue(&many.iter().map(String::as_str).collect::<Vec<_>>(), 80)).await;
    let over = upload(&panel, owner, &authority.issue(&["old.example.org"], 5)).await;
    sqlx::query("update certificate_versions set not_after = now() - interval '3 days' where certificate_id = $1")
        .bind(over)
        .execute(&mut conn)
        .await
        .unwrap();
    for (certificate, trouble) in [(fine, ""), (ending, "HAProxy does not take the certificate: no room")] {
        sqlx::query(
            "insert into ledger_certificates (team_id, host_id, certificate_id, fingerprint, installed_at, trouble)
             select $1, $2, $3, v.fingerprint, now(), $4 from certificate_versions v where v.certificate_id = $3",
        )
        .bind(scene.owner.team.0)
        .bind(scene.host.0)
        .bind(certificate)
        .bind(trouble)
        .execute(&mut conn)
        .await
        .unwrap();
    }
    look(&browser, &panel, "certificates", &format!("{team}/certificates")).await;
    let line = certificates::get(&panel.ctx, owner, CertificateId(passed_over)).await.unwrap();
    assert_eq!(line.elsewhere, [domain.as_str()]);
    super::routes::claim(&panel, &scene).await;
    routes::again(&panel.ctx, owner, scene.web).await.unwrap();
    sqlx::query("update jobs set state = 'failed', finished_at = now(), reason = 'fra-1: Port 5434 cannot be opened: postgres has it. Nothing was changed.' where kind = 'set_proxy'")
        .execute(&mut conn)
        .await
        .unwrap();
    look(&browser, &panel, "app-routes-not-taken", &format!("{team}/apps/{}/routes", scene.web)).await;
    look(&browser, &panel, "host-https", &format!("{team}/hosts/{}", scene.host)).await;
    look(&browser, &panel, "panel-empty", &format!("{team}/panel")).await;
    for (state, domain, until) in [("serving", "panel.example.org", None), ("trial", "skiff.example.org", Some("now"))]
    {
        sqlx::query(
            "insert into panel_addresses (state, domain, owner_team, host_id, door, port, nonce, note, until)
             values ($1, $2, $3, $4, 7070, 443, $1, $5, case when $6 then now() + interval '20 minutes' end)",
        )
        .bind(state)
        .bind(domain)
        .bind(scene.owner.team.0)
        .bind(scene.host.0)
        .bind(if until.is_some() {
            "DNS knows no address of skiff.example.org yet: add a record for it that has the server's address."
        } else {
            ""
        })
        .bind(until.is_some())
        .execute(&mut conn)
        .await
        .unwrap();
    }
    look(&browser, &panel, "panel-trial", &format!("{team}/panel")).await;
    sqlx::query("update panel_addresses set reached_at = now(), note = '' where state = 'trial'")
        .execute(&mut conn)
        .await
        .unwrap();
    look(&browser, &panel, "panel-reached", &format!("{team}/panel")).await;
    look(&browser, &panel, "app-settings-https", &format!("{team}/apps/{}/settings", scene.web)).await;
}

#[tokio::test]
async fn a_wrong_certificate_is_said_beside_its_field_and_the_key_is_never_sent_back() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let ada = panel.signed_in("ada@example.org").await;
    let page = format!("/t/{}/certificates", owner.slug);
    let authority = Authority::new("Test Authority");
    let (made, other) = (authority.issue(&["shop.test"], 90), authority.issue(&["shop.test"], 90));
    let crossed = [("chain", made.chain.as_str()), ("key", other.key.as_str())];
    let answer = ada.submit(&page, &page, &crossed).await;
    assert_eq!(answer.status(), 422);
    let text = answer.text().await.unwrap();
    let beside =
        text.split("<div id=\"key-more\"><p class=\"error\">").nth(1).and_then(|rest| rest.split("</p>").next());
    assert!(beside.is_some_and(|said| said.contains("This key does not belong")), "{text}");
    assert!(text.contains("BEGIN CERTIFICATE") && !text.contains("BEGIN PRIVATE KEY-----\n"), "{text}");
    let secret: String = other.key.lines().nth(1).unwrap().to_owned();
    assert!(!text.contains(&secret));
    let answer = ada.submit(&page, &page, &[("chain", &made.leaf), ("key", &made.key)]).await;
    assert_eq!(answer.status(), 303);
    let text = ada.get(&page).await.text().await.unwrap();
    assert!(text.contains("shop.test") && text.contains("89 days") && text.contains("paste the whole chain"), "{text}");
    let again = ada.submit(&page, &page, &[("chain", &made.leaf), ("key", &made.key)]).await.text().await.unwrap();
    assert!(again.contains("this very certificate already"), "{again}");
}

#[tokio::test]
async fn only_owners_of_the_first_team_see_the_panels_address() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    panel.member("Alan", owner.team, skiff::domain::rights::Role::Admin).await;
    let others = panel.other_team().await;
    panel.member("Olaf", others, skiff::domain::rights::Role::Owner).await;
    for (who, team, status) in [("ada", owner.slug.as_str(), 200), ("alan", &owner.slug, 403), ("olaf", "others", 404)]
    {
        let visitor = panel.signed_in(&format!("{who}@example.org")).await;
        assert_eq!(visitor.get(&format!("/t/{team}/panel")).await.status(), status, "{who}");
    }
}
