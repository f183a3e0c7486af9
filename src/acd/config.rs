//! `[acd]`, `[queues.X]` and `[agents.X]` of the configuration, and what no schema can find in
//! them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

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
    /// done in a `ring-all` queue, where nobody is called in person. Default `true`.
    pub rona: bool,
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
    /// The agents who serve it, in the order that `linear` and `round-robin` follow. Default: those
    /// who have `skills`.
    pub members: Vec<AgentId>,
    /// In place of `members`: everyone with at least these levels serves it. Default: none.
    pub skills: BTreeMap<SkillId, u8>,
    /// How the demand on agents sinks while a caller waits, in order of `after`. Default: it does
    /// not.
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
    /// Played once to the caller, while the agent's phone already rings. Default: none.
    pub greeting: Option<PromptId>,
    /// Whether the greeting is played to its end before the two are joined. Default `false`.
    pub greeting_must_finish: bool,
    /// What the caller hears while waiting. Default `"hold"`.
    pub music: Option<PromptId>,
    /// What the caller is told while waiting.
    pub announce: Announce,
    /// How agents' phones ring for it: a name that the phones know, sent in Alert-Info. Default
    /// `""`: as for any call.
    pub alert: String,
    /// Whether agents' phones are told to answer by themselves (Call-Info `answer-after`). Default
    /// `false`.
    pub auto_answer: bool,
    /// How soon its callers are to be answered, for its figures.
    pub service_level: ServiceLevel,
    /// Which calls are recorded. Default `"never"`.
    pub record: Record,
    /// Whether the audio of its calls is encrypted: that of the phones that it rings, unless their
    /// account requires it anyway; with `"required"` that of its callers too, or they are refused.
    /// Default: as each account says.
    pub srtp: Option<Srtp>,
    /// Where a caller goes who finds `callers_max` waiting. Default: `486 Busy Here`.
    pub on_full: Option<Target>,
    /// Where a caller goes after `max_wait`. Default: he is hung up.
    pub on_timeout: Option<Target>,
    /// Where callers go while nobody is logged in. Default: they wait.
    pub on_empty: Option<Target>,
}

/// How a free agent is chosen.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Who answered the fewest calls since the node started.
    FewestCalls,
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
    /// The next free one after the one that was rung last, in the order of `members`.
    RoundRobin,
    /// Who has the highest levels in the skills that the call needs; among equals the most idle.
    Skills,
}

impl Strategy {
    /// As the configuration writes it, such as `most-idle`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FewestCalls => "fewest-calls",
            Self::LeastTalk => "least-talk",
            Self::Linear => "linear",
            Self::MostIdle => "most-idle",
            Self::Random => "random",
            Self::RingAll => "ring-all",
            Self::RoundRobin => "round-robin",
            Self::Skills => "skills",
        }
    }
}

/// One step of `widen`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Widen {
    /// How long the caller has waited when the step is taken.
    #[serde(with = "crate::time::WithinDay")]
    pub after: Duration,
    /// The levels that are enough from then on; 0 demands the skill no longer. Skills that are not
    /// named stay as they were.
    pub skills: BTreeMap<SkillId, u8>,
}

/// `[queues.X] announce`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Announce {
    /// Whether the caller is told his place. Default `false`.
    pub position: bool,
    /// The time between two announcements. Default `"30s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub every: Duration,
}

impl Default for Announce {
    fn default() -> Self {
        Self { position: false, every: Duration::from_secs(30) }
    }
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
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
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
        for (id, agent) in &self.agents {
            let id = id.as_str();
            levels(&["agents", id, "skills"], &agent.skills, 1, &mut faults);
            if agent.login == Login::Auto && agent.extension.is_none() {
                let what = "`login = \"auto\"` needs a fixed seat; write `extension = \"…\"`";
                faults.push(fault(&["agents", id, "login"], what.to_owned()));
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
        for (at, member) in queue.members.iter().enumerate() {
            let what = if !self.agents.contains_key(member) {
                format!("there is no agent `{member}`; add `[agents.{member}]` or leave him out")
            } else if queue.members[..at].contains(member) {
                format!("agent `{member}` is named twice")
            } else {
                continue;
            };
            faults.push(fault(&["queues", id, "members"], what));
        }
        levels(&["queues", id, "skills"], &queue.skills, 1, faults);
        for (step, before) in queue
            .widen
            .iter()
            .zip(std::iter::once(Duration::ZERO).chain(queue.widen.iter().map(|step| step.after)))
        {
            levels(&["queues", id, "widen"], &step.skills, 0, faults);
            if step.after <= before {
                let what = "each step of `widen` must come later than the one before it";
                faults.push(fault(&["queues", id, "widen"], what.to_owned()));
            }
        }
        if queue.service_level.target.is_some_and(|target| !(1..=100).contains(&target)) {
            let what = "a target is from 1 to 100 percent";
            faults.push(fault(&["queues", id, "service_level", "target"], what.to_owned()));
        }
        positive(&["queues", id, "ring_timeout"], queue.ring_timeout, faults);
        positive(&["queues", id, "max_wait"], queue.max_wait, faults);
        positive(&["queues", id, "announce", "every"], Some(queue.announce.every), faults);
    }

    /// How long the phone of an agent rings for `queue`.
    pub fn ring_timeout(&self, queue: &Queue) -> Duration {
        queue.ring_timeout.unwrap_or(self.acd.ring_timeout)
    }

    /// How long the after-call work of a call from `queue` lasts.
    pub fn wrap_up(&self, queue: &Queue) -> Duration {
        queue.wrap_up.unwrap_or(self.acd.wrap_up)
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
        queue.strategy != Strategy::RingAll && queue.rona.unwrap_or(self.acd.rona)
    }
}

fn fault(key: &[&str], what: String) -> Fault {
    Fault { key: key.iter().map(|&part| part.to_owned()).collect(), what }
}

fn positive(key: &[&str], wait: Option<Duration>, faults: &mut Vec<Fault>) {
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
