//! A server that packages are installed on, as somebody at its shell sees it.

use std::time::Duration;

use super::AT;
use crate::harness::host::{Said, TestHost};

/// The environment of somebody who just signed in, without what the tests were started with.
const CLEAN: [&str; 4] =
    ["env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
/// A form of the panel filled in from a shell: `form PAGE TO FIELD=VALUE…` prints the status of the answer.
const FORM: &str = r#"panel=http://127.0.0.1:7070; cookies=$(mktemp)
form() { # the page gives the cookie and the token
    local page=$1 to=$2 token field fields=(); shift 2
    token=$(curl -s -c $cookies -b $cookies "$page" | sed -n 's/.*name="_token" value="\([^"]*\)".*/\1/p' | head -n 1)
    for field in "_token=$token" "$@"; do fields+=(--data-urlencode "$field"); done
    curl -s -o /dev/null -w '%{http_code}\n' -b $cookies -c $cookies -H "Origin: $panel" "${fields[@]}" "$panel$to"
}
"#;

pub struct Server {
    /// The test host.
    pub host: TestHost,
}

impl Server {
    pub async fn enter(&self, argv: &[&str]) -> Said {
        self.host.enter(&[&CLEAN[..], argv].concat()).await
    }

    pub async fn bash(&self, script: &str) -> String {
        self.enter(&["bash", "-c", script]).await.out
    }

    /// The first owner, by the one-time link.
    pub async fn set_up(&self) {
        let fill = r#"link=$(skiff setup); form "$link" /setup "token=${link##*=}" name=Ada email=ada@example.org team=Home "password=a long first password""#;
        assert_eq!(self.bash(&format!("{FORM}{fill}")).await, "303\n");
    }

    pub async fn upgrade(&self, args: &[&str]) -> Said {
        self.enter(&[&["skiff", "self-upgrade"], args].concat()).await
    }

    /// An upgrade that begins, and is not waited for.
    pub async fn begin_upgrade(&self, from: &str) {
        let script = format!(
            "rm -f /var/lib/skiff-upgrade/last; setsid skiff self-upgrade --from {AT}/{from} </dev/null >/root/told 2>&1 &"
        );
        self.bash(&script).await;
    }

    /// Waits until a shell says so.
    pub async fn until(&self, what: &str, script: &str) {
        for _ in 0..1200 {
            if self.enter(&["bash", "-c", script]).await.status == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{what}: {}", self.state().await);
    }

    /// The end of an upgrade that nobody follows.
    pub async fn until_upgraded(&self, version: &str) {
        self.until(
            "the upgrade goes on by itself",
            "test -e /var/lib/skiff-upgrade/last && ! test -e /var/lib/skiff-upgrade/underway",
        )
        .await;
        self.runs(version).await;
    }

    pub async fn state(&self) -> String {
        self.bash("dpkg -l skiff | tail -n 1; cat /var/lib/skiff-upgrade/underway /var/lib/skiff-upgrade/last /var/lib/skiff-upgrade/log; journalctl -u skiff -u skiff-upgrade -n 30 --no-pager").await
    }

    /// This version is installed, and is what answers; its owner signs in as ever; nothing of an upgrade is left lying about.
    pub async fn runs(&self, version: &str) {
        let ask = "dpkg-query -W -f '${db:Status-Status} ${Version}' skiff; readlink /proc/$(systemctl show -p MainPID --value skiff)/exe | sed 's/^/ /'; \
                   curl -s http://127.0.0.1:7070/ready";
        let seen = self.bash(ask).await;
        assert_eq!(seen, format!("installed {version} /usr/bin/skiff\nready\n"), "{}", self.state().await);
        let sign_in = r#"form $panel/login /login email=ada@example.org "password=a long first password""#;
        assert_eq!(self.bash(&format!("{FORM}{sign_in}")).await, "303\n", "{}", self.state().await);
        // Whoever followed it is told of its end a moment before it has tidied up.
        let left = "ls /var/lib/skiff-upgrade /etc/systemd/system/skiff-upgrade.service 2>/dev/null | grep -E 'underway|deb|reserve|fetched|service'";
        self.until("something is left of the upgrade", &format!("! {left}")).await;
    }
}

/// What a command that failed said last, before the line that leads to the docs.
pub fn last(said: Said) -> String {
    assert_ne!(said.status, 0, "{}", said.out);
    let mut lines = said.err.lines().rev();
    let more = lines.next().unwrap_or_default();
    if more.starts_with("bin/package: ") {
        return more.to_owned();
    }
    assert!(more.starts_with("More: ") && more.contains("install"), "{}", said.err);
    lines.next().unwrap_or_default().to_owned()
}
