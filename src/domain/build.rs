//! What a build is made of, and the names that follow from it: the same recipe is built once per team.

use sha2::{Digest, Sha256};

use super::dockerfile::DockerfileText;
use super::ids::AppId;
use super::names::{CommitId, ImageId, ImageRef};
use super::source::Git;

/// Digits of a key or of an image's id in a tag: 64 bits tell the builds of one app apart.
const TAG_DIGITS: usize = 16;

/// What decides what a build makes: SHA-256 over commit, context, Dockerfile, stage, arguments and the identities of
/// secrets. The commit's id stands for every byte of the source, so the address it came from is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildKey([u8; 32]);

impl BuildKey {
    /// The key of a commit built as the source says; `dockerfile` is the text where it is not the repository's own.
    pub fn of(git: &Git, commit: &CommitId, dockerfile: Option<&DockerfileText>) -> Self {
        let mut hash = Hasher(Sha256::new());
        hash.part("skiff build 1");
        hash.part(commit.as_ref());
        hash.part(git.context.as_ref());
        hash.part(git.dockerfile.as_ref());
        hash.part(git.target.as_ref().map_or("", |target| target.as_ref()));
        hash.count(git.args.len());
        for (name, value) in &git.args {
            hash.part(name.as_ref());
            hash.part(value.as_ref());
        }
        hash.count(git.secrets.len());
        for (name, secret) in &git.secrets {
            hash.part(name.as_ref());
            hash.part(&secret.to_string());
        }
        // Behind all else, so that builds from a repository's own Dockerfile keep the key they had.
        if let Some(text) = dockerfile {
            hash.part("dockerfile");
            hash.part(text.as_ref());
        }
        Self(hash.0.finalize().into())
    }

    /// The name under which builds of this recipe keep caches (`RUN --mount=type=cache`), whatever the commit: 32 hex digits. Who
    /// builds by another recipe, or from another branch, neither finds them nor puts anything there.
    pub fn caches(git: &Git, dockerfile: Option<&DockerfileText>) -> String {
        let mut hash = Hasher(Sha256::new());
        hash.part("skiff caches 1");
        hash.part(git.url.as_ref());
        hash.part(git.branch.as_ref());
        let nothing = "0".repeat(40).parse().unwrap_or_else(|_| unreachable!("forty digits are a commit"));
        hash.part(&Self::of(git, &nothing, dockerfile).hex());
        let mut digits = hex::encode(hash.0.finalize());
        digits.truncate(32);
        digits
    }

    /// Its 32 bytes, as the table has them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The name that keeps the app's image of this build on hosts.
    pub fn image(&self, app: AppId) -> ImageRef {
        kept(app, 'b', &self.hex())
    }
}

/// The name that keeps a pulled image for an app on hosts: a new content of the same tag gets another name.
pub fn pulled_image(app: AppId, image: &ImageId) -> ImageRef {
    kept(app, 'i', image.as_ref().trim_start_matches("sha256:"))
}

/// "skiff/<app>:b-0123…".
fn kept(app: AppId, kind: char, hex: &str) -> ImageRef {
    let digits = hex.get(..TAG_DIGITS).unwrap_or(hex);
    format!("skiff/{}:{kind}-{digits}", app.simple())
        .parse()
        .unwrap_or_else(|_| unreachable!("hex digits and a hyphen are an image name"))
}

/// Hashes parts with their lengths before them, so that no two lists of parts read the same.
struct Hasher(Sha256);

impl Hasher {
    fn count(&mut self, count: usize) {
        self.0.update(u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn part(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SecretId;
    use crate::domain::source::GitAccess;
    use std::collections::BTreeMap;

    fn git() -> Git {
        Git {
            url: "https://example.org/a.git".parse().unwrap(),
            branch: "main".parse().unwrap(),
            access: GitAccess::Public,
            dockerfile: "Dockerfile".parse().unwrap(),
            context: ".".parse().unwrap(),
            target: None,
            args: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    #[test]
    fn every_part_of_the_recipe_counts_and_nothing_else_does() {
        let commit: CommitId = "a".repeat(40).parse().unwrap();
        let base = BuildKey::of(&git(), &commit, None);
        let arg = |name: &str, value: &str| [(name.parse().unwrap(), value.parse().unwrap())];
        let others = [
            Git { dockerfile: "x/Dockerfile".parse().unwrap(), ..git() },
            Git { context: "x".parse().unwrap(), ..git() },
            Git { target: Some("x".parse().unwrap()), ..git() },
            Git { args: arg("A", "BC").into(), ..git() },
            Git { args: arg("AB", "C").into(), ..git() },
            Git { secrets: [("x".parse().unwrap(), SecretId(uuid::Uuid::nil()))].into(), ..git() },
        ];
        let mut keys: Vec<String> = others.iter().map(|other| BuildKey::of(other, &commit, None).hex()).collect();
        keys.push(base.hex());
        keys.push(BuildKey::of(&git(), &"b".repeat(40).parse().unwrap(), None).hex());
        for text in ["FROM scratch", "FROM busybox"] {
            keys.push(BuildKey::of(&git(), &commit, Some(&text.parse().unwrap())).hex());
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
        let elsewhere =
            Git { url: "https://example.org/b.git".parse().unwrap(), branch: "next".parse().unwrap(), ..git() };
        assert_eq!(BuildKey::of(&elsewhere, &commit, None), base);
        let app = AppId(uuid::Uuid::nil());
        assert!(base.image(app).to_string().starts_with("skiff/00000000000000000000000000000000:b-"));
    }
}
