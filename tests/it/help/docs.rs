//! The docs: every place that is linked is there, every command that is named exists, and everybody can read and search them.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory;
use skiff::domain::help::Topic;
use skiff::guide;

use crate::harness::door::Panel;

/// The guides as they lie in the repository.
fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let mut all: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    all.sort();
    all
}

/// Every heading as an address.
fn places() -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for page in guide::pages() {
        places.insert(format!("/docs/{}", page.slug));
        places.extend(page.headings.iter().map(|heading| format!("/docs/{}#{}", page.slug, heading.id)));
    }
    places
}

#[test]
fn every_error_leads_to_a_place_that_is_there() {
    let places = places();
    for topic in Topic::ALL {
        assert!(places.contains(&topic.path()), "{topic:?} leads to {}, which is not there", topic.path());
    }
}

#[test]
fn every_guide_is_a_page_and_every_link_on_it_leads_somewhere() {
    let places = places();
    let slugs: BTreeSet<&str> = guide::pages().map(|page| page.slug.as_str()).collect();
    for (slug, text) in sources() {
        assert!(slugs.contains(slug.as_str()), "{slug} is no page");
        assert_eq!(text.matches("\n# ").count() + usize::from(text.starts_with("# ")), 1, "{slug} has one title");
    }
    let mut links = 0;
    for page in guide::pages() {
        for link in &page.links {
            let within = format!("/docs/{}{link}", page.slug);
            let known = places.contains(link) || (link.starts_with('#') && places.contains(&within));
            assert!(known || link.starts_with("https://"), "{}: {link} leads nowhere", page.slug);
            links += 1;
        }
        let html = page.body.to_string();
        for banned in ["style=", "<script", "javascript:", "onclick"] {
            assert!(!html.contains(banned), "{}: {banned} would be refused by the browser", page.slug);
        }
    }
    assert!(links > 15, "{links}");
}

/// The readme and the other texts of the repository link to guides, too.
#[test]
fn links_from_outside_lead_to_guides_and_headings() {
    let places = places();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut links = 0;
    for file in [
        "README.md",
        "docs/ARCHITECTURE.md",
        "docs/CONTRIBUTING.md",
        "docs/ROADMAP.md",
        "docs/SECURITY.md",
        "docs/RELIABILITY.md",
    ] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let Some((_, guide)) = target.split_once("guide/") else { continue };
            let (page, heading) = guide.split_once('#').unwrap_or((guide, ""));
            let page = page.strip_suffix(".md").unwrap_or(page);
            let place = if heading.is_empty() { format!("/docs/{page}") } else { format!("/docs/{page}#{heading}") };
            assert!(places.contains(&place), "{file}: {target} leads nowhere");
            links += 1;
        }
    }
    assert!(links > 5, "{links}");
}

/// Commands as they stand in a text: in spans of code and in blocks of it.
fn commands(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            block = !block;
        } else if block || line.starts_with("    ") {
            lines.push(line.trim().to_owned());
        } else {
            lines.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    let named = |line: String| {
        let start = ["skiff ", "sudo skiff "].into_iter().find_map(|start| line.strip_prefix(start).map(str::to_owned));
        let piped = || {
            ["| skiff ", "| sudo skiff ", "exec skiff skiff "]
                .into_iter()
                .find_map(|mark| line.split_once(mark).map(|(_, rest)| rest.to_owned()))
        };
        let rest = start.or_else(piped)?;
        let rest = rest.split(" # ").next().unwrap_or_default().trim().to_owned();
        rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '-').then_some(rest)
    };
    lines.into_iter().filter_map(named).collect()
}

/// What is wrong with a command; nothing where it exists.
fn wrong(command: &str) -> Option<String> {
    let root = skiff::config::Cli::command();
    let mut here = &root;
    let mut taken = Vec::new();
    let plain = |word: &str| word.trim_matches(['[', ']', '(', ')', ',', ';', '…', '\\', '|', '.']).to_owned();
    let mut words = command.split_whitespace().map(plain).filter(|word| !word.is_empty()).peekable();
    // Words that name a command stand before everything else, but for the app in front of what is done with it.
    while let Some(word) = words.peek() {
        let next = here.get_subcommands().find(|sub| sub.get_name() == word);
        match next {
            Some(next) => {
                here = next;
                taken.push(next.get_name().to_owned());
                words.next();
            }
            None if taken.is_empty() && !word.starts_with('-') => return Some(format!("there is no command {word}")),
            None if matches!(taken.last().map(String::as_str), Some("hosts" | "admin"))
                && word.starts_with(|c: char| c.is_ascii_lowercase()) =>
            {
                return Some(format!("{} has no {word}", taken.join(" ")));
            }
            None => break,
        }
    }
    let knows =
        |command: &clap::Command, flag: &str| command.get_arguments().any(|argument| argument.get_long() == Some(flag));
    for word in words {
        let Some(flag) = word.strip_prefix("--") else { continue };
        let flag = flag.split(['=', '`']).next().unwrap_or_default();
        let ours = ["help", "version", "panel", "json", ""].contains(&flag);
        let below = here.get_subcommands().any(|sub| knows(sub, flag));
        if !ours && !knows(here, flag) && !below {
            return Some(format!("{} has no --{flag}", taken.join(" ")));
        }
    }
    None
}

#[test]
fn every_command_that_the_docs_name_exists() {
    let mut seen = 0;
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for (slug, text) in sources().into_iter().chain([("README".to_owned(), readme)]) {
        for command in commands(&text) {
            assert_eq!(wrong(&command), None, "{slug}: skiff {command}");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
    for bad in ["deploys web", "deploy web --now", "hosts paint fra-1", "admin fly"] {
        assert!(wrong(bad).is_some(), "{bad}");
    }
}

#[tokio::test]
async fn anybody_reads_and_searches_them_and_a_browser_keeps_them() {
    let panel = Panel::open().await;
    let visitor = panel.visitor();
    let index = visitor.text("/docs").await;
    for page in guide::pages() {
        assert!(index.contains(&format!("href=\"/docs/{}\"", page.slug)), "{}", page.slug);
        let text = visitor.text(&format!("/docs/{}", page.slug)).await;
        assert!(text.contains(&format!("<h1 id=\"{}\">", page.headings[0].id)), "{}", page.slug);
    }
    let answer = visitor.get("/docs/hosts").await;
    let (tag, keep) =
        (answer.headers()["etag"].clone(), answer.headers()["cache-control"].to_str().unwrap().to_owned());
    assert!(keep.starts_with("public"), "{keep}");
    assert!(answer.headers().get("set-cookie").is_none(), "who only reads gets no cookie");
    let again = visitor.http.get(visitor.at("/docs/hosts")).header("if-none-match", tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.text().await.unwrap().as_str()), (304, ""));
    for nothing in ["/docs/nothing", "/docs/..%2Fhosts", "/docs/hosts.md", "/docs/hosts/x"] {
        assert_eq!(visitor.get(nothing).await.status(), 404, "{nothing}");
    }

    let found = visitor.text("/docs/search?q=jump+host").await;
    assert!(found.contains("href=\"/docs/hosts#a-jump-host\"") && found.contains("<mark>jump</mark>"), "{found}");
    let hostile = visitor.text("/docs/search?q=%3Cscript%3Ealert(1)%3C/script%3E+host").await;
    assert!(!hostile.contains("<script>alert"), "{hostile}");
    let none = visitor.text("/docs/search?q=xyzzy").await;
    assert!(none.contains("Nothing found"), "{none}");
    let long = format!("/docs/search?q={}", "a+".repeat(3000));
    assert!(visitor.get(&long).await.status().is_success());
}

#[tokio::test]
async fn they_are_read_while_the_database_is_away() {
    let panel = Panel::open().await;
    panel.ctx.db.close().await;
    let visitor = panel.visitor();
    assert_eq!(visitor.get("/ready").await.status(), 503, "the database is away");
    assert!(visitor.text("/docs/panel-trouble").await.contains("The database"));
    assert!(visitor.text("/docs/search?q=database").await.contains("<mark>"));
}
