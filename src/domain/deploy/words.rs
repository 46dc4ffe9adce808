//! The words of the closed list: what happened, to what, and what to try. Text from outside stands in them as it came,
//! capped by whoever made the `Failure`: pages escape it.

use super::Failure;

impl Failure {
    /// What happened, in one sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::DidNotStart { detail } => format!("Docker could not start the container: {}.", bare(detail)),
            Self::Exited { code } => format!("The program ended by itself with status {code} before it was healthy."),
            Self::OutOfMemory { limit_mib: Some(limit) } => {
                format!("The program was killed for its memory: it needed more than its limit of {limit} MB.")
            }
            Self::OutOfMemory { limit_mib: None } => {
                "The program was killed for its memory: the host had none left.".to_owned()
            }
            Self::PortNeverOpened { port, seconds } => {
                format!("Nothing listened on port {port} of the container within {seconds} seconds.")
            }
            Self::HealthRefused { port } => {
                format!("The health check's connection to port {port} was refused or cut.")
            }
            Self::HealthTimedOut { seconds } => {
                format!("The health check got no answer in time, for {seconds} seconds.")
            }
            Self::HealthAnswered { status } => {
                format!("The health check was answered with status {status} instead of 200 to 299.")
            }
            Self::HealthRedirected { to } => format!("The health check was redirected to {}.", bare(to)),
            Self::HealthCommand { code } => format!("The health command ended with status {code} instead of 0."),
            Self::ImageNotFound { image } => format!("The registry has no image {image}."),
            Self::ImageDenied { image } => format!("The registry refused the image {image} to us."),
            Self::RegistryUnreachable { image, detail } => {
                format!("The registry of {image} did not answer: {}.", bare(detail))
            }
            Self::BuildFailed { step, detail } if step.is_empty() => format!("The build failed: {}.", bare(detail)),
            Self::BuildFailed { step, detail } => format!("The build failed at step {}: {}.", bare(step), bare(detail)),
            Self::SourceUnreachable { detail } => format!("The repository could not be read: {}.", bare(detail)),
            Self::SourceDenied => "The repository refused us: it wants a key or a token, or another one.".to_owned(),
            Self::BranchNotFound { branch } => format!("The repository has no branch {branch}."),
            Self::CommitNotFound { commit } => {
                format!("The commit {} is not in the repository any more.", commit.short())
            }
            Self::NoDockerfile { path } => format!("There is no Dockerfile at {} in the repository.", bare(path)),
            Self::NotRecognised { path, detail } => format!(
                "There is no Dockerfile at {} in the repository, and Skiff could not write one. {}.",
                bare(path),
                bare(detail)
            ),
            Self::SourceUnsupported { what } => {
                format!("The repository uses {}, which Skiff does not build.", bare(what))
            }
            Self::DiskFull { host } => format!("The disk of {host} is full, or too full to begin."),
            Self::HostUnreachable { host, detail } => format!("{host} did not answer: {}.", bare(detail)),
            Self::HostRefused { host, detail } => format!("{host} refused: {}.", bare(detail)),
            Self::DockerUnavailable { host, detail } => format!("Docker on {host} did not answer: {}.", bare(detail)),
            Self::ProxyUnavailable { host, detail } => {
                format!("HAProxy on {host} did not answer or refused: {}.", bare(detail))
            }
            Self::NotReachedThroughProxy { host, detail } => {
                format!(
                    "The new instances were healthy, but no request came through the proxy of {host}: {}.",
                    bare(detail)
                )
            }
            Self::TurnedBad { number, detail } => {
                format!("The release v{number} turned bad after the switch: {}.", bare(detail))
            }
            Self::Refused { reason } => reason.clone(),
            Self::SecretUnreadable { name } => format!("The secret {name} could not be opened."),
            Self::TookTooLong { seconds } => format!("The deploy took longer than {seconds} seconds, its limit."),
            Self::Internal { id } => format!("Something in Skiff itself went wrong. Its log has the cause under {id}."),
        }
    }

    /// What to try. Empty where the sentence already says it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::DidNotStart { .. } => {
                "Check the image's command and entrypoint, and that the image is made for this host's architecture."
            }
            Self::Exited { .. } => {
                "Its last lines stand in the log. Often a variable or secret is missing, or a database is not reachable."
            }
            Self::OutOfMemory { limit_mib: Some(_) } => "Raise the memory limit, or make the program need less.",
            Self::OutOfMemory { limit_mib: None } => {
                "Set memory limits for the apps on this host, or place this one on another."
            }
            Self::PortNeverOpened { .. } => {
                "Check that the program listens on this port and on all addresses (0.0.0.0, not 127.0.0.1). If it is just slow, raise the start period."
            }
            Self::HealthRefused { .. } => {
                "The port was open, then not: look into the log for a crash or a restart, and check that it speaks plain HTTP; where HTTP/2 to the app is on for its routes, HTTP/2 without TLS."
            }
            Self::HealthTimedOut { .. } => {
                "Check what the health path waits for, such as a database; raise the check's timeout if it is slow by nature."
            }
            Self::HealthAnswered { status: 400 | 421 } => {
                "The program does not accept the host name it was asked by: let it accept the app's domain and the container's address."
            }
            Self::HealthAnswered { status: 401 | 403 } => "Let the health path answer without signing in.",
            Self::HealthAnswered { status: 404 } => "Check the health path: the program does not know it.",
            Self::HealthAnswered { status: 405 | 415 } => {
                "The program does not answer a plain GET there. Choose a path that does; where it speaks gRPC alone, choose TCP (the port opens) as its check."
            }
            Self::HealthAnswered { .. } => {
                "Open the health path on your own machine, and read the program's last lines in the log."
            }
            Self::HealthRedirected { .. } => {
                "Choose a health path that answers itself. If it redirects to https, let the program trust X-Forwarded-Proto, or leave this path out."
            }
            Self::HealthCommand { .. } => "Run the command in a container of this image and see what it prints.",
            Self::ImageNotFound { .. } => {
                "Check the name and the tag. A private image may look missing: add the registry's credentials."
            }
            Self::ImageDenied { .. } => {
                "Enter the registry's user and token in the app's source; the token must be allowed to read."
            }
            Self::RegistryUnreachable { .. } => {
                "Check the registry's name, and that the host reaches it. Then deploy again."
            }
            Self::BuildFailed { .. } => {
                "The whole output of the build stands in the log. Mend it, push, and deploy again."
            }
            Self::SourceUnreachable { .. } => {
                "Check the address of the repository, and that this machine reaches it. Then deploy again."
            }
            Self::SourceDenied => {
                "Add the deploy key shown in the app's source to the repository, or enter a token that may read it."
            }
            Self::BranchNotFound { .. } => "Check the branch in the app's source, or push it.",
            Self::CommitNotFound { .. } => {
                "It was probably overwritten by a forced push. Deploy the branch's head, or go back to a kept release."
            }
            Self::NoDockerfile { .. } => {
                "Check the Dockerfile's path in the app's source; it is relative to the root of the repository."
            }
            Self::NotRecognised { .. } => {
                "Write one on the app's page Source, or add a Dockerfile to the repository. Where it stands in a folder, name that as the folder sent to the builder."
            }
            Self::SourceUnsupported { .. } => {
                "Take it out of the repository, or build the image elsewhere and use it by its name."
            }
            Self::DiskFull { .. } => "Free some space there: the host's page shows what uses it. Then deploy again.",
            Self::HostUnreachable { .. } => {
                "Check that it runs and that SSH reaches it; the host's page can ask it again. Then deploy again."
            }
            Self::HostRefused { .. } => "Its words say what it did not like; mend that on the host, then deploy again.",
            Self::DockerUnavailable { .. } => {
                "Look at `systemctl status docker` there. What runs goes on running. Then deploy again."
            }
            Self::ProxyUnavailable { .. } => {
                "Look at `systemctl status skiff-haproxy` there, or provision the host again. Then deploy again."
            }
            Self::NotReachedThroughProxy { .. } => {
                "Check that nothing else listens on the host's HTTP port, and that its firewall lets the proxy reach containers. Where HTTP/2 to the app is on for its routes, the app must speak it without TLS."
            }
            Self::TurnedBad { .. } => "What it printed last is in the log of its watch, among the jobs.",
            Self::Refused { .. } => "",
            Self::SecretUnreadable { .. } => {
                "Enter its value again on the app's configuration page, then deploy again."
            }
            Self::TookTooLong { .. } => "The log shows what it waited for. Deploy again once that is mended.",
            Self::Internal { .. } => "Deploy again. If it stays, quote this id when you ask for help.",
        }
    }
}

/// Text from outside, fit for the middle of a sentence: one line, without the full stop it may bring.
fn bare(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    let line = line.trim_end_matches(['.', ':', ' ']);
    if line.is_empty() { "no reason was given".to_owned() } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Failure> {
        let (image, detail) = ("nginx:1".parse().unwrap(), "words\nof it.".to_owned());
        let host = || "fra-1".to_owned();
        let image = || Clone::clone(&image);
        let detail = || detail.clone();
        vec![
            Failure::DidNotStart { detail: detail() },
            Failure::Exited { code: 3 },
            Failure::OutOfMemory { limit_mib: Some(64) },
            Failure::OutOfMemory { limit_mib: None },
            Failure::PortNeverOpened { port: 80, seconds: 60 },
            Failure::HealthRefused { port: 80 },
            Failure::HealthTimedOut { seconds: 60 },
            Failure::HealthAnswered { status: 500 },
            Failure::HealthAnswered { status: 405 },
            Failure::HealthRedirected { to: "/login".to_owned() },
            Failure::HealthCommand { code: 1 },
            Failure::ImageNotFound { image: image() },
            Failure::ImageDenied { image: image() },
            Failure::RegistryUnreachable { image: image(), detail: String::new() },
            Failure::BuildFailed { step: "RUN make".to_owned(), detail: detail() },
            Failure::SourceUnreachable { detail: detail() },
            Failure::SourceDenied,
            Failure::BranchNotFound { branch: "main".parse().unwrap() },
            Failure::CommitNotFound { commit: "a".repeat(40).parse().unwrap() },
            Failure::NoDockerfile { path: "Dockerfile".to_owned() },
            Failure::NotRecognised { path: "Dockerfile".to_owned(), detail: "Looked for: go.mod (Go).".to_owned() },
            Failure::SourceUnsupported { what: "submodules".to_owned() },
            Failure::DiskFull { host: host() },
            Failure::HostUnreachable { host: host(), detail: detail() },
            Failure::HostRefused { host: host(), detail: detail() },
            Failure::DockerUnavailable { host: host(), detail: detail() },
            Failure::ProxyUnavailable { host: host(), detail: detail() },
            Failure::NotReachedThroughProxy { host: host(), detail: detail() },
            Failure::TurnedBad { number: 3, detail: detail() },
            Failure::SecretUnreadable { name: "KEY".to_owned() },
            Failure::TookTooLong { seconds: 3600 },
            Failure::Internal { id: "0190".to_owned() },
        ]
    }

    #[test]
    fn every_failure_is_one_line_of_whole_sentences_with_an_advice() {
        for failure in every() {
            for text in [failure.sentence(), failure.advice().to_owned()] {
                assert!(text.ends_with('.') && !text.ends_with("..") && !text.contains('\n'), "{failure:?}: {text}");
                assert!(text.starts_with(|c: char| c.is_uppercase()) || text.starts_with("fra-1"), "{text}");
            }
        }
    }

    #[test]
    fn the_planner_s_own_sentence_is_the_refusal() {
        let refused = Failure::Refused { reason: "Port 80 of fra-1 is in use by nginx. Stop that.".to_owned() };
        assert_eq!(refused.sentence(), "Port 80 of fra-1 is in use by nginx. Stop that.");
        assert_eq!(refused.advice(), "");
    }
}
