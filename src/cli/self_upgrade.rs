//! `skiff self-upgrade`: a newer package in place of the installed one, with a way back. Not here: how that is done, which is
//! `package/upgrade.bash`: it outlives this program, which is what it replaces.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::Failed;

/// What the installed package brought for it.
const SCRIPT: &str = "/usr/lib/skiff/upgrade.bash";
/// Who runs it.
const SHELL: &str = "/bin/bash";
/// How a proxy is named to curl and apt, which fetch what is new.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY"];

/// A newer package in place of the installed one.
#[derive(Clone, Debug, Args)]
pub struct SelfUpgrade {
    /// Where the newer package is: its file, or the folder or address it lies at, with SHA256SUMS and SHA256SUMS.sig beside it
    /// [default: SKIFF_UPGRADE_FROM in /etc/default/skiff-panel, else where the installed one was published]
    #[arg(long, value_name = "FILE|FOLDER|ADDRESS", value_parser = NonEmptyStringValueParser::new())]
    pub from: Option<String>,
    /// Only say what is installed, what is there, and whether there is room
    #[arg(long)]
    pub check: bool,
    /// Take an older package, too
    #[arg(long)]
    pub allow_downgrade: bool,
    /// There is a copy of the database, which is at an address of your own (DATABASE_URL)
    #[arg(long)]
    pub own_backup: bool,
    /// How long the new program may take until it is ready, before the old one takes its place again
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = clap::value_parser!(u16).range(10..=3600))]
    pub ready_within: u16,
}

/// Goes over into the script; comes back only with why it cannot.
pub fn run(input: &SelfUpgrade) -> Failed {
    if !Path::new(SCRIPT).exists() {
        return Failed::Said(
            "Skiff was not installed by its package here, so there is none to replace: after `git pull`, bin/up or \
             `docker compose build` bring a newer one."
                .into(),
        );
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the package's own constant script in this program's place; what was typed is in its environment"
    )]
    let mut script = std::process::Command::new(SHELL);
    script.args(["--noprofile", "--norc", SCRIPT, "begin"]).env_clear();
    script.envs(PROXIES.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    script.env("FROM", input.from.as_deref().unwrap_or_default());
    script.env("READY_S", input.ready_within.to_string());
    for (name, wanted) in
        [("CHECK", input.check), ("DOWNGRADE", input.allow_downgrade), ("OWN_BACKUP", input.own_backup)]
    {
        script.env(name, if wanted { "yes" } else { "" });
    }
    let cause = script.exec();
    Failed::Said(match cause.kind() {
        ErrorKind::NotFound => format!("{SHELL} is not there, by which {SCRIPT} is run: install bash, then try again."),
        _ => format!("{SCRIPT} cannot be run: {cause}."),
    })
}
