//! Times, names and states as the contract writes them.

use prost_types::{Duration as ProtoDuration, Timestamp};
use tonic::Status;

use crate::cdr::entry::{
    AgentOrder, AgentState, AlarmKind, Direction, ForwardWhy, HungUpBy, JoinWhy, OfferOutcome,
    OrderKind, ParkLeft, QueueLeft, SupervisorMode, TransferOutcome, TrunkState,
};
use crate::id::{CallId, LegId};
use crate::shell::proto;
use crate::time::{Duration, Wall};

pub fn time(at: Wall) -> Timestamp {
    let micros = at.as_micros();
    let nanos = micros.rem_euclid(1_000_000) * 1000;
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(nanos).expect("below one second"),
    }
}

/// A client's time; what lies outside of all times that can be is an error.
pub fn wall(time: Timestamp) -> Result<Wall, Status> {
    let micros = i64::from(time.nanos) / 1000;
    time.seconds
        .checked_mul(1_000_000)
        .and_then(|whole| whole.checked_add(micros))
        .filter(|_| (0..1_000_000_000).contains(&time.nanos))
        .map(Wall::from_micros)
        .ok_or_else(|| Status::invalid_argument("that is no time"))
}

pub fn duration(length: Duration) -> ProtoDuration {
    ProtoDuration {
        seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(length.subsec_nanos()).expect("below one second"),
    }
}

pub fn leg_id(text: &str) -> Result<LegId, Status> {
    text.parse().map_err(|error| Status::invalid_argument(format!("`{text}`: {error}")))
}

pub fn call_id(text: &str) -> Result<CallId, Status> {
    text.parse().map_err(|error| Status::invalid_argument(format!("`{text}`: {error}")))
}

/// The text of a name, absent if there is none.
pub fn name(name: Option<&impl ToString>) -> Option<String> {
    name.map(ToString::to_string)
}

pub fn direction(direction: Direction) -> i32 {
    match direction {
        Direction::Inbound => proto::Direction::Inbound,
        Direction::Internal => proto::Direction::Internal,
        Direction::Outbound => proto::Direction::Outbound,
    }
    .into()
}

pub fn hung_up_by(by: HungUpBy) -> i32 {
    match by {
        HungUpBy::Callee => proto::HungUpBy::Callee,
        HungUpBy::Caller => proto::HungUpBy::Caller,
        HungUpBy::Switch => proto::HungUpBy::Switch,
    }
    .into()
}

pub fn agent_state(state: AgentState) -> i32 {
    match state {
        AgentState::LoggedOut => proto::AgentState::LoggedOut,
        AgentState::Available => proto::AgentState::Available,
        AgentState::Ringing => proto::AgentState::Ringing,
        AgentState::OnCall => proto::AgentState::OnCall,
        AgentState::WrapUp => proto::AgentState::WrapUp,
        AgentState::Away => proto::AgentState::Away,
    }
    .into()
}

pub fn agent_order(order: AgentOrder) -> i32 {
    match order {
        AgentOrder::Available => proto::AgentChange::Available,
        AgentOrder::Away => proto::AgentChange::Away,
        AgentOrder::AwayAnyway => proto::AgentChange::AwayAnyway,
        AgentOrder::LogIn => proto::AgentChange::LogIn,
        AgentOrder::LogOut => proto::AgentChange::LogOut,
        AgentOrder::WrapUpDone => proto::AgentChange::WrapUpDone,
        AgentOrder::WrapUpExtend => proto::AgentChange::WrapUpExtend,
    }
    .into()
}

pub fn alarm_kind(kind: AlarmKind) -> i32 {
    let kind = match kind {
        AlarmKind::LongestHold => proto::AlarmKind::LongestHold,
        AlarmKind::LongestWait => proto::AlarmKind::LongestWait,
        AlarmKind::Nobody => proto::AlarmKind::Nobody,
        AlarmKind::Waiting => proto::AlarmKind::Waiting,
    };
    kind.into()
}

pub fn offer_outcome(outcome: OfferOutcome) -> i32 {
    match outcome {
        OfferOutcome::AgentLeft => proto::OfferOutcome::AgentLeft,
        OfferOutcome::Answered => proto::OfferOutcome::Answered,
        OfferOutcome::Busy => proto::OfferOutcome::Busy,
        OfferOutcome::CallerGone => proto::OfferOutcome::CallerGone,
        OfferOutcome::LostRace => proto::OfferOutcome::LostRace,
        OfferOutcome::Moved => proto::OfferOutcome::Moved,
        OfferOutcome::NoAnswer => proto::OfferOutcome::NoAnswer,
        OfferOutcome::NodeRestart => proto::OfferOutcome::NodeRestart,
        OfferOutcome::Redirected => proto::OfferOutcome::Redirected,
        OfferOutcome::Rejected => proto::OfferOutcome::Rejected,
        OfferOutcome::Unreachable => proto::OfferOutcome::Unreachable,
    }
    .into()
}

pub fn queue_left(why: QueueLeft) -> i32 {
    match why {
        QueueLeft::Abandoned => proto::QueueLeft::Abandoned,
        QueueLeft::Answered => proto::QueueLeft::Answered,
        QueueLeft::Empty => proto::QueueLeft::Empty,
        QueueLeft::Full => proto::QueueLeft::Full,
        QueueLeft::HungUp => proto::QueueLeft::HungUp,
        QueueLeft::Key => proto::QueueLeft::Key,
        QueueLeft::Callback => proto::QueueLeft::Callback,
        QueueLeft::Moved => proto::QueueLeft::Moved,
        QueueLeft::NodeRestart => proto::QueueLeft::NodeRestart,
        QueueLeft::Sent => proto::QueueLeft::Sent,
        QueueLeft::TimedOut => proto::QueueLeft::TimedOut,
    }
    .into()
}

pub fn forward_why(why: ForwardWhy) -> i32 {
    match why {
        ForwardWhy::Always => proto::ForwardWhy::Always,
        ForwardWhy::Busy => proto::ForwardWhy::Busy,
        ForwardWhy::NoAnswer => proto::ForwardWhy::NoAnswer,
        ForwardWhy::Redirected => proto::ForwardWhy::Redirected,
    }
    .into()
}

pub fn join_why(why: JoinWhy) -> i32 {
    match why {
        JoinWhy::Fetch => proto::JoinWhy::Fetch,
        JoinWhy::Pickup => proto::JoinWhy::Pickup,
        JoinWhy::Supervise => proto::JoinWhy::Supervise,
        JoinWhy::Takeover => proto::JoinWhy::Takeover,
        JoinWhy::Transfer => proto::JoinWhy::Transfer,
    }
    .into()
}

pub fn order_kind(order: OrderKind) -> i32 {
    match order {
        OrderKind::Dial => proto::OrderKind::Dial,
        OrderKind::HangUp => proto::OrderKind::HangUp,
        OrderKind::Hold => proto::OrderKind::Hold,
        OrderKind::Kick => proto::OrderKind::Kick,
        OrderKind::Move => proto::OrderKind::Move,
        OrderKind::Mute => proto::OrderKind::Mute,
        OrderKind::Prioritise => proto::OrderKind::Prioritize,
        OrderKind::Resume => proto::OrderKind::Resume,
        OrderKind::Supervise => proto::OrderKind::Supervise,
        OrderKind::Transfer => proto::OrderKind::Transfer,
        OrderKind::Unmute => proto::OrderKind::Unmute,
    }
    .into()
}

pub fn supervisor_mode(mode: SupervisorMode) -> proto::SupervisorMode {
    match mode {
        SupervisorMode::Barge => proto::SupervisorMode::Barge,
        SupervisorMode::Listen => proto::SupervisorMode::Listen,
        SupervisorMode::TakeOver => proto::SupervisorMode::TakeOver,
        SupervisorMode::Whisper => proto::SupervisorMode::Whisper,
    }
}

pub fn park_left(why: ParkLeft) -> i32 {
    match why {
        ParkLeft::Abandoned => proto::ParkLeft::Abandoned,
        ParkLeft::Fetched => proto::ParkLeft::Fetched,
        ParkLeft::Moved => proto::ParkLeft::Moved,
        ParkLeft::NodeRestart => proto::ParkLeft::NodeRestart,
        ParkLeft::TimedOut => proto::ParkLeft::TimedOut,
    }
    .into()
}

pub fn transfer_outcome(outcome: TransferOutcome) -> i32 {
    match outcome {
        TransferOutcome::Abandoned => proto::TransferOutcome::Abandoned,
        TransferOutcome::Completed => proto::TransferOutcome::Completed,
        TransferOutcome::Failed => proto::TransferOutcome::Failed,
        TransferOutcome::NodeRestart => proto::TransferOutcome::NodeRestart,
        TransferOutcome::Recalled => proto::TransferOutcome::Recalled,
        TransferOutcome::Returned => proto::TransferOutcome::Returned,
    }
    .into()
}

pub fn trunk_state(state: TrunkState) -> i32 {
    match state {
        TrunkState::Down => proto::TrunkState::Down,
        TrunkState::Starting => proto::TrunkState::Starting,
        TrunkState::Unregistered => proto::TrunkState::Unregistered,
        TrunkState::Unresolved => proto::TrunkState::Unresolved,
        TrunkState::Up => proto::TrunkState::Up,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_microseconds() {
        for micros in [0, 1, -1, 1_795_000_000_123_456] {
            assert_eq!(wall(time(Wall::from_micros(micros))).unwrap().as_micros(), micros);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert!(wall(Timestamp { seconds: i64::MAX, nanos: 0 }).is_err());
        assert!(wall(Timestamp { seconds: i64::MIN, nanos: 0 }).is_err());
        assert!(wall(Timestamp { seconds: 0, nanos: -1 }).is_err());
        assert!(wall(Timestamp { seconds: 0, nanos: 1_000_000_000 }).is_err());
    }
}
