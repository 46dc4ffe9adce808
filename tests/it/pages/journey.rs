//! The whole way in a browser: from the link the program prints to an app that answers at its address, deployed again while
//! people use it, broken, and brought back. The panel is the real program; host, repository and proxy are real.
//! A picture of every page goes to target/screenshots/journey, or, small enough to be kept, to where SKIFF_SCREENSHOTS says.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::Locator;

use crate::build::forge::{Behaviour, Forge};
use crate::build::repo::Repo;
use crate::harness::browser::{Browser, WAIT};
use crate::harness::door::PASSWORD;
use crate::harness::host::{self, TestHost};
use crate::harness::quiet::assert_quiet;
use crate::harness::served::Served;

/// A job of this way is over by then: Docker and HAProxy are on the host, and the app's image is small.
const JOB: Duration = Duration::from_secs(180);
/// Where the app is served.
const DOMAIN: &str = "hello.example";
/// Between two requests of somebody who uses the app.
const PACE: Duration = Duration::from_millis(50);

/// Pictures that are not kept: another one shows the same page.
const NOT_KEPT: [&str; 3] = ["deploy-plan", "deploy-succeeded", "deploy-back"];

/// Somebody with a browser, on the way.
struct Walk {
    browser: Browser,
    base: String,
    team: String,
}

impl Walk {
    /// Looks at the page one is on: whole at every width, no complaint of the browser. Leaves its picture.
    async fn look(&self, name: &str) {
        for width in [1280, 900, 390, 360] {
            self.browser.window(width, 844, width < 500).await;
            assert!(!self.browser.overflows().await, "{name} sticks out at {width} px");
        }
        self.browser.window(1280, 900, false).await;
        if !(self.browser.keep && NOT_KEPT.contains(&name)) {
            self.browser.picture(name).await;
        }
        self.unmoved(name).await;
    }

    /// The browser has nothing to complain of: no error of a script, no refusal of the content security policy.
    async fn unmoved(&self, name: &str) {
        // What the visited app lacks (an icon) is its own affair.
        let ours = |line: &String| !line.starts_with("DEBUG") && !line.contains(&format!(" http://{DOMAIN}/"));
        let complaints: Vec<String> = self.browser.console().await.into_iter().filter(ours).collect();
        assert_eq!(complaints, Vec::<String>::new(), "{name}");
    }

    async fn says(&self, words: &str) {
        self.browser.wait_for_words(words).await;
    }

    /// Waits for the end of a job whose page one watches.
    async fn says_at_last(&self, words: &str) {
        self.browser.wait_for_words_within(words, JOB).await;
    }

    /// Waits until the tab is called so.
    async fn titled(&self, begins: &str) {
        let begun = std::time::Instant::now();
        loop {
            let title = self.browser.client.title().await.unwrap();
            if title.starts_with(begins) {
                return;
            }
            assert!(begun.elapsed() < JOB, "the tab is called {title}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    async fn press(&self, words: &str) {
        self.browser.press(words).await;
    }

    async fn fill(&self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            self.browser.fill(name, value).await;
        }
    }

    /// Opens a page of the team by the rail, as one does who knows where it is.
    async fn go(&self, place: &str) {
        let path = format!("//nav[@aria-label='Places']//a[normalize-space(.)='{place}']");
        self.browser.client.find(Locator::XPath(&path)).await.unwrap().click().await.unwrap();
        self.browser.client.wait().at_most(WAIT).for_element(Locator::Css("h1")).await.unwrap();
    }

    /// Opens a tab of the app one is at.
    async fn tab(&self, word: &str) {
        let path = format!("//nav[contains(@class, 'tabs')]//a[starts-with(normalize-space(.), '{word}')]");
        self.browser
            .client
            .wait()
            .at_most(WAIT)
            .for_element(Locator::XPath(&path))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
        let here = format!("{path}[@aria-current]");
        self.browser.client.wait().at_most(WAIT).for_element(Locator::XPath(&here)).await.unwrap();
    }

    async fn path(&self) -> String {
        self.browser.client.current_url().await.unwrap().path().to_owned()
    }

    async fn open(&self, path: &str) {
        self.browser.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// Follows the app's own link and says what it answers.
    async fn visit_app(&self) -> String {
        self.press(&format!("http://{DOMAIN}")).await;
        let here = self.browser.client.current_url().await.unwrap();
        assert_eq!(here.host_str(), Some(DOMAIN));
        let shown = self.browser.wait_text("body").await;
        self.browser.client.back().await.unwrap();
        shown
    }
}

/// Somebody who asks the app all the time, on new connections.
struct User {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl User {
    fn of(host: &TestHost) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (until, count, url) = (stop.clone(), asked.clone(), format!("http://{}/", host.address));
        let task = tokio::spawn(async move {
            let http = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(WAIT).build().unwrap();
            let mut wrong = Vec::new();
            while !until.load(Ordering::Relaxed) {
                match http.get(&url).header("host", DOMAIN).send().await {
                    Ok(answer) if answer.status() == 200 => {}
                    other => wrong.push(format!("{other:?}")),
                }
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PACE).await;
            }
            wrong
        });
        Self { stop, asked, task }
    }

    async fn was_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.task.await.unwrap();
        assert!(self.asked.load(Ordering::Relaxed) > 0);
        assert_eq!(wrong, Vec::<String>::new());
    }
}

/// The sample app as this version.
async fn commit(repo: &Repo, version: u32, message: &str) {
    let text = include_str!("../../../samples/hello/Dockerfile");
    assert!(text.contains("ARG VERSION=1\n"));
    let program = std::fs::read(host::app_program().await).unwrap();
    repo.write("hello", program);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(repo.path().join("hello"), mode).unwrap();
    repo.write("Dockerfile", text.replace("ARG VERSION=1\n", &format!("ARG VERSION={version}\n"))).commit(message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_set_up_link_to_a_rollback() {
    let repo = Repo::new();
    commit(&repo, 1, "Say hello").await;
    std::os::unix::fs::symlink(repo.path().join(".git"), repo.root.path().join("hello.git")).unwrap();
    let forge = Forge::serve(repo.root.path(), Behaviour::default()).await;
    let host = TestHost::bare().await;
    let panel = Served::start(&forge.ca_file).await;
    let mut browser = Browser::start_where(&format!("MAP {DOMAIN} {}", host.address)).await;
    let asked = std::env::var_os("SKIFF_SCREENSHOTS");
    browser.keep = asked.is_some();
    browser.shots = asked.map_or_else(|| browser.shots.join("journey"), PathBuf::from);
    let mut walk = Walk { browser, base: panel.base.clone(), team: String::new() };

    walk.browser.client.goto(&panel.set_up_link()).await.unwrap();
    walk.look("setup").await;
    walk.fill(&[("name", "Ada Lovelace"), ("email", "ada@example.org"), ("password", PASSWORD), ("team", "Harbour")])
        .await;
    walk.press("Become the owner").await;
    walk.says("Add the first host").await;
    walk.team = walk.path().await;
    walk.look("home-empty").await;

    add_host(&walk, &host).await;
    make_app(&walk, forge.url("hello.git").as_ref()).await;
    let app = walk.path().await;
    first_deploy(&walk).await;
    walk.open(&app).await;
    assert_eq!(walk.visit_app().await, "1");

    let user = User::of(&host);
    commit(&repo, 2, "Say hello to everybody who asks").await;
    second_deploy(&walk, &app).await;
    walk.open(&app).await;
    assert_eq!(walk.visit_app().await, "2");
    walk.says("2 of 2 instances").await;
    walk.look("app").await;
    bad_deploy(&walk, &app).await;
    roll_back(&walk, &app).await;
    walk.open(&app).await;
    assert_eq!(walk.visit_app().await, "1");
    user.was_served().await;

    places(&walk).await;
    sign_out_and_in(&walk).await;
    assert_quiet(&panel.db).await;
    assert!(!panel.said().contains(" ERROR "), "{}", panel.said());
    panel.stop().await;
}

/// Home says that a host is missing; at the end it is ready.
async fn add_host(walk: &Walk, host: &TestHost) {
    walk.press("Add host").await;
    walk.says("Where it answers SSH").await;
    walk.look("host-new").await;
    walk.fill(&[("name", "fra-1"), ("address", &host.address)]).await;
    if host.port != 22 {
        walk.press("SSH").await;
        walk.fill(&[("port", &host.port.to_string())]).await;
    }
    walk.press("Add host").await;
    walk.says_at_last("The server shows the key").await;
    walk.says(&host.host_key).await;
    walk.look("host-key").await;
    let line = walk.browser.wait_text("#first-key").await;
    let line = line.split('\'').nth(1).unwrap();
    let keys = host.path("/root/.ssh/authorized_keys");
    let known = std::fs::read_to_string(&keys).unwrap();
    std::fs::write(keys, format!("{known}{line}\n")).unwrap();
    let page = walk.path().await;
    walk.press("Confirm and make ready").await;
    walk.says("The key is pinned").await;
    walk.says_at_last("succeeded").await;
    walk.look("host-job").await;
    walk.open(&page).await;
    walk.says("Ready for an app").await;
    walk.look("host-ready").await;
}

/// From the host's page to an app that was never deployed.
async fn make_app(walk: &Walk, repository: &str) {
    walk.press("New app").await;
    walk.says("Name it and say where it comes from").await;
    walk.look("app-new").await;
    walk.fill(&[("name", "Hello"), ("git_url", repository), ("port", "8080"), ("routes.1", DOMAIN)]).await;
    walk.press("Variables and secrets").await;
    walk.fill(&[("variables.1", "START_DELAY_MS"), ("variables.2", "3000")]).await;
    walk.fill(&[("secrets.1", "API_KEY"), ("secrets.2", "never shown again")]).await;
    walk.press("Health").await;
    walk.fill(&[("health_path", "/up"), ("health_start_period_s", "8")]).await;
    walk.press("From one release").await;
    walk.fill(&[("drain_s", "5"), ("watch_s", "3")]).await;
    walk.press("Create app").await;
    walk.says("Hello was never deployed").await;
    walk.look("app-never-deployed").await;
}

/// The plan, then the deploy as it goes on.
async fn first_deploy(walk: &Walk) {
    walk.press("See the plan").await;
    walk.says("What will be done").await;
    walk.look("deploy-plan").await;
    walk.press("Deploy").await;
    walk.says_at_last("wait until Hello-1 v1 is healthy").await;
    walk.says("The app opens once it is healthy.").await;
    walk.look("deploy-running").await;
    walk.says_at_last("succeeded").await;
    walk.says("COPY hello /hello").await;
    walk.look("deploy-succeeded").await;
    walk.press("Open http://").await;
    assert_eq!(walk.browser.wait_text("body").await, "1");
    walk.browser.client.back().await.unwrap();
}

/// An edit is pending until the next deploy; that one brings the new commit as well.
async fn second_deploy(walk: &Walk, app: &str) {
    walk.tab("Variables").await;
    walk.fill(&[("name", "GREETING"), ("value", "Ahoy")]).await;
    walk.press("Set variable").await;
    walk.says("Saved. It takes effect with the next deploy.").await;
    walk.look("app-variables").await;
    walk.tab("Configuration").await;
    walk.fill(&[("memory_mib", "96"), ("instances", "2")]).await;
    walk.press("Save").await;
    walk.says("Saved. It takes effect with the next deploy.").await;
    walk.look("app-configuration").await;
    walk.tab("Overview").await;
    walk.says("Pending").await;
    walk.says("Ahoy").await;
    walk.look("app-pending").await;
    walk.press("See the plan").await;
    walk.says("96 MB").await;
    walk.look("deploy-plan-changes").await;
    walk.press("Deploy").await;
    walk.says_at_last("succeeded").await;
    walk.titled("succeeded · Deploy").await;
    // What runs is asked for every five seconds; the answer has a title of its own.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    walk.titled("succeeded · Deploy").await;
    walk.says("1 → v2").await;
    walk.look("deploy-second").await;
    walk.open(app).await;
}

/// A version that is never well does not go live.
async fn bad_deploy(walk: &Walk, app: &str) {
    walk.tab("Variables").await;
    walk.fill(&[("name", "UP_STATUS"), ("value", "500")]).await;
    walk.press("Set variable").await;
    walk.says("Saved.").await;
    walk.tab("Overview").await;
    walk.press("Deploy").await;
    walk.says_at_last("The old version goes on serving").await;
    walk.says("The health check was answered with status 500").await;
    walk.says("more steps were left out").await;
    walk.look("deploy-failed").await;
    walk.open(app).await;
    walk.says("The last deploy failed").await;
    walk.says("v2 goes on serving.").await;
    walk.look("app-needs-you").await;
    assert_eq!(walk.visit_app().await, "2");
    walk.open(&walk.team).await;
    walk.says("1 thing needs you").await;
    walk.look("home-needs-you").await;
    walk.open(app).await;
    walk.tab("Variables").await;
    let path = "//tr[contains(., 'UP_STATUS')]//button";
    walk.browser.client.find(Locator::XPath(path)).await.unwrap().click().await.unwrap();
    walk.says("Removed.").await;
}

/// Releases, what each changed, and back to the first.
async fn roll_back(walk: &Walk, app: &str) {
    walk.open(app).await;
    walk.tab("Releases").await;
    walk.look("releases").await;
    walk.press("v2").await;
    walk.says("Changed since v1").await;
    walk.says("Ahoy").await;
    walk.look("release").await;
    walk.tab("Releases").await;
    walk.press("Roll back to v1").await;
    walk.says_at_last("succeeded").await;
    walk.look("deploy-back").await;
}

/// Every other page of a team, by the rail.
async fn places(walk: &Walk) {
    for (place, name) in [("Apps", "apps"), ("Hosts", "hosts"), ("Projects", "projects"), ("History", "history")] {
        walk.go(place).await;
        walk.look(name).await;
    }
    // On a narrow screen the bar has no room for History: it stands in the menu of the account.
    walk.go("Hosts").await;
    walk.browser.window(390, 844, true).await;
    let menu = walk.browser.client.find(Locator::Css("summary.avatar")).await.unwrap();
    menu.click().await.unwrap();
    let kind = if walk.browser.keep { "webp" } else { "png" };
    walk.browser.shoot(&format!("menu-390.{kind}"), kind).await;
    let narrow = walk
        .browser
        .client
        .find(Locator::XPath(
            "//*[contains(@class, 'menu')]//a[contains(@class, 'narrow')][normalize-space(.)='History']",
        ))
        .await
        .unwrap();
    narrow.click().await.unwrap();
    walk.says("Nobody can change or remove a line.").await;
    walk.browser.window(1280, 900, false).await;
    walk.go("Hosts").await;
    walk.press("fra-1").await;
    walk.says("Web port").await;
    walk.look("host").await;
    walk.go("Apps").await;
    walk.press("Hello").await;
    for (tab, name) in [("Source", "app-source"), ("Routes", "app-routes")] {
        walk.tab(tab).await;
        walk.look(name).await;
    }
    walk.tab("Volumes").await;
    walk.says("No volume").await;
    walk.fill(&[("name", "uploads"), ("path", "/srv/uploads")]).await;
    walk.press("Add volume").await;
    walk.says("not made yet").await;
    walk.look("app-volumes").await;
    walk.press("See the plan").await;
    walk.says("make the volume uploads on fra-1").await;
    walk.go("Jobs").await;
    walk.look("jobs").await;
    walk.open("/account").await;
    walk.says("Signed in").await;
    walk.look("account").await;
}

/// Out, in again, and everything is as it was.
async fn sign_out_and_in(walk: &Walk) {
    walk.browser.client.find(Locator::Css("summary.avatar")).await.unwrap().click().await.unwrap();
    walk.press("Sign out").await;
    walk.says("Forgot the password?").await;
    walk.open(&walk.team).await;
    walk.says("Forgot the password?").await;
    walk.look("login").await;
    walk.fill(&[("email", "ada@example.org"), ("password", PASSWORD)]).await;
    walk.press("Sign in").await;
    walk.says("All well").await;
    assert_eq!(walk.path().await, walk.team, "back to where one wanted to go");
    walk.look("home").await;
    if walk.browser.keep {
        // The README's picture.
        walk.browser.shoot("home-light.png", "png").await;
    }
}
