//! Node.js: a program that is started, or a build that leaves static files.

mod manifest;
mod packages;
mod start;

use super::text::{Making, unknown};
use super::{Files, Language, Recognised, bases, procfile, static_site};
use manifest::Package;

/// Where builds leave their files, by the package that makes them.
const OUTPUTS: [(&str, &str); 9] = [
    ("react-scripts", "build"),
    ("@sveltejs/adapter-static", "build"),
    ("gatsby", "public"),
    ("@11ty/eleventy", "_site"),
    ("@vue/cli-service", "dist"),
    ("parcel", "dist"),
    ("astro", "dist"),
    ("vite", "dist"),
    ("webpack", "dist"),
];

/// Recognises it by its `package.json`.
pub fn look(files: &Files, port: Option<u16>) -> Recognised {
    if !files.has("package.json") {
        return None;
    }
    let Some(package) = Package::read(files) else {
        return unknown("The package.json is no JSON, or too large to be read.");
    };
    let mut making = Making::new(vec!["package.json".to_owned()]);
    let wanted = package.version(files, &mut making);
    let base = bases::NODE.choose(wanted.as_ref());
    making.doubt(base.uncertain.clone());

    let command = procfile::command(files, &mut making, port.is_some());
    let entry = package.entry(files);
    let built = package.script("build").is_some();
    let is_site = command.is_none() && entry.is_none() && package.start().is_none();
    if is_site && !built {
        return unknown(
            "The package.json has no start script, none for a build, and no file such as server.js is there. Add a start script.",
        );
    }
    making.line(format!("FROM {} AS build", base.build)).line("WORKDIR /app");
    packages::install(files, &package, &mut making);
    if built {
        making.because("its script build").line("RUN npm run build");
    }
    if is_site {
        let known = OUTPUTS.iter().find(|(name, _)| package.needs(name));
        let folder = known.map_or("dist", |(_, folder)| folder);
        match known {
            Some((name, _)) => making.because(format!("{name}, which leaves its files in {folder}")),
            None => making.doubt(format!(
                "The build is taken to leave its files in {folder}. Where it leaves them elsewhere, change the line COPY --from=build."
            )),
        };
        making.line("");
        static_site::serve(&mut making, &format!("COPY --from=build /app/{folder} /usr/share/nginx/html"), true, port);
        return making.end(Language::Static);
    }
    if package.has_development() {
        // A plain `node` that begins in a file is started by no package.
        let plain = command.is_none() && entry.is_some();
        let command = command.as_ref().map(AsRef::as_ref);
        let started_by = if plain { None } else { start::of_development(&package, command) };
        packages::prune(files, &package, started_by, &mut making);
    }
    making.line("").line(format!("FROM {}", base.run));
    making.line("ENV NODE_ENV=production").line("WORKDIR /app").line("COPY --from=build --chown=node:node /app ./");
    making.run_as(Some("node")).listens(port, &[]);
    match (command, entry) {
        (Some(command), _) => making.start_line(command.as_ref()),
        (None, Some(entry)) => making.because(format!("it begins in {entry}")).start(&["node", entry.as_ref()]),
        (None, None) => making.because("its script start").start(&["npm", "start"]),
    };
    if let Some(port) = port {
        making.doubt(format!("The program must listen at the port that PORT says ({port}), on all addresses."));
    }
    making.end(Language::Node)
}
