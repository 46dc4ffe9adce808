//! A program is packed for the systems that can load it: what it needs of the C library counts, not what is on the machine that packs it.

use super::server::last;
use super::shelf::Shelf;
use crate::harness::host::{Said, run};

/// A C library of tomorrow's that is only its version, and programs that need it and that only use it where it is there.
const BUILD: &str = r#"set -e; cd "$1"
echo 'int tomorrow(void) { return 1; }' > library.c; echo 'GLIBC_2.99 { tomorrow; };' > library.map
cc -shared -nostdlib -fPIC -Wl,-soname,libc.so.6 -Wl,--version-script,library.map -o library.so library.c
echo 'int tomorrow(void); void _start(void) { tomorrow(); }' > newer.c
cc -nostdlib -o newer newer.c ./library.so"#;

async fn pack(shelf: &Shelf, program: &str, more: &[&str]) -> Said {
    let (version, key) = ("SKIFF_VERSION=1.0", format!("SKIFF_SIGNING_KEY={}", shelf.path("key")));
    let package = format!("{}/bin/package", env!("CARGO_MANIFEST_DIR"));
    let (from, to) = (shelf.path(program), shelf.path("out"));
    let all = ["SOURCE_DATE_EPOCH=1800000000", version, &key, &package, "--quick", "--pack", &from, "--out", &to];
    run("env", &[&all[..], more].concat()).await
}

#[tokio::test]
async fn what_debian_12_cannot_load_is_packed_for_newer_systems_alone() {
    let shelf = Shelf::new("package-glibc").await;
    run("bash", &["-c", BUILD, "build", shelf.folder.to_str().unwrap()]).await.must("a program of tomorrow's");
    let said = last(pack(&shelf, "newer", &[]).await);
    assert!(said.contains("newer needs the C library 2.99 or newer, and Debian 12 has 2.36"), "{said}");
    assert!(said.ends_with("--any-glibc"), "{said}");
    assert!(!shelf.folder.join("out").exists(), "nothing was packed");

    let control = async |field: &str| run("dpkg-deb", &["-f", &shelf.path("out/skiff_1.0_amd64.deb"), field]).await.out;
    let told = pack(&shelf, "newer", &["--any-glibc"]).await.must("--any-glibc");
    assert!(told.contains("For systems with the C library 2.99 or newer: not for Debian 12"), "{told}");
    assert!(control("Depends").await.starts_with("libc6 (>= 2.99), "));
    // Whoever installs it is told before anything is done.
    let install = shelf.path("out/install.sh");
    let script = format!("eval \"$(sed -e '/^main \"\\$@\"$/d' '{install}')\"; system_suits");
    let said = run("bash", &["-c", &script]).await;
    assert_ne!(said.status, 0, "{}", said.out);
    assert!(said.err.contains("this package was built for the C library 2.99 or newer, and "), "{}", said.err);
    assert!(said.err.contains("#a-machine-it-is-not-for"), "{}", said.err);

    // The program under test: with what it needs, and nothing in the way of a machine that has it.
    let told = pack(&shelf, "skiff", &[]).await.must("the program under test");
    assert!(told.contains("For Debian 12 and 13 and Ubuntu 24.04 (it needs the C library 2."), "{told}");
    assert!(control("Depends").await.starts_with("libc6 (>= 2."));
}
