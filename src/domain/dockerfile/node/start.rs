//! Whether what a program is started by is a package of its development: `ts-node src/index.ts`, `nodemon server.js`, `npx prisma
//! migrate deploy && node .`. Without those its start ends with 127, so that they have to stay.

use std::collections::BTreeSet;

use super::manifest::Package;

/// Programs that are called otherwise than their packages.
const PROGRAMS: [(&str, &str); 20] = [
    ("babel", "@babel/cli"),
    ("babel-node", "@babel/node"),
    ("dotenv", "dotenv-cli"),
    ("dotenvx", "@dotenvx/dotenvx"),
    ("medusa", "@medusajs/cli"),
    ("nest", "@nestjs/cli"),
    ("ng", "@angular/cli"),
    ("nuxi", "nuxt"),
    ("react-router-serve", "@react-router/serve"),
    ("remix-serve", "@remix-run/serve"),
    ("run-p", "npm-run-all"),
    ("run-p", "npm-run-all2"),
    ("run-s", "npm-run-all"),
    ("run-s", "npm-run-all2"),
    ("sequelize", "sequelize-cli"),
    ("strapi", "@strapi/strapi"),
    ("ts-node-esm", "ts-node"),
    ("ts-node-script", "ts-node"),
    ("tsc", "typescript"),
    ("tsnd", "ts-node-dev"),
];
/// Words behind which a script is named.
const RUNNERS: [&str; 8] = ["bun", "npm", "pnpm", "run", "run-p", "run-s", "run-script", "yarn"];

/// The package of its development that it is started by: by this command, or by its start script. Any word may name one, not the first
/// alone: variables, `npx` and `cross-env` stand before it, `-r` and `--import` load some. One too many makes an image larger, one too few
/// makes one that does not start.
pub(super) fn of_development<'a>(package: &'a Package, command: Option<&'a str>) -> Option<&'a str> {
    let scripts = |name: &str| [package.script(&format!("pre{name}")), package.script(name)];
    let mut texts: Vec<&str> = match command {
        Some(command) => vec![command],
        None => scripts("start").into_iter().flatten().collect(),
    };
    // Each script once: they may call each other.
    let mut seen = BTreeSet::from(["start"]);
    while let Some(text) = texts.pop() {
        let mut before = "";
        for word in words(text) {
            let script = word.strip_prefix("npm:").or_else(|| RUNNERS.contains(&before).then_some(word));
            if let Some(script) = script.filter(|script| seen.insert(script)) {
                texts.extend(scripts(script).into_iter().flatten());
            }
            if let Some(name) = package_of(package, word) {
                return Some(name);
            }
            before = word;
        }
    }
    None
}

/// The words of a command; `--import=tsx` has two.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ";&|()\"'`=".contains(c)).filter(|word| !word.is_empty())
}

/// The package of its development that a word is a program or a module of: `tsc`, `ts-node/register`, `node_modules/.bin/tsx`.
fn package_of<'a>(package: &'a Package, word: &str) -> Option<&'a str> {
    let inner = word.rsplit_once("node_modules/").map_or(word, |(_, inner)| inner);
    let inner = inner.strip_prefix(".bin/").unwrap_or(inner);
    let parts = if inner.starts_with('@') { 2 } else { 1 };
    let end = inner.match_indices('/').nth(parts - 1).map_or(inner.len(), |(at, _)| at);
    let name = inner.get(..end)?;
    let others = PROGRAMS.iter().filter(|(program, _)| *program == name).map(|(_, package)| *package);
    [name].into_iter().chain(others).find_map(|name| package.only_development(name))
}
