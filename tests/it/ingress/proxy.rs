//! One running HAProxy in a folder of its own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skiff::domain::ingress::tls;
use skiff::domain::ingress::{
    Answer, Home, Ingress, ProxyProcesses, ServerSeen, TlsFiles, read_answer, read_pid, read_processes, read_servers,
};

use super::apps::{LIMIT, free_port};
use crate::harness::haproxy::program;

pub struct Proxy {
    pub ingress: Ingress,
    pub folder: tempfile::TempDir,
    child: Child,
}

/// A proxy that serves nothing yet, with its paths in this folder.
pub fn home(folder: &tempfile::TempDir) -> Home {
    let path = |name: &str| folder.path().join(name).to_str().unwrap().parse().unwrap();
    Home {
        socket: path("haproxy.sock"),
        socket_group: None,
        run_as: None,
        map: path("routes.map"),
        peers: path("peers.lst"),
        tls: TlsFiles {
            folder: path("certs"),
            list: path("certs/list"),
            secured: path("https.map"),
            strict: path("hsts.map"),
            challenge: path("acme.map"),
        },
        bind: Ipv4Addr::LOCALHOST,
    }
}

/// `haproxy -c`: its words if it does not accept the file.
pub fn accepts(ingress: &Ingress, folder: &tempfile::TempDir) -> Result<(), String> {
    accepted_by(&program(), ingress, folder)
}

/// The same of one HAProxy among several.
pub fn accepted_by(program: &Path, ingress: &Ingress, folder: &tempfile::TempDir) -> Result<(), String> {
    write(ingress, folder);
    let out = Command::new(program).args(["-c", "-f"]).arg(folder.path().join("haproxy.cfg")).output().unwrap();
    // A warning is a defect too: it would stand in every host's journal.
    let words = String::from_utf8_lossy(&out.stderr).into_owned();
    if out.status.success() && !words.contains("WARNING") { Ok(()) } else { Err(words) }
}

fn write(ingress: &Ingress, folder: &tempfile::TempDir) {
    std::fs::write(folder.path().join("haproxy.cfg"), ingress.haproxy_cfg()).unwrap();
    std::fs::write(folder.path().join("routes.map"), ingress.routes_map()).unwrap();
    if let Some(tls) = &ingress.tls {
        let files = &ingress.home.tls;
        std::fs::create_dir_all(files.folder.as_ref()).unwrap();
        std::fs::write(files.list.as_ref(), tls.list(files)).unwrap();
        for (map, entries) in tls.maps(files) {
            std::fs::write(map.as_ref(), tls::map_text(&entries)).unwrap();
        }
    }
}

/// Looks until it is so.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        match look() {
            Some(seen) => return seen,
            None => assert!(Instant::now() < end, "{what}: not within {LIMIT:?}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Proxy {
    /// Starts a proxy with what `fill` puts into it.
    pub fn start(fill: impl FnOnce(&mut Ingress)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ingress = Ingress::empty(home(&folder), free_port());
        fill(&mut ingress);
        write(&ingress, &folder);
        let master = format!("{},level,admin", folder.path().join("master.sock").display());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program())
            .args(["-W", "-db", "-S", &master, "-f"])
            .arg(folder.path().join("haproxy.cfg"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let proxy = Self { ingress, folder, child };
        until("HAProxy listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).ok());
        until("its sockets answer", || proxy.ask("haproxy.sock", "show info").and(proxy.processes().worker));
        proxy
    }

    pub fn port(&self) -> u16 {
        self.ingress.http_port
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes file and map as they are now wanted.
    pub fn write(&self) {
        write(&self.ingress, &self.folder);
    }

    fn ask(&self, socket: &str, line: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.path(socket)).ok()?;
        stream.set_read_timeout(Some(LIMIT)).ok()?;
        stream.write_all(format!("{line}\n").as_bytes()).ok()?;
        // The master closes only when its client has.
        stream.shutdown(Shutdown::Write).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Says one line to the running proxy.
    pub fn say(&self, line: &str) -> String {
        self.ask("haproxy.sock", line).unwrap()
    }

    /// Says lines one by one, and how each was answered.
    pub fn tell(&self, lines: &[String]) -> Vec<Answer> {
        lines.iter().map(|line| read_answer(&self.say(line))).collect()
    }

    pub fn servers(&self) -> Vec<ServerSeen> {
        read_servers(&self.say("show servers state"))
    }

    pub fn processes(&self) -> ProxyProcesses {
        self.ask("master.sock", "show proc").map(|text| read_processes(&text)).unwrap_or_default()
    }

    /// Reloads, and waits until the master has tried.
    pub fn reload(&self) -> ProxyProcesses {
        let before = self.processes().reloads;
        self.ask("master.sock", "reload");
        let answers = || self.ask("haproxy.sock", "show info").and_then(|said| read_pid(&said));
        // Done when the new worker answers, or when there is none.
        let over = |now: &ProxyProcesses| now.failed > 0 || now.worker.is_some_and(|one| Some(one.pid) == answers());
        until("the master has reloaded", || Some(self.processes()).filter(|now| now.reloads > before && over(now)))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // SIGTERM to the master, which ends its workers; old ones that still have connections are not waited for.
        let pid = self.child.id().to_string();
        let old: Vec<String> = self.processes().old.iter().map(|p| p.pid.to_string()).collect();
        let _ = Command::new("/bin/kill").args(["-TERM", &pid]).args(&old).status();
        let _ = self.child.wait();
    }
}
