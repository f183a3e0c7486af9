//! Orders about calls: whether they can be had, and who carries them out.
//!
//! A call that is ordered for an account has the account's rights and limits, as if its phone had
//! dialled; feature codes and emergency numbers are dialled by people only.

use crate::call::{Call, Caller, Order, OrderError, Ordered, Output as CallOutput};
use crate::id::Target;
use crate::id::{CallId, LegId, QueueId};
use crate::route::rules::{Call as Dialled, Dest};
use crate::switch::request::{Dial, Refusal, Reply};
use crate::switch::{Output, Switch};
use crate::time::{Duration, Instant};

impl Switch {
    /// Calls a number for an account, whose own phones ring first.
    pub(super) fn order_call(
        &mut self,
        now: Instant,
        dial: Dial,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let plan = self.plan.clone();
        let Dial { extension, to, caller_id, auto_answer, by } = dial;
        let account = plan.extensions.get(&extension);
        let account = account.ok_or_else(|| Refusal::UnknownExtension(extension.clone()))?;
        let caller = Caller::of_account(&extension, &account.name, caller_id, to.clone());
        let decision = plan.routes.find(&Dialled {
            from: &caller.number,
            to: &to,
            extension: Some(&extension),
            trunk: None,
            at: self.wall(now),
        });
        match decision.target {
            Dest::Target(Target::Hangup(_)) => return Err(Refusal::NoWay(to)),
            Dest::Code(_) | Dest::Emergency => return Err(Refusal::ByPhoneOnly(to)),
            Dest::Target(_) => {}
        }
        let route = (decision.rule, decision.target);
        let wish = None;
        self.order_for(now, Ordered { by, caller, extension, route, wish, auto_answer }, out)
    }

    /// Rings an account's phones for a call that somebody orders.
    pub(super) fn order_for(
        &mut self,
        now: Instant,
        ordered: Ordered,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let Ordered { caller, extension, .. } = &ordered;
        if self.parts.registrar.targets(extension).is_empty() {
            return Err(Refusal::NotRegistered(extension.clone()));
        }
        if !self.has_room(caller) || self.ports.thread().is_none() {
            return Err(Refusal::NoRoom);
        }
        let id = self.call_ids.next(self.wall(now).as_micros());
        let dialled = (extension.clone(), caller.dialled.as_str());
        if let Some(reason) = self.forbidden(now, id, dialled, &ordered.route.1, out) {
            let (extension, number) = (extension.clone(), caller.dialled.clone());
            return Err(Refusal::Forbidden { extension, number, reason: reason.to_owned() });
        }
        let plan = self.plan.clone();
        let (mut steps, mut site) = (Vec::new(), self.site());
        let call = Call::ordered(now, id, ordered, plan, &mut site, &mut steps);
        let call = call.ok_or(Refusal::NoRoom)?;
        self.calls_total += 1;
        self.calls.insert(id, Box::new(call));
        self.carried_out(now, id, steps, out);
        Ok(Reply::Dialled(id))
    }

    /// Carries out what a call asked for when it was ordered something.
    pub(super) fn carried_out(
        &mut self,
        now: Instant,
        id: CallId,
        steps: Vec<CallOutput>,
        out: &mut Vec<Output>,
    ) {
        self.carry_out(now, steps, out);
        self.follow_call(now, id, out);
        self.tidy(id);
    }

    /// Has something done about a leg.
    pub(super) fn order_leg(
        &mut self,
        now: Instant,
        (leg, order, by): (LegId, Order, String),
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let id = self.home(leg);
        let is_there = |call: &Call| call.legs().any(|it| it.id == leg);
        if !self.calls.get(&id).map(AsRef::as_ref).is_some_and(is_there) {
            return Err(Refusal::UnknownLeg(leg));
        }
        let mut steps = Vec::new();
        let obeyed = self
            .with_call(id, |call, site| call.obey(now, site, (leg, order.clone(), by), &mut steps));
        self.carried_out(now, id, steps, out);
        match obeyed {
            Some(Ok(())) => Ok(Reply::Done),
            Some(Err(error)) => Err(refusal(leg, order, error)),
            None => Err(Refusal::UnknownLeg(leg)),
        }
    }

    /// Gives a call that waits another priority.
    pub(super) fn order_priority(
        &mut self,
        now: Instant,
        (id, credit, by): (CallId, Duration, String),
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let mut steps = Vec::new();
        let position = self
            .with_call(id, |call, site| call.prioritise(now, site, (credit, by), &mut steps))
            .ok_or(Refusal::UnknownCall(id))?;
        self.carried_out(now, id, steps, out);
        position.map(Reply::Position).ok_or(Refusal::NotWaiting(id))
    }

    /// Sends a call that waits to another queue.
    pub(super) fn order_move(
        &mut self,
        now: Instant,
        (id, queue, by): (CallId, QueueId, String),
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let Some(call) = self.calls.get(&id) else { return Err(Refusal::UnknownCall(id)) };
        if !call.knows_queue(&queue) {
            return Err(Refusal::UnknownQueue(queue));
        }
        // He stays where he is rather than be sent on from there at once.
        if let Err(why) = self.parts.acd.has_place(&queue) {
            return Err(Refusal::NoPlace { queue, why: why.to_string() });
        }
        let mut steps = Vec::new();
        let moved =
            self.with_call(id, |call, site| call.send_to_queue(now, site, (queue, by), &mut steps));
        self.carried_out(now, id, steps, out);
        let moved = moved.is_some_and(|moved| moved);
        if moved { Ok(Reply::Done) } else { Err(Refusal::NotWaiting(id)) }
    }

    /// Ends a call.
    pub(super) fn order_end(
        &mut self,
        now: Instant,
        (id, by): (CallId, String),
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let mut steps = Vec::new();
        let ended = self.with_call(id, |call, site| call.hang_up(now, site, by, &mut steps));
        ended.ok_or(Refusal::UnknownCall(id))?;
        self.carried_out(now, id, steps, out);
        Ok(Reply::HungUp)
    }
}

fn refusal(leg: LegId, order: Order, error: OrderError) -> Refusal {
    match (order, error) {
        (Order::Transfer { to }, OrderError::NoWay(404)) => Refusal::NoWay(to),
        _ => Refusal::LegState { leg, why: error.to_string() },
    }
}
