//! Ledger entries: every fact that somebody may count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::callback::Callback;
use super::decision::{Decision, RulesPassed};
pub use super::quality::{Blame, Quality};
use crate::id::{
    AgentId, CallId, ConferenceId, ExtensionId, LegId, MenuId, PromptId, QueueId, SkillId, Target,
    TrunkId,
};
use crate::time::Wall;

/// One fact with its moment; durable before it is announced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Wall,
    /// The call it belongs to; none for an agent's change of state outside a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    #[serde(flatten)]
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// An agent's state changed.
    Agent {
        agent: AgentId,
        /// What it changed from.
        from: AgentState,
        to: AgentState,
        /// Why away, such as `lunch`; `no-answer`, `rejected`, `busy`, `unreachable`
        /// when set by the switch (RONA).
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Where the agent sits.
        #[serde(skip_serializing_if = "Option::is_none")]
        extension: Option<ExtensionId>,
    },
    /// The agent who had answered was told whose call it is, before he was joined with the caller:
    /// so long the caller waited for nothing else, which does not count as his wait.
    AgentTold {
        queue: QueueId,
        told_us: u64,
    },
    /// Somebody who is not the agent himself wanted something of his state, and it was done.
    AgentOrdered {
        agent: AgentId,
        order: AgentOrder,
        /// As he named himself, or the address that he came from.
        by: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        extension: Option<ExtensionId>,
    },
    /// A queue needs attention, or does no more.
    Alarm {
        queue: QueueId,
        kind: AlarmKind,
        raised: bool,
        /// Callers, or seconds, at this moment; and what they should stay below.
        value: u64,
        limit: u64,
    },
    /// The caller got a 200: his time is paid from here.
    Answered,
    /// A server of a trunk is called.
    Attempt {
        leg: LegId,
        trunk: TrunkId,
        /// Where the server is, such as `udp:203.0.113.7:5060`.
        server: String,
        /// The number called, as the trunk is given it.
        number: String,
        /// The caller's number, as the trunk is given it.
        shown: String,
    },
    AttemptEnded {
        leg: LegId,
        outcome: OfferOutcome,
        /// The final SIP status; none if there was none.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    },
    /// Something about a caller who is called back in place of waiting.
    Callback(Callback),
    /// A leg is in a conference.
    ConferenceJoined {
        leg: LegId,
        conference: ConferenceId,
    },
    ConferenceLeft {
        leg: LegId,
        conference: ConferenceId,
    },
    /// An agent wants a break, and without him nobody would be there for `queue`: it waits for
    /// another, or is refused.
    BreakHeld {
        agent: AgentId,
        queue: QueueId,
        refused: bool,
    },
    /// Data that a menu put on the call.
    Collected {
        values: BTreeMap<String, String>,
    },
    /// A waiting caller was given an agent, or there was none for him.
    Decided(Decision),
    /// The call is over; its record follows. The last fact of every call.
    Ended {
        by: HungUpBy,
        /// The final SIP status of the caller's INVITE; 200 if it was answered.
        status: u16,
        /// Q.850 cause (RFC 3326, RFC 6432): 16 is a normal clearing.
        cause: u8,
        /// Why, in a word for programs: `caller_hung_up`, `busy`, `no_answer`, `node_restart`, …
        reason: String,
    },
    /// The call went on to another number, as the account that it was for wants.
    Forwarded {
        extension: ExtensionId,
        to: String,
        why: ForwardWhy,
    },
    /// `leg` took the place of `place`: it came from another call, or went into one. The other
    /// call's record names this one in the same way.
    Joined {
        leg: LegId,
        place: LegId,
        /// The other call.
        other: CallId,
        why: JoinWhy,
    },
    /// An agent has held a caller of the queue for longer than its `longest_hold`.
    HeldTooLong {
        leg: LegId,
        agent: AgentId,
        queue: QueueId,
    },
    /// A leg's hold began, asked by its own phone.
    HoldBegan {
        leg: LegId,
    },
    HoldEnded {
        leg: LegId,
    },
    /// A key was pressed in a menu.
    Key {
        menu: MenuId,
        digit: char,
    },
    /// What a leg's media counted.
    Media {
        leg: LegId,
        quality: Quality,
    },
    /// Somebody guessed too many passwords, and is not listened to for a while.
    LockedOut {
        /// The IP address; of IPv6 its whole /64 is meant.
        address: String,
        seconds: u64,
        /// Whether he is locked out of every account, not of the one that he tried.
        every_account: bool,
    },
    /// The caller entered a menu.
    Menu {
        menu: MenuId,
    },
    /// A leg in a talk was sent audio, and for some seconds none came from it.
    OneWay {
        leg: LegId,
    },
    /// A program or an administrator wanted something of the call.
    Ordered {
        order: OrderKind,
        /// Who it was: as he named himself, or the address that he came from. `refused` if the
        /// leg's phone did not do it, and all is as before.
        by: String,
        /// The leg that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        leg: Option<LegId>,
        /// The number to call.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// A caller left a queue without an agent, and goes where it sends such callers.
    Overflowed {
        queue: QueueId,
        target: Target,
    },
    /// A leg waits to be fetched, at the place with this number.
    Parked {
        leg: LegId,
        slot: u16,
        /// Who parked it.
        #[serde(skip_serializing_if = "Option::is_none")]
        extension: Option<ExtensionId>,
    },
    /// It waits there no more.
    Unparked {
        leg: LegId,
        slot: u16,
        why: ParkLeft,
    },
    /// A phone is rung.
    Offered {
        leg: LegId,
        extension: ExtensionId,
        agent: Option<AgentId>,
        queue: Option<QueueId>,
    },
    /// A rung phone rings no longer.
    OfferEnded {
        leg: LegId,
        outcome: OfferOutcome,
    },
    /// A message was played to a caller who waits.
    MessageTold {
        queue: QueueId,
        prompt: PromptId,
    },
    /// The caller's place in a queue was told to him.
    PositionTold {
        queue: QueueId,
        position: u32,
    },
    /// The caller waits.
    Queued {
        queue: QueueId,
        position: u32,
    },
    QueueLeft {
        queue: QueueId,
        why: QueueLeft,
    },
    RecordingBegan {
        leg: LegId,
        path: String,
    },
    /// Its file was made into another of another format, which is complete and durable.
    RecordingConverted {
        path: String,
        to: String,
        length_us: u64,
        bytes: u64,
        /// Of the new file, in lower-case hexadecimal.
        sha256: String,
        /// Whether the file as it was recorded stays too.
        kept: bool,
    },
    /// Retention removes it; or tried, if `RecordingKept` follows.
    RecordingDeleted {
        path: String,
        bytes: u64,
        why: DeletedWhy,
    },
    RecordingEnded {
        leg: LegId,
        path: String,
        length_us: u64,
        bytes: u64,
        sha256: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        fault: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gaps: Vec<Gap>,
    },
    /// Somebody was given a recording.
    RecordingExported {
        path: String,
        access: Access,
    },
    /// It could not be removed, and is there still.
    RecordingKept {
        path: String,
        /// What the system said.
        why: String,
    },
    /// Nothing of the talk is recorded from here on; `by` is the extension, or who gave the order.
    RecordingPaused {
        leg: LegId,
        by: String,
    },
    /// It is recorded again.
    RecordingResumed {
        leg: LegId,
        by: String,
    },
    /// Somebody was told which recordings there are: those of these calls.
    RecordingsFound {
        query: String,
        calls: Vec<CallId>,
        access: Access,
    },
    /// A phone said that it rings.
    Ringing {
        leg: LegId,
    },
    /// A rule decided where the call goes.
    Routed {
        rule: String,
        target: Target,
    },
    /// Rules did not match before one did.
    RulesPassed(RulesPassed),
    /// An INVITE with good credentials arrived. The first fact of every call.
    Setup {
        direction: Direction,
        /// The caller's number as he sent it.
        from: String,
        /// The same with `+` and its country, if it tells that.
        #[serde(skip_serializing_if = "Option::is_none")]
        e164: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The account that called.
        #[serde(skip_serializing_if = "Option::is_none")]
        extension: Option<ExtensionId>,
        /// The trunk that the call came over.
        #[serde(skip_serializing_if = "Option::is_none")]
        trunk: Option<TrunkId>,
        /// The number of ours that was called, as the trunk wrote it.
        #[serde(skip_serializing_if = "Option::is_none")]
        did: Option<String>,
        /// What was dialled; of a trunk's call as rules made it.
        to: String,
        sip_call_id: String,
        /// Which configuration the call began with: counts the reloads.
        config: u64,
    },
    /// A supervisor joined a talk, or goes on in another way; nobody in it is told.
    Supervised {
        leg: LegId,
        /// His account.
        extension: ExtensionId,
        /// The agent whom he supervises, and the agent's leg.
        agent: AgentId,
        of: LegId,
        mode: SupervisorMode,
    },
    /// He left, or the talk did; or he is one of the two now.
    SupervisionEnded {
        leg: LegId,
    },
    /// The SIP Call-ID of a leg that we called.
    LegSetup {
        leg: LegId,
        sip_call_id: String,
    },
    /// Two legs hear each other.
    TalkBegan {
        a: LegId,
        b: LegId,
        extension: Option<ExtensionId>,
        agent: Option<AgentId>,
    },
    TalkEnded {
        a: LegId,
        b: LegId,
    },
    /// A leg's phone sent the other side on, to the number `to`; empty if it named a dialog only.
    Transferred {
        leg: LegId,
        /// Whose phone it is, and who sat there.
        #[serde(skip_serializing_if = "Option::is_none")]
        extension: Option<ExtensionId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        to: String,
    },
    /// What became of it.
    TransferEnded {
        leg: LegId,
        outcome: TransferOutcome,
    },
    /// A trunk's state changed.
    Trunk {
        trunk: TrunkId,
        state: TrunkState,
        /// Why, in a word for programs: the registrar's status, `timeout`, …
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// A trunk was not called, for a limit or because it is down.
    TrunkSkipped {
        trunk: TrunkId,
        /// `calls_max`, `cps_max`, `down` or `retry_after`.
        why: String,
    },
    /// The caller was told that he is going to wait from so many minutes to so many more.
    WaitTold {
        queue: QueueId,
        from_min: u32,
        to_min: u32,
    },
    /// Less is demanded of a caller's agents from now on: the queue's `widen` number `step`, from
    /// 1, says these levels are enough.
    Widened {
        queue: QueueId,
        step: u32,
        skills: BTreeMap<SkillId, u8>,
    },
    /// An agent's after-call work began; the call itself may be over.
    WrapUpBegan {
        agent: AgentId,
    },
    WrapUpEnded {
        agent: AgentId,
    },
}

/// What a queue needs attention for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmKind {
    /// A caller is on hold too long.
    LongestHold,
    /// Somebody waits too long.
    LongestWait,
    /// Somebody waits, and no agent is there.
    Nobody,
    /// Too many wait.
    Waiting,
}

/// Why a recording was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletedWhy {
    /// `[recordings] keep` is over.
    Age,
    /// All recordings together exceeded `[recordings] size_max`.
    Size,
}

/// A stretch of a recording that was lost: silence stands for it, if anything follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// After the recording's begin.
    pub from_us: u64,
    pub length_us: u64,
    /// Such as a slow disk.
    pub why: String,
}

/// Who wanted something of the archive of recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// What was shown: `token`, or `local` where none is asked for.
    pub shown: String,
    /// As he calls himself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// His IP address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What for, as he said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// The states of an agent (ACD-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentState {
    LoggedOut,
    Available,
    Ringing,
    OnCall,
    WrapUp,
    Away,
}

impl AgentState {
    /// As the ledger and people write it, such as `wrap-up`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Away => "away",
            Self::LoggedOut => "logged-out",
            Self::OnCall => "on-call",
            Self::Ringing => "ringing",
            Self::WrapUp => "wrap-up",
        }
    }
}

/// What was wanted of an agent's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentOrder {
    Available,
    Away,
    /// Away though nobody else is there for a queue.
    AwayAnyway,
    LogIn,
    LogOut,
    WrapUpDone,
    WrapUpExtend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Inbound,
    Internal,
    Outbound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HungUpBy {
    Callee,
    Caller,
    /// We did: a prompt ended, nobody answered, an administrator asked.
    Switch,
}

/// Why a call went on from an account to another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardWhy {
    Always,
    Busy,
    NoAnswer,
    /// The phone itself said so (302).
    Redirected,
}

/// Why a leg took a place in another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinWhy {
    /// Somebody fetched who was parked: he joined `place`, and took nobody's.
    Fetch,
    /// Somebody answered a phone that rang for another.
    Pickup,
    /// Somebody supervises the agent at `place`, and took nobody's.
    Supervise,
    /// A phone took over the place of another by itself (INVITE with Replaces).
    Takeover,
    /// An attended transfer.
    Transfer,
}

/// How a rung phone's ringing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferOutcome {
    /// The agent logged out, went away or lost his phone while it rang.
    AgentLeft,
    Answered,
    Busy,
    CallerGone,
    /// Another phone was faster.
    LostRace,
    /// It rings on for the call that this one was joined with.
    Moved,
    NoAnswer,
    /// The node stopped while the phone rang.
    NodeRestart,
    /// The phone named another number.
    Redirected,
    Rejected,
    /// The phone could not be reached, or its answer could not be used.
    Unreachable,
}

/// What was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// The call itself, for an account.
    Dial,
    HangUp,
    /// A leg is held by the switch.
    Hold,
    /// A leg is sent out of its conference, which ends its call.
    Kick,
    /// The one who waits goes to another queue, with his seniority.
    Move,
    /// It is not heard in its conference.
    Mute,
    /// The one who waits counts as having come so much earlier.
    Prioritise,
    /// It is not held any more.
    Resume,
    /// An agent is supervised, or in another way than before.
    Supervise,
    Transfer,
    /// It is heard in its conference again.
    Unmute,
}

/// How a supervisor takes part in a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupervisorMode {
    /// Both hear him, and he hears both.
    Barge,
    /// Nobody hears him.
    Listen,
    /// The agent is released, and he talks in his place.
    TakeOver,
    /// The agent alone hears him.
    Whisper,
}

impl SupervisorMode {
    /// As the ledger and people write it, such as `take-over`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Barge => "barge",
            Self::Listen => "listen",
            Self::TakeOver => "take-over",
            Self::Whisper => "whisper",
        }
    }
}

/// Why somebody is parked no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParkLeft {
    /// He hung up.
    Abandoned,
    Fetched,
    /// Somebody else has the place in his stead.
    Moved,
    NodeRestart,
    /// Nobody fetched him in time: he went back to who had parked him.
    TimedOut,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransferOutcome {
    /// The call ended on the way.
    Abandoned,
    /// Somebody, a queue or a menu took the call.
    Completed,
    /// Nobody did, and who had sent it did not answer either.
    Failed,
    NodeRestart,
    /// Nobody did; who had sent it was rung and took it back.
    Recalled,
    /// Nobody did; who had sent it had not hung up and has it back.
    Returned,
}

/// How a trunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrunkState {
    /// No server answers.
    Down,
    /// Nothing is known yet.
    Starting,
    /// Its registrar does not want us, or cannot be reached.
    Unregistered,
    /// Its servers cannot be found.
    Unresolved,
    Up,
}

impl TrunkState {
    /// As the ledger and people write it, such as `unregistered`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Starting => "starting",
            Self::Unregistered => "unregistered",
            Self::Unresolved => "unresolved",
            Self::Up => "up",
        }
    }
}

/// Why a caller left a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueLeft {
    Abandoned,
    Answered,
    /// He is called back.
    Callback,
    /// Nobody is logged in.
    Empty,
    /// `callers_max` are waiting.
    Full,
    /// Somebody ended his call by order.
    HungUp,
    /// He pressed a key that leads out.
    Key,
    /// Somebody else waits on in his place, in the call that this one was joined with.
    Moved,
    NodeRestart,
    /// Somebody sent him to another queue.
    Sent,
    /// `max_wait` is over.
    TimedOut,
}
