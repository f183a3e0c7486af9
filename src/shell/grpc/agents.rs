//! `strowger.v1.Agents`.

use tonic::{Request, Response, Status};

use super::convert::{agent_state, name, time};
use super::handle::{SwitchHandle, unexpected};
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

    async fn change(
        &self,
        request: Request<proto::ChangeAgentRequest>,
    ) -> Result<Response<proto::ChangeAgentResponse>, Status> {
        let order = order(request.into_inner())?;
        match self.switch.ask(order).await? {
            Reply::Agent(changed) => {
                let agent = Some(agent(changed));
                Ok(Response::new(proto::ChangeAgentResponse { agent }))
            }
            other => Err(unexpected(&other)),
        }
    }
}

fn order(asked: proto::ChangeAgentRequest) -> Result<request::Request, Status> {
    let change = asked.change();
    let proto::ChangeAgentRequest { agent, extension, reason, .. } = asked;
    if agent.is_empty() {
        return Err(Status::invalid_argument("name the agent"));
    }
    if reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        return Err(Status::invalid_argument("a reason has at most 64 bytes"));
    }
    let change = match change {
        proto::AgentChange::Unspecified => {
            return Err(Status::invalid_argument("name the change"));
        }
        proto::AgentChange::Available => AgentChange::Available,
        proto::AgentChange::Away => AgentChange::Away { reason },
        proto::AgentChange::LogIn => {
            AgentChange::LogIn { extension: extension.as_deref().map(Into::into) }
        }
        proto::AgentChange::LogOut => AgentChange::LogOut,
        proto::AgentChange::WrapUpDone => AgentChange::WrapUpDone,
    };
    Ok(request::Request::ChangeAgent { agent: agent.as_str().into(), change })
}

/// Bytes of a reason for being away.
const REASON_BYTES_MAX: usize = 64;

fn agent(view: AgentView) -> Agent {
    Agent {
        agent: view.agent.to_string(),
        name: view.name,
        state: agent_state(view.state),
        reason: view.reason,
        since: Some(time(view.since)),
        extension: name(view.extension.as_ref()),
        queues: view.queues.iter().map(ToString::to_string).collect(),
        call_id: name(view.call.as_ref()),
    }
}
