//! The docs: contents, a page, what a search finds. Open to everybody and without a question to the database: they are no secret, and they are
//! needed most where nothing else answers. Not here: the texts, drawing and searching them (`guide`).

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::guide::{self, Group, Heading, Hit, Page};
use crate::web::assets::{self, Links};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::SafeUrl;

/// A browser need not ask again for so long: the docs change with the program alone.
const KEEP: &str = "public, max-age=300";

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/docs", Policy::Open, index).get("/docs/search", Policy::Open, search).get(
        "/docs/{page}",
        Policy::Open,
        show,
    )
}

/// The frame of the docs: their own, as nobody need be signed in.
pub struct Frame {
    /// The assets.
    pub assets: Links,
    /// The contents.
    pub groups: &'static [Group],
    /// The page one is on; empty for none.
    pub here: &'static str,
    /// What is looked for.
    pub query: String,
}

impl Frame {
    fn new(here: &'static str, query: String) -> Self {
        Self { assets: assets::links(), groups: guide::groups(), here, query }
    }

    fn page(&self, page: &Page) -> SafeUrl {
        SafeUrl::docs(&page.slug, "")
    }

    fn is_here(&self, page: &Page) -> bool {
        page.slug == self.here
    }
}

/// The contents.
#[derive(Template)]
#[template(path = "docs/index.html")]
struct Index {
    frame: Frame,
}

impl Index {
    /// What a page is about, beside its title: its first words.
    fn lead(&self, page: &Page) -> String {
        let text =
            page.sections.iter().map(|section| section.text.as_str()).find(|text| !text.is_empty()).unwrap_or_default();
        let end = text.find(". ").map_or(text.len(), |at| at + 1);
        text.get(..end).unwrap_or_default().to_owned()
    }
}

/// A page.
#[derive(Template)]
#[template(path = "docs/show.html")]
struct Show {
    frame: Frame,
    page: &'static Page,
    next: Option<&'static Page>,
}

impl Show {
    fn contents(&self) -> Vec<&Heading> {
        self.page.contents().collect()
    }
}

/// What a search found.
#[derive(Template)]
#[template(path = "docs/search.html")]
struct Found {
    frame: Frame,
    hits: Vec<Hit>,
}

impl Found {
    fn section(&self, hit: &Hit) -> SafeUrl {
        SafeUrl::docs(&hit.page.slug, &hit.section.id)
    }

    fn is_whole(&self, hit: &Hit) -> bool {
        hit.section.heading == hit.page.title
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    kept(&headers, &Index { frame: Frame::new("", String::new()) })
}

async fn show(headers: HeaderMap, Path(slug): Path<String>) -> Result<Response, Problem> {
    let page = guide::page(&slug).ok_or(Problem::NotFound)?;
    let next = guide::pages().skip_while(|other| other.slug != page.slug).nth(1);
    kept(&headers, &Show { frame: Frame::new(&page.slug, String::new()), page, next })
}

async fn search(headers: HeaderMap, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let hits = guide::search(&asked.q);
    kept(&headers, &Found { frame: Frame::new("", asked.q), hits })
}

/// A page that browsers may keep, or word that the one they have is still the same.
fn kept(headers: &HeaderMap, template: &impl Template) -> Result<Response, Problem> {
    let html = template.render().map_err(Problem::fault)?;
    let tag = ["\"", &hex::encode(Sha256::digest(html.as_bytes())), "\""].concat();
    let has = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let same = has.is_some_and(|tags| tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = match same {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
    };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEEP));
    answer.insert(header::ETAG, HeaderValue::from_str(&tag).map_err(Problem::fault)?);
    Ok(response)
}
