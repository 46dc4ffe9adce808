//! Names that are spoken to Docker. Its client library joins strings into URL paths unchecked,
//! so nothing but these types may reach it.

use super::checked_text;

/// True for the daemon's own name pattern `[A-Za-z0-9][A-Za-z0-9_.-]{1,127}`.
fn object_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (2..=128).contains(&text.len()) && text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// True for 64 lowercase hexadecimal digits.
fn hex64(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

/// True for one path component of an image repository (OCI distribution specification, "Pulling manifests").
fn repository_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    !part.is_empty()
        && part.chars().all(plain)
        && edge(part.chars().next())
        && edge(part.chars().next_back())
        && !part.contains("..")
}

/// True for a registry host with an optional port.
fn registry_part(part: &str) -> bool {
    let (host, port) = part.split_once(':').map_or((part, None), |(h, p)| (h, Some(p)));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    !host.is_empty()
        && host.chars().all(plain)
        && !host.starts_with(['-', '.'])
        && port.is_none_or(|p| p.parse::<u16>().is_ok_and(|n| n > 0))
}

/// Splits an image name into (name without tag and digest, tag, digest).
fn parts(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(r, d)| (r, Some(d)));
    let last = rest.rfind('/').map_or(0, |at| at + 1);
    match rest.get(last..).and_then(|tail| tail.find(':')) {
        Some(colon) => (rest.get(..last + colon).unwrap_or(rest), rest.get(last + colon + 1..), digest),
        None => (rest, None, digest),
    }
}

checked_text! {
    /// A container's full id: 64 hexadecimal digits.
    ContainerId = |text| if hex64(text) { Ok(text.to_owned()) } else { Err("A container id has 64 hexadecimal digits.") };
    /// A container's name.
    ContainerName = |text| if object_name(text) { Ok(text.to_owned()) } else { Err("Use 2 to 128 letters, digits, dots, hyphens and underscores.") };
    /// A volume's name on a host.
    VolumeName = |text| if object_name(text) { Ok(text.to_owned()) } else { Err("Use 2 to 128 letters, digits, dots, hyphens and underscores.") };
    /// A network's name on a host.
    NetworkName = |text| if object_name(text) { Ok(text.to_owned()) } else { Err("Use 2 to 128 letters, digits, dots, hyphens and underscores.") };
    /// A manifest digest, `sha256:` and 64 hexadecimal digits: what a registry knows an image by.
    ImageDigest = |text| match text.strip_prefix("sha256:") { Some(hex) if hex64(hex) => Ok(text.to_owned()), _ => Err("A digest is sha256: and 64 hexadecimal digits.") };
    /// An image's id on a host (`sha256:` and 64 hexadecimal digits): the digest of its configuration, the same on every host.
    ImageId = |text| match text.strip_prefix("sha256:") { Some(hex) if hex64(hex) => Ok(text.to_owned()), _ => Err("An image id is sha256: and 64 hexadecimal digits.") };
    /// The name of an image as people write it: `[registry[:port]/]path[:tag][@digest]`, at most 255 characters.
    ImageRef = |text| {
        const SENTENCE: &str = "Use an image name such as nginx:1.27 or registry.example.org/team/app:v1.";
        let text = text.trim();
        let (name, tag, digest) = parts(text);
        let pieces: Vec<&str> = name.split('/').collect();
        let registry = pieces.len() > 1 && pieces.first().is_some_and(|p| p.contains(['.', ':']) || *p == "localhost");
        let path = pieces.get(usize::from(registry)..).unwrap_or_default();
        let tag_fits = tag.is_none_or(|t| (1..=128).contains(&t.len()) && t.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) && !t.starts_with(['.', '-']));
        let digest_fits = digest.is_none_or(|d| d.parse::<ImageDigest>().is_ok());
        let fits = text.len() <= 255 && !path.is_empty() && path.iter().all(|p| repository_part(p))
            && (!registry || pieces.first().is_some_and(|p| registry_part(p))) && tag_fits && digest_fits;
        if fits { Ok(text.to_owned()) } else { Err(SENTENCE) }
    };
    /// Where a volume appears in a container: an absolute path of plain characters without `.` or `..` parts, at most 200.
    MountPath = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.');
        let text = text.trim_end_matches('/');
        let parts_fit = text.split('/').skip(1).all(|p| !p.is_empty() && p != "." && p != "..");
        let fits = text.starts_with('/') && (2..=200).contains(&text.len()) && text.chars().all(plain) && parts_fit;
        if fits { Ok(text.to_owned()) } else { Err("Use an absolute path such as /var/lib/data, without . or .. parts.") }
    };
}

impl ImageRef {
    /// The name without tag and digest.
    pub fn repository(&self) -> &str {
        parts(self.as_ref()).0
    }
    /// The tag, if one is written.
    pub fn tag(&self) -> Option<&str> {
        parts(self.as_ref()).1
    }
    /// The digest, if one is written.
    pub fn digest(&self) -> Option<&str> {
        parts(self.as_ref()).2
    }
}
