//! Reading a certificate with its chain and its key, as a person brings them: every fault is found at once and said beside its field.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::Facts;
use crate::domain::names::Domain;
use crate::domain::secret::Secret;

/// Bytes of each text: a chain has some KiB.
const MAX_BYTES: usize = 64 * 1024;
/// Certificates of a chain: more are a bundle of authorities.
const MAX_CHAIN: usize = 10;
/// Names of a certificate; Let's Encrypt takes as many.
const MAX_NAMES: usize = 100;
/// Characters of an issuer's name that are kept.
const MAX_ISSUER: usize = 120;

/// Bits of an issuer's RSA key.
const MIN_RSA_BITS: usize = 2048;
/// Bits of an issuer's key on a curve.
const MIN_CURVE_BITS: usize = 224;

/// Signatures with MD5 and SHA-1 (RFC 3279).
const WEAK: [&str; 3] = ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"];

/// Where a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The certificate and its chain.
    Chain,
    /// The private key.
    Key,
}

/// Something that is wrong: one sentence, without what was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub field: Field,
    /// What, and what to do.
    pub sentence: String,
}

/// A certificate that may be served.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it says.
    pub facts: Facts,
    /// The certificate, its chain and the key, as HAProxy reads them from one file.
    pub pem: Secret<String>,
    /// What does not stop it from being served and may still surprise.
    pub note: Option<&'static str>,
}

/// Reads and checks a certificate with its chain, and its key.
pub fn read(chain: &str, key: &Secret<String>, now: OffsetDateTime) -> Result<Checked, Vec<Fault>> {
    let mut faults = Vec::new();
    let ders = ders(chain).map_err(|sentence| faults.push(Fault { field: Field::Chain, sentence })).ok();
    let own = private(key.expose()).map_err(|sentence| faults.push(Fault { field: Field::Key, sentence })).ok();
    let mut read = None;
    if let Some(ders) = &ders {
        match certificates(ders, now) {
            Ok(facts) => read = Some(facts),
            Err(sentence) => faults.push(Fault { field: Field::Chain, sentence }),
        }
    }
    if let (Some(ders), Some(own)) = (&ders, &own)
        && let Some(fault) = mismatch(ders, own)
    {
        // What stands first decides what the key is compared with: said once, where it is to be mended.
        faults.retain(|known| known.field != fault.field);
        faults.push(fault);
    }
    match (ders, own, read) {
        (Some(ders), Some(own), Some((facts, note))) if faults.is_empty() => {
            let pem = Secret::new(bundle(&ders, &own));
            Ok(Checked { facts, pem, note })
        }
        _ => Err(faults),
    }
}

/// The certificates of the text.
fn ders(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    if text.trim().is_empty() {
        return Err("Paste the certificate and, after it, the certificates of its issuers.".to_owned());
    }
    if text.len() > MAX_BYTES {
        return Err("This is larger than a certificate with its chain can be (64 KiB).".to_owned());
    }
    if text.contains("PRIVATE KEY-----") {
        return Err("There is a private key in this text. Leave only the certificates here, and paste the key into its own field.".to_owned());
    }
    let ders: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match ders {
        Ok(ders) if ders.is_empty() => {
            Err("This is no certificate in PEM form: it begins with -----BEGIN CERTIFICATE-----.".to_owned())
        }
        Ok(ders) if ders.len() > MAX_CHAIN => {
            Err("These are more than 10 certificates. Paste the one of the server and those of its issuers only."
                .to_owned())
        }
        Ok(ders) => Ok(ders),
        Err(_) => Err(
            "This text is damaged: a part between its BEGIN and END lines cannot be read. Copy the file again, whole."
                .to_owned(),
        ),
    }
}

/// The key of the text.
fn private(text: &str) -> Result<PrivateKeyDer<'static>, String> {
    if text.trim().is_empty() {
        return Err("Paste the private key that belongs to the certificate.".to_owned());
    }
    if text.len() > MAX_BYTES {
        return Err("This is larger than a private key can be (64 KiB).".to_owned());
    }
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err("This key is locked by a passphrase, which a server could not be asked for. Unlock it: openssl pkey -in key.pem -out unlocked.pem".to_owned());
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        "This is no private key in PEM form: it begins with -----BEGIN PRIVATE KEY-----, or with EC or RSA in between.".to_owned()
    })
}

/// What the first certificate says, once all of them are in order.
fn certificates(ders: &[CertificateDer<'_>], now: OffsetDateTime) -> Result<(Facts, Option<&'static str>), String> {
    let mut all = Vec::new();
    for (at, der) in ders.iter().enumerate() {
        let (_, one) = X509Certificate::from_der(der)
            .map_err(|_| format!("Certificate {} of this text cannot be read. Copy the file again, whole.", at + 1))?;
        all.push(one);
    }
    let (Some(leaf), Some(der)) = (all.first(), ders.first()) else {
        return Err("There is no certificate in this text.".to_owned());
    };
    let names = names(leaf)?;
    if names.is_empty() {
        let later = all.iter().skip(1).any(|one| self::names(one).is_ok_and(|names| !names.is_empty()));
        return Err(match later {
            true => "The certificates are in the wrong order: the one of the server comes first, then each one's issuer.".to_owned(),
            false => "The certificate names no domain (subject alternative names), so browsers accept it for none. Have one made that does.".to_owned(),
        });
    }
    // Before its signature is looked at, which is not read with such a key either.
    if let Some(one) = all.iter().skip(1).find(|one| is_short(one)) {
        return Err(format!(
            "The key of the issuer {} is shorter than servers take (RSA below 2048 bits, or a curve below 224): with it HAProxy would not start. Have a new certificate made.",
            shown(&one.subject().to_string())
        ));
    }
    for (at, pair) in all.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        if one.issuer().as_raw() != next.subject().as_raw() {
            let issued = all.iter().any(|other| one.issuer().as_raw() == other.subject().as_raw());
            let wanted = shown(&one.issuer().to_string());
            return Err(match issued {
                true => format!(
                    "The certificates are in the wrong order: after certificate {} comes that of its issuer, {wanted}.",
                    at + 1
                ),
                false => format!(
                    "Certificate {} is not of the issuer of certificate {}, which is {wanted}. Put that one there, or leave it out.",
                    at + 2,
                    at + 1
                ),
            });
        }
        if one.verify_signature(Some(next.public_key())).is_err() {
            return Err(format!(
                "Certificate {} did not sign certificate {}, though it has its issuer's name. Fetch the chain from the issuer anew.",
                at + 2,
                at + 1
            ));
        }
    }
    let weak = |one: &X509Certificate<'_>| {
        one.issuer().as_raw() != one.subject().as_raw()
            && WEAK.contains(&one.signature_algorithm.algorithm.to_id_string().as_str())
    };
    if all.iter().any(weak) {
        return Err(
            "It is signed with MD5 or SHA-1, which no server and no browser takes any more. Have a new one made."
                .to_owned(),
        );
    }
    for (at, one) in all.iter().enumerate() {
        let (from, to) = (one.validity().not_before.to_datetime(), one.validity().not_after.to_datetime());
        let which = match at {
            0 => "The certificate".to_owned(),
            _ => format!("The issuer's certificate {} ({})", at + 1, shown(&one.subject().to_string())),
        };
        if to <= now {
            return Err(format!("{which} expired on {}. Have a new one made.", day(to)));
        }
        if from > now {
            return Err(format!(
                "{which} is valid only from {} on. Bring it then, or look at this machine's clock.",
                day(from)
            ));
        }
    }
    // A root at the end only makes every handshake longer, but harms nobody.
    let alone = all.len() == 1 && leaf.issuer().as_raw() != leaf.subject().as_raw();
    let own = leaf.issuer().as_raw() == leaf.subject().as_raw();
    let note = match (alone, own) {
        (true, _) => Some(
            "Its issuer's certificate is not with it. Browsers that do not know the issuer by themselves will refuse it: paste the whole chain.",
        ),
        (_, true) => Some("It is signed by itself: browsers warn everybody who does not know it."),
        _ => None,
    };
    let facts = Facts {
        names,
        issuer: issuer(leaf),
        serial: hex::encode_upper(leaf.raw_serial()),
        fingerprint: hex::encode(Sha256::digest(der)),
        not_before: leaf.validity().not_before.to_datetime(),
        not_after: leaf.validity().not_after.to_datetime(),
    };
    Ok((facts, note))
}

/// True where OpenSSL refuses the key of an issuer as Debian and Ubuntu set it up: `SSL_CTX_set_security_level(3)`, level 2.
fn is_short(one: &X509Certificate<'_>) -> bool {
    match one.public_key().parsed() {
        // One whose bits cannot be told is said to have none.
        Ok(PublicKey::RSA(key)) => (1..MIN_RSA_BITS).contains(&key.key_size()),
        Ok(PublicKey::EC(point)) => (1..MIN_CURVE_BITS).contains(&point.key_size()),
        _ => false,
    }
}

/// The domains a certificate is for, in order and once each. Addresses are left out: no route leads to one.
fn names(one: &X509Certificate<'_>) -> Result<Vec<String>, String> {
    let Ok(Some(alternatives)) = one.subject_alternative_name() else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for name in &alternatives.value.general_names {
        let GeneralName::DNSName(text) = name else { continue };
        let text = text.to_ascii_lowercase();
        // In ASCII, as it is compared with what a client asks for (RFC 5280, 4.2.1.6).
        if text.is_ascii() && text.strip_prefix("*.").unwrap_or(&text).parse::<Domain>().is_ok() {
            names.push(text);
        }
    }
    names.sort();
    names.dedup();
    if names.len() > MAX_NAMES {
        return Err("The certificate is for more than 100 names, which a server here cannot have.".to_owned());
    }
    Ok(names)
}

/// The issuer as people read it: its organisation and name, where it says them.
fn issuer(one: &X509Certificate<'_>) -> String {
    let name = one.issuer();
    let organisation = name.iter_organization().next().and_then(|part| part.as_str().ok());
    let common = name.iter_common_name().next().and_then(|part| part.as_str().ok());
    match (organisation, common) {
        (Some(organisation), Some(common)) => shown(&format!("{organisation}, {common}")),
        (Some(one), None) | (None, Some(one)) => shown(one),
        (None, None) => shown(&name.to_string()),
    }
}

/// A foreign text that may stand on a page.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !crate::domain::names::is_hidden(*c)).take(MAX_ISSUER).collect()
}

/// Where the key is not the certificate's.
fn mismatch(ders: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>) -> Option<Fault> {
    let provider = default_provider();
    let fits =
        |der: &CertificateDer<'static>| CertifiedKey::from_der(vec![der.clone()], key.clone_key(), &provider).map(drop);
    let first = ders.first()?;
    match fits(first) {
        Ok(()) => None,
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Some(match ders.iter().skip(1).any(|der| fits(der).is_ok()) {
            true => Fault {
                field: Field::Chain,
                sentence: "The certificates are in the wrong order: the one that belongs to the key comes first, then each one's issuer.".to_owned(),
            },
            false => Fault {
                field: Field::Key,
                sentence: "This key does not belong to the certificate. Paste the one that its request was made with.".to_owned(),
            },
        }),
        Err(Error::InvalidCertificate(_)) => Some(Fault {
            field: Field::Chain,
            sentence: "The certificate is of a form that browsers do not take any more. Have a new one made.".to_owned(),
        }),
        Err(_) => Some(Fault {
            field: Field::Key,
            sentence: "This kind of key cannot be used. Use RSA with 2048 bits or more, ECDSA on P-256 or P-384, or Ed25519.".to_owned(),
        }),
    }
}

/// All of it in one text, without a line that is empty.
fn bundle(ders: &[CertificateDer<'_>], key: &PrivateKeyDer<'_>) -> String {
    let mut text: String = ders.iter().map(|der| pem("CERTIFICATE", der)).collect();
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    text.push_str(&pem(label, key.secret_der()));
    text
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = Secret::new(STANDARD.encode(der));
    let mut text = format!("-----BEGIN {label}-----\n");
    // Base64 is ASCII: every 64 bytes are 64 characters.
    for line in body.expose().as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).unwrap_or_default());
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

fn day(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day]")).unwrap_or_default()
}
