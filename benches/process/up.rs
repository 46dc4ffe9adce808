//! `bin/up` on a fresh server, with a program that is built already, and once more.

use std::path::Path;
use std::time::Instant;

use crate::harness::host::{TestHost, app_program};

/// The seconds of the first and of the second run.
pub async fn twice(binary: &Path) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(binary, folder.path().join("skiff")).unwrap();
    std::fs::copy(app_program().await, folder.path().join("hello")).unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let host = TestHost::fresh(false, &[(repository, "/skiff"), (folder.path(), "/built")]).await;
    let up = async || {
        let began = Instant::now();
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let argv = ["env", "-i", "HOME=/root", path, "SKIFF_BINARY=/built/skiff", "/skiff/bin/up"];
        host.enter(&argv).await.must("bin/up");
        began.elapsed().as_secs_f64()
    };
    (up().await, up().await)
}
