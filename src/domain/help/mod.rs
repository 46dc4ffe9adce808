//! Where the docs say more about what went wrong: the closed list of places that errors lead to. Each kind of failure names one
//! (an exhaustive match beside the kind, so that a new kind cannot forget it), and a test looks that the place is there. Not here:
//! the docs themselves (`docs/guide`), drawing them.

mod sentences;

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::host::HostState;
use super::host_check::Difference;

pub use sentences::of_sentence;

/// Where the docs are, below the panel's address.
pub const DOCS: &str = "/docs";

macro_rules! topics {
    ($($name:ident, $page:literal, $anchor:literal;)+) => {
        /// A place in the docs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Topic {
            $(
                #[doc = concat!("`", $page, "`, at `", $anchor, "`.")]
                $name,
            )+
        }

        impl Topic {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The page, and the heading on it.
            pub fn place(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$name => ($page, $anchor),)+
                }
            }
        }
    };
}

topics! {
    DidNotStart, "deploy-failures", "docker-could-not-start-the-container";
    EndedByItself, "deploy-failures", "the-program-ended-by-itself";
    OutOfMemory, "deploy-failures", "out-of-memory";
    PortNeverOpened, "deploy-failures", "the-port-never-opened";
    HealthRefused, "deploy-failures", "the-health-check-was-refused";
    HealthSilent, "deploy-failures", "the-health-check-got-no-answer";
    HealthAnswered, "deploy-failures", "the-health-check-was-answered-with-another-status";
    HealthRedirected, "deploy-failures", "the-health-check-was-redirected";
    HealthCommand, "deploy-failures", "the-health-command-failed";
    ImageNotFound, "deploy-failures", "the-image-was-not-found";
    ImageDenied, "deploy-failures", "the-image-was-refused";
    RegistryUnreachable, "deploy-failures", "the-registry-was-not-reached";
    BuildFailed, "deploy-failures", "the-build-failed";
    SourceUnreachable, "deploy-failures", "the-repository-could-not-be-read";
    SourceDenied, "deploy-failures", "the-repository-refused";
    BranchNotFound, "deploy-failures", "no-such-branch";
    CommitNotFound, "deploy-failures", "no-such-commit";
    NoDockerfile, "deploy-failures", "no-dockerfile";
    SourceUnsupported, "deploy-failures", "submodules-and-git-lfs";
    NotReachedThroughProxy, "deploy-failures", "no-request-came-through-the-proxy";
    TurnedBad, "deploy-failures", "the-release-turned-bad";
    PlanRefused, "deploy-failures", "the-plan-was-refused";
    SecretUnreadable, "deploy-failures", "a-secret-could-not-be-opened";
    TookTooLong, "deploy-failures", "it-took-too-long";
    HostAway, "host-trouble", "the-host-does-not-answer";
    HostKey, "hosts", "the-servers-key";
    HostKeyChanged, "host-trouble", "the-host-shows-another-key";
    KeyRefused, "host-trouble", "the-host-refuses-skiffs-key";
    PassRefused, "host-trouble", "the-password-or-key-was-not-taken";
    JumpHost, "host-trouble", "the-jump-host";
    Forwarding, "host-trouble", "sshd-forbids-forwarding";
    NoRoot, "host-trouble", "the-user-may-not-become-root";
    WrongSystem, "host-trouble", "another-system";
    Packages, "host-trouble", "packages-cannot-be-installed";
    HostClock, "host-trouble", "the-clock-is-wrong";
    HostDisk, "host-trouble", "the-disk-is-full";
    DockerAway, "host-trouble", "docker-does-not-answer";
    ProxyAway, "host-trouble", "the-proxy-does-not-answer";
    PortTaken, "host-trouble", "the-port-is-taken";
    OtherPanel, "host-trouble", "another-panel-made-it-ready";
    HostRefused, "host-trouble", "the-host-refused";
    HostDiffers, "host-trouble", "it-is-not-as-it-was-made";
    HostUser, "host-trouble", "the-user-skiff";
    HostNetworks, "host-trouble", "a-network-is-missing";
    HostRenewal, "automatic-certificates", "while-the-panel-is-gone";
    HostRegistry, "host-trouble", "the-registry-of-a-building-host";
    Reboot, "host-trouble", "a-reboot-is-wanted";
    Internal, "panel-trouble", "something-went-wrong-inside-skiff";
    Database, "panel-trouble", "the-database";
    PanelDisk, "panel-trouble", "no-room-on-the-panels-disk";
    MasterKey, "panel-trouble", "the-master-key";
    Workers, "panel-trouble", "nobody-takes-jobs";
    PanelClock, "panel-trouble", "the-panels-clock";
    DomainElsewhere, "panel-trouble", "a-domain-leads-elsewhere";
    SignIn, "panel-trouble", "signing-in";
    OtherAddress, "panel-trouble", "the-panel-has-another-address";
    FormNotTaken, "panel-trouble", "a-form-was-not-taken";
    Settings, "panel-trouble", "where-the-panels-things-are";
    PanelPort, "panel-trouble", "the-panels-port-is-taken";
    PanelGit, "panel-trouble", "git-cannot-be-used";
    PanelThreads, "panel-trouble", "no-room-for-threads";
    Upgrade, "install", "an-upgrade-does-not-begin";
    JobFailed, "panel-trouble", "a-job-failed";
    CertificateAuthority, "automatic-certificates", "once";
    CertificateOrders, "automatic-certificates", "then";
    CertificateRenewal, "automatic-certificates", "renewal";
    CertificateDns, "automatic-certificates", "waiting-for-dns";
    CertificatePort, "automatic-certificates", "port-80-does-not-answer";
    CertificateOther, "automatic-certificates", "somebody-else-answers";
    CertificateCaa, "automatic-certificates", "caa-records-forbid-it";
    CertificateProof, "automatic-certificates", "the-proof-was-not-accepted";
    CertificateRecord, "automatic-certificates", "the-record-was-not-taken";
    CertificateLimit, "automatic-certificates", "rate-limited";
    CertificatePaused, "automatic-certificates", "paused";
    CertificateAccount, "automatic-certificates", "the-account-is-not-accepted";
    AuthorityAway, "automatic-certificates", "the-authority-does-not-answer";
    AuthorityUntrusted, "automatic-certificates", "the-authority-is-not-trusted";
    CertificateRefused, "automatic-certificates", "the-order-was-refused";
    Certificates, "https", "certificates";
    CertificateEnds, "https", "a-certificate-ends";
    CertificateBefore, "https", "a-host-serves-the-one-before";
    HttpsPort, "https", "the-port";
    HttpsOnly, "https", "from-http-to-https";
    PanelAddress, "https", "the-panels-own-address";
    NotSent, "notices", "a-notice-was-not-taken";
    Channels, "notices", "channels";
    MailServer, "notices", "the-mail-server";
    NoticesMine, "notices", "for-you";
    Sources, "apps", "from-a-repository";
    WithoutDockerfile, "apps", "without-a-dockerfile";
    Configuration, "apps", "configuration";
    StopAndStart, "apps", "stopping-and-starting";
    AppLogs, "apps", "logs";
    Projects, "apps", "projects-and-environments";
    RouteRules, "routes", "rules-of-a-route";
    RoutesOfApp, "routes", "for-all-routes-of-an-app";
    RoutesOfHost, "routes", "of-a-host";
    Variables, "secrets", "variables";
    Secrets, "secrets", "secrets";
    VolumesAdd, "volumes", "adding-one";
    VolumesLeave, "volumes", "leaving-moving-removing";
    WhereItRuns, "several-hosts", "where-it-runs";
    WhoBuilds, "several-hosts", "who-builds";
    Deploying, "deploys", "asking-for-one";
    Calls, "push", "what-a-call-does";
    RemovingApp, "removing", "an-app";
    LettingIn, "hosts", "letting-skiff-in";
    HostMoves, "hosts", "another-address-another-name";
    HostForgotten, "hosts", "forgetting-a-host";
    HostsLooked, "hosts-check", "is-it-still-so";
    Members, "members", "changing-and-removing";
    Inviting, "members", "inviting";
    Doctor, "doctor", "what-it-looks-at";
    NoPanel, "cli", "no-panel-answers";
    NotSignedIn, "cli", "not-signed-in";
    Typed, "cli", "typed-wrongly";
    FromATerminal, "cli", "from-a-terminal";
    NothingHere, "panel-trouble", "nothing-is-here";
    NotNow, "panel-trouble", "it-does-not-go-now";
    Unreadable, "panel-trouble", "the-request-could-not-be-read";
    Roles, "members", "roles";
    Token, "api", "a-token";
    Problems, "api", "what-goes-wrong";
}

impl Topic {
    /// Its address below the panel's: "/docs/hosts#a-jump-host".
    pub fn path(self) -> String {
        let (page, anchor) = self.place();
        [DOCS, "/", page, "#", anchor].concat()
    }

    /// How it is read in a shell of the panel's machine, where the panel may be away: "skiff docs hosts#a-jump-host".
    pub fn command(self) -> String {
        let (page, anchor) = self.place();
        ["skiff docs ", page, "#", anchor].concat()
    }
}

impl Serialize for Topic {
    /// As the address.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.path())
    }
}

impl schemars::JsonSchema for Topic {
    fn schema_name() -> Cow<'static, str> {
        "HelpTopic".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "Where the docs say more: a path below the panel's address." })
    }
}

/// About a host that stands so; none where nothing is wrong.
pub fn of_host(state: HostState, note: &str) -> Option<Topic> {
    match state {
        HostState::Ready => None,
        HostState::KeyMismatch => Some(Topic::HostKeyChanged),
        HostState::Unreachable => Some(of_sentence(note).unwrap_or(Topic::HostAway)),
        // Where nobody has looked yet there is nothing to explain.
        HostState::New => of_sentence(note),
    }
}

/// About a job that failed with this reason.
pub fn of_job(reason: &str) -> Option<Topic> {
    (!reason.is_empty()).then(|| of_sentence(reason).unwrap_or(Topic::JobFailed))
}

/// About one thing that a check found. The list in `host_check` is closed; a test looks that each of its names is known here.
pub fn of_difference(found: &Difference) -> Topic {
    let what = found.what.as_str();
    match what {
        "clock" => Topic::HostClock,
        "disk" => Topic::HostDisk,
        "reboot" => Topic::Reboot,
        "programs" | "HAProxy" => Topic::Packages,
        "Docker" | "Docker's service" | "live-restore of Docker" | "/etc/docker/daemon.json" => Topic::DockerAway,
        "user skiff" | "groups of skiff" | "the panel's key" => Topic::HostUser,
        "sudo for skiff" | "/etc/sudoers.d/skiff" | "mode of /etc/sudoers.d/skiff" => Topic::NoRoot,
        "service skiff-haproxy" | "start of the proxy" | "proxy" => Topic::ProxyAway,
        "registry of images" => Topic::HostRegistry,
        _ if what.starts_with("port ") => Topic::PortTaken,
        _ if what.starts_with("network of ") => Topic::HostNetworks,
        _ => Topic::HostDiffers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_once_and_is_one_that_an_address_can_have() {
        let mut seen = std::collections::BTreeSet::new();
        for topic in Topic::ALL {
            let (page, anchor) = topic.place();
            let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit());
            assert!(plain(page) && plain(anchor), "{topic:?}");
            assert!(seen.insert((page, anchor)), "{topic:?} names a place that has a name already");
        }
        assert_eq!(Topic::Roles.path(), "/docs/members#roles");
        assert_eq!(Topic::Roles.command(), "skiff docs members#roles");
        assert_eq!(serde_json::to_string(&Topic::Roles).unwrap(), "\"/docs/members#roles\"");
    }

    #[test]
    fn a_host_that_is_well_needs_no_help() {
        assert_eq!(of_host(HostState::Ready, "anything"), None);
        assert_eq!(of_host(HostState::New, ""), None);
        assert_eq!(of_host(HostState::Unreachable, ""), Some(Topic::HostAway));
        assert_eq!(of_job(""), None);
        assert_eq!(of_job("The moon is full."), Some(Topic::JobFailed));
    }
}
