//! The panel is gone, and the host renews its certificates itself: from Pebble, through its real proxy; and the panel comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use skiff::actions::{acme, upkeep};
use skiff::db::{acme_orders, certificates, host_logins};
use skiff::domain::certificate as domain;
use skiff::domain::ids::{CertificateId, HostId, JobId};
use skiff::domain::secret::Secret;
use skiff::jobs::set_certificates;
use skiff::vault::Context;
use time::{Duration, OffsetDateTime};

use super::ca::{How, Pebble};
use super::http::{settle, shown, world};
use super::names::NameServer;
use super::stand_in::{Answer, StandIn};
use super::{choose, one, order, sql};
use crate::harness::host::{Said, TestHost, run};
use crate::harness::team::cause;
use crate::harness::tls::Authority;
use crate::harness::world::{Ended, World};

const DOMAIN: &str = "shop.test";
const IMAGE: &str = "127.0.0.1:5000/hello:1";
const FOLDER: &str = "/var/lib/skiff/renew";
const DAY: u64 = 86_400;

/// A host with an app whose certificate Pebble signed, and everything to renew it.
struct Scene {
    names: Arc<NameServer>,
    pebble: Pebble,
    host: TestHost,
    world: World,
    id: HostId,
    certificate: CertificateId,
}

impl Scene {
    async fn set() -> Self {
        let names = Arc::new(NameServer::start().await);
        let (host, world) = (TestHost::bare().await, world(&names).await);
        let how = How { dns: names.address.to_string(), valid_s: 90 * DAY, binding: None };
        let pebble = Pebble::start_at(how, &outside(&host)).await;
        let id = world.provision(&host).await;
        host.load_app(IMAGE, "1").await;
        let app = world.app(id, IMAGE, DOMAIN).await;
        app.must_deploy().await;
        let app = app.id;
        choose(&world, &pebble.directory, &pebble.root).await;
        names.point(DOMAIN, &[&host.address]);
        // The host has its names from elsewhere.
        let line = format!("echo '{} {DOMAIN}' >> /etc/hosts", host.address);
        host.enter(&["/bin/bash", "-c", &line]).await.must("a name");
        let job = acme::get_now_for(&world.actions(), &world.team.owner, app, DOMAIN).await.unwrap();
        let ended = world.over(job).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", pebble.log());
        settle(&world).await;
        let certificate = CertificateId(one(&world, "select id from certificates").await);
        let scene = Self { names, pebble, host, world, id, certificate };
        scene.daily().await;
        scene
    }

    /// The day's work of the clock.
    async fn daily(&self) -> Ended {
        sql(&self.world, "update host_sights set check_at = now() - interval '1 s'").await;
        upkeep::checks_due(&self.world.actions()).await.unwrap();
        settle(&self.world).await;
        let newest = "select id from jobs where kind = 'keep_renewal' order by created_at desc limit 1";
        let ended = self.world.over(JobId(one(&self.world, newest).await)).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
        ended
    }

    /// Puts an older certificate in the place of the one that was got: five days of its ninety are left.
    async fn old(&self) {
        let now = OffsetDateTime::now_utc();
        let made = Authority::new("Former").issue_between(&[DOMAIN], now - Duration::days(85), now + Duration::days(5));
        let (world, permit) = (&self.world, &self.world.team.permit);
        let checked = domain::read(&made.chain, &Secret::new(made.key.clone()), now).unwrap();
        let mut tx = world.db.begin(permit).await.unwrap();
        let order = acme_orders::list(&mut tx, permit, None).await.unwrap().pop().unwrap();
        let data_key = host_logins::data_key(&mut tx, permit).await.unwrap();
        let version = uuid::Uuid::now_v7();
        let place = Context::certificate(permit.team(), version);
        let sealed = world.vault.seal(&data_key, &place, checked.pem.expose().as_bytes()).unwrap();
        let facts = &checked.facts;
        certificates::add_version(&mut tx, permit, self.certificate, version, facts, &sealed).await.unwrap();
        let valid = (facts.not_before, facts.not_after);
        acme_orders::note_got(&mut tx, permit, order.id, self.certificate, valid, now).await.unwrap();
        set_certificates::ask(&mut tx, permit, self.id, "host", cause()).await.unwrap();
        tx.commit().await.unwrap();
        settle(world).await;
        assert!(self.shown().await.contains("Former"), "{}", self.shown().await);
    }

    /// The panel is not there any more, and was not for so many days.
    async fn panel_gone(&mut self, days: u64) {
        self.world.stop_worker().await;
        sql(&self.world, &format!("update host_renewals set visited_at = now() - interval '{days} days'")).await;
        self.bash(&format!("touch -d '{days} days ago' {FOLDER}/panel")).await.must("touch");
    }

    /// What the host's timer runs.
    async fn renew(&self) -> Said {
        let script = format!("{FOLDER}/renew.bash");
        self.host.enter(&["runuser", "-u", "skiff", "--", "/bin/bash", "--noprofile", "--norc", &script]).await
    }

    async fn bash(&self, text: &str) -> Said {
        self.host.enter(&["/bin/bash", "-c", text]).await
    }

    async fn shown(&self) -> String {
        shown(&self.host, DOMAIN).await
    }

    /// What the proxy answers an authority with: by its file, and as it runs.
    async fn answer(&self) -> (String, String) {
        let file = self.bash("cut -d' ' -f2 /etc/skiff/maps/acme.map").await.must("the map");
        let ask =
            format!("{} | awk '$2 == \"thumbprint\" {{ print $3 }}'", socket("show map /etc/skiff/maps/acme.map"));
        (file, self.bash(&ask).await.must("the running map"))
    }

    /// Processes of the proxy: a reload would make another worker.
    async fn workers(&self) -> String {
        self.bash(&format!("{} | grep ^Pid", socket("show info"))).await.must("the worker")
    }
}

fn socket(command: &str) -> String {
    format!("echo '{command}' | socat - UNIX-CONNECT:/run/skiff/haproxy.sock")
}

/// This machine's address on the host's wire.
fn outside(host: &TestHost) -> String {
    format!("{}.1", host.address.rsplit_once('.').unwrap().0)
}

/// Visitors who come by HTTPS, each on a connection of its own, and what was not a good answer.
fn visitors(host: &TestHost) -> (Arc<AtomicBool>, tokio::task::JoinHandle<(usize, Vec<String>)>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (until, to) = (stop.clone(), format!("{DOMAIN}:443:{}", host.address));
    let asking = tokio::spawn(async move {
        let (mut good, mut bad) = (0, Vec::new());
        while !until.load(Ordering::Relaxed) {
            let url = format!("https://{DOMAIN}/");
            let args = ["-sk", "-m", "10", "--resolve", &to, "-o", "/dev/null", "-w", "%{http_code}", &url];
            let said = run("curl", &args).await;
            match said.out.as_str() {
                "200" => good += 1,
                _ => bad.push(format!("{} {}{}", said.status, said.out, said.err)),
            }
        }
        (good, bad)
    });
    (stop, asking)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_renews_while_the_panel_is_gone_and_the_panel_takes_it_over() {
    let mut scene = Scene::set().await;
    let kept = scene.bash(&format!("cd {FOLDER} && stat -c '%n %a %U' . * && cat settings list")).await.must("kept");
    let id = scene.certificate.simple().to_string();
    let files = ". 700 skiff\nca.pem 600 skiff\nlist 600 skiff\nlock 600 skiff\npanel 600 skiff\nrenew.bash 600 skiff\nsettings 600 skiff\n";
    let without_lock = files.replace("lock 600 skiff\n", "");
    let texts = format!("{}\n{id} {DOMAIN}\n", scene.pebble.directory);
    assert!([files, without_lock.as_str()].map(|files| format!("{files}{texts}")).contains(&kept), "{kept}");
    let cron = scene.bash("cat /etc/cron.d/skiff-renew").await.must("the timer");
    assert!(cron.contains(" * * * * skiff ") && cron.contains(&format!("{FOLDER}/renew.bash")), "{cron}");
    let again = scene.daily().await;
    assert!(again.steps.iter().all(|step| step.contains(": unchanged")), "the second day changes nothing: {again:#?}");

    // The panel is there; then it is not, and most of the life is left.
    scene.old().await;
    let (orders, former) = (scene.pebble.orders(), scene.answer().await);
    assert!(former.0.len() == 44 && former.0 == former.1, "{former:?}");
    scene.renew().await.must("the panel is there");
    assert!(scene.shown().await.contains("Former") && scene.pebble.orders() == orders);
    scene.panel_gone(2).await;
    scene.renew().await.must("the panel was there two days ago");
    assert_eq!(scene.pebble.orders(), orders, "{}", scene.pebble.log());

    // Gone for days.
    scene.panel_gone(4).await;
    let (workers, (stop, asking)) = (scene.workers().await, visitors(&scene.host));
    let said = scene.renew().await;
    stop.store(true, Ordering::Relaxed);
    let (good, bad) = asking.await.unwrap();
    println!("renewed under {good} requests: {}", said.out);
    assert!(said.status == 0 && said.out.contains("shop.test renewed until"), "{}{}", said.out, said.err);
    assert!(good > 0 && bad.is_empty(), "{good} {bad:#?}");
    let renewed = scene.shown().await;
    assert!(renewed.contains("Pebble Intermediate"), "{renewed}");
    assert_eq!(scene.pebble.orders(), orders + 1);
    assert_eq!(scene.workers().await, workers, "the proxy was not reloaded");
    assert_eq!(scene.answer().await, former, "the team's own answer stands again");
    let file = format!("/etc/skiff/certs/{id}.pem");
    let left = scene.bash(&format!("stat -c '%a %U' {file} {FOLDER}/account-key; ls /etc/skiff/certs /etc/skiff/maps | grep renew; ls -d {FOLDER}/{{work,former}} 2>/dev/null")).await;
    assert_eq!(left.out, "600 skiff\n600 skiff\n");
    scene.renew().await.must("once more");
    assert_eq!(scene.pebble.orders(), orders + 1, "there is nothing to do");

    // One that was written and of which the proxy was not told: whoever was killed in between.
    let ours = scene.bash(&format!("cat {file}")).await.must("the file");
    let before = Authority::new("Before").issue(&[DOMAIN], 80);
    std::fs::write(scene.host.path("/tmp/before.pem"), format!("{}{}", before.leaf, before.key)).unwrap();
    let tell = format!(
        "{{ printf 'set ssl cert {file} <<\\n'; cat /tmp/before.pem; echo; }} | socat - UNIX-CONNECT:/run/skiff/haproxy.sock; {}",
        socket(&format!("commit ssl cert {file}"))
    );
    scene.bash(&tell).await.must("another one is served");
    assert!(scene.shown().await.contains("Before"));
    scene.renew().await.must("it is noticed");
    assert_eq!(scene.shown().await, renewed);
    assert_eq!(scene.bash(&format!("cat {file}")).await.out, ours);

    // The panel is back. What it was about to renew was renewed.
    scene.world.start_worker();
    sql(&scene.world, "update acme_orders set next_at = now() - interval '1 s'").await;
    assert_eq!(upkeep::certificates_due(&scene.world.actions()).await.unwrap(), 1);
    settle(&scene.world).await;
    assert_eq!(scene.pebble.orders(), orders + 1, "nothing is ordered once more:\n{}", scene.pebble.log());
    let view = order(&scene.world).await;
    let days = (view.next_at.unwrap() - OffsetDateTime::now_utc()).whole_days();
    assert!((50..=60).contains(&days) && view.trouble.is_empty(), "{view:?}");
    let same =
        "select v.fingerprint = l.fingerprint from certificates c join certificate_versions v on v.id = c.current_id
                  join ledger_certificates l on l.certificate_id = c.id";
    assert!(one::<bool>(&scene.world, same).await, "it is the panel's own now");
    let from = "select v.directory = s.directory from certificates c join certificate_versions v on v.id = c.current_id, acme_settings s";
    assert!(one::<bool>(&scene.world, from).await, "of the authority that was chosen");
    let mut tx = scene.world.db.begin(&scene.world.team.permit).await.unwrap();
    set_certificates::ask(&mut tx, &scene.world.team.permit, scene.id, "host", cause()).await.unwrap();
    tx.commit().await.unwrap();
    settle(&scene.world).await;
    let ended = scene.world.provision_again(scene.id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(scene.shown().await, renewed, "an older one never takes its place");
    assert_eq!(scene.answer().await, former);
    let noted = scene.bash(&format!("ls {FOLDER}/got; find {FOLDER}/panel -mmin -5")).await.must("noted");
    assert_eq!(noted, format!("{FOLDER}/panel\n"));

    // An app on a second host, and an authority that binds accounts by a key: nothing is left here of what is not for this host.
    let there = format!("ls -d {FOLDER} /etc/cron.d/skiff-renew");
    for (not_here, as_before) in [
        (
            "update apps set placement = placement || jsonb_build_array(jsonb_build_object('host', gen_random_uuid(), 'instances', 1))",
            "update apps set placement = placement - 1",
        ),
        ("update acme_settings set eab_id = 'kid-1'", "update acme_settings set eab_id = ''"),
    ] {
        sql(&scene.world, not_here).await;
        let ended = scene.daily().await;
        let gone = scene.bash(&there).await;
        assert!(gone.status != 0 && gone.out.is_empty(), "{}{ended:#?}", gone.out);
        assert_eq!(one::<i64>(&scene.world, "select count(*) from host_renewals").await, 0);
        sql(&scene.world, as_before).await;
        scene.daily().await;
        scene.bash(&there).await.must("it is set up again");
    }
    assert_eq!(scene.shown().await, renewed);
    scene.world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_host_serves_too_is_not_a_hosts_to_renew() {
    let mut scene = Scene::set().await;
    scene.old().await;
    scene.panel_gone(4).await;
    scene.renew().await.must("renewed");
    assert!(scene.shown().await.contains("Pebble Intermediate"), "{}", scene.shown().await);

    // Meanwhile it serves on another host as well: one alone does not speak for both.
    let other = TestHost::bare().await;
    let (far, ours) = (scene.world.add_host(&other).await, scene.certificate);
    let place = format!(
        "insert into ledger_certificates (team_id, host_id, certificate_id, fingerprint)
         select team_id, '{far}', certificate_id, fingerprint from ledger_certificates where certificate_id = '{ours}'"
    );
    sql(&scene.world, &place).await;
    sql(&scene.world, "update acme_orders set next_at = now() + interval '1 day'").await;
    let versions = "select count(*) from certificate_versions";
    let (before, orders) = (one::<i64>(&scene.world, versions).await, scene.pebble.orders());
    scene.world.start_worker();
    let mut tx = scene.world.db.begin(&scene.world.team.permit).await.unwrap();
    set_certificates::ask(&mut tx, &scene.world.team.permit, scene.id, "host", cause()).await.unwrap();
    tx.commit().await.unwrap();
    settle(&scene.world).await;
    assert!(scene.shown().await.contains("Former"), "the panel's own is brought: {}", scene.shown().await);
    assert_eq!(one::<i64>(&scene.world, versions).await, before, "nothing of it is taken over");
    assert_eq!(scene.pebble.orders(), orders, "and no authority is asked for what a host says");
    assert_eq!(scene.bash(&format!("ls {FOLDER}/got")).await.out, "", "it is not told again");
    scene.world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_is_killed_gives_the_answer_back_and_waits() {
    let mut scene = Scene::set().await;
    scene.old().await;
    let (former, orders) = (scene.answer().await, scene.pebble.orders());
    scene.panel_gone(4).await;
    // In the middle of it: the authority is being asked, and the proxy answers for the host's own account.
    let kill = format!(
        "setsid runuser -u skiff -- /bin/bash --noprofile --norc {FOLDER}/renew.bash >/dev/null 2>&1 & sid=$!
         for i in {{1..600}}; do [ -e {FOLDER}/former ] && [ -d {FOLDER}/work/tokens ] && break; sleep 0.05; done
         while left=$(ps -o pid= -s $sid) && [ -n \"$left\" ]; do kill -9 $left; done; [ -e {FOLDER}/former ]"
    );
    scene.bash(&kill).await.must("killed in the middle");
    let during = scene.answer().await;
    assert!(during.0 != former.0 && during.0 == during.1, "{during:?} {former:?}");
    assert!(scene.shown().await.contains("Former"));
    scene.renew().await.must("the next hour");
    assert_eq!(scene.answer().await, former, "the team's own answer stands again");
    let after = scene.pebble.orders();
    assert!(after <= orders + 1, "one try in twelve hours:\n{}", scene.pebble.log());
    assert!(scene.shown().await.contains("Former"));
    scene.bash(&format!("touch -d '13 hours ago' {FOLDER}/tried/*")).await.must("hours go by");
    let said = scene.renew().await.must("the next try");
    assert!(said.contains("renewed until"), "{said}");
    assert!(scene.shown().await.contains("Pebble Intermediate"));
    assert_eq!((scene.pebble.orders(), scene.answer().await), (after + 1, former));
    scene.world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_refuses_is_left_alone_for_hours() {
    let mut scene = Scene::set().await;
    scene.old().await;
    let (former, orders) = (scene.answer().await, scene.pebble.orders());
    scene.panel_gone(4).await;

    // As far as the host sees, another server answers under the name: nobody is asked.
    let another = axum::Router::new().fallback(|| async { "somebody else" });
    let at = outside(&scene.host);
    let listener = tokio::net::TcpListener::bind((at.as_str(), 80)).await.unwrap();
    let task = tokio::spawn(async move { axum::serve(listener, another).await.unwrap() });
    let lead = |to: &str| {
        format!("sed -i '/{DOMAIN}/d' /etc/hosts; echo '{to} {DOMAIN}' >> /etc/hosts; rm -rf {FOLDER}/tried")
    };
    scene.bash(&lead(&at)).await;
    let said = scene.renew().await.must("it is not asked");
    assert!(said.contains("leads to another server"), "{said}");
    task.abort();
    assert_eq!(scene.pebble.orders(), orders);

    // As far as the authority sees.
    scene.bash(&lead(&scene.host.address)).await;
    scene.names.point(DOMAIN, &[&format!("{}.77", scene.host.address.rsplit_once('.').unwrap().0)]);
    let said = scene.renew().await.must("it is refused");
    assert!(said.contains("shop.test not renewed"), "{said}");
    assert_eq!(scene.pebble.orders(), orders + 1, "{said}");
    for _ in 0..3 {
        assert_eq!(scene.renew().await.must("left alone"), "");
    }
    assert_eq!(scene.pebble.orders(), orders + 1, "one try in twelve hours");
    assert_eq!(scene.answer().await, former);

    // One that limits: no name is tried for hours.
    let limits = Answer::Problem(429, "rateLimited", "too many certificates already issued", Some("7200"));
    let authority = StandIn::start_at(limits, &at).await;
    let settings = format!("echo {} > {FOLDER}/settings; rm -rf {FOLDER}/tried", authority.directory);
    scene.bash(&settings).await.must("another authority");
    let said = scene.renew().await.must("it is limited");
    assert!(said.contains("rateLimited") && said.contains("left alone for 12 hours"), "{said}");
    scene.bash(&format!("rm -rf {FOLDER}/tried")).await;
    assert_eq!(scene.renew().await.must("held"), "");
    assert_eq!(authority.orders().get(DOMAIN), Some(&1));

    // Names that are none, and files that are not there, are passed over.
    let (id, none) = (scene.certificate.simple(), "0".repeat(32));
    let hostile = format!(
        "rm -f {FOLDER}/held; printf '%s\\n' '{id} $(touch /tmp/x).test' '../certs/{id} a.test' '{id} -x.test' '{none} a.test' > {FOLDER}/list"
    );
    scene.bash(&hostile).await.must("a list");
    assert_eq!(scene.renew().await.must("passed over"), "");
    assert!(scene.bash("test -e /tmp/x").await.status != 0);
    assert!(scene.shown().await.contains("Former"), "what was there goes on serving");
    assert_eq!(scene.answer().await, former);

    // The panel is back: it renews by itself, and the list is as it was.
    scene.names.point(DOMAIN, &[&scene.host.address]);
    scene.world.start_worker();
    sql(&scene.world, "update acme_orders set next_at = now() - interval '1 s'").await;
    assert_eq!(upkeep::certificates_due(&scene.world.actions()).await.unwrap(), 1);
    settle(&scene.world).await;
    assert!(scene.shown().await.contains("Pebble Intermediate"));
    scene.world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "packages come from a mirror: bin/test renews_under"]
async fn renews_under_systemd_with_the_least_rights() {
    for host in [TestHost::fresh(true, &[]).await, TestHost::fresh_suite("trixie", &[]).await] {
        host.script_changed("packages.bash", &[("RENEWS", "yes")]).await;
        host.script_changed("user.bash", &[("PUBLIC_KEY", "ssh-ed25519 AAAA panel")]).await;
        host.script_changed("folders.bash", &[]).await;
        assert!(host.script_changed("renewal.bash", &[("WANTED", "yes")]).await);
        assert!(!host.script_changed("renewal.bash", &[("WANTED", "yes")]).await, "the second time changes nothing");
        let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/renew.bash")).unwrap();
        std::fs::write(host.path(&format!("{FOLDER}/renew.bash")), text).unwrap();
        // An authority that is not there: as far as a host comes alone.
        let made = Authority::new("Former").issue_between(
            &[DOMAIN],
            OffsetDateTime::now_utc() - Duration::days(85),
            OffsetDateTime::now_utc() + Duration::days(5),
        );
        let id = "a".repeat(32);
        std::fs::write(host.path(&format!("/etc/skiff/certs/{id}.pem")), format!("{}{}", made.chain, made.key))
            .unwrap();
        let lists = format!(
            "cd {FOLDER}; echo https://127.0.0.1:9/dir > settings; echo {id} {DOMAIN} > list; : > ca.pem; touch -d '9 days ago' panel
             echo '127.0.0.2 {DOMAIN}' >> /etc/hosts; : > /etc/skiff/maps/acme.map; chown -R skiff:skiff . /etc/skiff
             systemctl start skiff-renew.service; systemctl show -p Result,ExecMainStatus skiff-renew.service; cat log; stat -c %U account-key
             systemctl list-timers --all | grep skiff-renew"
        );
        let said = host.enter(&["/bin/bash", "-c", &lists]).await.must("it ran");
        println!("{said}");
        assert!(said.contains("Result=success") && said.contains("Connection refused"), "{said}");
        assert!(said.contains("\nskiff\n") && said.contains("skiff-renew.timer"), "{said}");
        assert!(host.script_changed("renewal.bash", &[("WANTED", "")]).await);
        assert!(!host.script_changed("renewal.bash", &[("WANTED", "")]).await);
        let left = format!(
            "ls -d {FOLDER} /etc/systemd/system/*skiff-renew* /etc/systemd/system/timers.target.wants/skiff* 2>/dev/null"
        );
        assert_eq!(host.enter(&["/bin/bash", "-c", &left]).await.out, "");
    }
}
