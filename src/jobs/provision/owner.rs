//! Whose a server is: the first panel that makes it ready leaves its id there, and another one keeps off. Not here: leaving it
//! (`scripts/folders.bash`).

use uuid::Uuid;

/// Reads the mark among what the server says of itself; refuses where it is another panel's. The same words are in the
/// script, for two panels that come at once.
pub fn is_ours(lines: &[String], panel: Uuid) -> Result<(), String> {
    let mark = lines.iter().find_map(|line| line.strip_prefix("PANEL=")).unwrap_or_default();
    let mark: String = mark.chars().filter(|c| c.is_ascii_hexdigit() || *c == '-').take(36).collect();
    if mark.is_empty() || mark == panel.to_string() {
        return Ok(());
    }
    Err(format!(
        "Another panel made this server ready: /var/lib/skiff/panel holds its id, {mark}, and this panel's is {panel}. \
         Two panels would overwrite each other's proxy. If the other panel is gone, or has forgotten this host, remove that \
         file on the server and try again. Nothing was changed."
    ))
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn another_panels_server_is_left_alone() {
        let panel = uuid::Uuid::from_u128(7);
        let said = |mark: &str| [format!("PANEL={mark}"), "OS=Debian".to_owned()];
        assert_eq!(is_ours(&[], panel), Ok(()));
        assert_eq!(is_ours(&said(""), panel), Ok(()));
        assert_eq!(is_ours(&said(&panel.to_string()), panel), Ok(()));
        let other = uuid::Uuid::from_u128(8).to_string();
        assert!(is_ours(&said(&other), panel).unwrap_err().contains(&other));
    }
}
