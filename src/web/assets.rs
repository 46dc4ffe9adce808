//! Styles, scripts, fonts and pictures: embedded in the binary (read from disk in a debug build), named by the hash of
//! their content, and so kept by browsers for ever. Not here: anything made per request.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::error::Problem;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/static/"]
struct Files;

/// The sheets in the order of their layers.
const STYLES: [&str; 16] = [
    "css/fonts.css",
    "css/tokens.css",
    "css/base.css",
    "css/shell.css",
    "css/button.css",
    "css/badge.css",
    "css/table.css",
    "css/form.css",
    "css/panel.css",
    "css/course.css",
    "css/log.css",
    "css/diff.css",
    "css/entry.css",
    "css/docs.css",
    "css/float.css",
    "css/print.css",
];

/// The scripts, in the order they run.
const SCRIPTS: [&str; 12] = [
    "vendor/htmx-4.0.1/htmx-4.0.1.min.js",
    "vendor/htmx-4.0.1/hx-sse-4.0.1.min.js",
    "js/htmx_safe.js",
    "js/times.js",
    "js/title.js",
    "js/log.js",
    "js/copy.js",
    "js/confirm.js",
    "js/filter.js",
    "js/keys.js",
    "js/menus.js",
    "js/connection.js",
];

/// Runs before the first paint: the stored theme must not flash.
const EARLY: &str = "js/theme.js";
/// The icons.
const ICONS: &str = "img/icons.svg";
/// The logo, also the tab's picture.
const LOGO: &str = "img/logo.svg";
/// Hex digits of a hash in a name: enough that two versions never share one.
const HASH_DIGITS: usize = 12;
/// The name never means anything else, so nobody need ask again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Where a page finds its assets.
#[derive(Clone, Debug)]
pub struct Links {
    /// All sheets as one.
    pub css: String,
    /// All scripts as one.
    pub js: String,
    /// The script that runs first.
    pub early: String,
    /// The icon sprite.
    pub icons: String,
    /// The logo.
    pub logo: String,
}

/// The addresses of the assets as they are now: computed once, or each time in a debug build.
pub fn links() -> Links {
    static ONCE: OnceLock<Links> = OnceLock::new();
    if cfg!(debug_assertions) { find() } else { ONCE.get_or_init(find).clone() }
}

fn find() -> Links {
    let named = |name: &str, bytes: &[u8]| ["/assets/", &digest(bytes), "/", name].concat();
    let file = |path: &str| named(path.rsplit('/').next().unwrap_or(path), &read(path));
    Links {
        css: named("skiff.css", &bundle(&STYLES)),
        js: named("skiff.js", &bundle(&SCRIPTS)),
        early: file(EARLY),
        icons: file(ICONS),
        logo: file(LOGO),
    }
}

fn read(path: &str) -> Vec<u8> {
    Files::get(path).map(|file| file.data.into_owned()).unwrap_or_default()
}

fn bundle(paths: &[&str]) -> Vec<u8> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(read(path));
        all.push(b'\n');
    }
    all
}

fn digest(bytes: &[u8]) -> String {
    let mut hash = hex::encode(Sha256::digest(bytes));
    hash.truncate(HASH_DIGITS);
    hash
}

/// Answers `/assets/{hash}/{name}`. An older hash gets the present file, but may not keep it.
pub async fn hashed(Path((hash, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let bytes = match name.as_str() {
        "skiff.css" => bundle(&STYLES),
        "skiff.js" => bundle(&SCRIPTS),
        "theme.js" => read(EARLY),
        "icons.svg" => read(ICONS),
        "logo.svg" => read(LOGO),
        _ => return Err(Problem::NotFound),
    };
    let keep = if digest(&bytes) == hash { FOR_EVER } else { "no-store" };
    Ok(answer(&name, bytes, keep))
}

/// Answers `/assets/vendor/{folder}/{name}`: fonts, whose names carry their version.
pub async fn vendored(Path((folder, name)): Path<(String, String)>) -> Result<Response, Problem> {
    if folder.contains(['/', '\\']) || folder.starts_with('.') || name.contains(['/', '\\']) {
        return Err(Problem::NotFound);
    }
    let path = ["vendor/", &folder, "/", &name].concat();
    let file = Files::get(&path).ok_or(Problem::NotFound)?;
    Ok(answer(&name, file.data.into_owned(), FOR_EVER))
}

fn answer(name: &str, bytes: Vec<u8>, keep: &'static str) -> Response {
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "text/plain; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], bytes).into_response()
}
