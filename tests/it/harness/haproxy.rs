//! Which HAProxy the cases run with: this machine's, or the one that `SKIFF_TEST_HAPROXY` names, such as those that
//! `tests/rig/haproxy` makes.

use std::path::PathBuf;

use super::host::TestHost;

/// The one named for this run.
const NAMED: &str = "SKIFF_TEST_HAPROXY";
/// This machine's.
const OWN: &str = "/usr/sbin/haproxy";
/// Where a host finds another one before its own.
const FIRST: &str = "/usr/local/sbin/haproxy";
/// Makes and names the others.
const RIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/haproxy");

/// The program of this run.
pub fn program() -> PathBuf {
    named().unwrap_or_else(|| OWN.into())
}

/// The other one that was named, if any.
pub fn named() -> Option<PathBuf> {
    std::env::var_os(NAMED).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// All that are here without fetching one.
pub async fn kept() -> Vec<PathBuf> {
    let listed = super::host::run(RIG, &["--kept"]).await.must("the versions are listed");
    listed.lines().map(PathBuf::from).collect()
}

/// One of this version, fetched where it is not here.
pub async fn of_version(version: &str) -> PathBuf {
    super::host::run(RIG, &[version]).await.must("the version is made").trim().into()
}

/// What it calls itself: `2.8.5`.
pub async fn version(program: &std::path::Path) -> String {
    let said = super::host::run(program.to_str().unwrap(), &["-v"]).await.must("haproxy -v");
    said.split_whitespace().nth(2).unwrap_or_default().split('-').next().unwrap_or_default().to_owned()
}

/// Puts another one in the place of a host's own, as an upgrade by apt does: under the same name, whole, while the former runs.
pub async fn install(host: &TestHost, program: &std::path::Path) {
    let put = format!("ln -sfn {} {FIRST}.new && mv -T {FIRST}.new {FIRST}", program.display());
    host.enter(&["/bin/bash", "-ec", &put]).await.must("it is put there");
    let said = host.enter(&[FIRST, "-v"]).await.must("haproxy -v");
    assert!(said.contains(&format!(" version {}", version(program).await)), "{said}");
}

/// The variable and its value for a run with this one.
pub fn chosen(program: &std::path::Path) -> (&'static str, std::ffi::OsString) {
    (NAMED, program.into())
}
