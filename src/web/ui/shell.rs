//! The frame of every page of a team: rail, top line, where one is. Not here: what stands in it.

use super::{Badge, SafeUrl, Shape};
use crate::actions::accounts::TeamLine;
use crate::web::actor::Here;
use crate::web::assets::{self, Links};
use crate::web::session::Flash;

/// A step of the way to where one is.
#[derive(Clone, Debug)]
pub struct Crumb {
    /// What is there.
    pub label: String,
    /// Its page; none for the last one.
    pub href: Option<SafeUrl>,
}

/// A place in the rail.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its word.
    pub word: &'static str,
    /// Its icon in the sprite.
    pub icon: SafeUrl,
    /// Its page.
    pub href: SafeUrl,
    /// True where one is.
    pub here: bool,
    /// The key after `g` that leads there.
    pub key: &'static str,
}

/// A page of several about one thing.
#[derive(Clone, Debug)]
pub struct Tab {
    /// Its word.
    pub word: String,
    /// Its page.
    pub href: SafeUrl,
    /// True where one is.
    pub here: bool,
    /// How many are there; empty where that says nothing.
    pub count: String,
}

/// The frame.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The page's title.
    pub title: String,
    /// The assets.
    pub assets: Links,
    /// The token for acts.
    pub token: String,
    /// Who is signed in.
    pub name: String,
    /// The team one is in.
    pub team: Option<TeamLine>,
    /// All teams.
    pub teams: Vec<TeamLine>,
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// The rail.
    pub places: Vec<Place>,
    /// Jobs that run or wait.
    pub running: i64,
    /// A sentence about what was just done.
    pub flash: Option<Flash>,
    /// The state of what the page is about, in the tab's title.
    pub state: Option<Badge>,
}

impl Shell {
    /// The frame of a page called so, in the rail at `place`.
    pub fn new(here: &Here, title: impl Into<String>, place: &str) -> Self {
        let assets = assets::links();
        // Beside a team (one's account), the rail leads to the first one.
        let team = here.place.as_ref().map(|place| &place.team).or(here.teams.first()).cloned();
        let slug = team.as_ref().map_or("", |team| &team.slug);
        let at = |below: &str| SafeUrl::path(["t", slug, below].into_iter().filter(|part| !part.is_empty()));
        let icon = |name: &'static str| SafeUrl::asset(&assets.icons, name);
        let all = [
            ("Home", "#home", "", "h"),
            ("Apps", "#apps", "apps", "a"),
            ("Hosts", "#hosts", "hosts", "o"),
            ("Jobs", "#jobs", "jobs", "j"),
            ("Projects", "#projects", "projects", "p"),
            ("Team", "#team", "members", "t"),
            ("History", "#history", "audit", "y"),
        ];
        let places = all.map(|(word, symbol, below, key)| Place {
            word,
            icon: icon(symbol),
            href: at(below),
            here: word == place,
            key,
        });
        Self {
            title: title.into(),
            token: here.token.clone(),
            name: here.name.clone(),
            places: if team.is_some() { places.into() } else { Vec::new() },
            team,
            teams: here.teams.clone(),
            crumbs: Vec::new(),
            running: here.place.as_ref().map_or(0, |place| place.running),
            flash: here.flash.clone(),
            state: None,
            assets,
        }
    }

    /// One more step of the way.
    pub fn crumb(mut self, label: impl Into<String>, href: Option<SafeUrl>) -> Self {
        self.crumbs.push(Crumb { label: label.into(), href });
        self
    }

    /// The shape of what is at work.
    pub fn busy_shape(&self) -> Shape {
        Shape::Half
    }

    /// The shape of what is done, or was not.
    pub fn flash_shape(&self) -> Shape {
        if self.flash_help().is_some() { Shape::Cross } else { Shape::Disc }
    }

    /// Where the docs say more about why it was not done.
    pub fn flash_help(&self) -> Option<SafeUrl> {
        self.flash.as_ref()?.help.map(SafeUrl::help)
    }

    /// An icon of the sprite, by its `#name`.
    pub fn icon(&self, name: &'static str) -> SafeUrl {
        SafeUrl::asset(&self.assets.icons, name)
    }

    /// The page of a team.
    pub fn team_page(&self, slug: &str) -> SafeUrl {
        SafeUrl::path(["t", slug])
    }

    /// A team's tokens.
    pub fn tokens_page(&self, slug: &str) -> SafeUrl {
        SafeUrl::path(["t", slug, "tokens"])
    }

    /// The page of the running jobs.
    pub fn jobs_page(&self) -> SafeUrl {
        SafeUrl::path(["t", self.team.as_ref().map_or("", |team| &team.slug), "jobs"])
    }

    /// The list of apps: where a search from any page leads.
    pub fn apps_page(&self) -> SafeUrl {
        SafeUrl::path(["t", self.team.as_ref().map_or("", |team| &team.slug), "apps"])
    }

    /// The first letters of the name, for the account's button.
    pub fn initials(&self) -> String {
        self.name.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect::<String>().to_uppercase()
    }

    /// The places that fit a narrow screen's bar.
    pub fn bar(&self) -> &[Place] {
        self.places.get(..5).unwrap_or(&self.places)
    }

    /// Those for which the bar of a narrow screen has no room: they stand in the menu.
    pub fn beyond(&self) -> &[Place] {
        self.places.get(5..).unwrap_or_default()
    }
}
