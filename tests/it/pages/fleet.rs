//! Three servers become hosts in a browser; an app on two of them, built on the third, is deployed by a signed push and
//! rolled back from a terminal, while people use it on both.

use std::time::Duration;

use fantoccini::Locator;
use skiff::domain::names::CommitId;

use super::walk::{User, Walk, commit};
use crate::build::forge::{Behaviour, Forge};
use crate::build::repo::Repo;
use crate::cli::terminal::Terminal;
use crate::harness::door::PASSWORD;
use crate::harness::host::TestHost;
use crate::harness::quiet::assert_quiet;
use crate::harness::served::Served;
use crate::hooks::{shapes, sign};

const DOMAIN: &str = "fleet.example";
const NAMES: [&str; 3] = ["fra-1", "fra-2", "build-1"];
/// Packages come from a mirror, for three hosts at once.
const FROM_BARE: Duration = Duration::from_secs(900);

/// A fresh Debian as a provider hands it out: systemd and sshd, and the packages of nobody.
async fn fresh() -> TestHost {
    let host = TestHost::fresh(true, &[]).await;
    let install = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Options::=--force-confold \
                   install --no-install-recommends openssh-server sudo >/dev/null && systemctl start ssh";
    host.enter(&["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "bash", "-c", install]).await.must("sshd starts");
    host
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_and_an_app_on_two_of_them() {
    let hosts = [TestHost::bare().await, TestHost::bare().await, TestHost::bare().await];
    walk(hosts, Duration::from_secs(180), "fleet").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "three servers from bare take minutes and fetch packages: bin/test fleet_from_bare"]
async fn fleet_from_bare_servers_with_systemd() {
    let (a, b, c) = tokio::join!(fresh(), fresh(), fresh());
    walk([a, b, c], FROM_BARE, "fleet-bare").await;
}

async fn walk(hosts: [TestHost; 3], job: Duration, pictures: &str) {
    let repo = Repo::new();
    let one = commit(&repo, 1, "Say hello").await;
    std::os::unix::fs::symlink(repo.path().join(".git"), repo.root.path().join("hello.git")).unwrap();
    let forge = Forge::serve(repo.root.path(), Behaviour::default()).await;
    let panel = Served::start(&forge.ca_file).await;
    let mut walk = Walk::new(&panel.base, pictures, DOMAIN, &format!("MAP {DOMAIN} {}", hosts[0].address)).await;
    walk.job = job;

    walk.browser.client.goto(&panel.set_up_link()).await.unwrap();
    walk.fill(&[("name", "Ada Lovelace"), ("email", "ada@example.org"), ("password", PASSWORD), ("team", "Harbour")])
        .await;
    walk.press("Become the owner").await;
    walk.says("Add the first host").await;
    walk.team = walk.path().await;

    let mut pages = Vec::new();
    for (host, name) in hosts.iter().zip(NAMES) {
        pages.push(add(&walk, host, name).await);
    }
    for page in &pages {
        ready(&walk, page).await;
    }
    parts(&walk, &hosts, &pages).await;
    walk.go("Hosts").await;
    walk.look("hosts").await;

    let app = placed(&walk, forge.url("hello.git").as_ref()).await;
    let (url, secret) = hook(&walk, &app).await;
    pushed(&walk, &app, (&url, &secret), one).await;
    walk.look("deploy-by-push").await;
    for host in &hosts[..2] {
        let running = host.docker(&["ps", "-q", "--filter", "label=skiff.app"]).await;
        assert_eq!(running.lines().count(), 2, "two instances on each");
    }
    assert_eq!(hosts[2].docker(&["ps", "-q", "--filter", "label=skiff.app"]).await, "", "the third one only builds");
    assert_ne!(hosts[2].docker(&["image", "ls", "-q"]).await, "");

    let users = [User::of(&hosts[0], DOMAIN), User::of(&hosts[1], DOMAIN)];
    let two = commit(&repo, 2, "Say hello to everybody who asks").await;
    pushed(&walk, &app, (&url, &secret), two).await;
    walk.open(&app).await;
    walk.says("4 of 4 instances").await;
    walk.look("app").await;
    assert_eq!(walk.visit_app().await, "2");
    walk.open(&format!("{app}/push")).await;
    walk.says("Deliveries").await;
    walk.look("push").await;

    let back = terminal(&walk).await.run(&["rollback", "hello", "--wait"]).await.well();
    assert!(back.out.contains("serves"), "{back:?}");
    for host in &hosts[..2] {
        assert_eq!(crate::harness::world::ask(host, DOMAIN, "/").await, (200, "1\n".into()));
    }
    what_runs(&walk, &app).await;
    for user in users {
        user.was_served().await;
    }
    walk.go("History").await;
    walk.says("asked to deploy Hello: back to v1").await;
    walk.look("history").await;
    super::removal::replayed(&walk, &app).await;
    super::removal::removed(&walk, &app, &hosts[..2], DOMAIN).await;
    assert_quiet(&panel.db).await;
    assert!(!panel.said().contains(" ERROR "), "{}", panel.said());
    panel.stop().await;
}

/// Adds a server; at the end it is being made ready. Says the host's page.
pub async fn add(walk: &Walk, host: &TestHost, name: &str) -> String {
    walk.open(&format!("{}/hosts/new", walk.team)).await;
    walk.fill(&[("name", name), ("address", &host.address)]).await;
    walk.press("Add host").await;
    walk.says_at_last("The server shows the key").await;
    walk.says(&host.host_key).await;
    let line = walk.browser.wait_text("#first-key").await;
    let line = line.split('\'').nth(1).unwrap();
    let keys = host.path("/root/.ssh/authorized_keys");
    let known = std::fs::read_to_string(&keys).unwrap();
    std::fs::write(keys, format!("{known}{line}\n")).unwrap();
    let page = walk.path().await;
    walk.press("Confirm and make ready").await;
    walk.says("The key is pinned").await;
    page
}

/// Waits at a host's page until it is ready.
pub async fn ready(walk: &Walk, page: &str) {
    walk.open(page).await;
    walk.says_at_last("Ready for an app").await;
}

/// The third builds; the other two reach one another.
async fn parts(walk: &Walk, hosts: &[TestHost; 3], pages: &[String]) {
    for (index, page) in pages.iter().enumerate() {
        walk.open(page).await;
        walk.says("For the other hosts").await;
        let form = "//form[contains(@action, '/part')]";
        if index == 2 {
            click(walk, &format!("{form}//input[@value='yes']")).await;
        } else {
            walk.fill(&[("private_address", &hosts[index].address)]).await;
        }
        click(walk, &format!("{form}//button")).await;
        walk.says("Make the host ready again").await;
        walk.press("Make ready again").await;
        walk.says_at_last("succeeded").await;
    }
    walk.open(&pages[2]).await;
    walk.says("for all hosts").await;
    walk.look("host-that-builds").await;
}

/// An app, two instances of it on each of two hosts. Says its page.
async fn placed(walk: &Walk, repository: &str) -> String {
    walk.open(&format!("{}/apps/new", walk.team)).await;
    walk.fill(&[("name", "Hello"), ("git_url", repository), ("port", "8080"), ("routes.1", DOMAIN)]).await;
    walk.press("Health").await;
    walk.fill(&[("health_path", "/up")]).await;
    walk.press("From one release").await;
    walk.fill(&[("drain_s", "5"), ("watch_s", "3")]).await;
    walk.press("Create app").await;
    walk.says("Hello was never deployed").await;
    let app = walk.path().await;
    walk.tab("Configuration").await;
    for (name, instances) in [("fra-1", "2"), ("fra-2", "2"), ("build-1", "0")] {
        let path = format!("//label[.//b[normalize-space(.)='{name}']]//input[@type='number']");
        let field = walk.browser.client.find(Locator::XPath(&path)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(instances).await.unwrap();
    }
    walk.look("placement").await;
    click(walk, "//form[contains(@action, '/placement')]//button").await;
    walk.says("Saved").await;
    app
}

/// Turns push to deploy on. Says the address and the secret.
async fn hook(walk: &Walk, app: &str) -> (String, String) {
    walk.open(app).await;
    walk.tab("Push").await;
    click(walk, "//input[@value='github']").await;
    walk.press("Turn push to deploy on").await;
    let secret = walk.browser.wait_text("#hook-secret").await;
    walk.look("push-on").await;
    (walk.browser.wait_text("#hook-url").await, secret)
}

/// A push of this commit as GitHub sends it; at the end one is at the page of its deploy, which succeeded.
async fn pushed(walk: &Walk, app: &str, (url, secret): (&str, &str), commit: CommitId) {
    let body = shapes::github_push("refs/heads/main", commit.as_ref()).replace("acme/shop", "hello");
    let answer = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .header("x-github-event", "push")
        .header("x-github-delivery", uuid::Uuid::now_v7().to_string())
        .header("x-hub-signature-256", format!("sha256={}", sign(secret, body.as_bytes())))
        .body(body)
        .send()
        .await
        .unwrap();
    let (status, said) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 202, "{said}");
    walk.open(&format!("{app}/push")).await;
    click(walk, "(//td[@data-label='Deploy']//a)[1]").await;
    walk.says_at_last("succeeded").await;
}

/// A terminal signed in with a token that was made in the browser.
async fn terminal(walk: &Walk) -> Terminal {
    walk.open(&format!("{}/tokens", walk.team)).await;
    walk.fill(&[("name", "laptop")]).await;
    walk.press("Make token").await;
    let token = walk.browser.wait_text("#secret").await;
    Terminal::signed_in(&walk.base, &token).await
}

/// Instances, one of them closely, and what they say.
async fn what_runs(walk: &Walk, app: &str) {
    walk.open(app).await;
    walk.says("4 of 4 instances").await;
    walk.press("Hello-1").await;
    walk.says("Image").await;
    walk.look("instance").await;
    walk.open(app).await;
    walk.tab("Logs").await;
    walk.look("logs").await;
    let field = walk.browser.client.find(Locator::Css(".sieve input")).await.unwrap();
    field.send_keys("no line has this").await.unwrap();
    click(walk, "//form[contains(@class, 'sieve')]//button").await;
    walk.says("No line has this text.").await;
}

/// Clicks what this XPath finds, brought into view first.
pub async fn click(walk: &Walk, path: &str) {
    let found = walk.browser.client.wait().at_most(walk.job).for_element(Locator::XPath(path)).await;
    let element = found.unwrap_or_else(|error| panic!("{path}: {error}"));
    let script = "arguments[0].scrollIntoView({ block: 'center' })";
    walk.browser.client.execute(script, vec![serde_json::to_value(&element).unwrap()]).await.unwrap();
    element.click().await.unwrap();
}
