//! What git says, understood: its version, and which failure of ours its complaint is. Pure.

use crate::domain::deploy::Failure;

/// Characters of git's own words that are kept for people.
const DETAIL: usize = 400;

/// The complaints of git, curl and ssh that mean "not with these credentials".
const DENIED: [&str; 9] = [
    "could not read Username",
    "could not read Password",
    "Authentication failed",
    "terminal prompts disabled",
    "Permission denied (",
    "requested URL returned error: 401",
    "requested URL returned error: 403",
    "HTTP Basic: Access denied",
    "Load key",
];

/// Major and minor of "2.39.5" or "2.39.5 (Apple Git-154)".
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The failure behind git's complaint about a repository.
pub(super) fn failure(stderr: &str) -> Failure {
    if DENIED.iter().any(|words| stderr.contains(words)) {
        return Failure::SourceDenied;
    }
    if stderr.contains("No space left on device") {
        return Failure::DiskFull { host: "the panel's own machine".into() };
    }
    if stderr.contains("Host key verification failed") || stderr.contains("HOST IDENTIFICATION HAS CHANGED") {
        let detail = "the server showed another host key than the first time".into();
        return Failure::SourceUnreachable { detail };
    }
    Failure::SourceUnreachable { detail: detail(stderr) }
}

/// Git's own words on one line, without its prefixes and without anything that could steer a terminal.
pub(super) fn detail(stderr: &str) -> String {
    let lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("Please make sure"));
    let told: Vec<&str> = lines.map(|line| line.trim_start_matches("fatal: ").trim_start_matches("error: ")).collect();
    let words = told.join("; ");
    let plain = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(DETAIL).collect::<String>().trim().to_owned()
}

/// True where a server gives commits only by the name of a branch.
pub(super) fn wants_a_branch(stderr: &str) -> bool {
    ["unadvertised object", "not our ref", "couldn't find remote ref"].iter().any(|words| stderr.contains(words))
}

/// True where git complains of its own files, not of the repository: a machine that lost its power leaves such.
pub(super) fn clone_is_broken(stderr: &str) -> bool {
    const BROKEN: [&str; 9] = [
        "not a git repository",
        "is corrupt",
        "is empty",
        "bad object",
        "unable to read sha1 file",
        "bad config",
        "reference broken",
        "bad signature",
        "inflate: data stream error",
    ];
    BROKEN.iter().any(|words| stderr.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_becomes_the_failure_a_person_can_act_on() {
        let denied = "fatal: could not read Username for 'https://h': terminal prompts disabled\n";
        assert_eq!(failure(denied), Failure::SourceDenied);
        assert_eq!(failure("git@h: Permission denied (publickey).\n"), Failure::SourceDenied);
        let unknown = "fatal: unable to access 'https://h/': Could not resolve host: h\n";
        let detail = "unable to access 'https://h/': Could not resolve host: h".to_owned();
        assert_eq!(failure(unknown), Failure::SourceUnreachable { detail });
    }

    #[test]
    fn git_s_words_are_one_short_line_without_control_characters() {
        let hostile = format!("remote: \u{1b}[2J<script>\nfatal: {}\n", "x".repeat(5000));
        let detail = detail(&hostile);
        assert!(detail.chars().count() <= DETAIL && !detail.contains(char::is_control), "{detail}");
    }

    #[test]
    fn a_version_is_read_with_and_without_a_suffix() {
        assert_eq!(version("2.39.5"), Some((2, 39)));
        assert_eq!(version("2.47.3 (Apple Git-1)"), Some((2, 47)));
        assert_eq!(version("?"), None);
    }
}
