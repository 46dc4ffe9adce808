//! The other half of a BuildKit build: a connection on which the daemon asks us. It may ask for the build's secrets
//! and for logins of registries, and for nothing else. Values go from memory to the mount; no file of ours holds them.

use bollard::health::health_check_response::ServingStatus;
use bollard::health::health_server::{Health, HealthServer};
use bollard::health::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use bollard::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bollard::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use bytes::Bytes;
use futures_util::stream::{Empty as Nothing, empty};
use http_body_util::Empty;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::sync::Arc;
use tonic::service::Routes;
use tonic::{Response, Status};

use super::CALL_LIMIT;
use super::build::{BuildSecret, Tasks, send};
use super::transport::Transport;
use crate::domain::container::Login;
use crate::remote::error::{Error, detail};
use crate::remote::session::within;

/// Digits of a session's name: nobody else's build may take ours.
const NAME_BYTES: usize = 16;

/// What may be asked.
#[derive(Clone)]
pub(super) struct Answers(Arc<Held>);

struct Held {
    secrets: HashMap<String, BuildSecret>,
    logins: HashMap<String, Login>,
}

impl Answers {
    /// The secrets and logins of one build.
    pub fn new(secrets: Vec<BuildSecret>, logins: Vec<(String, Login)>) -> Self {
        let secrets = secrets.into_iter().map(|secret| (secret.id.to_string(), secret)).collect();
        Self(Arc::new(Held { secrets, logins: logins.into_iter().collect() }))
    }
}

/// Opens the session and serves it until `tasks` are dropped; its name.
#[expect(clippy::disallowed_methods, reason = "serves one build's questions; ended with the build that owns it")]
pub(super) async fn open(transport: &Transport, tasks: &mut Tasks, answers: Answers) -> Result<String, Error> {
    let name = hex::encode(rand::random::<[u8; NAME_BYTES]>());
    let ask = Request::post("/session")
        .header("host", "docker")
        .header("connection", "Upgrade")
        .header("upgrade", "h2c")
        .header("x-docker-expose-session-uuid", &name)
        .header("x-docker-expose-session-name", "skiff")
        .header("x-docker-expose-session-grpc-method", "/moby.buildkit.secrets.v1.Secrets/GetSecret")
        .header("x-docker-expose-session-grpc-method", "/moby.filesync.v1.Auth/Credentials")
        .body(Empty::<Bytes>::new())
        .map_err(|e| Error::Refused { detail: detail(e) })?;
    let answer = within("Opening a build session", CALL_LIMIT, send(transport, tasks, ask)).await??;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::Refused { detail: format!("no build session: status {}", answer.status().as_u16()) });
    }
    let upgraded = within("Opening a build session", CALL_LIMIT, hyper::upgrade::on(answer)).await?;
    let upgraded = upgraded.map_err(|e| Error::DockerUnavailable { detail: detail(e) })?;
    let routes = Routes::new(SecretsServer::new(answers.clone()))
        .add_service(AuthServer::new(answers.clone()))
        .add_service(HealthServer::new(answers));
    let serving = async move {
        let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .serve_connection(upgraded, TowerToHyperService::new(routes));
        // It ends when the daemon closes it, which it does when the build is over.
        let _ = serving.await;
    };
    tasks.0.push(tokio::spawn(serving).abort_handle());
    Ok(name)
}

#[tonic::async_trait]
impl Secrets for Answers {
    async fn get_secret(&self, asked: tonic::Request<GetSecretRequest>) -> Result<Response<GetSecretResponse>, Status> {
        match self.0.secrets.get(&asked.get_ref().id) {
            Some(secret) => Ok(Response::new(GetSecretResponse { data: secret.value.expose().clone() })),
            None => Err(Status::not_found("this build has no secret of that id")),
        }
    }
}

#[tonic::async_trait]
impl Auth for Answers {
    async fn credentials(
        &self,
        asked: tonic::Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let login = self.0.logins.get(&asked.get_ref().host);
        let known = |login: &Login| CredentialsResponse {
            username: login.user.clone(),
            secret: login.password.expose().clone(),
        };
        Ok(Response::new(login.map(known).unwrap_or_default()))
    }

    async fn fetch_token(&self, _: tonic::Request<FetchTokenRequest>) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("ask for credentials"))
    }

    async fn get_token_authority(
        &self,
        _: tonic::Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("ask for credentials"))
    }

    async fn verify_token_authority(
        &self,
        _: tonic::Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("ask for credentials"))
    }
}

#[tonic::async_trait]
impl Health for Answers {
    type WatchStream = Nothing<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: tonic::Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: i32::from(ServingStatus::Serving) }))
    }

    async fn list(&self, _: tonic::Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("ask for one"))
    }

    async fn watch(&self, _: tonic::Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(empty()))
    }
}
