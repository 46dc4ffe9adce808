//! `bin/up` on a fresh Debian, with systemd and without, and on a fresh Ubuntu: everything it promises, a second run that changes nothing, and
//! a purge that leaves nothing. Takes a minute each and fetches packages; `bin/test` runs all.

use crate::harness::host::{TestHost, app_program};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the repository and the built programs appear on the server.
const AT: &str = "/skiff";
const BUILT: &str = "/built";
/// The environment of somebody who just signed in, without what the tests were started with.
const CLEAN: [&str; 4] =
    ["env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
/// Paths of ours, and everything an installed package would bring: equal before and after where nothing is left behind.
const INVENTORY: &str = "dpkg-query -W -f '${binary:Package} ${Status}\\n' | grep 'ok installed' | sort; \
    getent passwd | grep skiff; ls -d /etc/skiff* /var/lib/skiff* /usr/local/bin/* /etc/default/skiff* /home/* /etc/sudoers.d/skiff; \
    find /etc -name '*skiff*'; ls /etc/systemd/system/haproxy.service /etc/postgresql-common/createcluster.conf";

/// A folder with the program under test and the sample app beside it.
async fn built() -> &'static PathBuf {
    static BUILT: tokio::sync::OnceCell<PathBuf> = tokio::sync::OnceCell::const_new();
    let build = async || {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/up");
        std::fs::create_dir_all(&folder).unwrap();
        let copy = |from: &Path, name: &str| {
            // A program that runs is not written over but replaced.
            let new = folder.join(format!("{name}.new.{}", std::process::id()));
            std::fs::copy(from, &new).unwrap();
            std::fs::rename(new, folder.join(name)).unwrap();
        };
        copy(Path::new(env!("CARGO_BIN_EXE_skiff")), "skiff");
        copy(&app_program().await, "hello");
        folder
    };
    BUILT.get_or_init(build).await
}

struct Server {
    host: TestHost,
}

impl Server {
    async fn fresh(systemd: bool) -> Self {
        let built = built().await;
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { host: TestHost::fresh(systemd, &[(repository, AT), (built, BUILT)]).await }
    }

    async fn ubuntu() -> Self {
        let built = built().await;
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { host: TestHost::fresh_ubuntu(&[(repository, AT), (built, BUILT)]).await }
    }

    async fn up(&self, args: &[&str]) -> crate::harness::host::Said {
        let binary = format!("SKIFF_BINARY={BUILT}/skiff");
        let up = format!("{AT}/bin/up");
        self.host.enter(&[&CLEAN[..], &[&binary, &up], args].concat()).await
    }

    async fn bash(&self, script: &str) -> String {
        self.host.enter(&[&CLEAN[..], &["bash", "-c", script]].concat()).await.out
    }
}

/// What the last lines promise.
fn check_end(out: &str) {
    for words in
        ["Skiff runs", "http://127.0.0.1:7070", "/setup?token=", "ssh -L 7070:127.0.0.1:7070", "http://hello.localhost"]
    {
        assert!(out.contains(words), "the end does not say {words}:\n{out}");
    }
    let requests = out.lines().find(|line| line.contains("Requests")).expect("requests are counted");
    assert!(requests.ends_with(" sent, 0 failed"), "{requests}");
    let sent: u32 = requests.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(sent > 0, "{requests}");
}

/// Lines of the first that the second does not have.
fn only_in<'a>(one: &'a str, other: &str) -> Vec<&'a str> {
    one.lines().filter(|line| !other.lines().any(|same| same == *line)).collect()
}

/// A form of the panel filled in from a shell: `form PAGE TO FIELD=VALUE…` prints the status of the answer.
const FORM: &str = r#"panel=http://127.0.0.1:7070; cookies=$(mktemp)
form() { # the page gives the cookie and the token
    local page=$1 to=$2 token field fields=(); shift 2
    token=$(curl -s -c $cookies -b $cookies "$page" | sed -n 's/.*name="_token" value="\([^"]*\)".*/\1/p' | head -n 1)
    for field in "_token=$token" "$@"; do fields+=(--data-urlencode "$field"); done
    curl -s -o /dev/null -w '%{http_code}\n' -b $cookies -c $cookies -H "Origin: $panel" "${fields[@]}" "$panel$to"
}
"#;

/// What the sign-in page says for a forgotten password works as it stands there, typed by root; the panel's user is who does it.
async fn forgotten_password(server: &Server) {
    let ask = async |script: &str| server.bash(&format!("{FORM}{script}")).await;
    let set_up = r#"link=$(skiff setup); form "$link" /setup "token=${link##*=}" name=Ada email=ada@example.org team=Home "password=a long first password""#;
    assert_eq!(ask(set_up).await, "303\n");
    let sign_in = |password: &str| format!(r#"form $panel/login /login email=ada@example.org "password={password}""#);
    assert_eq!(ask(&sign_in("a long first password")).await, "303\n");

    let set = |who: &str| format!("echo 'another long password' | skiff admin password {who} 2>&1; echo $?");
    let unknown = server.bash(&set("bob@example.org")).await;
    assert_eq!(
        unknown,
        "skiff: email: Nobody signs in with this address here.\nMore: skiff docs panel-trouble#signing-in\n1\n"
    );
    let known = server.bash(&set("ada@example.org")).await;
    assert!(known.contains(r#""password":"set""#) && known.ends_with("\n0\n"), "{known}");
    assert_eq!(ask(&sign_in("a long first password")).await, "422\n");
    assert_eq!(ask(&sign_in("another long password")).await, "303\n");
    assert_eq!(server.bash("find /var/lib/skiff-panel -user root").await, "", "nothing there is root's");
}

async fn promises(server: Server) {
    let before = server.bash(INVENTORY).await;

    let began = Instant::now();
    let first = server.up(&[]).await.must("bin/up");
    println!("first bin/up: {:.1} s", began.elapsed().as_secs_f32());
    check_end(&first);
    let seen = first.lines().find(|line| line.contains("Versions seen")).unwrap();
    assert!(seen.contains("1 2"), "{seen}");
    let ask = "curl -s -H 'Host: hello.localhost' http://127.0.0.1/";
    assert_eq!(server.bash(ask).await, "2\n");
    // The panel is not root, and its page is there.
    let user = server.bash("ps -o user= -p $(pgrep -f '^/usr/local/bin/skiff serve' | head -n 1)").await;
    assert_eq!(user.trim(), "skiff-panel");

    let containers = server.bash("docker ps -q --no-trunc").await;
    let began = Instant::now();
    let second = server.up(&[]).await.must("bin/up again");
    println!("second bin/up: {:.1} s", began.elapsed().as_secs_f32());
    check_end(&second);
    assert_eq!(containers, server.bash("docker ps -q --no-trunc").await, "a second run changes nothing");

    // Stopped, the app goes on serving; started, the panel is there again; rebooted, all of it is.
    server.up(&["--stop"]).await.must("bin/up --stop");
    assert_eq!(server.bash("curl -s -o /dev/null -w %{http_code} http://127.0.0.1:7070/up").await, "000");
    assert_eq!(server.bash(ask).await, "2\n");
    check_end(&server.up(&[]).await.must("bin/up after a stop"));
    server.host.reboot().await;
    let mut answers = String::new();
    for _ in 0..150 {
        answers =
            server.bash(&format!("{ask}; curl -s -o /dev/null -w %{{http_code}} http://127.0.0.1:7070/ready")).await;
        if answers == "2\n200" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(answers, "2\n200", "after a reboot the app and the panel are there by themselves");

    forgotten_password(&server).await;

    server.up(&["--purge"]).await.must("bin/up --purge");
    let after = server.bash(INVENTORY).await;
    assert_eq!(only_in(&before, &after), [""; 0], "a purge takes only what bin/up brought");
    assert_eq!(only_in(&after, &before), [""; 0], "a purge leaves nothing");
    assert_eq!(server.bash("ps -o comm= -C skiff,haproxy,postgres,dockerd,sshd").await, "");
}

#[tokio::test]
async fn a_fresh_machine_with_systemd_gets_all_of_it() {
    promises(Server::fresh(true).await).await;
}

#[tokio::test]
async fn a_fresh_machine_without_systemd_gets_all_of_it() {
    promises(Server::fresh(false).await).await;
}

#[tokio::test]
#[ignore = "needs a mirror of Ubuntu: SKIFF_UBUNTU_MIRROR=http://… bin/test ubuntu"]
async fn ubuntu_fresh_gets_all_of_it() {
    promises(Server::ubuntu().await).await;
}

#[tokio::test]
async fn what_is_in_the_way_is_said_in_one_sentence() {
    let server = Server::fresh(false).await;
    let last = |said: crate::harness::host::Said| {
        assert_ne!(said.status, 0, "{}", said.out);
        let mut lines = said.err.lines().rev();
        assert!(lines.next().is_some_and(|more| more.starts_with("More: ")), "{}", said.err);
        lines.next().unwrap_or_default().to_owned()
    };
    let plain = |variables: &'static [&'static str]| async move {
        let up = format!("{AT}/bin/up");
        let mut argv = vec!["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"];
        argv.extend_from_slice(variables);
        argv.push(&up);
        argv.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let enter = async |variables: &'static [&'static str]| {
        let argv = plain(variables).await;
        server.host.enter(&argv.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    assert!(last(enter(&[]).await).starts_with("bin/up: Rust is not installed for the user root"));
    assert!(last(enter(&["SKIFF_BINARY=/nowhere"]).await).contains("SKIFF_BINARY=/nowhere is not a program"));
    assert!(
        last(enter(&["SKIFF_BINARY=/built/skiff", "SKIFF_LISTEN=0.0.0.0:7070"]).await)
            .contains("is a loopback address")
    );

    // A taken port: said by whom it is taken, before anything was changed.
    let busy = server.host.enter(&[
        "bash",
        "-c",
        "PORT=7071 setsid /built/hello </dev/null >/dev/null 2>&1 & \
         for i in {1..50}; do ss -Hltn | grep -q :7071 && break; sleep 0.1; done",
    ]);
    busy.await.must("a program listens");
    let said = last(enter(&["SKIFF_BINARY=/built/skiff", "SKIFF_LISTEN=127.0.0.1:7071"]).await);
    assert!(said.starts_with("bin/up: port 7071 is used by hello (process "), "{said}");
    assert!(said.ends_with("SKIFF_LISTEN=127.0.0.1:7072 bin/up"), "{said}");

    // No network.
    server.bash("ip route del default").await;
    let said = last(enter(&["SKIFF_BINARY=/built/skiff"]).await);
    assert!(said.contains("does not reach its package mirror"), "{said}");
    // No disk.
    server.host.fill_disk(100 * 1024).await;
    let said = last(enter(&["SKIFF_BINARY=/built/skiff"]).await);
    assert!(said.starts_with("bin/up: the disk is nearly full: /var has "), "{said}");
}
