//! `strowger.v1.Agents`.

use std::net::SocketAddr;

use tonic::{Request, Response, Status};

use super::convert::{agent_state, duration, name, time};
use super::decision::passed_why;
use super::handle::{SwitchHandle, unexpected};
use super::who::who;
use crate::shell::proto::agents_server::Agents;
use crate::shell::proto::{self, Agent};
use crate::switch::request::{self, AgentChange, AgentView, Reply};

pub struct Service {
    pub switch: SwitchHandle,
}

#[tonic::async_trait]
impl Agents for Service {
    async fn list(
        &self,
        _: Request<proto::ListAgentsRequest>,
    ) -> Result<Response<proto::ListAgentsResponse>, Status> {
        match self.switch.ask(request::Request::Agents).await? {
            Reply::Agents(agents) => {
                let agents = agents.into_iter().map(agent).collect();
                Ok(Response::new(proto::ListAgentsResponse { agents }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn get(
        &self,
        request: Request<proto::GetAgentRequest>,
    ) -> Result<Response<proto::GetAgentResponse>, Status> {
        let named = request.into_inner().agent;
        if named.len() > NAME_BYTES_MAX {
            return Err(Status::not_found("there is no such agent"));
        }
        match self.switch.ask(request::Request::Agent(named.as_str().into())).await? {
            Reply::Agent(found) => {
                Ok(Response::new(proto::GetAgentResponse { agent: Some(agent(found)) }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn change(
        &self,
        request: Request<proto::ChangeAgentRequest>,
    ) -> Result<Response<proto::ChangeAgentResponse>, Status> {
        let from = request.remote_addr();
        let order = order(request.into_inner(), from)?;
        match self.switch.ask(order).await? {
            Reply::Agent(changed) => {
                let agent = Some(agent(changed));
                Ok(Response::new(proto::ChangeAgentResponse { agent }))
            }
            other => Err(unexpected(&other)),
        }
    }
}

fn order(
    asked: proto::ChangeAgentRequest,
    from: Option<SocketAddr>,
) -> Result<request::Request, Status> {
    let change = asked.change();
    let proto::ChangeAgentRequest { agent, extension, reason, requested_by, .. } = asked;
    let by = who(requested_by, from)?;
    if agent.is_empty() {
        return Err(Status::invalid_argument("name the agent"));
    }
    if reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        return Err(Status::invalid_argument("a reason has at most 64 bytes"));
    }
    if reason.as_ref().is_some_and(|reason| reason.chars().any(char::is_control)) {
        return Err(Status::invalid_argument("a reason is text of one line"));
    }
    let reason = reason.filter(|reason| !reason.is_empty());
    let change = match change {
        proto::AgentChange::Unspecified => {
            return Err(Status::invalid_argument("name the change"));
        }
        proto::AgentChange::Available => AgentChange::Available,
        proto::AgentChange::Away => AgentChange::Away { reason },
        proto::AgentChange::AwayAnyway => AgentChange::AwayAnyway { reason },
        proto::AgentChange::LogIn => {
            AgentChange::LogIn { extension: extension.as_deref().map(Into::into) }
        }
        proto::AgentChange::LogOut => AgentChange::LogOut,
        proto::AgentChange::WrapUpDone => AgentChange::WrapUpDone,
        proto::AgentChange::WrapUpExtend => AgentChange::WrapUpExtend,
    };
    Ok(request::Request::ChangeAgent { agent: agent.as_str().into(), change, by })
}

/// Bytes of an agent's name that is looked for.
const NAME_BYTES_MAX: usize = 256;
/// Bytes of a reason for being away.
const REASON_BYTES_MAX: usize = 64;

pub fn agent(view: AgentView) -> Agent {
    Agent {
        agent: view.agent.to_string(),
        name: view.name,
        state: agent_state(view.state),
        reason: view.reason,
        since: Some(time(view.since)),
        extension: name(view.extension.as_ref()),
        queues: view.queues.iter().map(ToString::to_string).collect(),
        call_id: name(view.call.as_ref()),
        free: view.held_back.is_none(),
        held_back: view.held_back.map_or(0, passed_why),
        until: view.until.map(time),
        then: view.then.map_or(0, agent_state),
        break_held: view.break_held,
        calls_answered: view.calls,
        talked: Some(duration(view.talked)),
    }
}
