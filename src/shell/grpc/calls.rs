//! `strowger.v1.Calls`.

use tonic::{Request, Response, Status};

use super::convert::{call_id, direction, name, time};
use super::handle::{SwitchHandle, unexpected};
use crate::shell::proto::calls_server::Calls;
use crate::shell::proto::{self, CallStage};
use crate::switch::request::{self, CallView, LegState, LegView, Reply, Stage};

pub struct Service {
    pub switch: SwitchHandle,
}

#[tonic::async_trait]
impl Calls for Service {
    async fn list(
        &self,
        _: Request<proto::ListCallsRequest>,
    ) -> Result<Response<proto::ListCallsResponse>, Status> {
        match self.switch.ask(request::Request::Calls).await? {
            Reply::Calls(calls) => {
                let calls = calls.into_iter().map(call).collect();
                Ok(Response::new(proto::ListCallsResponse { calls }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn hangup(
        &self,
        request: Request<proto::HangupRequest>,
    ) -> Result<Response<proto::HangupResponse>, Status> {
        let call = call_id(&request.into_inner().call_id)?;
        match self.switch.ask(request::Request::HangUp { call }).await? {
            Reply::HungUp => Ok(Response::new(proto::HangupResponse {})),
            other => Err(unexpected(&other)),
        }
    }
}

fn call(view: CallView) -> proto::Call {
    let caller = proto::Caller {
        number: view.from,
        e164: None,
        name: view.name,
        extension: name(view.extension.as_ref()),
    };
    let mut call = proto::Call {
        call_id: view.call.to_string(),
        direction: direction(view.direction),
        caller: Some(caller),
        dialled: view.to,
        setup_time: Some(time(view.began)),
        answer_time: view.answered.map(time),
        recorded: view.recorded,
        legs: view.legs.iter().map(leg).collect(),
        trunk: name(view.trunk.as_ref()),
        ..proto::Call::default()
    };
    let stage = match view.stage {
        Stage::Ending => CallStage::Ending,
        Stage::InMenu { menu } => {
            call.menu = Some(menu.to_string());
            CallStage::InMenu
        }
        Stage::InQueue { queue, position } => {
            call.queue = Some(queue.to_string());
            call.position = Some(position);
            CallStage::InQueue
        }
        Stage::Listening { prompt } => {
            call.prompt = Some(prompt.to_string());
            CallStage::Listening
        }
        Stage::Parked { slot } => {
            call.park_slot = Some(slot.into());
            CallStage::Parked
        }
        Stage::Ringing => CallStage::Ringing,
        Stage::Routing => CallStage::Routing,
        Stage::Talking { with } => {
            call.talking_leg_id = Some(with.to_string());
            CallStage::Talking
        }
    };
    call.set_stage(stage);
    call
}

fn leg(view: &LegView) -> proto::CallLeg {
    let state = match view.state {
        LegState::Trying => proto::LegState::Trying,
        LegState::Ringing => proto::LegState::Ringing,
        LegState::Answered => proto::LegState::Answered,
        LegState::Holding => proto::LegState::Holding,
        LegState::Ending => proto::LegState::Ending,
    };
    proto::CallLeg {
        leg_id: view.leg.to_string(),
        extension: name(view.extension.as_ref()),
        agent: name(view.agent.as_ref()),
        state: state.into(),
        trunk: name(view.trunk.as_ref()),
    }
}
