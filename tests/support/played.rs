//! A Switch that is played, for tests of what stands before it.

use strowger::cdr::decision::PassedWhy;
use strowger::cdr::entry::AgentState;
use strowger::id::CallId;
use strowger::shell::grpc::handle::Asked;
use strowger::switch::request::{
    AgentChange, AgentView, CallerView, NodeStatus, QueueView, Refusal, Reload, Reply, Request,
    Subject, View,
};
use strowger::time::{Duration, Wall};

/// Answers as a Switch could that has one agent and three calls, but does not tell which.
pub fn played(asked: Asked) -> bool {
    match asked {
        Asked::Reload { reply } => {
            let mistakes = vec!["strowger.toml:1:1: unknown key".to_owned()];
            reply.send(Reload::Refused { mistakes }).unwrap();
        }
        Asked::Switch { request, reply } => {
            let answer = match request {
                Request::Agent(_) => Reply::Agent(agent(AgentState::Available, None)),
                Request::Agents => Reply::Agents(vec![agent(AgentState::Available, None)]),
                Request::Callers { queue, .. } if queue.as_str() != "sales" => {
                    Reply::Refused(Refusal::UnknownQueue(queue))
                }
                Request::Callers { most, .. } => Reply::Callers(vec![caller(most)], 2000),
                Request::ChangeAgent { agent: id, change, .. } => match change {
                    AgentChange::Away { reason } if id.as_str() == "17" => {
                        Reply::Agent(agent(AgentState::Away, reason))
                    }
                    _ => Reply::Refused(Refusal::UnknownAgent(id)),
                },
                Request::Dial(dial) => match dial.extension.as_str() {
                    "1001" => Reply::Dialled(CallId::from_u64(7)),
                    "1002" => Reply::Refused(Refusal::NotRegistered(dial.extension)),
                    _ => Reply::Refused(Refusal::UnknownExtension(dial.extension)),
                },
                Request::Calls => Reply::Calls(Vec::new()),
                Request::Look(subjects) => {
                    let seen = subjects.into_iter().map(|subject| {
                        let view = look(&subject);
                        (subject, view)
                    });
                    Reply::Seen(seen.collect())
                }
                Request::Phones => Reply::Phones(Vec::new()),
                Request::Queues => Reply::Queues(Vec::new()),
                Request::Trunks => Reply::Trunks(Vec::new()),
                Request::Hold { leg, hold: true, by } => {
                    Reply::Refused(Refusal::LegState { leg, why: format!("{by} asks") })
                }
                Request::Hold { .. } | Request::Transfer { .. } => Reply::Done,
                Request::Status => {
                    Reply::Status(NodeStatus { calls: 3, config: 1, ..NodeStatus::default() })
                }
                _ => return true, // the place for the answer is dropped
            };
            reply.send(answer).unwrap();
        }
    }
    true
}

/// What became of things since the first look: the agent is away, and a queue is there.
fn look(subject: &Subject) -> Option<View> {
    match subject {
        Subject::Agent(agent) if agent.as_str() == "17" => {
            Some(View::Agent(self::agent(AgentState::Away, None)))
        }
        Subject::Queue(queue) => Some(View::Queue(QueueView {
            queue: queue.clone(),
            number: None,
            strategy: "linear".to_owned(),
            waiting: 3,
            callbacks: 0,
            longest_wait: Duration::from_secs(1),
            agents_logged_in: 1,
            agents_available: 0,
            agents_busy: 1,
        })),
        _ => None,
    }
}

/// A caller who tells by his place how many were asked for.
fn caller(most: usize) -> CallerView {
    CallerView {
        call: CallId::from_u64(9),
        position: u32::try_from(most).unwrap(),
        entered: Wall::from_micros(1),
        wait: Duration::from_secs(61),
        offers: 1,
        from: "1001".to_owned(),
        name: Some("Ann".to_owned()),
        extension: Some("1001".into()),
    }
}

fn agent(state: AgentState, reason: Option<String>) -> AgentView {
    AgentView {
        agent: "17".into(),
        name: "Wang Fang".to_owned(),
        state,
        reason,
        since: Wall::from_micros(1),
        extension: Some("1002".into()),
        queues: vec!["sales".into()],
        call: None,
        held_back: (state != AgentState::Available).then_some(PassedWhy::Away),
        until: None,
        break_held: false,
        then: None,
        calls: 7,
        talked: Duration::from_secs(90),
    }
}
