//! A forge: `git http-backend` behind TLS with a certificate of its own, with or without a password; and an sshd.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use base64::Engine;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use tokio::io::AsyncWriteExt;

/// Method, path and the authorisation of each request.
pub type Seen = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A running https forge.
pub struct Forge {
    pub address: SocketAddr,
    /// The certificate to trust.
    pub ca_file: PathBuf,
    /// Method, path and the authorisation of each request that came.
    pub seen: Seen,
    _folder: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

/// What the forge does besides serving.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// The user and password it wants.
    pub password: Option<(&'static str, &'static str)>,
    /// It sends every request to this address instead.
    pub redirect: Option<String>,
    /// It takes connections and never answers.
    pub silent: bool,
}

impl Drop for Forge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forge {
    /// Serves the repositories below this folder.
    pub async fn serve(root: &Path, behaviour: Behaviour) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, made.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (root, noted) = (root.to_path_buf(), seen.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (tls, root, noted, behaviour) = (tls.clone(), root.clone(), noted.clone(), behaviour.clone());
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let service = hyper::service::service_fn(move |request| {
                        answer(request, root.clone(), noted.clone(), behaviour.clone())
                    });
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
        Self { address, ca_file, seen, _folder: folder, task }
    }

    /// The address of a repository.
    pub fn url(&self, path: &str) -> skiff::domain::names::GitUrl {
        format!("https://localhost:{}/{path}", self.address.port()).parse().unwrap()
    }

    /// How many requests came, and how many with an authorisation.
    pub fn requests(&self) -> (usize, usize) {
        let seen = self.seen.lock().unwrap();
        (seen.len(), seen.iter().filter(|(_, authorisation)| authorisation.is_some()).count())
    }
}

async fn answer(
    request: Request<Incoming>,
    root: PathBuf,
    noted: Seen,
    behaviour: Behaviour,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let authorisation = header("authorization");
    let path = request.uri().path().to_owned();
    noted.lock().unwrap().push((format!("{} {path}", request.method()), authorisation.clone()));
    if behaviour.silent {
        std::future::pending::<()>().await;
    }
    let plain = |status: u16, name: &'static str, value: &str| {
        Ok(Response::builder().status(status).header(name, value).body(Full::default()).unwrap())
    };
    if let Some(to) = &behaviour.redirect {
        let to = format!("{to}{}", request.uri().path_and_query().unwrap());
        return plain(301, "location", &to);
    }
    if let Some((user, password)) = behaviour.password {
        let wanted = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        if authorisation != Some(format!("Basic {wanted}")) {
            return plain(401, "www-authenticate", "Basic realm=\"forge\"");
        }
    }
    let mut backend = tokio::process::Command::new("/usr/bin/git");
    backend.arg("http-backend").env_clear().env("PATH", "/usr/bin:/bin").kill_on_drop(true);
    backend.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    backend.env("PATH_INFO", &path).env("QUERY_STRING", request.uri().query().unwrap_or_default());
    backend.env("REQUEST_METHOD", request.method().as_str());
    for (name, from) in [
        ("CONTENT_TYPE", "content-type"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
        ("HTTP_GIT_PROTOCOL", "git-protocol"),
    ] {
        if let Some(value) = header(from) {
            backend.env(name, value.clone());
            if name == "HTTP_GIT_PROTOCOL" {
                backend.env("GIT_PROTOCOL", value);
            }
        }
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    backend.env("CONTENT_LENGTH", body.len().to_string());
    let mut child = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let (output, _) = tokio::join!(child.wait_with_output(), async move {
        let _ = input.write_all(&body).await;
    });
    let output = output.unwrap().stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(output.len());
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        response = match name {
            "Status" => response.status(value[..3].parse::<u16>().unwrap()),
            name => response.header(name, value),
        };
    }
    let body = output.get(end + 4..).unwrap_or_default().to_vec();
    Ok(response.body(Full::from(body)).unwrap())
}
