//! The pages, as a browser draws them: nothing sticks out, nothing complains, and a picture is left in light, dark and at 390 px.

use fantoccini::Locator;
use skiff::actions::acme::{self, Choice, NewDnsAccount, NewOrder};
use skiff::domain::acme::{LETS_ENCRYPT, Trouble, names_key};
use sqlx::types::Json;

use crate::harness::browser::{Browser, WAIT};
use crate::harness::door::{PASSWORD, Panel};
use crate::pages::scene;

/// Opens a page, looks that it is whole, takes its picture.
async fn look(browser: &Browser, panel: &Panel, name: &str, path: &str) {
    browser.client.goto(&format!("{}{path}", panel.base)).await.unwrap();
    browser.client.wait().at_most(WAIT).for_element(Locator::Css("h1")).await.unwrap();
    for width in [1280, 900, 390, 360] {
        browser.window(width, 844, width < 500).await;
        assert!(!browser.overflows().await, "{path} sticks out at {width} px");
    }
    browser.window(1280, 900, false).await;
    browser.picture(name).await;
    let complaints: Vec<String> =
        browser.console().await.into_iter().filter(|line| !line.starts_with("DEBUG")).collect();
    assert_eq!(complaints, Vec::<String>::new(), "{path}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_certificates_are_whole() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let (ctx, owner) = (&panel.ctx, &scene.owner.actor);
    let browser = Browser::start().await;
    browser.client.goto(&format!("{}/login", panel.base)).await.unwrap();
    browser.fill("email", "ada@example.org").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.wait_for_words("Lately").await;
    let team = format!("/t/{}", scene.owner.slug);
    look(&browser, &panel, "certificates-automatic-none", &format!("{team}/certificates/automatic")).await;
    look(&browser, &panel, "certificate-authority", &format!("{team}/certificates/authority")).await;

    let choice =
        Choice { authority: "letsencrypt".into(), email: "ada@example.org".into(), terms: true, ..Choice::default() };
    acme::choose(ctx, owner, choice).await.unwrap();
    let form = NewDnsAccount {
        name: "our domains".into(),
        kind: "cloudflare".into(),
        token: "x".into(),
        ..NewDnsAccount::default()
    };
    let account = acme::add_account(ctx, owner, form).await.unwrap().id.to_string();
    let elsewhere = Trouble::Elsewhere {
        name: "shop.example.org".into(),
        points_to: vec!["203.0.113.4".into(), "2001:db8:1234:5678:9abc:def0:1234:5678".into()],
        expected: vec!["198.51.100.8".into()],
    };
    let paused = Trouble::Paused { detail: "Your account is temporarily prevented from requesting certificates for a.very.long.name.example.org. Visit https://portal.example/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.".to_owned() + &"eyJhdWQi".repeat(36) + ".Qm9" };
    let proof = Trouble::NotProven {
        name: "old.example.org".into(),
        detail: "Timeout during connect (likely firewall problem).".into(),
    };
    let mut conn = panel.db.superuser().await;
    for (names, trouble, born, dies) in [
        ("good.example.org", None, -20, 70),
        ("wait.example.org", Some(&elsewhere), 0, 0),
        ("stop.example.org", Some(&paused), 0, 0),
        ("late.example.org", Some(&proof), -75, 15),
        ("over.example.org", Some(&proof), -95, -5),
        ("*.all-below-a-rather-long-domain.example.org all-below-a-rather-long-domain.example.org", None, 0, 0),
    ] {
        let input = NewOrder { names: names.into(), dns_account: account.clone() };
        let (id, _) = acme::order(ctx, owner, input).await.unwrap();
        let running = names.starts_with('*');
        sqlx::query("update jobs set state = 'succeeded', finished_at = now() where args->>'order' = $1 and not $2")
            .bind(id.to_string())
            .bind(running)
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query(
            "update acme_orders set trouble = $2, tries = 1, next_at = case when $3 then null else now() + interval '14 minutes' end,
                    not_before = case when $5 = 0 then null else now() + make_interval(days => $4) end,
                    not_after = case when $5 = 0 then null else now() + make_interval(days => $5) end
              where id = $1",
        )
        .bind(id.0)
        .bind(trouble.map(Json))
        .bind(trouble.is_some_and(Trouble::needs_a_person))
        .bind(born)
        .bind(dies)
        .execute(&mut conn)
        .await
        .unwrap();
    }
    // The domain of the scene's app is one of those that wait.
    sqlx::query("update acme_orders set names = array[(select domain from routes where app_id = $1 limit 1)] where 'wait.example.org' = any(names)")
        .bind(scene.web.0)
        .execute(&mut conn)
        .await
        .unwrap();
    look(&browser, &panel, "certificates-automatic", &format!("{team}/certificates/automatic")).await;
    let Trouble::Paused { detail } = &paused else { unreachable!() };
    let address = detail.split(' ').next_back().unwrap();
    let link = browser.client.find(Locator::LinkText(address)).await.unwrap();
    assert_eq!(link.attr("href").await.unwrap().as_deref(), Some(address));
    sqlx::query(
        "insert into alerts (team_id, id, kind, subject_kind, subject_id, subject_name, cause)
         select team_id, gen_random_uuid(), 'certificate', 'domain', id, names[1], $1 from acme_orders where 'stop.example.org' = any(names)",
    )
    .bind(paused.sentence())
    .execute(&mut conn)
    .await
    .unwrap();
    look(&browser, &panel, "home-certificates", &team).await;
    browser.wait_for_words("The certificate of stop.example.org").await;
    look(&browser, &panel, "certificate-account", &format!("{team}/certificates/accounts/{account}")).await;
    let form = NewDnsAccount {
        name: "a name server".into(),
        kind: "rfc2136".into(),
        server: "ns1.example.org".into(),
        key_name: "panel".into(),
        key: "YSBrZXkgb2YgMjQgYnl0ZXMgLi4u".into(),
        ..NewDnsAccount::default()
    };
    let server = acme::add_account(ctx, owner, form).await.unwrap().id;
    look(&browser, &panel, "certificate-account-server", &format!("{team}/certificates/accounts/{server}")).await;
    look(&browser, &panel, "certificate-authority-chosen", &format!("{team}/certificates/authority")).await;
    look(&browser, &panel, "app-routes-certificate", &format!("{team}/apps/{}/routes", scene.web)).await;
}

#[tokio::test]
async fn the_button_of_a_good_certificate_says_that_it_is_renewed() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let choice = Choice { authority: "letsencrypt".into(), terms: true, ..Choice::default() };
    acme::choose(&panel.ctx, &scene.owner.actor, choice).await.unwrap();
    let mut conn = panel.db.superuser().await;
    let order = "insert into acme_orders (team_id, id, names, names_key, next_at)
                 select $1, gen_random_uuid(), array[(select domain from routes where app_id = $2 limit 1)], 'x', now() + interval '1 day'";
    sqlx::query(order).bind(scene.owner.team.0).bind(scene.web.0).execute(&mut conn).await.unwrap();
    let ada = panel.signed_in("ada@example.org").await;
    let pages = [
        format!("/t/{}/certificates/automatic", scene.owner.slug),
        format!("/t/{}/apps/{}/routes", scene.owner.slug, scene.web),
    ];
    for (ends, verb, not) in [("60 days", "Renew now", "Get one now"), ("-1 day", "Get one now", "Renew now")] {
        sqlx::query(
            "update acme_orders set not_before = now() - interval '90 days', not_after = now() + $1::text::interval",
        )
        .bind(ends)
        .execute(&mut conn)
        .await
        .unwrap();
        for page in &pages {
            let text = ada.text(page).await;
            assert!(text.contains(verb) && !text.contains(not), "{page} {ends}: {text}");
        }
    }

    // As many as an authority gives in a week: said in the form, which loses nothing.
    let name = "many.example.org".parse().unwrap();
    let issues = "insert into acme_issues (directory, names_key) select $1, $2 from generate_series(1, 5)";
    sqlx::query(issues).bind(LETS_ENCRYPT).bind(names_key(&[name])).execute(&mut conn).await.unwrap();
    let form =
        NewDnsAccount { name: "ours".into(), kind: "hetzner".into(), token: "x".into(), ..NewDnsAccount::default() };
    let account = acme::add_account(&panel.ctx, &scene.owner.actor, form).await.unwrap().id.to_string();
    let fields = [("names", "many.example.org"), ("dns_account", account.as_str())];
    let answer = ada.submit(&pages[0], &pages[0], &fields).await;
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert!(status == 429 && text.contains("5 certificates for exactly these names were got within 7 days"), "{text}");
    assert!(text.contains("many.example.org</textarea>"), "{text}");
}

#[tokio::test]
async fn a_token_is_given_anew_on_the_accounts_own_page() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let form = NewDnsAccount {
        name: "own".into(),
        kind: "rfc2136".into(),
        server: "192.0.2.7:5353".into(),
        key_name: "skiff-key".into(),
        key: "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".into(),
        ..NewDnsAccount::default()
    };
    let made = acme::add_account(&panel.ctx, &scene.owner.actor, form).await.unwrap();
    let ada = panel.signed_in("ada@example.org").await;
    let all = format!("/t/{}/certificates/automatic", scene.owner.slug);
    let page = format!("/t/{}/certificates/accounts/{}", scene.owner.slug, made.id);
    assert!(ada.text(&all).await.contains(&format!("href=\"{page}\">Change</a>")));
    assert!(ada.text(&page).await.contains("value=\"192.0.2.7:5353\""));
    let answer =
        ada.submit(&page, &page, &[("server", "no server"), ("key_name", "new-key"), ("key", "canary-key")]).await;
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert!(status == 422 && text.contains("Use a name server such as"), "{text}");
    assert!(text.contains("value=\"new-key\"") && !text.contains("canary-key"), "{text}");
    let answer = ada.submit(&page, &page, &[("server", "192.0.2.8"), ("key_name", "new-key"), ("key", "")]).await;
    assert_eq!(answer.status().as_u16(), 303);
    let text = ada.text(&all).await;
    assert!(text.contains("own is changed.") && text.contains("192.0.2.8:53"), "{text}");
}

/// The addresses of this kind on a page: of the next one.
fn next(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("?before=")?;
    Some(format!("?before={}", &rest[..36]))
}

#[tokio::test]
async fn long_lists_come_in_pages_and_what_needs_somebody_comes_first() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let (ctx, owner) = (&panel.ctx, &scene.owner.actor);
    let choice = Choice { authority: "letsencrypt".into(), terms: true, ..Choice::default() };
    acme::choose(ctx, owner, choice).await.unwrap();
    let mut conn = panel.db.superuser().await;
    let orders = "insert into acme_orders (team_id, id, names, names_key, next_at)
                  select $1, gen_random_uuid(), array[$2 || lpad(n::text, 4, '0') || '.example'], $2 || n, null
                    from generate_series(1, $3::int) n";
    sqlx::query(orders).bind(scene.owner.team.0).bind("n").bind(150).execute(&mut conn).await.unwrap();
    let paused = Trouble::Paused { detail: "ask".into() };
    sqlx::query("update acme_orders set trouble = $1 where names = '{n0149.example}'")
        .bind(Json(&paused))
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::raw_sql(
        "with made as (
           insert into certificates (team_id, id, origin, names)
           select id, gen_random_uuid(), 'acme', array['n' || lpad(n::text, 4, '0') || '.example']
             from teams, generate_series(1, 150) n returning team_id, id, names)
         insert into certificate_versions
                (team_id, id, certificate_id, sealed, names, issuer, serial, fingerprint, not_before, not_after)
         select team_id, gen_random_uuid(), id, '', names, 'Test CA', '01', id::text, now(), now() + interval '90 days' from made;
         update certificates c set current_id = v.id from certificate_versions v where v.certificate_id = c.id",
    )
    .execute(&mut conn)
    .await
    .unwrap();

    let ada = panel.signed_in("ada@example.org").await;
    for (list, troubled) in [("certificates/automatic", true), ("certificates", false)] {
        let list = format!("/t/{}/{list}", scene.owner.slug);
        let first = ada.text(&list).await;
        assert!(first.contains("n0001.example") && !first.contains("n0120.example"), "{first}");
        assert_eq!(first.contains("n0149.example"), troubled, "{list}");
        let second = ada.text(&format!("{list}{}", next(&first).expect("there are more"))).await;
        assert!(second.contains("n0120.example") && second.contains("n0150.example"), "{second}");
        assert!(!second.contains("n0001.example") && next(&second).is_none(), "{second}");
    }
    let mut seen = Vec::new();
    loop {
        let page = acme::page(ctx, owner, seen.last().copied()).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|line| line.id));
    }
    let once: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), once.len()), (150, 150), "each once");

    // As many as a team may have.
    sqlx::query(orders).bind(scene.owner.team.0).bind("more").bind(4_850).execute(&mut conn).await.unwrap();
    let shop = skiff::actions::apps::get(ctx, owner, scene.web).await.unwrap().routes[0].domain.clone();
    sqlx::query("delete from acme_orders where $1 = any(names)").bind(&shop).execute(&mut conn).await.unwrap();
    sqlx::query(orders).bind(scene.owner.team.0).bind("last").bind(1).execute(&mut conn).await.unwrap();
    let input = NewOrder { names: shop.clone(), dns_account: String::new() };
    let refused = acme::order(ctx, owner, input).await.unwrap_err().to_string();
    assert!(refused.starts_with("The team has 5000 automatic certificates"), "{refused}");
    let refused = acme::get_now_for(ctx, owner, scene.web, &shop).await.unwrap_err().to_string();
    assert!(refused.starts_with("The team has 5000 automatic certificates"), "{refused}");
    let text = ada.text(&format!("/t/{}/apps/{}/routes", scene.owner.slug, scene.web)).await;
    assert!(text.contains("none: the team has as many as a team may have"), "{text}");
}
