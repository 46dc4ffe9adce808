//! Lengths, names, and who sends which script.

use super::Source;

/// Lines in a file, at most.
const LINES: usize = 500;
/// Files that are longer, with their length: the list and the numbers may only shrink.
pub const LONG: &[(&str, usize)] = &[];
/// Rooms and files named for nothing collect everything.
const NAMED_FOR_NOTHING: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "service", "misc", "shared", "base"];

/// Files longer than they may be, and entries of the list that have become untrue.
pub fn lengths(files: &[Source], long: &[(&str, usize)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let lines = file.text.lines().count();
        match long.iter().find(|(path, _)| *path == file.path) {
            Some((path, most)) if lines > *most => {
                complaints.push(format!("{path}: grew from {most} to {lines} lines"))
            }
            Some((path, _)) if lines <= LINES => {
                complaints.push(format!("{path}: is short now; take it from the list"))
            }
            None if lines > LINES => {
                complaints.push(format!("{}: has {lines} lines; a file has one subject and at most {LINES}", file.path))
            }
            _ => {}
        }
    }
    let gone = long.iter().filter(|(path, _)| !files.iter().any(|file| file.path == *path));
    complaints.extend(gone.map(|(path, _)| format!("{path}: is gone; take it from the list")));
    complaints
}

/// Files and folders whose name says nothing.
pub fn named_for_nothing(file: &Source) -> Option<String> {
    let rust = file.path.ends_with(".rs");
    let part = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    let bad = part.into_iter().find(|part| rust && NAMED_FOR_NOTHING.contains(part))?;
    Some(format!("{}: \"{bad}\" is a room for nothing, which collects everything", file.path))
}

/// Scripts that no place or more than one sends to hosts.
pub fn script_owners(scripts: &[Source], sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for script in scripts {
        let name = script.path.trim_start_matches("scripts/");
        let needle = format!("scripts/{name}\")");
        let owners: usize = sources
            .iter()
            .flat_map(|source| source.text.lines())
            .filter(|line| line.contains("include_str!(") && line.contains(&needle))
            .count();
        if owners != 1 {
            complaints.push(format!("{}: {owners} places include it; one RemoteScript does", script.path));
        }
    }
    complaints
}

/// What history is written about: the first half of an event's action.
const SUBJECTS: &[&str] = &[
    "account",
    "app",
    "channel",
    "certificate",
    "delivery",
    "deploy",
    "environment",
    "hook",
    "host",
    "instance",
    "invitation",
    "job",
    "member",
    "notice",
    "panel",
    "project",
    "route",
    "secret",
    "team",
    "token",
    "variable",
    "volume",
];
/// Where the words of history stand.
const HISTORY: &str = "src/actions/audit.rs";

/// Events that history would show by their name in the code.
pub fn without_words(sources: &[Source]) -> Vec<String> {
    let history = sources.iter().find(|source| source.path == HISTORY).map_or("", |source| source.text.as_str());
    let mut complaints = Vec::new();
    let acting = |source: &&Source| {
        source.path != HISTORY && ["src/actions/", "src/jobs/"].iter().any(|room| source.path.starts_with(room))
    };
    for source in sources.iter().filter(acting) {
        for literal in source.text.split('"').skip(1).step_by(2) {
            let Some((subject, verb)) = literal.split_once('.') else { continue };
            let named =
                SUBJECTS.contains(&subject) && verb.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if named && verb != "localhost" && !history.contains(&format!("\"{literal}\"")) {
                complaints.push(format!("{}: history has no words for {literal}; {HISTORY} has them", source.path));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_words_is_seen() {
        let acting = || Source::new("src/actions/hosts.rs", "record(tx, \"host.burnt\", \"my file\")");
        assert_eq!(without_words(&[acting()]).len(), 1);
        assert_eq!(without_words(&[acting(), Source::new(HISTORY, "\"host.burnt\" => \"burnt\"")]), [""; 0]);
        assert_eq!(without_words(&[Source::new("src/actions/a.rs", "\"app.localhost\" \"health.path\"")]), [""; 0]);
    }

    #[test]
    fn a_long_file_is_seen_and_the_list_only_shrinks() {
        let long = Source::new("src/a.rs", &"x\n".repeat(501));
        let short = Source::new("src/b.rs", "x\n");
        assert_eq!(lengths(std::slice::from_ref(&long), &[]).len(), 1);
        assert_eq!(lengths(std::slice::from_ref(&long), &[("src/a.rs", 501)]), [""; 0]);
        assert_eq!(lengths(std::slice::from_ref(&long), &[("src/a.rs", 500)]).len(), 1);
        assert_eq!(lengths(std::slice::from_ref(&short), &[("src/b.rs", 700)]).len(), 1);
        assert_eq!(lengths(std::slice::from_ref(&short), &[("src/c.rs", 700)]).len(), 1);
    }

    #[test]
    fn a_name_for_nothing_is_seen() {
        assert!(named_for_nothing(&Source::new("src/web/utils.rs", "")).is_some());
        assert!(named_for_nothing(&Source::new("src/common/mod.rs", "")).is_some());
        assert!(named_for_nothing(&Source::new("src/web/shell.rs", "")).is_none());
        assert!(named_for_nothing(&Source::new("static/css/base.css", "")).is_none());
    }

    #[test]
    fn a_script_without_one_owner_is_seen() {
        let script = || vec![Source::new("scripts/x.bash", "")];
        let owner = || Source::new("src/a.rs", "text: include_str!(\"../scripts/x.bash\"),");
        assert_eq!(script_owners(&script(), &[]).len(), 1);
        assert_eq!(script_owners(&script(), &[owner()]), [""; 0]);
        assert_eq!(script_owners(&script(), &[owner(), owner()]).len(), 1);
    }
}
