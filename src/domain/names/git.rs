//! Names that are spoken to git. None of them can be taken for an option (git's own `--upload-pack=` and `ext::` tricks).

use super::{checked_text, has_hidden};

checked_text! {
    /// A repository address: `https://…`, `ssh://…` or `user@host:path`; never with a password inside; at most 500 characters.
    /// `http://` and `file://` are refused here; a panel's settings may allow local folders for tests and samples.
    GitUrl = |text| {
        const SENTENCE: &str = "Use an address such as https://example.org/team/app.git or git@example.org:team/app.git.";
        let text = text.trim();
        if text.len() > 500 || has_hidden(text) || text.chars().any(char::is_whitespace) || text.contains(['\\', '`', '$', '\'', '"', '<', '>', ';', '|', '&']) {
            return Err(SENTENCE);
        }
        if let Some(path) = text.strip_prefix("file:///") {
            return if path.split('/').all(|p| p != "..") { Ok(text.to_owned()) } else { Err(SENTENCE) };
        }
        if text.starts_with("https://") || text.starts_with("ssh://") {
            let url = url::Url::parse(text).map_err(|_| SENTENCE)?;
            if url.password().is_some() || (url.scheme() == "https" && !url.username().is_empty()) {
                return Err("Leave the password or token out of the address: enter it in the field below, where it is kept sealed.");
            }
            let host_fits = url.host_str().is_some_and(|h| !h.is_empty() && !h.starts_with('-'));
            let user_fits = !url.username().starts_with('-');
            return if host_fits && user_fits && url.path().len() > 1 && url.query().is_none() && url.fragment().is_none() { Ok(text.to_owned()) } else { Err(SENTENCE) };
        }
        let scp = text.split_once(':').and_then(|(left, path)| left.split_once('@').map(|(user, host)| (user, host, path)));
        match scp {
            Some((user, host, path)) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                let word = |w: &str| !w.is_empty() && w.chars().all(plain) && !w.starts_with('-');
                let fits = word(user) && word(host) && !path.is_empty() && !path.starts_with(['-', ':']);
                if fits { Ok(text.to_owned()) } else { Err(SENTENCE) }
            }
            None => Err(SENTENCE),
        }
    };
    /// A branch (git-check-ref-format(1)): no leading hyphen, no `..`, no control bytes, no `~^:?*[\`, at most 200.
    BranchName = |text| {
        let text = text.trim();
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\');
        let parts_fit = text.split('/').all(|p| !p.is_empty() && !p.starts_with('.') && !p.ends_with(".lock"));
        let fits = (1..=200).contains(&text.len()) && text.chars().all(plain) && !has_hidden(text) && !text.starts_with('-')
            && !text.contains("..") && !text.contains("@{") && text != "@" && !text.ends_with('.') && parts_fit;
        if fits { Ok(text.to_owned()) } else { Err("Use the name of a branch, such as main or release/2.") }
    };
    /// A full commit id: 40 or 64 lowercase hexadecimal digits.
    CommitId = |text| {
        let fits = matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        if fits { Ok(text.to_owned()) } else { Err("A commit id has 40 hexadecimal digits.") }
    };
    /// A path inside a repository: relative, no `..`, no leading hyphen, printable, at most 200. `.` is the root.
    RepoPath = |text| {
        let text = text.trim();
        if text.starts_with('/') {
            return Err("Use a path inside the repository, such as Dockerfile or services/api.");
        }
        let text = text.trim_start_matches("./").trim_end_matches('/');
        let text = if text.is_empty() { "." } else { text };
        let parts_fit = text == "." || text.split('/').all(|p| !p.is_empty() && p != ".." && p != "." && !p.starts_with('-'));
        let fits = text.len() <= 200 && parts_fit && !text.starts_with('/') && !has_hidden(text) && !text.contains(['\\', ':']);
        if fits { Ok(text.to_owned()) } else { Err("Use a path inside the repository, such as Dockerfile or services/api.") }
    };
}

impl GitUrl {
    /// True for the two spellings of SSH.
    pub fn is_ssh(&self) -> bool {
        self.as_ref().starts_with("ssh://") || !self.as_ref().contains("://")
    }
    /// True for a folder of the panel's own machine. Only a panel whose settings allow it fetches from one.
    pub fn is_local(&self) -> bool {
        self.as_ref().starts_with("file://")
    }
}

impl CommitId {
    /// The first seven digits, as people quote a commit.
    pub fn short(&self) -> &str {
        self.as_ref().get(..7).unwrap_or(self.as_ref())
    }
}
