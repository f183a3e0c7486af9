//! The call record: one call as its facts tell it.
//!
//! What did not happen is absent. Times are microseconds since 1970 in UTC, lists are in order of
//! time, and each list is bounded by `ITEMS_MAX`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::callback::CallbackPart;
use super::entry::{
    DeletedWhy, Direction, ForwardWhy, Gap, HungUpBy, JoinWhy, OfferOutcome, OrderKind, ParkLeft,
    Quality, QueueLeft, SupervisorMode, TransferOutcome,
};
use crate::id::{
    AgentId, CallId, ConferenceId, ExtensionId, LegId, MenuId, PromptId, QueueId, Target, TrunkId,
};
use crate::time::{Duration, Wall};

/// The layout of `CallRecord`; grows when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// Items of one list of a record; what exceeds them is counted in `CallRecord::omitted`.
pub const ITEMS_MAX: usize = 1000;

/// One call, from its caller's INVITE to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub schema: u32,
    pub call: CallId,
    /// `[node] name` of the node that carried the call.
    pub node: String,
    /// Counts the configurations of that node's run; the call began with this one.
    pub config: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    pub caller: Caller,
    /// The trunk that the call came over; of a call out, the one it went over last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<TrunkId>,
    /// The number of ours that was called, as the trunk wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<String>,
    /// What was dialled.
    pub dialled: String,
    pub times: Times,
    /// Where rules sent the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteTaken>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub menus: Vec<MenuVisit>,
    /// What menus put on the call; a later value replaces an earlier one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub collected: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueVisit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Offer>,
    /// The trunks that were called, or passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub talks: Vec<Talk>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<Transfer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<Join>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parks: Vec<Park>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supervisor_joins: Vec<SupervisorJoin>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conferences: Vec<ConferenceVisit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Order>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<Forward>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrap_ups: Vec<WrapUp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<Recording>,
    /// The caller's leg is the first, once anything is known of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<Leg>,
    /// Its part in a callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<CallbackPart>,
    /// How the call ended; none while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<End>,
    /// Facts that exceeded the limits of the record's lists. All are in the ledger.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
}

/// Who called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// As the phone or the trunk sent it.
    pub number: String,
    /// The same with `+` and its country, if it tells that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e164: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account that called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionId>,
}

/// The milestones of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<Wall>,
    /// A phone rang for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<Wall>,
    /// The caller got a 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Wall>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTaken {
    pub at: Wall,
    pub rule: String,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MenuVisit {
    pub menu: MenuId,
    pub entered: Wall,
    /// The keys pressed in it, in order.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keys: String,
}

/// One stay in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueVisit {
    pub queue: QueueId,
    pub entered: Wall,
    /// On entry, from 1.
    pub position: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages_told: Vec<MessageTold>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions_told: Vec<PositionTold>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_told: Vec<WaitTold>,
    /// How long the agent who had answered was told whose call it is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub agent_told_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<QueueLeft>,
}

impl QueueVisit {
    /// How long the caller waited, without what the agent was told then; none while he does.
    pub fn wait(&self) -> Option<Duration> {
        let told = Duration::from_micros(self.agent_told_us);
        Some(self.left?.since(self.entered).saturating_sub(told))
    }
}

/// What was played to who waited, between music.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageTold {
    pub at: Wall,
    pub prompt: PromptId,
}

/// How much longer he was going to wait, as he was told: in minutes, from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitTold {
    pub at: Wall,
    pub from_min: u32,
    pub to_min: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionTold {
    pub at: Wall,
    pub position: u32,
}

/// One phone that was rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub leg: LegId,
    pub extension: ExtensionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    pub began: Wall,
    /// When the phone said that it rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rang: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OfferOutcome>,
}

/// One server of a trunk that was called, or one trunk that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// None if the trunk was passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegId>,
    pub trunk: TrunkId,
    /// Why it was passed over: `calls_max`, `cps_max`, `down`, `retry_after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// The number called, as the trunk was given it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub number: String,
    /// The caller's number, as the trunk was given it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shown: String,
    pub began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rang: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OfferOutcome>,
    /// The final SIP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Attempt {
    /// An attempt of which nothing more is known.
    pub fn of(trunk: &TrunkId, began: Wall) -> Self {
        Self {
            leg: None,
            trunk: trunk.clone(),
            skipped: None,
            server: String::new(),
            number: String::new(),
            shown: String::new(),
            began,
            rang: None,
            ended: None,
            outcome: None,
            status: None,
        }
    }
}

/// Two legs heard each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    pub a: LegId,
    pub b: LegId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    pub began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
}

/// A leg's phone held the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub leg: LegId,
    pub began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
}

/// A phone sent the other side on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The leg of the phone that did.
    pub leg: LegId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The number that was dialled for it.
    pub to: String,
    pub began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<TransferOutcome>,
}

/// The call went on from an account to another number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    pub at: Wall,
    pub extension: ExtensionId,
    pub to: String,
    pub why: ForwardWhy,
}

/// A leg took somebody's place, coming from another call or going into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    pub at: Wall,
    pub leg: LegId,
    /// The leg whose place it took.
    pub place: LegId,
    /// The other call.
    pub call: CallId,
    pub why: JoinWhy,
}

/// What a program or an administrator wanted of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub at: Wall,
    pub order: OrderKind,
    /// Who it was; `refused` if the leg's phone did not do it.
    pub by: String,
    /// The leg that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegId>,
    /// The number to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A leg waited to be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Park {
    pub leg: LegId,
    /// The number of the place.
    pub slot: u16,
    /// Who parked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionId>,
    pub began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<ParkLeft>,
}

/// A leg was in a conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceVisit {
    pub leg: LegId,
    pub conference: ConferenceId,
    pub began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
}

/// A supervisor was in a talk, in one way; another way is another item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorJoin {
    pub leg: LegId,
    /// His account.
    pub extension: ExtensionId,
    /// Whom he supervised.
    pub agent: AgentId,
    pub mode: SupervisorMode,
    pub began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
}

/// An agent's after-call work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapUp {
    pub agent: AgentId,
    pub began: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    pub leg: LegId,
    pub path: String,
    pub began: Wall,
    /// When it was silent because somebody wanted so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<RecordingEnd>,
    /// The file that was made of it after the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted: Option<Converted>,
    /// When retention removed it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<(Wall, DeletedWhy)>,
}

/// A recording's file in another format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Converted {
    pub at: Wall,
    pub path: String,
    pub length_us: u64,
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// Whether the file as it was recorded is there too.
    pub kept: bool,
}

/// A stretch of silence in a recording, in place of what was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub began: Wall,
    /// `None` if it lasted to the recording's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
    /// The extension, or who gave the order.
    pub by: String,
}

/// A finished recording's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingEnd {
    pub at: Wall,
    pub length_us: u64,
    pub bytes: u64,
    /// Lower-case hexadecimal; empty if the file could not be read.
    pub sha256: String,
    /// What stopped the recording before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What was lost to a slow or full disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// One party's side of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub leg: LegId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_call_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// How often it was sent audio, and none came from it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub one_way: u64,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub by: HungUpBy,
    /// The final SIP status of the caller's INVITE; 0 if none was sent.
    pub status: u16,
    /// Q.850 cause.
    pub cause: u8,
    /// Why, in a word for programs.
    pub reason: String,
}

impl CallRecord {
    /// A record of which nothing is known yet.
    pub fn new(call: CallId, node: &str) -> Self {
        Self {
            schema: SCHEMA,
            call,
            node: node.to_owned(),
            config: 0,
            direction: None,
            caller: Caller::default(),
            trunk: None,
            did: None,
            dialled: String::new(),
            times: Times::default(),
            routes: Vec::new(),
            menus: Vec::new(),
            collected: BTreeMap::new(),
            queues: Vec::new(),
            offers: Vec::new(),
            attempts: Vec::new(),
            talks: Vec::new(),
            holds: Vec::new(),
            transfers: Vec::new(),
            joins: Vec::new(),
            parks: Vec::new(),
            supervisor_joins: Vec::new(),
            conferences: Vec::new(),
            orders: Vec::new(),
            forwards: Vec::new(),
            wrap_ups: Vec::new(),
            recordings: Vec::new(),
            legs: Vec::new(),
            callback: None,
            ended: None,
            omitted: 0,
        }
    }

    /// The caller's leg.
    pub const fn caller_leg(&self) -> LegId {
        LegId { call: self.call, index: 0 }
    }

    /// How long two legs heard each other, all talks together, as far as they are over.
    pub fn talk(&self) -> Duration {
        self.talks.iter().filter_map(|talk| Some(talk.ended?.since(talk.began))).sum()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
