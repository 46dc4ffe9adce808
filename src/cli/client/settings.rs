//! Which panel, and with which token: from the environment, else from a file that only its owner may read.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::cli::Failed;

/// The panel's address, in place of the file.
pub const URL: &str = "SKIFF_URL";
/// The token, in place of the file.
pub const TOKEN: &str = "SKIFF_TOKEN";
/// What others may do with a file: nothing.
const OTHERS: u32 = 0o077;

/// A panel one has signed in to. Shows nothing of the token.
pub struct Signed {
    /// Its address.
    pub url: Url,
    /// The token.
    pub token: String,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
pub struct Panels {
    /// The panel that is meant where none is named.
    pub default: Option<String>,
    /// Panels by name.
    pub panels: BTreeMap<String, Panel>,
}

/// A panel in the file.
#[derive(Serialize, Deserialize)]
pub struct Panel {
    /// Its address.
    pub url: Url,
    /// The token.
    pub token: String,
}

/// The panel that is meant.
pub fn find(panel: Option<&str>) -> Result<Signed, Failed> {
    let said = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let file = place()?;
    match (panel, said(URL), said(TOKEN)) {
        (None, Some(url), Some(token)) => Ok(Signed { url: address(&url)?, token: token.trim().to_owned() }),
        (None, None, Some(_)) => {
            Err(Failed::NotSignedIn(format!("{TOKEN} is set, {URL} is not: set both, or neither.")))
        }
        (None, Some(url), None) => {
            let url = address(&url)?;
            let known = load(&file)?.panels.into_values().find(|known| known.url == url);
            known.map(Signed::from).ok_or_else(|| not_signed_in(url.as_str()))
        }
        (name, ..) => {
            let mut panels = load(&file)?;
            let name = name.map(str::to_owned).or(panels.default);
            let name = name.ok_or_else(|| not_signed_in("https://panel.example.org"))?;
            let known: Vec<String> = panels.panels.keys().cloned().collect();
            panels.panels.remove(&name).map(Signed::from).ok_or_else(|| {
                let there = if known.is_empty() { "none".into() } else { known.join(", ") };
                Failed::NotSignedIn(format!("No panel is called {name} here. There are: {there}."))
            })
        }
    }
}

impl From<Panel> for Signed {
    fn from(panel: Panel) -> Self {
        Self { url: panel.url, token: panel.token }
    }
}

fn not_signed_in(url: &str) -> Failed {
    Failed::NotSignedIn(format!("You are not signed in to a panel. Sign in with: skiff login {url}"))
}

/// A panel's address as typed. A token crosses a network only inside TLS.
pub fn address(typed: &str) -> Result<Url, Failed> {
    let typed = typed.trim();
    let whole = if typed.contains("://") { typed.to_owned() } else { format!("https://{typed}") };
    let url: Url =
        whole.parse().map_err(|_| Failed::Usage("That is not an address such as https://panel.example.org.".into()))?;
    let here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(Failed::Usage(
            "The address is one such as https://panel.example.org, with nothing around it.".into(),
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        "http" => Err(Failed::Usage(
            "Over http anybody on the way could read the token: use https, or a tunnel to this machine \
             (ssh -L 7070:127.0.0.1:7070 …, then http://127.0.0.1:7070)."
                .into(),
        )),
        _ => Err(Failed::Usage("The address begins with https://.".into())),
    }
}

/// Where the file is.
pub fn place() -> Result<PathBuf, Failed> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    let base =
        base.ok_or_else(|| Failed::Said("Neither HOME nor XDG_CONFIG_HOME says where settings are kept.".into()))?;
    Ok(base.join("skiff/config.json"))
}

/// Reads the file; empty where there is none.
pub fn load(file: &Path) -> Result<Panels, Failed> {
    let cannot = |cause: &dyn std::fmt::Display| Failed::Said(format!("{} cannot be read: {cause}.", file.display()));
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Panels::default()),
        Err(error) => return Err(cannot(&error)),
    };
    let mode = std::fs::metadata(file).map_err(|error| cannot(&error))?.mode();
    if mode & OTHERS != 0 {
        let shown = file.display();
        return Err(Failed::Said(format!(
            "Others may read {shown}, where the tokens are. Close it first: chmod 600 {shown}"
        )));
    }
    // The position only: a cause could quote the token.
    serde_json::from_str(&text).map_err(|error| {
        cannot(&format_args!("line {}, column {} is not as Skiff writes it", error.line(), error.column()))
    })
}

/// Writes the file: whole or not at all, for its owner alone.
pub fn store(file: &Path, panels: &Panels) -> Result<(), Failed> {
    let cannot =
        |cause: &dyn std::fmt::Display| Failed::Said(format!("{} cannot be written: {cause}.", file.display()));
    let text = serde_json::to_string_pretty(panels).map_err(|error| cannot(&error))?;
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| cannot(&error))?;
    }
    let beside = file.with_extension(format!("json.{}", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        std::fs::rename(&beside, file)
    })();
    written.map_err(|error: std::io::Error| {
        // Nothing is left of a token that could not be kept.
        let _ = std::fs::remove_file(&beside);
        cannot(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_crosses_a_network_only_inside_tls() {
        for good in [
            "https://panel.example.org",
            "panel.example.org",
            "http://127.0.0.1:7070",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://panel.example.org",
            "ftp://x",
            "https://u:p@x",
            "https://x/?a=b",
            "file:///etc",
            "http://127.0.0.1.evil.example",
            "",
        ] {
            assert_eq!(address(bad).unwrap_err().code(), 2, "{bad}");
        }
    }

    #[test]
    fn the_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/skiff/config.json");
        assert!(load(&file).unwrap().panels.is_empty());
        let mut panels = Panels { default: Some("a".into()), ..Panels::default() };
        panels.panels.insert("a".into(), Panel { url: "https://a.example".parse().unwrap(), token: "skf_x".into() });
        store(&file, &panels).unwrap();
        store(&file, &panels).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(file.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(load(&file).unwrap().panels.get("a").unwrap().token, "skf_x");

        std::fs::write(&file, "{\"skf_secret\"").unwrap();
        assert!(!load(&file).err().unwrap().to_string().contains("skf_secret"));
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(load(&file).err().unwrap().to_string().contains("chmod 600"));
    }
}
