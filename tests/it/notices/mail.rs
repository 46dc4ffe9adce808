//! E-mail: what a mail server gets, and what is said where it refuses, or its TLS is not in order.

use skiff::actions::notices::{self, Answered, SetChannel, SetMail};
use skiff::actions::{self};

use super::{add, channel, wrong};
use crate::harness::panel::Panel;
use crate::harness::services::{MailService, Manners, outside_of};

/// A team whose mail goes out by this server, and its channel.
async fn by(server: &MailService, security: &str, login: Option<(&str, &str)>) -> (Panel, actions::Ctx, SetChannel) {
    let panel = Panel::new().await;
    let ctx = actions::Ctx { outside: outside_of(None, Some(&server.authority)), ..panel.ctx.clone() };
    let (username, password) = login.unwrap_or_default();
    let mail = SetMail {
        host: "localhost".into(),
        port: server.port.to_string(),
        security: security.into(),
        username: username.into(),
        password: password.into(),
        sender: "skiff@example.org".into(),
    };
    notices::set_mail(&ctx, &panel.owner, mail).await.unwrap();
    let mut form = channel("email", "");
    form.to = "ada@example.org, ops@example.org".into();
    (panel, ctx, form)
}

async fn tried(manners: Manners, security: &str, login: Option<(&str, &str)>) -> (MailService, Answered) {
    let server = MailService::start(manners).await;
    let (panel, ctx, form) = by(&server, security, login).await;
    let id = add(&ctx, &panel.owner, form).await;
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    (server, answered)
}

#[tokio::test]
async fn a_letter_goes_to_all_receivers_by_starttls_with_a_password() {
    let login = Some(("skiff", "a pass word"));
    let (server, answered) = tried(Manners { starttls: true, login, ..Manners::default() }, "starttls", login).await;
    assert_eq!((answered.taken, answered.words.as_str()), (true, "localhost answered 250: 2.0.0 queued as 4711"));
    let mail = server.mails().remove(0);
    assert!(mail.encrypted, "{mail:#?}");
    assert_eq!(mail.user.as_deref(), Some("skiff"));
    assert_eq!(mail.from, "skiff@example.org");
    assert_eq!(mail.to, ["ada@example.org", "ops@example.org"]);
    for line in [
        "From: Skiff <skiff@example.org>",
        "To: ada@example.org, ops@example.org",
        "Subject: [Shop] A test from Skiff to email",
        "http://127.0.0.1:7070/t/shop/notices",
    ] {
        assert!(mail.text.contains(line), "{line}: {}", mail.text);
    }
    assert!(mail.text.contains("Message-ID: <") && mail.text.contains("@example.org>"), "{}", mail.text);
}

#[tokio::test]
async fn tls_from_the_first_byte_and_none_at_all_work_too() {
    let (server, answered) = tried(Manners { tls: true, ..Manners::default() }, "tls", None).await;
    assert!(answered.taken && server.mails()[0].encrypted, "{answered:?}");
    let (server, answered) = tried(Manners::default(), "none", None).await;
    assert!(answered.taken && !server.mails()[0].encrypted, "{answered:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_instead_of_saying_good_bye_has_the_letter() {
    let (server, answered) = tried(Manners { rude: true, ..Manners::default() }, "none", None).await;
    assert!(answered.taken, "{answered:?}");
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let login = Some(("skiff", "a pass word"));
    let (server, answered) = tried(Manners { login, ..Manners::default() }, "starttls", login).await;
    assert!(answered.words.starts_with("localhost offers no STARTTLS, so nothing was sent."), "{answered:?}");
    assert_eq!(server.mails().len(), 0);
    let broken = Manners { starttls: true, tls_breaks: true, ..Manners::default() };
    let (server, answered) = tried(broken, "starttls", None).await;
    assert!(!answered.taken && answered.words.contains("STARTTLS failed at localhost"), "{answered:?}");
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_not_believed() {
    let server = MailService::start(Manners { starttls: true, ..Manners::default() }).await;
    let other = MailService::start(Manners::default()).await;
    let (panel, ctx, form) = by(&server, "starttls", None).await;
    let ctx = actions::Ctx { outside: outside_of(None, Some(&other.authority)), ..ctx };
    let id = add(&ctx, &panel.owner, form).await;
    let answered = notices::test(&ctx, &panel.owner, id).await.unwrap();
    assert!(!answered.taken && answered.words.contains("certificate"), "{answered:?}");
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test]
async fn what_a_server_refuses_is_said_in_its_words() {
    let refused = |verb, reply| Manners { refuses: Some((verb, reply)), ..Manners::default() };
    let (_, answered) = tried(refused("RCPT", "550 5.1.1 no such user here"), "none", None).await;
    assert_eq!(
        answered.words,
        "localhost answered 550 to the letter: 5.1.1 no such user here. Does it let this sender send to these addresses?"
    );
    let (_, answered) = tried(refused("MAIL", "451 4.7.1 greylisted, come back"), "none", None).await;
    assert_eq!(answered.words, "localhost answered 451 to the letter: 4.7.1 greylisted, come back.");
    let login = Some(("skiff", "right"));
    let (_, answered) = tried(Manners { login, ..Manners::default() }, "none", Some(("skiff", "wrong"))).await;
    assert_eq!(
        answered.words,
        "localhost answered 535 to signing in: 5.7.8 user or password is wrong. Are user and password right?"
    );
}

#[tokio::test]
async fn a_receiver_that_is_dead_is_in_the_way_of_no_other() {
    for (dead, other) in [("ada@example.org", "ops@example.org"), ("ops@example.org", "ada@example.org")] {
        let (server, answered) = tried(Manners { dead: Some(dead), ..Manners::default() }, "none", None).await;
        let words = format!(
            "localhost answered 250: 2.0.0 queued as 4711. It did not take it for {dead} (550 5.1.1 no such user here)."
        );
        assert_eq!((answered.taken, answered.words), (true, words));
        let mails = server.mails();
        assert_eq!((mails.len(), &mails[0].to[..]), (1, &[other.to_owned()][..]), "{mails:#?}");
    }
}

#[tokio::test]
async fn without_a_mail_server_it_is_said_where_to_enter_one() {
    let panel = Panel::new().await;
    let mut form = channel("email", "");
    form.to = "ada@example.org".into();
    let id = add(&panel.ctx, &panel.owner, form).await;
    let answered = notices::test(&panel.ctx, &panel.owner, id).await.unwrap();
    assert_eq!(answered.words, "The team has no mail server: an admin enters one under Notices.");
}

#[tokio::test]
async fn a_password_is_kept_for_the_same_server_and_user_only() {
    let login = Some(("skiff", "a pass word"));
    let server = MailService::start(Manners { login, ..Manners::default() }).await;
    let (panel, ctx, form) = by(&server, "none", login).await;
    let id = add(&ctx, &panel.owner, form).await;
    let again = |host: &str, username: &str| SetMail {
        host: host.into(),
        port: server.port.to_string(),
        security: "none".into(),
        username: username.into(),
        password: String::new(),
        sender: "panel@example.org".into(),
    };
    notices::set_mail(&ctx, &panel.owner, again("localhost", "skiff")).await.unwrap();
    assert!(notices::test(&ctx, &panel.owner, id).await.unwrap().taken);
    assert_eq!(server.mails()[0].from, "panel@example.org");
    for form in [again("mail.example.org", "skiff"), again("localhost", "somebody")] {
        let said = wrong(notices::set_mail(&ctx, &panel.owner, form).await.unwrap_err());
        assert_eq!(said, ["password: Enter the password of this user."]);
    }
    notices::set_mail(&ctx, &panel.owner, SetMail::default()).await.unwrap();
    assert!(notices::mail(&ctx, &panel.owner).await.unwrap().is_none());
}
