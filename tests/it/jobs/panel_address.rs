//! The panel's own address on a real host: tried from outside, kept by who came under it, gone by itself otherwise; and what the panel
//! was reached by goes on working throughout.

mod port;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use http_body_util::Full;
use skiff::actions::panel::{self, NewAddress};
use skiff::actions::setup::{self, SetUp};
use skiff::actions::setup_name;
use skiff::actions::{self, Refused, acme, apps, certificates, routes};
use skiff::app::doors;
use skiff::cli::admin;
use skiff::db::sessions::Sessions;
use skiff::domain::ids::HostId;
use skiff::door::server;
use skiff::providers::names::Names;
use skiff::providers::outside::Outside;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::acme::ca::{How, Pebble};
use crate::acme::names::NameServer;
use crate::harness::door::PASSWORD;
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::tls::Authority;
use crate::harness::world::World;

const NAME: &str = "panel.test";

/// A panel whose door is on the loopback of the host too, as if it ran there.
struct Stage {
    host: TestHost,
    world: World,
    id: HostId,
    ctx: actions::Ctx,
    authority: Authority,
    /// The door on this machine's own loopback.
    door: String,
    shutdown: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Stage {
    async fn new() -> Self {
        Self::asking(Names::of_this_machine()).await
    }

    /// One whose certificates are got for names that these name servers know.
    async fn asking(servers: Names) -> Self {
        Self::of(TestHost::bare().await, servers, None).await
    }

    /// One on this host, whose names lead to that address, or to the host's own.
    async fn of(host: TestHost, servers: Names, outer: Option<String>) -> Self {
        let mut world = World::idle(fresh_database().await).await;
        let at: IpAddr = outer.as_ref().unwrap_or(&host.address).parse().unwrap();
        let names = [NAME, "other.test", "late.test", "skiff.stars.test"].map(|name| (name.to_owned(), at));
        world.ctx.visitor = Outside::knowing(names);
        world.ctx.names = servers;
        world.start_worker();
        let id = world.provision(&host).await;
        let ctx = world.actions();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let base = format!("http://{door}").parse().unwrap();
        let opened = doors::open(ctx.clone(), base, std::sync::Arc::new(Sessions::new(&world.db)), shutdown.clone());
        tokio::spawn(server::serve(listener, opened.router, server::Limits::default(), shutdown.clone()));
        // From the host's loopback to this one, by a socket both see.
        let socket = host.path("/run/door.sock");
        let bridge = UnixListener::bind(&socket).unwrap();
        let to = door.clone();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = bridge.accept().await {
                let to = to.clone();
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(to).await.unwrap();
                    let _ = copy_bidirectional(&mut from, &mut to).await;
                });
            }
        });
        let stage = Self { host, world, id, ctx, authority: Authority::new("Test Authority"), door, shutdown };
        stage.listens_at(7070).await;
        stage
    }

    /// Has the door on this port of the host's loopback.
    async fn listens_at(&self, port: u16) {
        let listen = format!(
            "setsid socat TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:/run/door.sock </dev/null >/dev/null 2>&1 &"
        );
        self.host.enter(&["/bin/bash", "-c", &listen]).await.must("socat");
    }

    fn at(&self) -> IpAddr {
        self.host.address.parse().unwrap()
    }

    async fn certificate(&self, name: &str) {
        let made = self.authority.issue(&[name], 90);
        let input = certificates::NewCertificate { chain: made.chain, key: made.key };
        certificates::upload(&self.ctx, &self.world.team.owner, input).await.unwrap();
    }

    async fn begin(&self, name: &str) {
        let input = NewAddress { domain: name.into(), ..NewAddress::default() };
        panel::try_address(&self.ctx, &self.world.team.owner, input).await.unwrap();
    }

    /// Waits until the page says so.
    async fn until(&self, what: &str, so: impl Fn(&panel::AddressView) -> bool) -> panel::AddressView {
        let begun = tokio::time::Instant::now();
        loop {
            let view = panel::address(&self.ctx, &self.world.team.owner).await.unwrap();
            if so(&view) {
                return view;
            }
            if begun.elapsed() > Duration::from_secs(60) {
                let jobs: Vec<(String, String, String)> = sqlx::query_as(
                    "select kind, state, reason || wait_reason || ' ' || run_at from jobs order by created_at",
                )
                .fetch_all(&mut self.world.db.superuser().await)
                .await
                .unwrap();
                panic!("{what}: {view:#?}\n{jobs:#?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets the time of the trial, and of what waits for its end, pass.
    async fn time_passes(&self) {
        let mut conn = self.world.db.superuser().await;
        sqlx::query("update panel_addresses set until = now() - interval '1 s' where state = 'trial'")
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query("update jobs set run_at = now() where kind = 'panel_address' and state = 'queued'")
            .execute(&mut conn)
            .await
            .unwrap();
    }

    /// The answer at the loopback door.
    async fn loopback(&self) -> u16 {
        reqwest::get(format!("http://{}/login", self.door)).await.unwrap().status().as_u16()
    }

    /// Waits until nothing of these jobs waits or runs any more.
    async fn jobs_over(&self) {
        let mut conn = self.world.db.superuser().await;
        let begun = tokio::time::Instant::now();
        while sqlx::query_scalar::<_, bool>("select exists (select from jobs where state in ('queued', 'running'))")
            .fetch_one(&mut conn)
            .await
            .unwrap()
        {
            assert!(begun.elapsed() < Duration::from_secs(60), "jobs do not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_tried_from_outside_and_kept_by_who_came_under_it() {
    let stage = Stage::new().await;
    let (ctx, owner) = (&stage.ctx, &stage.world.team.owner);
    let link = setup::new_link(ctx).await.unwrap().unwrap();
    let token = link.rsplit('=').next().unwrap().to_owned();
    let form = SetUp {
        token,
        name: "Ada".into(),
        email: "ada@example.org".into(),
        password: PASSWORD.into(),
        team: "Acme".into(),
        ..SetUp::default()
    };
    setup::create_owner(ctx, "127.0.0.1", form).await.unwrap();

    // Without a certificate it leads here, and is not good enough.
    stage.begin(NAME).await;
    let view = stage
        .until("it is said what is missing", |view| view.trial.as_ref().is_some_and(|line| !line.note.is_empty()))
        .await;
    assert!(view.trial.unwrap().note.contains("there is no certificate for it yet"));
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let in_the_clear = || async {
        let asked =
            plain.get(format!("http://{}/login", stage.host.address)).header("host", NAME).send().await.unwrap();
        asked.status().as_u16()
    };
    assert_eq!(in_the_clear().await, 403, "nobody's password goes in the clear");
    stage.certificate(NAME).await;
    let mut conn = stage.world.db.superuser().await;
    sqlx::query("update jobs set run_at = now() where kind = 'panel_address'").execute(&mut conn).await.unwrap();
    stage.until("it is reached", |view| view.trial.as_ref().is_some_and(|line| line.reached_at.is_some())).await;
    assert_eq!(in_the_clear().await, 308);
    assert_eq!(panel::base_url(ctx).await.unwrap(), "http://127.0.0.1:7070", "links are made as before");

    // Signing in there, with cookies that only this name over https has.
    let shown = stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap();
    let cookie = shown.header("set-cookie").to_owned();
    assert!(shown.status == 200 && cookie.starts_with("__Host-form=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(
        shown.header("strict-transport-security"),
        "",
        "a name that may go again is not fastened to https for a year"
    );
    let token = cookie.strip_prefix("__Host-form=").unwrap().split(';').next().unwrap().to_owned();
    let body = format!("_token={token}&email=ada%40example.org&password={}&back=", PASSWORD.replace(' ', "+"));
    let request = hyper::Request::post("/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie.split(';').next().unwrap())
        .header("origin", format!("https://{NAME}"))
        .header("x-forwarded-for", "203.0.113.66")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let signed_in = stage.authority.send(stage.at(), 443, NAME, request).await.unwrap();
    let session = signed_in.header("set-cookie").to_owned();
    assert_eq!(signed_in.status, 303, "{signed_in:?}");
    assert!(session.starts_with("__Host-sid=") && session.contains("Secure"), "{session}");
    let account = [("cookie", session.split(';').next().unwrap())];
    let page = stage.authority.get_with(stage.at(), 443, NAME, "/account", &account).await.unwrap();
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("203.0.113.66"), "the proxy says where somebody comes from, not they");
    assert!(page.body.contains(&format!("<code>{}</code>", gateway(&stage.host))), "{}", page.body);
    // The same cookies open nothing on the loopback door, which is asked under the name by nobody.
    let under =
        reqwest::Client::new().get(format!("http://{}/login", stage.door)).header("host", NAME).send().await.unwrap();
    assert_eq!(under.status().as_u16(), 421);

    // Only who came under the name can keep it.
    let refused = panel::confirm_address(ctx, owner, "127.0.0.1").await.unwrap_err();
    assert!(
        matches!(&refused, Refused::Conflict(why) if why.contains("Open the panel under panel.test")),
        "{refused:?}"
    );
    panel::confirm_address(ctx, owner, NAME).await.unwrap();
    stage.jobs_over().await;
    assert_eq!(panel::base_url(ctx).await.unwrap(), "https://panel.test");
    assert_eq!(stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap().status, 200);
    assert_eq!(stage.loopback().await, 200);

    // It is nobody's to take.
    let app = stage.world.app(stage.id, "127.0.0.1:5000/hello:1", "app.test").await.id;
    for path in ["/", "/x"] {
        let route = apps::NewRoute { domain: NAME.into(), path: path.into() };
        let refused = routes::add(ctx, owner, app, route, Default::default()).await.unwrap_err();
        assert!(format!("{refused:?}").contains("panel.test is the panel's own address"), "{refused:?}");
    }
    let route = apps::NewRoute { domain: "taken.test".into(), path: "/x".into() };
    routes::add(ctx, owner, app, route, Default::default()).await.unwrap();
    let refused =
        panel::try_address(ctx, owner, NewAddress { domain: "taken.test".into(), ..Default::default() }).await;
    assert!(format!("{refused:?}").contains("An app is served under this name"), "{refused:?}");

    // Started again on another port, the panel is found there by its proxy.
    stage.listens_at(7071).await;
    let settings = actions::Settings { door: 7071, ..crate::harness::panel::settings() };
    let moved = actions::Ctx { settings: std::sync::Arc::new(settings), ..ctx.clone() };
    panel::door_moved(&moved).await.unwrap();
    stage.jobs_over().await;
    let end = "kill $(ss -Hltnp 'sport = :7070' | grep -o 'pid=[0-9]*' | cut -d= -f2)";
    stage.host.enter(&["/bin/bash", "-c", end]).await.must("the former port is closed");
    assert_eq!(stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap().status, 200);

    // A name below a star of one's own, of which there is no certificate but the star's.
    stage.certificate("*.stars.test").await;
    let below = NewAddress { domain: "skiff.stars.test".into(), ..NewAddress::default() };
    panel::try_address(&moved, owner, below).await.unwrap();
    stage.until("it is reached", |view| view.trial.as_ref().is_some_and(|line| line.reached_at.is_some())).await;
    panel::confirm_address(ctx, owner, "skiff.stars.test").await.unwrap();
    stage.jobs_over().await;
    assert_eq!(panel::base_url(ctx).await.unwrap(), "https://skiff.stars.test");
    let shown = stage.authority.get(stage.at(), 443, "skiff.stars.test", "/login").await.unwrap();
    assert_eq!((shown.status, shown.header("strict-transport-security")), (200, "max-age=31536000"));
    let former = stage.authority.get(stage.at(), 443, NAME, "/login").await;
    assert!(former.is_err() || former.is_ok_and(|answer| answer.status == 421), "the former name leads here no more");

    // Given up, it leads nowhere, and the door on loopback is as ever.
    panel::give_up_address(ctx, owner).await.unwrap();
    stage.jobs_over().await;
    let answer = stage.authority.get(stage.at(), 443, "skiff.stars.test", "/login").await;
    assert!(answer.is_err(), "the certificate left with the name: {answer:?}");
    assert_eq!(stage.loopback().await, 200);
}

/// The address under which this machine reaches the host.
fn gateway(host: &TestHost) -> IpAddr {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect((host.address.as_str(), 9)).unwrap();
    socket.local_addr().unwrap().ip()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_keeps_goes_by_itself_and_the_former_one_stays() {
    let stage = Stage::new().await;
    let (ctx, owner) = (&stage.ctx, &stage.world.team.owner);
    stage.certificate(NAME).await;
    let keep = NewAddress { domain: NAME.into(), keep: true, ..NewAddress::default() };
    panel::try_address(ctx, owner, keep).await.unwrap();
    stage.until("it is kept at once", |view| view.serving.is_some() && view.trial.is_none()).await;
    stage.jobs_over().await;

    // Reached, and confirmed by nobody.
    stage.certificate("other.test").await;
    stage.begin("other.test").await;
    stage.until("it is reached", |view| view.trial.as_ref().is_some_and(|line| line.reached_at.is_some())).await;
    assert_eq!(stage.authority.get(stage.at(), 443, "other.test", "/login").await.unwrap().status, 200);
    assert_eq!(stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap().status, 200, "both work meanwhile");
    stage.time_passes().await;
    let view = stage.until("the trial is over", |view| view.trial.is_none()).await;
    assert_eq!(view.serving.unwrap().domain.as_ref(), NAME);
    stage.jobs_over().await;
    assert!(stage.authority.get(stage.at(), 443, "other.test", "/login").await.is_err());
    assert_eq!(stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap().status, 200);
    assert!(panel::confirm_address(ctx, owner, "other.test").await.is_err());

    // One that leads elsewhere is never reached, and says where it leads.
    let nobody =
        panel::try_address(ctx, owner, NewAddress { domain: "no such name".into(), ..Default::default() }).await;
    assert!(matches!(nobody, Err(Refused::Fields(_))));
    stage.begin("late.example.invalid").await;
    let view =
        stage.until("it is said why", |view| view.trial.as_ref().is_some_and(|line| !line.note.is_empty())).await;
    let note = view.trial.unwrap().note;
    assert!(note.contains("DNS knows no address of late.example.invalid yet"), "{note}");
    stage.time_passes().await;
    stage.until("the trial is over", |view| view.trial.is_none()).await;
    stage.jobs_over().await;
    assert_eq!(stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap().status, 200);
    assert_eq!(stage.loopback().await, 200);
}

/// What is typed on the panel's machine.
#[derive(Parser)]
struct Shell {
    #[command(subcommand)]
    command: admin::Command,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_only_outsiders_reach_is_kept_by_who_came_under_it_or_as_asked() {
    let host = TestHost::bare().await;
    let outer = host.outer_address(true).await;
    let stage = Stage::of(host, Names::of_this_machine(), Some(outer.clone())).await;
    let (ctx, owner) = (&stage.ctx, &stage.world.team.owner);
    let unreached = format!("{NAME} leads to {outer}, which is not reached from inside");
    stage.begin(NAME).await;
    let noted = |view: &panel::AddressView| view.trial.as_ref().is_some_and(|line| !line.note.is_empty());
    let note = stage.until("it is said what is missing", noted).await.trial.unwrap().note;
    assert!(note.contains("there is no certificate for it yet") && note.contains(&unreached), "{note}");
    stage.certificate(NAME).await;
    let mut conn = stage.world.db.superuser().await;
    sqlx::query("update jobs set run_at = now() where kind = 'panel_address'").execute(&mut conn).await.unwrap();
    let reached = |view: &panel::AddressView| view.trial.as_ref().is_some_and(|line| line.reached_at.is_some());
    let trial = stage.until("the proxy has it", reached).await.trial.unwrap();
    assert!(trial.note.starts_with(&unreached), "{trial:?}");
    assert_eq!(stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap().status, 200);

    // Whoever comes under it came from outside: nothing is left to be said.
    panel::confirm_address(ctx, owner, NAME).await.unwrap();
    stage.jobs_over().await;
    let serving = panel::address(ctx, owner).await.unwrap().serving.unwrap();
    assert_eq!((serving.domain.as_ref(), serving.note.as_str()), (NAME, ""));

    let shown = stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap();
    assert_eq!(shown.header("strict-transport-security"), "max-age=31536000");

    // Asked to be kept without anybody, as a shell does: a name that was seen from inside alone takes no other's place by itself.
    stage.certificate("other.test").await;
    let command = Shell::parse_from(["skiff", "address", "other.test"]).command;
    let said = admin::run(ctx, command).await.unwrap_err().to_string();
    assert!(said.starts_with(&format!("other.test leads to {outer}, which is not reached")), "{said}");
    assert!(said.contains(&format!("{NAME} stays the panel's name until somebody keeps the new one")), "{said}");
    let reached = |view: &panel::AddressView| view.trial.as_ref().is_some_and(|line| line.reached_at.is_some());
    let view = stage.until("the proxy has it", reached).await;
    let (trial, serving) = (view.trial.unwrap(), view.serving.unwrap());
    assert!(trial.note.starts_with(&format!("other.test leads to {outer}, which is not reached")), "{trial:?}");
    assert_eq!(serving.domain.as_ref(), NAME, "what worked goes on working");
    assert_eq!(stage.authority.get(stage.at(), 443, NAME, "/login").await.unwrap().status, 200);

    // Where there is no other name, as at set-up, it is kept, and what could not be tried stays said.
    panel::give_up_address(ctx, owner).await.unwrap();
    stage.until("the trial is over", |view| view.trial.is_none()).await;
    panel::give_up_address(ctx, owner).await.unwrap();
    stage.jobs_over().await;
    let keep = NewAddress { domain: "other.test".into(), keep: true, ..NewAddress::default() };
    panel::try_address(ctx, owner, keep).await.unwrap();
    let other =
        |view: &panel::AddressView| view.serving.as_ref().is_some_and(|line| line.domain.as_ref() == "other.test");
    let serving = stage.until("it is kept", other).await.serving.unwrap();
    assert!(serving.note.starts_with(&format!("other.test leads to {outer}, which is not reached")), "{serving:?}");
    stage.jobs_over().await;
    assert_eq!(stage.loopback().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_waits_for_a_certificate_goes_on_when_it_comes() {
    let names = NameServer::start().await;
    let how = How { dns: names.address.to_string(), valid_s: 86_400, binding: None };
    let pebble = Pebble::start(how).await;
    let stage = Stage::asking(names.names()).await;
    let (ctx, owner) = (&stage.ctx, &stage.world.team.owner);
    let choice = acme::Choice {
        authority: "other".into(),
        directory: pebble.directory.clone(),
        ca_root: pebble.root.clone(),
        terms: true,
        ..acme::Choice::default()
    };
    acme::choose(ctx, owner, choice).await.unwrap();
    // Visitors find the name before the authority does.
    let keep = NewAddress { domain: NAME.into(), keep: true, ..NewAddress::default() };
    panel::try_address(ctx, owner, keep).await.unwrap();
    let mut conn = stage.world.db.superuser().await;
    let begun = tokio::time::Instant::now();
    let postponed = "update jobs set run_at = now() + interval '1 hour' where kind = 'panel_address' and state = 'queued' and wait_reason <> ''";
    while sqlx::query(postponed).execute(&mut conn).await.unwrap().rows_affected() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the trial waits for its certificate");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let trial = panel::address(ctx, owner).await.unwrap().trial.unwrap();
    assert!(trial.note.contains("there is no certificate for it yet"), "{trial:?}");
    names.point(NAME, &[&stage.host.address]);
    let order = loop {
        let order = acme::list(ctx, owner).await.unwrap().pop().unwrap();
        if order.job.is_none() {
            break order;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{order:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    // It looked before the name was there, or after.
    if !order.trouble.is_empty() {
        acme::get_now(ctx, owner, order.id).await.unwrap();
    }
    stage.until("it is kept", |view| view.serving.is_some()).await;
    // Links are made with it, as soon as what was read before has grown old.
    let begun = tokio::time::Instant::now();
    loop {
        let link = setup::new_link(ctx).await.unwrap().unwrap();
        if link.starts_with(&format!("https://{NAME}/setup?token=")) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{link}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(setup_name::offer(ctx).await.unwrap().is_none(), "set-up asks for no second one");
    stage.jobs_over().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_not_kept_under_a_certificate_that_ran_out() {
    let stage = Stage::new().await;
    let (ctx, owner) = (&stage.ctx, &stage.world.team.owner);
    stage.certificate(NAME).await;
    let mut conn = stage.world.db.superuser().await;
    let over = "update certificate_versions set not_before = now() - interval '90 days', not_after = now() - interval '1 minute'";
    sqlx::query(over).execute(&mut conn).await.unwrap();
    let keep = NewAddress { domain: NAME.into(), keep: true, ..NewAddress::default() };
    panel::try_address(ctx, owner, keep).await.unwrap();
    let view =
        stage.until("it is said why", |view| view.trial.as_ref().is_some_and(|line| !line.note.is_empty())).await;
    let note = view.trial.unwrap().note;
    assert!(note.starts_with("The certificate for panel.test ran out on 20") && view.serving.is_none(), "{note}");
    stage.certificate(NAME).await;
    sqlx::query("update jobs set run_at = now() where kind = 'panel_address'").execute(&mut conn).await.unwrap();
    stage.until("it is kept", |view| view.serving.is_some()).await;
    stage.jobs_over().await;
}
