//! Building an image from a tar stream: BuildKit inside the daemon, with a session that answers its questions for
//! secrets and registry logins; the classic builder where there is no BuildKit. Ends when its future is dropped.
//! Not here: where the context comes from, and what becomes of the log.

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::task::AbortHandle;

use super::trace::Progress;
use super::transport::Transport;
use super::{CALL_LIMIT, Docker, fault, session};
use crate::domain::container::Login;
use crate::domain::names::{BuildTarget, EnvName, EnvValue, ImageId, ImageRef, PlainName, RepoPath};
use crate::domain::secret::Secret;
use crate::remote::error::{Error, detail};
use crate::remote::session::within;

/// One line of the builder's answer: a chunk of log, in base64, with its frame. Longer ones come from no builder.
const LINE_BYTES: usize = 16 << 20;
/// The API from which Docker has BuildKit.
const BUILDKIT_MINOR: u32 = 39;
/// An answer that is an error: a sentence.
const REFUSAL_BYTES: usize = 64 * 1024;

/// A secret mounted while building.
#[derive(Clone)]
pub struct BuildSecret {
    /// The id in `RUN --mount=type=secret,id=…`.
    pub id: PlainName,
    /// The value.
    pub value: Secret<Vec<u8>>,
}

/// What to build.
pub struct BuildRequest<S> {
    /// The context as a tar stream.
    pub context: S,
    /// The Dockerfile, relative to the context.
    pub dockerfile: RepoPath,
    /// The stage, or the last one.
    pub target: Option<BuildTarget>,
    /// Build arguments: visible in the image.
    pub args: Vec<(EnvName, EnvValue)>,
    /// The name under which cache mounts are kept; a build under another name has others. BuildKit alone knows them
    /// (`BUILDKIT_CACHE_MOUNT_NS`, <https://docs.docker.com/reference/dockerfile/#buildkit-built-in-build-args>).
    pub caches: String,
    /// Secrets: never in a layer.
    pub secrets: Vec<BuildSecret>,
    /// Registries and their logins, for base images.
    pub logins: Vec<(String, Login)>,
    /// Names for the image.
    pub tags: Vec<ImageRef>,
    /// Labels for the image.
    pub labels: Vec<(&'static str, String)>,
    /// How long it may take in all.
    pub limit: Duration,
}

/// What happens in a build. `step` numbers count from 1 in order of beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildEvent {
    /// A step began.
    StepStarted {
        /// Its number.
        step: u32,
        /// Its line of the Dockerfile, or what BuildKit calls it: hostile text.
        name: String,
    },
    /// A step was taken from the cache.
    StepCached {
        /// Its number.
        step: u32,
    },
    /// A step ended well.
    StepDone {
        /// Its number.
        step: u32,
        /// Its time in milliseconds.
        ms: u64,
    },
    /// A step failed.
    StepFailed {
        /// Its number.
        step: u32,
        /// Its name.
        name: String,
        /// Why: hostile text.
        error: String,
    },
    /// Output of a step, as it came: not cut into lines.
    Log {
        /// The step's number; 0 for none.
        step: u32,
        /// The bytes: hostile text.
        bytes: Vec<u8>,
        /// True for standard error.
        stderr: bool,
    },
    /// The image is made.
    Image(ImageId),
}

/// Ends tasks when the build is over or given up.
#[derive(Default)]
pub(super) struct Tasks(pub Vec<AbortHandle>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl Docker {
    /// True where the daemon has BuildKit: Docker since API 1.39. Its own header only says what it prefers, and 20.10
    /// prefers the classic builder. Podman speaks the same API without BuildKit, and names itself.
    pub async fn has_buildkit(&self) -> Result<bool, Error> {
        let mut tasks = Tasks::default();
        let ask = Request::get("/_ping").header("host", "docker").body(Empty::<Bytes>::new());
        let ask = ask.map_err(|e| Error::Refused { detail: detail(e) })?;
        let asked = send(&self.transport, &mut tasks, ask);
        let answer = within("Asking Docker for its builder", CALL_LIMIT, asked).await??;
        let headers = answer.headers();
        let minor =
            headers.get("api-version").and_then(|version| version.to_str().ok()?.strip_prefix("1.")?.parse().ok());
        Ok(minor.is_some_and(|minor: u32| minor >= BUILDKIT_MINOR) && !headers.contains_key("libpod-api-version"))
    }

    /// Builds an image. Events arrive as they happen; cancel by dropping the future: the running step is stopped.
    pub async fn build<S, E>(
        &self,
        request: BuildRequest<S>,
        on_event: &mut (dyn FnMut(BuildEvent) + Send),
    ) -> Result<ImageId, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let limit = request.limit;
        // On the heap: the future holds a connection and its session, and callers nest it deep.
        match within("The build", limit, Box::pin(self.build_on(request, on_event))).await? {
            Ok(image) => Ok(image),
            Err(error) => Err(self.blame(error).await),
        }
    }

    async fn build_on<S, E>(
        &self,
        request: BuildRequest<S>,
        on_event: &mut (dyn FnMut(BuildEvent) + Send),
    ) -> Result<ImageId, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        use futures_util::TryStreamExt;
        let buildkit = self.has_buildkit().await?;
        if !buildkit && !request.secrets.is_empty() {
            return Err(Error::SecretsUnsupported);
        }
        let mut tasks = Tasks::default();
        let mut query = query(&request, buildkit);
        if buildkit {
            let answers = session::Answers::new(request.secrets, request.logins);
            let id = session::open(&self.transport, &mut tasks, answers).await?;
            query.push_str("&version=2&session=");
            query.push_str(&id);
        } else {
            query.push_str("&version=1&rm=1&forcerm=1");
        }
        let body = StreamBody::new(request.context.map_ok(Frame::data).map_err(Into::into));
        let post = Request::post(format!("/build?{query}"))
            .header("host", "docker")
            .header("content-type", "application/x-tar")
            .body(BodyExt::boxed_unsync(body))
            .map_err(|e| Error::Refused { detail: detail(e) })?;
        let answer = send(&self.transport, &mut tasks, post).await?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        follow(answer, buildkit, on_event).await
    }
}

/// The argument that names caches: whatever a person says of it does not hold.
const CACHES: &str = "BUILDKIT_CACHE_MOUNT_NS";

/// The parameters of the call, encoded.
fn query<S>(request: &BuildRequest<S>, buildkit: bool) -> String {
    let mut args: std::collections::BTreeMap<&str, &str> =
        request.args.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    if buildkit {
        args.insert(CACHES, &request.caches);
    }
    let labels: std::collections::BTreeMap<&str, &str> =
        request.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("dockerfile", request.dockerfile.as_ref());
    query.append_pair("target", request.target.as_ref().map_or("", |target| target.as_ref()));
    query.append_pair("buildargs", &serde_json::json!(args).to_string());
    query.append_pair("labels", &serde_json::json!(labels).to_string());
    for tag in &request.tags {
        query.append_pair("t", tag.as_ref());
    }
    query.finish()
}

/// Sends one request on a channel of its own. The connection lives as long as `tasks`.
#[expect(clippy::disallowed_methods, reason = "drives one connection; ended with the build that owns it")]
pub(super) async fn send<B>(
    transport: &Transport,
    tasks: &mut Tasks,
    request: Request<B>,
) -> Result<Response<Incoming>, Error>
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let io = TokioIo::new(transport.open().await?);
    let (mut sender, connection) = http1::handshake(io).await.map_err(broken)?;
    tasks.0.push(tokio::spawn(connection.with_upgrades()).abort_handle());
    sender.send_request(request).await.map_err(broken)
}

/// A call that broke off: by the other side, or by the context we were sending.
fn broken(error: hyper::Error) -> Error {
    let cause = std::error::Error::source(&error).map_or_else(|| detail(&error), detail);
    if error.is_user() { Error::BuildFailed { detail: cause } } else { Error::DockerUnavailable { detail: cause } }
}

/// An answer that is no build.
async fn refusal(answer: Response<Incoming>) -> Error {
    let status = answer.status().as_u16();
    let body = http_body_util::Limited::new(answer.into_body(), REFUSAL_BYTES).collect().await;
    let bytes = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let words: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let words = words.as_ref().and_then(|words| words.get("message")?.as_str());
    fault::answer(status, words.unwrap_or("the build was refused"))
}

/// Reads the builder's lines to the end.
async fn follow(
    answer: Response<Incoming>,
    buildkit: bool,
    on_event: &mut (dyn FnMut(BuildEvent) + Send),
) -> Result<ImageId, Error> {
    let mut body = answer.into_body();
    let mut progress = Progress::new(buildkit);
    let mut line: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken)?;
        let Ok(data) = frame.into_data() else { continue };
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            if line.len() + piece.len() > LINE_BYTES {
                return Err(Error::TooMuch { what: "A line of the builder", limit: LINE_BYTES as u64 });
            }
            line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                progress.line(&line, on_event)?;
                line.clear();
            }
        }
    }
    progress.line(&line, on_event)?;
    progress.end(on_event)
}
