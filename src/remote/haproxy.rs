//! HAProxy's sockets on a host: lines of text in, answers out. What is said, and what an answer means, is
//! `domain::ingress`; here are the socket, its limits, and the workers behind the master.

use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::{Error, detail};
use super::link::Link;
use super::pool::PoolSettings;
use super::session::within;
use crate::domain::secret::Secret;

/// The runtime socket answers at once; so does the master, but in the moment of a reload.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// An answer may be this long: `show stat` has about 600 bytes for each of some thousand servers.
pub const ANSWER_BYTES: u64 = 16 << 20;
/// HAProxy reads a line into one buffer of 16 KiB.
const LINE_BYTES: usize = 12 * 1024;
/// A text after a command goes into the same buffer as the command.
const TEXT_BYTES: usize = 15_500;
/// What stands after each answer in a dialogue: the worker's prompt, and the master's two.
const PROMPTS: [&str; 3] = ["\n> ", "\nmaster> ", "\nmaster[ReloadFailed]> "];
/// Old workers asked for their connections; more than a few means that reloads went wrong.
pub const WORKERS: usize = 64;

/// The proxy of one host.
#[derive(Clone)]
pub struct Haproxy {
    link: Arc<Link>,
    socket: &'static str,
    master: &'static str,
}

impl Haproxy {
    /// The sockets behind a connection.
    pub(crate) fn new(link: Arc<Link>, settings: &PoolSettings) -> Self {
        Self { link, socket: settings.haproxy_socket, master: settings.haproxy_master_socket }
    }

    /// Asks the present worker: each command's answer, in order, in one round trip, however many there are.
    pub async fn ask(&self, commands: &[String]) -> Result<Vec<String>, Error> {
        self.dialogue(self.socket, commands).await
    }

    /// The same, where some of the commands are followed by a text.
    pub async fn ask_with(&self, commands: &[(String, Option<&str>)]) -> Result<Vec<String>, Error> {
        let mut lines = String::from("prompt\n");
        for (command, text) in commands {
            check(command)?;
            lines.push_str(command);
            if let Some(text) = text {
                check_text(text)?;
                lines.push_str(" <<\n");
                lines.push_str(text);
            }
            lines.push('\n');
        }
        lines.push_str("quit\n");
        let lines = Secret::new(lines);
        let answers = split(&self.exchange(self.socket, lines.expose()).await?, commands.len())?;
        // Each line of a text is answered by a sign that more is waited for.
        Ok(answers.iter().map(|answer| answer.trim_start_matches("+ ").to_owned()).collect())
    }

    /// Asks the present worker one thing.
    pub async fn ask_one(&self, command: &str) -> Result<String, Error> {
        let mut answers = self.ask(&[command.to_owned()]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Asks the master one thing.
    pub async fn ask_master(&self, command: &str) -> Result<String, Error> {
        let mut answers = self.dialogue(self.master, &[command.to_owned()]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Asks one worker through the master, by its process id.
    pub async fn ask_worker(&self, pid: u32, command: &str) -> Result<String, Error> {
        self.ask_master(&format!("@!{pid} {command}")).await
    }

    /// Commands in a dialogue, where each answer ends with a prompt. Without one there is no telling where an answer
    /// ends: some have an empty line after them and some have none.
    async fn dialogue(&self, socket: &'static str, commands: &[String]) -> Result<Vec<String>, Error> {
        let mut lines = String::from("prompt\n");
        for command in commands {
            check(command)?;
            lines.push_str(command);
            lines.push('\n');
        }
        lines.push_str("quit\n");
        split(&self.exchange(socket, &lines).await?, commands.len())
    }

    /// Lines out, everything back until the other side closes.
    async fn exchange(&self, socket: &'static str, lines: &str) -> Result<String, Error> {
        let session = self.link.session().await?;
        let exchange = async {
            let io = match self.link.open_socket(&session, socket).await {
                Ok(io) => io,
                Err(Error::Refused { detail }) => return Err(Error::ProxyUnavailable { detail }),
                Err(error) => return Err(error),
            };
            let (read, mut write) = tokio::io::split(io);
            let (mut answer, mut bounded) = (Vec::new(), read.take(ANSWER_BYTES + 1));
            // Side by side: it answers while it is still being asked. A write fails where it has closed already.
            let (_, done) = tokio::join!(write.write_all(lines.as_bytes()), bounded.read_to_end(&mut answer));
            done.map_err(|e| Error::ProxyUnavailable { detail: detail(e) })?;
            if answer.len() as u64 > ANSWER_BYTES {
                return Err(Error::TooMuch { what: "HAProxy's answer", limit: ANSWER_BYTES });
            }
            if answer.is_empty() {
                // A connection to the host that broke ends an answer just as HAProxy would.
                self.link.doubt(&session).await?;
            }
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        within("Asking HAProxy", ANSWER_LIMIT, self.link.watch(exchange)).await??
    }
}

/// A command is one line, and one command.
fn check(command: &str) -> Result<(), Error> {
    let fits =
        !command.is_empty() && command.len() <= LINE_BYTES && !command.contains([';', '\n', '\r', '\0', '\\', '<']);
    if fits { Ok(()) } else { Err(Error::ProxyRefused { detail: "that is not one command".to_owned() }) }
}

/// A text that follows a command ends with an empty line, so it has none itself, and it fits into HAProxy's buffer.
fn check_text(text: &str) -> Result<(), Error> {
    let plain = |c: char| c == '\n' || c == ' ' || c.is_ascii_graphic();
    let fits = text.len() <= TEXT_BYTES
        && text.ends_with('\n')
        && text.chars().all(plain)
        && text.lines().all(|line| !line.trim().is_empty());
    if fits { Ok(()) } else { Err(Error::ProxyRefused { detail: "that text cannot be sent to it".to_owned() }) }
}

/// Cuts a dialogue at its prompts: one after `prompt` itself, then one after each answer.
fn split(text: &str, count: usize) -> Result<Vec<String>, Error> {
    // The master's first prompt has no line's end before it.
    let text = PROMPTS.iter().fold(format!("\n{text}"), |text, prompt| text.replace(prompt, "\n\0"));
    let answers: Vec<String> = text.split("\n\0").skip(1).take(count + 1).map(str::to_owned).collect();
    match answers.split_last() {
        Some((_, answers)) if answers.len() == count => Ok(answers.to_vec()),
        Some(_) | None => {
            Err(Error::ProxyUnavailable { detail: "HAProxy closed the connection before all was answered".to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_and_a_missing_one_is_noticed() {
        let text = "\n> New server registered.\n\n> \n> Server deleted.\n> line 1\nline 2\n\n> ";
        let got = split(text, 4).unwrap();
        assert_eq!(got, ["New server registered.\n", "", "Server deleted.", "line 1\nline 2\n"]);
        let text = "master> #<PID> x\n\nmaster[ReloadFailed]> ";
        assert_eq!(split(text, 1).unwrap(), ["#<PID> x\n"]);
        assert!(split(text, 5).is_err() && split("", 1).is_err());
    }

    #[test]
    fn a_text_after_a_command_has_no_end_within() {
        assert!(check_text("-----BEGIN X-----\nabc=\n-----END X-----\n").is_ok());
        for bad in ["", "abc", "a\n\nquit\n", "a\n \nquit\n", "a\r\n", "a\0\n"] {
            assert!(check_text(bad).is_err(), "{bad:?}");
        }
        assert!(check_text(&"x\n".repeat(TEXT_BYTES)).is_err());
    }

    #[test]
    fn a_command_is_one_command() {
        for bad in ["", "show info;shutdown", "show info\nx", "add map a b\\", "set ssl cert <<"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
