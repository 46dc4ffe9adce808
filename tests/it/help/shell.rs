//! A shell of the panel's machine, where the panel may be what is away: what fails there leads to the docs by a command, which prints them.

use skiff::config::Cli;
use skiff::domain::help::Topic;
use skiff::guide;

use super::doctor::{close, local};
use crate::cli::terminal::{Ran, Terminal, ended};
use crate::harness::postgres::fresh_database;
use crate::harness::world::World;

/// Nothing of a panel, and no home: what is printed is in the program.
async fn docs(args: &[&str]) -> Ran {
    Terminal::new().run(&[&["docs"], args].concat()).await
}

#[tokio::test]
async fn the_docs_are_read_and_searched_in_a_terminal() {
    let list = docs(&[]).await.well().out;
    for page in guide::pages() {
        assert!(list.contains(&format!("  {} ", page.slug)) && list.contains(&page.title), "{list}");
    }
    let page = docs(&["hosts"]).await.well().out;
    assert!(page.starts_with("Hosts\n═════\n"), "{page}");
    let section = docs(&["hosts#a-jump-host"]).await.well().out;
    assert!(section.starts_with("A jump host\n───────────\n") && page.contains(section.trim_end()), "{section}");
    for same in [
        "/docs/hosts#a-jump-host",
        "https://panel.example.org/docs/hosts#a-jump-host",
        "docs/guide/hosts.md#a-jump-host",
    ] {
        assert_eq!(docs(&[same]).await.well().out, section, "{same}");
    }
    docs(&["nowhere"]).await.refused(2, "The docs have no page nowhere. There are: install, ");
    docs(&["../secrets/x"]).await.refused(2, "The docs have no page x.");
    docs(&["hosts#nowhere"]).await.refused(2, "The page hosts has no place nowhere. There are: hosts, ");

    let found = docs(&["--search", "jump", "host"]).await.well();
    assert!(found.out.contains("\nskiff docs hosts#a-jump-host\n    Hosts · A jump host\n"), "{}", found.out);
    let first = docs(&["--search", "jump host", "--json"]).await.well().json();
    let items = first["items"].as_array().unwrap().iter();
    let found: Vec<_> = items.map(|item| (item["page"].as_str().unwrap(), item["place"].as_str().unwrap())).collect();
    let hits = guide::search("jump host");
    let wanted: Vec<_> = hits.iter().map(|hit| (hit.page.slug.as_str(), hit.section.id.as_str())).collect();
    assert!(wanted.len() > 3 && found == wanted, "as the page finds it: {found:?}");
    assert!(docs(&["--search", "xyzzy"]).await.well().out.contains("Nothing found"));
    let whole = docs(&["hosts", "--json"]).await.well().json();
    assert_eq!(whole["text"].as_str(), Some(page.trim_end()));
    assert_eq!(docs(&["--json"]).await.well().json()["items"].as_array().unwrap().len(), guide::pages().count());
}

#[test]
fn every_page_fits_a_terminal_and_every_place_that_errors_lead_to_can_be_printed() {
    for page in guide::pages() {
        let text = guide::plain(&page.slug, None, 80).unwrap();
        assert!(!text.contains(['\u{1b}', '\t', '\u{a0}']), "{}", page.slug);
        for heading in &page.headings {
            let section = guide::plain(&page.slug, Some(&heading.id), 80);
            let begin = section.as_deref().and_then(|text| text.lines().next()).unwrap_or_default().replace('`', "");
            assert_eq!(begin, heading.text, "{}#{}", page.slug, heading.id);
        }
        // A word that is longer, such as a whole command in a sentence, stands alone.
        let wide = |line: &&str| line.chars().count() > 80 && !line.starts_with("    ") && !line.contains('`');
        assert_eq!(text.lines().find(wide), None, "{}", page.slug);
    }
    for topic in Topic::ALL {
        let (page, place) = topic.place();
        assert!(guide::plain(page, Some(place), 80).is_some_and(|text| text.lines().count() > 3), "{topic:?}");
        let typed = topic.command();
        assert!(clap::Parser::try_parse_from(typed.split(' ')).map(|_: Cli| ()).is_ok(), "{typed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_on_the_panels_machine_leads_there() {
    let world = World::idle(fresh_database().await).await;
    close(&world);
    let last = async |args: &[&str], change: &[(&str, &str)], code: i32, said: &str| {
        let mut command = local(&world, args);
        command.envs(change.iter().copied());
        let ran = ended(command.kill_on_drop(true).spawn().unwrap()).await.refused(code, said);
        ran.err.lines().last().unwrap_or_default().to_owned()
    };
    let more = |topic: Topic| format!("More: {}", topic.command());

    let missing: &[&str] = &["admin", "deploy", "nothing"];
    assert_eq!(last(missing, &[], 1, "There is no app called nothing.").await, more(Topic::Deploying));
    let wrong: &[&str] = &["admin", "host", "--name", "x", "--address", "not an address"];
    assert_eq!(last(wrong, &[], 1, "skiff: address: ").await, more(Topic::LettingIn));
    assert_eq!(last(&["admin", "acme"], &[], 1, "terms: ").await, more(Topic::CertificateAuthority));
    assert_eq!(last(&["self-upgrade"], &[], 1, "Skiff was not installed by its package").await, more(Topic::Upgrade));
    // The doctor says of each finding where the docs say more.
    let away = ("DATABASE_URL", "postgres://skiff@127.0.0.1:1/skiff");
    let owner = ("SKIFF_DATABASE_OWNER_URL", away.1);
    assert_eq!(
        last(&["setup"], &[away, owner], 1, "PostgreSQL at 127.0.0.1:1 does not answer").await,
        more(Topic::Database)
    );
    let open = ("SKIFF_LISTEN", "0.0.0.0:7070");
    assert_eq!(last(&["serve"], &[open], 1, "Skiff speaks plain http").await, more(Topic::OtherAddress));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let there = taken.local_addr().unwrap().to_string();
    assert_eq!(
        last(&["serve"], &[("SKIFF_LISTEN", &there)], 1, "Skiff cannot listen on").await,
        more(Topic::PanelPort)
    );
    let roots = ("SKIFF_NOTICES_CA_FILE", "/nonexistent/roots.pem");
    assert_eq!(last(&["serve"], &[roots], 1, "/nonexistent/roots.pem").await, more(Topic::Settings));
    let key = world.data_dir().join("master.key");
    std::fs::rename(&key, world.data_dir().join("away")).unwrap();
    assert_eq!(last(&["serve"], &[], 1, "The master key").await, more(Topic::MasterKey));
}
