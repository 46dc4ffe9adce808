//! Why sshd opens no channel for us: OpenSSH says the same of a socket that it may not forward and of one that is not
//! there, so its configuration is asked. Not here: opening channels.

use std::sync::Arc;
use std::time::Duration;

use super::error::detail;
use super::script::{self, RemoteScript, Stream};
use super::session::Session;

/// Reads sshd's settings as root.
const FORWARDING: RemoteScript =
    RemoteScript { name: "forwarding", text: include_str!("../../scripts/forwarding.bash"), root: true };
/// It reads two files.
const LIMIT: Duration = Duration::from_secs(5);
/// Characters kept of a host's words in a sentence.
const WORD: usize = 120;

/// What to change where nothing more is known.
pub(crate) const ANY_CHANGE: &str = "Set AllowStreamLocalForwarding yes and AllowTcpForwarding yes in \
     /etc/ssh/sshd_config, reload sshd, and see that the key's line in authorized_keys has none of restrict, \
     no-port-forwarding and permitopen before it.";

/// What must be changed in sshd's configuration; none where it forbids nothing, or cannot be read.
pub(crate) async fn to_change(session: Arc<Session>, user: &str) -> Option<String> {
    let mut said = Vec::new();
    let mut keep = |stream, line: &[u8]| {
        if stream == Stream::Out {
            said.extend(String::from_utf8_lossy(line).strip_prefix("::forbids ").and_then(sentence));
        }
    };
    // Root needs no sudo, and a bare server has none.
    let script = RemoteScript { root: FORWARDING.root && user != "root", ..FORWARDING };
    let run = script::run(session, &script, &[("WHO", user)], LIMIT, &mut keep).await;
    (run.is_ok() && !said.is_empty()).then(|| format!("{} Then reload sshd and try again.", said.join(" ")))
}

/// "AllowTcpForwarding no /etc/ssh/sshd_config 12", told.
fn sentence(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().map(|word| detail(word).chars().take(WORD).collect::<String>());
    let (setting, value, file, line) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let wanted = if setting.starts_with("Disable") { "no" } else { "yes" };
    Some(match line.as_str() {
        "0" => format!("{setting} is {value}: write {setting} {wanted} into {file}."),
        line => format!("Line {line} of {file} says {setting} {value}: write {setting} {wanted} there."),
    })
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn the_line_to_change_is_named_with_its_file() {
        assert_eq!(
            sentence("AllowTcpForwarding no /etc/ssh/sshd_config 12").unwrap(),
            "Line 12 of /etc/ssh/sshd_config says AllowTcpForwarding no: write AllowTcpForwarding yes there."
        );
        assert_eq!(
            sentence("DisableForwarding yes /etc/ssh/sshd_config 0").unwrap(),
            "DisableForwarding is yes: write DisableForwarding no into /etc/ssh/sshd_config."
        );
        assert_eq!(sentence("DisableForwarding"), None);
    }
}
