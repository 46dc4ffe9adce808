//! Reading repositories: heads, commits, who may, and what stays behind.

use std::time::{Duration, Instant};

use skiff::domain::deploy::Failure;
use skiff::domain::names::GitUrl;
use skiff::domain::secret::Secret;
use skiff::providers::git::{Access, Error, Git};

use super::forge::{Behaviour, Forge};
use super::repo::{Panel, Repo, main_branch, panel};
use crate::harness::host::{TestHost, run};

fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> Failure {
    match result {
        Err(Error::Failure(failure)) => failure,
        other => panic!("expected a failure in words, got {other:?}"),
    }
}

fn token(token: &str) -> Access {
    Access::Token { user: "git".into(), token: Secret::new(token.into()) }
}

/// A repository with a Dockerfile and a second branch.
fn sample() -> Repo {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM scratch\nCOPY . /\n").write("index.html", "v1").commit("First");
    repo.git(&["branch", "feature/x"]);
    repo
}

/// Reads head, commit and files once.
async fn read_all(panel: &Panel, url: &GitUrl, access: &Access) -> Result<(), Error> {
    let repository = panel.at(url, access);
    let commit = panel.git.head(repository, &main_branch()).await?;
    panel.git.fetch(repository, &main_branch(), &commit).await?;
    let told = panel.git.describe(panel.source, &commit).await?;
    assert_eq!((told.id, told.author.as_str()), (commit, "Ada"));
    Ok(())
}

#[tokio::test]
async fn a_branch_s_head_is_found_over_https_and_its_commit_fetched_once() {
    let repo = sample();
    let forge = Forge::serve(repo.root.path(), Behaviour::default()).await;
    let panel = panel(None, Some(forge.ca_file.clone())).await;
    let url = forge.url("app/.git");
    read_all(&panel, &url, &Access::Public).await.unwrap();

    let (before, _) = forge.requests();
    let repository = panel.at(&url, &Access::Public);
    let commit = panel.git.head(repository, &main_branch()).await.unwrap();
    let asked = forge.requests().0;
    assert!(asked > before);
    panel.git.fetch(repository, &main_branch(), &commit).await.unwrap();
    assert_eq!(forge.requests().0, asked, "a commit that is there is not asked for again");

    let wrong = "mian".parse().unwrap();
    let found = failure(panel.git.head(repository, &wrong).await);
    assert_eq!(found, Failure::BranchNotFound { branch: wrong });
    let deep = panel.git.head(repository, &"x".parse().unwrap()).await;
    assert!(matches!(failure(deep), Failure::BranchNotFound { .. }), "feature/x is not x");
}

#[tokio::test]
async fn only_the_wanted_commit_travels_also_where_it_is_not_the_head_any_more() {
    let repo = sample();
    let old = repo.git(&["rev-parse", "HEAD"]).trim().parse().unwrap();
    for n in 0..5 {
        repo.write("index.html", format!("v{n}")).commit("More");
    }
    let url = repo.local();
    for any_sha in ["true", "false"] {
        repo.git(&["config", "uploadpack.allowAnySHA1InWant", any_sha]);
        let panel = panel(Some(repo.root.path()), None).await;
        let repository = panel.at(&url, &Access::Public);
        panel.git.fetch(repository, &main_branch(), &old).await.unwrap();
        assert_eq!(panel.git.describe(panel.source, &old).await.unwrap().subject, "First");
        let clone = panel.folder.path().join(format!("git data/sources/{}.git", panel.source.simple()));
        let count = run("/usr/bin/git", &["-C", clone.to_str().unwrap(), "rev-list", "--all", "--count"]).await.out;
        if any_sha == "true" {
            assert_eq!(count.trim(), "1", "one commit is fetched, not the history");
        }
        let gone = "0123456789012345678901234567890123456789".parse().unwrap();
        let found = failure(panel.git.fetch(repository, &main_branch(), &gone).await);
        assert_eq!(found, Failure::CommitNotFound { commit: gone });
    }
}

#[tokio::test]
async fn a_token_opens_and_only_at_its_own_host() {
    const CANARY: &str = "tok-canary-7d1f";
    let repo = sample();
    let password = Some(("git", CANARY));
    let forge = Forge::serve(repo.root.path(), Behaviour { password, ..Behaviour::default() }).await;
    let url = forge.url("app/.git");
    let panel_one = panel(None, Some(forge.ca_file.clone())).await;
    read_all(&panel_one, &url, &token(CANARY)).await.unwrap();
    assert_eq!(failure(read_all(&panel_one, &url, &token("wrong")).await), Failure::SourceDenied);
    assert_eq!(failure(read_all(&panel_one, &url, &Access::Public).await), Failure::SourceDenied);
    for file in panel_one.files() {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes()), "the token was left in {file:?}");
    }

    // A forge that redirects to another host (here: another port) does not get the other one the token.
    let other = Forge::serve(repo.root.path(), Behaviour { password, ..Behaviour::default() }).await;
    let to = Some(format!("https://localhost:{}", other.address.port()));
    let redirecting = Forge::serve(repo.root.path(), Behaviour { redirect: to, ..Behaviour::default() }).await;
    let both = panel_one.folder.path().join("both.pem");
    let certificates = [std::fs::read(&redirecting.ca_file).unwrap(), std::fs::read(&other.ca_file).unwrap()].concat();
    std::fs::write(&both, certificates).unwrap();
    let panel_two = panel(None, Some(both)).await;
    let found = failure(read_all(&panel_two, &redirecting.url("app/.git"), &token(CANARY)).await);
    assert_eq!(found, Failure::SourceDenied);
    let (asked, with_token) = other.requests();
    assert!(asked > 0, "the redirect was followed");
    assert_eq!(with_token, 0);
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_in_git_s_words_and_in_time() {
    let repo = sample();
    let panel_one = panel(None, None).await;
    // Nothing listens there.
    let closed: GitUrl = "https://127.0.0.1:9/app.git".parse().unwrap();
    match failure(read_all(&panel_one, &closed, &Access::Public).await) {
        Failure::SourceUnreachable { detail } => assert!(detail.contains("127.0.0.1"), "{detail}"),
        other => panic!("{other:?}"),
    }
    // A certificate nobody vouches for.
    let forge = Forge::serve(repo.root.path(), Behaviour::default()).await;
    match failure(read_all(&panel_one, &forge.url("app/.git"), &Access::Public).await) {
        Failure::SourceUnreachable { detail } => assert!(detail.contains("certificate"), "{detail}"),
        other => panic!("{other:?}"),
    }
    // No such repository.
    let panel_two = panel(None, Some(forge.ca_file.clone())).await;
    match failure(read_all(&panel_two, &forge.url("nothing.git"), &Access::Public).await) {
        Failure::SourceUnreachable { detail } => assert!(detail.contains("not found"), "{detail}"),
        other => panic!("{other:?}"),
    }
    // Local folders are another permission; a link does not lead out of the allowed one.
    let allowed = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(repo.path(), allowed.path().join("link")).unwrap();
    let through_link: GitUrl = format!("file://{}/link", allowed.path().display()).parse().unwrap();
    let panel_three = panel(Some(allowed.path()), None).await;
    for (panel, url) in [(&panel_one, repo.local()), (&panel_three, repo.local()), (&panel_three, through_link)] {
        let found = failure(read_all(panel, &url, &Access::Public).await);
        assert!(matches!(found, Failure::Refused { .. }), "{found:?}");
    }
}

#[tokio::test]
async fn a_dropped_call_ends_git_and_what_git_started() {
    let repo = sample();
    let forge = Forge::serve(repo.root.path(), Behaviour { silent: true, ..Behaviour::default() }).await;
    let panel = panel(None, Some(forge.ca_file.clone())).await;
    let url = forge.url("app/.git");
    let port = forge.address.port().to_string();
    let branch = main_branch();
    let access = token("cmdline-canary-93ab");
    let asking = panel.git.head(panel.at(&url, &access), &branch);
    let started = async {
        while forge.requests().0 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Git, its helpers and whatever else runs: the token is on nobody's command line.
        assert_ne!(run("pgrep", &["--full", "cmdline-canary[-]93ab"]).await.status, 0);
    };
    tokio::select! {
        _ = asking => panic!("a silent forge answered"),
        () = started => {}
    }
    let begun = Instant::now();
    while run("pgrep", &["--full", &format!("localhost:{port}/app")]).await.status == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "git's helper still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_deploy_key_opens_over_ssh_and_is_gone_after_the_call() {
    let repo = sample();
    let host = TestHost::bare().await;
    let bundle = repo.root.path().join("app.bundle");
    repo.git(&["bundle", "create", "--quiet", bundle.to_str().unwrap(), "--all"]);
    std::fs::copy(&bundle, host.path("/root/app.bundle")).unwrap();
    host.enter(&["git", "clone", "--quiet", "--bare", "/root/app.bundle", "/root/app.git"]).await.must("a repository");
    let url: GitUrl = format!("ssh://root@{}:{}/root/app.git", host.address, host.port).parse().unwrap();
    let key = Access::DeployKey(Secret::new(host.root_key.trim_end().to_owned()));
    let panel = panel(None, None).await;
    read_all(&panel, &url, &key).await.unwrap();
    let scp: GitUrl = format!("root@{}:app.git", host.address).parse().unwrap();
    read_all(&panel, &scp, &key).await.unwrap();
    let secret = host.root_key.lines().nth(2).unwrap();
    for file in panel.files() {
        assert!(
            !String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains(secret),
            "the key was left in {file:?}"
        );
    }

    assert_eq!(failure(read_all(&panel, &url, &Access::Public).await), Failure::SourceDenied);
    let other = TestHost::bare().await;
    let stranger = Access::DeployKey(Secret::new(other.root_key.clone()));
    assert_eq!(failure(read_all(&panel, &url, &stranger).await), Failure::SourceDenied);
    let nonsense = Access::DeployKey(Secret::new("not a key".into()));
    assert_eq!(failure(read_all(&panel, &url, &nonsense).await), Failure::SourceDenied);

    // Another host key than the pinned one: not spoken to.
    let pinned = panel.folder.path().join(format!("git data/sources/{}.known_hosts", panel.source.simple()));
    let line = std::fs::read_to_string(&pinned).unwrap();
    let (name, _) = line.split_once(' ').unwrap();
    let theirs = std::fs::read_to_string(other.path("/etc/ssh/ssh_host_ed25519_key.pub")).unwrap();
    std::fs::write(&pinned, format!("{name} {theirs}")).unwrap();
    match failure(read_all(&panel, &url, &key).await) {
        Failure::SourceUnreachable { detail } => assert!(detail.contains("another host key"), "{detail}"),
        found => panic!("{found:?}"),
    }
    let https: GitUrl = "https://localhost/app.git".parse().unwrap();
    assert!(matches!(failure(read_all(&panel, &https, &key).await), Failure::Refused { .. }));
}

#[tokio::test]
async fn a_key_left_by_a_killed_panel_is_cleared_and_one_in_use_is_not() {
    let panel = panel(None, None).await;
    let keys = panel.folder.path().join("git data/keys");
    for name in ["left", "used"] {
        std::fs::create_dir(keys.join(name)).unwrap();
        std::fs::write(keys.join(name).join("lock"), "").unwrap();
        std::fs::write(keys.join(name).join("key"), "secret").unwrap();
    }
    let used = std::fs::File::open(keys.join("used/lock")).unwrap();
    used.lock().unwrap();
    let settings = skiff::providers::git::Settings {
        data_dir: panel.folder.path().join("git data"),
        local_root: None,
        ca_file: None,
    };
    Git::open(settings).await.unwrap();
    assert!(!keys.join("left").exists());
    assert!(keys.join("used").exists());
}

#[tokio::test]
async fn hostile_names_are_inert_and_come_back_as_they_are() {
    let repo = sample();
    let canary = repo.root.path().join("canary");
    let hostile = format!("$(touch {0})`touch {0}`;touch {0}|<script>\u{202e}\u{1b}[2J", canary.display());
    repo.write("x", "1");
    repo.git(&["add", "--all"]);
    repo.git_as(
        &hostile,
        &["commit", "--quiet", "--message", &format!("--upload-pack=touch {}\n\nbody", canary.display())],
    );
    let name = format!("a$(touch${{IFS}}{})`x`;&|'\"", "canary");
    repo.git(&["branch", &name]);
    repo.git(&["config", "core.hooksPath", "hooks"]);
    repo.write("hooks/post-checkout", "#!/bin/sh\ntouch canary")
        .write("-rf", "x")
        .write("a;touch b", "x")
        .commit("Names");
    let panel = panel(Some(repo.root.path()), None).await;
    let url = repo.local();
    let repository = panel.at(&url, &Access::Public);
    let branch = name.parse().unwrap();
    let commit = panel.git.head(repository, &branch).await.unwrap();
    panel.git.fetch(repository, &branch, &commit).await.unwrap();
    let told = panel.git.describe(panel.source, &commit).await.unwrap();
    assert_eq!(told.subject, format!("--upload-pack=touch {}", canary.display()));
    // Git itself takes `<`, `>` and the like out of names; nothing else may have changed.
    let kept: String = hostile.chars().filter(|c| !matches!(c, '<' | '>' | '\n')).collect();
    assert_eq!(told.author, kept);
    assert!(!canary.exists());
}

#[tokio::test]
async fn two_fetches_of_one_source_do_not_meet() {
    let repo = sample();
    let url = repo.local();
    let one = panel(Some(repo.root.path()), None).await;
    let commit = one.git.head(one.at(&url, &Access::Public), &main_branch()).await.unwrap();
    let fetches = (0..6).map(|_| async { one.git.fetch(one.at(&url, &Access::Public), &main_branch(), &commit).await });
    for fetched in futures_util::future::join_all(fetches).await {
        fetched.unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_git_left_and_a_broken_clone_do_not_stop_the_next_fetch() {
    let repo = sample();
    let (url, branch) = (repo.local(), main_branch());
    let one = panel(Some(repo.root.path()), None).await;
    read_all(&one, &url, &Access::Public).await.unwrap();
    let clone = one.folder.path().join(format!("git data/sources/{}.git", one.source.simple()));
    for left in ["shallow.lock", "refs/skiff/kept.lock", "objects/pack/tmp_pack_x"] {
        std::fs::create_dir_all(clone.join(left).parent().unwrap()).unwrap();
        std::fs::write(clone.join(left), "").unwrap();
    }
    repo.write("index.html", "v2").commit("Second");
    read_all(&one, &url, &Access::Public).await.unwrap();
    assert!(!clone.join("objects/pack/tmp_pack_x").exists());

    // The power went while files were written.
    for broken in ["config", "HEAD", "refs/skiff/kept"] {
        std::fs::write(clone.join(broken), "").unwrap();
        let id = repo.write("index.html", broken).commit("Next");
        let repository = one.at(&url, &Access::Public);
        one.git.fetch(repository, &branch, &id).await.unwrap_or_else(|error| panic!("{broken}: {error}"));
        assert_eq!(one.git.describe(one.source, &id).await.unwrap().subject, "Next", "{broken}");
    }
}

#[tokio::test]
async fn a_local_folder_of_another_user_is_read_where_the_settings_allow_it() {
    let repo = sample();
    run("chown", &["--recursive", "65534:65534", repo.path().to_str().unwrap()]).await.must("another owner");
    let one = panel(Some(repo.root.path()), None).await;
    read_all(&one, &repo.local(), &Access::Public).await.unwrap();
}
