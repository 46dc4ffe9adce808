//! What can be in the way while a server is made ready: each is said in a sentence, before anything is changed where that can be, and
//! the same run goes through once it is gone.

use std::time::Duration;

use skiff::domain::ids::{HostId, JobId};
use skiff::jobs::provision::{self, Provision};
use skiff::queue::{self, New};

use crate::harness::host::TestHost;
use crate::harness::team::cause;
use crate::harness::world::{Ended, World};

/// A server that fetches its packages is ready by then, on a slow mirror too.
const INSTALLED_WITHIN: Duration = Duration::from_secs(900);
/// A `date` before the real one, which is two hours ahead.
const WRONG_CLOCK: &str = "printf '#!/bin/sh\\nexec /usr/bin/date -d \"+2 hours\" \"$@\"\\n' >/usr/local/sbin/date; chmod 755 /usr/local/sbin/date";

/// Begins a run and does not wait for it.
pub(super) async fn begin(world: &World, host: HostId) -> JobId {
    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    let new = New { lock_key: Some(provision::lock_key(host)), ..New::new("Provision", cause()) };
    let pushed = queue::push(&mut tx, &world.team.permit, &Provision { host }, new).await.unwrap();
    tx.commit().await.unwrap();
    pushed.job
}

/// Waits for a run that fetches packages.
async fn over(world: &World, job: JobId) -> Ended {
    let begun = tokio::time::Instant::now();
    let mut conn = world.db.superuser().await;
    while begun.elapsed() < INSTALLED_WITHIN {
        let over: bool = sqlx::query_scalar("select finished_at is not null from jobs where id = $1")
            .bind(job.0)
            .fetch_one(&mut conn)
            .await
            .unwrap();
        if over {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.over(job).await
}

async fn bash(host: &TestHost, script: &str) -> String {
    host.enter(&["/bin/bash", "-c", script]).await.must(script)
}

/// A run that fails, and the sentence it says.
async fn refused(world: &World, id: HostId) -> String {
    let job = begin(world, id).await;
    let ended = over(world, job).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.steps.iter().any(|step| step.contains(&format!(": failed ({})", ended.reason))), "{ended:#?}");
    ended.reason
}

/// Makes the host ready; it must go through.
pub(super) async fn succeeds(world: &World, id: HostId) -> Ended {
    let job = begin(world, id).await;
    let ended = over(world, job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    ended
}

fn state_of<'a>(ended: &'a Ended, words: &str) -> &'a str {
    let step = ended.steps.iter().find_map(|step| step.strip_prefix(words)).unwrap();
    step.trim_start_matches(": ").split(' ').next().unwrap()
}

/// Nothing of ours is on the server.
async fn untouched(host: &TestHost) {
    let there =
        "ls -d /etc/skiff /var/lib/skiff /home/skiff /etc/sudoers.d/skiff 2>/dev/null; getent passwd skiff || true";
    assert_eq!(bash(host, there).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_not_supported_is_refused_before_anything_is_changed() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.add_host(&host).await;
    let own = bash(&host, "cat /etc/os-release").await;
    let become_ = async |text: &str| {
        bash(&host, &format!("rm -f /etc/os-release; cat >/etc/os-release <<'END'\n{text}\nEND")).await;
    };
    for (text, name) in [
        ("ID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"Alpine Linux v3.20\"", "Alpine Linux v3.20"),
        (
            "ID=debian\nVERSION_ID=\"11\"\nPRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"",
            "Debian GNU/Linux 11 (bullseye)",
        ),
        ("ID=\"centos\"\nVERSION_ID=\"9\"\nPRETTY_NAME=\"CentOS Stream 9\"", "CentOS Stream 9"),
        ("ID=ubuntu\nVERSION_ID=\"22.04\"\nPRETTY_NAME=\"Ubuntu 22.04.5 LTS\"", "Ubuntu 22.04.5 LTS"),
        ("ID=\"$(touch /canary)\"\nNAME=x", "an unknown system"),
    ] {
        become_(text).await;
        let words = format!(
            "This server runs {name}. Skiff makes servers with Debian 12 or newer and Ubuntu 24.04 or newer ready. Nothing was changed on it."
        );
        if name.starts_with("Debian") {
            assert_eq!(refused(&world, id).await, words);
        }
        let said = host.script("packages.bash", &[]).await;
        assert!(said.out.contains(&format!("::reason {words}")), "{}", said.out);
        untouched(&host).await;
    }
    for text in
        ["ID=debian\nVERSION_ID=\"13\"", "ID=debian", "ID=ubuntu\nVERSION_ID=\"24.04\"", "ID=ubuntu\nVERSION_ID=26.04"]
    {
        become_(text).await;
        assert!(!host.script_changed("packages.bash", &[]).await, "{text}");
    }
    become_(own.trim_end()).await;
    succeeds(&world, id).await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_become_root_is_told_so_before_anything_is_changed() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.add_host(&host).await;
    bash(&host, "useradd --create-home --shell /bin/bash --password '*' ada && cp -r /root/.ssh /home/ada/ && chown -R ada: /home/ada").await;
    sqlx::query("update hosts set ssh_user = 'ada' where id = $1")
        .bind(id.0)
        .execute(&mut world.db.superuser().await)
        .await
        .unwrap();
    let words = |why: &str, what: &str| {
        format!(
            "ada may not become root on the server without a password: {why}. {what} it the line \"ada ALL=(ALL) NOPASSWD: ALL\" \
             with visudo, or let Skiff sign in as root. Nothing was changed."
        )
    };
    bash(&host, "mv /usr/bin/sudo /usr/bin/sudo.away").await;
    let said = refused(&world, id).await;
    assert_eq!(said, words("sudo is not installed", "Install sudo on the server, and give"));
    bash(&host, "mv /usr/bin/sudo.away /usr/bin/sudo; echo 'ada ALL=(ALL) ALL' >/etc/sudoers.d/ada; chmod 440 /etc/sudoers.d/ada").await;
    assert_eq!(refused(&world, id).await, words("sudo asks for a password", "Give"));
    untouched(&host).await;
    bash(&host, "echo 'ada ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ada").await;
    succeeds(&world, id).await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_cut_off_or_rebooted_in_the_middle_is_made_ready_by_the_next_run() {
    let ((one, two), world) = (tokio::join!(TestHost::bare(), TestHost::bare()), World::new().await);
    let (cut, rebooted) = (world.add_host(&one).await, world.add_host(&two).await);
    let (first, second) = (begin(&world, cut).await, begin(&world, rebooted).await);
    let lost = async |host: &TestHost, id: HostId, job: JobId| {
        let ended = world.over(job).await;
        assert_eq!(ended.state, "failed", "{ended:#?}");
        assert!(ended.reason.starts_with("The host does not answer by SSH ("), "{}", ended.reason);
        let state: String = sqlx::query_scalar("select state from hosts where id = $1")
            .bind(id.0)
            .fetch_one(&mut world.db.superuser().await)
            .await
            .unwrap();
        assert_eq!(state, "unreachable");
        host.heal().await;
        let again = succeeds(&world, id).await;
        for done in ["make the user skiff", "make the folders"] {
            // What a reboot empties is made anew.
            assert!(state_of(&again, done) == "unchanged" || done == "make the folders", "{again:#?}");
        }
        let again = succeeds(&world, id).await;
        assert!(again.steps.iter().all(|step| step.contains(": unchanged")), "{again:#?}");
    };
    tokio::join!(
        async {
            world.reach_step(first, "run Docker").await;
            one.cut_with_resets().await;
            lost(&one, cut, first).await;
        },
        async {
            world.reach_step(second, "run Docker").await;
            two.reboot().await;
            lost(&two, rebooted, second).await;
        },
    );
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_packages_away_is_said_and_a_lost_installation_is_finished() {
    let host = TestHost::fresh_with_sshd().await;
    let world = World::new().await;
    let id = world.add_host(&host).await;
    assert_eq!(host.enter(&["/bin/bash", "-c", "command -v sudo"]).await.status, 1, "root needs no sudo");

    bash(&host, WRONG_CLOCK).await;
    let said = refused(&world, id).await;
    let (before, after) = said.split_once(", the panel's clock says ").unwrap();
    assert!(before.starts_with("The server's clock is wrong: it says 2"), "{said}");
    assert!(
        after.ends_with("Set it with: timedatectl set-ntp true (or: date -u -s 'YYYY-MM-DD HH:MM'), then try again."),
        "{said}"
    );
    bash(&host, "rm /usr/local/sbin/date").await;

    host.fill_disk(100 * 1024).await;
    let said = refused(&world, id).await;
    assert!(said.starts_with("The disk is nearly full: /var/cache/apt has 1"), "{said}");
    assert!(
        said.ends_with(
            " MB free, and the packages that are missing need 600 MB. Make room, then try again. Nothing was changed."
        ),
        "{said}"
    );
    host.free_disk().await;

    let way = bash(&host, "ip route show default").await;
    bash(&host, "ip route del default").await;
    let said = refused(&world, id).await;
    assert!(
        said.starts_with("The packages could not be fetched: this server does not reach its package mirror."),
        "{said}"
    );
    bash(&host, &format!("ip route add {way}")).await;
    untouched(&host).await;

    // Somebody else's package manager: named, waited for, and not for ever.
    let hold = "exec perl -e 'use Fcntl; open my $f, \">\", \"/var/lib/apt/lists/lock\" or die; \
                my $l = pack \"s s l! l! i\", F_WRLCK, 0, 0, 0, 0; fcntl $f, F_SETLK, $l or die; open my $m, \">\", \"/run/held\"; sleep 3600'";
    bash(&host, &format!("setsid --fork /bin/bash -c '{}' </dev/null >/dev/null 2>&1; for i in {{1..100}}; do [ -e /run/held ] && break; sleep 0.1; done; [ -e /run/held ]", hold.replace('\'', "'\\''"))).await;
    let said = host.script("packages.bash", &[("LOCK_TRIES", "1")]).await;
    assert!(
        said.out.contains("::reason Another package manager (process ")
            && said.out.contains(" (perl)) has held apt's lock for 3 seconds."),
        "{}",
        said.out
    );
    let job = begin(&world, id).await;
    let waits = async {
        let mut conn = world.db.superuser().await;
        let sql = "select exists (select from job_log where job_id = $1 and convert_from(line, 'UTF8') like 'waiting for another package manager: process %(perl)')
                       or exists (select from jobs where id = $1 and finished_at is not null)";
        while !sqlx::query_scalar::<_, bool>(sql).bind(job.0).fetch_one(&mut conn).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(INSTALLED_WITHIN, waits).await.unwrap();
    bash(&host, "kill $(pgrep -x perl)").await;

    // Then it goes on, and loses its power while packages are unpacked.
    let unpacking = "for i in {1..6000}; do pgrep -x dpkg >/dev/null && [ -e /usr/bin/dockerd -o -e /usr/sbin/dockerd ] && exit 0; sleep 0.1; done; exit 1";
    bash(&host, unpacking).await;
    host.reboot().await;
    let ended = over(&world, job).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.starts_with("The host does not answer by SSH ("), "{ended:#?}");
    let ended = succeeds(&world, id).await;
    assert!(ended.log.contains("an installation was interrupted on this server: finishing it"), "{ended:#?}");
    let again = succeeds(&world, id).await;
    assert!(again.steps.iter().all(|step| step.contains(": unchanged")), "{again:#?}");
    world.quiet().await;
}

/// Three bare servers at once, beside one alone, and the second run of each. Figures, for people. Each has the same share of a
/// core of its own all the time, as servers have, so that what is compared is the panel and not this machine's cores.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "four servers fetch their packages: bin/test t_provision_three"]
async fn t_provision_three() {
    /// Hundredths of a core: three of them leave some to the panel, its database and the network on two cores.
    const SHARE: u32 = 45;
    let world = World::new().await;
    let timed = async |id: HostId, words: &str| {
        let begun = tokio::time::Instant::now();
        let ended = succeeds(&world, id).await;
        let seconds = begun.elapsed().as_secs_f32();
        println!("{words}: {seconds:.1} s");
        (ended, seconds)
    };
    let alone = TestHost::fresh_with_sshd().await;
    alone.limit_cpu(SHARE).await;
    let id = world.add_host(&alone).await;
    let (_, one) = timed(id, "one alone").await;
    let (again, _) = timed(id, "one alone, second run").await;
    assert!(again.steps.iter().all(|step| step.contains(": unchanged")), "{again:#?}");
    drop(alone);

    let (a, b, c) = tokio::join!(TestHost::fresh_with_sshd(), TestHost::fresh_with_sshd(), TestHost::fresh_with_sshd());
    for host in [&a, &b, &c] {
        host.limit_cpu(SHARE).await;
    }
    let ids = [world.add_host(&a).await, world.add_host(&b).await, world.add_host(&c).await];
    let begun = tokio::time::Instant::now();
    tokio::join!(timed(ids[0], "first of three"), timed(ids[1], "second of three"), timed(ids[2], "third of three"));
    let three = begun.elapsed().as_secs_f32();
    println!("three at once: {three:.1} s, {:.2} times one alone", three / one);
    let begun = tokio::time::Instant::now();
    let again = tokio::join!(timed(ids[0], "again"), timed(ids[1], "again"), timed(ids[2], "again"));
    println!("three at once, second run: {:.1} s", begun.elapsed().as_secs_f32());
    for (ended, _) in [again.0, again.1, again.2] {
        assert!(ended.steps.iter().all(|step| step.contains(": unchanged")), "{ended:#?}");
    }
    world.quiet().await;
}
