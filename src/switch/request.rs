//! What people and programs ask the Switch, and what it answers: plain snapshots.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::call::services::Services;
use crate::cdr::decision::PassedWhy;
use crate::cdr::entry::{AgentState, Direction, OrderKind, Quality, SupervisorMode, TrunkState};
use crate::id::{
    AgentId, CallId, ConferenceId, ExtensionId, LegId, MenuId, PromptId, QueueId, TrunkId,
};
use crate::time::{Duration, Wall};

/// One question or order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One agent of the configuration; answered by `Reply::Agent`.
    Agent(AgentId),
    /// Every agent of the configuration; answered by `Reply::Agents`.
    Agents,
    /// Who waits in a queue, the first so many; answered by `Reply::Callers`.
    Callers { queue: QueueId, most: usize },
    /// Who is to be called back, of one queue or of all, in the order in which they asked; answered
    /// by `Reply::Callbacks`.
    Callbacks { queue: Option<QueueId> },
    /// Every call in progress, oldest first; answered by `Reply::Calls`.
    Calls,
    /// Every conference of the configuration; answered by `Reply::Conferences`.
    Conferences,
    /// Has the caller not called back who asked for it in this call; answered by `Reply::Done`.
    CancelCallback { call: CallId, by: String },
    /// Changes an agent's state, for who is named; answered by `Reply::Agent` with the state after.
    ChangeAgent { agent: AgentId, change: AgentChange, by: String },
    /// Calls a number for an account, whose own phones ring first; answered by `Reply::Dialled`.
    Dial(Dial),
    /// Takes no new calls, or takes them again; answered by `Reply::Status`.
    Drain { on: bool },
    /// Sends a call that waits to another queue; answered by `Reply::Done`.
    MoveCaller { call: CallId, queue: QueueId, by: String },
    /// Takes a call that waits for one that came so much earlier; answered by `Reply::Position`.
    Prioritise { call: CallId, credit: Duration, by: String },
    /// Hangs up every leg of a call, for who is named; answered by `Reply::HungUp`.
    HangUp { call: CallId, by: String },
    /// Puts a leg that talks on hold, or takes it back; answered by `Reply::Done`.
    Hold { leg: LegId, hold: bool, by: String },
    /// Some things as they are at this moment; answered by `Reply::Seen`.
    Look(Vec<Subject>),
    /// Mutes a member of a conference, lets it be heard again, or sends it away (`Mute`, `Unmute`,
    /// `Kick`); answered by `Reply::Done`.
    Member { leg: LegId, order: OrderKind, by: String },
    /// Silences the recording of what a leg talks, or records again; answered by `Reply::Done`.
    PauseRecording { leg: LegId, pause: bool, by: String },
    /// Every account of the configuration; answered by `Reply::Phones`.
    Phones,
    /// Every queue of the configuration; answered by `Reply::Queues`.
    Queues,
    /// Answered by `Reply::Status`.
    Status,
    /// Lets an account supervise an agent; answered by `Reply::Dialled`.
    Supervise(Supervise),
    /// Sends a leg that talks on to a number; answered by `Reply::Done` as soon as that is tried.
    Transfer { leg: LegId, to: String, by: String },
    /// Every trunk of the configuration; answered by `Reply::Trunks`.
    Trunks,
}

/// Something that somebody may watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    Agent(AgentId),
    Call(CallId),
    Phone(ExtensionId),
    Queue(QueueId),
    Trunk(TrunkId),
}

/// How it is at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum View {
    Agent(AgentView),
    Call(CallView),
    Phone(PhoneView),
    Queue(QueueView),
    Trunk(TrunkView),
}

impl View {
    pub fn subject(&self) -> Subject {
        match self {
            Self::Agent(view) => Subject::Agent(view.agent.clone()),
            Self::Call(view) => Subject::Call(view.call),
            Self::Phone(view) => Subject::Phone(view.extension.clone()),
            Self::Queue(view) => Subject::Queue(view.queue.clone()),
            Self::Trunk(view) => Subject::Trunk(view.trunk.clone()),
        }
    }
}

/// A call that is ordered for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    pub extension: ExtensionId,
    pub to: String,
    /// The number that the called one is shown, instead of the account's.
    pub caller_id: Option<String>,
    /// The account's phones are to answer by themselves.
    pub auto_answer: bool,
    /// Who orders it.
    pub by: String,
}

/// An account that is to supervise an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervise {
    pub agent: AgentId,
    pub extension: ExtensionId,
    pub mode: SupervisorMode,
    /// Who orders it.
    pub by: String,
}

/// What becomes of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentChange {
    /// Ready for calls; ends the state away and after-call work.
    Available,
    /// Still logged in, but gets no calls.
    Away { reason: Option<String> },
    /// The same though nobody else is there for a queue that delays or refuses such a break.
    AwayAnyway { reason: Option<String> },
    /// Begins work, at the given phone or else at the fixed seat; available at once.
    LogIn { extension: Option<ExtensionId> },
    /// Ends work. A call in progress goes on.
    LogOut,
    /// Ends after-call work before its time is over.
    WrapUpDone,
    /// Adds the queue's after-call time once more.
    WrapUpExtend,
}

/// The answer to a `Request`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    Agent(AgentView),
    Agents(Vec<AgentView>),
    Callbacks(Vec<CallbackView>),
    Callers(Vec<CallerView>, u32),
    Calls(Vec<CallView>),
    Conferences(Vec<ConferenceView>),
    Dialled(CallId),
    Done,
    HungUp,
    /// The place of a call in its queue, from 1.
    Position(u32),
    Phones(Vec<PhoneView>),
    Queues(Vec<QueueView>),
    Refused(Refusal),
    /// Each with what it is; with nothing if it is gone.
    Seen(Vec<(Subject, Option<View>)>),
    Status(NodeStatus),
    Trunks(Vec<TrunkView>),
}

/// Why an order was not carried out; reads as a sentence for people.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The agent's state does not allow the change.
    #[error("agent {agent} is {state}: {why}")]
    AgentState {
        agent: AgentId,
        /// The state's name, such as `logged-out`.
        state: String,
        why: String,
    },
    #[error("`{0}` can be dialled at a phone only")]
    ByPhoneOnly(String),
    /// Another agent sits at the phone.
    #[error("extension {extension} is taken by agent {by}")]
    ExtensionTaken { extension: ExtensionId, by: AgentId },
    #[error("extension {extension} may not dial `{number}`: {reason}")]
    Forbidden {
        extension: ExtensionId,
        number: String,
        /// In a word for programs, such as `class`.
        reason: String,
    },
    /// The leg's state does not allow it.
    #[error("leg {leg}: {why}")]
    LegState { leg: LegId, why: String },
    #[error("extension {extension} may not supervise agent {agent}")]
    MayNotSupervise { extension: ExtensionId, agent: AgentId },
    #[error("who asked to be called back in call {0} is there already")]
    IsThere(CallId),
    #[error("the node takes no further call at this moment")]
    NoRoom,
    #[error("queue {queue} takes no caller at this moment: {why}")]
    NoPlace { queue: QueueId, why: String },
    /// A hot-desking agent logged in without naming a phone.
    #[error("agent {0} has no fixed seat; name the extension")]
    NoSeat(AgentId),
    #[error("call {0} waits in no queue")]
    NotWaiting(CallId),
    #[error("no phone of extension {0} is registered")]
    NotRegistered(ExtensionId),
    #[error("`{0}` leads nowhere")]
    NoWay(String),
    #[error("there is no agent {0}")]
    UnknownAgent(AgentId),
    #[error("nobody is to be called back who asked for it in call {0}")]
    UnknownCallback(CallId),
    #[error("there is no call {0}")]
    UnknownCall(CallId),
    #[error("there is no extension {0}")]
    UnknownExtension(ExtensionId),
    #[error("there is no leg {0}")]
    UnknownLeg(LegId),
    #[error("there is no queue {0}")]
    UnknownQueue(QueueId),
}

/// An agent as he is at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentView {
    pub agent: AgentId,
    /// The person's name.
    pub name: String,
    pub state: AgentState,
    /// Why away; `do-not-disturb` if he is available, but his phone is not.
    pub reason: Option<String>,
    /// When the state began.
    pub since: Wall,
    /// Where the agent sits; none while logged out.
    pub extension: Option<ExtensionId>,
    /// The queues that the agent serves.
    pub queues: Vec<QueueId>,
    /// The call that rings or is talked on.
    pub call: Option<CallId>,
    /// Why he cannot be offered a call at this moment; none if he can.
    pub held_back: Option<PassedWhy>,
    /// When ringing, after-call work, or the pause after a refusal end.
    pub until: Option<Wall>,
    /// What follows his call, if he asked for it.
    pub then: Option<AgentState>,
    /// Whether his break waits until another agent is there.
    pub break_held: bool,
    /// Calls answered since the node started.
    pub calls: u32,
    /// Time talked in finished calls since the node started.
    pub talked: Duration,
}

/// Somebody who is to be called back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackView {
    /// The call in which he asked for it.
    pub asked_in: CallId,
    pub queue: QueueId,
    /// The number to call.
    pub number: String,
    pub name: Option<String>,
    /// When he came into the queue, and until when he may be called.
    pub came: Wall,
    pub until: Wall,
    /// Attempts so far.
    pub attempts: u32,
    pub state: CallbackState,
    /// His place in the queue, from 1, while he stands in it.
    pub position: Option<u32>,
}

/// Where a callback is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallbackState {
    /// The call in which he asked is not over.
    Asked,
    /// This call is made to him.
    Calling(CallId),
    /// He stands in the queue again then.
    Resting(Wall),
    Waiting,
}

/// Somebody who waits in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerView {
    pub call: CallId,
    /// From 1.
    pub position: u32,
    /// When he came into this queue.
    pub entered: Wall,
    pub wait: Duration,
    /// How many phones ring for him.
    pub offers: u32,
    /// As in `CallView`.
    pub from: String,
    pub name: Option<String>,
    pub extension: Option<ExtensionId>,
}

/// A call in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    pub call: CallId,
    pub direction: Direction,
    /// The caller's number as phones show it.
    pub from: String,
    pub name: Option<String>,
    /// The account that called.
    pub extension: Option<ExtensionId>,
    /// The trunk that the call came over, or goes out over.
    pub trunk: Option<TrunkId>,
    /// What was dialled.
    pub to: String,
    pub began: Wall,
    /// When the caller got a 200.
    pub answered: Option<Wall>,
    pub stage: Stage,
    pub recorded: bool,
    /// The caller's leg is the first.
    pub legs: Vec<LegView>,
}

/// What a call does at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Somebody hung up; the last answers are awaited.
    Ending,
    InConference {
        conference: ConferenceId,
    },
    InMenu {
        menu: MenuId,
    },
    /// `position` counts from 1.
    InQueue {
        queue: QueueId,
        position: u32,
    },
    Listening {
        prompt: PromptId,
    },
    /// Waits to be fetched.
    Parked {
        slot: u16,
    },
    /// Phones ring.
    Ringing,
    /// Arrived; nothing decided yet.
    Routing,
    /// The caller talks with the leg at this extension.
    Talking {
        with: LegId,
    },
}

/// A conference as it is at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceView {
    pub conference: ConferenceId,
    /// What is dialled to come into it.
    pub number: Option<String>,
    pub parties_max: u16,
    /// In the order in which they came.
    pub members: Vec<MemberView>,
}

/// Somebody in a conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    pub leg: LegId,
    pub call: CallId,
    /// Who he is, as phones show him.
    pub number: String,
    pub name: Option<String>,
    pub joined: Wall,
    pub muted: bool,
}

/// One leg of a call in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegView {
    pub leg: LegId,
    pub extension: Option<ExtensionId>,
    pub agent: Option<AgentId>,
    pub trunk: Option<TrunkId>,
    pub state: LegState,
    /// What was counted up to a few seconds ago.
    pub quality: Option<Quality>,
    /// It is sent audio, and none comes from it.
    pub one_way: bool,
    /// It supervises the talk of the others.
    pub supervises: Option<SupervisorMode>,
}

/// Where a leg's dialog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LegState {
    /// The INVITE is out or in; nothing rings.
    Trying,
    Ringing,
    Answered,
    /// The switch holds the leg's phone.
    Held,
    /// The leg's phone holds the other side.
    Holding,
    Ending,
}

/// An account and the phones registered for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneView {
    pub extension: ExtensionId,
    pub name: String,
    /// Calls in progress at this account.
    pub calls: u32,
    /// What its person wants when he is called.
    pub services: Services,
    pub contacts: Vec<ContactView>,
}

/// One registered phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactView {
    /// The Contact URI.
    pub uri: String,
    /// Where its packets come from, such as `udp://192.0.2.7:5060`.
    pub address: String,
    pub user_agent: Option<String>,
    pub registered: Wall,
    pub expires: Wall,
}

/// A queue as it is at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    pub queue: QueueId,
    /// What is dialled to reach it.
    pub number: Option<String>,
    /// As in the configuration, such as `most-idle`.
    pub strategy: String,
    /// Callers who wait, rung for or not, and those who are to be called back.
    pub waiting: u32,
    /// Of those: to be called back, or being called.
    pub callbacks: u32,
    /// How long the first of them has waited; zero if nobody waits.
    pub longest_wait: Duration,
    /// Members in any state but logged out.
    pub agents_logged_in: u32,
    pub agents_available: u32,
    /// Ringing, on a call, or in after-call work.
    pub agents_busy: u32,
}

/// A trunk as it is at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkView {
    pub trunk: TrunkId,
    pub state: TrunkState,
    /// Why, in a word for programs.
    pub why: Option<String>,
    /// When the state began.
    pub since: Wall,
    /// Until when its registrar sends calls; none if it does not.
    pub registered_until: Option<Wall>,
    /// Legs of calls, in and out.
    pub calls: u32,
    pub calls_max: u32,
    /// The first choice first.
    pub servers: Vec<ServerView>,
}

/// One server of a trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// Such as `udp:203.0.113.7:5060`.
    pub address: String,
    pub up: bool,
    /// How long the last answer to a probe took; none before the first.
    pub latency: Option<Duration>,
    /// That calls leave it alone.
    pub resting: Option<RestingView>,
}

/// That calls leave a server alone, because it failed or asked for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestingView {
    pub until: Wall,
    /// `retry_after`: no call goes there; else calls go to other servers first: `unavailable`,
    /// `silent`, `unreachable`, `certificate`.
    pub why: String,
}

/// The node in numbers: what it holds at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// `[node] name`.
    pub name: String,
    pub started: Wall,
    pub uptime: Duration,
    /// Counts the configurations since the start, from 1.
    pub config: u64,
    pub calls: u64,
    pub legs: u64,
    pub dialogs: u64,
    pub transactions: u64,
    /// Registered phones.
    pub registrations: u64,
    /// Phones that watch something, once for each thing.
    pub subscriptions: u64,
    /// NOTIFYs written since the start.
    pub notifies_total: u64,
    /// How often since the start a leg was sent audio while none came from it.
    pub one_way_total: u64,
    /// Media port pairs in use, without those that are spare or rest.
    pub ports_taken: u64,
    /// Media port pairs ready for the next leg.
    pub ports_spare: u64,
    /// It takes no new calls: somebody wants it so, or it stops.
    pub draining: bool,
    /// Recordings that are being written.
    pub recordings: u64,
    /// Callers that wait in all queues.
    pub waiting: u64,
    /// Calls since the start.
    pub calls_total: u64,
    /// Calls refused since the start for want of ports, room or a writable ledger.
    pub calls_refused: u64,
    /// Messages since the start from networks that may not send.
    pub denied: u64,
    /// Requests since the start that were not answered: too many without good credentials.
    pub dropped: u64,
    /// Lock-outs since the start of those who guessed passwords.
    pub lock_outs: u64,
    /// Requests within calls since the start that were told to wait: their dialog, or all of their
    /// source, had too many under way.
    pub crowded: u64,
}

/// What became of an order to read the configuration again. The shell reads the files and gives the
/// Switch a whole configuration, so this is no `Request`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reload {
    /// In force from the next call on.
    Applied {
        /// As in `NodeStatus`.
        config: u64,
        /// Changed keys that take effect only at the next start, such as `[sip] listen`.
        restart_for: Vec<String>,
    },
    /// The files have mistakes; nothing changed. Each is `file:line:column: sentence`.
    Refused { mistakes: Vec<String> },
}
