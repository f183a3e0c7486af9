//! What wallboards and commands show: read at any time, stops nobody.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::config::Strategy;
use super::core::Acd;
use super::event::State;
use super::line::Line;
use super::roster::Member;
use super::wish::is_there;
use super::word::{Agent, BREAK, BUSY, LEAVING, PAUSED, Phase, REACHABLE, WISH};
use crate::id::{AgentId, CallId, ExtensionId, QueueId};
use crate::time::{Duration, Instant};

/// An agent at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSnapshot {
    pub agent: AgentId,
    pub name: String,
    pub state: State,
    /// Why away, or why he goes away after the call; `callback` if he is held for a customer who is
    /// being called.
    pub reason: Option<String>,
    /// Where he sits.
    pub extension: Option<ExtensionId>,
    /// Since when he is in his state.
    pub since: Instant,
    /// When ringing, wrap-up or the pause after a refusal end.
    pub until: Option<Instant>,
    /// The call that rings or talks.
    pub call: Option<CallId>,
    /// The queue of the call that he talks in or works after.
    pub queue: Option<QueueId>,
    /// A phone is registered at his seat.
    pub reachable: bool,
    /// In a call that is not the ACD's.
    pub busy_elsewhere: bool,
    /// Left alone for a moment after he refused a call.
    pub paused: bool,
    /// What follows his call: `LoggedOut` or `Away`, if he asked for it.
    pub then: Option<State>,
    /// Whether his break waits for another agent to be there.
    pub break_held: bool,
    /// Whether he can be offered a call at this moment.
    pub free: bool,
    /// Calls answered since the node started.
    pub calls: u32,
    /// Time talked in finished calls since the node started.
    pub talked: Duration,
    pub queues: Vec<QueueId>,
}

/// A queue at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSnapshot {
    pub queue: QueueId,
    pub strategy: Strategy,
    pub callers: Vec<CallerSnapshot>,
    /// Members by state; those who are not logged in included.
    pub agents: Vec<(AgentId, State)>,
    /// Members who can be offered a call at this moment.
    pub free: u32,
}

/// How busy a queue is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLoad {
    pub waiting: u32,
    /// Callers it can hold.
    pub callers_max: u32,
    /// Whether any of its members is logged in.
    pub staffed: bool,
}

/// A queue in numbers at one moment, without names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFigures {
    pub strategy: Strategy,
    pub waiting: u32,
    /// When the one who waits longest came into it.
    pub oldest: Option<Instant>,
    /// Members in any state but logged out.
    pub logged_in: u32,
    /// Members who can be offered a call.
    pub free: u32,
    /// Members who ring, talk, or wrap up.
    pub busy: u32,
}

/// A caller in a queue at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CallerSnapshot {
    pub call: CallId,
    /// From 1.
    pub position: u32,
    /// When he came into this queue.
    pub entered: Instant,
    /// How many phones ring for him.
    pub offers: u32,
}

impl Acd {
    /// The configured agents, in the order of their ids.
    pub fn agents(&self) -> Vec<AgentSnapshot> {
        let roster = self.roster.load_full();
        let mut agents: Vec<_> = (0..roster.agents.len() as u32)
            .filter(|&number| roster.agents[number as usize].present)
            .map(|number| self.snapshot(number))
            .collect();
        agents.sort_by(|a, b| a.agent.cmp(&b.agent));
        agents
    }

    /// One agent, if he is configured.
    pub fn agent(&self, agent: &AgentId) -> Option<AgentSnapshot> {
        let roster = self.roster.load_full();
        let number = roster.agent_number(agent)?;
        roster.agents[number as usize].present.then(|| self.snapshot(number))
    }

    /// Who is logged in at a phone.
    pub fn seated(&self, extension: &ExtensionId) -> Option<AgentId> {
        let number = *self.seated.get(extension)?.value();
        let sits_there = self.seats.at(number).extension().as_ref() == Some(extension);
        let roster = self.roster.load();
        sits_there.then(|| roster.agents[number as usize].id.clone())
    }

    /// The configured queues, in the order of their ids.
    pub fn queues(&self) -> Vec<QueueSnapshot> {
        let roster = self.roster.load_full();
        let mut queues: Vec<_> = roster
            .queues
            .iter()
            .filter(|queue| queue.present)
            .map(|queue| {
                let word = |agent: u32| self.seats.at(agent).word.load();
                let mut agents: Vec<_> = queue
                    .members
                    .iter()
                    .map(|member| {
                        let id = roster.agents[member.agent as usize].id.clone();
                        (id, word(member.agent).phase().into())
                    })
                    .collect();
                agents.sort();
                QueueSnapshot {
                    queue: queue.id.clone(),
                    strategy: queue.strategy,
                    callers: queue.line.snapshot().collect(),
                    free: queue.members.iter().filter(|member| word(member.agent).is_free()).count()
                        as u32,
                    agents,
                }
            })
            .collect();
        queues.sort_by(|a, b| a.queue.cmp(&b.queue));
        queues
    }

    /// A queue in numbers, if it is configured.
    pub fn figures(&self, queue: &QueueId) -> Option<QueueFigures> {
        let roster = self.roster.load_full();
        let queue = &roster.queues[roster.queue_number(queue)? as usize];
        let waiting = queue.line.callers.iter().map(|entry| entry.value().entered);
        let mut figures = QueueFigures {
            strategy: queue.strategy,
            waiting: queue.line.len(),
            oldest: waiting.min(),
            logged_in: 0,
            free: 0,
            busy: 0,
        };
        for member in &queue.members {
            let word = self.seats.at(member.agent).word.load();
            let busy = matches!(word.phase(), Phase::Ringing | Phase::OnCall | Phase::WrapUp);
            figures.logged_in += u32::from(word.phase() != Phase::LoggedOut);
            figures.free += u32::from(word.is_free());
            figures.busy += u32::from(busy);
        }
        Some(figures)
    }

    /// The first `most` callers of a queue, and how many there are.
    pub fn callers(&self, queue: &QueueId, most: usize) -> Option<(Vec<CallerSnapshot>, u32)> {
        let roster = self.roster.load_full();
        let queue = &roster.queues[roster.queue_number(queue)? as usize];
        Some((queue.line.snapshot().take(most).collect(), queue.line.len()))
    }

    /// Whether anybody is there who takes the queue's calls, or will without doing anything before.
    pub fn is_attended(&self, queue: &QueueId) -> bool {
        let roster = self.roster.load_full();
        let Some(number) = roster.queue_number(queue) else { return false };
        let mut members = roster.queues[number as usize].members_in(&self.logged_in);
        members.any(|member| is_there(self.seats.at(member.agent).word.load()))
    }

    /// How busy a queue is, without who waits in it.
    pub fn load(&self, queue: &QueueId) -> Option<QueueLoad> {
        let roster = self.roster.load_full();
        let queue = &roster.queues[roster.queue_number(queue)? as usize];
        let is_there =
            |member: &Member| self.seats.at(member.agent).word.load().phase() != Phase::LoggedOut;
        Some(QueueLoad {
            waiting: queue.line.len(),
            callers_max: queue.callers_max,
            staffed: queue.members.iter().any(is_there),
        })
    }

    fn snapshot(&self, number: u32) -> AgentSnapshot {
        let roster = self.roster.load_full();
        let agent = &roster.agents[number as usize];
        let seat = self.seats.at(number);
        let word = seat.word.load();
        let phase = word.phase();
        let ends = matches!(phase, Phase::Ringing | Phase::WrapUp) || word.has(PAUSED);
        AgentSnapshot {
            agent: agent.id.clone(),
            name: agent.name.clone(),
            state: phase.into(),
            reason: match self.reason_of(number, phase.into()) {
                None if word.has(BREAK | WISH) => seat.reason(),
                reason => reason,
            },
            extension: seat.extension().filter(|_| phase != Phase::LoggedOut),
            since: seat.since.at(),
            until: ends.then(|| seat.until.at()),
            call: match phase {
                Phase::OnCall => Some(seat.call()),
                Phase::Ringing => self.callers.by_slot(word.slot()).map(|caller| caller.call),
                _ => None,
            },
            queue: matches!(phase, Phase::OnCall | Phase::WrapUp)
                .then(|| seat.queue.load(Ordering::Acquire)) // pairs with `Step::answered`
                .and_then(|queue| roster.queues.get(queue as usize))
                .map(|queue| queue.id.clone()),
            reachable: word.has(REACHABLE),
            busy_elsewhere: word.has(BUSY),
            paused: word.has(PAUSED),
            then: then(word),
            break_held: word.has(WISH),
            free: word.is_free(),
            calls: seat.calls.load(Ordering::Relaxed),
            talked: Duration::from_micros(seat.talked.load(Ordering::Relaxed)),
            queues: agent
                .queues
                .iter()
                .map(|&queue| roster.queues[queue as usize].id.clone())
                .collect(),
        }
    }
}

impl Line {
    /// Who waits, in order.
    fn snapshot(&self) -> impl Iterator<Item = CallerSnapshot> {
        (1..).zip(self.callers.iter()).map(|(position, entry)| CallerSnapshot {
            call: entry.value().call,
            position,
            entered: entry.value().entered,
            offers: entry.value().word.offers().unwrap_or(0),
        })
    }
}

/// What follows an agent's call.
pub(super) fn then(word: Agent) -> Option<State> {
    let away = word.has(BREAK | WISH).then_some(State::Away);
    if word.has(LEAVING) { Some(State::LoggedOut) } else { away }
}
