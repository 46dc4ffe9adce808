//! Files on a host by SFTP, in few round trips: they are on a deploy's way. Not here: what is in them.

use futures_util::future::{join_all, try_join_all};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::rawsession::RawSftpSession;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::{Error, detail};
use super::link::Link;

/// One SFTP answer; a flush to a slow disk takes seconds.
const ANSWER_LIMIT_S: u64 = 30;
/// A file read from a host may not be larger: ours are a few KiB.
pub const GET_BYTES: u64 = 4 << 20;
/// Bytes per request: below the 256 KiB packet of OpenSSH, and of our client.
const CHUNK_BYTES: usize = 128 * 1024;
/// Names read of a folder: an app's folder has one per kept release.
pub const LIST_NAMES: usize = 10_000;
/// Less room than this is none: a folder or a file also takes blocks of the file system itself.
const FULL_BYTES: u64 = 64 * 1024;
/// Files written at once: each holds a handle of the server.
pub const PUT_FILES: usize = 32;

/// Pages of a folder's names that are asked for at once.
const PAGES_AHEAD: usize = 16;

/// A file to write.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// Its absolute path, of our own making.
    pub path: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
    /// Its permissions, as 0o600.
    pub mode: u32,
}

/// Does something with the session, once more where the kept one had broken meanwhile. A macro, because the compiler
/// cannot see that the future of a borrowed closure may be sent to another thread.
macro_rules! twice {
    ($files:expr, $sftp:ident => $doing:expr) => {{
        let (session, fresh) = $files.session().await?;
        let $sftp: &RawSftpSession = &session;
        match $doing.await {
            Ok(done) => Ok(done),
            Err(fault) => {
                let session = $files.again(fault, fresh).await?;
                let $sftp: &RawSftpSession = &session;
                $doing.await.map_err(Fault::error)
            }
        }
    }};
}

/// A host's files: one SFTP session, opened when first needed.
pub(crate) struct Files {
    link: Arc<Link>,
    open: tokio::sync::Mutex<Option<Arc<RawSftpSession>>>,
}

impl Files {
    /// The files behind a connection.
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, open: tokio::sync::Mutex::new(None) }
    }

    /// Writes all files: folders above them are made, each is written beside its place, flushed and moved over it.
    /// Three round trips, however many files. Either a file is there whole or it is as before.
    pub async fn put(&self, files: &[File<'_>]) -> Result<(), Error> {
        if files.len() > PUT_FILES {
            return Err(Error::Refused { detail: format!("more than {PUT_FILES} files at once") });
        }
        for file in files {
            check(file.path)?;
        }
        twice!(self, sftp => put(sftp, files))
    }

    /// Reads a file of at most [`GET_BYTES`].
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, Error> {
        check(path)?;
        twice!(self, sftp => get(sftp, path))
    }

    /// Makes folders, with those above them. What is there already is left as it is.
    pub async fn make_folders(&self, paths: &[&str]) -> Result<(), Error> {
        for path in paths {
            check(path)?;
        }
        twice!(self, sftp => make_folders(sftp, paths))
    }

    /// Removes files by name; those that are gone already count as removed.
    pub async fn remove(&self, paths: &[&str]) -> Result<(), Error> {
        for path in paths {
            check(path)?;
        }
        twice!(self, sftp => remove(sftp, paths))
    }

    /// The names in a folder, at most [`LIST_NAMES`]; none where there is no such folder.
    pub async fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        check(path)?;
        twice!(self, sftp => list(sftp, path))
    }

    /// Removes these files of a folder, then the folder, unless something else is in it. Gone already is fine.
    pub async fn remove_folder(&self, path: &str, names: &[&str]) -> Result<(), Error> {
        check(path)?;
        twice!(self, sftp => remove_folder(sftp, path, names))
    }

    /// Free space for us in the file system that holds this path, MiB; none where the server does not tell.
    pub async fn free_mib(&self, path: &str) -> Result<Option<u64>, Error> {
        check(path)?;
        twice!(self, sftp => free_mib(sftp, path))
    }

    /// A session for a second try, where the first one broke under a kept session; else the error as it is.
    async fn again(&self, fault: Fault, fresh: bool) -> Result<Arc<RawSftpSession>, Error> {
        match fault {
            Fault::Answer(error) => Err(error),
            Fault::Broken(error) => {
                self.open.lock().await.take();
                if fresh { Err(error) } else { Ok(self.session().await?.0) }
            }
        }
    }

    /// The kept session, or a new one (true).
    async fn session(&self) -> Result<(Arc<RawSftpSession>, bool), Error> {
        let mut open = self.open.lock().await;
        if let Some(sftp) = open.as_ref() {
            return Ok((sftp.clone(), false));
        }
        let io = self.link.session().await?.open_sftp().await?;
        let sftp = RawSftpSession::new(io);
        sftp.set_timeout(ANSWER_LIMIT_S);
        sftp.init().await.map_err(|e| Error::Unreachable { detail: detail(e) })?;
        let sftp = Arc::new(sftp);
        *open = Some(sftp.clone());
        Ok((sftp, true))
    }
}

/// What went wrong: an answer, or no answer.
enum Fault {
    Answer(Error),
    Broken(Error),
}

impl Fault {
    fn error(self) -> Error {
        match self {
            Self::Answer(error) | Self::Broken(error) => error,
        }
    }

    fn of(error: SftpError, path: &str) -> Self {
        match error {
            SftpError::Status(status) => Self::Answer(match status.status_code {
                StatusCode::NoSuchFile => Error::NotFound { detail: path.to_owned() },
                _ => Error::Refused { detail: format!("{path}: {}", detail(status.status_code)) },
            }),
            other => Self::Broken(Error::Unreachable { detail: detail(other) }),
        }
    }
}

/// Paths are ours: absolute, without `..`.
fn check(path: &str) -> Result<(), Error> {
    let fits = path.starts_with('/') && !path.contains('\0') && path.split('/').all(|part| part != "..");
    if fits { Ok(()) } else { Err(Error::Refused { detail: "a path on a host must be absolute".to_owned() }) }
}

/// The folders above a path, outermost first, without the root.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.char_indices().filter(|(at, c)| *c == '/' && *at > 0).filter_map(|(at, _)| path.get(..at))
}

async fn make_folders(sftp: &RawSftpSession, paths: &[&str]) -> Result<(), Fault> {
    let folders: BTreeSet<&str> = paths.iter().flat_map(|path| above(path).chain([*path])).collect();
    join_all(folders.into_iter().map(|folder| sftp.mkdir(folder, FileAttributes::empty()))).await;
    let looks = paths.iter().map(|path| async move { sftp.stat(*path).await.map_err(|error| Fault::of(error, path)) });
    try_join_all(looks).await.map(drop)
}

async fn remove(sftp: &RawSftpSession, paths: &[&str]) -> Result<(), Fault> {
    let removals = paths.iter().map(|path| async move {
        match sftp.remove(*path).await {
            Ok(_) => Ok(()),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(()),
            Err(error) => Err(Fault::of(error, path)),
        }
    });
    try_join_all(removals).await.map(drop)
}

async fn list(sftp: &RawSftpSession, path: &str) -> Result<Vec<String>, Fault> {
    let opened = match sftp.opendir(path).await {
        Ok(opened) => opened,
        Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => return Ok(Vec::new()),
        Err(error) => return Err(Fault::of(error, path)),
    };
    let mut names = Vec::new();
    // A page has about a hundred names. More are asked for at once the longer the folder turns out to be.
    let mut ahead = 1;
    let read = 'pages: loop {
        let pages = join_all((0..ahead).map(|_| sftp.readdir(opened.handle.as_str()))).await;
        for page in pages {
            match page {
                Ok(page) => names.extend(page.files.into_iter().map(|file| file.filename)),
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break 'pages Ok(()),
                Err(error) => break 'pages Err(Fault::of(error, path)),
            }
        }
        if names.len() > LIST_NAMES {
            break Ok(());
        }
        ahead = (ahead * 4).min(PAGES_AHEAD);
    };
    let _ = sftp.close(opened.handle).await;
    names.truncate(LIST_NAMES);
    read.map(|()| names)
}

async fn remove_folder(sftp: &RawSftpSession, path: &str, names: &[&str]) -> Result<(), Fault> {
    let files: Vec<String> = names.iter().map(|name| format!("{path}/{name}")).collect();
    remove(sftp, &files.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    match sftp.rmdir(path).await {
        Ok(_) => Ok(()),
        Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(()),
        // Something that is not ours is in it.
        Err(SftpError::Status(status)) if status.status_code == StatusCode::Failure => Ok(()),
        Err(error) => Err(Fault::of(error, path)),
    }
}

async fn free_mib(sftp: &RawSftpSession, path: &str) -> Result<Option<u64>, Fault> {
    match sftp.statvfs(path).await {
        Ok(seen) => Ok(Some(seen.blocks_avail.saturating_mul(seen.fragment_size) >> 20)),
        Err(SftpError::Status(_)) => Ok(None),
        Err(error) => Err(Fault::of(error, path)),
    }
}

async fn put(sftp: &RawSftpSession, files: &[File<'_>]) -> Result<(), Fault> {
    let spots: Vec<(File<'_>, String)> =
        files.iter().map(|file| (*file, format!("{}.{:016x}.new", file.path, rand::random::<u64>()))).collect();
    let done = write_beside(sftp, &spots).await;
    let done = match done {
        Ok(()) => try_join_all(spots.iter().map(|(file, beside)| rename(sftp, beside, file.path))).await.map(|_| ()),
        Err(fault) => Err(fault),
    };
    let Err(Fault::Answer(error)) = done else { return done };
    join_all(spots.iter().map(|(_, beside)| sftp.remove(beside))).await;
    // A full disk also shows as a folder that could not be made, or a file that could not be opened.
    for (file, _) in &spots {
        if let Some(full) = full(sftp, *file).await {
            return Err(Fault::Answer(full));
        }
    }
    Err(Fault::Answer(error))
}

/// The server works in order, so that folders, then files, can be asked for in one go.
async fn write_beside(sftp: &RawSftpSession, spots: &[(File<'_>, String)]) -> Result<(), Fault> {
    let folders: BTreeSet<&str> = spots.iter().flat_map(|(file, _)| above(file.path)).collect();
    let folders = join_all(folders.into_iter().map(|folder| sftp.mkdir(folder, FileAttributes::empty())));
    let opens = join_all(spots.iter().map(|(file, beside)| {
        let attributes = FileAttributes { permissions: Some(file.mode), ..FileAttributes::empty() };
        sftp.open(beside.as_str(), OpenFlags::CREATE | OpenFlags::WRITE | OpenFlags::EXCLUDE, attributes)
    }));
    let (_, opened) = tokio::join!(folders, opens);
    let mut handles = Vec::with_capacity(spots.len());
    let mut failed = None;
    for (opened, (file, _)) in opened.into_iter().zip(spots) {
        match opened {
            Ok(handle) => handles.push((handle.handle, *file)),
            Err(error) => failed = Some(Fault::of(error, file.path)),
        }
    }
    if let Some(fault) = failed {
        join_all(handles.into_iter().map(|(handle, _)| sftp.close(handle))).await;
        return Err(fault);
    }
    try_join_all(handles.iter().map(|(handle, file)| fill(sftp, handle, *file))).await.map(|_| ())
}

/// Writes, sets the mode past the umask, flushes and closes: asked for in one go.
async fn fill(sftp: &RawSftpSession, handle: &str, file: File<'_>) -> Result<(), Fault> {
    let writes = join_all(file.bytes.chunks(CHUNK_BYTES).enumerate().map(|(index, chunk)| {
        sftp.write(handle, u64::try_from(index * CHUNK_BYTES).unwrap_or(u64::MAX), chunk.to_vec())
    }));
    let attributes = FileAttributes { permissions: Some(file.mode), ..FileAttributes::empty() };
    let (writes, mode, flush, close) =
        tokio::join!(writes, sftp.fsetstat(handle, attributes), sftp.fsync(handle), sftp.close(handle));
    for answer in writes.into_iter().chain([mode, flush, close]) {
        match answer {
            Ok(_) => {}
            // Some servers know no fsync; the rename is still whole.
            Err(SftpError::Status(status)) if status.status_code == StatusCode::OpUnsupported => {}
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Failure => {
                return Err(Fault::Answer(Error::Refused { detail: format!("{} could not be written", file.path) }));
            }
            Err(error) => return Err(Fault::of(error, file.path)),
        }
    }
    Ok(())
}

/// Whether the disk that a file was to be on is full: SFTP gives no reason for a failure.
async fn full(sftp: &RawSftpSession, file: File<'_>) -> Option<Error> {
    let folders: Vec<&str> = above(file.path).collect();
    let wanted = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX).max(FULL_BYTES);
    // The innermost folder that is there tells.
    for folder in folders.into_iter().rev() {
        if let Ok(room) = sftp.statvfs(folder).await {
            let full = room.blocks_avail.saturating_mul(room.fragment_size) < wanted || room.inodes_avail == 0;
            return full.then(|| Error::DiskFull { detail: file.path.to_owned() });
        }
    }
    None
}

/// Moves over what is there (`posix-rename@openssh.com`: plain SFTP refuses when the target exists).
async fn rename(sftp: &RawSftpSession, from: &str, to: &str) -> Result<(), Fault> {
    let mut data = Vec::with_capacity(from.len() + to.len() + 8);
    for path in [from, to] {
        data.extend_from_slice(&u32::try_from(path.len()).unwrap_or(u32::MAX).to_be_bytes());
        data.extend_from_slice(path.as_bytes());
    }
    match sftp.extended("posix-rename@openssh.com", data).await {
        Ok(Packet::Status(status)) if status.status_code == StatusCode::Ok => Ok(()),
        Ok(Packet::Status(status)) => Err(Fault::of(SftpError::Status(status), to)),
        Ok(_) => Err(Fault::Broken(Error::Unreachable { detail: "an unexpected SFTP answer".to_owned() })),
        Err(error) => Err(Fault::of(error, to)),
    }
}

async fn get(sftp: &RawSftpSession, path: &str) -> Result<Vec<u8>, Fault> {
    let opened = sftp.open(path, OpenFlags::READ, FileAttributes::empty()).await.map_err(|e| Fault::of(e, path))?;
    let read = read(sftp, &opened.handle, path).await;
    let _ = sftp.close(opened.handle).await;
    read
}

async fn read(sftp: &RawSftpSession, handle: &str, path: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    loop {
        let at = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if at > GET_BYTES {
            return Err(Fault::Answer(Error::TooMuch { what: "The file", limit: GET_BYTES }));
        }
        match sftp.read(handle, at, u32::try_from(CHUNK_BYTES).unwrap_or(u32::MAX)).await {
            Ok(chunk) if chunk.data.is_empty() => return Ok(bytes),
            Ok(chunk) => bytes.extend_from_slice(&chunk.data),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => return Ok(bytes),
            Err(error) => return Err(Fault::of(error, path)),
        }
    }
}
