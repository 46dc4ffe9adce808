//! A small machine lends the compiler memory: a swap file that is there for as long as it builds.

use std::path::Path;

use crate::harness::host::{Said, run};

/// Runs `THEN` between lending and taking back, on a machine of 100 MB where the compiler takes 164.
async fn lend(folder: &Path, settings: &str, then: &str) -> Said {
    let root = env!("CARGO_MANIFEST_DIR");
    let small = "MemAvailable: 102400 kB\nSwapFree: 0 kB\n";
    std::fs::write(folder.join("meminfo"), small).unwrap();
    let folder = folder.to_str().unwrap();
    let script = format!(
        "set -euo pipefail; FOLDER={folder}; MEMINFO={folder}/meminfo COMPILER_MB=164 KEEP_FREE_MB=0; {settings}
        . {root}/package/memory.bash; trap take_memory_back EXIT; lend_memory {folder}; {then}"
    );
    run("bash", &["-c", &script]).await
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn swaps() -> String {
    std::fs::read_to_string("/proc/swaps").unwrap()
}

#[tokio::test]
async fn swap_is_there_while_the_compiler_runs_and_gone_afterwards() {
    let folder = folder("package-memory");
    let name = folder.join("compiler.").to_str().unwrap().to_owned();
    let left = || std::fs::read_dir(&folder).unwrap().count() - 1;
    let here = "grep -F compiler.$$.swap /proc/swaps; stat -c %a \"$LENT\"";
    let said = lend(&folder, "", here).await.must("lending");
    assert!(
        said.contains("100 MB of memory are free") && said.contains("64 MB of swap are there while it builds"),
        "{said}"
    );
    assert!(said.contains(&name) && said.contains("65532"), "{said}");
    assert!(said.ends_with("600\n"), "nobody else reads what was in memory: {said}");
    assert!(left() == 0 && !swaps().contains(&name), "{}", swaps());

    // Also where the build fails; and what a killed run left goes with the next, which makes all that it lacks.
    let said = lend(&folder, "", "false").await;
    assert_ne!(said.status, 0);
    assert!(left() == 0 && !swaps().contains(&name), "{}", swaps());
    for settings in ["COMPILER_MB=90", ""] {
        let killed = lend(&folder, "", "kill -9 $$").await;
        assert_eq!(killed.status, -1, "{}{}", killed.out, killed.err);
        assert!(swaps().contains(&name), "{}", swaps());
        let said = lend(&folder, settings, "grep -F compiler /proc/swaps || echo none").await.must("the next run");
        assert_eq!(said.matches(&name).count(), usize::from(settings.is_empty()), "{said}");
        assert_eq!(said.contains("65532"), settings.is_empty(), "{said}");
        assert!(left() == 0 && !swaps().contains(&name), "{}", swaps());
    }

    // A name with blanks, and another run that goes on.
    let blank = folder.join("with a blank");
    std::fs::create_dir(&blank).unwrap();
    let nested = "lend_memory \"$FOLDER/with a blank\"; grep -F 'with\\040a\\040blank/compiler' /proc/swaps; false";
    let said = lend(&folder, "MEMINFO=\"$FOLDER/meminfo\"", &format!("take_memory_back; {nested}")).await;
    assert!(said.out.contains("65532"), "{}{}", said.out, said.err);
    assert_eq!(std::fs::read_dir(&blank).unwrap().count(), 0);
    std::fs::remove_dir(&blank).unwrap();
    let other = folder.join(format!("compiler.{}.swap", std::process::id()));
    std::fs::write(&other, "").unwrap();
    lend(&folder, "", "true").await.must("beside another");
    assert!(other.exists(), "what runs keeps its memory");
}

#[tokio::test]
async fn where_no_swap_can_be_made_it_is_said_and_built_all_the_same() {
    let folder = folder("package-memory-none");
    let enough = lend(&folder, "COMPILER_MB=90", "echo built").await.must("enough memory");
    assert_eq!(enough, "built\n");
    let full = lend(&folder, "KEEP_FREE_MB=100000000", "echo built").await.must("a full disk");
    assert!(full.contains("too little for 64 MB of swap beside the build") && full.ends_with("built\n"), "{full}");
    let not_root = lend(&folder, "id() { echo 1000; }", "echo built").await.must("no root");
    assert!(not_root.contains("give the machine 64 MB of swap.") && not_root.ends_with("built\n"), "{not_root}");
    let forbidden = "swapon() { echo \"swapon: $1: swapon failed: Operation not permitted\" >&2; return 1; }";
    let container = lend(&folder, forbidden, "echo built").await.must("a container");
    assert!(
        container.contains("makes no swap of its own: Operation not permitted.") && container.ends_with("built\n"),
        "{container}"
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left of it");
}
