//! E-mail: what a mail server gets, and what is said where it refuses, or its TLS is not in order.

use std::time::{Duration, Instant};

use skiff::actions::notices::{self, Answered, SetChannel, SetMail};
use skiff::actions::{self};
use skiff::domain::deploy::DeployState;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::delivery::{Telling, app, ended, time_passes, until, world};
use super::{add, channel, deliveries, wrong};
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

/// A port that leads to this server, where what it refuses for good is refused for now.
async fn for_now(server: &MailService) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, behind) = (listener.local_addr().unwrap().port(), server.port);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut from_client, mut to_client) = client.into_split();
            let (from_server, mut to_server) = TcpStream::connect(("127.0.0.1", behind)).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let mut lines = BufReader::new(from_server).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let line = line.replace("550 5.1.1 no such user here", "451 4.7.1 greylisted, come back");
                    if to_client.write_all(format!("{line}\r\n").as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_refused_for_now_gets_the_letter_later_and_the_others_do_not_get_it_twice() {
    let world = world().await;
    let busy = MailService::start(Manners { dead: Some("ops@example.org"), ..Manners::default() }).await;
    let free = MailService::start(Manners::default()).await;
    let (ctx, owner) = (world.actions(), world.team.owner.clone());
    let by = async |port: u16| {
        let mail = SetMail {
            host: "127.0.0.1".into(),
            port: port.to_string(),
            security: "none".into(),
            sender: "skiff@example.org".into(),
            ..SetMail::default()
        };
        notices::set_mail(&ctx, &owner, mail).await.unwrap();
    };
    by(for_now(&busy).await).await;
    let mut form = channel("email", "");
    form.to = "ada@example.org, ops@example.org".into();
    add(&ctx, &owner, form).await;
    let (app, _) = app(&world).await;
    let telling = Telling::start(&world);
    ended(&world, app, DeployState::Failed).await;
    let all = until(&world, |all| all.len() == 1 && all[0].1 == 1 && all[0].0 != "sending").await;
    let words = "127.0.0.1 answered 250: 2.0.0 queued as 4711. It did not take it for ops@example.org (451 4.7.1 \
                 greylisted, come back).";
    assert_eq!(all, [("waiting".to_owned(), 1, words.to_owned())]);
    let rests: bool = sqlx::query_scalar("select rests_until is not null from notice_channels")
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    assert!(!rests, "other letters need not wait for one receiver");

    // Lets time pass until this is so.
    let later = async |so: fn(&(String, i32, String)) -> bool| {
        let begun = Instant::now();
        while !so(&deliveries(&world.db).await[0]) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", deliveries(&world.db).await);
            time_passes(&world).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Refused once more: it is still to come, and said for whom.
    later(|(_, attempts, _)| *attempts > 1).await;
    let all = until(&world, |all| all[0].0 == "waiting" && all[0].1 >= 2).await;
    let words = "Still without it: ops@example.org. 127.0.0.1 answered 451 to the letter: 4.7.1 greylisted, come back.";
    assert_eq!(all[0].2, words);

    by(free.port).await;
    later(|(state, _, _)| state == "sent").await;
    assert_eq!(deliveries(&world.db).await[0].2, "127.0.0.1 answered 250: 2.0.0 queued as 4711");
    let to = |server: &MailService| server.mails().into_iter().map(|mail| mail.to).collect::<Vec<_>>();
    assert_eq!(to(&busy), [["ada@example.org"]]);
    assert_eq!(to(&free), [["ops@example.org"]]);
    drop(telling);
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
