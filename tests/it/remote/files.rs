//! Files by SFTP: whole or as before.

use super::connected;
use crate::harness::host::TestHost;
use skiff::remote::{Error, File};

#[tokio::test]
async fn files_are_written_whole_with_their_folders_and_modes() {
    let rig = TestHost::bare().await;
    let host = connected(&rig).await;
    let big: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(3_000_000).collect();
    let files = [
        File { path: "/var/lib/skiff/apps/a/1/env", bytes: b"A=1\0B=two\nlines\0", mode: 0o600 },
        File { path: "/var/lib/skiff/apps/a/1/run.bash", bytes: b"#!/bin/bash\n", mode: 0o755 },
        File { path: "/var/lib/skiff/apps/a/1/empty", bytes: b"", mode: 0o666 },
        File { path: "/var/lib/skiff/big", bytes: &big, mode: 0o640 },
    ];
    // Twice: what is there is replaced.
    for _ in 0..2 {
        host.put_all(&files).await.unwrap();
    }
    for file in files {
        assert!(host.get(file.path).await.unwrap() == file.bytes, "{}", file.path);
        let mode = rig.enter(&["/usr/bin/stat", "-c", "%a", file.path]).await.out;
        assert_eq!(mode.trim(), format!("{:o}", file.mode));
    }
    let left = rig.enter(&["/usr/bin/find", "/var/lib/skiff", "-name", "*.new"]).await.out;
    assert_eq!(left, "", "nothing is left beside");

    host.remove_files(&["/var/lib/skiff/big", "/var/lib/skiff/never-was"]).await.unwrap();
    let gone = host.get("/var/lib/skiff/big").await;
    assert_eq!(gone, Err(Error::NotFound { detail: "/var/lib/skiff/big".to_owned() }));
    host.make_folders(&["/var/lib/skiff/x/y", "/var/lib/skiff/apps"]).await.unwrap();
    assert_eq!(rig.enter(&["/usr/bin/test", "-d", "/var/lib/skiff/x/y"]).await.status, 0);

    // What cannot be: a file where a folder should be, a path that is not ours, a file too large to be one of ours.
    assert!(host.put("/etc/hostname/x", b"", 0o600).await.is_err());
    assert!(host.put("relative", b"", 0o600).await.is_err());
    assert!(host.put("/var/lib/skiff/../x", b"", 0o600).await.is_err());
    rig.enter(&["/usr/bin/truncate", "-s", "9M", "/var/lib/skiff/large"]).await;
    assert!(matches!(host.get("/var/lib/skiff/large").await, Err(Error::TooMuch { .. })));
}

#[tokio::test]
async fn a_full_disk_is_named_and_the_old_file_stays() {
    let rig = TestHost::light_with_disk(300).await;
    let host = connected(&rig).await;
    host.put("/var/lib/skiff/conf", b"old", 0o600).await.unwrap();
    rig.fill_disk(200).await;
    let full = host.put("/var/lib/skiff/conf", &vec![b'x'; 3_000_000], 0o600).await;
    assert!(matches!(full, Err(Error::DiskFull { .. })), "{full:?}");
    assert_eq!(host.get("/var/lib/skiff/conf").await.unwrap(), b"old");
    rig.free_disk().await;
    let left = rig.enter(&["/usr/bin/find", "/var/lib/skiff", "-name", "*.new"]).await.out;
    assert_eq!(left, "");
    host.put("/var/lib/skiff/conf", b"new", 0o600).await.unwrap();
}
