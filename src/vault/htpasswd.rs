//! A line of an htpasswd file, as image registries read it.

use sha2::{Digest, Sha256};

use crate::domain::secret::Secret;

/// The least that bcrypt knows: the password has 32 random bytes and needs no slow hash, and a registry asks for it with every
/// layer.
const COST: u32 = 4;

/// "user:$2y$…". The salt comes from the password itself, so that the same password gives the same line.
pub fn htpasswd(user: &str, password: &Secret<String>) -> Option<Secret<String>> {
    let mut salt = [0_u8; 16];
    let digest = Sha256::new().chain_update("skiff registry salt").chain_update(password.expose()).finalize();
    salt.copy_from_slice(digest.get(..16)?);
    let hash = bcrypt::hash_with_salt(password.expose(), COST, salt).ok()?;
    Some(Secret::new(format!("{user}:{}", hash.format_for_version(bcrypt::Version::TwoY))))
}

/// A person's password as HAProxy reads it: "$2y$…". It asks crypt(3) with every request, which takes 1.5 ms of one core
/// at this cost: with more, anybody who asks with a wrong password could keep the proxy busy.
pub fn basic_hash(password: &Secret<String>) -> Option<String> {
    let hash = bcrypt::hash_with_result(password.expose(), COST).ok()?;
    Some(hash.format_for_version(bcrypt::Version::TwoY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_password_gives_the_same_line_and_is_recognised() {
        let password = crate::vault::random_token();
        let line = htpasswd("skiff", &password).unwrap();
        assert_eq!(line.expose(), htpasswd("skiff", &password).unwrap().expose());
        let hash = line.expose().strip_prefix("skiff:").unwrap();
        assert!(hash.starts_with("$2y$04$") && bcrypt::verify(password.expose(), hash).unwrap());
        assert!(!bcrypt::verify("another", hash).unwrap());
    }
}
