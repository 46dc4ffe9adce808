//! Which room may name which, read from the tokens of the sources: `crate::…` and `super::…` wherever they stand, in
//! macros too.

use super::Source;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::str::FromStr;

/// A room and the rooms below that it may name. The wiring (`app`, `config`, `main`, `lib`) may name all.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("db", &["domain"]),
    ("remote", &["domain"]),
    ("providers", &["domain"]),
    ("vault", &["domain"]),
    // The docs, for who reads them in a browser and on a terminal.
    ("guide", &["domain"]),
    ("queue", &["db", "domain"]),
    // From a host's row to its connection.
    ("access", &["db", "remote", "vault", "domain"]),
    ("jobs", &["queue", "access", "db", "remote", "providers", "vault", "domain"]),
    ("watch", &["queue", "access", "db", "remote", "providers", "vault", "domain"]),
    // Of `jobs` their arguments, of `remote` what a live view streams.
    ("actions", &["jobs", "queue", "access", "db", "remote", "providers", "vault", "domain"]),
    // What every HTTP door has.
    ("door", &["domain"]),
    ("web", &["door", "actions", "guide", "domain"]),
    ("api", &["door", "actions", "domain"]),
    ("cli", &["actions", "guide", "domain"]),
    ("schedule", &["actions", "domain"]),
];
const WIRING: &[&str] = &["app", "config", "main", "lib"];

/// Crates whose words must not appear in `domain`.
const IMPURE: &[&str] = &[
    "tokio",
    "tracing",
    "rand",
    "bollard",
    "russh",
    "axum",
    "hyper",
    "reqwest",
    "futures_util",
    "argon2",
    "tokio_util",
];

/// The path of a module by its file: `src/jobs/deploy/mod.rs` is `[jobs, deploy]`.
fn module(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib" || last == "main") && parts.len() > 1 {
        parts.pop();
    }
    if parts == ["lib"] { Vec::new() } else { parts }
}

/// The names of a path's next step: `x`, or each first name in `{x, y::z}`.
fn next_names(tree: &TokenTree) -> Vec<String> {
    match tree {
        TokenTree::Ident(ident) => vec![ident.to_string()],
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let mut names = Vec::new();
            let mut fresh = true;
            for tree in group.stream() {
                match tree {
                    TokenTree::Ident(ident) if fresh => names.push(ident.to_string()),
                    TokenTree::Punct(punct) if punct.as_char() == ',' => {
                        fresh = true;
                        continue;
                    }
                    _ => {}
                }
                fresh = false;
            }
            names
        }
        _ => Vec::new(),
    }
}

fn is_colon(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn is_ident(tree: Option<&TokenTree>, name: &str) -> bool {
    matches!(tree, Some(TokenTree::Ident(ident)) if ident == name)
}

/// Is told each path.
type Found<'a> = &'a mut dyn FnMut(&str, Vec<String>, usize, usize);

/// Every path as (first name, second names, line), in all nested groups. `depth` is the number of inline modules around.
fn paths(stream: TokenStream, depth: usize, found: Found<'_>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    for (i, tree) in trees.iter().enumerate() {
        if let TokenTree::Group(group) = tree {
            let inline = i >= 2 && is_ident(trees.get(i - 2), "mod") && group.delimiter() == Delimiter::Brace;
            paths(group.stream(), depth + usize::from(inline), found);
        }
        let TokenTree::Ident(ident) = tree else { continue };
        let inside = i >= 2 && is_colon(trees.get(i - 1)) && is_colon(trees.get(i - 2));
        if inside || !is_colon(trees.get(i + 1)) || !is_colon(trees.get(i + 2)) {
            continue;
        }
        // super::super::x climbs once more for each.
        let (mut at, mut climbs) = (i, 0_usize);
        while is_ident(trees.get(at), "super") && is_colon(trees.get(at + 1)) && is_colon(trees.get(at + 2)) {
            climbs += 1;
            at += 3;
        }
        let line = ident.span().start().line;
        if climbs > 0 {
            let names = trees.get(at).map(next_names).unwrap_or_default();
            // Inline modules are the first to be climbed out of.
            found("super", names, line, climbs.saturating_sub(depth));
        } else {
            found(&ident.to_string(), trees.get(i + 3).map(next_names).unwrap_or_default(), line, 0);
        }
    }
}

fn tokens(source: &Source) -> TokenStream {
    TokenStream::from_str(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path))
}

/// Imports of rooms that this file's room may not name.
pub fn imports(source: &Source) -> Vec<String> {
    let here = module(&source.path);
    let Some(room) = here.first().cloned() else { return Vec::new() };
    if WIRING.contains(&room.as_str()) {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{}: the room {room} has no place in the table of floors", source.path)];
    };
    let mut complaints = BTreeSet::new();
    paths(tokens(source), 0, &mut |first, names, line, climbs| {
        let reaches_root = first == "crate" || (first == "super" && climbs >= here.len());
        for name in names.into_iter().filter(|_| reaches_root) {
            let known = MAY_NAME.iter().any(|(other, _)| *other == name) || WIRING.contains(&name.as_str());
            if known && name != room && !allowed.contains(&name.as_str()) {
                complaints.insert(format!("{}:{line}: {room} may not name {name}", source.path));
            }
        }
    });
    complaints.into_iter().collect()
}

/// Clocks, chance, tasks, queries and logs in the room that has none.
pub fn pure(source: &Source) -> Vec<String> {
    let mut complaints = BTreeSet::new();
    paths(tokens(source), 0, &mut |first, names, line, _| {
        if IMPURE.contains(&first) {
            complaints.insert(format!("{}:{line}: domain is pure and does not use {first}", source.path));
        }
        // `sqlx::Type` is a mapping; what makes a query is not.
        let mapping = ["Type", "Encode", "Decode", "Postgres", "postgres", "encode", "error", "Database"];
        if first == "sqlx" && names.iter().any(|name| !mapping.contains(&name.as_str())) {
            complaints.insert(format!("{}:{line}: domain asks no database", source.path));
        }
        if names.iter().any(|name| matches!(name.as_str(), "now" | "now_utc" | "now_v7" | "new_v4")) {
            complaints.insert(format!("{}:{line}: times and ids come into domain as arguments", source.path));
        }
    });
    each_ident(tokens(source), &mut |name, line| {
        if name == "async" || name == "SystemTime" {
            complaints.insert(format!("{}:{line}: domain is synchronous and has no clock: {name}", source.path));
        }
    });
    complaints.into_iter().collect()
}

fn each_ident(stream: TokenStream, found: &mut dyn FnMut(&str, usize)) {
    for tree in stream {
        match tree {
            TokenTree::Ident(ident) => found(&ident.to_string(), ident.span().start().line),
            TokenTree::Group(group) => each_ident(group.stream(), found),
            _ => {}
        }
    }
}

/// What only one place may use, and where that is: a path's first name, one of its next names (or any), the places, the reason.
type Wrapper = (&'static str, Option<&'static str>, &'static [&'static str], &'static str);
const WRAPPERS: &[Wrapper] = &[
    (
        "bollard",
        None,
        &["src/remote/docker"],
        "bollard joins strings into addresses unchecked: only remote/docker speaks it",
    ),
    ("russh", None, &["src/remote/"], "SSH is spoken in remote"),
    (
        "Command",
        Some("new"),
        &["src/providers/git", "src/db/cluster"],
        "local programs run in providers/git and db/cluster only, without a shell",
    ),
    ("Permit", Some("of_claimed_row"), &["src/queue/"], "a permit without an actor exists for claimed rows only"),
    ("sqlx", Some("query"), &["src/db/", "src/queue/"], "SQL stands in db and queue"),
    ("sqlx", Some("query_as"), &["src/db/", "src/queue/"], "SQL stands in db and queue"),
    ("sqlx", Some("query_scalar"), &["src/db/", "src/queue/"], "SQL stands in db and queue"),
    ("sqlx", Some("QueryBuilder"), &["src/db/", "src/queue/"], "SQL stands in db and queue"),
    ("sqlx", Some("raw_sql"), &["src/db/", "src/queue/"], "SQL stands in db and queue"),
];

/// Uses of wrapped things outside their wrapper.
pub fn wrapped(source: &Source) -> Vec<String> {
    let mut complaints = BTreeSet::new();
    paths(tokens(source), 0, &mut |first, names, line, _| {
        for (crate_or_type, name, places, why) in WRAPPERS {
            let used = first == *crate_or_type && name.is_none_or(|name| names.iter().any(|n| n == name));
            if used && !places.iter().any(|place| source.path.starts_with(place)) {
                complaints.insert(format!("{}:{line}: {why}", source.path));
            }
        }
    });
    complaints.into_iter().collect()
}

/// Kinds of jobs that `jobs/mod.rs` does not register: it would be queued and never claimed.
pub fn unlisted_jobs(jobs: &[Source]) -> Vec<String> {
    let list = jobs.iter().find(|source| source.path == "src/jobs/mod.rs").map_or("", |source| &source.text);
    let mut complaints = Vec::new();
    for source in jobs {
        let Ok(file) = syn::parse_file(&source.text) else { continue };
        for item in file.items {
            let syn::Item::Impl(item) = item else { continue };
            let Some((_, job, _)) = &item.trait_ else { continue };
            let (Some(job), syn::Type::Path(kind)) = (job.segments.last(), &*item.self_ty) else { continue };
            let Some(kind) = kind.path.segments.last().map(|segment| segment.ident.to_string()) else { continue };
            let listed = list.contains(&format!("::{kind}>(")) || list.contains(&format!("<{kind}>("));
            if job.ident == "Job" && !listed {
                complaints.push(format!("{}: {kind} is not in the list of jobs/mod.rs", source.path));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports_of(path: &str, text: &str) -> Vec<String> {
        imports(&Source::new(path, text))
    }

    #[test]
    fn an_import_upwards_or_sideways_is_seen_however_it_is_written() {
        for (path, text) in [
            ("src/db/apps.rs", "use crate::queue::push;"),
            ("src/db/apps.rs", "use crate::{domain::ids, remote::Pool};"),
            ("src/remote/pool.rs", "fn f() { crate::vault::open(); }"),
            ("src/jobs/deploy.rs", "fn f() { println!(\"{}\", crate::actions::x()); }"),
            ("src/jobs/deploy/mod.rs", "use super::super::web::ui;"),
            ("src/jobs/deploy.rs", "mod inner { use super::super::super::actions::Ctx; }"),
            ("src/web/pages/apps.rs", "use crate::db::apps;"),
            ("src/cli/mod.rs", "use crate::app::serve;"),
            ("src/domain/app.rs", "use crate::db;\nuse crate::config::Settings;"),
            ("src/attic/mod.rs", "fn f() {}"),
        ] {
            assert!(!imports_of(path, text).is_empty(), "{path}: {text}");
        }
        assert_eq!(imports_of("src/db/apps.rs", "\nuse crate::jobs::x;"), ["src/db/apps.rs:2: db may not name jobs"]);
    }

    #[test]
    fn an_import_downwards_or_within_the_room_is_allowed() {
        for (path, text) in [
            ("src/db/apps.rs", "use crate::domain::ids::AppId; use super::Db; // crate::jobs"),
            ("src/jobs/deploy/mod.rs", "use super::super::queue::Job; use crate::jobs::log;"),
            ("src/jobs/deploy.rs", "mod tests { use super::super::log; use super::x; }"),
            ("src/web/mod.rs", "use crate::actions::{Ctx, Refused}; const X: &str = \"crate::db::x\";"),
            ("src/app.rs", "use crate::web; use crate::jobs; use crate::db;"),
        ] {
            assert_eq!(imports_of(path, text), [""; 0], "{path}: {text}");
        }
    }

    #[test]
    fn impurity_is_seen() {
        for text in [
            "use tokio::sync::watch;",
            "async fn f() {}",
            "fn f() { tracing::info!(\"x\") }",
            "fn f() { let now = OffsetDateTime::now_utc(); }",
            "fn f() { Uuid::now_v7() }",
            "fn f() { sqlx::query!(\"select 1\") }",
            "use std::time::SystemTime;",
        ] {
            assert!(!pure(&Source::new("src/domain/x.rs", text)).is_empty(), "{text}");
        }
        let fine = "use uuid::Uuid; #[derive(sqlx::Type)] struct X; /// tokio::spawn\nfn f(now: OffsetDateTime) {}";
        assert_eq!(pure(&Source::new("src/domain/x.rs", fine)), [""; 0]);
    }

    #[test]
    fn what_is_wrapped_is_seen_outside() {
        for (path, text) in [
            ("src/jobs/x.rs", "use bollard::Docker;"),
            ("src/remote/pool.rs", "use bollard::Docker;"),
            ("src/jobs/x.rs", "fn f() { tokio::process::Command::new(\"sh\"); Command::new(\"sh\"); }"),
            ("src/actions/x.rs", "fn f() { Permit::of_claimed_row(team) }"),
            ("src/web/x.rs", "fn f() { sqlx::query!(\"select 1\") }"),
        ] {
            assert!(!wrapped(&Source::new(path, text)).is_empty(), "{path}: {text}");
        }
        let fine = Source::new("src/providers/git/run.rs", "fn f() { Command::new(\"git\") }");
        assert_eq!(wrapped(&fine), [""; 0]);
    }

    #[test]
    fn a_job_outside_the_list_is_seen() {
        let list = Source::new("src/jobs/mod.rs", "fn registry() { r.with::<deploy::Deploy>(ctx) }");
        let listed = Source::new("src/jobs/deploy.rs", "impl Job for Deploy {}");
        let forgotten = Source::new("src/jobs/watch.rs", "impl crate::queue::Job for Watch {}");
        assert_eq!(
            unlisted_jobs(&[list, listed, forgotten]),
            ["src/jobs/watch.rs: Watch is not in the list of jobs/mod.rs"]
        );
    }
}
