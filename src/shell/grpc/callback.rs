//! Callbacks as the contract writes them.

use super::convert::{name, time};
use crate::cdr::callback::{Callback, CallbackOutcome, CallbackPart};
use crate::cdr::entry::Fact;
use crate::shell::proto;
use crate::switch::request::{CallbackState, CallbackView};
use proto::event::Fact as Told;

pub fn told_of_callback(fact: Fact) -> Told {
    let Fact::Callback(step) = fact else { unreachable!("`told_rest` gives this alone") };
    match step {
        Callback::Asked { queue, number, until } => Told::CallbackAsked(proto::CallbackAsked {
            queue: queue.to_string(),
            number,
            expire_time: Some(time(until)),
        }),
        Callback::Began { queue, number, asked_in, attempt } => {
            Told::CallbackBegan(proto::CallbackBegan {
                queue: queue.to_string(),
                number,
                asked_call_id: asked_in.to_string(),
                attempt,
            })
        }
        Callback::Confirmed { queue } => {
            Told::CallbackConfirmed(proto::CallbackConfirmed { queue: queue.to_string() })
        }
        Callback::Ended { queue, came, outcome: how, by } => {
            Told::CallbackEnded(proto::CallbackEnded {
                queue: queue.to_string(),
                enter_time: Some(time(came)),
                outcome: outcome(how).into(),
                by,
            })
        }
    }
}

pub fn callback_part(part: CallbackPart) -> proto::CallbackPart {
    proto::CallbackPart {
        queue: part.queue.to_string(),
        number: part.number,
        ask_time: part.asked.map(time),
        asked_call_id: name(part.asked_in.as_ref()),
        attempt: part.attempt,
        confirm_time: part.confirmed.map(time),
        outcome: part.outcome.map_or(0, |it| outcome(it).into()),
    }
}

fn outcome(outcome: CallbackOutcome) -> proto::CallbackOutcome {
    match outcome {
        CallbackOutcome::Abandoned => proto::CallbackOutcome::Abandoned,
        CallbackOutcome::Cancelled => proto::CallbackOutcome::Cancelled,
        CallbackOutcome::Expired => proto::CallbackOutcome::Expired,
        CallbackOutcome::NotKept => proto::CallbackOutcome::NotKept,
        CallbackOutcome::QueueGone => proto::CallbackOutcome::QueueGone,
        CallbackOutcome::Served => proto::CallbackOutcome::Served,
        CallbackOutcome::Talked => proto::CallbackOutcome::Talked,
        CallbackOutcome::Unanswered => proto::CallbackOutcome::Unanswered,
    }
}

/// One callback as it is at this moment.
pub fn callback(view: CallbackView) -> proto::Callback {
    let (state, next, calling) = match view.state {
        CallbackState::Asked => (proto::CallbackState::Asked, None, None),
        CallbackState::Calling(call) => (proto::CallbackState::Calling, None, Some(call)),
        CallbackState::Resting(until) => (proto::CallbackState::Resting, Some(until), None),
        CallbackState::Waiting => (proto::CallbackState::Waiting, None, None),
    };
    proto::Callback {
        call_id: view.asked_in.to_string(),
        queue: view.queue.to_string(),
        number: view.number,
        name: view.name,
        enter_time: Some(time(view.came)),
        expire_time: Some(time(view.until)),
        attempts: view.attempts,
        state: state.into(),
        position: view.position,
        next_time: next.map(time),
        calling_call_id: name(calling.as_ref()),
    }
}
