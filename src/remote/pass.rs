//! A password or a private key of somebody, to sign in with once. Not here: keeping it.

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Answer};
use russh::keys::ssh_key::Kdf;
use russh::keys::{PrivateKey, decode_secret_key};

use super::error::Error;
use super::pool::Login;
use super::script::{self, Exit, RemoteScript, Stream};
use super::session::{AUTH_LIMIT, Pinned, Session, by_key, unreachable, within};
use crate::domain::secret::Secret;

/// Rounds of questions in one sign-in: a server that asks on and on is hostile.
const ROUNDS: usize = 5;
/// Rounds of a locked key's derivation: ssh-keygen makes 16 or 24, and ten times as many take a second or two.
const MOST_ROUNDS: u32 = 256;
/// Questions in one round.
const QUESTIONS: usize = 8;

/// What somebody gave to sign in with, once.
#[derive(Clone)]
pub enum Pass {
    /// The user's password.
    Password(Secret<String>),
    /// A private key, and what it is locked with where it is.
    Key {
        /// The key: OpenSSH or PEM.
        private: Secret<String>,
        /// Its passphrase.
        passphrase: Option<Secret<String>>,
    },
}

/// As it is kept, sealed.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    password: Option<String>,
    private: String,
    passphrase: Option<String>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.password.zeroize();
        self.private.zeroize();
        self.passphrase.zeroize();
    }
}

impl Pass {
    /// As it is kept: to be sealed before it goes anywhere.
    pub fn to_keep(&self) -> Secret<Vec<u8>> {
        let kept = match self {
            Self::Password(password) => {
                Kept { password: Some(password.expose().clone()), private: String::new(), passphrase: None }
            }
            Self::Key { private, passphrase } => Kept {
                password: None,
                private: private.expose().clone(),
                passphrase: passphrase.as_ref().map(|locked| locked.expose().clone()),
            },
        };
        Secret::new(serde_json::to_vec(&kept).unwrap_or_default())
    }

    /// What was kept.
    pub fn of_kept(kept: &Secret<Vec<u8>>) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(kept.expose()).ok()?;
        Some(match &kept.password {
            Some(password) => Self::Password(Secret::new(password.clone())),
            None => Self::Key {
                private: Secret::new(kept.private.clone()),
                passphrase: kept.passphrase.clone().map(Secret::new),
            },
        })
    }

    /// True where the key can be read; of a password that is not known here.
    pub async fn reads(&self) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Key { private, passphrase } => decode(private, passphrase.as_ref()).await.is_some(),
        }
    }

    /// Signs in with it.
    pub(super) async fn sign_in(&self, handle: &mut Handle<Pinned>, user: &str) -> Result<(), Error> {
        let refused = |detail| Err(Error::PassRefused { detail });
        match self {
            Self::Key { private, passphrase } => {
                let key = decode(private, passphrase.as_ref()).await.ok_or(Error::BadKey)?;
                let asked = within("Logging in", AUTH_LIMIT, by_key(handle, user, key)).await?;
                if asked.map_err(|e| unreachable(&e))? {
                    return Ok(());
                }
                refused("The server does not take this private key for this user. Give another, or a password.")
            }
            Self::Password(password) => {
                let asked = handle.authenticate_password(user, password.expose().as_str());
                let answer = within("Logging in", AUTH_LIMIT, asked).await?.map_err(|e| unreachable(&e))?;
                let AuthResult::Failure { remaining_methods, partial_success } = answer else { return Ok(()) };
                let takes = |kind| remaining_methods.contains(&kind);
                let asks = takes(MethodKind::KeyboardInteractive);
                if asks && !takes(MethodKind::Password) {
                    let asked = answers(handle, user, password);
                    let taken = within("Logging in", AUTH_LIMIT, asked).await?.map_err(|e| unreachable(&e))?;
                    if taken {
                        return Ok(());
                    }
                } else if partial_success {
                    return refused(
                        "The server takes the password and wants something more, which Skiff has not. Paste the line for \
                         authorized_keys instead.",
                    );
                } else if !takes(MethodKind::Password) {
                    return refused(
                        "The server takes no passwords for this user (PasswordAuthentication or PermitRootLogin in its \
                         sshd_config). Give a private key, or paste the line for authorized_keys.",
                    );
                }
                refused("The server does not take this password for this user. Give another, or a private key.")
            }
        }
    }
}

/// Reads a key; with a passphrase off the runtime's threads, as that takes its time on purpose.
async fn decode(private: &Secret<String>, passphrase: Option<&Secret<String>>) -> Option<PrivateKey> {
    let Some(passphrase) = passphrase.cloned() else { return decode_secret_key(private.expose(), None).ok() };
    let key = PrivateKey::from_openssh(private.expose()).ok()?;
    if !key.is_encrypted() {
        return Some(key);
    }
    match key.kdf() {
        // Whoever wrote the key chose the rounds, and could choose days of them.
        Kdf::Bcrypt { rounds, .. } if *rounds <= MOST_ROUNDS => {}
        _ => return None,
    }
    let opening = tokio::task::spawn_blocking(move || key.decrypt(passphrase.expose().as_bytes()).ok());
    opening.await.ok().flatten()
}

/// Answers what the server asks with the password, where the answer would not be shown on a screen.
async fn answers(handle: &mut Handle<Pinned>, user: &str, password: &Secret<String>) -> Result<bool, russh::Error> {
    let mut asked = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..ROUNDS {
        let Answer::InfoRequest { prompts, .. } = asked else { break };
        if prompts.len() > QUESTIONS {
            return Ok(false);
        }
        let said = prompts.iter().map(|ask| if ask.echo { String::new() } else { password.expose().clone() });
        asked = handle.authenticate_keyboard_interactive_respond(said.collect()).await?;
    }
    Ok(matches!(asked, Answer::Success))
}

/// Signs in with what was given, runs one script, and signs out.
pub async fn run_once(
    login: &Login,
    pass: &Pass,
    script: &RemoteScript,
    params: &[(&'static str, &str)],
    limit: std::time::Duration,
    on_line: &mut (dyn FnMut(Stream, &[u8]) + Send),
) -> Result<Exit, Error> {
    let session = Session::connect_with(login, pass).await?;
    script::run(session, script, params, limit, on_line).await
}
