//! Packages of one run, made by `bin/package`, with keys of their own.

use std::path::{Path, PathBuf};

use crate::harness::host::{app_program, run};

/// The repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Packages of this run, in a folder each, and a key of its own.
pub struct Shelf {
    /// The folder of all of them.
    pub folder: PathBuf,
}

impl Shelf {
    pub async fn new(name: &str) -> Self {
        let folder = Path::new(ROOT).join("target/rig").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for key in ["key", "other-key"] {
            let file = folder.join(key);
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]).await.must("a key");
        }
        let program = folder.join("skiff");
        // The program of these tests, or the one that is shipped: memory is weighed with that one.
        let built = std::env::var("SKIFF_TEST_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_skiff").to_owned());
        run("strip", &["-o", program.to_str().unwrap(), &built]).await.must("strip");
        std::fs::copy(app_program().await, folder.join("hello")).unwrap();
        std::fs::copy(Path::new(ROOT).join("samples/hello/Dockerfile"), folder.join("Dockerfile")).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// Packs a program as this version into the folder of that name.
    pub async fn pack(&self, version: &str, program: &str, key: &str) {
        self.pack_into(version, version, program, key).await;
    }

    pub async fn pack_into(&self, folder: &str, version: &str, program: &str, key: &str) {
        run(
            "env",
            &[
                &format!("SKIFF_VERSION={version}"),
                "SOURCE_DATE_EPOCH=1800000000",
                &format!("SKIFF_SIGNING_KEY={}", self.path(key)),
                &format!("{ROOT}/bin/package"),
                "--quick",
                "--pack",
                &self.path(program),
                "--out",
                &self.path(folder),
            ],
        )
        .await
        .must("bin/package");
    }

    /// The program under test as this version.
    pub async fn good(&self, version: &str) {
        self.pack(version, "skiff", "key").await;
    }

    /// Another program as this version.
    pub async fn broken(&self, version: &str, program: &str) {
        std::fs::write(self.folder.join("broken"), program).unwrap();
        self.pack(version, "broken", "key").await;
    }

    /// The program under test, in a package that first runs this on the server.
    pub async fn with_preinst(&self, version: &str, preinst: &str) {
        self.good(version).await;
        std::fs::write(self.folder.join("preinst"), preinst).unwrap();
        let script = format!(
            "cd {folder}/{version}; deb=$(echo skiff_*.deb); dpkg-deb -R $deb tree; install -m 755 ../preinst tree/DEBIAN/preinst; \
             dpkg-deb --root-owner-group -Zgzip -z1 -b tree $deb; rm -r tree SHA256SUMS.sig; sha256sum $deb > SHA256SUMS; \
             ssh-keygen -q -Y sign -f ../key -n skiff-release SHA256SUMS",
            folder = self.folder.display()
        );
        run("bash", &["-ec", &script]).await.must("a package with a preinst");
    }
}
