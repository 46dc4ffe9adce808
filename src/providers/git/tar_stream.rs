//! The tar stream of `git archive`, filtered as it flows: what `.dockerignore` names is left out, times are the
//! commit's, and a path or kind of entry that has no business there ends it. Memory is one header and one piece.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

use super::Error;
use crate::domain::deploy::Failure;
use crate::domain::docker_ignore::DockerIgnore;

/// Tar's unit.
const BLOCK: usize = 512;
/// Bytes of a file's path: Linux opens no longer one (PATH_MAX, path_resolution(7)).
const LONGEST_PATH: usize = 4096;
/// Bytes handed on at a time.
const PIECE: usize = 64 * 1024;
/// Bytes of an extended header: it holds a path, which Linux caps at 4,096, and a link's target.
const MAX_EXTENDED: u64 = 64 * 1024;
/// Files and folders sent to a builder; the largest known repositories have about half of it.
const MAX_ENTRIES: u32 = 1_000_000;
/// Bytes sent to a builder. More belongs into a base image or a volume.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Git LFS caps its pointers at 1,024 bytes.
const MAX_POINTER: u64 = 1024;
/// How every Git LFS pointer begins.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What is done to the stream.
pub(super) struct Rules {
    /// What is not sent.
    pub(super) ignore: DockerIgnore,
    /// This path is sent whatever is ignored.
    pub(super) always: String,
    /// Small files may be pointers of Git LFS, whose content is not in the repository.
    pub(super) lfs: bool,
    /// The time of every entry, in seconds since 1970.
    pub(super) mtime: u64,
    /// A file added at the end: its name and bytes.
    pub(super) extra: Option<(&'static str, Vec<u8>)>,
}

/// The stream being filtered.
pub(super) struct Filter<R> {
    from: BufReader<R>,
    rules: Rules,
    /// Bytes of the present entry still to hand on, or to pass over.
    copy: u64,
    skip: u64,
    entries: u32,
    bytes: u64,
    done: bool,
}

impl<R: AsyncRead + Unpin> Filter<R> {
    pub(super) fn new(from: R, rules: Rules) -> Self {
        let from = BufReader::with_capacity(PIECE, from);
        Self { from, rules, copy: 0, skip: 0, entries: 0, bytes: 0, done: false }
    }

    /// The next piece; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut extended: Option<(Bytes, Extended)> = None;
        // Bounded by MAX_ENTRIES, and each turn reads from a stream that ends.
        loop {
            if self.done {
                return Ok(None);
            }
            if self.copy > 0 {
                let piece = self.read(self.copy.min(PIECE as u64)).await?;
                self.copy = self.copy.saturating_sub(piece.len() as u64);
                return Ok(Some(piece));
            }
            while self.skip > 0 {
                let passed = self.read(self.skip.min(PIECE as u64)).await?;
                self.skip = self.skip.saturating_sub(passed.len() as u64);
            }
            let mut header = Header::read(self.read(BLOCK as u64).await?)?;
            if header.is_end() {
                self.done = true;
                return self.ending().await.map(Some);
            }
            let size = header.size()?;
            match header.kind() {
                b'g' => self.skip = padded(size),
                b'x' if size <= MAX_EXTENDED => {
                    let body = self.read(padded(size)).await?;
                    let read = Extended::read(body.get(..size as usize).unwrap_or_default());
                    let mut whole = BytesMut::from(header.timed(self.rules.mtime));
                    whole.extend_from_slice(&body);
                    extended = Some((whole.freeze(), read));
                }
                b'0' | 0 | b'2' | b'5' => {
                    let (before, read) = extended.take().unwrap_or_default();
                    let path = read.path.unwrap_or_else(|| header.path());
                    let path = checked(&path)?;
                    self.count(size)?;
                    if path != self.rules.always && self.rules.ignore.ignores(path) {
                        self.skip = padded(size);
                        continue;
                    }
                    let mut out = BytesMut::from(&before[..]);
                    out.extend_from_slice(header.timed(self.rules.mtime));
                    if self.rules.lfs && size <= MAX_POINTER && header.kind() != b'2' {
                        let body = self.read(padded(size)).await?;
                        if body.starts_with(POINTER) {
                            return Err(Failure::SourceUnsupported { what: "Git LFS".into() }.into());
                        }
                        out.extend_from_slice(&body);
                    } else {
                        self.copy = padded(size);
                    }
                    return Ok(Some(out.freeze()));
                }
                _ => return Err(strange("holds an entry that is neither a file, a folder nor a link")),
            }
        }
    }

    /// The extra file and the two empty blocks of the end; the rest of git's output is read so that it can end.
    async fn ending(&mut self) -> Result<Bytes, Error> {
        let doing = "reading git's archive";
        tokio::io::copy(&mut self.from, &mut tokio::io::sink()).await.map_err(Error::local(doing))?;
        let mut out = Vec::new();
        if let Some((name, body)) = self.rules.extra.take() {
            let mut header = tar::Header::new_ustar();
            header.set_size(body.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(self.rules.mtime);
            let mut builder = tar::Builder::new(&mut out);
            builder.append_data(&mut header, name, &body[..]).map_err(Error::local(doing))?;
            builder.finish().map_err(Error::local(doing))?;
        } else {
            out.resize(2 * BLOCK, 0);
        }
        Ok(out.into())
    }

    /// Exactly this many bytes.
    async fn read(&mut self, count: u64) -> Result<Bytes, Error> {
        let mut piece = vec![0; usize::try_from(count).unwrap_or(PIECE)];
        self.from.read_exact(&mut piece).await.map_err(Error::local("reading git's archive"))?;
        Ok(piece.into())
    }

    /// Counts an entry against the caps.
    fn count(&mut self, size: u64) -> Result<(), Error> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(size);
        if self.entries > MAX_ENTRIES || self.bytes > MAX_BYTES {
            return Err(strange("is larger than 4 GiB or has more than a million files"));
        }
        Ok(())
    }
}

/// A header block.
struct Header(BytesMut);

impl Header {
    fn read(block: Bytes) -> Result<Self, Error> {
        if block.len() == BLOCK { Ok(Self(BytesMut::from(&block[..]))) } else { Err(strange("could not be read")) }
    }

    fn field(&self, from: usize, to: usize) -> &[u8] {
        let field = self.0.get(from..to).unwrap_or_default();
        field.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn is_end(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    fn kind(&self) -> u8 {
        self.0.get(156).copied().unwrap_or_default()
    }

    /// The size of the body. Git writes the octal form; a size beyond it would be beyond the cap too.
    fn size(&self) -> Result<u64, Error> {
        let digits = std::str::from_utf8(self.field(124, 136)).unwrap_or_default().trim();
        u64::from_str_radix(digits, 8).map_err(|_| strange("holds a file larger than 4 GiB"))
    }

    fn path(&self) -> Vec<u8> {
        let (name, prefix) = (self.field(0, 100), self.field(345, 500));
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// The block with this time and the checksum that goes with it.
    fn timed(&mut self, mtime: u64) -> &[u8] {
        self.write(136, format!("{mtime:011o}\0").as_bytes());
        self.write(148, b"        ");
        let sum: u32 = self.0.iter().map(|byte| u32::from(*byte)).sum();
        self.write(148, format!("{sum:06o}\0 ").as_bytes());
        &self.0
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        if let Some(field) = self.0.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    }
}

/// What an extended header says of the entry after it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
}

impl Extended {
    /// Records of the form "<length> <key>=<value>\n".
    fn read(mut body: &[u8]) -> Self {
        let mut read = Self::default();
        while let Some(space) = body.iter().position(|byte| *byte == b' ') {
            let digits = body.get(..space).and_then(|digits| std::str::from_utf8(digits).ok());
            let Some(length) = digits.and_then(|digits| digits.parse::<usize>().ok()).filter(|n| *n > space) else {
                break;
            };
            let record = body.get(space + 1..length.saturating_sub(1)).unwrap_or_default();
            if let Some(path) = record.strip_prefix(b"path=") {
                read.path = Some(path.to_vec());
            }
            body = body.get(length..).unwrap_or_default();
        }
        read
    }
}

/// The path as text, if it stays below the folder it is unpacked into.
fn checked(path: &[u8]) -> Result<&str, Error> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if path.len() > LONGEST_PATH {
        return Err(strange("has a file name of more than 4,096 bytes, which no Linux opens"));
    }
    let text = std::str::from_utf8(path).map_err(|_| strange("has a file name that is not UTF-8"))?;
    let inside = !text.starts_with('/') && text.split('/').all(|part| !part.is_empty() && part != ".." && part != ".");
    if inside { Ok(text) } else { Err(strange("has a file whose name leads out of it")) }
}

/// A body's size with its padding.
fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64)
}

/// A refusal of what the repository holds.
fn strange(what: &str) -> Error {
    Failure::Refused { reason: format!("The repository {what}.") }.into()
}
