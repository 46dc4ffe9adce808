//! Test hosts: real servers in namespaces of this machine, each with its own sshd, dockerd, disk and wire (`tests/rig/host`).
//! Not here: what Skiff does with a host.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The rig's script, in this repository.
const RIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/host");
/// The script that makes the file system of a fresh server.
const ROOTFS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/rootfs");
/// The script that makes images without a registry.
const APP_IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/app-image");

/// What is on a test host when it is handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// sshd alone: nothing of Docker runs and nothing of Skiff's is there.
    Bare,
    /// A running dockerd with its own bridge.
    Docker,
}

/// One running test host. Dropping it removes everything it was.
pub struct TestHost {
    /// Its address on its wire.
    pub address: String,
    /// Its sshd's port.
    pub port: u16,
    /// The OpenSSH private key that root accepts.
    pub root_key: String,
    /// The file that holds that key, mode 0600.
    pub root_key_file: PathBuf,
    /// Its host key as "SHA256:…".
    pub host_key: String,
    number: String,
    init: std::sync::Mutex<String>,
}

/// What a command said and how it ended.
pub struct Said {
    /// The exit status; −1 where a signal ended it.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl TestHost {
    /// sshd and a running dockerd with 4 GB of disk; about a second.
    pub async fn light() -> Self {
        Self::up(Kind::Docker, 4096).await
    }

    /// The same with a disk of this size, for filling it.
    pub async fn light_with_disk(megabytes: u32) -> Self {
        Self::up(Kind::Docker, megabytes).await
    }

    /// Only sshd, and the programs of this machine: a server before it is enrolled.
    pub async fn bare() -> Self {
        Self::up(Kind::Bare, 4096).await
    }

    /// The same with a disk of this size, for large images.
    pub async fn bare_with_disk(megabytes: u32) -> Self {
        Self::up(Kind::Bare, megabytes).await
    }

    /// A fresh Debian 12 with systemd or without any init system: no Docker, HAProxy, Postgres or sshd; it reaches the
    /// package mirror. These folders of this machine can be read there.
    pub async fn fresh(systemd: bool, shares: &[(&std::path::Path, &str)]) -> Self {
        let root = run(ROOTFS, &[]).await.must("a fresh Debian is made");
        Self::from_root(&root, if systemd { "systemd" } else { "none" }, shares).await
    }

    /// A fresh Debian 12 with systemd as a provider hands it over: an sshd that lets root in by key, and nothing else.
    pub async fn fresh_with_sshd() -> Self {
        Self::fresh(true, &[]).await.with_sshd().await
    }

    async fn with_sshd(self) -> Self {
        let install = "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && \
                       apt-get -qq -o Dpkg::Options::=--force-confold install -y --no-install-recommends openssh-server && \
                       apt-get clean && rm -rf /var/lib/apt/lists/* && systemctl enable --now ssh";
        self.enter(&["/bin/bash", "-c", install]).await.must("an sshd is installed");
        self
    }

    /// The same as Ubuntu 24.04, with systemd.
    pub async fn fresh_ubuntu(shares: &[(&std::path::Path, &str)]) -> Self {
        Self::fresh_suite("noble", shares).await
    }

    /// The same as another release of Debian or Ubuntu, by its name, with systemd.
    pub async fn fresh_suite(suite: &str, shares: &[(&std::path::Path, &str)]) -> Self {
        let root = run(ROOTFS, &[suite]).await.must("a fresh system is made");
        Self::from_root(&root, "systemd", shares).await
    }

    /// The same as Ubuntu 24.04.
    pub async fn fresh_ubuntu_with_sshd() -> Self {
        Self::fresh_ubuntu(&[]).await.with_sshd().await
    }

    async fn from_root(root: &str, init: &str, shares: &[(&std::path::Path, &str)]) -> Self {
        let mut options = vec!["--size", "8192", "--lower", root.trim(), "--init", init, "--internet"];
        for (folder, at) in shares {
            options.extend(["--share", folder.to_str().unwrap(), *at]);
        }
        Self::start(&options).await
    }

    async fn up(kind: Kind, megabytes: u32) -> Self {
        let size = megabytes.to_string();
        let init = if kind == Kind::Bare { "bare" } else { "light" };
        let host = Self::start(&["--size", &size, "--init", init]).await;
        if let Some(program) = super::haproxy::named() {
            super::haproxy::install(&host, &program).await;
        }
        host
    }

    async fn start(options: &[&str]) -> Self {
        let owner = std::process::id().to_string();
        let mut args = vec!["up", "--owner", &owner];
        args.extend_from_slice(options);
        let shown = run(RIG, &args).await.must("the test host starts");
        let value = |name: &str| {
            let start = format!("{name}=");
            shown.lines().find_map(|line| line.strip_prefix(&start)).expect("the rig shows it").to_owned()
        };
        let folder = PathBuf::from(value("folder"));
        let host_key = run("ssh-keygen", &["-lf", folder.join("host_key.pub").to_str().unwrap()])
            .await
            .must("the host key is read");
        Self {
            address: value("address"),
            port: value("port").parse().unwrap(),
            root_key: std::fs::read_to_string(value("key")).unwrap(),
            root_key_file: value("key").into(),
            host_key: host_key.split_whitespace().nth(1).unwrap().to_owned(),
            number: value("number"),
            init: std::sync::Mutex::new(value("init")),
        }
    }

    /// Gives it so many hundredths of a core, as a server of its own has its own: whoever else computes here.
    pub async fn limit_cpu(&self, percent: u32) {
        self.rig(&["cpu", &percent.to_string()]).await;
    }

    /// The power goes and comes back: everything that runs is killed, the disk stays.
    pub async fn reboot(&self) {
        self.power_off().await;
        self.power_on().await;
    }

    /// Everything that runs on it is killed at once.
    pub async fn power_off(&self) {
        self.rig(&["kill"]).await;
    }

    /// Starts it again on its disk.
    pub async fn power_on(&self) {
        let shown = self.rig(&["boot"]).await;
        let pid = shown.lines().find_map(|line| line.strip_prefix("init=")).expect("the rig shows it");
        *self.init.lock().unwrap() = pid.to_owned();
    }

    /// The wire swallows every packet.
    pub async fn cut(&self) {
        self.rig(&["cut", "drop"]).await;
    }

    /// The wire answers every packet with a reset.
    pub async fn cut_with_resets(&self) {
        self.rig(&["cut", "reject"]).await;
    }

    /// The wire is whole again.
    pub async fn heal(&self) {
        self.rig(&["heal"]).await;
    }

    /// What systemd runs there has this much memory and one core, as on a small server.
    pub fn limit_to_one_core(&self, megabytes: u64) {
        let bytes = (megabytes << 20).to_string();
        let groups = std::path::Path::new("/sys/fs/cgroup");
        let limits = if groups.join("cgroup.controllers").exists() {
            vec![("skiffrig", "memory.max", bytes.as_str()), ("skiffrig", "cpu.max", "100000 100000")]
        } else {
            vec![
                ("memory/skiffrig", "memory.limit_in_bytes", bytes.as_str()),
                ("cpu/skiffrig", "cpu.cfs_quota_us", "100000"),
            ]
        };
        for (group, file, limit) in limits {
            std::fs::write(groups.join(group).join(&self.number).join(file), limit).unwrap();
        }
    }

    /// Takes all of the disk but this many kilobytes.
    pub async fn fill_disk(&self, leave_kilobytes: u32) {
        self.rig(&["fill", &leave_kilobytes.to_string()]).await;
    }

    /// Gives back what `fill_disk` took.
    pub async fn free_disk(&self) {
        self.rig(&["unfill"]).await;
    }

    /// Runs a program on the host as root, past SSH: for looking at it, never for what is tested.
    pub async fn enter(&self, argv: &[&str]) -> Said {
        let mut args = vec!["enter", &self.number];
        args.extend_from_slice(argv);
        run(RIG, &args).await
    }

    /// Runs one of `scripts/` as root with these parameters, as the panel does but past SSH.
    pub async fn script(&self, name: &str, params: &[(&str, &str)]) -> Said {
        let text = std::fs::read_to_string(format!("{}/scripts/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut assignments = String::new();
        for (name, value) in params {
            assert!(!value.contains('\''), "quotes are the product's loader's to carry");
            assignments.push_str(&format!("{name}='{value}'\n"));
        }
        self.enter(&["/bin/bash", "--noprofile", "--norc", "-c", &format!("{assignments}{text}"), "skiff"]).await
    }

    /// The same; fails the test where the script fails. True where it says that it changed something.
    pub async fn script_changed(&self, name: &str, params: &[(&str, &str)]) -> bool {
        let out = self.script(name, params).await.must(name);
        match out.lines().last() {
            Some("::state changed") => true,
            Some("::state unchanged") => false,
            other => panic!("{name} ends with {other:?}"),
        }
    }

    /// Gives it this many more addresses, at which its sshd answers as well.
    pub async fn further_addresses(&self, count: u8) -> Vec<String> {
        let net = self.address.rsplit_once('.').unwrap().0;
        let all: Vec<String> = (0..count).map(|n| format!("{net}.{}", 100 + n)).collect();
        let add = all.iter().map(|one| format!("ip address add {one}/24 dev eth0\n")).collect::<String>();
        self.enter(&["/bin/bash", "-ec", &add]).await.must("the addresses are added");
        all
    }

    /// An address of the internet that stands for its outer one where NAT does not lead back: from here connections to it are dropped,
    /// or refused.
    pub async fn outer_address(&self, dropped: bool) -> String {
        let outer = self.address.replacen("10.", "25.", 1);
        run("ip", &["route", "replace", &outer, "via", &self.address]).await.must("the way to the outer address");
        // Nobody listens on port 1.
        let what = if dropped { "drop" } else { "meta l4proto tcp redirect to :1" };
        let rules = format!(
            "nft 'add table ip outer; add chain ip outer in {{ type nat hook prerouting priority -100; }}; add rule ip outer in ip daddr {outer} {what}'"
        );
        self.enter(&["/bin/bash", "-ec", &rules]).await.must("nobody is behind the outer address");
        outer
    }

    /// The host's dockerd, asked past SSH; fails the test where Docker refuses.
    pub async fn docker(&self, args: &[&str]) -> String {
        self.docker_said(args).await.must("docker does it")
    }

    /// The same where a refusal is expected.
    pub async fn docker_said(&self, args: &[&str]) -> Said {
        let host = format!("unix://{}", self.docker_socket().display());
        let mut all = vec!["-H", &host];
        all.extend_from_slice(args);
        run("docker", &all).await
    }

    /// Where the host's Docker socket can be reached from this machine.
    pub fn docker_socket(&self) -> PathBuf {
        self.path("/run/docker.sock")
    }

    /// A path of the host as it is seen from this machine; holds until the next reboot.
    pub fn path(&self, absolute: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{absolute}", self.init.lock().unwrap()))
    }

    /// Loads an image archive.
    pub async fn load(&self, archive: &std::path::Path) {
        self.docker(&["load", "--quiet", "--input", archive.to_str().unwrap()]).await;
    }

    /// Makes and loads an image of the sample app: 20 MB that all versions share, 2 MB of its own.
    pub async fn load_app(&self, image: &str, version: &str) {
        self.load(&app_image(image, version).await).await;
    }

    /// Loads an image that is only a static busybox with `/bin/sh`.
    pub async fn load_busybox(&self, image: &str) {
        let archive = run(APP_IMAGE, &["busybox", image]).await.must("the image is made");
        self.load(std::path::Path::new(archive.trim())).await;
    }

    /// Every Docker object that is not Skiff's, with what would change if it were touched, one per line. Two of
    /// these being equal says that nothing foreign was touched in between.
    pub async fn foreign_inventory(&self) -> String {
        let mut lines = Vec::new();
        let ids = self.docker(&["ps", "--all", "--quiet", "--no-trunc"]).await;
        let ids: Vec<&str> = ids.lines().collect();
        if !ids.is_empty() {
            // A line for each mount, as Docker lists them in no order.
            let format = "{{$panel := index .Config.Labels \"skiff.panel\"}}{{$id := .Id}}{{$panel}}|container {{.Id}} {{.Name}} \
                          {{.Image}} running={{.State.Running}} started={{.State.StartedAt}} restarts={{.RestartCount}} \
                          {{json .HostConfig}}{{range .Mounts}}{{println}}{{$panel}}|mount {{$id}} {{json .}}{{end}}";
            let mut args = vec!["inspect", "--format", format];
            args.extend_from_slice(&ids);
            lines.extend(not_ours(&self.docker(&args).await));
        }
        for (kind, list) in [("network", "network"), ("volume", "volume")] {
            let names = self.docker(&[list, "ls", "--quiet"]).await;
            for name in names.lines() {
                let format = if kind == "network" {
                    "{{index .Labels \"skiff.panel\"}}|network {{.Id}} {{.Name}} {{.Created}} {{json .IPAM}} {{json .Options}}"
                } else {
                    "{{index .Labels \"skiff.panel\"}}|volume {{.Name}} {{.CreatedAt}} {{json .Options}} {{json .Labels}}"
                };
                lines.extend(not_ours(&self.docker(&[list, "inspect", "--format", format, name]).await));
            }
        }
        let images = self.docker(&["image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]).await;
        lines.extend(images.lines().filter(|line| !line.contains(" skiff")).map(|line| format!("image {line}")));
        lines.sort();
        lines.join("\n")
    }

    async fn rig(&self, args: &[&str]) -> String {
        let mut all = vec![args[0], &self.number];
        all.extend_from_slice(&args[1..]);
        run(RIG, &all).await.must("the rig does it")
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        let quiet = Command::new(RIG).args(["down", &self.number]).stdin(Stdio::null()).status();
        if !quiet.is_ok_and(|status| status.success()) {
            eprintln!("test host {} was not removed: {RIG} reap", self.number);
        }
    }
}

/// Makes an image of the sample app without any Docker: the path of an archive for `docker load`. The same arguments
/// give the same file.
pub async fn app_image(image: &str, version: &str) -> PathBuf {
    run(APP_IMAGE, &["hello", image, version]).await.must("the image is made").trim().into()
}

/// The sample app's program, static.
pub async fn app_program() -> PathBuf {
    run(APP_IMAGE, &["program"]).await.must("the sample app is built").trim().into()
}

/// Objects without our panel's label.
fn not_ours(inspected: &str) -> Vec<String> {
    let foreign = |line: &str| {
        let (panel, what) = line.split_once('|')?;
        (panel.is_empty() || panel == "<no value>").then(|| what.to_owned())
    };
    inspected.lines().filter_map(foreign).collect()
}

impl Said {
    /// The output of a command that had to succeed.
    pub fn must(self, what: &str) -> String {
        assert!(self.status == 0, "{what}: status {}\n{}{}", self.status, self.out, self.err);
        self.out
    }
}

/// Runs a program of this machine to its end.
pub async fn run(program: &str, args: &[&str]) -> Said {
    let output = tokio::process::Command::new(program)
        .args(args)
        .env_remove("DOCKER_HOST")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The machine all this runs on, in a line.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg").split_whitespace().next().unwrap_or_default().to_owned();
    format!("{cores} cores, load {load}, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}
