//! The files of a commit as the builder gets them.

use std::collections::BTreeMap;
use std::io::Read;

use futures_util::{StreamExt, TryStreamExt};
use skiff::domain::deploy::Failure;
use skiff::domain::names::{CommitId, RepoPath};
use skiff::providers::git::{Access, Error, Files, Tree};

use super::repo::{Panel, Repo, main_branch, panel};
use crate::harness::host::run;

/// The repository's head in a panel that fetched it.
async fn fetched(repo: &Repo) -> (Panel, CommitId) {
    let panel = panel(Some(repo.root.path()), None).await;
    let url = repo.local();
    let repository = panel.at(&url, &Access::Public);
    let commit = panel.git.head(repository, &main_branch()).await.unwrap();
    panel.git.fetch(repository, &main_branch(), &commit).await.unwrap();
    (panel, commit)
}

/// Path → (kind and mode, content or link target).
type Listing = BTreeMap<String, (String, String)>;

struct Sent {
    files: Listing,
    dockerfile: String,
    bytes: Vec<u8>,
}

async fn send(panel: &Panel, commit: &CommitId, context: &str, dockerfile: &str) -> Result<Sent, Error> {
    let (context, dockerfile): (RepoPath, RepoPath) = (context.parse().unwrap(), dockerfile.parse().unwrap());
    let Tree { lfs, .. } = panel.git.inspect(panel.source, commit, Some(&dockerfile), &context).await?;
    let files = Files { commit, context: &context, dockerfile: &dockerfile, written: None, lfs };
    let archive = panel.git.archive(panel.source, files).await?;
    let fault = archive.fault.clone();
    let pieces: Result<Vec<_>, _> = archive.stream.try_collect().await;
    let bytes = match pieces {
        Ok(pieces) => pieces.concat(),
        Err(broke) => return Err(fault.take().unwrap_or_else(|| panic!("no reason for {broke}"))),
    };
    let mut files = Listing::new();
    for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let kind = format!("{:?} {:o}", entry.header().entry_type(), entry.header().mode().unwrap());
        let mut content = String::new();
        match entry.link_name_bytes() {
            Some(target) => content = String::from_utf8_lossy(&target).into_owned(),
            None => drop(entry.read_to_string(&mut content)),
        }
        files.insert(path, (kind, content));
    }
    Ok(Sent { files, dockerfile: archive.dockerfile.to_string(), bytes })
}

fn paths(sent: &Sent) -> Vec<&str> {
    sent.files.keys().map(String::as_str).filter(|path| !path.ends_with('/')).collect()
}

#[tokio::test]
async fn the_stream_is_the_commit_with_its_modes_and_links_and_is_the_same_each_time() {
    let repo = Repo::new();
    let deep = format!("{}/end.txt", ["a-rather-long-folder-name"; 12].join("/"));
    repo.write("Dockerfile", "FROM scratch\n").write("run", "#!x").write(&deep, "deep").write("ünï", "utf8");
    repo.write("kept.txt", "not ignored by attributes")
        .write(".gitattributes", "kept.txt export-ignore\nid.txt ident export-subst\n");
    repo.write("id.txt", "$Format:%H$\n");
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("outside")).unwrap();
    let mut mode = std::fs::metadata(repo.path().join("run")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(repo.path().join("run"), mode).unwrap();
    repo.commit("All");
    let (panel, commit) = fetched(&repo).await;
    let sent = send(&panel, &commit, ".", "Dockerfile").await.unwrap();
    assert_eq!(sent.dockerfile, "Dockerfile");
    let is = |path: &str, kind: &str, content: &str| {
        assert_eq!(sent.files.get(path), Some(&(kind.into(), content.into())), "{path}");
    };
    is("run", "Regular 755", "#!x");
    is("Dockerfile", "Regular 644", "FROM scratch\n");
    is(&deep, "Regular 644", "deep");
    is("ünï", "Regular 644", "utf8");
    is("kept.txt", "Regular 644", "not ignored by attributes");
    is("id.txt", "Regular 644", "$Format:%H$\n");
    // The link is sent as a link; its target was not read.
    is("outside", "Symlink 777", "/etc/passwd");
    let again = send(&panel, &commit, ".", "Dockerfile").await.unwrap();
    assert_eq!(sent.bytes, again.bytes);
    // GNU tar reads it too, checksums included.
    let file = panel.folder.path().join("sent.tar");
    std::fs::write(&file, &sent.bytes).unwrap();
    run("tar", &["--list", "--file", file.to_str().unwrap()]).await.must("GNU tar reads it");
}

#[tokio::test]
async fn dockerignore_leaves_out_what_it_names_but_never_the_dockerfile() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM scratch\n").write("a.log", "x").write("b/c.log", "x").write("src/main.rs", "x");
    repo.write("node_modules/x/y.js", "x").write("docs/keep.md", "x").write("docs/drop.md", "x");
    repo.write(".dockerignore", "**/*.log\nnode_modules\ndocs\n!docs/keep.md\nDockerfile\n");
    repo.write("other.Dockerfile", "FROM scratch\n").write("other.Dockerfile.dockerignore", "*\n!src\n").commit("All");
    let (panel, commit) = fetched(&repo).await;
    let sent = send(&panel, &commit, ".", "Dockerfile").await.unwrap();
    let wanted = [
        ".dockerignore",
        "Dockerfile",
        "docs/keep.md",
        "other.Dockerfile",
        "other.Dockerfile.dockerignore",
        "src/main.rs",
    ];
    assert_eq!(paths(&sent), wanted);
    let own = send(&panel, &commit, ".", "other.Dockerfile").await.unwrap();
    assert_eq!(paths(&own), ["other.Dockerfile", "src/main.rs"]);
}

#[tokio::test]
async fn a_folder_is_sent_alone_and_a_dockerfile_outside_of_it_comes_along() {
    let repo = Repo::new();
    repo.write("services/api/Dockerfile", "FROM scratch\n").write("services/api/x", "x").write("services/web/y", "y");
    repo.write("docker/api.Dockerfile", "FROM scratch\n# outside\n")
        .write("services/api/.dockerignore", "x\n")
        .commit("All");
    let (panel, commit) = fetched(&repo).await;
    let inside = send(&panel, &commit, "services/api", "services/api/Dockerfile").await.unwrap();
    assert_eq!((inside.dockerfile.as_str(), paths(&inside)), ("Dockerfile", vec![".dockerignore", "Dockerfile"]));
    let outside = send(&panel, &commit, "services/web", "docker/api.Dockerfile").await.unwrap();
    assert_eq!(outside.files[&outside.dockerfile].1, "FROM scratch\n# outside\n");
    assert!(paths(&outside).contains(&"y"));
}

#[tokio::test]
async fn what_cannot_be_built_is_said_before_building() {
    let repo = Repo::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    repo.write("Dockerfile", "FROM scratch\n")
        .write("site/Dockerfile", "FROM scratch\n")
        .write("site/logo.psd", pointer);
    repo.write(".gitattributes", "*.psd filter=lfs diff=lfs merge=lfs -text\n")
        .write("plain/Dockerfile", "FROM scratch\n");
    std::os::unix::fs::symlink("Dockerfile", repo.path().join("linked")).unwrap();
    repo.commit("All");
    let (panel, commit) = fetched(&repo).await;
    let refused = |result: Result<Sent, Error>| match result {
        Err(Error::Failure(failure)) => failure,
        Err(other) => panic!("{other}"),
        Ok(sent) => panic!("sent {:?}", paths(&sent)),
    };
    let lfs = Failure::SourceUnsupported { what: "Git LFS".into() };
    assert_eq!(refused(send(&panel, &commit, "site", "site/Dockerfile").await), lfs);
    // The attribute alone is no obstacle: no pointer is in this folder.
    assert!(send(&panel, &commit, "plain", "plain/Dockerfile").await.is_ok());
    let missing = |path: &str| Failure::NoDockerfile { path: path.into() };
    for path in ["nothing", "site", "linked"] {
        assert_eq!(refused(send(&panel, &commit, ".", path).await), missing(path));
    }
    assert!(matches!(refused(send(&panel, &commit, "nowhere", "Dockerfile").await), Failure::Refused { .. }));

    let with_module = Repo::new();
    with_module.write("Dockerfile", "FROM scratch\n").commit("First");
    let head = with_module.git(&["rev-parse", "HEAD"]);
    with_module.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},lib/module", head.trim())]);
    with_module.git(&["commit", "--quiet", "--message", "Module"]);
    let (panel, commit) = fetched(&with_module).await;
    let (root, dockerfile) = (".".parse().unwrap(), "Dockerfile".parse().unwrap());
    assert!(panel.git.inspect(panel.source, &commit, Some(&dockerfile), &root).await.unwrap().submodules);
}

#[tokio::test]
async fn a_tree_made_to_lead_out_of_its_folder_is_refused() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM scratch\n").commit("First");
    // Git's own porcelain refuses such names, so the tree is written by hand.
    let blob = repo.git(&["rev-parse", "HEAD:Dockerfile"]).trim().to_owned();
    let list = repo.root.path().join("list");
    std::fs::write(&list, format!("100644 blob {blob}\tDockerfile\n100644 blob {blob}\t..\n")).unwrap();
    let tree = run_with_input(&repo, &["mktree"], &list);
    let commit = repo.git(&["commit-tree", tree.trim(), "-m", "Bad"]);
    repo.git(&["update-ref", "refs/heads/main", commit.trim()]);
    let (panel, commit) = fetched(&repo).await;
    match send(&panel, &commit, ".", "Dockerfile").await {
        Err(Error::Failure(_)) => {}
        other => panic!("{:?}", other.map(|sent| sent.files)),
    }
}

fn run_with_input(repo: &Repo, args: &[&str], input: &std::path::Path) -> String {
    let output = std::process::Command::new("/usr/bin/git")
        .current_dir(repo.path())
        .args(args)
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_large_folder_flows_without_being_held() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM scratch\n");
    for n in 0..10_u8 {
        let bytes = vec![n; 10_000_000];
        repo.write(&format!("data/{n}"), bytes);
    }
    repo.git(&["config", "core.compression", "0"]);
    repo.commit("Big");
    let (panel, commit) = fetched(&repo).await;
    let (root, dockerfile) = (".".parse().unwrap(), "Dockerfile".parse().unwrap());
    let files = Files { commit: &commit, context: &root, dockerfile: &dockerfile, written: None, lfs: false };
    let mut stream = panel.git.archive(panel.source, files).await.unwrap().stream;
    let mut total = 0;
    for _ in 0..10 {
        total += piece_of(&mut stream).await.unwrap();
    }
    // Nobody reads for a while: git waits at a full pipe, so at most a pipe and a buffer were taken from it ahead.
    let git = run("pgrep", &["--full", &format!("archive .*{commit}")]).await.must("git is at work");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let io = std::fs::read_to_string(format!("/proc/{}/io", git.trim())).unwrap();
    let written: usize = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap();
    assert!(written < total + 512 * 1024, "git wrote {written} while {total} were taken");
    while let Some(piece) = piece_of(&mut stream).await {
        total += piece;
    }
    assert!(total > 100_000_000, "{total}");
}

/// The size of the next piece.
async fn piece_of(
    stream: &mut (impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> + Unpin),
) -> Option<usize> {
    let piece = stream.next().await?.unwrap();
    assert!(piece.len() <= 128 * 1024);
    Some(piece.len())
}
