//! The door itself: who may knock, how, under which name, how slowly, and what every answer carries.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::door::{PASSWORD, Panel};

#[tokio::test]
async fn an_act_comes_from_a_page_of_ours_or_is_refused() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let ada = panel.signed_in("ada@example.org").await;
    let path = format!("/t/{}/projects", owner.slug);
    let token = ada.token("/account").await;
    let send = |headers: Vec<(&'static str, String)>, token: &str| {
        let mut request = ada.http.post(ada.at(&path)).form(&[("_token", token), ("name", "Foreign")]);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
    };
    let refused = [
        (
            send(vec![("sec-fetch-site", "cross-site".into()), ("origin", "https://evil.example".into())], &token),
            "foreign site",
        ),
        (send(vec![("origin", "https://evil.example".into())], &token), "foreign origin"),
        (send(vec![("origin", "null".into())], &token), "no origin"),
        (send(vec![], &token), "silence"),
        (send(vec![("sec-fetch-site", "same-origin".into())], ""), "no token"),
        (send(vec![("sec-fetch-site", "same-origin".into())], "AAAAAAAAAAAAAAAAAAAAAA"), "wrong token"),
    ];
    for (request, why) in refused {
        assert_eq!(request.send().await.unwrap().status(), 403, "{why}");
    }
    let listed = ada.text(&path).await;
    assert!(!listed.contains("Foreign"), "nothing was made");
    let fine = send(vec![("origin", panel.base.clone())], &token).send().await.unwrap();
    assert_eq!(fine.status(), 303, "an older browser of the same origin");
    assert!(ada.text(&path).await.contains("Foreign"));
    let got = ada.get(&format!("{path}?name=Other&_token={token}")).await;
    assert!(!got.text().await.unwrap().contains(">Other<"), "a GET changes nothing");
}

#[tokio::test]
async fn a_session_id_from_before_signing_in_is_worth_nothing() {
    let panel = Panel::open().await;
    panel.owner().await;
    let visitor = panel.visitor();
    let sid = |answer: &reqwest::Response| {
        let mut cookies =
            answer.headers().get_all("set-cookie").into_iter().map(|value| value.to_str().unwrap().to_owned());
        cookies.rfind(|cookie| cookie.starts_with("sid="))
    };
    let planted = "sid=AAAAAAAAAAAAAAAAAAAAAA";
    let page = visitor.http.get(visitor.at("/login")).header("cookie", planted).send().await.unwrap();
    let form = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let token = form.split_once('=').unwrap().1.to_owned();
    let answer = visitor
        .http
        .post(visitor.at("/login"))
        .header("cookie", format!("{planted}; {form}"))
        .header("sec-fetch-site", "same-origin")
        .form(&[("_token", token.as_str()), ("email", "ada@example.org"), ("password", PASSWORD)])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303);
    let cookie = sid(&answer).expect("a session");
    assert!(!cookie.starts_with(planted), "the planted id was not taken: {cookie}");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let with = |cookie: String| visitor.http.get(visitor.at("/account")).header("cookie", cookie);
    assert_eq!(with(cookie.clone()).send().await.unwrap().status(), 200);
    assert_eq!(with(planted.to_owned()).send().await.unwrap().status(), 303, "the planted id opens nothing");
    let mut conn = panel.db.superuser().await;
    let id = cookie.split_once('=').unwrap().1;
    let raw: i64 = sqlx::query_scalar("select count(*) from sessions where data::text like '%' || $1 || '%'")
        .bind(id)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(raw, 0, "the id itself is not stored");

    let account = with(cookie.clone()).send().await.unwrap().text().await.unwrap();
    let token = account.split("name=\"_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let out = visitor
        .http
        .post(visitor.at("/logout"))
        .header("cookie", cookie.clone())
        .header("sec-fetch-site", "same-origin")
        .form(&[("_token", token)])
        .send()
        .await
        .unwrap();
    assert_eq!(out.status(), 303);
    assert_eq!(with(cookie).send().await.unwrap().status(), 303, "signed out in the store, not only in the browser");
}

#[tokio::test]
async fn a_session_ends_a_month_after_it_began_and_when_nobody_used_it() {
    let panel = Panel::open().await;
    panel.owner().await;
    let (old, idle) = (panel.signed_in("ada@example.org").await, panel.signed_in("ada@example.org").await);
    assert_eq!(old.get("/account").await.status(), 200);
    let mut conn = panel.db.superuser().await;
    let age = "update sessions set data = jsonb_set(data, '{began}', to_jsonb(extract(epoch from now())::bigint - 31 * 86400))
                where id_hash = (select id_hash from sessions order by created_at limit 1)";
    sqlx::query(age).execute(&mut conn).await.unwrap();
    let run_out = "update sessions set expires_at = now() - interval '1 s'
                    where id_hash = (select id_hash from sessions order by created_at desc limit 1)";
    sqlx::query(run_out).execute(&mut conn).await.unwrap();
    assert_eq!(old.get("/account").await.status(), 303, "used or not");
    assert_eq!(idle.get("/account").await.status(), 303, "seven days unused");
}

#[tokio::test]
async fn looking_at_a_page_writes_nothing() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let ada = panel.signed_in("ada@example.org").await;
    let mut conn = panel.db.superuser().await;
    let written: &str = "select xmin::text from sessions";
    let before: String = sqlx::query_scalar(written).fetch_one(&mut conn).await.unwrap();
    for path in [format!("/t/{}", owner.slug), format!("/t/{}/apps", owner.slug), "/account".to_owned()] {
        assert_eq!(ada.get(&path).await.status(), 200, "{path}");
    }
    let after: String = sqlx::query_scalar(written).fetch_one(&mut conn).await.unwrap();
    assert_eq!(before, after, "the session's row was written by a page that was only looked at");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let panel = Panel::open().await;
    let visitor = panel.visitor();
    for path in ["/login", "/up", "/nowhere", "/t/acme"] {
        let answer = visitor.get(path).await;
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(
            header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
             font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            "{path}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-request-id").len(), 16, "{path}");
    }
}

#[tokio::test]
async fn a_foreign_name_reaches_nothing() {
    let panel = Panel::open().await;
    let visitor = panel.visitor();
    let ask = |path: &str, host: &str| visitor.http.get(visitor.at(path)).header("host", host);
    let answer = ask("/login", "evil.example").send().await.unwrap();
    assert_eq!(answer.status(), 421);
    let text = answer.text().await.unwrap();
    assert!(text.contains(&panel.base) && !text.contains("evil.example"), "{text}");
    assert_eq!(ask("/login", &panel.authority).send().await.unwrap().status(), 200);
    assert_eq!(ask("/login", "localhost:8080").send().await.unwrap().status(), 200, "loopback by another way");
    assert_eq!(ask("/up", "10.0.0.7").send().await.unwrap().status(), 200, "health is asked by address");
}

#[tokio::test]
async fn over_https_the_cookies_are_the_hosts_alone() {
    let panel = Panel::open_as(Some("https://panel.example")).await;
    panel.owner().await;
    let visitor = panel.visitor();
    let page = visitor.http.get(visitor.at("/login")).header("host", "panel.example").send().await.unwrap();
    assert!(page.headers()["strict-transport-security"].to_str().unwrap().starts_with("max-age="));
    let form = page.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(form.starts_with("__Host-form=") && form.contains("; Secure"), "{form}");
    let form = form.split(';').next().unwrap();
    let sign_in = |origin: &str| {
        let token = form.split_once('=').unwrap().1;
        let fields = [("_token", token), ("email", "ada@example.org"), ("password", PASSWORD)];
        let request = visitor.http.post(visitor.at("/login")).header("host", "panel.example").header("cookie", form);
        request.header("origin", origin).form(&fields).send()
    };
    assert_eq!(
        sign_in("http://panel.example").await.unwrap().status(),
        403,
        "the same name over http is another origin"
    );
    let answer = sign_in("https://panel.example").await.unwrap();
    assert_eq!(answer.status(), 303);
    let cookies = answer.headers().get_all("set-cookie").into_iter().map(|cookie| cookie.to_str().unwrap());
    let sid = cookies.into_iter().find(|cookie| cookie.starts_with("__Host-sid=")).expect("a session").to_owned();
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(sid.contains(part), "{sid}");
    }
    assert!(!sid.contains("Domain"), "{sid}");
}

#[tokio::test]
async fn who_promises_a_form_and_sends_none_is_cut() {
    let panel = Panel::open().await;
    let begun = Instant::now();
    let mut slow = TcpStream::connect(&panel.authority).await.unwrap();
    let head =
        "POST /login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 100\r\n\r\n_to";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read =
        tokio::time::timeout(Duration::from_secs(20), slow.read(&mut answer)).await.expect("still held after 20 s");
    let answer = String::from_utf8_lossy(&answer[..read.unwrap()]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_sends_half_a_header_is_cut_after_ten_seconds() {
    let panel = Panel::open().await;
    let begun = Instant::now();
    let mut slow = TcpStream::connect(&panel.authority).await.unwrap();
    slow.write_all(b"GET /up HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "still held after 20 s");
    let held = begun.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(14)).contains(&held), "{held:?}");
    assert_eq!(panel.visitor().get("/up").await.status(), 200, "others are served");
}

#[tokio::test]
async fn what_is_too_large_or_of_another_kind_is_refused_in_words() {
    let panel = Panel::open().await;
    panel.owner().await;
    let visitor = panel.visitor();
    let large = "x".repeat(1024 * 1024 + 1);
    let answer = visitor.submit("/login", "/login", &[("email", &large)]).await;
    assert_eq!(answer.status(), 413);
    assert!(answer.text().await.unwrap().contains("larger than this form takes"));
    assert_eq!(visitor.get("/logout").await.status(), 405);
    let lost = visitor.get("/nowhere").await;
    assert_eq!(lost.status(), 404);
    assert!(lost.text().await.unwrap().contains("href=\"/\""), "a way back");
    assert_eq!(visitor.get("/t/acme/apps/not-an-id").await.status(), 303, "first of all: sign in");
    let ada = panel.signed_in("ada@example.org").await;
    assert_eq!(ada.get("/t/acme/apps/not-an-id").await.status(), 404);
}

#[tokio::test]
async fn without_its_database_the_panel_says_so_and_no_more() {
    let panel = Panel::open().await;
    panel.owner().await;
    let ada = panel.signed_in("ada@example.org").await;
    assert_eq!(ada.get("/ready").await.status(), 200);
    panel.db.close().await;
    let answer = ada.get("/account").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
    let text = answer.text().await.unwrap();
    assert!(!text.to_lowercase().contains("pool") && !text.contains("sqlx"), "no cause on the page: {text}");
    assert_eq!(ada.get("/up").await.status(), 200);
    assert_eq!(ada.get("/ready").await.status(), 503);
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_come_small() {
    let panel = Panel::open().await;
    let visitor = panel.visitor();
    let page = visitor.text("/login").await;
    let css = page.split("href=\"").find(|part| part.contains("skiff.css")).unwrap().split('"').next().unwrap();
    let plain = visitor.get(css).await;
    assert!(plain.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    let whole = plain.bytes().await.unwrap();
    let packed = visitor.http.get(visitor.at(css)).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(packed.bytes().await.unwrap().len() * 3 < whole.len());
    let old = visitor.get(&css.replacen(&css[8..20], "000000000000", 1)).await;
    assert_eq!(old.headers()["cache-control"], "no-store", "an old page gets the new sheet, and does not keep it");
    assert_eq!(visitor.get("/assets/vendor/..%2Fcss/tokens.css").await.status(), 404);
    assert_eq!(visitor.get("/assets/000000000000/..%2F..%2FCargo.toml").await.status(), 404);
    // As no client would send it: a path that nobody has tidied.
    for path in [
        "/assets/000000000000/../../Cargo.toml",
        "/assets/000000000000/css/../../Cargo.toml",
        "/assets/000000000000/%2e%2e/%2e%2e/Cargo.toml",
        "/assets/000000000000/%252e%252e%252fCargo.toml",
        "/assets/000000000000/..%5c..%5cCargo.toml",
        "/assets/000000000000/..\\..\\Cargo.toml",
        "/assets/000000000000//etc/passwd",
        "/assets/000000000000/%00",
    ] {
        let mut raw = TcpStream::connect(&panel.authority).await.unwrap();
        let ask = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", panel.authority);
        raw.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        raw.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 40"), "{path}: {answer}");
        assert!(!answer.contains("[package]") && !answer.contains("root:"), "{path}");
    }
}

#[tokio::test]
async fn sign_in_leads_back_to_where_one_was_and_nowhere_else() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let visitor = panel.visitor();
    let hosts = format!("/t/{}/hosts", owner.slug);
    let sent = visitor.get(&hosts).await;
    assert_eq!(sent.headers()["location"], format!("/login?back=%2Ft%2F{}%2Fhosts", owner.slug));
    let right = [("email", "ada@example.org"), ("password", PASSWORD)];
    let mut fields = vec![("back", hosts.as_str())];
    fields.extend(right);
    assert_eq!(visitor.submit("/login", "/login", &fields).await.headers()["location"], hosts);
    for evil in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let mut fields = vec![("back", evil)];
        fields.extend(right);
        assert_eq!(panel.visitor().submit("/login", "/login", &fields).await.headers()["location"], "/", "{evil}");
    }
    let wrong = [("email", "ada@example.org"), ("password", "wrong")];
    let answer = panel.visitor().submit("/login", "/login", &wrong).await;
    assert_eq!(answer.status(), 422);
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("value=\"ada@example.org\"") && !text.contains("\"wrong\""),
        "the e-mail is kept, the password not"
    );
}
