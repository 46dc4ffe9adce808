//! Waiting for health: asked from the host's side, never inside the image, until it is proven or the time is over.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{Done, Here};
use crate::domain::app::{Health, Probe};
use crate::domain::container::Ended;
use crate::domain::deploy::Failure;
use crate::domain::job::Stream;
use crate::domain::names::ContainerName;
use crate::jobs::log::Log;
use crate::jobs::stop::Stop;
use crate::remote::{Probe as Met, Way};

/// The first question comes this soon after the start; the pause then doubles up to the app's own interval.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longer than any start period: the end of a container is waited for beside its health.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 3600);
/// Between two looks at whether the container still runs.
const LOOK_PAUSE: Duration = Duration::from_millis(150);
/// What ended once ends again within this time, where Docker starts it over and over.
const NEXT_END: Duration = Duration::from_secs(3);
/// Lines of a failed container that are copied into the log.
const LAST_LINES: u16 = 50;
/// How long a container's last lines may take to be read.
const READ_LAST: Duration = Duration::from_secs(5);

impl Here<'_> {
    pub(super) async fn await_healthy(&self, name: &ContainerName, address: Ipv4Addr, seq: i32) -> Result<Done, Stop> {
        let spec = &self.work.want.release.spec;
        let begun = Instant::now();
        let period = Duration::from_secs(u64::from(spec.health.start_period_s));
        let mut last = Last::default();
        let asking = self.ask(name, address, &spec.health, spec.port.unwrap_or(0), seq, &mut last);
        let healthy = tokio::select! {
            asked = timeout_at(begun + period, asking) => match asked {
                Ok(asked) => asked,
                Err(_) => Err(Stop::Failed(last.failure(spec.port.unwrap_or(0), spec.health.start_period_s))),
            },
            ended = self.has_ended(name) => Err(match ended {
                Ok(ended) => Stop::Failed(self.ended(&ended)),
                Err(error) => self.failed(error),
            }),
        };
        match healthy {
            Ok(()) => {
                self.note_seen(name, "up").await?;
                Ok(Done::changed(format!("healthy after {:.1} s", begun.elapsed().as_secs_f32())))
            }
            Err(stop) => {
                self.last_lines(name, seq).await;
                Err(stop)
            }
        }
    }

    /// Asks until the answer is right.
    async fn ask(
        &self,
        name: &ContainerName,
        address: Ipv4Addr,
        health: &Health,
        port: u16,
        seq: i32,
        last: &mut Last,
    ) -> Result<(), Stop> {
        let interval = Duration::from_millis(u64::from(health.interval_ms));
        let limit = Duration::from_millis(u64::from(health.timeout_ms));
        let mut pause = FIRST_PAUSE.min(interval);
        // As the proxy will ask it.
        let way = match health.probe {
            Probe::Http { .. } if self.front().await?.h2c => Way::H2c,
            _ => Way::Plain,
        };
        loop {
            let answer = match &health.probe {
                Probe::Alive { seconds } => {
                    // Seen at both ends: on a slow link the looks at its end come too late to tell of a crash.
                    let began = self.alive_since(name).await?;
                    sleep(Duration::from_secs(u64::from(*seconds))).await;
                    if began.is_some() && began == self.alive_since(name).await? {
                        return Ok(());
                    }
                    "it did not stay alive".to_owned()
                }
                Probe::Command { argv } => match self.host.docker_bulk().exec(name, argv, limit).await {
                    Ok(done) if done.code == 0 => return Ok(()),
                    Ok(done) => {
                        last.seen(Seen::Command(done.code));
                        format!("the command ended with {}", done.code)
                    }
                    Err(crate::remote::Error::TimedOut { .. }) => {
                        last.seen(Seen::TimedOut);
                        "the command did not end in time".to_owned()
                    }
                    Err(error) => return Err(self.failed(error)),
                },
                Probe::Http { path } => {
                    let name = "health.skiff.internal";
                    match self.host.probe_http(address.into(), port, path, name, way, limit).await {
                        Ok(Met::Status(200..=299)) => return Ok(()),
                        Ok(answer) => last.answer(answer),
                        Err(error) => return Err(self.failed(error)),
                    }
                }
                Probe::Tcp => match self.host.probe_tcp(address.into(), port, limit).await {
                    Ok(Met::Open) => return Ok(()),
                    Ok(answer) => last.answer(answer),
                    Err(error) => return Err(self.failed(error)),
                },
            };
            if pause >= interval {
                self.work.log.note(seq, format!("waiting: {answer}"));
            }
            sleep(pause).await;
            pause = (pause * 2).min(interval);
        }
    }

    /// When the running container was started; none where it does not run.
    async fn alive_since(&self, name: &ContainerName) -> Result<Option<String>, Stop> {
        let seen = self.host.docker().inspect(name).await.map_err(|e| self.failed(e))?;
        Ok(seen.filter(|seen| seen.ended.is_none()).map(|seen| seen.started_at))
    }

    /// Returns when the container has ended once, also where Docker has started it again since: then its status is
    /// what the end was waited for with, or what is seen at its next end.
    async fn has_ended(&self, name: &ContainerName) -> Result<Ended, crate::remote::Error> {
        let docker = self.host.docker();
        let waited = async {
            match docker.wait(name, LONGEST_WAIT).await {
                Ok(code) => code,
                // The looks beside it go on.
                Err(_) => std::future::pending().await,
            }
        };
        let looked = async {
            loop {
                sleep(LOOK_PAUSE).await;
                match docker.inspect(name).await? {
                    Some(seen) => match seen.ended {
                        Some(ended) => return Ok(ended),
                        None => continue,
                    },
                    None => return Err(crate::remote::Error::NoSuchContainer),
                }
            }
        };
        tokio::pin!(looked);
        let code = tokio::select! {
            code = waited => code,
            looked = &mut looked => return looked,
        };
        let told = Ended { code, oom: false, error: String::new() };
        if code == 0 {
            // Docker may have started it again before it answered, and tells the status of that start, which is 0: its
            // next end is looked at.
            return tokio::time::timeout(NEXT_END, looked).await.unwrap_or(Ok(told));
        }
        let seen = docker.inspect(name).await?.and_then(|seen| seen.ended).filter(|ended| ended.code == code);
        Ok(seen.unwrap_or(told))
    }

    /// What an ended container means.
    fn ended(&self, ended: &Ended) -> Failure {
        let limit_mib = self.work.want.release.spec.memory_mib;
        match ended {
            Ended { oom: true, .. } => Failure::OutOfMemory { limit_mib },
            // 137 under a memory limit is the kernel's doing, also where the daemon did not notice.
            Ended { code: 137, .. } if limit_mib.is_some() => Failure::OutOfMemory { limit_mib },
            Ended { error, .. } if !error.is_empty() => Failure::DidNotStart { detail: error.clone() },
            Ended { code, .. } => Failure::Exited { code: *code },
        }
    }

    /// Copies the container's last lines into the log.
    pub(super) async fn last_lines(&self, name: &ContainerName, seq: i32) {
        last_lines(self.host, self.work.log, Some(seq), name).await;
    }
}

/// Copies a container's last lines into a log: the proof beside the sentence.
pub async fn last_lines(host: &crate::remote::Host, log: &Log, seq: Option<i32>, name: &ContainerName) {
    let lines = tokio::time::timeout(READ_LAST, host.docker_bulk().logs_tail(name, LAST_LINES)).await;
    // The name ends with the instance's number; the rest of it are ids.
    let instance = name.as_ref().rsplit('-').next().unwrap_or_default();
    match lines {
        Ok(Ok(lines)) if !lines.is_empty() => {
            log.say(seq, format!("The last lines of instance {instance}:"));
            for line in lines {
                let stream = match line.stream {
                    crate::remote::Stream::Out => Stream::Out,
                    crate::remote::Stream::Err => Stream::Err,
                };
                log.line(seq, stream, &line.bytes);
            }
        }
        Ok(Ok(_)) => log.say(seq, format!("Instance {instance} printed nothing.")),
        Ok(Err(error)) => log.say(seq, format!("Its last lines could not be read: {error}")),
        Err(_) => log.say(seq, "Its last lines could not be read in 5 s."),
    }
}

/// What was seen while waiting, for the reason at the end.
#[derive(Default)]
struct Last {
    opened: bool,
    seen: Option<Seen>,
}

enum Seen {
    Refused,
    TimedOut,
    Status(u16),
    Redirect(String),
    Command(i64),
}

impl Last {
    fn seen(&mut self, seen: Seen) {
        self.opened |= !matches!(seen, Seen::Refused);
        self.seen = Some(seen);
    }

    /// Takes an answer in and says it in words.
    fn answer(&mut self, answer: Met) -> String {
        match answer {
            Met::Open => {
                self.opened = true;
                "the port is open".to_owned()
            }
            Met::Refused => {
                self.seen(Seen::Refused);
                "connection refused".to_owned()
            }
            Met::TimedOut => {
                self.seen(Seen::TimedOut);
                "no answer".to_owned()
            }
            Met::Closed | Met::NoCertificate => {
                self.opened = true;
                self.seen = Some(Seen::Refused);
                "connection closed".to_owned()
            }
            Met::Status(status) => {
                self.seen(Seen::Status(status));
                format!("answers {status}")
            }
            Met::Redirect(_, to) => {
                let words = format!("redirects to {}", crate::jobs::stop::detail(&to));
                self.seen(Seen::Redirect(to));
                words
            }
        }
    }

    /// The reason, once the time is over.
    fn failure(&self, port: u16, seconds: u32) -> Failure {
        match &self.seen {
            None => Failure::HealthTimedOut { seconds },
            Some(Seen::Refused) if self.opened => Failure::HealthRefused { port },
            Some(Seen::Refused) => Failure::PortNeverOpened { port, seconds },
            Some(Seen::TimedOut) => Failure::HealthTimedOut { seconds },
            Some(Seen::Status(status)) => Failure::HealthAnswered { status: *status },
            Some(Seen::Redirect(to)) => Failure::HealthRedirected { to: crate::jobs::stop::detail(to) },
            Some(Seen::Command(code)) => Failure::HealthCommand { code: *code },
        }
    }
}
