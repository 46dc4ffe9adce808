//! The judge of the house: reads the sources and fails on what the compiler does not see. Each rule is a function from a
//! text to complaints, so that each is also shown to fail on a bad example.

mod rooms;
mod templates;
mod words;

use std::path::{Path, PathBuf};

/// One file of the repository, its path from the root with `/`.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }
}

/// Every file below a folder with one of these endings, sorted.
fn read(folder: &str, endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    let source = |path: PathBuf| {
        let short = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        Source { text: std::fs::read_to_string(&path).unwrap(), path: short }
    };
    found.into_iter().map(source).collect()
}

#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn rooms_import_downwards_only() {
    none(read("src", &["rs"]).iter().flat_map(rooms::imports).collect());
}

#[test]
fn the_ground_floor_is_pure() {
    none(read("src/domain", &["rs"]).iter().flat_map(rooms::pure).collect());
}

#[test]
fn what_is_wrapped_is_used_in_its_wrapper_only() {
    none(read("src", &["rs"]).iter().flat_map(rooms::wrapped).collect());
}

#[test]
fn every_kind_of_job_is_in_the_list() {
    none(rooms::unlisted_jobs(&read("src/jobs", &["rs"])));
}

#[test]
fn files_are_short_and_named_for_something() {
    let mut files = read("src", &["rs"]);
    files.extend(read("tests", &["rs"]));
    files.extend(read("benches", &["rs"]));
    files.extend(read("templates", &["html"]));
    files.extend(read("static/css", &["css"]));
    files.extend(read("static/js", &["js"]));
    files.extend(read("scripts", &["bash"]));
    none(words::lengths(&files, words::LONG));
    none(files.iter().flat_map(words::named_for_nothing).collect());
}

#[test]
fn templates_decide_nothing_about_escaping() {
    none(read("templates", &["html"]).iter().flat_map(templates::unsafe_places).collect());
}

#[test]
fn addresses_in_templates_are_checked_values() {
    none(templates::unchecked_addresses(
        &read("templates", &["html"]),
        &read("src/web", &["rs"]),
        &read("src/actions", &["rs"]),
    ));
}

#[test]
fn scripts_are_bash_and_have_one_owner() {
    let scripts = read("scripts", &["bash"]);
    assert!(scripts.iter().any(|script| script.path == "scripts/facts.bash"), "the scripts were found");
    none(words::script_owners(&scripts, &read("src", &["rs"])));
    none(words::without_words(&read("src", &["rs"])));
    for script in scripts {
        let checked = std::process::Command::new("bash").args(["-n", &script.path]).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// What the program is, is said in one place: a package has a version of its own.
#[test]
fn the_version_is_said_once() {
    let all = read("src", &["rs"]);
    let at: Vec<&str> =
        all.iter().filter(|file| file.text.contains("CARGO_PKG_VERSION")).map(|file| file.path.as_str()).collect();
    assert_eq!(at, ["src/domain/mod.rs"], "use crate::domain::VERSION");
}
