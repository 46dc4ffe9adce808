//! The cluster's folder and the user it belongs to.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use super::{ClusterError, ClusterSettings};

/// A socket's address holds 107 bytes; the rest is the socket's own name.
const PATH_MOST: usize = 80;
/// The users tried in this order when Skiff runs as root.
const USERS: [&str; 2] = ["skiff", "postgres"];

/// The folder, ready for its user.
#[derive(Debug)]
pub(super) struct Place {
    pub folder: PathBuf,
    /// None: Skiff's own user, who is not root.
    pub user: Option<User>,
}

/// A line of the passwd file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Place {
    /// Makes the folder and gives it to its user.
    pub(super) fn prepare(settings: &ClusterSettings) -> Result<Self, ClusterError> {
        let folder = std::path::absolute(&settings.folder).unwrap_or_else(|_| settings.folder.clone());
        if folder.as_os_str().len() > PATH_MOST {
            return Err(ClusterError::LongPath(folder));
        }
        let user = user(settings.user.as_deref())?;
        let place = Self { folder, user };
        let failed = |error: std::io::Error| place.failed("could not be made", error.to_string());
        if let Some(parent) = place.folder.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
            place.let_through(parent).map_err(failed)?;
        }
        for folder in [place.folder.clone(), place.socket()] {
            match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => {}
            }
            if let Some(user) = &place.user {
                chown(&folder, Some(user.uid), Some(user.gid)).map_err(failed)?;
            }
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        place.check_way()?;
        Ok(place)
    }

    /// Lets the user pass the folder the cluster's stands in, which is Skiff's own: pass, not look into it.
    fn let_through(&self, parent: &std::path::Path) -> std::io::Result<()> {
        let Some(user) = &self.user else { return Ok(()) };
        let met = parent.metadata()?;
        // Only where nobody else can pass: another folder than one of ours is not changed.
        if met.uid() == 0 && met.mode() & 0o077 == 0 {
            chown(parent, None, Some(user.gid))?;
            std::fs::set_permissions(parent, std::fs::Permissions::from_mode(met.mode() & 0o700 | 0o010))?;
        }
        Ok(())
    }

    /// Whether the user can pass every folder on the way.
    fn check_way(&self) -> Result<(), ClusterError> {
        let Some(user) = &self.user else { return Ok(()) };
        for folder in self.folder.ancestors().skip(1) {
            let Ok(met) = folder.metadata() else { continue };
            let bit = match () {
                () if met.uid() == user.uid => 0o100,
                () if met.gid() == user.gid => 0o010,
                () => 0o001,
            };
            if met.mode() & bit == 0 {
                return Err(ClusterError::Barred { user: user.name.clone(), folder: folder.to_owned() });
            }
        }
        Ok(())
    }

    /// The data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where the data folder is made.
    pub(super) fn half(&self) -> PathBuf {
        self.folder.join("data.half")
    }

    /// The socket's folder.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// The server's own log.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The file whose lock says who keeps the cluster.
    pub(super) fn keeper(&self) -> PathBuf {
        self.folder.join("keeper")
    }

    /// Whether the data folder is there.
    pub(super) fn made(&self) -> bool {
        self.data().join("PG_VERSION").exists()
    }

    /// The major version that made the data.
    pub(super) fn version(&self) -> Option<u32> {
        std::fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// Whether the server's pid file names a living server of these data, not just a process of the same number.
    pub(super) fn running(&self) -> bool {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let pid = file.lines().next().and_then(|line| line.trim().parse::<u32>().ok());
        let home = pid.and_then(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).ok());
        home.is_some_and(|home| std::fs::canonicalize(self.data()).is_ok_and(|data| data == home))
    }
}

/// Whom to run as: nobody else where we are not root.
fn user(wanted: Option<&str>) -> Result<Option<User>, ClusterError> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|met| met.uid() == 0);
    if !root {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let names = wanted.map_or_else(|| USERS.to_vec(), |name| vec![name]);
    let found = names.iter().find_map(|name| entry(&passwd, name));
    found.map(Some).ok_or_else(|| ClusterError::NoUser(names.join(" or ")))
}

/// The passwd line of a user other than root.
fn entry(passwd: &str, name: &str) -> Option<User> {
    let mut fields = passwd.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let found = fields.next() == Some(name);
        found.then_some(fields)
    })?;
    let _password = fields.next()?;
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (uid != 0).then(|| User { name: name.to_owned(), uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nskiffy:x:7:7::/:\nskiff:x:999:998:Skiff:/var/lib/skiff:/bin/false\n";
        assert_eq!(entry(passwd, "skiff"), Some(User { name: "skiff".into(), uid: 999, gid: 998 }));
        assert_eq!(entry(passwd, "ski"), None);
        assert_eq!(entry(passwd, "root"), None);
    }
}
