//! The gRPC server: records, states, control, health, reflection.
//!
//! Anybody may listen on loopback; every other address needs TLS and a token.

mod agents;
mod callback;
mod calls;
mod conferences;
mod convert;
mod decision;
mod events;
mod filter;
pub mod handle;
mod node;
mod phones;
mod queues;
pub mod record;
mod recording;
mod recordings;
mod records;
mod subscription;
mod trunks;
mod visit;
mod who;

use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tokio::net::TcpListener;
use tonic::service::InterceptorLayer;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::config::certificates::{self, CertificateError};
use crate::config::sections::Grpc;
use crate::shell::board::Board;
use crate::shell::clock::Clock;
use crate::shell::ledger::Ledger;
use crate::shell::media::archive::Archive;
use crate::shell::proto;
use crate::time::Duration;
use handle::SwitchHandle;

/// Where gRPC is served by default.
pub const DEFAULT_PORT: u16 = 50051;

/// Bytes of a request.
const REQUEST_BYTES_MAX: usize = 256 << 10;

/// Requests of one connection at a time, subscriptions among them.
const STREAMS_MAX: u32 = 200;

/// How often a silent connection is asked whether it lives, and how long it may take to say so.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEPALIVE_MAX: Duration = Duration::from_secs(10);

/// How often the health that clients are told follows the ledger's.
const HEALTH_EVERY: Duration = Duration::from_millis(250);

/// A server that has its address but serves nobody yet.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<ServerTlsConfig>,
    token: Option<Token>,
}

impl Listener {
    /// Takes the address, and reads certificate, key and token.
    ///
    /// # Errors
    ///
    /// If the address is taken, a file cannot be read, or others than this machine could come in
    /// without TLS and token.
    pub async fn bind(config: &Grpc) -> Result<Self, GrpcError> {
        let listen = config.listen;
        let tls = match (&config.certificate, &config.key) {
            (Some(certificate), Some(key)) => {
                certificates::server(certificate, key, None)?; // before anything is served
                let identity = Identity::from_pem(read(certificate)?, read(key)?);
                Some(ServerTlsConfig::new().identity(identity))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(GrpcError::HalfIdentity),
        };
        let token = config.token.as_ref().map(|token| Token::new(token.expose()));
        if !listen.ip().is_loopback() && (tls.is_none() || token.is_none()) {
            return Err(GrpcError::Open { listen });
        }
        let tcp = TcpListener::bind(listen)
            .await
            .map_err(|source| GrpcError::Listen { listen, source })?;
        Ok(Self { tcp, tls, token })
    }

    /// Where clients connect.
    ///
    /// # Errors
    ///
    /// If the operating system does not say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `stop`; subscriptions end with `UNAVAILABLE` when the ledger is closed.
    ///
    /// # Errors
    ///
    /// If certificate and key do not fit, or the socket fails.
    pub async fn serve(
        self,
        ledger: Ledger,
        switch: SwitchHandle,
        clock: Clock,
        archive: Archive,
        board: Board,
        stop: impl Future<Output = ()>,
    ) -> Result<(), GrpcError> {
        let token = self.token;
        let check = move |request| admit(token.as_ref(), request);
        let server = server(self.tls)?;
        let (reporter, health) = tonic_health::server::health_reporter();
        let compiled = "the contract was compiled with the program";
        let records = records::Service::new(ledger.clone(), clock.clone());
        let service = ledger.service().clone();
        let looks = board.clone().run(switch.clone(), service.clone());
        let queues = queues::Service { switch: switch.clone(), service, clock: clock.clone() };
        let events = events::Service { board, queues: queues.clone() };
        let recordings = recordings::Service::new(ledger.clone(), clock, archive);
        let node = node::Service { switch: switch.clone(), ledger: ledger.clone() };
        let router = server
            .layer(InterceptorLayer::new(check))
            .add_service(health)
            .add_service(reflection().build_v1().expect(compiled))
            .add_service(reflection().build_v1alpha().expect(compiled)) // Python, older grpcurl
            .add_service(
                proto::records_server::RecordsServer::new(records)
                    .max_decoding_message_size(REQUEST_BYTES_MAX),
            )
            .add_service(
                proto::recordings_server::RecordingsServer::new(recordings)
                    .max_decoding_message_size(REQUEST_BYTES_MAX),
            )
            .add_service(
                proto::events_server::EventsServer::new(events)
                    .max_decoding_message_size(REQUEST_BYTES_MAX),
            )
            .add_service(
                proto::agents_server::AgentsServer::new(agents::Service { switch: switch.clone() })
                    .max_decoding_message_size(REQUEST_BYTES_MAX),
            )
            .add_service(
                proto::calls_server::CallsServer::new(calls::Service { switch: switch.clone() })
                    .max_decoding_message_size(REQUEST_BYTES_MAX),
            )
            .add_service(proto::conferences_server::ConferencesServer::new(conferences::Service {
                switch: switch.clone(),
            }))
            .add_service(proto::queues_server::QueuesServer::new(queues))
            .add_service(proto::phones_server::PhonesServer::new(phones::Service {
                switch: switch.clone(),
            }))
            .add_service(proto::trunks_server::TrunksServer::new(trunks::Service { switch }))
            .add_service(proto::node_server::NodeServer::new(node));
        let incoming = TcpIncoming::from(self.tcp).with_nodelay(Some(true));
        let healthy = ledger.healthy();
        tell(&reporter, healthy).await; // before the first client can ask
        tokio::select! {
            served = router.serve_with_incoming(incoming) => served.map_err(GrpcError::Server),
            () = follow(&ledger, &reporter, healthy) => Ok(()),
            () = looks => Ok(()),
            () = stop => Ok(()),
        }
    }
}

/// What the contract is, for clients who ask.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Lets a request in that shows the token, if there is one, and notes what it showed.
fn admit(token: Option<&Token>, request: Request<()>) -> Result<Request<()>, Status> {
    match token {
        Some(token) => token.check(request).map(|request| mark(request, Shown::Token)),
        None => Ok(mark(request, Shown::Nothing)),
    }
}

/// A server with our limits, over TLS if that is configured.
fn server(tls: Option<ServerTlsConfig>) -> Result<Server, GrpcError> {
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_MAX))
        .max_concurrent_streams(Some(STREAMS_MAX));
    match tls {
        Some(tls) => server.tls_config(tls).map_err(GrpcError::Server),
        None => Ok(server),
    }
}

/// Tells clients of `grpc.health.v1` whenever facts can be written again, or no more; `told` is
/// what they know. Never ends.
async fn follow(ledger: &Ledger, reporter: &HealthReporter, mut told: bool) {
    let mut tick = tokio::time::interval(HEALTH_EVERY);
    loop {
        tick.tick().await;
        let healthy = ledger.healthy();
        if healthy != told {
            tell(reporter, healthy).await;
            told = healthy;
        }
    }
}

/// Tells clients of `grpc.health.v1` whether facts can be written.
async fn tell(reporter: &HealthReporter, healthy: bool) {
    let status = if healthy { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}

/// The services whose health is told; the empty name stands for the whole node.
const SERVICES: [&str; 10] = [
    "",
    "strowger.v1.Agents",
    "strowger.v1.Calls",
    "strowger.v1.Events",
    "strowger.v1.Node",
    "strowger.v1.Phones",
    "strowger.v1.Queues",
    "strowger.v1.Recordings",
    "strowger.v1.Records",
    "strowger.v1.Trunks",
];

/// What a request showed to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Nothing is asked for on a node that serves its own machine alone.
    Nothing,
    Token,
}

/// Tells the services what a request showed.
fn mark(mut request: Request<()>, shown: Shown) -> Request<()> {
    request.extensions_mut().insert(shown);
    request
}

/// What a client must show; kept as its hash, so that comparing takes the same time for all.
#[derive(Clone)]
struct Token([u8; 32]);

impl Token {
    fn new(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn check(&self, request: Request<()>) -> Result<Request<()>, Status> {
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let shown = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let shown: [u8; 32] = Sha256::digest(shown).into();
        if bool::from(shown.ct_eq(&self.0)) {
            Ok(request)
        } else {
            Err(Status::unauthenticated("show the token as `authorization: Bearer …`"))
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, GrpcError> {
    fs::read(path).map_err(|source| GrpcError::File { path: path.to_owned(), source })
}

/// Why gRPC cannot be served.
#[derive(Debug, Error)]
pub enum GrpcError {
    #[error("[grpc] {0}")]
    Certificate(#[from] CertificateError),
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("[grpc] needs both certificate and key, or none of them")]
    HalfIdentity,
    #[error("[grpc] listen {listen}: {source}")]
    Listen { listen: SocketAddr, source: std::io::Error },
    #[error("[grpc] listen {listen} can be reached by others; give certificate, key and token")]
    Open { listen: SocketAddr },
    #[error("the server ended: {0}")]
    Server(tonic::transport::Error),
}
