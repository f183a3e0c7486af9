//! `[acd]`, `[queues.X]` and `[agents.X]` of the configuration, and what no schema can find in
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

pub use super::announce::{AgentAnnounce, Announce, Order};
use super::callback::Callback;
use super::event::Outcome;
pub use super::rules::{After, Alarms, Follows, LastBreak};
use crate::id::{AgentId, ExtensionId, PromptId, QueueId, SkillId, Target};
use crate::time::Duration;

/// Everything that the ACD is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[acd]`.
    pub acd: Settings,
    /// `[queues.X]`.
    pub queues: BTreeMap<QueueId, Queue>,
    /// `[agents.X]`.
    pub agents: BTreeMap<AgentId, Agent>,
}

/// `[acd]`: how waiting callers are matched to agents, where a queue does not say otherwise.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Callers a queue holds before `on_full` is followed. Default 500.
    pub callers_max: u32,
    /// How long an agent's phone rings before the next one is tried. Default `"20s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub ring_timeout: Duration,
    /// After-call work before the agent is available again. Default `"0s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub wrap_up: Duration,
    /// The longest that an agent can extend one wrap-up to, from its start. Default `"10m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub wrap_up_max: Duration,
    /// How long a caller waits before `on_timeout` is followed. Default `"30m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub max_wait: Duration,
    /// How long an agent is left alone after his phone refused a call, was busy or could not be
    /// reached. Default `"5s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub refusal_pause: Duration,
    /// Whether an agent who lets a call ring out is set away with the reason `no-answer`; never
    /// done where several phones ring, and nobody is called in person. Default `true`.
    pub rona: bool,
    /// What follows when an agent does not take a call, by cause. Default: `rona` and
    /// `refusal_pause`.
    pub after: After,
    /// What becomes of a break without which nobody would be there for a queue. Default `"allow"`.
    pub last_break: LastBreak,
    /// From when on an agent counts as idle, for `most-idle`. Default `"wrap-up"`.
    pub idle_from: IdleFrom,
    /// How long it is remembered who talked with a caller last. Default `"30d"`.
    #[serde(with = "crate::time::WithinYears")]
    pub last_agent_keep: Duration,
    /// Callers of whom that is remembered; one more takes the place of him whose talk is the
    /// longest ago. Default 100,000.
    pub last_agent_max: u32,
}

/// From when on an agent counts as idle.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum IdleFrom {
    /// From the end of his call: after-call work is idle time.
    Call,
    /// From the end of his after-call work.
    #[default]
    WrapUp,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            callers_max: 500,
            ring_timeout: Duration::from_secs(20),
            wrap_up: Duration::ZERO,
            wrap_up_max: Duration::from_secs(600),
            max_wait: Duration::from_secs(1800),
            refusal_pause: Duration::from_secs(5),
            rona: true,
            after: After::default(),
            last_break: LastBreak::default(),
            idle_from: IdleFrom::default(),
            last_agent_keep: Duration::from_secs(30 * 86_400),
            last_agent_max: 100_000,
        }
    }
}

/// `[queues.X]`: a waiting line and the agents who serve it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// The number it can be dialled at. Default: none.
    pub number: Option<String>,
    /// Which of the free agents is rung. Default `"most-idle"`.
    pub strategy: Strategy,
    /// Which of the best is rung if `strategy` is `skills`, which is the next if it is
    /// `ring-progressively`. Default `"most-idle"`, and `"linear"`.
    pub then: Option<Strategy>,
    /// With `ring-progressively`: how long phones ring before one more does. Default `"10s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub ring_next: Option<Duration>,
    /// How fast its callers age, from 1 to 100: of the callers of all queues that an agent serves
    /// the next is he whose wait, times this, is the longest. Default 1.
    pub weight: Option<u8>,
    /// By how much its callers are taken to have come earlier than they did. Default `"0s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub priority: Duration,
    /// The agents who serve it, in the order that `linear` and `round-robin` follow. Default: those
    /// who have `skills`.
    pub members: Vec<AgentId>,
    /// In place of `members`: everyone with at least these levels serves it. Default: none.
    pub skills: BTreeMap<SkillId, u8>,
    /// What an agent had better be able to do, at levels from 1 to 10: of the free and able those
    /// are rung first who lack the fewest levels, and `strategy` chooses among these. Keeps nobody
    /// from being rung. Default: nothing.
    pub prefer: BTreeMap<SkillId, u8>,
    /// What share of the calls members take, from 1 to 100, where `strategy` deals out shares:
    /// `fewest-calls`, `least-busy`, `least-talk`, `random`, `round-robin-talk`. Default: the
    /// agent's own `weight`.
    pub weights: BTreeMap<AgentId, u8>,
    /// Members who are rung only when no member of a lower tier is free: 2 to 10; everyone else is
    /// in tier 1. Default: none.
    pub tiers: BTreeMap<AgentId, u8>,
    /// How long a caller waits for each tier before the next one is rung too; for a tier of which
    /// nobody is logged in he does not. Default `"0s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub tier_wait: Duration,
    /// How the demand on agents sinks, or who serves a caller beside or in place of the others,
    /// while he waits; in order of `after`. Default: nothing changes.
    pub widen: Vec<Widen>,
    /// How long an agent's phone rings. Default: `[acd] ring_timeout`.
    #[serde(with = "crate::time::WithinDay")]
    pub ring_timeout: Option<Duration>,
    /// After-call work. Default: `[acd] wrap_up`.
    #[serde(with = "crate::time::WithinDay")]
    pub wrap_up: Option<Duration>,
    /// How long a caller waits before `on_timeout`; a phone that rings by then may still be
    /// answered. Default: `[acd] max_wait`.
    #[serde(with = "crate::time::WithinDay")]
    pub max_wait: Option<Duration>,
    /// Callers it holds before `on_full`. Default: `[acd] callers_max`.
    pub callers_max: Option<u32>,
    /// Whether a missed call sets the agent away. Default: `[acd] rona`.
    pub rona: Option<bool>,
    /// What follows when an agent does not take a call. Default: `[acd] after`.
    pub after: After,
    /// What becomes of a break without which nobody would be there for it. Default: `[acd]
    /// last_break`.
    pub last_break: Option<LastBreak>,
    /// From when on an agent counts as idle after a call of it. Default: `[acd] idle_from`.
    pub idle_from: Option<IdleFrom>,
    /// How long a caller waits for the agent who owns him (`owns`) before anybody else is rung.
    /// Default: he does not.
    #[serde(with = "crate::time::WithinDay")]
    pub owner_wait: Option<Duration>,
    /// How long a caller waits for the agent who talked with him last, if that one serves the
    /// queue, before anybody else is rung. Default: he does not.
    #[serde(with = "crate::time::WithinDay")]
    pub last_agent_wait: Option<Duration>,
    /// Played once to the caller, while the agent's phone already rings. Default: none.
    pub greeting: Option<PromptId>,
    /// Whether the greeting is played to its end before the two are joined. Default `false`.
    pub greeting_must_finish: bool,
    /// How long an agent who has answered hears that it rings while the caller hears such a
    /// greeting. After it he is hung up and free again, and the caller keeps his place. Default
    /// `"30s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub greeting_agent_max: Option<Duration>,
    /// What the caller hears while waiting. Default `"hold"`.
    pub music: Option<PromptId>,
    /// What the caller is told while waiting.
    pub announce: Announce,
    /// What an agent who has answered is told before he is joined with the caller.
    pub agent_announce: AgentAnnounce,
    /// How agents' phones ring for it: a name that the phones know, sent in Alert-Info. Default
    /// `""`: as for any call.
    pub alert: String,
    /// Whether agents' phones are told to answer by themselves (Call-Info `answer-after`). Default
    /// `false`.
    pub auto_answer: bool,
    /// How soon its callers are to be answered, for its figures.
    pub service_level: ServiceLevel,
    /// What calls for attention at once. Default: nothing.
    pub alarms: Alarms,
    /// Which calls are recorded. Default `"never"`.
    pub record: Record,
    /// Whether the audio of its calls is encrypted: that of the phones that it rings, unless their
    /// account requires it anyway; with `"required"` that of its callers too, or they are refused.
    /// Default: as each account says.
    pub srtp: Option<Srtp>,
    /// How long a caller who hung up while he waited keeps his place, if he calls again from the
    /// same number. Default: he does not.
    #[serde(with = "crate::time::WithinDay")]
    pub place_kept: Option<Duration>,
    /// Where a caller who waits goes by pressing a key of his phone: `0` to `9`, `"*"`, `"#"`.
    /// Default: no key does anything.
    pub keys: BTreeMap<String, Target>,
    /// How callers are called back in place of waiting. Default: they are not.
    pub callback: Option<Callback>,
    /// Where a caller goes who finds `callers_max` waiting. Default: `486 Busy Here`.
    pub on_full: Option<Target>,
    /// Where a caller goes after `max_wait`. Default: he is hung up.
    pub on_timeout: Option<Target>,
    /// Where callers go while nobody is logged in. Default: they wait.
    pub on_empty: Option<Target>,
    /// Which members count as logged out for a caller who comes, beside those who are, and those of
    /// `empty_leave`. Default: none.
    pub empty_join: BTreeSet<Absence>,
    /// Which members count as logged out for callers who wait. Default: none.
    pub empty_leave: BTreeSet<Absence>,
}

/// How a free agent is chosen.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Who answered the fewest calls since the node started.
    FewestCalls,
    /// Who had the least work lately: talk and after-call work, which count half as much after
    /// each half hour.
    LeastBusy,
    /// Who talked least since the node started.
    LeastTalk,
    /// The first free one in the order of `members`.
    Linear,
    /// Whose last call ended longest ago; logging in counts as an end.
    #[default]
    MostIdle,
    /// Anyone, each as likely as the next.
    Random,
    /// All free ones at once; the first to answer has the call.
    RingAll,
    /// One, after a while one more, and so on, while the phones before ring on; the first to answer
    /// has the call.
    RingProgressively,
    /// The next free one after the one that was rung last, in the order of `members`.
    RoundRobin,
    /// Who has talked least; who comes to work, or back, begins level with the one who has talked
    /// least of those who are there.
    RoundRobinTalk,
    /// Who has the highest levels in the skills that the call needs; among equals the most idle.
    Skills,
}

impl Strategy {
    /// Whether it says who is next among agents who are equally good.
    pub const fn is_order(self) -> bool {
        !matches!(self, Self::RingAll | Self::RingProgressively | Self::Skills)
    }

    /// Whether several phones may ring for one caller.
    pub const fn rings_many(self) -> bool {
        matches!(self, Self::RingAll | Self::RingProgressively)
    }

    /// Whether it deals calls out by the agents' weights.
    pub const fn deals_shares(self) -> bool {
        matches!(
            self,
            Self::FewestCalls
                | Self::LeastBusy
                | Self::LeastTalk
                | Self::Random
                | Self::RoundRobinTalk
        )
    }

    /// As the configuration writes it, such as `most-idle`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FewestCalls => "fewest-calls",
            Self::LeastBusy => "least-busy",
            Self::LeastTalk => "least-talk",
            Self::Linear => "linear",
            Self::MostIdle => "most-idle",
            Self::Random => "random",
            Self::RingAll => "ring-all",
            Self::RingProgressively => "ring-progressively",
            Self::RoundRobin => "round-robin",
            Self::RoundRobinTalk => "round-robin-talk",
            Self::Skills => "skills",
        }
    }
}

/// How a member who is logged in can be absent.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// Away, for whatever reason.
    Away,
    /// In a call, a private one too, or in after-call work; not while his phone rings.
    Busy,
    /// No phone is registered where he sits.
    Unreachable,
}

/// One step of `widen`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Widen {
    /// How long the caller has waited when the step is taken.
    #[serde(with = "crate::time::WithinDay")]
    pub after: Duration,
    /// The levels that are enough from then on; 0 demands the skill no longer.
    #[serde(default)]
    pub skills: BTreeMap<SkillId, u8>,
    /// Who serves the caller from then on, if able; rung when nobody is free who served him before.
    #[serde(default)]
    pub members: Vec<AgentId>,
    /// Whether the step adds to what held before, or replaces it. Default `"add"`.
    #[serde(default)]
    pub mode: Mode,
}

/// What a step of `widen` does to what held before it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Skills that are not named stay demanded, and those who served the caller still do.
    #[default]
    Add,
    /// Of the skills only those that are named, and those that the call itself asks for, are
    /// demanded; and if the step names members, only they serve the caller.
    Replace,
}

/// `[queues.X] service_level`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceLevel {
    /// Answered within this, a caller was served well. Default `"20s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub within: Duration,
    /// Who hangs up within this did not really want to wait. Default `"5s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub short: Duration,
    /// The share of callers, in percent, that is to be served well; below it an alarm is raised.
    /// Default: none.
    pub target: Option<u8>,
}

impl Default for ServiceLevel {
    fn default() -> Self {
        Self { within: Duration::from_secs(20), short: Duration::from_secs(5), target: None }
    }
}

/// Which calls are recorded.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    Always,
    #[default]
    Never,
}

/// Whether the audio of a queue's calls is encrypted (RFC 4568).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Srtp {
    Off,
    Preferred,
    Required,
}

/// `[agents.X]`: a person who answers queue calls.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// What people call him. Default: the id.
    pub name: String,
    /// Digits that allow logging in at any phone. Default: none, which forbids it.
    pub pin: Option<Pin>,
    /// His fixed seat. Default: none; he says it when he logs in.
    pub extension: Option<ExtensionId>,
    /// How he logs in. Default `"manual"`.
    pub login: Login,
    /// What he can do, at levels from 1 to 10. Default: nothing in particular.
    pub skills: BTreeMap<SkillId, u8>,
    /// What share of the calls he takes, from 1 to 100: of two agents the one with twice the weight
    /// gets twice the calls, or talks twice as long. Default 1.
    pub weight: u8,
    /// The numbers of the callers who belong to him: as phones show them, or with `+` and their
    /// country. Default: none.
    pub owns: Vec<String>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            name: String::new(),
            pin: None,
            extension: None,
            login: Login::default(),
            skills: BTreeMap::new(),
            weight: 1,
            owns: Vec::new(),
        }
    }
}

/// How an agent logs in.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Login {
    /// Logged in and available while the phone of his fixed seat is registered.
    Auto,
    /// By feature code or command.
    #[default]
    Manual,
}

/// An agent's secret digits; never printed.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Pin(String);

impl Pin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Pin {
    fn from(digits: &str) -> Self {
        Self(digits.to_owned())
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// A mistake that the types cannot find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key that is wrong, from the file's root, such as `queues.sales.members`.
    pub key: Vec<String>,
    /// What is wrong and what would be right.
    pub what: String,
}

impl Config {
    /// Everything wrong with it, in the order of the keys; empty if it can be used.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.agents.len() > AGENTS_MAX {
            faults.push(fault(&["agents"], format!("at most {AGENTS_MAX} agents are possible")));
        }
        if self.queues.len() > QUEUES_MAX {
            faults.push(fault(&["queues"], format!("at most {QUEUES_MAX} queues are possible")));
        }
        for (key, wait) in [
            ("ring_timeout", self.acd.ring_timeout),
            ("max_wait", self.acd.max_wait),
            ("refusal_pause", self.acd.refusal_pause),
        ] {
            positive(&["acd", key], Some(wait), &mut faults);
        }
        let mut owned = BTreeMap::new();
        for (id, agent) in &self.agents {
            let id = id.as_str();
            levels(&["agents", id, "skills"], &agent.skills, 1, &mut faults);
            if !(1..=WEIGHT_MAX).contains(&agent.weight) {
                let what = format!("write a weight from 1 to {WEIGHT_MAX}");
                faults.push(fault(&["agents", id, "weight"], what));
            }
            if agent.login == Login::Auto && agent.extension.is_none() {
                let what = "`login = \"auto\"` needs a fixed seat; write `extension = \"…\"`";
                faults.push(fault(&["agents", id, "login"], what.to_owned()));
            }
            for number in &agent.owns {
                if let Some(what) = owned.insert(number, id).map_or_else(
                    || is_unusable(number),
                    |other| Some(format!("`{number}` belongs to agent `{other}` too; keep one")),
                ) {
                    faults.push(fault(&["agents", id, "owns"], what));
                }
            }
            if agent.pin.as_ref().is_some_and(|pin| !is_pin(pin.as_str())) {
                let what = "a PIN has 3 to 16 digits";
                faults.push(fault(&["agents", id, "pin"], what.to_owned()));
            }
        }
        for (id, queue) in &self.queues {
            self.queue_faults(id.as_str(), queue, &mut faults);
        }
        faults
    }

    fn queue_faults(&self, id: &str, queue: &Queue, faults: &mut Vec<Fault>) {
        if !queue.members.is_empty() && !queue.skills.is_empty() {
            let what = "`members` and `skills` exclude each other; keep one";
            faults.push(fault(&["queues", id, "skills"], what.to_owned()));
        }
        self.members(&["queues", id, "members"], &queue.members, faults);
        levels(&["queues", id, "skills"], &queue.skills, 1, faults);
        levels(&["queues", id, "prefer"], &queue.prefer, 1, faults);
        self.shares(&["queues", id, "weights"], queue, (&queue.weights, 1, WEIGHT_MAX), faults);
        self.shares(&["queues", id, "tiers"], queue, (&queue.tiers, 2, TIERS_MAX), faults);
        let has_next = matches!(queue.strategy, Strategy::RingProgressively | Strategy::Skills);
        if queue.then.is_some_and(|then| !has_next || !then.is_order()) {
            let what = "`then` says which agent is next for `skills` and `ring-progressively`: \
                        \"most-idle\", \"round-robin\", …";
            faults.push(fault(&["queues", id, "then"], what.to_owned()));
        }
        positive(&["queues", id, "ring_next"], queue.ring_next, faults);
        positive(&["queues", id, "greeting_agent_max"], queue.greeting_agent_max, faults);
        let mut before = Duration::ZERO;
        for (at, step) in queue.widen.iter().enumerate() {
            let key = ["queues", id, "widen", &at.to_string()];
            levels(&[&key[..], &["skills"]].concat(), &step.skills, 0, faults);
            self.members(&[&key[..], &["members"]].concat(), &step.members, faults);
            if step.skills.is_empty() && step.members.is_empty() {
                let what = "the step changes nothing; write `skills` or `members`";
                faults.push(fault(&key, what.to_owned()));
            }
            if step.after <= before {
                let what = "each step of `widen` must come later than the one before it";
                faults.push(fault(&[&key[..], &["after"]].concat(), what.to_owned()));
            }
            before = step.after;
        }
        if queue.service_level.target.is_some_and(|target| !(1..=100).contains(&target)) {
            let what = "a target is from 1 to 100 percent";
            faults.push(fault(&["queues", id, "service_level", "target"], what.to_owned()));
        }
        if queue.widen.len() > STEPS_MAX {
            let what = format!("at most {STEPS_MAX} steps are possible");
            faults.push(fault(&["queues", id, "widen"], what));
        }
        if queue.weight.is_some_and(|weight| !(1..=WEIGHT_MAX).contains(&weight)) {
            let what = format!("write a weight from 1 to {WEIGHT_MAX}");
            faults.push(fault(&["queues", id, "weight"], what));
        }
        positive(&["queues", id, "alarms", "longest_hold"], queue.alarms.longest_hold, faults);
        positive(&["queues", id, "alarms", "longest_wait"], queue.alarms.longest_wait, faults);
        if queue.alarms.waiting == Some(0) {
            let what = "write how many are too many, 1 or more";
            faults.push(fault(&["queues", id, "alarms", "waiting"], what.to_owned()));
        }
        positive(&["queues", id, "place_kept"], queue.place_kept, faults);
        for key in queue.keys.keys().filter(|key| !is_key(key)) {
            let what = format!("`{key}` is no key of a phone; write one of 0 to 9, \"*\" or \"#\"");
            faults.push(fault(&["queues", id, "keys", key], what));
        }
        if let Some(callback) = &queue.callback {
            callback.faults(&["queues", id, "callback"], &queue.keys, faults);
        }
        positive(&["queues", id, "owner_wait"], queue.owner_wait, faults);
        positive(&["queues", id, "last_agent_wait"], queue.last_agent_wait, faults);
        positive(&["queues", id, "ring_timeout"], queue.ring_timeout, faults);
        positive(&["queues", id, "max_wait"], queue.max_wait, faults);
        faults.extend(queue.announce.faults(id));
    }

    /// Who is named among the members, but does not exist or is there already.
    fn members(&self, key: &[&str], members: &[AgentId], faults: &mut Vec<Fault>) {
        for (at, member) in members.iter().enumerate() {
            if !self.agents.contains_key(member) {
                faults.push(fault(key, no_agent(member)));
            } else if members[..at].contains(member) {
                faults.push(fault(key, format!("agent `{member}` is named twice")));
            }
        }
    }

    /// What is said of members one by one, in numbers from `least` to `most`.
    fn shares(
        &self,
        key: &[&str],
        queue: &Queue,
        (shares, least, most): (&BTreeMap<AgentId, u8>, u8, u8),
        faults: &mut Vec<Fault>,
    ) {
        for (member, share) in shares {
            if !self.agents.contains_key(member) {
                faults.push(fault(key, no_agent(member)));
            } else if !queue.members.is_empty() && !queue.members.contains(member) {
                let what = format!("agent `{member}` is no member; add him to `members`");
                faults.push(fault(key, what));
            }
            if !(least..=most).contains(share) {
                let what = format!("`{member}` has {share}; write a number from {least} to {most}");
                faults.push(fault(key, what));
            }
        }
    }

    /// How long the phone of an agent rings for `queue`.
    pub fn ring_timeout(&self, queue: &Queue) -> Duration {
        queue.ring_timeout.unwrap_or(self.acd.ring_timeout)
    }

    /// How long the after-call work of a call from `queue` lasts.
    pub fn wrap_up(&self, queue: &Queue) -> Duration {
        queue.wrap_up.unwrap_or(self.acd.wrap_up)
    }

    /// Who among the best agents of `queue` is rung: its strategy, but that of equals for `skills`.
    pub fn order(&self, queue: &Queue) -> Strategy {
        match queue.strategy {
            Strategy::RingAll => Strategy::Linear,
            Strategy::RingProgressively => queue.then.unwrap_or(Strategy::Linear),
            Strategy::Skills => queue.then.unwrap_or_default(),
            strategy => strategy,
        }
    }

    /// How long a caller waits in `queue`.
    pub fn max_wait(&self, queue: &Queue) -> Duration {
        queue.max_wait.unwrap_or(self.acd.max_wait)
    }

    /// How many callers `queue` holds.
    pub fn callers_max(&self, queue: &Queue) -> u32 {
        queue.callers_max.unwrap_or(self.acd.callers_max)
    }

    /// Whether a missed call from `queue` sets the agent away.
    pub fn rona(&self, queue: &Queue) -> bool {
        !queue.strategy.rings_many() && queue.rona.unwrap_or(self.acd.rona)
    }

    /// What follows when an agent does not take a call from `queue`.
    pub fn after(&self, queue: &Queue, cause: Outcome) -> Follows {
        let said = queue.after.or(self.acd.after).of(cause);
        let usual = match cause {
            Outcome::NoAnswer if self.rona(queue) => Follows::Away,
            _ => Follows::Pause,
        };
        match said.unwrap_or(usual) {
            Follows::Away if cause == Outcome::NoAnswer && queue.strategy.rings_many() => {
                Follows::Pause
            }
            follows => follows,
        }
    }

    /// How long phones ring for a caller of `queue` before one more does, if only one by one do.
    pub fn ring_next(&self, queue: &Queue) -> Option<Duration> {
        let is_progressive = queue.strategy == Strategy::RingProgressively;
        is_progressive.then(|| queue.ring_next.unwrap_or(Duration::from_secs(10)))
    }

    /// From when on an agent counts as idle after a call of `queue`.
    pub fn idle_from(&self, queue: &Queue) -> IdleFrom {
        queue.idle_from.unwrap_or(self.acd.idle_from)
    }
}

pub(super) fn fault(key: &[&str], what: String) -> Fault {
    Fault { key: key.iter().map(|&part| part.to_owned()).collect(), what }
}

/// What is wrong with a caller's number, if anything is.
fn is_unusable(number: &str) -> Option<String> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let is_one = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    (!is_one).then(|| format!("`{number}` is no number; write digits, as in \"+8613800138000\""))
}

/// Whether phones have such a key.
fn is_key(key: &str) -> bool {
    matches!(key.as_bytes(), [b'0'..=b'9' | b'*' | b'#'])
}

fn no_agent(id: &AgentId) -> String {
    format!("there is no agent `{id}`; add `[agents.{id}]` or leave him out")
}

pub(super) fn positive(key: &[&str], wait: Option<Duration>, faults: &mut Vec<Fault>) {
    if wait == Some(Duration::ZERO) {
        faults.push(fault(key, "must be longer than nothing, such as \"20s\"".to_owned()));
    }
}

fn levels(key: &[&str], skills: &BTreeMap<SkillId, u8>, min: u8, faults: &mut Vec<Fault>) {
    for (skill, level) in skills {
        if !(min..=LEVEL_MAX).contains(level) {
            let what =
                format!("`{skill}` is at level {level}; write one from {min} to {LEVEL_MAX}");
            faults.push(fault(key, what));
        }
    }
}

/// Whether it can be typed at a phone: 3 to 16 digits.
pub fn is_pin(digits: &str) -> bool {
    (3..=16).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// Agents that one node knows in its lifetime, those removed by a reload included.
pub const AGENTS_MAX: usize = 10_240;
/// Queues that one node knows in its lifetime, those removed by a reload included.
pub const QUEUES_MAX: usize = 4_096;
/// The highest level of a skill.
pub const LEVEL_MAX: u8 = 10;
/// The last tier of a queue.
pub const TIERS_MAX: u8 = 10;
/// The largest share of an agent, and weight of a queue.
pub const WEIGHT_MAX: u8 = 100;
/// Steps that `widen` can have.
pub const STEPS_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_read_as_the_manual_writes_it() {
        let queue: Queue = toml::from_str(
            r#"
            number = "600"
            strategy = "ring-all"
            members = ["17", "18"]
            widen = [{ after = "30s", skills = { sales = 1 } }]
            ring_timeout = "15s"
            announce = { position = true, every = "45s" }
            record = "always"
            on_full = "prompt:busy"
            "#,
        )
        .unwrap();

        assert_eq!(queue.strategy, Strategy::RingAll);
        assert_eq!(queue.ring_timeout, Some(Duration::from_secs(15)));
        assert_eq!(queue.wrap_up, None);
        assert_eq!(queue.widen[0].after, Duration::from_secs(30));
        assert_eq!(queue.on_full, Some(Target::Prompt("busy".into())));
    }

    #[test]
    fn a_strategy_that_does_not_exist_is_refused() {
        let error = toml::from_str::<Queue>(r#"strategy = "fastest""#).unwrap_err();

        assert!(error.to_string().contains("fastest"), "{error}");
        assert!(error.to_string().contains("round-robin"), "{error}");
    }

    #[test]
    fn a_pin_is_never_printed() {
        let agent: Agent = toml::from_str(r#"pin = "4711""#).unwrap();

        assert!(!format!("{agent:?}").contains("4711"));
    }

    #[test]
    fn every_fault_names_its_key() {
        let mut config = Config::default();
        let queue = Queue {
            members: vec!["17".into(), "17".into(), "18".into()],
            skills: [("sales".into(), 11)].into(),
            ring_timeout: Some(Duration::ZERO),
            ..Queue::default()
        };
        config.queues.insert("sales".into(), queue);
        let agent = Agent { login: Login::Auto, pin: Some("12".into()), ..Agent::default() };
        config.agents.insert("17".into(), agent);

        let keys: Vec<_> = config.faults().iter().map(|fault| fault.key.join(".")).collect();

        assert_eq!(
            keys,
            [
                "agents.17.login",
                "agents.17.pin",
                "queues.sales.skills",
                "queues.sales.members",
                "queues.sales.members",
                "queues.sales.skills",
                "queues.sales.ring_timeout",
            ]
        );
    }
}
