//! `strowger.v1.Node`.

use tonic::{Request, Response, Status};

use super::convert::{duration, time};
use super::handle::{SwitchHandle, unexpected};
use super::records::{blocking, storage};
use crate::shell::ledger::Ledger;
use crate::shell::proto;
use crate::shell::proto::node_server::Node;
use crate::switch::request::{self, NodeStatus, Reload, Reply};

pub struct Service {
    pub switch: SwitchHandle,
    pub ledger: Ledger,
}

impl Service {
    /// What the node holds after it has done what is asked.
    async fn told(
        &self,
        asked: request::Request,
    ) -> Result<Response<proto::StatusResponse>, Status> {
        match self.switch.ask(asked).await? {
            Reply::Status(now) => {
                let span = blocking(&self.ledger, Ledger::span).await.map_err(|e| storage(&e))?;
                let health = self.ledger.health();
                let ledger = proto::Ledger {
                    writable: health.writable,
                    oldest: span.oldest,
                    newest: span.newest,
                    waiting: health.waiting as u64,
                    lost: health.lost,
                };
                Ok(Response::new(status(now, ledger)))
            }
            other => Err(unexpected(&other)),
        }
    }
}

#[tonic::async_trait]
impl Node for Service {
    async fn status(
        &self,
        _: Request<proto::StatusRequest>,
    ) -> Result<Response<proto::StatusResponse>, Status> {
        self.told(request::Request::Status).await
    }

    async fn drain(
        &self,
        request: Request<proto::DrainRequest>,
    ) -> Result<Response<proto::StatusResponse>, Status> {
        self.told(request::Request::Drain { on: request.into_inner().on }).await
    }

    async fn reload(
        &self,
        _: Request<proto::ReloadRequest>,
    ) -> Result<Response<proto::ReloadResponse>, Status> {
        let told = match self.switch.reload().await? {
            Reload::Applied { config, restart_for } => {
                proto::ReloadResponse { config: Some(config), mistakes: Vec::new(), restart_for }
            }
            Reload::Refused { mistakes } => {
                proto::ReloadResponse { config: None, mistakes, restart_for: Vec::new() }
            }
        };
        Ok(Response::new(told))
    }
}

fn status(now: NodeStatus, ledger: proto::Ledger) -> proto::StatusResponse {
    proto::StatusResponse {
        name: now.name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start_time: Some(time(now.started)),
        uptime: Some(duration(now.uptime)),
        config: now.config,
        calls: now.calls,
        legs: now.legs,
        dialogs: now.dialogs,
        transactions: now.transactions,
        registrations: now.registrations,
        subscriptions: now.subscriptions,
        one_way_total: now.one_way_total,
        notifies_total: now.notifies_total,
        ports_taken: now.ports_taken,
        ports_spare: now.ports_spare,
        recordings: now.recordings,
        waiting: now.waiting,
        calls_total: now.calls_total,
        calls_refused: now.calls_refused,
        ledger: Some(ledger),
        draining: now.draining,
        denied: now.denied,
        dropped: now.dropped,
        lock_outs: now.lock_outs,
        crowded: now.crowded,
    }
}
