//! Call records and facts as the contract writes them.

use super::callback::{callback_part, told_of_callback};
use super::convert::{
    agent_order, agent_state, alarm_kind, direction, duration, forward_why, hung_up_by, join_why,
    name, offer_outcome, order_kind, park_left, supervisor_mode, time, transfer_outcome,
    trunk_state,
};
use super::decision::told_of_decisions;
use super::recording::{recording, told_of_recordings};
use super::visit::{told_of_visit, visit};
use crate::cdr::entry::{Blame, Entry, Fact, Quality};
use crate::cdr::record::{
    Attempt, CallRecord, Caller, ConferenceVisit, End, Forward, Hold, Join, Leg, MenuVisit, Offer,
    Order, Park, RouteTaken, SupervisorJoin, Talk, Transfer, WrapUp,
};
use crate::shell::ledger::{Body, Item};
use crate::shell::proto;
use crate::time::Duration;
use proto::delivery;
use proto::event::Fact as Told;

/// One item of the ledger as it is sent to a subscriber.
pub fn delivery(item: Item) -> proto::Delivery {
    let sequence = item.sequence;
    let item = match item.body {
        Body::Entry(entry) => delivery::Item::Event(event(entry)),
        Body::Record(call) => delivery::Item::Record(record(sequence, *call)),
    };
    proto::Delivery { sequence, item: Some(item) }
}

pub fn record(sequence: u64, record: CallRecord) -> proto::CallRecord {
    let talk = duration(record.talk());
    proto::CallRecord {
        schema: record.schema,
        sequence,
        call_id: record.call.to_string(),
        node: record.node,
        config: record.config,
        direction: record.direction.map_or(0, direction),
        caller: Some(caller(record.caller)),
        dialled: record.dialled,
        setup_time: record.times.setup.map(time),
        ring_time: record.times.ring.map(time),
        answer_time: record.times.answer.map(time),
        end_time: record.times.end.map(time),
        routes: record.routes.into_iter().map(route).collect(),
        menus: record.menus.into_iter().map(menu).collect(),
        collected: record.collected.into_iter().collect(),
        queues: record.queues.into_iter().map(visit).collect(),
        offers: record.offers.into_iter().map(offer).collect(),
        talks: record.talks.into_iter().map(|talk| talked(&talk)).collect(),
        holds: record.holds.into_iter().map(hold).collect(),
        wrap_ups: record.wrap_ups.into_iter().map(|work| wrap_up(&work)).collect(),
        recordings: record.recordings.into_iter().map(recording).collect(),
        legs: record.legs.into_iter().map(leg).collect(),
        end: record.ended.map(end),
        talk: Some(talk),
        omitted: record.omitted,
        transfers: record.transfers.into_iter().map(transfer).collect(),
        joins: record.joins.iter().map(join).collect(),
        parks: record.parks.into_iter().map(park).collect(),
        orders: record.orders.into_iter().map(order).collect(),
        conferences: record.conferences.into_iter().map(conference).collect(),
        supervisor_joins: record.supervisor_joins.into_iter().map(supervisor_join).collect(),
        trunk: name(record.trunk.as_ref()),
        did: record.did,
        attempts: record.attempts.into_iter().map(attempt).collect(),
        forwards: record.forwards.into_iter().map(forward).collect(),
        callback: record.callback.map(callback_part),
    }
}

pub fn caller(caller: Caller) -> proto::Caller {
    let Caller { number, e164, name: called, extension } = caller;
    proto::Caller { number, name: called, extension: name(extension.as_ref()), e164 }
}

fn route(taken: RouteTaken) -> proto::RouteTaken {
    let target = taken.target.to_string();
    proto::RouteTaken { time: Some(time(taken.at)), rule: taken.rule, target }
}

fn order(given: Order) -> proto::Order {
    proto::Order {
        time: Some(time(given.at)),
        order: order_kind(given.order),
        by: given.by,
        leg_id: name(given.leg.as_ref()),
        to: given.to,
    }
}

fn park(park: Park) -> proto::Park {
    proto::Park {
        leg_id: park.leg.to_string(),
        slot: park.slot.into(),
        extension: name(park.extension.as_ref()),
        start_time: Some(time(park.began)),
        end_time: park.ended.map(time),
        why: park.why.map_or(0, park_left),
    }
}

fn conference(visit: ConferenceVisit) -> proto::ConferenceVisit {
    proto::ConferenceVisit {
        leg_id: visit.leg.to_string(),
        conference: visit.conference.to_string(),
        began_time: Some(time(visit.began)),
        ended_time: visit.ended.map(time),
    }
}

fn supervisor_join(join: SupervisorJoin) -> proto::SupervisorJoin {
    proto::SupervisorJoin {
        leg_id: join.leg.to_string(),
        extension: join.extension.to_string(),
        agent: join.agent.to_string(),
        mode: supervisor_mode(join.mode).into(),
        began_time: Some(time(join.began)),
        ended_time: join.ended.map(time),
    }
}

fn menu(visit: MenuVisit) -> proto::MenuVisit {
    proto::MenuVisit {
        menu: visit.menu.to_string(),
        enter_time: Some(time(visit.entered)),
        keys: visit.keys,
    }
}

fn offer(offer: Offer) -> proto::Offer {
    proto::Offer {
        leg_id: offer.leg.to_string(),
        extension: offer.extension.to_string(),
        agent: name(offer.agent.as_ref()),
        queue: name(offer.queue.as_ref()),
        start_time: Some(time(offer.began)),
        ring_time: offer.rang.map(time),
        end_time: offer.ended.map(time),
        outcome: offer.outcome.map_or(0, offer_outcome),
    }
}

fn attempt(attempt: Attempt) -> proto::Attempt {
    proto::Attempt {
        leg_id: name(attempt.leg.as_ref()),
        trunk: attempt.trunk.to_string(),
        skipped: attempt.skipped,
        server: written(attempt.server),
        number: written(attempt.number),
        shown: written(attempt.shown),
        start_time: Some(time(attempt.began)),
        ring_time: attempt.rang.map(time),
        end_time: attempt.ended.map(time),
        outcome: attempt.outcome.map_or(0, offer_outcome),
        sip_status: attempt.status.map(u32::from),
    }
}

fn talked(talk: &Talk) -> proto::Talk {
    proto::Talk {
        leg_a_id: talk.a.to_string(),
        leg_b_id: talk.b.to_string(),
        extension: name(talk.extension.as_ref()),
        agent: name(talk.agent.as_ref()),
        start_time: Some(time(talk.began)),
        end_time: talk.ended.map(time),
    }
}

fn hold(hold: Hold) -> proto::Hold {
    proto::Hold {
        leg_id: hold.leg.to_string(),
        start_time: Some(time(hold.began)),
        end_time: hold.ended.map(time),
    }
}

fn forward(forward: Forward) -> proto::Forward {
    proto::Forward {
        time: Some(time(forward.at)),
        extension: forward.extension.to_string(),
        to: forward.to,
        why: forward_why(forward.why),
    }
}

fn join(join: &Join) -> proto::Join {
    proto::Join {
        time: Some(time(join.at)),
        leg_id: join.leg.to_string(),
        place_leg_id: join.place.to_string(),
        call_id: join.call.to_string(),
        why: join_why(join.why),
    }
}

fn transfer(transfer: Transfer) -> proto::Transfer {
    proto::Transfer {
        leg_id: transfer.leg.to_string(),
        extension: name(transfer.extension.as_ref()),
        agent: name(transfer.agent.as_ref()),
        to: transfer.to,
        start_time: Some(time(transfer.began)),
        end_time: transfer.ended.map(time),
        outcome: transfer.outcome.map_or(0, transfer_outcome),
    }
}

fn wrap_up(work: &WrapUp) -> proto::WrapUp {
    proto::WrapUp {
        agent: work.agent.to_string(),
        start_time: Some(time(work.began)),
        end_time: work.ended.map(time),
    }
}

fn leg(leg: Leg) -> proto::Leg {
    proto::Leg {
        leg_id: leg.leg.to_string(),
        sip_call_id: leg.sip_call_id,
        quality: leg.quality.map(quality),
        one_way: leg.one_way,
    }
}

/// What a leg's media counted, as the contract writes it.
pub fn quality(quality: Quality) -> proto::Quality {
    let time = |micros: u32| duration(Duration::from_micros(u64::from(micros)));
    let mos = |hundredths: Option<u16>| hundredths.map(|mos| f32::from(mos) / 100.0);
    let ratio = quality.received_burst_percent;
    proto::Quality {
        received: quality.received,
        received_lost: quality.received_lost,
        received_late: quality.received_late,
        received_duplicates: quality.received_duplicates,
        received_jitter: Some(time(quality.received_jitter_us)),
        received_jitter_max: Some(time(quality.received_jitter_max_us)),
        received_burst_ratio: (ratio > 0).then(|| ratio as f32 / 100.0),
        received_mos: mos(quality.received_mos),
        sent: quality.sent,
        sent_lost: quality.sent_lost,
        sent_missing: quality.sent_missing,
        sent_late: quality.sent_late,
        sent_jitter: Some(time(quality.sent_jitter_us)),
        sent_jitter_max: Some(time(quality.sent_jitter_max_us)),
        sent_mos: mos(quality.sent_mos),
        told_mos: mos(quality.told_mos),
        round_trip: quality.round_trip_us.map(time),
        blame: match quality.blame {
            Blame::Both => proto::Blame::Both,
            Blame::FromPhone => proto::Blame::FromPhone,
            Blame::None => proto::Blame::None,
            Blame::ToPhone => proto::Blame::ToPhone,
        }
        .into(),
        strangers: quality.strangers,
        forged: quality.forged,
        encrypted: quality.encrypted,
    }
}

fn end(end: End) -> proto::End {
    proto::End {
        by: hung_up_by(end.by),
        sip_status: (end.status != 0).then(|| u32::from(end.status)),
        q850_cause: u32::from(end.cause),
        reason: end.reason,
    }
}

/// A text, absent if it is empty.
pub fn written(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// One fact as the contract writes it.
pub fn event(entry: Entry) -> proto::Event {
    proto::Event {
        time: Some(time(entry.at)),
        call_id: name(entry.call.as_ref()),
        fact: Some(told(entry.fact)),
    }
}

/// Every fact has its arm here or in `told_rest`.
fn told(fact: Fact) -> Told {
    match fact {
        Fact::Agent { agent, from, to, reason, extension } => {
            Told::AgentChanged(proto::AgentChanged {
                agent: agent.to_string(),
                from: agent_state(from),
                to: agent_state(to),
                reason,
                extension: name(extension.as_ref()),
            })
        }
        Fact::Answered => Told::Answered(proto::Answered {}),
        Fact::Collected { values } => {
            Told::Collected(proto::Collected { values: values.into_iter().collect() })
        }
        Fact::Ended { by, status, cause, reason } => {
            Told::Ended(end(End { by, status, cause, reason }))
        }
        Fact::HoldBegan { leg } => Told::HoldBegan(proto::HoldBegan { leg_id: leg.to_string() }),
        Fact::HoldEnded { leg } => Told::HoldEnded(proto::HoldEnded { leg_id: leg.to_string() }),
        Fact::Key { menu, digit } => {
            Told::KeyPressed(proto::KeyPressed { menu: menu.to_string(), digit: digit.to_string() })
        }
        Fact::LegSetup { leg, sip_call_id } => {
            Told::LegSetup(proto::LegSetup { leg_id: leg.to_string(), sip_call_id })
        }
        Fact::LockedOut { address, seconds, every_account } => {
            Told::LockedOut(proto::LockedOut { address, seconds, every_account })
        }
        Fact::Media { leg, quality: counted } => Told::MediaCounted(proto::MediaCounted {
            leg_id: leg.to_string(),
            quality: Some(quality(counted)),
        }),
        Fact::Menu { menu } => Told::MenuEntered(proto::MenuEntered { menu: menu.to_string() }),
        Fact::Offered { leg, extension, agent, queue } => Told::Offered(proto::Offered {
            leg_id: leg.to_string(),
            extension: extension.to_string(),
            agent: name(agent.as_ref()),
            queue: name(queue.as_ref()),
        }),
        Fact::OfferEnded { leg, outcome } => Told::OfferEnded(proto::OfferEnded {
            leg_id: leg.to_string(),
            outcome: offer_outcome(outcome),
        }),
        Fact::OneWay { leg } => Told::OneWay(proto::OneWay { leg_id: leg.to_string() }),
        fact @ (Fact::AgentTold { .. }
        | Fact::MessageTold { .. }
        | Fact::PositionTold { .. }
        | Fact::Queued { .. }
        | Fact::QueueLeft { .. }
        | Fact::WaitTold { .. }) => told_of_visit(fact),
        Fact::TalkBegan { a, b, extension, agent } => Told::TalkBegan(proto::TalkBegan {
            leg_a_id: a.to_string(),
            leg_b_id: b.to_string(),
            extension: name(extension.as_ref()),
            agent: name(agent.as_ref()),
        }),
        Fact::TalkEnded { a, b } => {
            Told::TalkEnded(proto::TalkEnded { leg_a_id: a.to_string(), leg_b_id: b.to_string() })
        }
        Fact::Attempt { .. }
        | Fact::AttemptEnded { .. }
        | Fact::Trunk { .. }
        | Fact::TrunkSkipped { .. } => told_of_trunk(fact),
        rest => told_rest(rest),
    }
}

fn told_of_transfers(fact: Fact) -> Told {
    match fact {
        Fact::Forwarded { extension, to, why } => Told::Forwarded(proto::Forwarded {
            extension: extension.to_string(),
            to,
            why: forward_why(why),
        }),
        Fact::Joined { leg, place, other, why } => Told::Joined(proto::Joined {
            leg_id: leg.to_string(),
            place_leg_id: place.to_string(),
            call_id: other.to_string(),
            why: join_why(why),
        }),
        Fact::Ordered { order, by, leg, to } => Told::Ordered(proto::Ordered {
            order: order_kind(order),
            by,
            leg_id: name(leg.as_ref()),
            to,
        }),
        Fact::Parked { leg, slot, extension } => Told::Parked(proto::Parked {
            leg_id: leg.to_string(),
            slot: slot.into(),
            extension: name(extension.as_ref()),
        }),
        Fact::Unparked { leg, slot, why } => Told::Unparked(proto::Unparked {
            leg_id: leg.to_string(),
            slot: slot.into(),
            why: park_left(why),
        }),
        Fact::Transferred { leg, extension, agent, to } => Told::Transferred(proto::Transferred {
            leg_id: leg.to_string(),
            extension: name(extension.as_ref()),
            agent: name(agent.as_ref()),
            to,
        }),
        Fact::TransferEnded { leg, outcome } => Told::TransferEnded(proto::TransferEnded {
            leg_id: leg.to_string(),
            outcome: transfer_outcome(outcome),
        }),
        _ => unreachable!("`told_rest` gives none else"),
    }
}

fn told_rest(fact: Fact) -> Told {
    match fact {
        fact @ (Fact::RecordingBegan { .. }
        | Fact::RecordingConverted { .. }
        | Fact::RecordingDeleted { .. }
        | Fact::RecordingEnded { .. }
        | Fact::RecordingExported { .. }
        | Fact::RecordingKept { .. }
        | Fact::RecordingPaused { .. }
        | Fact::RecordingResumed { .. }
        | Fact::RecordingsFound { .. }) => told_of_recordings(fact),
        Fact::Ringing { leg } => Told::Ringing(proto::Ringing { leg_id: leg.to_string() }),
        Fact::Routed { rule, target } => {
            Told::Routed(proto::Routed { rule, target: target.to_string() })
        }
        fact @ Fact::Callback(_) => told_of_callback(fact),
        fact @ (Fact::Decided(_)
        | Fact::Overflowed { .. }
        | Fact::RulesPassed(_)
        | Fact::Widened { .. }) => told_of_decisions(fact),
        fact @ Fact::Setup { .. } => told_setup(fact),
        fact @ (Fact::Forwarded { .. }
        | Fact::Joined { .. }
        | Fact::Ordered { .. }
        | Fact::Parked { .. }
        | Fact::Transferred { .. }
        | Fact::TransferEnded { .. }
        | Fact::Unparked { .. }) => told_of_transfers(fact),
        fact @ (Fact::AgentOrdered { .. }
        | Fact::Alarm { .. }
        | Fact::BreakHeld { .. }
        | Fact::HeldTooLong { .. }
        | Fact::ConferenceJoined { .. }
        | Fact::ConferenceLeft { .. }
        | Fact::Supervised { .. }
        | Fact::SupervisionEnded { .. }
        | Fact::WrapUpBegan { .. }
        | Fact::WrapUpEnded { .. }) => told_of_people(fact),
        Fact::Agent { .. }
        | Fact::Answered
        | Fact::Attempt { .. }
        | Fact::AttemptEnded { .. }
        | Fact::Collected { .. }
        | Fact::Ended { .. }
        | Fact::HoldBegan { .. }
        | Fact::HoldEnded { .. }
        | Fact::Key { .. }
        | Fact::LegSetup { .. }
        | Fact::LockedOut { .. }
        | Fact::Media { .. }
        | Fact::Menu { .. }
        | Fact::Offered { .. }
        | Fact::OfferEnded { .. }
        | Fact::OneWay { .. }
        | Fact::AgentTold { .. }
        | Fact::MessageTold { .. }
        | Fact::PositionTold { .. }
        | Fact::WaitTold { .. }
        | Fact::Queued { .. }
        | Fact::QueueLeft { .. }
        | Fact::TalkBegan { .. }
        | Fact::TalkEnded { .. }
        | Fact::Trunk { .. }
        | Fact::TrunkSkipped { .. } => unreachable!("`told` has them"),
    }
}

fn told_of_people(fact: Fact) -> Told {
    match fact {
        Fact::AgentOrdered { agent, order, by, reason, extension } => {
            Told::AgentOrdered(proto::AgentOrdered {
                agent: agent.to_string(),
                change: agent_order(order),
                by,
                reason,
                extension: name(extension.as_ref()),
            })
        }
        Fact::Alarm { queue, kind, raised, value, limit } => {
            let (queue, kind) = (queue.to_string(), alarm_kind(kind));
            Told::Alarm(proto::Alarm { queue, kind, raised, value, limit })
        }
        Fact::HeldTooLong { leg, agent, queue } => Told::HeldTooLong(proto::HeldTooLong {
            leg_id: leg.to_string(),
            agent: agent.to_string(),
            queue: queue.to_string(),
        }),
        Fact::BreakHeld { agent, queue, refused } => {
            let (agent, queue) = (agent.to_string(), queue.to_string());
            Told::BreakHeld(proto::BreakHeld { agent, queue, refused })
        }
        Fact::ConferenceJoined { leg, conference } => {
            let (leg_id, conference) = (leg.to_string(), conference.to_string());
            Told::ConferenceJoined(proto::ConferenceJoined { leg_id, conference })
        }
        Fact::ConferenceLeft { leg, conference } => {
            let (leg_id, conference) = (leg.to_string(), conference.to_string());
            Told::ConferenceLeft(proto::ConferenceLeft { leg_id, conference })
        }
        Fact::Supervised { leg, extension, agent, of, mode } => {
            Told::Supervised(proto::Supervised {
                leg_id: leg.to_string(),
                extension: extension.to_string(),
                agent: agent.to_string(),
                agent_leg_id: of.to_string(),
                mode: supervisor_mode(mode).into(),
            })
        }
        Fact::SupervisionEnded { leg } => {
            Told::SupervisionEnded(proto::SupervisionEnded { leg_id: leg.to_string() })
        }
        Fact::WrapUpBegan { agent } => {
            Told::WrapUpBegan(proto::WrapUpBegan { agent: agent.to_string() })
        }
        Fact::WrapUpEnded { agent } => {
            Told::WrapUpEnded(proto::WrapUpEnded { agent: agent.to_string() })
        }
        _ => unreachable!("`told_rest` gives these alone"),
    }
}

fn told_of_trunk(fact: Fact) -> Told {
    match fact {
        Fact::Attempt { leg, trunk, server, number, shown } => {
            let (leg_id, trunk) = (leg.to_string(), trunk.to_string());
            Told::AttemptBegan(proto::AttemptBegan { leg_id, trunk, server, number, shown })
        }
        Fact::AttemptEnded { leg, outcome, status } => Told::AttemptEnded(proto::AttemptEnded {
            leg_id: leg.to_string(),
            outcome: offer_outcome(outcome),
            sip_status: status.map(u32::from),
        }),
        Fact::Trunk { trunk, state, why } => Told::TrunkChanged(proto::TrunkChanged {
            trunk: trunk.to_string(),
            state: trunk_state(state),
            why: written(why),
        }),
        Fact::TrunkSkipped { trunk, why } => {
            Told::TrunkSkipped(proto::TrunkSkipped { trunk: trunk.to_string(), why })
        }
        _ => unreachable!("`told` gives these alone"),
    }
}

fn told_setup(fact: Fact) -> Told {
    let Fact::Setup {
        direction: way,
        from: number,
        e164,
        name: called,
        extension,
        trunk,
        did,
        to: dialled,
        sip_call_id,
        config,
    } = fact
    else {
        unreachable!("`told_rest` gives this alone")
    };
    Told::Setup(proto::Setup {
        direction: direction(way),
        caller: Some(caller(Caller { number, e164, name: called, extension })),
        dialled,
        sip_call_id,
        config,
        trunk: name(trunk.as_ref()),
        did,
    })
}
