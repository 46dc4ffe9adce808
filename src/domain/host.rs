//! A host: a server reached by SSH, or this machine, which is reached the same way.

use serde::{Deserialize, Serialize};

/// How a host stands, as last observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum HostState {
    /// Known, not yet provisioned.
    New,
    /// Provisioned and answering.
    Ready,
    /// Did not answer when last asked.
    Unreachable,
    /// Showed another host key than the pinned one: not spoken to until a person accepts it.
    KeyMismatch,
}

/// What a host said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// "Debian GNU/Linux 12 (bookworm)".
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Machine architecture as Docker names it (`amd64`).
    pub arch: String,
    /// CPU cores.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Size of the file system of Docker's data in MiB.
    pub disk_mib: u64,
    /// Free space on it in MiB.
    pub disk_free_mib: u64,
    /// Docker Engine version; empty where there is none.
    pub docker: String,
    /// HAProxy version; empty where there is none.
    pub haproxy: String,
    /// The init system: `systemd` or `none`.
    pub init: String,
}

/// The line that lets the holder of a key of ours in, to paste into a shell of the user on the server. The folder and
/// the file are made where they are missing, for that user alone.
pub fn paste_line(public: &str) -> String {
    // In single quotes a shell reads everything as it stands, but for the quote itself.
    let public = public.replace('\'', "'\\''");
    format!("(umask 077; mkdir -p ~/.ssh; echo '{public}' >>~/.ssh/authorized_keys)")
}

/// The line that makes a server print the fingerprint of its key of this kind; of all its keys where the kind is none
/// that has a file of its own.
pub fn fingerprint_line(kind: &str) -> &'static str {
    match kind {
        "ssh-ed25519" => "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => "ssh-keygen -lf /etc/ssh/ssh_host_rsa_key.pub",
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => {
            "ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub"
        }
        _ => "for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done",
    }
}

/// What Skiff leaves on a server that it forgets, and the line that takes it away, as root. Packages stay: others may use
/// them by now.
pub const REMAINS: [(&str, &str); 6] = [
    (
        "Its proxy and its registry",
        "systemctl disable --now skiff-haproxy skiff-registry; rm -f /etc/systemd/system/skiff-{haproxy,registry}.service",
    ),
    (
        "Containers, networks, images",
        "docker rm -f $(docker ps -aq --filter label=skiff.panel); docker network rm $(docker network ls -q --filter \
         label=skiff.panel); docker rmi $(docker image ls -q 'skiff/*')",
    ),
    (
        "Its renewal of certificates without the panel",
        "systemctl disable --now skiff-renew.timer; rm -f /etc/systemd/system/skiff-renew.{service,timer} /etc/cron.d/skiff-renew",
    ),
    (
        "Its folders",
        "rm -rf /etc/skiff /run/skiff /var/lib/skiff /usr/local/lib/skiff /etc/tmpfiles.d/skiff.conf /etc/needrestart/restart.d/skiff-haproxy.service",
    ),
    ("The user skiff, with Skiff's key", "rm -f /etc/sudoers.d/skiff; userdel --remove skiff"),
    ("Skiff's key of the first sign-in", "sed -i '/ skiff$/d' ~/.ssh/authorized_keys"),
];

/// True where nobody can stand between the panel and the host: it is this machine's own loopback address.
pub fn is_loopback(address: &str) -> bool {
    address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_paste_quotes_the_key() {
        let line = paste_line("ssh-ed25519 AAAA skiff");
        assert_eq!(line, "(umask 077; mkdir -p ~/.ssh; echo 'ssh-ed25519 AAAA skiff' >>~/.ssh/authorized_keys)");
        assert!(paste_line("a'; reboot #").contains(r"'a'\''; reboot #'"));
    }

    #[test]
    fn the_line_to_compare_with_names_the_file_of_the_kind() {
        assert!(fingerprint_line("ssh-ed25519").ends_with("ssh_host_ed25519_key.pub"));
        assert!(fingerprint_line("rsa-sha2-512").ends_with("ssh_host_rsa_key.pub"));
        assert!(fingerprint_line("ecdsa-sha2-nistp256").ends_with("ssh_host_ecdsa_key.pub"));
        assert!(fingerprint_line("; reboot").starts_with("for key in"));
        assert!(fingerprint_line("").starts_with("for key in"));
    }

    #[test]
    fn only_an_address_is_this_machine() {
        assert!(is_loopback("127.0.0.1") && is_loopback("::1") && is_loopback("127.8.8.8"));
        assert!(!is_loopback("localhost") && !is_loopback("10.0.0.1") && !is_loopback("127.0.0.1.example.org"));
    }
}
