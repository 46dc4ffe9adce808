//! `skiff open`: an app in the browser.

use std::process::Stdio;

use clap::Args;
use serde_json::json;
use url::Url;

use super::Failed;
use super::client::Ask;
use super::remote::{Answer, Common, app_in_path};
use super::show::at;

/// What opens an address on a desktop: of freedesktop.org, of macOS.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Which.
#[derive(Clone, Debug, Args)]
pub struct Open {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// Print the address only
    #[arg(long)]
    pub print: bool,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// Prints the address, and opens it where there is a screen.
pub async fn run(input: Open) -> Result<String, Failed> {
    let app = input.common.client()?.ask(Ask::get(&["apps", &app_in_path(&input.app)])).await?;
    let found = app.get("url").and_then(serde_json::Value::as_str).unwrap_or_default();
    if found.is_empty() {
        return Err(Failed::Said(format!(
            "{} has no address: give it a domain on its page, then deploy it.",
            at(&app, "path")
        )));
    }
    // Whatever else an opener would obey is not an app's address.
    let url: Option<Url> = found.parse().ok().filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| Failed::Said(format!("Its address cannot be opened: {}.", at(&app, "url"))))?;
    let screen =
        cfg!(target_os = "macos") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if screen && !input.print && !input.common.json {
        begin(&url);
    }
    Ok(input.common.print(Answer::new(json!({ "url": url }), url.as_str())))
}

/// Starts the opener. The address is printed in any case, so that one that fails is no failure.
fn begin(url: &Url) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the person's own desktop opens an http address; no shell, nothing of ours inherited"
    )]
    let mut opener = std::process::Command::new(OPENER);
    opener.arg(url.as_str()).env_remove(super::client::settings::TOKEN);
    let _ = opener.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}
