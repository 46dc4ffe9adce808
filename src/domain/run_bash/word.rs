//! Words that may stand in a script. There is no maker from a `String`: a word comes from a checked type, a number, or
//! this program's own source.

use crate::domain::names::{HttpPath, ImageRef, MountPath, NetworkName, VolumeName};

/// One word of a script, shown in single quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellWord(String);

/// Makes words of checked types. None of them can hold a quote; it would be quoted all the same.
macro_rules! words {
    ($($name:ty),+) => {$(
        impl From<&$name> for ShellWord {
            fn from(value: &$name) -> Self {
                Self(value.to_string())
            }
        }
    )+};
}
words!(ImageRef, NetworkName, VolumeName, HttpPath);

impl From<i64> for ShellWord {
    fn from(value: i64) -> Self {
        Self(value.to_string())
    }
}

impl From<uuid::Uuid> for ShellWord {
    fn from(value: uuid::Uuid) -> Self {
        Self(value.to_string())
    }
}

impl ShellWord {
    /// A word of this source.
    pub fn constant(word: &'static str) -> Self {
        Self(word.to_owned())
    }

    /// `name=value` of this source.
    pub fn constant_pair(name: &'static str, value: &'static str) -> Self {
        Self(format!("{name}={value}"))
    }

    /// A label and an id.
    pub fn pair(name: &'static str, value: uuid::Uuid) -> Self {
        Self(format!("{name}={value}"))
    }

    /// A mount as `docker run --mount` has it. Neither type can hold a comma, which would begin another option.
    pub fn mount(volume: &VolumeName, path: &MountPath) -> Self {
        Self(format!("type=volume,source={volume},target={path}"))
    }

    /// A number of thousandths: 1500 is `1.500`.
    pub fn thousandths(value: u32) -> Self {
        Self(format!("{}.{:03}", value / 1000, value % 1000))
    }
}

impl std::fmt::Display for ShellWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', r"'\''"))
    }
}
