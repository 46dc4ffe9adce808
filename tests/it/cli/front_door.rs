//! `skiff admin acme` and `skiff admin address`, on the panel's machine, before anybody owns the panel.

use crate::harness::served::Served;
use crate::harness::tls::Authority;

/// A running panel, with a host at this address that serves HTTPS.
async fn panel(address: &str) -> (Served, Authority) {
    let (authority, file) = (Authority::new("Own Authority"), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(file.path(), &authority.pem).unwrap();
    let panel = Served::start(file.path()).await;
    let (status, _, said) = panel.types(&["admin", "host", "--address", address], "").await;
    assert_eq!(status, 0, "{said}");
    let mut conn = panel.db.superuser().await;
    sqlx::query("update hosts set proxy_https_port = 443").execute(&mut conn).await.unwrap();
    (panel, authority)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_chosen_from_a_shell_and_stays_where_no_other_is_named() {
    let (panel, authority) = panel("127.0.0.1").await;
    let (status, _, said) = panel.types(&["admin", "acme"], "").await;
    assert!(status == 1 && said.contains("terms: The authority gives certificates only to those"), "{said}");
    let own = ["admin", "acme", "--agree-to-terms", "--directory", "https://ca.example.org/dir", "--root", "-"];
    let (status, _, said) = panel.types(&own, "no root").await;
    assert!(status == 1 && said.contains("ca_root: Paste"), "{said}");
    let (status, _, said) = panel.types(&own, "").await;
    assert!(status == 1 && said.contains("The root - cannot be read: nothing is in it."), "{said}");
    let (status, answer, said) = panel.types(&own, &authority.pem).await;
    assert_eq!(
        (status, answer.as_str()),
        (0, "{\"changed\":true,\"directory\":\"https://ca.example.org/dir\"}\n"),
        "{said}"
    );
    let again = panel.types(&["admin", "acme", "--agree-to-terms"], "").await.1;
    assert_eq!(again, "{\"changed\":false,\"directory\":\"https://ca.example.org/dir\"}\n");
    let written = ["admin", "acme", "--agree-to-terms", "--email", "ada@example.org"];
    assert!(panel.types(&written, "").await.1.contains("\"changed\":true"));
    let mut conn = panel.db.superuser().await;
    let kept: (String, String, String) =
        sqlx::query_as("select email, ca_root, terms_agreed_by from acme_settings").fetch_one(&mut conn).await.unwrap();
    assert_eq!(kept.0, "ada@example.org");
    assert_eq!(kept.1, authority.pem.trim());
    assert!(!kept.2.is_empty(), "{kept:?}");

    // A key that accounts are bound by: by a file or standard input, and the one that is kept stays.
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{key}\n")).unwrap();
    let bound = ["admin", "acme", "--agree-to-terms", "--eab-id", "kid-1"];
    let with = |more: &[&'static str]| [&bound[..], more].concat();
    let (status, _, said) = panel.types(&with(&["--eab-key-file", "-"]), "no key!").await;
    assert!(status == 1 && said.contains("eab_key: Paste the key"), "{said}");
    let (status, _, said) = panel.types(&with(&["--eab-key-file", "/nowhere"]), "").await;
    assert!(status == 1 && said.contains("The key /nowhere cannot be read"), "{said}");
    let (status, _, said) = panel.types(&with(&["--root", "-"]), &authority.pem).await;
    assert!(status == 1 && said.contains("Standard input is the root"), "{said}");
    let (status, _, said) = panel.types(&["admin", "acme", "--eab-key-file", "-"], key).await;
    assert!(status == 2 && said.contains("--eab-id"), "{said}");
    assert!(panel.types(&with(&["--eab-key-file", "-"]), key).await.1.contains("\"changed\":true"));
    let by_file = [&bound[..], &["--eab-key-file", file.path().to_str().unwrap()]].concat();
    assert!(panel.types(&by_file, "").await.1.contains("\"changed\":false"), "the same key");
    assert!(panel.types(&bound, "").await.1.contains("\"changed\":false"), "it is not asked for again");
    let other = &key.replace("zW", "aa");
    assert!(panel.types(&with(&["--eab-key-file", "-"]), other).await.1.contains("\"changed\":true"), "another key");
    assert!(panel.types(&["admin", "acme", "--agree-to-terms"], "").await.1.contains("\"changed\":false"));
    let kept: (String, Option<Vec<u8>>) =
        sqlx::query_as("select eab_id, eab_sealed from acme_settings").fetch_one(&mut conn).await.unwrap();
    assert!(kept.0 == "kid-1" && kept.1.is_some_and(|sealed| !sealed.is_empty()));

    let staging = ["admin", "acme", "--agree-to-terms", "--authority", "letsencrypt-staging"];
    assert!(panel.types(&staging, "").await.1.contains("acme-staging-v02"));
    panel.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_the_panels_name_is_said_at_once() {
    let (panel, _authority) = panel("10.1.2.3").await;
    let (status, answer, said) = panel.types(&["admin", "address", "auto"], "").await;
    assert!(status == 1 && answer.is_empty(), "{answer}");
    assert!(said.contains("as it is not a public one") && said.contains("203-0-113-7.sslip.io"), "{said}");
    let (status, _, said) = panel.types(&["admin", "address", "https://panel.example.org"], "").await;
    assert!(status == 1 && said.contains("domain: Use a domain such as"), "{said}");
    let (status, answer, said) = panel.types(&["admin", "status"], "").await;
    assert!(answer.contains(&format!("\"panel\":\"{}\"", "http://127.0.0.1:7070")), "{status} {answer} {said}");
    panel.stop().await;
}
