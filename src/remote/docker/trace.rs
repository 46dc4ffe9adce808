//! The builder's lines, read into [`BuildEvent`]s: BuildKit's trace, or the classic builder's prose.

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};
use bollard::models::{BuildInfo, BuildInfoAux};
use std::collections::HashMap;
use tokio::time::Instant;

use super::build::BuildEvent;
use super::fault;
use crate::domain::names::ImageId;
use crate::remote::error::{Error, detail};

/// Steps of one build that are told of; a Dockerfile has tens.
const STEPS: usize = 5_000;

/// What the classic builder says of its own doings: ids nobody needs.
const CLASSIC_NOISE: [&str; 4] =
    ["--->", "Removing intermediate container", "Successfully built", "Successfully tagged"];

/// Where a build stands.
pub(super) struct Progress {
    buildkit: bool,
    steps: HashMap<String, Step>,
    image: Option<ImageId>,
    classic: Classic,
}

/// A step that was told of.
struct Step {
    number: u32,
    over: bool,
}

/// The classic builder's present step.
#[derive(Default)]
struct Classic {
    number: u32,
    name: String,
    since: Option<Instant>,
    cached: bool,
}

impl Progress {
    /// Nothing has happened yet.
    pub fn new(buildkit: bool) -> Self {
        Self { buildkit, steps: HashMap::new(), image: None, classic: Classic::default() }
    }

    /// Takes one line of the answer.
    pub fn line(&mut self, line: &[u8], on_event: &mut (dyn FnMut(BuildEvent) + Send)) -> Result<(), Error> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        // Lines of kinds not known to us are passed over: newer builders have more.
        let Ok(info) = serde_json::from_slice::<BuildInfo>(line) else { return self.odd(line) };
        if let Some(words) = info.error_detail.and_then(|error| error.message) {
            self.classic_failed(&words, on_event);
            return Err(failed(&words));
        }
        match info.aux {
            Some(BuildInfoAux::BuildKit(status)) => self.status(status, on_event),
            Some(BuildInfoAux::Default(image)) => self.image = image.id.and_then(|id| id.parse().ok()),
            None => {}
        }
        if let Some(text) = info.stream.filter(|_| !self.buildkit) {
            self.classic_text(&text, on_event);
        }
        Ok(())
    }

    /// A line that is not of the library's form may still be an error.
    fn odd(&self, line: &[u8]) -> Result<(), Error> {
        let odd: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        match odd.as_ref().and_then(|odd| odd.get("error")?.as_str()) {
            Some(words) => Err(failed(words)),
            None => Ok(()),
        }
    }

    /// The end of the answer: an image, or none and no reason.
    pub fn end(&mut self, on_event: &mut (dyn FnMut(BuildEvent) + Send)) -> Result<ImageId, Error> {
        self.classic_over(on_event);
        let Some(image) = self.image.take() else {
            return Err(Error::BuildFailed { detail: "the builder stopped without an image".to_owned() });
        };
        on_event(BuildEvent::Image(image.clone()));
        Ok(image)
    }

    fn status(&mut self, status: StatusResponse, on_event: &mut (dyn FnMut(BuildEvent) + Send)) {
        for vertex in status.vertexes {
            self.vertex(vertex, on_event);
        }
        for log in status.logs {
            let step = self.steps.get(&log.vertex).map_or(0, |step| step.number);
            on_event(BuildEvent::Log { step, bytes: log.msg, stderr: log.stream == 2 });
        }
    }

    fn vertex(&mut self, vertex: Vertex, on_event: &mut (dyn FnMut(BuildEvent) + Send)) {
        let Some(started) = vertex.started else { return };
        let next = u32::try_from(self.steps.len() + 1).unwrap_or(u32::MAX);
        if !self.steps.contains_key(&vertex.digest) {
            if self.steps.len() >= STEPS {
                return;
            }
            on_event(BuildEvent::StepStarted { step: next, name: detail(&vertex.name) });
        }
        let step = self.steps.entry(vertex.digest).or_insert(Step { number: next, over: false });
        let Some(completed) = vertex.completed.filter(|_| !step.over) else { return };
        step.over = true;
        let number = step.number;
        if !vertex.error.is_empty() {
            // Steps beside the failed one are cancelled: that is no news.
            if !vertex.error.contains("context canceled") {
                let (name, error) = (detail(&vertex.name), detail(&vertex.error));
                on_event(BuildEvent::StepFailed { step: number, name, error });
            }
        } else if vertex.cached {
            on_event(BuildEvent::StepCached { step: number });
        } else {
            // The host's own numbers: they may be anything.
            let seconds = completed.seconds.saturating_sub(started.seconds);
            let nanos = i64::from(completed.nanos) - i64::from(started.nanos);
            let ms = seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000);
            on_event(BuildEvent::StepDone { step: number, ms: u64::try_from(ms).unwrap_or(0) });
        }
    }

    fn classic_text(&mut self, text: &str, on_event: &mut (dyn FnMut(BuildEvent) + Send)) {
        let named = text.strip_prefix("Step ").and_then(|rest| rest.split_once(" : "));
        if let Some((number, name)) = named {
            self.classic_over(on_event);
            self.classic.number += 1;
            self.classic.since = Some(Instant::now());
            // As BuildKit spells it.
            self.classic.name = detail(format!("[{number}] {name}"));
            on_event(BuildEvent::StepStarted { step: self.classic.number, name: self.classic.name.clone() });
        } else if text.trim() == "---> Using cache" {
            self.classic.cached = true;
        } else if !CLASSIC_NOISE.iter().any(|noise| text.trim_start().starts_with(noise)) && text != "\n" {
            on_event(BuildEvent::Log { step: self.classic.number, bytes: text.as_bytes().to_vec(), stderr: false });
        }
    }

    /// The classic builder does not say which step failed: it is the present one.
    fn classic_failed(&mut self, words: &str, on_event: &mut (dyn FnMut(BuildEvent) + Send)) {
        if !self.buildkit && self.classic.since.take().is_some() {
            let (step, name) = (self.classic.number, self.classic.name.clone());
            on_event(BuildEvent::StepFailed { step, name, error: detail(words) });
        }
    }

    fn classic_over(&mut self, on_event: &mut (dyn FnMut(BuildEvent) + Send)) {
        let (step, cached) = (self.classic.number, std::mem::take(&mut self.classic.cached));
        if let Some(since) = self.classic.since.take() {
            let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            on_event(if cached { BuildEvent::StepCached { step } } else { BuildEvent::StepDone { step, ms } });
        }
    }
}

/// The builder's reason: a full disk and a registry's refusal are told apart, the rest is the build's own failure.
fn failed(words: &str) -> Error {
    match fault::words(words) {
        Error::Refused { detail } => Error::BuildFailed { detail },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classic_builder_s_prose_becomes_the_same_events() {
        let said = [
            "Step 1/2 : FROM busybox",
            "\n",
            " ---> 0123456789ab\n",
            "Step 2/2 : RUN make",
            "\n",
            " ---> Running in 88\n",
            "out\n",
        ];
        let mut events = Vec::new();
        let mut progress = Progress::new(false);
        for text in said {
            let line = serde_json::json!({ "stream": text }).to_string();
            progress.line(line.as_bytes(), &mut |event| events.push(event)).unwrap();
        }
        let error =
            serde_json::json!({ "errorDetail": { "code": 2, "message": "returned a non-zero code: 2" }, "error": "x" });
        let ended = progress.line(error.to_string().as_bytes(), &mut |event| events.push(event));
        assert!(matches!(ended, Err(Error::BuildFailed { .. })), "{ended:?}");
        let (one, two) = ("[1/2] FROM busybox".to_owned(), "[2/2] RUN make".to_owned());
        assert!(matches!(&events[1], BuildEvent::StepDone { step: 1, .. }), "{events:?}");
        events.remove(1);
        let log = BuildEvent::Log { step: 2, bytes: b"out\n".to_vec(), stderr: false };
        let failed = BuildEvent::StepFailed { step: 2, name: two.clone(), error: "returned a non-zero code: 2".into() };
        let started = |step, name| BuildEvent::StepStarted { step, name };
        assert_eq!(events, [started(1, one), started(2, two), log, failed]);
    }
}
