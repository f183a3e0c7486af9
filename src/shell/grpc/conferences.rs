//! `strowger.v1.Conferences`.

use std::net::SocketAddr;

use tonic::{Request, Response, Status};

use super::convert::{leg_id, time};
use super::handle::{SwitchHandle, unexpected};
use super::who::who;
use crate::cdr::entry::OrderKind;
use crate::shell::proto;
use crate::shell::proto::conferences_server::Conferences;
use crate::switch::request::{self, ConferenceView, MemberView, Reply};

pub struct Service {
    pub switch: SwitchHandle,
}

#[tonic::async_trait]
impl Conferences for Service {
    async fn list(
        &self,
        _: Request<proto::ListConferencesRequest>,
    ) -> Result<Response<proto::ListConferencesResponse>, Status> {
        match self.switch.ask(request::Request::Conferences).await? {
            Reply::Conferences(conferences) => {
                let conferences = conferences.into_iter().map(conference).collect();
                Ok(Response::new(proto::ListConferencesResponse { conferences }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn mute(
        &self,
        request: Request<proto::MuteRequest>,
    ) -> Result<Response<proto::MuteResponse>, Status> {
        let from = request.remote_addr();
        let proto::MuteRequest { leg_id, requested_by } = request.into_inner();
        self.order((OrderKind::Mute, &leg_id), requested_by, from).await?;
        Ok(Response::new(proto::MuteResponse {}))
    }

    async fn unmute(
        &self,
        request: Request<proto::UnmuteRequest>,
    ) -> Result<Response<proto::UnmuteResponse>, Status> {
        let from = request.remote_addr();
        let proto::UnmuteRequest { leg_id, requested_by } = request.into_inner();
        self.order((OrderKind::Unmute, &leg_id), requested_by, from).await?;
        Ok(Response::new(proto::UnmuteResponse {}))
    }

    async fn kick(
        &self,
        request: Request<proto::KickRequest>,
    ) -> Result<Response<proto::KickResponse>, Status> {
        let from = request.remote_addr();
        let proto::KickRequest { leg_id, requested_by } = request.into_inner();
        self.order((OrderKind::Kick, &leg_id), requested_by, from).await?;
        Ok(Response::new(proto::KickResponse {}))
    }
}

impl Service {
    async fn order(
        &self,
        (order, leg): (OrderKind, &str),
        requested_by: String,
        from: Option<SocketAddr>,
    ) -> Result<(), Status> {
        let (leg, by) = (leg_id(leg)?, who(requested_by, from)?);
        match self.switch.ask(request::Request::Member { leg, order, by }).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

fn conference(view: ConferenceView) -> proto::Conference {
    proto::Conference {
        conference: view.conference.to_string(),
        number: view.number,
        parties_max: view.parties_max.into(),
        members: view.members.into_iter().map(member).collect(),
    }
}

fn member(view: MemberView) -> proto::ConferenceMember {
    proto::ConferenceMember {
        leg_id: view.leg.to_string(),
        call_id: view.call.to_string(),
        number: view.number,
        name: view.name,
        joined_time: Some(time(view.joined)),
        muted: view.muted,
    }
}
