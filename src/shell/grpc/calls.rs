//! `strowger.v1.Calls`.

use tonic::{Request, Response, Status};

use super::convert::{call_id, direction, leg_id, name, supervisor_mode, time};
use super::handle::{SwitchHandle, unexpected};
use super::record::quality;
use super::who::who;
use crate::cdr::entry::SupervisorMode;
use crate::shell::proto::calls_server::Calls;
use crate::shell::proto::{self, CallStage};
use crate::switch::request::{self, CallView, Dial, LegState, LegView, Reply, Stage, Supervise};

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
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (call, by) = (call_id(&asked.call_id)?, who(asked.requested_by, from)?);
        match self.switch.ask(request::Request::HangUp { call, by }).await? {
            Reply::HungUp => Ok(Response::new(proto::HangupResponse {})),
            other => Err(unexpected(&other)),
        }
    }

    async fn dial(
        &self,
        request: Request<proto::DialRequest>,
    ) -> Result<Response<proto::DialResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        if asked.extension.is_empty() {
            return Err(Status::invalid_argument("name the extension"));
        }
        let dial = Dial {
            extension: asked.extension.as_str().into(),
            to: number(asked.to)?,
            caller_id: asked.caller_id.map(number).transpose()?,
            auto_answer: asked.auto_answer,
            by: who(asked.requested_by, from)?,
        };
        match self.switch.ask(request::Request::Dial(dial)).await? {
            Reply::Dialled(call) => {
                Ok(Response::new(proto::DialResponse { call_id: call.to_string() }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn supervise(
        &self,
        request: Request<proto::SuperviseRequest>,
    ) -> Result<Response<proto::SuperviseResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        if asked.agent.is_empty() || asked.extension.is_empty() {
            return Err(Status::invalid_argument("name the agent and the extension"));
        }
        let mode = match asked.mode() {
            proto::SupervisorMode::Unspecified | proto::SupervisorMode::Listen => {
                SupervisorMode::Listen
            }
            proto::SupervisorMode::Barge => SupervisorMode::Barge,
            proto::SupervisorMode::TakeOver => SupervisorMode::TakeOver,
            proto::SupervisorMode::Whisper => SupervisorMode::Whisper,
        };
        let (agent, extension) = (number(asked.agent)?, number(asked.extension)?);
        let supervise = Supervise {
            agent: agent.as_str().into(),
            extension: extension.as_str().into(),
            mode,
            by: who(asked.requested_by, from)?,
        };
        match self.switch.ask(request::Request::Supervise(supervise)).await? {
            Reply::Dialled(call) => {
                Ok(Response::new(proto::SuperviseResponse { call_id: call.to_string() }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn transfer(
        &self,
        request: Request<proto::TransferRequest>,
    ) -> Result<Response<proto::TransferResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (leg, to) = (leg_id(&asked.leg_id)?, number(asked.to)?);
        let by = who(asked.requested_by, from)?;
        self.order(request::Request::Transfer { leg, to, by }).await?;
        Ok(Response::new(proto::TransferResponse {}))
    }

    async fn hold(
        &self,
        request: Request<proto::HoldRequest>,
    ) -> Result<Response<proto::HoldResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (leg, by) = (leg_id(&asked.leg_id)?, who(asked.requested_by, from)?);
        self.order(request::Request::Hold { leg, hold: true, by }).await?;
        Ok(Response::new(proto::HoldResponse {}))
    }

    async fn resume(
        &self,
        request: Request<proto::ResumeRequest>,
    ) -> Result<Response<proto::ResumeResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (leg, by) = (leg_id(&asked.leg_id)?, who(asked.requested_by, from)?);
        self.order(request::Request::Hold { leg, hold: false, by }).await?;
        Ok(Response::new(proto::ResumeResponse {}))
    }

    async fn pause_recording(
        &self,
        request: Request<proto::PauseRecordingRequest>,
    ) -> Result<Response<proto::PauseRecordingResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (leg, by) = (leg_id(&asked.leg_id)?, who(asked.requested_by, from)?);
        self.order(request::Request::PauseRecording { leg, pause: true, by }).await?;
        Ok(Response::new(proto::PauseRecordingResponse {}))
    }

    async fn resume_recording(
        &self,
        request: Request<proto::ResumeRecordingRequest>,
    ) -> Result<Response<proto::ResumeRecordingResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (leg, by) = (leg_id(&asked.leg_id)?, who(asked.requested_by, from)?);
        self.order(request::Request::PauseRecording { leg, pause: false, by }).await?;
        Ok(Response::new(proto::ResumeRecordingResponse {}))
    }
}

impl Service {
    async fn order(&self, order: request::Request) -> Result<(), Status> {
        match self.switch.ask(order).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

/// A number that a phone could dial.
fn number(text: String) -> Result<String, Status> {
    let good = |key: char| key.is_ascii_alphanumeric() || "*#+-_.".contains(key);
    if text.is_empty() || text.len() > NUMBER_BYTES_MAX || !text.chars().all(good) {
        return Err(Status::invalid_argument(format!("`{text}` cannot be dialled")));
    }
    Ok(text)
}

/// Bytes of a number.
const NUMBER_BYTES_MAX: usize = 64;

pub fn call(view: CallView) -> proto::Call {
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
        Stage::InConference { conference } => {
            call.conference = Some(conference.to_string());
            CallStage::InConference
        }
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
        LegState::Held => proto::LegState::Held,
        LegState::Holding => proto::LegState::Holding,
        LegState::Ending => proto::LegState::Ending,
    };
    proto::CallLeg {
        leg_id: view.leg.to_string(),
        extension: name(view.extension.as_ref()),
        agent: name(view.agent.as_ref()),
        state: state.into(),
        trunk: name(view.trunk.as_ref()),
        quality: view.quality.map(quality),
        one_way: view.one_way,
        supervisor_mode: view.supervises.map(|mode| supervisor_mode(mode).into()),
    }
}
