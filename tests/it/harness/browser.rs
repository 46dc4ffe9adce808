//! A headless Chromium of our own: its profile is thrown away, and it dies with its handle. Not here: journeys.

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A page that has not shown what is waited for by then will not.
pub const WAIT: Duration = Duration::from_secs(15);
/// A picture is cut there: nobody looks at a longer one.
const HIGHEST: u32 = 4000;
/// chromedriver says its port within a second, on a busy machine later.
const START: Duration = Duration::from_secs(30);
/// Nothing that reaches out by itself, nothing that needs a display.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--lang=en-GB",
    "--window-size=1280,900",
];

/// Light or dark, as the person's system says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// prefers-color-scheme: light
    Light,
    /// prefers-color-scheme: dark
    Dark,
}

/// One browser with one window.
pub struct Browser {
    /// WebDriver's words: find, click, wait.
    pub client: Client,
    http: reqwest::Client,
    session: String,
    /// Where pictures go.
    pub shots: PathBuf,
    /// Pictures to be kept: as WebP, a fifth of a PNG.
    pub keep: bool,
    // Dropped last: chromedriver and Chromium end with it.
    _driver: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts chromedriver and Chromium in a process namespace of their own.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, for which these names are at these addresses: "MAP *.example 10.0.0.1".
    pub async fn start_where(names: &str) -> Self {
        Self::start_with(&[format!("--host-resolver-rules={names}")]).await
    }

    /// The same, and whatever shows a certificate for them is believed: whoever tests has looked at it before.
    pub async fn start_where_https(names: &str) -> Self {
        Self::start_with(&[format!("--host-resolver-rules={names}"), "--ignore-certificate-errors".to_owned()]).await
    }

    async fn start_with(more: &[String]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // Killing chromedriver leaves Chromium behind; killing the first process of a namespace leaves nobody.
        let mut driver = Command::new("unshare")
            .args(["--pid", "--fork", "--mount-proc", "--kill-child=KILL", "chromedriver", "--port=0"])
            .env("HOME", profile.path())
            .env_remove("DISPLAY")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("unshare and chromedriver are installed; bin/test does it");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    return port.trim_end_matches('.').to_owned();
                }
            }
            panic!("chromedriver ended before it listened");
        };
        let port = tokio::time::timeout(START, port).await.expect("chromedriver listens");
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.extend_from_slice(more);
        flags.push(format!("--user-data-dir={}", profile.path().join("profile").display()));
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
            "unhandledPromptBehavior": "ignore",
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let url = format!("http://127.0.0.1:{port}");
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&url)
            .await
            .expect("Chromium starts");
        let session = format!("{url}/session/{}", client.session_id().await.unwrap().unwrap());
        let shots = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots"));
        let browser = Self {
            client,
            http: reqwest::Client::new(),
            session,
            shots,
            keep: false,
            _driver: driver,
            _profile: profile,
        };
        browser.window(1280, 900, false).await;
        browser.prefer(Look::Light).await;
        browser
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, params: Value) -> Value {
        let body = json!({ "cmd": command, "params": params });
        let answer = self.http.post(format!("{}/goog/cdp/execute", self.session)).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{command}: {answer}");
        answer["value"].clone()
    }

    /// The window's size in CSS pixels, as a telephone's or a desk's.
    pub async fn window(&self, width: u32, height: u32, telephone: bool) {
        // Twice as sharp for looking closely; what is kept is small.
        let scale = if telephone && !self.keep { 2 } else { 1 };
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": telephone });
        self.devtools("Emulation.setDeviceMetricsOverride", params).await;
    }

    /// Light or dark.
    pub async fn prefer(&self, look: Look) {
        let value = if look == Look::Light { "light" } else { "dark" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": value },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Three pictures of the whole page: `NAME-light.png`, `NAME-dark.png` and `NAME-390.png` (`.webp` where they are kept).
    pub async fn picture(&self, name: &str) {
        std::fs::create_dir_all(&self.shots).unwrap();
        for (suffix, width, height, look) in
            [("light", 1280, 900, Look::Light), ("dark", 1280, 900, Look::Dark), ("390", 390, 844, Look::Light)]
        {
            self.window(width, height, width < 500).await;
            self.prefer(look).await;
            // As high as the page: what stands at the window's edge stands at the page's edge, not across its middle.
            let script = "return Math.ceil(document.documentElement.scrollHeight)";
            let page = self.client.execute(script, vec![]).await.unwrap().as_u64().unwrap();
            let high = u32::try_from(page).unwrap().clamp(height, HIGHEST);
            self.window(width, high, width < 500).await;
            let kind = if self.keep { "webp" } else { "png" };
            self.shoot(&format!("{name}-{suffix}.{kind}"), kind).await;
        }
        self.window(1280, 900, false).await;
        self.prefer(Look::Light).await;
    }

    /// One picture of the window as it is, into the file of this name.
    pub async fn shoot(&self, file: &str, kind: &str) {
        let mut params = json!({ "format": kind, "captureBeyondViewport": false, "optimizeForSpeed": false });
        if kind == "webp" {
            params["quality"] = json!(70);
        }
        let shot = self.devtools("Page.captureScreenshot", params).await;
        let coded = shot["data"].as_str().unwrap();
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, coded).unwrap();
        std::fs::write(self.shots.join(file), bytes).unwrap();
    }

    /// True when the page is wider than its window, or a table is cut off by a frame that cannot be scrolled: something sticks out.
    pub async fn overflows(&self) -> bool {
        let script = "return [document.documentElement, ...document.querySelectorAll('.table')] \
                        .some(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'auto')";
        self.client.execute(script, vec![]).await.unwrap() == json!(true)
    }

    /// The innermost things that stick out, with their words.
    pub async fn sticking_out(&self) -> String {
        let script = "const wide = document.documentElement.clientWidth; \
                      const cut = [...document.querySelectorAll('.table')].filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'auto'); \
                      if (cut.length) return cut.map(one => one.outerHTML.slice(0, 300)).join('\\n'); \
                      return [...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > wide + 1) \
                        .filter((one, at, all) => !all.some(other => other !== one && one.contains(other))) \
                        .map(one => `${one.outerHTML.slice(0, 300)}`).slice(0, 5).join('\\n')";
        self.client.execute(script, vec![]).await.unwrap().as_str().unwrap_or_default().to_owned()
    }

    /// True where a heading of a sheet touches the line under it. Those that are not shown have no height.
    pub async fn headings_cross(&self) -> bool {
        let script = "return [...document.querySelectorAll('.panel > header')] \
                        .filter(header => header.offsetHeight > 8).some(header => \
                        [...header.querySelectorAll(':scope > h2, :scope > p')].some(words => \
                          words.getBoundingClientRect().bottom > header.getBoundingClientRect().bottom - 4))";
        self.client.execute(script, vec![]).await.unwrap() == json!(true)
    }

    /// Pixels from the top of the page to the top of the first element that fits this CSS selector.
    pub async fn top_of(&self, css: &str) -> i64 {
        let script = "return Math.round(document.querySelector(arguments[0]).getBoundingClientRect().top)";
        self.client.execute(script, vec![json!(css)]).await.unwrap().as_i64().unwrap()
    }

    /// What the page wrote to its console since the last call; refusals of the content security policy are among it.
    pub async fn console(&self) -> Vec<String> {
        let answer = self
            .http
            .post(format!("{}/se/log", self.session))
            .json(&json!({ "type": "browser" }))
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        let line = |entry: &Value| {
            format!("{} {}", entry["level"].as_str().unwrap_or(""), entry["message"].as_str().unwrap_or(""))
        };
        answer["value"].as_array().into_iter().flatten().map(line).collect()
    }

    /// Waits until something that fits this CSS selector is there, and says its text.
    pub async fn wait_text(&self, css: &str) -> String {
        let found = self.client.wait().at_most(WAIT).for_element(Locator::Css(css)).await;
        let element = found.unwrap_or_else(|error| panic!("{css} does not appear: {error}"));
        element.text().await.unwrap()
    }

    /// Waits until the page shows this text anywhere.
    pub async fn wait_for_words(&self, words: &str) {
        self.wait_for_words_within(words, WAIT).await;
    }

    /// The same where it takes longer.
    pub async fn wait_for_words_within(&self, words: &str, within: Duration) {
        let until = tokio::time::Instant::now() + within;
        loop {
            let shown = self.client.execute("return document.body ? document.body.innerText : ''", vec![]).await;
            let shown = shown.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default();
            if shown.contains(words) {
                return;
            }
            assert!(tokio::time::Instant::now() < until, "the page does not say \"{words}\" but:\n{shown}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Fills a field by its name.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.client.find(Locator::Css(&format!("[name=\"{name}\"]:not([type=hidden])"))).await;
        let field = field.unwrap_or_else(|error| panic!("there is no field {name}: {error}"));
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the button or link with these words on it.
    pub async fn press(&self, words: &str) {
        let path =
            format!("//*[(self::button or self::a or self::summary) and contains(normalize-space(.), \"{words}\")]");
        let found = self.client.wait().at_most(WAIT).for_element(Locator::XPath(&path)).await;
        found.unwrap_or_else(|error| panic!("nothing says \"{words}\": {error}")).click().await.unwrap();
    }
}
