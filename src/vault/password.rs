//! Passwords: argon2id, off the runtime's threads and few at once. Not here: which passwords are good enough.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::domain::secret::Secret;

/// Hashes at once: each takes 19 MiB and a core for some 20 ms, and anyone can ask for one.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// A hash of nobody's password, with the parameters of a real one: signing in as nobody takes as long as as somebody.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2tpZmYtbm9ib2R5LXNhbHQ$Q5eA8vqYd3q1o3m0d0Wb1p8e4cVQq3cVt4m0sYw3m1A";

/// The hash of a password, as a PHC string. None only where the machine has no memory or randomness left.
pub async fn hash_password(password: Secret<String>) -> Option<String> {
    let _permit = AT_ONCE.acquire().await.ok()?;
    let hashing = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(password.expose().as_bytes()).ok().map(|hash| hash.to_string())
    });
    hashing.await.ok().flatten()
}

/// True where the password is the hash's. For an account that does not exist the hash is None, and the answer takes as
/// long as for one that does.
pub async fn verify_password(password: Secret<String>, hash: Option<String>) -> bool {
    let Ok(_permit) = AT_ONCE.acquire().await else { return false };
    let verifying = tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let right = PasswordHash::new(&hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok());
        right && known
    });
    verifying.await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_is_a_whole_one() {
        let hash = PasswordHash::new(NOBODY).unwrap();
        let today = Argon2::default().hash_password(b"any").unwrap().to_string();
        let parameters = |text: &str| text.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(NOBODY), parameters(&today));
        assert!(Argon2::default().verify_password(b"", &hash).is_err());
    }
}
