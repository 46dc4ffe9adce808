//! Who Skiff is to a forge. A token goes through git's environment to a constant credential helper that answers only
//! for the forge's own host; a deploy key stands in a private file for the time of one call. Neither is in an argument.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Error, Git, Repository};
use crate::domain::deploy::Failure;
use crate::domain::secret::Secret;

/// How a repository is opened, with the secrets opened.
#[derive(Clone, Debug)]
pub enum Access {
    /// Anyone may read it.
    Public,
    /// A private key in OpenSSH's format.
    DeployKey(Secret<String>),
    /// A user and a token, over https.
    Token {
        /// The user; `git` where the forge does not care.
        user: String,
        /// The token.
        token: Secret<String>,
    },
}

/// Constant: answers git's credential protocol from the environment. It is set for the forge's scheme and host only,
/// so a redirect to another host gets nothing.
const CREDENTIAL_HELPER: &str =
    r#"!f() { printf 'username=%s\npassword=%s\n' "$SKIFF_GIT_USER" "$SKIFF_GIT_TOKEN"; }; f"#;

/// Constant: git hands this to `sh` with ssh's operands as arguments; paths come by the environment.
/// No file of the panel's user is read (`-F /dev/null`), no agent and no password is asked.
const SSH: &str = concat!(
    "ssh -F /dev/null -i \"$SKIFF_SSH_KEY\" -o \"UserKnownHostsFile=\\\"$SKIFF_KNOWN_HOSTS\\\"\"",
    " -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=accept-new -o UpdateHostKeys=no",
    " -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes -o PasswordAuthentication=no",
    " -o KbdInteractiveAuthentication=no -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ServerAliveCountMax=3",
    " -o ClearAllForwardings=yes -o ForwardAgent=no -o PermitLocalCommand=no -o ControlPath=none -o LogLevel=ERROR"
);

/// Constant: read by the server half of git, which is on this machine where the repository is a local folder. The
/// owner of such a folder is another user; the settings' root is what allows it.
const LOCAL_CONFIG: &str = "[safe]\n\tdirectory = *\n";

/// What a call of git gets besides its arguments.
#[derive(Default)]
pub(super) struct Env {
    /// Variables.
    pub(super) vars: Vec<(&'static str, OsString)>,
    /// Settings, by `GIT_CONFIG_KEY_n`.
    pub(super) config: Vec<(String, String)>,
    /// The key's folder, removed when this is dropped.
    _key: Option<KeyFolder>,
}

impl Git {
    /// The environment that opens this repository.
    pub(super) fn env(&self, repository: Repository<'_>) -> Result<Env, Error> {
        self.refuse_local(repository.url)?;
        let mut env = Env::default();
        let allowed = if repository.url.is_local() { "file" } else { "https:ssh" };
        env.vars.push(("GIT_ALLOW_PROTOCOL", allowed.into()));
        if repository.url.is_local() {
            env.vars.push(("GIT_CONFIG_GLOBAL", self.settings.data_dir.join("local.gitconfig").into()));
        }
        if let Some(file) = &self.settings.ca_file {
            env.config.push(("http.sslCAInfo".into(), file.to_string_lossy().into_owned()));
        }
        if repository.url.is_ssh() {
            env.vars.push(("GIT_SSH_COMMAND", SSH.into()));
            env.vars.push(("GIT_SSH_VARIANT", "ssh".into()));
            env.vars.push(("SKIFF_KNOWN_HOSTS", self.known_hosts_of(repository.source).into()));
        }
        match repository.access {
            Access::Public => env.vars.push(("SKIFF_SSH_KEY", "/dev/null".into())),
            Access::DeployKey(_) if !repository.url.is_ssh() => {
                return Err(refused("A deploy key needs an ssh address, such as git@example.org:team/app.git."));
            }
            Access::DeployKey(key) => {
                let folder = KeyFolder::new(&self.keys(), key).map_err(Error::local("writing the deploy key"))?;
                env.vars.push(("SKIFF_SSH_KEY", folder.folder.join("key").into()));
                env._key = Some(folder);
            }
            Access::Token { user, token } => {
                let site = repository.url.as_ref().parse::<url::Url>().ok().filter(|url| url.scheme() == "https");
                let Some(site) = site else { return Err(refused("A token needs an https address.")) };
                if user.contains(char::is_control) || token.expose().contains(char::is_control) {
                    return Err(refused("The token or its user contains a line break or another control character."));
                }
                let origin = site.origin().ascii_serialization();
                env.config.push((format!("credential.{origin}.helper"), CREDENTIAL_HELPER.into()));
                env.vars.push(("SKIFF_GIT_USER", user.into()));
                env.vars.push(("SKIFF_GIT_TOKEN", token.expose().into()));
            }
        }
        Ok(env)
    }
}

/// A refusal in our own words.
fn refused(reason: &str) -> Error {
    Failure::Refused { reason: reason.into() }.into()
}

/// A folder with one private key in it. Its file `lock` is locked while it is in use.
struct KeyFolder {
    folder: PathBuf,
    _lock: File,
}

impl KeyFolder {
    /// Writes the key, readable by this user only, with the newline at its end that ssh insists on.
    fn new(keys: &Path, key: &Secret<String>) -> std::io::Result<Self> {
        let folder = keys.join(uuid::Uuid::new_v4().simple().to_string());
        private_folder(&folder)?;
        let create = |name: &str| OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name));
        let lock = create("lock")?;
        lock.lock()?;
        let made = Self { folder: folder.clone(), _lock: lock };
        let mut file = create("key")?;
        file.write_all(key.expose().trim_end().as_bytes())?;
        file.write_all(b"\n")?;
        Ok(made)
    }
}

impl Drop for KeyFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, "A deploy key's folder could not be removed");
        }
    }
}

/// Removes key folders that no running process holds: a killed panel leaves them.
pub(super) fn clear_leftovers(keys: &Path) {
    for entry in std::fs::read_dir(keys).into_iter().flatten().flatten() {
        // A folder without its lock file is one being made in this moment by another process, or an empty leftover.
        let Ok(lock) = File::open(entry.path().join("lock")) else { continue };
        if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            continue;
        }
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(%error, "A left deploy key's folder could not be removed");
        }
    }
}

/// Makes a folder that only this user can enter; one that exists is accepted.
pub(super) fn private_folder(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes the constant files git is pointed to.
pub(super) fn write_constants(data_dir: &Path) -> std::io::Result<()> {
    std::fs::write(data_dir.join("local.gitconfig"), LOCAL_CONFIG)
}
