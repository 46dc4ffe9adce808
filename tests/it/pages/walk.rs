//! Somebody with a browser on the way through a panel, and somebody who uses an app meanwhile. A picture of every page goes to
//! target/screenshots/NAME, or, small enough to be kept, to where SKIFF_SCREENSHOTS says.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::Locator;
use skiff::domain::names::CommitId;

use crate::build::repo::Repo;
use crate::harness::browser::{Browser, WAIT};
use crate::harness::host::{self, TestHost};

/// A job of this way is over by then: Docker and HAProxy are on the host, and the app's image is small.
pub const JOB: Duration = Duration::from_secs(180);
/// Between two requests of somebody who uses the app.
const PACE: Duration = Duration::from_millis(50);

/// Pictures that are not kept: another one shows the same page.
const NOT_KEPT: [&str; 3] = ["deploy-plan", "deploy-succeeded", "deploy-back"];

/// Somebody with a browser, on the way.
pub struct Walk {
    /// The browser.
    pub browser: Browser,
    /// "http://127.0.0.1:PORT".
    pub base: String,
    /// "/t/…", once one is in a team.
    pub team: String,
    /// Where the visited app is served.
    pub domain: &'static str,
    /// A job is over by then.
    pub job: Duration,
}

impl Walk {
    /// Before this panel, with pictures in a folder of this name; these names are at these addresses ("MAP a.example 10.0.0.1").
    pub async fn new(base: &str, name: &str, domain: &'static str, names: &str) -> Self {
        Self::with(Browser::start_where(names).await, base, name, domain)
    }

    /// The same in this browser.
    pub fn with(mut browser: Browser, base: &str, name: &str, domain: &'static str) -> Self {
        let asked = std::env::var_os("SKIFF_SCREENSHOTS");
        browser.keep = asked.is_some();
        browser.shots = asked.map_or_else(|| browser.shots.join(name), PathBuf::from);
        Self { browser, base: base.to_owned(), team: String::new(), domain, job: JOB }
    }

    /// Looks at the page one is on: whole at every width, no complaint of the browser. Leaves its picture.
    pub async fn look(&self, name: &str) {
        for width in [1280, 900, 390, 360] {
            self.browser.window(width, 844, width < 500).await;
            let out = self.browser.overflows().await;
            assert!(!out, "{name} sticks out at {width} px: {}", self.browser.sticking_out().await);
        }
        self.browser.window(1280, 900, false).await;
        if !(self.browser.keep && NOT_KEPT.contains(&name)) {
            self.browser.picture(name).await;
        }
        self.unmoved(name).await;
    }

    /// The browser has nothing to complain of: no error of a script, no refusal of the content security policy.
    pub async fn unmoved(&self, name: &str) {
        // What the visited app lacks (an icon) is its own affair.
        let ours = |line: &String| !line.starts_with("DEBUG") && !line.contains(&format!("://{}/", self.domain));
        let complaints: Vec<String> = self.browser.console().await.into_iter().filter(ours).collect();
        assert_eq!(complaints, Vec::<String>::new(), "{name}");
    }

    /// The page says this within some seconds.
    pub async fn says(&self, words: &str) {
        self.browser.wait_for_words(words).await;
    }

    /// Waits for the end of a job whose page one watches.
    pub async fn says_at_last(&self, words: &str) {
        self.browser.wait_for_words_within(words, self.job).await;
    }

    /// Waits until the tab is called so.
    pub async fn titled(&self, begins: &str) {
        let begun = std::time::Instant::now();
        loop {
            let title = self.browser.client.title().await.unwrap();
            if title.starts_with(begins) {
                return;
            }
            assert!(begun.elapsed() < self.job, "the tab is called {title}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// Presses the button or link with these words.
    pub async fn press(&self, words: &str) {
        self.browser.press(words).await;
    }

    /// Fills fields by their names.
    pub async fn fill(&self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            self.browser.fill(name, value).await;
        }
    }

    /// Opens a page of the team by the rail, as one does who knows where it is.
    pub async fn go(&self, place: &str) {
        let path = format!("//nav[@aria-label='Places']//a[normalize-space(.)='{place}']");
        self.browser.client.find(Locator::XPath(&path)).await.unwrap().click().await.unwrap();
        self.browser.client.wait().at_most(WAIT).for_element(Locator::Css("h1")).await.unwrap();
    }

    /// Opens a tab of the app one is at.
    pub async fn tab(&self, word: &str) {
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

    /// The path of the page one is on.
    pub async fn path(&self) -> String {
        self.browser.client.current_url().await.unwrap().path().to_owned()
    }

    /// Opens a page by its path.
    pub async fn open(&self, path: &str) {
        self.browser.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// Follows the app's own link and says what it answers.
    pub async fn visit_app(&self) -> String {
        self.press(&format!("http://{}", self.domain)).await;
        let here = self.browser.client.current_url().await.unwrap();
        assert_eq!(here.host_str(), Some(self.domain));
        let shown = self.browser.wait_text("body").await;
        self.browser.client.back().await.unwrap();
        shown
    }
}

/// Somebody who asks the app all the time, on new connections.
pub struct User {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl User {
    /// Asks this host for this domain from now on.
    pub fn of(host: &TestHost, domain: &'static str) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (until, count, url) = (stop.clone(), asked.clone(), format!("http://{}/", host.address));
        let task = tokio::spawn(async move {
            let http = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(WAIT).build().unwrap();
            let mut wrong = Vec::new();
            while !until.load(Ordering::Relaxed) {
                match http.get(&url).header("host", domain).send().await {
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

    /// Stops; every answer was a good one.
    pub async fn was_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.task.await.unwrap();
        assert!(self.asked.load(Ordering::Relaxed) > 0);
        assert_eq!(wrong, Vec::<String>::new());
    }
}

/// The sample app as this version.
pub async fn commit(repo: &Repo, version: u32, message: &str) -> CommitId {
    let text = include_str!("../../../samples/hello/Dockerfile");
    assert!(text.contains("ARG VERSION=1\n"));
    let program = std::fs::read(host::app_program().await).unwrap();
    repo.write("hello", program);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(repo.path().join("hello"), mode).unwrap();
    repo.write("Dockerfile", text.replace("ARG VERSION=1\n", &format!("ARG VERSION={version}\n"))).commit(message)
}
