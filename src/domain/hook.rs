//! Push to deploy: what a forge says happened, and what an app makes of it. Not here: signatures and the spelling of each
//! forge (`providers::forges`).

use std::collections::BTreeMap;

use super::names::{CommitId, GitUrl};
use super::source::Source;

/// The headers of a request, by their lowercase names.
pub type Headers = BTreeMap<String, String>;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Provider {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea and Forgejo.
    Gitea,
    /// Anything that can sign a request.
    Generic,
}

impl Provider {
    /// All of them, as they are offered.
    pub const ALL: [Self; 4] = [Self::Github, Self::Gitlab, Self::Gitea, Self::Generic];

    /// Its name in addresses.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Gitea => "gitea",
            Self::Generic => "generic",
        }
    }

    /// Its name for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
            Self::Gitea => "Gitea or Forgejo",
            Self::Generic => "Anything else",
        }
    }

    /// The provider of this name in an address.
    pub fn of_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.slug() == slug)
    }

    /// The one to offer first for an app of this source.
    pub fn likely(source: &Source) -> Self {
        let Source::Git(git) = source else { return Self::Generic };
        let (host, _) = split(&git.url);
        match host {
            host if host == "github.com" || host.ends_with(".github.com") => Self::Github,
            host if host.contains("gitlab") => Self::Gitlab,
            host if host.contains("gitea") || host.contains("forgejo") || host == "codeberg.org" => Self::Gitea,
            _ => Self::Github,
        }
    }
}

/// What a delivery tells, in the words of no forge. Author and subject are hostile text, capped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The forge tries the address.
    Ping,
    /// A branch or tag moved, or somebody asks to deploy.
    Push(Push),
    /// Something else, by the forge's own name.
    Other(String),
    /// It cannot be read: the sentence says why.
    Unreadable(&'static str),
}

/// A push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// The full name of what moved: "refs/heads/main". None where nothing is said of it.
    pub reference: Option<String>,
    /// The commit it points to now.
    pub commit: Option<CommitId>,
    /// True where it is gone.
    pub deleted: bool,
    /// The repository's name at the forge: "acme/shop".
    pub repository: Option<String>,
    /// Who wrote the commit.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
}

impl Push {
    /// The branch, where it is one.
    pub fn branch(&self) -> Option<&str> {
        self.reference.as_deref()?.strip_prefix("refs/heads/")
    }
}

/// What came of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, sqlx::Type, schemars::JsonSchema)]
#[schemars(rename = "DeliveryAnswer")]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Answer {
    /// A deploy was asked for.
    Deploys,
    /// The commit is deployed already, or its deploy waits or runs.
    Present,
    /// Nothing was to be done.
    Ignored,
    /// A deploy was wanted and could not be asked for.
    Refused,
}

impl Answer {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploys => "deploys",
            Self::Present => "already there",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }

    /// The status the forge was answered with.
    pub fn status(self) -> u16 {
        match self {
            Self::Deploys => 202,
            Self::Present | Self::Ignored | Self::Refused => 200,
        }
    }
}

/// What an app makes of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Deploy the head.
    Deploy,
    /// Do nothing, for this reason: one sentence.
    Ignore(String),
}

/// Decides what an app of this source makes of an event.
pub fn decide(provider: Provider, source: &Source, event: &Event) -> Verdict {
    let ignore = |why: &str| Verdict::Ignore(why.to_owned());
    let push = match event {
        Event::Ping => return ignore("The forge tried the address: it works."),
        Event::Other(name) if name.is_empty() => return ignore("It does not say which event it is."),
        Event::Other(_) => return ignore("Only pushes deploy."),
        Event::Unreadable(why) => return ignore(why),
        Event::Push(push) => push,
    };
    let git = match (source, provider) {
        (Source::Image(_), Provider::Generic) => return Verdict::Deploy,
        (Source::Image(_), _) => return ignore("This app runs an image: a push to a repository does not change it."),
        (Source::Git(git), _) => git,
    };
    if let Some(repository) = push.repository.as_deref()
        && !same_repository(&git.url, repository)
    {
        return ignore("It is about another repository than the app's.");
    }
    match (push.reference.as_deref(), push.branch()) {
        (None, _) if provider == Provider::Generic => Verdict::Deploy,
        (None, _) => ignore("It does not say which branch was pushed."),
        (Some(reference), None) if reference.starts_with("refs/tags/") => ignore("A tag was pushed: branches deploy."),
        (Some(_), None) => ignore("It is not about a branch."),
        (Some(_), Some(_)) if push.deleted => ignore("A branch was deleted."),
        (Some(_), Some(branch)) if branch == git.branch.as_ref() => Verdict::Deploy,
        (Some(_), Some(_)) => Verdict::Ignore(format!("The app deploys the branch {}.", git.branch)),
    }
}

/// True where the address ends in the repository's name. The host is not compared: forges are known by several names, and
/// the signature has said already who it is.
fn same_repository(url: &GitUrl, name: &str) -> bool {
    let (_, path) = split(url);
    let name = name.trim_matches('/').to_lowercase();
    !name.is_empty() && (path == name || path.strip_suffix(&name).is_some_and(|before| before.ends_with('/')))
}

/// Host and path of a repository's address, in lowercase, without user, port and ".git".
fn split(url: &GitUrl) -> (String, String) {
    let text = url.as_ref().to_lowercase();
    let (rest, scp) = match text.split_once("://") {
        Some((_, rest)) => (rest, false),
        None => (text.as_str(), true),
    };
    let (host, path) = rest.split_once(if scp { ':' } else { '/' }).unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let path = path.trim_matches('/');
    (host.to_owned(), path.strip_suffix(".git").unwrap_or(path).to_owned())
}

/// What asked for the deploy, for history: "a push 9f3c21a by Ada".
pub fn words(event: &Event) -> String {
    let Event::Push(push) = event else { return "a hook".to_owned() };
    let mut words = if push.reference.is_some() { "a push".to_owned() } else { "a hook".to_owned() };
    if let Some(commit) = &push.commit {
        words.push(' ');
        words.push_str(commit.short());
    }
    if !push.author.is_empty() {
        words.push_str(" by ");
        words.push_str(&push.author);
    }
    words
}

/// A text of a forge as it is kept: one line of at most `most` characters, in which nothing hides or turns round.
pub fn tidy(text: &str, most: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let shown = |c: char| if super::names::is_hidden(c) { '\u{fffd}' } else { c };
    let mut kept: String = line.chars().take(most).map(shown).collect();
    if line.chars().nth(most).is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::source::{Git, GitAccess, Image};

    fn git(url: &str) -> Source {
        Source::Git(Git {
            url: url.parse().unwrap(),
            branch: "main".parse().unwrap(),
            access: GitAccess::Public,
            dockerfile: "Dockerfile".parse().unwrap(),
            context: ".".parse().unwrap(),
            target: None,
            args: Default::default(),
            secrets: Default::default(),
        })
    }

    fn push(reference: Option<&str>, repository: Option<&str>, deleted: bool) -> Event {
        Event::Push(Push {
            reference: reference.map(str::to_owned),
            repository: repository.map(str::to_owned),
            deleted,
            ..Push::default()
        })
    }

    #[test]
    fn only_a_push_to_the_branch_of_the_repository_deploys() {
        let source = git("https://github.com/Acme/Shop.git");
        let said = |event: Event| match decide(Provider::Github, &source, &event) {
            Verdict::Deploy => "deploy".to_owned(),
            Verdict::Ignore(why) => why,
        };
        let (main, shop) = (Some("refs/heads/main"), Some("acme/shop"));
        assert_eq!(said(push(main, shop, false)), "deploy");
        assert_eq!(said(push(main, None, false)), "deploy");
        assert_eq!(said(push(Some("refs/heads/main2"), shop, false)), "The app deploys the branch main.");
        assert_eq!(said(push(Some("refs/tags/main"), shop, false)), "A tag was pushed: branches deploy.");
        assert_eq!(said(push(main, shop, true)), "A branch was deleted.");
        assert_eq!(said(push(None, shop, false)), "It does not say which branch was pushed.");
        for other in ["acme/workshop", "shop", "evil/shop", "acme/shop/x", ""] {
            let said = said(push(main, Some(other), false));
            let fits = other == "shop";
            assert_eq!(said == "deploy", fits, "{other}: {said}");
        }
        assert_eq!(said(Event::Other("pull_request".into())), "Only pushes deploy.");
        assert_eq!(said(Event::Other(String::new())), "It does not say which event it is.");
    }

    #[test]
    fn a_repository_is_known_by_every_spelling_of_its_address() {
        for url in [
            "https://github.com/acme/shop",
            "https://github.com/acme/shop.git",
            "git@github.com:acme/shop.git",
            "ssh://git@ssh.github.com:443/acme/shop.git",
            "https://example.org/git/acme/shop.git",
            "file:///srv/git/acme/shop.git",
        ] {
            assert!(same_repository(&url.parse().unwrap(), "Acme/Shop"), "{url}");
            assert!(!same_repository(&url.parse().unwrap(), "acme/shop2"), "{url}");
            assert!(!same_repository(&url.parse().unwrap(), "me/shop"), "{url}");
        }
    }

    #[test]
    fn an_app_of_an_image_deploys_again_by_a_generic_hook_alone() {
        let source = Source::Image(Image { image: "web:1".parse().unwrap(), login: None });
        let event = push(None, None, false);
        assert_eq!(decide(Provider::Generic, &source, &event), Verdict::Deploy);
        assert!(matches!(decide(Provider::Github, &source, &event), Verdict::Ignore(_)));
        assert_eq!(decide(Provider::Generic, &git("https://x.example/a/b"), &event), Verdict::Deploy);
    }

    #[test]
    fn the_likely_forge_is_known_by_the_host() {
        let likely = |url: &str| Provider::likely(&git(url));
        assert_eq!(likely("git@github.com:acme/shop.git"), Provider::Github);
        assert_eq!(likely("https://gitlab.example.org/acme/shop"), Provider::Gitlab);
        assert_eq!(likely("ssh://git@codeberg.org/acme/shop"), Provider::Gitea);
    }

    #[test]
    fn words_of_a_forge_are_one_line_in_which_nothing_hides() {
        assert_eq!(tidy("  fix: \u{202e}it\0\nmore", 200), "fix: \u{fffd}it\u{fffd}");
        assert_eq!(tidy("<script>alert(1)</script>", 200), "<script>alert(1)</script>");
        assert_eq!(tidy("äöüß", 3), "äöü…");
        let push = Push {
            reference: Some("refs/heads/main".into()),
            commit: Some("9f3c21a5d1b8e7f60a4c3b2d1e0f9a8b7c6d5e4f".parse().unwrap()),
            author: "Ada".into(),
            ..Push::default()
        };
        assert_eq!(words(&Event::Push(push)), "a push 9f3c21a by Ada");
        assert_eq!(words(&Event::Push(Push::default())), "a hook");
    }
}
