//! What the scripts of the package say when they fail leads to a place in the docs: by `skiff docs` where the program is there, else by the file.

use std::collections::BTreeSet;

use skiff::guide;

use super::front_door::text;
use crate::harness::host::run;

/// The repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Who speaks.
const SCRIPTS: [&str; 5] =
    ["package/install.sh", "package/machine.bash", "package/set-up", "package/upgrade.bash", "bin/up"];

/// What makes a server ready, whose reasons they pass on.
const PARTS: [&str; 2] = ["scripts/packages.bash", "scripts/user.bash"];

/// What stands behind `fail "` and `refuse "`, up to the first quote.
fn sentences() -> Vec<String> {
    let mut all = Vec::new();
    for (file, says) in SCRIPTS.map(|file| (file, "fail \"")).into_iter().chain(PARTS.map(|file| (file, "refuse \""))) {
        let text = std::fs::read_to_string(format!("{ROOT}/{file}")).unwrap();
        for said in text.split(says).skip(1) {
            let end = said.match_indices('"').map(|(at, _)| at).find(|at| !said[..*at].ends_with('\\')).unwrap();
            all.push(said[..end].replace("\\\"", "\""));
        }
    }
    all
}

#[tokio::test]
async fn every_sentence_that_they_fail_with_is_in_the_docs() {
    let functions = [text("machine.bash", "place_of"), text("machine.bash", "more")].concat();
    for file in ["install.sh", "upgrade.bash"] {
        assert_eq!([text(file, "place_of"), text(file, "more")].concat(), functions, "{file}");
    }
    let ask = async |sentences: &[&str], script: &str| {
        let script = format!("{functions}{script}");
        let path =
            [&["-i", "PATH=/nowhere", "/bin/bash", "-euo", "pipefail", "-c", &script, "more"], sentences].concat();
        run("env", &path).await.must("the places").lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // What others said, whose words are not known here.
    let all: Vec<String> =
        sentences().into_iter().filter(|said| !said.starts_with('$') || said.contains(' ')).collect();
    let known: Vec<&str> = all.iter().map(String::as_str).collect();
    let places = ask(&known, "for said in \"$@\"; do place_of \"$said\"; done").await;
    assert!(all.len() > 80 && places.len() == all.len(), "{} of {}", places.len(), all.len());
    let page = guide::page("install").unwrap();
    let there: BTreeSet<&str> = page.headings.iter().map(|heading| heading.id.as_str()).collect();
    let mut used = BTreeSet::new();
    for (said, place) in all.iter().zip(&places) {
        assert!(there.contains(place.as_str()), "{said}: install#{place} is not there");
        let of_options =
            said.starts_with("unknown option") || said.starts_with("this is what") || said.contains("requests failed");
        assert!(
            place != "when-it-does-not-work" || of_options || said.starts_with('$'),
            "{said} leads nowhere of its own"
        );
        used.insert(place.as_str());
    }
    // Each part that is about a failure is led to by one.
    let begin = page.headings.iter().position(|heading| heading.id == "when-it-does-not-work").unwrap();
    for heading in page.headings.iter().skip(begin + 1).take_while(|heading| heading.level == 3) {
        let told_later = heading.id == "an-upgrade-was-given-up-or-taken-back";
        assert!(used.contains(heading.id.as_str()) || told_later, "nothing leads to {}", heading.id);
    }
    let said = ["the disk is full.", "the upgrade to 2.0 was taken back: the disk is full."];
    let lines = ask(&said, "for said in \"$@\"; do more \"$said\"; done").await;
    assert_eq!(
        lines,
        [
            "More: docs/guide/install.md#no-room-on-the-disk",
            "More: docs/guide/install.md#an-upgrade-was-given-up-or-taken-back"
        ]
    );
    let lines =
        ask(&said[..1], "skiff() { :; }; more \"$1\"; LEADS_TO='skiff docs panel-trouble#the-database'; more \"$1\"")
            .await;
    assert_eq!(lines, ["More: skiff docs install#no-room-on-the-disk", "More: skiff docs panel-trouble#the-database"]);
}
