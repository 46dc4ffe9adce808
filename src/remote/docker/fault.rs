//! Docker's errors in our words. The daemon answers in prose, so prose is what is matched; what matches nothing is
//! handed on as it is.

use bollard::errors::Error as Api;
use std::time::Duration;

use crate::remote::error::{Error, detail};

/// Puts an error of the library into our words.
pub(super) fn of(what: &'static str, after: Duration, error: Api) -> Error {
    match error {
        Api::DockerResponseServerError { status_code, message } => answer(status_code, &message),
        Api::DockerStreamError { error } => words(&error),
        Api::RequestTimeoutError => Error::TimedOut { what, after },
        Api::HyperLegacyError { err } => connection(&err),
        Api::IOError { err } => connection(&err),
        Api::HyperResponseError { err } => connection(&err),
        other => Error::Refused { detail: detail(other) },
    }
}

/// Our own error from within the connector, or an answer that broke off. [`super::Docker::blame`] finds out whose
/// fault that is.
fn connection(error: &(dyn std::error::Error + 'static)) -> Error {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return ours.clone();
        }
        cause = error.source();
    }
    let root = error.source().map_or_else(|| detail(error), detail);
    Error::DockerUnavailable { detail: root }
}

/// An answer with an error status.
pub(super) fn answer(status: u16, message: &str) -> Error {
    let lower = message.to_lowercase();
    match status {
        404 if lower.contains("no such image") => Error::NoSuchImage { detail: detail(message) },
        404 if lower.contains("no such container") => Error::NoSuchContainer,
        404 if !registry_words(&lower) => Error::NotFound { detail: detail(message) },
        409 if lower.contains("already in use by container") || lower.contains("already exists") => {
            Error::NameTaken { detail: detail(message) }
        }
        _ => words(message),
    }
}

/// True for refusals that come from a registry, whatever the status.
fn registry_words(lower: &str) -> bool {
    ["pull access denied", "manifest unknown", "manifest for", "unauthorized"].iter().any(|words| lower.contains(words))
}

/// A message, by its words.
pub(super) fn words(message: &str) -> Error {
    let lower = message.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|words| lower.contains(words));
    let detail = detail(message);
    if has(&["no space left on device", "disk quota exceeded"]) {
        Error::DiskFull { detail }
    } else if has(&["address already in use"]) && !has(&["listen", "bind"]) {
        Error::AddressTaken { detail }
    } else if has(&["manifest unknown", "no such image", "not found: manifest", "name unknown"])
        || (lower.starts_with("manifest for") && lower.contains("not found"))
    {
        Error::NoSuchImage { detail }
    } else if has(&[
        "access denied",
        "unauthorized",
        "denied:",
        "authentication required",
        "no basic auth",
        "incorrect username",
    ]) {
        Error::RegistryDenied { detail }
    } else if has(&[
        "no such host",
        "connection refused",
        "i/o timeout",
        "tls handshake",
        "server gave http response to https client",
        "network is unreachable",
        "no route to host",
        "connection reset",
        "certificate",
        "deadline exceeded",
        "toomanyrequests",
        "server misbehaving",
    ]) {
        Error::RegistryUnreachable { detail }
    } else {
        Error::Refused { detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_says_becomes_what_one_can_do() {
        let pairs = [
            (404, "No such image: a:b", "NoSuchImage"),
            (404, "No such container: x", "NoSuchContainer"),
            (404, "network skiff-1 not found", "NotFound"),
            (404, "manifest for 127.0.0.1:5000/a:v9 not found: manifest unknown: manifest unknown", "NoSuchImage"),
            (
                404,
                "pull access denied for x, repository does not exist or may require 'docker login': denied: requested",
                "RegistryDenied",
            ),
            (409, "Conflict. The container name \"/x\" is already in use by container \"1\".", "NameTaken"),
            (
                500,
                "Get \"http://127.0.0.1:9/v2/\": dial tcp 127.0.0.1:9: connect: connection refused",
                "RegistryUnreachable",
            ),
            (
                500,
                "Get https://nowhere.example/v2/: dial tcp: lookup nowhere.example: no such host",
                "RegistryUnreachable",
            ),
            (500, "write /var/lib/docker/tmp/x: no space left on device", "DiskFull"),
            (403, "Address already in use", "AddressTaken"),
            (500, "something else", "Refused"),
        ];
        for (status, message, want) in pairs {
            let got = format!("{:?}", answer(status, message));
            assert!(got.starts_with(want), "{message}: {got}");
        }
    }
}
