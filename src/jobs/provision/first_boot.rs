//! Provisioning as one script that a person reads and runs on a server that Skiff does not reach yet: the same constant
//! scripts, each a function, and what they are given. Not here: the password of a registry of images, which no file holds.

use uuid::Uuid;

use super::scripts::{DOCKER, FOLDERS, HAPROXY, PACKAGES, USER};
use crate::domain::VERSION;
use crate::domain::ingress::{Home, Ingress, SPARE_BACKENDS, Tls};
use crate::domain::names::Slug;

/// What runs the functions, one after the other.
const COURSE: &str = include_str!("../../../scripts/first-boot.bash");
/// The port of HTTPS: a new server has it free.
const HTTPS_PORT: u16 = 443;
/// Where the spare backends begin in the proxy's file.
const SPARE: &str = "\nbackend b0001\n";
/// What ends the proxy's file in the script.
const END: &str = "END_OF_PROXY";

/// What the script is to make.
#[derive(Clone, Copy, Debug)]
pub struct FirstBoot<'a> {
    /// The team whose panel may sign in.
    pub team: &'a Slug,
    /// The line that lets it in.
    pub public_key: &'a str,
    /// The panel's id: the mark of whose server it is.
    pub panel: Uuid,
    /// Whether the host shall build for others.
    pub builds: bool,
    /// The port of its proxy.
    pub http_port: u16,
}

impl FirstBoot<'_> {
    /// The whole script.
    pub fn text(&self) -> String {
        let Self { team, public_key, panel, builds, http_port } = self;
        let key = quoted(public_key);
        let registry = if *builds { "yes" } else { "" };
        let https = (*http_port != HTTPS_PORT).then_some(HTTPS_PORT);
        let proxy = first_proxy(*http_port, https).haproxy_cfg();
        let https = https.map(|port| port.to_string()).unwrap_or_default();
        let mut text = format!(
            "#!/bin/bash\n\
             # Makes a server with Debian 12 or newer, or Ubuntu 24.04 or newer, ready to be a host of Skiff: Docker, HAProxy, the user\n\
             # skiff and its folders. Give it to a new server as its user data (cloud-init), or run it as root. It may be run\n\
             # again at any time: what is as it should be is left alone.\n\
             #\n\
             # Written by Skiff {VERSION} for the team {team}, whose panel signs in with the key below.\n\
             PUBLIC_KEY={key}\n\
             PANEL={panel}\n\
             REGISTRY={registry}\n\
             HTTP_PORT={http_port}\n\
             HTTPS_PORT={https}\n\
             PEER_PORT= RELOAD= NOW= LOCK_TRIES=\n"
        );
        for (name, script) in [
            ("packages", PACKAGES),
            ("user", USER),
            ("folders", FOLDERS),
            ("docker_engine", DOCKER),
            ("proxy", HAPROXY),
        ] {
            text.push_str(&format!("\n{name}() (\n{}\n)\n", body(script.text)));
        }
        // The spare backends are many and all the same.
        let (head, spares) = proxy.split_once(SPARE).map_or((proxy.as_str(), 0), |(head, _)| (head, SPARE_BACKENDS));
        text.push_str(&format!(
            "\nempty_proxy() {{\n  cat <<'{END}'\n{}\n{END}\n  for ((i = 1; i <= {spares}; i++)); do printf '\\nbackend b%04d\\n    # spare\\n' $i; done\n}}\n",
            head.trim_end_matches('\n')
        ));
        text.push_str(COURSE);
        text
    }
}

/// A script without our comments, which are lines of their own: clouds take 32 KB at the least. Those of the init script that one of
/// them writes stay.
fn body(script: &str) -> String {
    let mut written = false;
    let mut keeps = |line: &&str| {
        written = (written || *line == "### BEGIN INIT INFO") && *line != "### END INIT INFO";
        written || line.starts_with("###") || !line.trim_start().starts_with("# ")
    };
    let lines: Vec<&str> = script.lines().filter(|line| keeps(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// A proxy that serves nothing yet, as the panel will want it.
fn first_proxy(http_port: u16, https: Option<u16>) -> Ingress {
    Ingress { tls: https.map(Tls::empty), ..Ingress::empty(Home::default(), http_port) }
}

/// A text that a shell reads as it stands.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_stand_in_it_as_they_are_and_values_are_quoted() {
        let team: Slug = "shop".parse().unwrap();
        let boot = FirstBoot {
            team: &team,
            public_key: "ssh-ed25519 A'; reboot #",
            panel: Uuid::nil(),
            builds: true,
            http_port: 8080,
        };
        let text = boot.text();
        for script in [PACKAGES, USER, FOLDERS, DOCKER, HAPROXY] {
            assert!(text.contains(&body(script.text)) && body(script.text).len() > 1_000, "{}", script.name);
        }
        assert!(text.contains("PUBLIC_KEY='ssh-ed25519 A'\\''; reboot #'\nPANEL=00000000-0000-0000-0000-000000000000\nREGISTRY=yes\nHTTP_PORT=8080\n"), "{text}");
        let proxy = first_proxy(8080, Some(443)).haproxy_cfg();
        assert!(proxy.ends_with('\n') && !proxy.ends_with("\n\n") && !proxy.contains(END));
        let (head, spares) = proxy.split_once(SPARE).unwrap();
        assert!(
            text.contains(head) && text.contains("i <= 64") && spares.ends_with("\nbackend b0064\n    # spare\n"),
            "what the panel writes"
        );
        // The least that clouds take as user data, but for those that take it compressed only.
        assert!(text.len() < 32 * 1024, "{}", text.len());
    }
}
