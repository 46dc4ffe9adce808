//! Go: one program, compiled without C, on a small Debian.

use super::checked::{Version, Word};
use super::text::{Making, unknown};
use super::{Files, Language, Recognised, bases, procfile};

/// Recognises it by its `go.mod`.
pub fn look(files: &Files, port: Option<u16>) -> Recognised {
    let module = files.text("go.mod").or_else(|| files.has("go.mod").then_some(""))?;
    let mut making = Making::new(vec!["go.mod".to_owned()]);
    let line = |word: &str| module.lines().find_map(|line| line.trim().strip_prefix(word)).map(str::trim);
    let wanted = line("go ").and_then(Version::within);
    if let Some(wanted) = &wanted {
        making.because(format!("go {wanted}"));
    }
    let package = match package(files, line("module ")) {
        Ok(package) => package,
        Err(why) => return unknown(why),
    };
    making.because(package.clone().unwrap_or_else(|| "its program at the root".to_owned()));
    // A newer compiler takes older modules; only a newer module wants another one.
    let newer = wanted
        .filter(|wanted| minor(wanted) > bases::GO.choose(None).version.split('.').nth(1).and_then(|n| n.parse().ok()));
    let base = bases::GO.choose(newer.as_ref());
    making.doubt(base.uncertain.clone());
    making.line(format!("FROM {} AS build", base.build)).line("WORKDIR /src");
    if !files.has_folder("vendor") {
        making.line(if files.has("go.sum") { "COPY go.mod go.sum ./" } else { "COPY go.mod ./" });
        making.line("RUN --mount=type=cache,target=/go/pkg/mod go mod download");
    }
    let package = package.map_or_else(|| ".".to_owned(), |package| format!("./{package}"));
    making.lines([
        "COPY . .",
        "RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \\",
    ]);
    making.line(format!("    CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /server {package}"));
    making.line("").line(format!("FROM {}", bases::DEBIAN));
    making.lines([
        "COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
        "COPY --from=build /server /usr/local/bin/server",
        "WORKDIR /app",
    ]);
    making.beside(files).run_as(None).listens(port, &[]);
    match procfile::command(files, &mut making, port.is_some()).filter(|command| command.as_ref().starts_with("server"))
    {
        Some(command) => making.start_line(command.as_ref()),
        None => making.start(&["server"]),
    };
    making.doubt(
        port.map(|port| format!("The program must listen at the port that PORT says ({port}), on all addresses.")),
    );
    making.end(Language::Go)
}

/// The second number of a version.
fn minor(version: &Version) -> Option<u16> {
    version.as_ref().split('.').nth(1)?.parse().ok()
}

/// The folder of the program; none where it is the root.
fn package(files: &Files, module: Option<&str>) -> Result<Option<String>, String> {
    let at_root = || files.between("", ".go").any(|name| !name.ends_with("_test"));
    if files.has("main.go") || (at_root() && !files.has_folder("cmd")) {
        return Ok(None);
    }
    let all: Vec<Word> = files.between("cmd/", "/main.go").filter_map(|name| name.parse().ok()).collect();
    let last = module.and_then(|module| module.rsplit('/').next()).unwrap_or_default();
    let chosen = match all.as_slice() {
        [] => None,
        [only] => Some(only),
        several => several.iter().find(|name| name.as_ref() == last),
    };
    match chosen {
        Some(name) => Ok(Some(format!("cmd/{name}"))),
        None if all.is_empty() => {
            Err("It is Go, but no program was found: there is no main.go at the root, and none below cmd.".to_owned())
        }
        None => {
            let names = all.iter().map(Word::as_ref).collect::<Vec<_>>().join(", ");
            Err(format!(
                "It is Go with several programs below cmd: {names}. Write a Dockerfile that builds the one that is meant."
            ))
        }
    }
}
