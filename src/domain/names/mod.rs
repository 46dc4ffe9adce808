//! Text that was checked once, at the door. A value of one of these types has no other maker than `FromStr`,
//! so whoever holds it need not check again. Each refusal is a sentence that can stand beside the form field.

mod docker;
mod git;
mod net;
mod plain;

pub use docker::{ContainerId, ContainerName, ImageDigest, ImageId, ImageRef, MountPath, NetworkName, VolumeName};
pub use git::{BranchName, CommitId, GitUrl, RepoPath};
pub use net::{Domain, HostAddress, HostKey, HttpPath, PathPrefix, SshUser};
pub use plain::{BuildTarget, DisplayName, Email, EnvName, EnvValue, PlainName, Slug};

/// Why a text is not of its type: one sentence, without the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Bad(pub &'static str);

/// Declares a checked text type. The body maps the raw text to `Ok(canonical text)` or to the sentence of refusal.
macro_rules! checked_text {
    ($($(#[doc = $doc:literal])+ $name:ident = $check:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, sqlx::Type)]
        #[serde(try_from = "String", into = "String")]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl std::str::FromStr for $name {
            type Err = crate::domain::names::Bad;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> Result<String, &'static str> = $check;
                check(text).map(Self).map_err(crate::domain::names::Bad)
            }
        }

        impl TryFrom<String> for $name {
            type Error = crate::domain::names::Bad;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}
pub(crate) use checked_text;

/// True when the text holds a control character or one that changes the direction of text (Unicode bidi controls).
pub(crate) fn has_hidden(text: &str) -> bool {
    text.chars().any(is_hidden)
}

/// True for such a character.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
