//! Names of the network: domains, paths, hosts.

use super::checked_text;

/// True for one label of a domain name (RFC 1123 §2.1).
fn label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A name as DNS has it.
fn ascii(text: &str) -> Result<String, &'static str> {
    if text.is_ascii() {
        return Ok(text.to_owned());
    }
    match url::Host::parse(text) {
        Ok(url::Host::Domain(name)) => Ok(name),
        Ok(_) | Err(_) => Err(
            "This is no domain that can be written in ASCII (xn--…). Use one such as shop.example.org, without http:// and without a path.",
        ),
    }
}

checked_text! {
    /// A domain name (RFC 1123): labels of letters, digits and hyphens, at most 253 characters; kept in lower case. One of other letters is
    /// taken in the form that DNS and certificates have of it (RFC 5891): bücher.example is xn--bcher-kva.example.
    Domain = |text| {
        let text = ascii(text.trim())?.trim_end_matches('.').to_ascii_lowercase();
        if text.contains('*') {
            return Err("Name one domain, such as shop.example.org: a * is not taken here, each name is added by itself.");
        }
        let numeric = text.split('.').next_back().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
        let fits = text.len() <= 253 && text.split('.').all(label) && text.contains('.') && !numeric;
        if fits { Ok(text) } else { Err("Use a domain such as shop.example.org, without http:// and without a path.") }
    };
    /// A path prefix of a route: `/` or `/part/part`, unreserved characters of RFC 3986 only, at most 200.
    /// `/api` covers `/api` and `/api/…`, never `/apiary`.
    PathPrefix = |text| {
        let text = text.trim();
        let text = if text == "/" || text.is_empty() { "/" } else { text.trim_end_matches('/') };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '/');
        let parts_fit = text == "/" || text.split('/').skip(1).all(|p| !p.is_empty() && p != "." && p != "..");
        let fits = text.starts_with('/') && text.len() <= 200 && text.chars().all(plain) && parts_fit;
        if fits { Ok(text.to_owned()) } else { Err("Use / or a path such as /api, of letters, digits, hyphens, dots, underscores and tildes.") }
    };
    /// The path and query of a health check: begins with `/`, visible ASCII without spaces, at most 200.
    HttpPath = |text| {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '`' | '<' | '>' | '$' | '#');
        let fits = text.starts_with('/') && text.len() <= 200 && text.chars().all(plain);
        if fits { Ok(text.to_owned()) } else { Err("Use a path such as /up or /health?full=1.") }
    };
    /// Where a host answers SSH: a domain, a single host name, an IPv4 or an IPv6 address.
    HostAddress = |text| {
        let text = text.trim();
        let name = text.len() <= 253 && text.split('.').all(label);
        let fits = text.parse::<std::net::IpAddr>().is_ok() || name;
        if fits { Ok(text.to_ascii_lowercase()) } else { Err("Use a host name or an IP address, without a user and without a port.") }
    };
    /// A user name on a host (useradd(8)): a–z, 0–9, `_` and `-`, beginning with a letter or underscore, at most 32.
    SshUser = |text| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let fits = (1..=32).contains(&text.len()) && text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        if fits { Ok(text.to_owned()) } else { Err("Use a user name such as skiff or root.") }
    };
    /// The fingerprint of a host key as ssh-keygen(1) prints it: `SHA256:` and 43 characters of base64.
    HostKey = |text| {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
        let fits = text.strip_prefix("SHA256:").is_some_and(|hash| hash.len() == 43 && hash.chars().all(plain));
        if fits { Ok(text.to_owned()) } else { Err("Use a fingerprint such as ssh-keygen -l prints it: SHA256: and 43 characters.") }
    };
}
