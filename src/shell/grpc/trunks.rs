//! `strowger.v1.Trunks`.

use tonic::{Request, Response, Status};

use super::convert::{duration, time, trunk_state};
use super::handle::{SwitchHandle, unexpected};
use crate::shell::proto;
use crate::shell::proto::trunks_server::Trunks;
use crate::switch::request::{self, Reply, ServerView, TrunkView};

pub struct Service {
    pub switch: SwitchHandle,
}

#[tonic::async_trait]
impl Trunks for Service {
    async fn list(
        &self,
        _: Request<proto::ListTrunksRequest>,
    ) -> Result<Response<proto::ListTrunksResponse>, Status> {
        match self.switch.ask(request::Request::Trunks).await? {
            Reply::Trunks(trunks) => {
                let trunks = trunks.into_iter().map(trunk).collect();
                Ok(Response::new(proto::ListTrunksResponse { trunks }))
            }
            other => Err(unexpected(&other)),
        }
    }
}

pub fn trunk(view: TrunkView) -> proto::Trunk {
    proto::Trunk {
        trunk: view.trunk.to_string(),
        state: trunk_state(view.state),
        why: view.why,
        since: Some(time(view.since)),
        registered_until: view.registered_until.map(time),
        calls: view.calls,
        calls_max: view.calls_max,
        servers: view.servers.into_iter().map(server).collect(),
    }
}

fn server(view: ServerView) -> proto::TrunkServer {
    let (until, why) = view.resting.map(|resting| (resting.until, resting.why)).unzip();
    proto::TrunkServer {
        address: view.address,
        up: view.up,
        latency: view.latency.map(duration),
        resting_until: until.map(time),
        resting_why: why,
    }
}
