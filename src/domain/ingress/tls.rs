//! HTTPS: the certificates a proxy serves, where plain HTTP leads, who is told to come by HTTPS only, the answers to an ACME
//! server, and the way to the panel itself.
//!
//! All of it but the port stands in lists that are changed while the proxy runs. A name that no certificate is for gets no answer: the
//! handshake ends, which tells a browser more truly than another name's certificate would.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{FilePath, Home};
use crate::domain::ids::CertificateId;
use crate::domain::names::{Domain, checked_text};

/// The backend that leads to the panel.
pub const PANEL: &str = "panel";
/// The path below which the panel proves that a name leads to it; nothing else of it is answered over plain HTTP.
pub const PROOF_PATH: &str = "/.well-known/skiff-panel/";
/// The key of the thumbprint in its list.
const THUMBPRINT: &str = "thumbprint";
/// For how long a browser remembers to come by HTTPS only: a year, as the preload lists want.
const HSTS: &str = "max-age=31536000";
/// HAProxy reads a command with what follows it into one buffer of 16 KiB; a longer certificate comes by a reload.
pub const MAX_LIVE_BYTES: usize = 15_000;

checked_text! {
    /// The thumbprint of an ACME account's key (RFC 7638 in RFC 8555 §8.1): 43 characters of base64url.
    Thumbprint = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if text.len() == 43 && text.chars().all(plain) { Ok(text.to_owned()) } else { Err("A thumbprint has 43 characters of base64url.") }
    };
}

/// What HTTPS needs of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The port it listens on.
    pub port: u16,
    /// The certificates it serves.
    pub certificates: BTreeSet<CertificateId>,
    /// The names that some of them are served for, where these are not all of their own: `!shop.example.org` is left out of a star.
    pub names: BTreeMap<CertificateId, BTreeSet<String>>,
    /// The domains that a certificate is served for: plain HTTP leads there.
    pub secured: BTreeSet<Domain>,
    /// The domains whose browsers are told to come by HTTPS only.
    pub strict: BTreeSet<Domain>,
    /// What an ACME server is answered.
    pub challenge: Option<Thumbprint>,
    /// The panel, where it is reached through this proxy.
    pub panel: Option<PanelDoor>,
}

/// The panel behind a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelDoor {
    /// Its names: the one it is known by, and one on trial.
    pub names: BTreeSet<Domain>,
    /// Where it listens on the host's loopback.
    pub port: u16,
}

/// The lists of a proxy that HTTPS has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates, a file each.
    pub folder: FilePath,
    /// Their list.
    pub list: FilePath,
    /// Where plain HTTP leads.
    pub secured: FilePath,
    /// Who is told to come by HTTPS only.
    pub strict: FilePath,
    /// What an ACME server is answered.
    pub challenge: FilePath,
}

impl Default for TlsFiles {
    fn default() -> Self {
        let path = |text: &str| text.parse().unwrap_or_else(|_| unreachable!("a constant path"));
        Self {
            folder: path("/etc/skiff/certs"),
            list: path("/etc/skiff/certs/list"),
            secured: path("/etc/skiff/maps/https.map"),
            strict: path("/etc/skiff/maps/hsts.map"),
            challenge: path("/etc/skiff/maps/acme.map"),
        }
    }
}

impl TlsFiles {
    /// The file of a certificate, chain and key.
    pub fn certificate(&self, id: CertificateId) -> String {
        format!("{}/{}.pem", self.folder, id.simple())
    }

    /// The certificate of such a file; none where it is not one of ours.
    pub fn named(&self, path: &str) -> Option<CertificateId> {
        let name = path.strip_prefix(self.folder.as_ref())?.strip_prefix('/')?.strip_suffix(".pem")?;
        Some(CertificateId(uuid::Uuid::try_parse(name).ok().filter(|id| id.simple().to_string() == name)?))
    }
}

impl Tls {
    /// Nothing served yet.
    pub fn empty(port: u16) -> Self {
        Self {
            port,
            certificates: BTreeSet::new(),
            names: BTreeMap::new(),
            secured: BTreeSet::new(),
            strict: BTreeSet::new(),
            challenge: None,
            panel: None,
        }
    }

    /// The list of certificates.
    pub fn list(&self, files: &TlsFiles) -> String {
        self.certificates.iter().map(|id| self.line(files, *id)).collect()
    }

    /// The line of one in it: its file, and the names that it is served for where these are not all of its own.
    fn line(&self, files: &TlsFiles, id: CertificateId) -> String {
        let mut line = files.certificate(id);
        for name in self.names.get(&id).into_iter().flatten() {
            line.push(' ');
            line.push_str(name);
        }
        line.push('\n');
        line
    }

    /// What has a certificate served: a line for the running proxy, and the text after it.
    pub fn enlist(&self, files: &TlsFiles, id: CertificateId) -> (String, Option<String>) {
        match self.names.contains_key(&id) {
            true => (format!("add ssl crt-list {}", files.list), Some(self.line(files, id))),
            false => (format!("add ssl crt-list {} {}", files.list, files.certificate(id)), None),
        }
    }

    /// What makes the running proxy's list that of the [`list`](Self::list) for those that are in it: the certificates to enlist once more,
    /// and the entries that go after that. A name that moves from one to another is served all the time.
    pub fn relist<'a>(&self, listed: &'a [Listed]) -> (Vec<CertificateId>, Vec<&'a Listed>) {
        let (mut right, mut known) = (BTreeSet::new(), BTreeSet::new());
        let mut gone = Vec::new();
        for entry in listed.iter().filter(|entry| self.certificates.contains(&entry.id)) {
            known.insert(entry.id);
            let same = entry.names.iter().eq(self.names.get(&entry.id).into_iter().flatten());
            // Of several that are the same one stays.
            if !same || !right.insert(entry.id) {
                gone.push(entry);
            }
        }
        (known.difference(&right).copied().collect(), gone)
    }

    /// Where plain HTTP leads, by domain.
    pub fn secured_entries(&self) -> BTreeMap<String, String> {
        let to = |domain: &Domain| match self.port {
            443 => format!("https://{domain}"),
            port => format!("https://{domain}:{port}"),
        };
        self.secured.iter().map(|domain| (domain.to_string(), to(domain))).collect()
    }

    /// What browsers are told, by domain.
    pub fn strict_entries(&self) -> BTreeMap<String, String> {
        let both = self.strict.intersection(&self.secured);
        both.map(|domain| (domain.to_string(), HSTS.to_owned())).collect()
    }

    /// What an ACME server is answered.
    pub fn challenge_entries(&self) -> BTreeMap<String, String> {
        self.challenge.iter().map(|thumbprint| (THUMBPRINT.to_owned(), thumbprint.to_string())).collect()
    }

    /// The lists that are maps, each with its file and what shall be in it.
    pub fn maps<'a>(&self, files: &'a TlsFiles) -> [(&'a FilePath, BTreeMap<String, String>); 3] {
        [
            (&files.secured, self.secured_entries()),
            (&files.strict, self.strict_entries()),
            (&files.challenge, self.challenge_entries()),
        ]
    }
}

/// A map's file.
pub fn map_text(entries: &BTreeMap<String, String>) -> String {
    entries.iter().map(|(key, value)| format!("{key} {value}\n")).collect()
}

/// What stands in the file for the whole process.
pub(super) const GLOBAL: &str = "    # Mozilla's intermediate recommendation.
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
";

/// The line HTTPS listens on, beside that of plain HTTP: without any certificate too, it waits for the first.
pub(super) fn bind(text: &mut String, home: &Home, tls: &Tls) {
    let _ = write!(
        text,
        "    # A name without a certificate ends the handshake.
    bind {}:{} ssl crt-list {} strict-sni alpn h2,http/1.1
",
        home.bind, tls.port, home.tls.list
    );
}

/// What comes before all other rules of a request: an ACME server is answered, and plain HTTP leads on where there is a certificate.
/// Where one before us is believed, what it took by HTTPS has been led on already: `by_https` says when.
pub(super) fn first_rules(text: &mut String, home: &Home, by_https: Option<&str>) {
    let TlsFiles { secured, challenge, .. } = &home.tls;
    let or = by_https.map(|condition| format!(" || {condition}")).unwrap_or_default();
    let _ = write!(
        text,
        "    # An ACME server is answered for every name.
    http-request return status 200 content-type text/plain lf-string \"%[path,field(4,/)].%[str({THUMBPRINT}),map({challenge})]\" if {{ path_reg ^/\\.well-known/acme-challenge/[A-Za-z0-9_-]+$ }} {{ str({THUMBPRINT}),map({challenge}) -m found }}
    http-request set-var(txn.https) req.hdr(host),field(1,:),rtrim(.),lower,map({secured}) unless {{ ssl_fc }}{or}
    http-request redirect prefix %[var(txn.https)] code 308 if {{ var(txn.https) -m found }} !{{ path_beg /.well-known/acme-challenge/ }}
"
    );
}

/// What comes once it is known where a request belongs: nobody's password goes to the panel in the clear, and browsers are told to come
/// by HTTPS only where that is wanted.
pub(super) fn routed_rules(text: &mut String, home: &Home) {
    let strict = &home.tls.strict;
    let _ = write!(
        text,
        "    http-request return status 403 content-type text/plain string \"This panel is reached by https only.\\n\" if {{ var(txn.slot) -m str {PANEL} }} !{{ ssl_fc }} !{{ path_beg {PROOF_PATH} }}
    http-request set-var(txn.hsts) req.hdr(host),field(1,:),rtrim(.),lower,map({strict}) if {{ ssl_fc }}
    http-after-response set-header Strict-Transport-Security %[var(txn.hsts)] if {{ var(txn.hsts) -m found }}
"
    );
}

/// The panel's backend: there on every host, so that a panel that moves needs no reload.
pub(super) fn panel_backend(text: &mut String, tls: &Tls) {
    let _ = write!(text, "\n# The panel itself, where it is reached through this proxy.\nbackend {PANEL}\n");
    if let Some(panel) = &tls.panel {
        let _ = writeln!(text, "    server {}", door(panel));
    }
}

fn door(panel: &PanelDoor) -> String {
    format!("{} 127.0.0.1:{}", door_name(panel.port), panel.port)
}

/// The server's name has its port in it: another port is another server.
fn door_name(port: u16) -> String {
    format!("door-{port}")
}

/// The lines that make the running proxy lead to the panel: the new door first, what led elsewhere after it.
pub fn panel_changes(tls: &Tls, running: &[String]) -> Vec<String> {
    let wanted = tls.panel.as_ref().map(|panel| door_name(panel.port));
    let mut lines = Vec::new();
    if let (Some(panel), Some(name)) = (&tls.panel, &wanted) {
        if !running.contains(name) {
            lines.push(format!("add server {PANEL}/{}", door(panel)));
        }
        lines.push(format!("set server {PANEL}/{name} state ready"));
    }
    let ours = |name: &&String| {
        name.strip_prefix("door-").is_some_and(|port| port.parse::<u16>().is_ok()) && Some(*name) != wanted.as_ref()
    };
    for name in running.iter().filter(ours) {
        lines.push(format!("set server {PANEL}/{name} state maint"));
        lines.push(format!("shutdown sessions server {PANEL}/{name}"));
    }
    lines
}

/// The servers of the panel's backend, of `show servers state`.
pub fn read_doors(text: &str) -> Vec<String> {
    let lines = text.lines().take(super::answers::MAX_LINES);
    let words = lines.map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    words.filter(|words| words.get(1) == Some(&PANEL)).filter_map(|words| Some((*words.get(3)?).to_owned())).collect()
}

/// The certificates that the running proxy has in its memory: of `show ssl cert`. Those that are being changed have a star.
pub fn read_stored(text: &str, files: &TlsFiles) -> BTreeSet<CertificateId> {
    let lines = text.lines().take(super::answers::MAX_LINES);
    lines.filter_map(|line| files.named(line.trim().trim_start_matches('*'))).collect()
}

/// An entry of the running proxy's list of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The certificate.
    pub id: CertificateId,
    /// The entry's number, which tells several of one certificate apart.
    pub number: u32,
    /// The names it is served for; none where these are all of its own.
    pub names: BTreeSet<String>,
}

/// What the running proxy serves: of `show ssl crt-list -n`, in which each line is a file, a colon, a number, and names.
pub fn read_listed(text: &str, files: &TlsFiles) -> Vec<Listed> {
    let read = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (path, number) = words.next()?.rsplit_once(':')?;
        Some(Listed { id: files.named(path)?, number: number.parse().ok()?, names: words.map(str::to_owned).collect() })
    };
    text.lines().take(super::answers::MAX_LINES).filter_map(read).collect()
}

/// True where it was not done because another client is at work on certificates in this moment.
pub fn is_locked(answer: &str) -> bool {
    answer.to_ascii_lowercase().contains("certificates are currently locked")
}

/// True where a certificate was not put in place because the change of another one is open.
pub fn is_behind(answer: &str) -> bool {
    answer.to_ascii_lowercase().contains("ongoing transaction is about")
}

/// True where what was offered for this file is not in a change of it: HAProxy has one open change for all, and 2.6 puts what is offered for
/// any file into that.
pub fn is_of_another(answer: &str, file: &str) -> bool {
    is_behind(answer) || (answer.contains("Transaction updated") && !answer.contains(file))
}

/// The certificate whose change is open, of such an answer; none where the file is somebody else's.
pub fn read_behind(answer: &str, files: &TlsFiles) -> Option<CertificateId> {
    let word = |word: &str| files.named(word.trim_matches(['\'', '!']));
    answer.split_ascii_whitespace().find_map(word)
}

/// The certificate whose change is open in this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// One of ours.
    Ours(CertificateId),
    /// A file of somebody else's.
    Foreign,
}

/// Whose change is open: of `show ssl cert`, which has it first, with a star.
pub fn read_open(text: &str, files: &TlsFiles) -> Option<Open> {
    let file = text.lines().take(4).find_map(|line| line.trim().strip_prefix('*'))?;
    Some(files.named(file).map_or(Open::Foreign, Open::Ours))
}

/// The serial number of what the running proxy has: of `show ssl cert FILE`.
pub fn read_serial(text: &str) -> Option<String> {
    let line = text.lines().take(40).find_map(|line| line.strip_prefix("Serial:"))?;
    let serial = line.trim();
    (serial.len() <= 64 && serial.chars().all(|c| c.is_ascii_hexdigit())).then(|| serial.to_owned())
}

/// True where both are the same number: one may have zeros before it.
pub fn same_serial(one: &str, other: &str) -> bool {
    one.trim_start_matches('0').eq_ignore_ascii_case(other.trim_start_matches('0'))
}

/// The line before a certificate's text, after which the text follows.
pub fn offer(files: &TlsFiles, id: CertificateId) -> String {
    format!("set ssl cert {}", files.certificate(id))
}

/// The line that makes room for a certificate that the running proxy does not have.
pub fn announce(files: &TlsFiles, id: CertificateId) -> String {
    format!("new ssl cert {}", files.certificate(id))
}

/// The line that puts what was offered in place.
pub fn commit(files: &TlsFiles, id: CertificateId) -> String {
    format!("commit ssl cert {}", files.certificate(id))
}

/// The line that takes back what was offered.
pub fn abort(files: &TlsFiles, id: CertificateId) -> String {
    format!("abort ssl cert {}", files.certificate(id))
}

/// The line that ends an entry of the list.
pub fn delist(files: &TlsFiles, entry: &Listed) -> String {
    format!("del ssl crt-list {} {}:{}", files.list, files.certificate(entry.id), entry.number)
}

/// The lines that take a certificate out of the running proxy, which has it listed so.
pub fn discard(files: &TlsFiles, id: CertificateId, listed: &[Listed]) -> Vec<String> {
    let entries = listed.iter().filter(|entry| entry.id == id).map(|entry| delist(files, entry));
    entries.chain([format!("del ssl cert {}", files.certificate(id))]).collect()
}

/// True where a certificate was not taken out because something names it still.
pub fn is_used(answer: &str) -> bool {
    answer.contains("in use")
}
