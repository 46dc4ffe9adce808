//! Rust: one program of the package at the root, on a small Debian.

use serde::Deserialize;

use super::checked::Word;
use super::text::{Making, unknown};
use super::{Files, Language, Recognised, bases};

/// What is read of a `Cargo.toml`.
#[derive(Deserialize)]
struct Manifest {
    package: Option<Package>,
    #[serde(default)]
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: String,
    default_run: Option<String>,
}

#[derive(Deserialize)]
struct Bin {
    name: Option<String>,
    path: Option<String>,
}

/// Recognises it by its `Cargo.toml`.
pub fn look(files: &Files, port: Option<u16>) -> Recognised {
    if !files.has("Cargo.toml") {
        return None;
    }
    let manifest = files.text("Cargo.toml").and_then(|text| basic_toml::from_str::<Manifest>(text).ok());
    let Some(manifest) = manifest else { return unknown("The Cargo.toml could not be read.") };
    let Some(package) = &manifest.package else {
        return unknown(
            "The Cargo.toml is that of a workspace without a package of its own. Write a Dockerfile that builds the package that is meant.",
        );
    };
    let mut making = Making::new(vec!["Cargo.toml".to_owned()]);
    let program = match program(files, package, &manifest.bin) {
        Ok(program) => program,
        Err(why) => return unknown(why),
    };
    making.because(format!("its program {program}"));
    let locked = match files.has("Cargo.lock") {
        true => {
            making.because("Cargo.lock");
            "--locked "
        }
        false => {
            making.doubt("There is no Cargo.lock, so that each build may get other versions of its crates.".to_owned());
            ""
        }
    };
    making.line(format!("FROM {} AS build", bases::RUST)).lines(["WORKDIR /src", "COPY . ."]);
    making.line("RUN --mount=type=cache,target=/usr/local/cargo/registry \\");
    making.line(format!("    --mount=type=cache,id={program}-target,target=/src/target,sharing=locked \\"));
    // Every file comes with its commit's time, and cargo goes by times: an older commit would count as built already.
    making.line("    find . -path ./target -prune -o -type f -exec touch {} + && \\");
    making.line(format!("    cargo build --release {locked}--bin {program} && cp target/release/{program} /server"));
    making.line("").line(format!("FROM {}", bases::DEBIAN));
    if files.text("Cargo.lock").is_some_and(|text| text.contains("name = \"openssl-sys\"")) {
        making.packages(&["libssl3"]);
    }
    making.lines([
        "COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
        "COPY --from=build /server /usr/local/bin/server",
        "WORKDIR /app",
    ]);
    making.beside(files).run_as(None).listens(port, &[]).start(&["server"]);
    making.doubt(
        port.map(|port| format!("The program must listen at the port that PORT says ({port}), on all addresses.")),
    );
    making.end(Language::Rust)
}

/// The program that is built: the default one, the only one, or the one called as the package.
fn program(files: &Files, package: &Package, bins: &[Bin]) -> Result<Word, String> {
    let mut all: Vec<String> = bins.iter().filter_map(|bin| bin.name.clone()).collect();
    if files.has("src/main.rs") && bins.iter().all(|bin| bin.path.as_deref() != Some("src/main.rs")) {
        all.push(package.name.clone());
    }
    all.extend(files.between("src/bin/", ".rs").map(str::to_owned));
    all.extend(files.between("src/bin/", "/main.rs").map(str::to_owned));
    all.sort();
    all.dedup();
    let chosen = match (&package.default_run, all.as_slice()) {
        (Some(name), _) => Some(name),
        (None, [only]) => Some(only),
        (None, several) => several.iter().find(|name| **name == package.name),
    };
    let word = |name: &String| name.parse::<Word>().ok();
    match chosen {
        Some(name) => word(name).ok_or_else(|| "It is Rust, with a program of an unusual name.".to_owned()),
        None if all.is_empty() => Err("It is Rust, but a library: no program was found in it.".to_owned()),
        None => {
            let names = all.iter().filter_map(word).map(String::from).collect::<Vec<_>>().join(", ");
            Err(format!("It is Rust with several programs: {names}. Name one as default-run in the Cargo.toml."))
        }
    }
}
