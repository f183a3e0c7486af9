//! Health for load balancers and supervisors, metrics for Prometheus.
//!
//! `/health/live`: the process works; if not, restart it. `/health/ready`: it takes calls; if not,
//! send them elsewhere, and the page says why.

use std::future::Future;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::config::sections::Http;
use crate::shell::clock::Clock;
use crate::shell::grpc::handle::SwitchHandle;
use crate::shell::ledger::Ledger;
use crate::shell::metrics::Metrics;
use crate::switch::request::{NodeStatus, Reply, Request};
use crate::time::Duration;

/// How long the Switch may take to prove that it lives.
const LIVE_MAX: Duration = Duration::from_secs(2);

/// The format of `/metrics`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the pages tell of.
#[derive(Clone)]
pub struct Pages {
    pub ledger: Ledger,
    pub switch: SwitchHandle,
    pub metrics: Metrics,
    pub clock: Clock,
}

/// Takes the address.
///
/// # Errors
///
/// If it is taken.
pub async fn bind(config: &Http) -> Result<TcpListener, HttpError> {
    let listen = config.listen;
    TcpListener::bind(listen).await.map_err(|source| HttpError::Listen { listen, source })
}

/// Serves the pages until `stop`.
///
/// # Errors
///
/// If the socket fails.
pub async fn serve(
    listener: TcpListener,
    pages: Pages,
    stop: impl Future<Output = ()>,
) -> Result<(), HttpError> {
    let router = Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(pages);
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.map_err(HttpError::Serve),
        () = stop => Ok(()),
    }
}

/// 200 as long as the Switch answers.
async fn live(State(pages): State<Pages>) -> impl IntoResponse {
    match status(&pages).await {
        Some(_) => (StatusCode::OK, "live\n"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the switch does not answer\n"),
    }
}

/// 200 if the node takes calls, else 503 with a reason a line.
async fn ready(State(pages): State<Pages>) -> impl IntoResponse {
    let mut reasons = Vec::new();
    let health = pages.ledger.health();
    if !health.writable {
        let waiting = health.waiting;
        reasons.push(format!("ledger: cannot be written; {waiting} entries wait"));
    } else if !health.takes_calls() {
        reasons.push(format!("ledger: {} entries wait", health.waiting));
    }
    match status(&pages).await {
        None => reasons.push("switch: does not answer".to_owned()),
        Some(status) => {
            if status.draining {
                reasons.push("node: draining".to_owned());
            }
            if status.ports_spare == 0 {
                reasons.push("media: no port is spare".to_owned());
            }
        }
    }
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
}

async fn metrics(State(pages): State<Pages>) -> impl IntoResponse {
    let status = status(&pages).await;
    let trunks = match timeout(LIVE_MAX, pages.switch.ask(Request::Trunks)).await {
        Ok(Ok(Reply::Trunks(trunks))) => trunks,
        Ok(Ok(_) | Err(_)) | Err(_) => Vec::new(),
    };
    let head = *pages.ledger.head().borrow();
    let queues = pages.ledger.service().queues(pages.clock.wall());
    let page = pages.metrics.page(status, (trunks, queues), pages.ledger.health(), head);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], page)
}

async fn status(pages: &Pages) -> Option<NodeStatus> {
    match timeout(LIVE_MAX, pages.switch.ask(Request::Status)).await {
        Ok(Ok(Reply::Status(status))) => Some(status),
        Ok(Ok(_) | Err(_)) | Err(_) => None,
    }
}

/// Why the pages cannot be served.
#[derive(Debug, Error)]
pub enum HttpError {
    #[error("[http] listen {listen}: {source}")]
    Listen { listen: SocketAddr, source: std::io::Error },
    #[error("HTTP: {0}")]
    Serve(std::io::Error),
}
