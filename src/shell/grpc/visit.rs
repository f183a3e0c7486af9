//! Stays in queues as the contract writes them.

use super::convert::{duration, queue_left, time};
use crate::cdr::entry::Fact;
use crate::cdr::record::{MessageTold, PositionTold, QueueVisit, WaitTold};
use crate::shell::proto;
use crate::time::Duration;
use proto::event::Fact as Told;

pub fn visit(visit: QueueVisit) -> proto::QueueVisit {
    let position =
        |it: PositionTold| proto::PositionTold { time: Some(time(it.at)), position: it.position };
    let wait = |it: WaitTold| proto::WaitTold {
        time: Some(time(it.at)),
        from_minutes: it.from_min,
        to_minutes: it.to_min,
    };
    let message = |it: MessageTold| proto::MessageTold {
        time: Some(time(it.at)),
        prompt: it.prompt.to_string(),
    };
    let waited = visit.wait();
    let told = Duration::from_micros(visit.agent_told_us);
    proto::QueueVisit {
        queue: visit.queue.to_string(),
        enter_time: Some(time(visit.entered)),
        position: visit.position,
        positions_told: visit.positions_told.into_iter().map(position).collect(),
        waits_told: visit.waits_told.into_iter().map(wait).collect(),
        agent_told: (!told.is_zero()).then(|| duration(told)),
        messages_told: visit.messages_told.into_iter().map(message).collect(),
        leave_time: visit.left.map(time),
        why: visit.why.map_or(0, queue_left),
        wait: waited.map(duration),
    }
}

pub fn told_of_visit(fact: Fact) -> Told {
    match fact {
        Fact::AgentTold { queue, told_us } => {
            let told = Some(duration(Duration::from_micros(told_us)));
            Told::AgentTold(proto::AgentTold { queue: queue.to_string(), told })
        }
        Fact::MessageTold { queue, prompt } => {
            let (queue, prompt) = (queue.to_string(), prompt.to_string());
            Told::QueueMessageTold(proto::QueueMessageTold { queue, prompt })
        }
        Fact::WaitTold { queue, from_min, to_min } => Told::QueueWaitTold(proto::QueueWaitTold {
            queue: queue.to_string(),
            from_minutes: from_min,
            to_minutes: to_min,
        }),
        Fact::PositionTold { queue, position } => {
            let queue = queue.to_string();
            Told::QueuePositionTold(proto::QueuePositionTold { queue, position })
        }
        Fact::Queued { queue, position } => {
            Told::Queued(proto::Queued { queue: queue.to_string(), position })
        }
        Fact::QueueLeft { queue, why } => {
            Told::QueueLeft(proto::QueueLeave { queue: queue.to_string(), why: queue_left(why) })
        }
        _ => unreachable!("`told` gives none else"),
    }
}
