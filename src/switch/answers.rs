//! What people and programs ask, answered from the state of this moment.

use crate::call::{Call, Order, Stage as CallStage};
use crate::cdr::entry::Direction;
use crate::id::{ExtensionId, QueueId};
use crate::switch::request::{
    CallView, ContactView, LegState, LegView, NodeStatus, PhoneView, QueueView, Refusal, Reply,
    Request, Stage,
};
use crate::switch::{Output, Switch};
use crate::time::Instant;

impl Switch {
    pub(super) fn answer(
        &mut self,
        now: Instant,
        request: Request,
        out: &mut Vec<Output>,
    ) -> Reply {
        match request {
            Request::Agent(agent) => match self.parts.acd.agent(&agent) {
                Some(view) => Reply::Agent(self.agent_view(view)),
                None => Reply::Refused(Refusal::UnknownAgent(agent)),
            },
            Request::Agents => {
                let agents = self.parts.acd.agents();
                Reply::Agents(agents.into_iter().map(|view| self.agent_view(view)).collect())
            }
            Request::Callbacks { queue } => answered(self.callback_views(queue)),
            Request::CancelCallback { call, by } => {
                answered(self.cancel_callback(now, (call, by), out))
            }
            Request::Callers { queue, most } => answered(self.caller_views(now, queue, most)),
            Request::Calls => {
                let mut calls: Vec<_> =
                    self.calls.values().map(|call| self.call_view(call)).collect();
                calls.sort_by_key(|call| call.call);
                Reply::Calls(calls)
            }
            Request::Conferences => Reply::Conferences(self.conference_views()),
            Request::ChangeAgent { agent, change, by } => {
                answered(self.order_agent(now, agent, change, by, out).map(Reply::Agent))
            }
            Request::Drain { on } => {
                self.draining = on || self.stopping;
                tracing::info!(draining = self.draining, "drain ordered");
                Reply::Status(self.status(now))
            }
            Request::Dial(dial) => answered(self.order_call(now, dial, out)),
            Request::HangUp { call, by } => answered(self.order_end(now, (call, by), out)),
            Request::Hold { leg, hold, by } => {
                let order = if hold { Order::Hold } else { Order::Resume };
                answered(self.order_leg(now, (leg, order, by), out))
            }
            Request::Look(subjects) => {
                let seen = subjects.into_iter().map(|subject| {
                    let view = self.look(now, &subject);
                    (subject, view)
                });
                Reply::Seen(seen.collect())
            }
            Request::MoveCaller { call, queue, by } => {
                answered(self.order_move(now, (call, queue, by), out))
            }
            Request::Prioritise { call, credit, by } => {
                answered(self.order_priority(now, (call, credit, by), out))
            }
            Request::Member { leg, order, by } => {
                answered(self.order_leg(now, (leg, Order::Member(order), by), out))
            }
            Request::PauseRecording { leg, pause, by } => {
                answered(self.order_leg(now, (leg, Order::PauseRecording(pause), by), out))
            }
            Request::Phones => Reply::Phones(self.phone_views()),
            Request::Queues => Reply::Queues(self.queue_views(now)),
            Request::Supervise(supervise) => answered(self.order_supervision(now, supervise, out)),
            Request::Status => Reply::Status(self.status(now)),
            Request::Transfer { leg, to, by } => {
                answered(self.order_leg(now, (leg, Order::Transfer { to }, by), out))
            }
            Request::Trunks => Reply::Trunks(self.trunk_views(now)),
        }
    }

    pub(super) fn call_view(&self, call: &Call) -> CallView {
        let caller = call.caller();
        let legs = call.legs().map(|leg| LegView {
            leg: leg.id,
            extension: leg.extension.clone(),
            agent: leg.agent.clone(),
            trunk: leg.trunk.clone(),
            quality: leg.sound.quality,
            one_way: leg.sound.one_way,
            supervises: call
                .supervisors()
                .iter()
                .find(|supervisor| supervisor.leg == leg.id)
                .map(|supervisor| supervisor.mode),
            state: match leg {
                leg if leg.is_leaving() => LegState::Ending,
                leg if leg.is_ringing() => LegState::Ringing,
                leg if !leg.is_confirmed() => LegState::Trying,
                leg if leg.audio().is_held() => LegState::Holding,
                leg if leg.audio().wants_hold() => LegState::Held,
                _ => LegState::Answered,
            },
        });
        let out = call.legs().skip(1).find_map(|leg| leg.trunk.clone());
        CallView {
            call: call.id(),
            direction: match (call.direction(), &out) {
                (Direction::Internal, Some(_)) => Direction::Outbound,
                (direction, _) => direction,
            },
            from: caller.number.clone(),
            name: caller.name.clone(),
            extension: caller.extension().cloned(),
            trunk: caller.trunk().cloned().or(out),
            to: caller.dialled.clone(),
            began: self.wall(call.began()),
            answered: call.answered().map(|at| self.wall(at)),
            stage: self.stage_view(call),
            recorded: call.is_recording(),
            legs: legs.collect(),
        }
    }

    fn stage_view(&self, call: &Call) -> Stage {
        match call.stage() {
            CallStage::Camping(_) => Stage::Listening { prompt: "hold".into() },
            CallStage::Conference(conference) => {
                Stage::InConference { conference: conference.clone() }
            }
            CallStage::Confirming(_) => Stage::Listening { prompt: "callback-confirm".into() },
            CallStage::Dialling(_) => Stage::Listening { prompt: "agent-id".into() },
            CallStage::Echo => Stage::Listening { prompt: "echo".into() },
            CallStage::Ending(_) => Stage::Ending,
            CallStage::Listening { prompt, .. } => Stage::Listening { prompt: prompt.clone() },
            CallStage::Menu(menu) => Stage::InMenu { menu: menu.menu().clone() },
            CallStage::Outgoing(_) | CallStage::Ringing(_) => Stage::Ringing,
            CallStage::Parked(parked) => Stage::Parked { slot: parked.slot },
            CallStage::Routing => Stage::Routing,
            CallStage::Talking(talking) => Stage::Talking { with: talking.peer },
            CallStage::Waiting(waiting) => {
                let position = self.parts.acd.position(call.id()).unwrap_or(0);
                Stage::InQueue { queue: waiting.queue.clone(), position }
            }
        }
    }

    fn phone_views(&self) -> Vec<PhoneView> {
        let extensions = self.plan.extensions.keys();
        extensions.filter_map(|extension| self.phone_view(extension)).collect()
    }

    pub(super) fn phone_view(&self, extension: &ExtensionId) -> Option<PhoneView> {
        let registrar = &self.parts.registrar;
        let account = self.plan.extensions.get(extension)?;
        Some(PhoneView {
            extension: extension.clone(),
            name: account.name.clone(),
            calls: self.occupied.get(extension).copied().unwrap_or(0),
            services: self.services.get(extension).cloned().unwrap_or_default(),
            contacts: (registrar.all(extension).into_iter())
                .map(|binding| ContactView {
                    address: format!(
                        "{}://{}",
                        binding.path.flow.transport.param(),
                        binding.path.flow.remote
                    ),
                    registered: self.wall(binding.registered_at),
                    expires: self.wall(binding.expires_at),
                    uri: binding.contact,
                    user_agent: binding.user_agent,
                })
                .collect(),
        })
    }

    fn queue_views(&self, now: Instant) -> Vec<QueueView> {
        let queues = self.plan.acd.queues.keys();
        queues.filter_map(|queue| self.queue_view(now, queue)).collect()
    }

    pub(super) fn queue_view(&self, now: Instant, queue: &QueueId) -> Option<QueueView> {
        let config = self.plan.acd.queues.get(queue)?;
        let figures = self.parts.acd.figures(queue)?;
        Some(QueueView {
            queue: queue.clone(),
            number: config.number.clone(),
            strategy: figures.strategy.name().to_owned(),
            waiting: figures.waiting,
            callbacks: self.callbacks.in_line(queue),
            longest_wait: figures.oldest.map(|oldest| now.since(oldest)).unwrap_or_default(),
            agents_logged_in: figures.logged_in,
            agents_available: figures.free,
            agents_busy: figures.busy,
        })
    }

    fn status(&self, now: Instant) -> NodeStatus {
        let queues = self.parts.acd.queues();
        let legs = self.calls.values().map(|call| call.legs().len() as u64).sum();
        let defence = self.defence.figures();
        NodeStatus {
            name: self.parts.name.clone(),
            started: self.wall(Instant::START),
            uptime: now.since(Instant::START),
            config: self.plan.version,
            calls: self.calls.len() as u64,
            legs,
            dialogs: self.legs.len() as u64,
            transactions: self.parts.transactions.len() as u64,
            registrations: self.parts.registrar.len() as u64,
            subscriptions: self.lamps.notifier.len() as u64,
            one_way_total: self.one_way_total,
            notifies_total: self.lamps.notifier.notifies(),
            ports_taken: self.ports.taken() as u64,
            ports_spare: self.ports.spare() as u64,
            draining: self.draining,
            recordings: self.calls.values().filter(|call| call.is_recording()).count() as u64,
            waiting: queues.iter().map(|queue| queue.callers.len() as u64).sum(),
            calls_total: self.calls_total,
            calls_refused: self.calls_refused,
            denied: defence.denied,
            dropped: defence.dropped,
            lock_outs: defence.lock_outs,
            crowded: self.parts.transactions.crowded(),
        }
    }
}

fn answered(reply: Result<Reply, Refusal>) -> Reply {
    reply.unwrap_or_else(Reply::Refused)
}
