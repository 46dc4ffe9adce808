//! The wire to the host is cut while it builds: a short silence is waited out; where the connection breaks, the host is looked
//! for and goes on from the layers it has; where it stays away, the deploy fails, the old version serves and nothing goes on
//! building unseen.

use std::time::{Duration, Instant};

use skiff::domain::app::{Route, Spec};
use skiff::domain::deploy::Target;
use skiff::domain::ids::JobId;
use skiff::domain::source::Source;

use super::bench::git;
use super::repo::Repo;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

const DOMAIN: &str = "cut.test";
/// A build that is begun again ends within this after the wire is whole: a connection is missed after 45 s, and made anew
/// within 30 s.
const OVER_WITHIN: Duration = Duration::from_secs(150);
/// A host that is away for longer than the deploy looks for it, which is 5 minutes from the moment it is missed.
const TOO_LONG: u64 = 420;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Every packet is swallowed for this long.
    Silent(u64),
    /// Every packet of ours is answered with a reset for this long.
    Reset(u64),
    /// The host ends our connections.
    Broken,
}

fn version(repo: &Repo, version: &str, build_s: u64) {
    let dockerfile = format!(
        "FROM busybox:1\nCOPY www /www\nRUN printf 'made %s\\n' {version}\n\
         RUN for i in $(seq {build_s}); do echo {version} at $i; sleep 1; done\n\
         CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n"
    );
    repo.write("Dockerfile", dockerfile);
    repo.write("www/up", "ok").write("www/index.html", version).commit(&format!("Say {version}"));
}

async fn until_said(world: &World, job: JobId, line: &str) {
    let said = "select exists (select from job_log where job_id = $1 and line = $2)";
    let (began, mut conn) = (Instant::now(), world.db.superuser().await);
    while !sqlx::query_scalar::<_, bool>(said).bind(job.0).bind(line.as_bytes()).fetch_one(&mut conn).await.unwrap() {
        assert!(began.elapsed() < Duration::from_secs(60), "'{line}' was never said");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn cuts(all: &[Cut]) {
    let repo = Repo::new();
    version(&repo, "first", 0);
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_busybox("busybox:1").await;
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes.push(Route { domain: DOMAIN.parse().unwrap(), path: "/".parse().unwrap() });
    (spec.watch.seconds, spec.drain_s, spec.stop_grace_s) = (0, 1, 1);
    let app = world.app_of(id, Source::Git(git(&repo)), spec).await;
    app.must_deploy().await;
    let mut serves = "first".to_owned();
    for (n, cut) in all.iter().enumerate() {
        let seconds = match *cut {
            Cut::Silent(seconds) | Cut::Reset(seconds) => seconds,
            Cut::Broken => 0,
        };
        let name = format!("v{n}");
        version(&repo, &name, seconds.min(20) + 4);
        let (_, job) = app.request(Target::Head).await;
        until_said(&world, job, &format!("{name} at 2")).await;
        let began = Instant::now();
        match cut {
            Cut::Silent(_) => host.cut().await,
            Cut::Reset(_) => host.cut_with_resets().await,
            Cut::Broken => drop(host.enter(&["/usr/bin/pkill", "-f", "sshd[^ ]*: (root|skiff)"]).await.must("ended")),
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        host.heal().await;
        let ended = world.over(job).await;
        println!("{cut:?}: {} after {:.0} s: {}", ended.state, began.elapsed().as_secs_f32(), ended.reason);
        assert!(began.elapsed() < OVER_WITHIN + Duration::from_secs(seconds), "{cut:?}: {ended:#?}");
        let numbers = world.log_numbers(job).await;
        assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<i64>>(), "{cut:?}: no gap");
        let broke = ended.log.matches("broke while it built").count();
        let times = |line: String| ended.log.lines().filter(|said| *said == line).count();
        if seconds < TOO_LONG {
            assert_eq!(ended.state, "succeeded", "{cut:?}: {ended:#?}");
            // What was finished before is said once; a step that was broken off runs again, and says so.
            for line in [format!("made {name}"), "[2/4] COPY www /www".to_owned()] {
                assert_eq!(times(line.clone()), 1, "{cut:?}: {line}: {ended:#?}");
            }
            for second in 1..=seconds.min(20) + 4 {
                let said = times(format!("{name} at {second}"));
                assert!(said == 1 || (broke > 0 && said > 1), "{cut:?}: {second}: {ended:#?}");
            }
            serves = name.clone();
        } else {
            assert_eq!(ended.state, "failed", "{cut:?}: {ended:#?}");
            assert!(ended.reason.contains("did not answer"), "{cut:?}: {ended:#?}");
        }
        match cut {
            Cut::Broken | Cut::Silent(60..) => assert_eq!(broke, 1, "{cut:?}: {ended:#?}"),
            Cut::Silent(_) => assert_eq!(broke, 0, "{cut:?}: {ended:#?}"),
            // The other side may resend in time, or not.
            Cut::Reset(_) => assert!(broke <= 1, "{cut:?}: {ended:#?}"),
        }
        assert_eq!(ask(&host, DOMAIN, "/").await, (200, serves.clone()), "{cut:?}: {ended:#?}");
        // What was begun there has ended with the connection: nothing builds that nobody sees.
        let building = format!("pgrep -f 'echo {name} at'");
        let left = Instant::now();
        while host.enter(&["/bin/sh", "-c", &building.replace("echo v", "echo [v]")]).await.status == 0 {
            assert!(left.elapsed() < Duration::from_secs(60), "{cut:?}: it still builds");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let after = app.must_deploy().await;
        assert_eq!(ask(&host, DOMAIN, "/").await, (200, name.clone()), "{after:#?}");
        assert_eq!(app.containers(&host).await.len(), 1, "{after:#?}");
        serves = name;
    }
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wire_cut_while_a_host_builds_ends_no_deploy_and_leaves_no_gap_in_the_log() {
    cuts(&[Cut::Silent(3), Cut::Broken]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the whole of it takes minutes: bin/test t05"]
async fn t05_a_wire_cut_for_longer_while_a_host_builds() {
    cuts(&[Cut::Silent(5), Cut::Reset(20), Cut::Silent(60), Cut::Reset(60), Cut::Silent(TOO_LONG)]).await;
}
