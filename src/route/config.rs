//! `[extensions.X]`, `[codes]`, `[[routes]]` and `[hours.X]`: who can call, and where calls go.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use crate::id::{AgentId, ClassId, HoursId, QueueId, Target, TrunkId};
use crate::route::hours::{Closed, Open};
use crate::route::network::Network;
use crate::route::pattern::Pattern;
use crate::sdp::Security;
use crate::time::Duration;

/// `[extensions.X]`: a phone's account; X is its number and its user name.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Extension {
    /// Networks from which the account can be used; from elsewhere its password is as wrong as any
    /// other. Default `[]`: all.
    pub allow: Vec<Network>,
    /// The classes of numbers that it may dial; those in no class are `internal`, or `other` if
    /// they lead to a trunk. Default: all.
    pub calls: Option<Vec<ClassId>>,
    /// Calls that it may begin on one day of the node's zone. Default: any.
    pub calls_a_day: Option<u32>,
    /// Calls of its own that it may have at once. Default: any.
    pub calls_max: Option<u32>,
    /// The number that trunks show for its calls, instead of theirs. Default: none.
    pub caller_id: Option<String>,
    /// Further numbers that the phone may ask to be shown for a call of its (P-Preferred-Identity,
    /// RFC 3325 §9.2), besides `caller_id`. Default: none; another wish counts for nothing.
    pub identities: Vec<String>,
    /// The name that other phones show. Default: the number.
    pub name: String,
    /// The password that the phone registers and calls with. No default: every extension needs
    /// this key or one of the next two.
    pub password: Option<Secret>,
    /// The environment variable that holds the password. Default: none.
    pub password_env: Option<String>,
    /// The file whose first line is the password, relative to the configuration file. Default:
    /// none.
    pub password_file: Option<PathBuf>,
    /// Who may pick up for whom: accounts that share a name here. None: nobody for it, and it for
    /// nobody. Default `["all"]`.
    pub pickup_groups: Vec<String>,
    /// Which of its calls are recorded: `"never"` or `"always"`. Default `"never"`.
    pub record: Record,
    /// How long its phones ring before the caller gets `480`. Default `"1m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub ring_timeout: Duration,
    /// Whether the audio of its phones is encrypted; see `[media] srtp`. Default: as there.
    pub srtp: Option<Security>,
    /// The agents whose talks it may listen to and join: those of a queue, `"queue:sales"`, one,
    /// `"agent:17"`, or `"all"`. Default `[]`: none.
    pub supervises: Vec<Supervised>,
}

impl Default for Extension {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            calls: None,
            calls_a_day: None,
            calls_max: None,
            caller_id: None,
            identities: Vec::new(),
            name: String::new(),
            password: None,
            password_env: None,
            password_file: None,
            pickup_groups: vec!["all".to_owned()],
            record: Record::Never,
            ring_timeout: Duration::from_secs(60),
            srtp: None,
            supervises: Vec::new(),
        }
    }
}

/// Agents whom somebody may supervise; written `"all"`, `"agent:17"`, `"queue:sales"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supervised {
    Agent(AgentId),
    All,
    /// Those who serve it at that moment.
    Queue(QueueId),
}

impl<'de> Deserialize<'de> for Supervised {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("agent", id)) if !id.is_empty() => Ok(Self::Agent(id.into())),
            Some(("queue", id)) if !id.is_empty() => Ok(Self::Queue(id.into())),
            _ => {
                let text = format!(
                    "`{text}` names no agents; write \"all\", \"queue:ID\" or \"agent:ID\""
                );
                Err(serde::de::Error::custom(text))
            }
        }
    }
}

impl Extension {
    /// Whether the account may be shown under this number.
    pub fn may_show(&self, number: &str) -> bool {
        self.caller_id.iter().chain(&self.identities).any(|own| own == number)
    }

    /// Whether the account can be used from this address.
    pub fn lets_in(&self, address: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|network| network.contains(address))
    }
}

/// Which calls are recorded.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    Always,
    #[default]
    Never,
}

/// A password or token. `Debug` and logs never show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself: for comparing and hashing only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// `[codes]`: what extensions dial to do something. `""` switches a code off.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Codes {
    /// The agent at this phone is available. Default `"*13"`.
    pub agent_available: String,
    /// The agent at this phone is away; asks for the reason's digit. Default `"*14"`.
    pub agent_away: String,
    /// Logs an agent in at this phone; asks for id and PIN. Default `"*11"`.
    pub agent_login: String,
    /// Logs the agent at this phone out. Default `"*12"`.
    pub agent_logout: String,
    /// Pressed in a conference: the phone is not heard by the others; pressed again, it is. It
    /// hears one tone, or two. Default `"*6"`.
    pub conference_mute: String,
    /// The reasons that `agent_away` asks for, by digit.
    /// Default `{ 1 = "break", 2 = "lunch", 3 = "meeting", 4 = "training" }`.
    pub away_reasons: BTreeMap<char, String>,
    /// Do not disturb: the phone is busy for everyone, and its agent gets no queue calls. Default
    /// `"*78"`.
    pub dnd: String,
    /// Ends that. Default `"*79"`.
    pub dnd_off: String,
    /// Sends every call on to the number after it, such as `*721002`; asks for it if there is none.
    /// Default `"*72"`.
    pub forward_always: String,
    /// Ends that. Default `"*73"`.
    pub forward_always_off: String,
    /// Sends calls on while the phone is busy or refuses. Default `"*90"`.
    pub forward_busy: String,
    /// Ends that. Default `"*91"`.
    pub forward_busy_off: String,
    /// Sends calls on that nobody answers in time, or if no phone is registered. Default `"*92"`.
    pub forward_no_answer: String,
    /// Ends that. Default `"*93"`.
    pub forward_no_answer_off: String,
    /// Sends back what is said. Default `"*43"`.
    pub echo_test: String,
    /// A call transferred to it is parked at the first free place of `[park]`, or at the one whose
    /// number comes after it, such as `*701`; who calls that number talks with who is parked there,
    /// and who calls the code alone has a place kept for him. Default `"*70"`.
    pub park: String,
    /// Answers the phone that rings longest among those of the same `pickup_groups`; with a number
    /// after it, such as `*81002`, that one. Default `"*8"`.
    pub pickup: String,
    /// Pressed in a talk: nothing of it is recorded any more; the phone hears a tone. Default
    /// `"*22"`.
    pub record_pause: String,
    /// Pressed in a talk: it is recorded again; the phone hears two tones. Default `"*23"`.
    pub record_resume: String,
    /// Listens to the agent whose id comes after it, such as `*3317`, for extensions that may
    /// (`supervises`); asks for the id if there is none. Keys then change what is heard: 1 listens,
    /// 2 speaks to the agent alone, 3 to both, 4 takes the call over. Default `"*33"`.
    pub supervise: String,
    /// Ends the wrap-up of the agent at this phone. Default `"*15"`.
    pub wrap_up_done: String,
    /// Extends that wrap-up by its queue's length. Default `"*16"`.
    pub wrap_up_extend: String,
}

impl Default for Codes {
    fn default() -> Self {
        let reasons = [('1', "break"), ('2', "lunch"), ('3', "meeting"), ('4', "training")];
        Self {
            agent_available: "*13".to_owned(),
            agent_away: "*14".to_owned(),
            agent_login: "*11".to_owned(),
            agent_logout: "*12".to_owned(),
            conference_mute: "*6".to_owned(),
            away_reasons: reasons.map(|(digit, reason)| (digit, reason.to_owned())).into(),
            dnd: "*78".to_owned(),
            dnd_off: "*79".to_owned(),
            forward_always: "*72".to_owned(),
            forward_always_off: "*73".to_owned(),
            forward_busy: "*90".to_owned(),
            forward_busy_off: "*91".to_owned(),
            forward_no_answer: "*92".to_owned(),
            forward_no_answer_off: "*93".to_owned(),
            echo_test: "*43".to_owned(),
            park: "*70".to_owned(),
            pickup: "*8".to_owned(),
            record_pause: "*22".to_owned(),
            record_resume: "*23".to_owned(),
            supervise: "*33".to_owned(),
            wrap_up_done: "*15".to_owned(),
            wrap_up_extend: "*16".to_owned(),
        }
    }
}

/// What a feature code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    AgentAvailable,
    AgentAway,
    AgentLogin,
    AgentLogout,
    ConferenceMute,
    Dnd,
    DndOff,
    ForwardAlways,
    ForwardAlwaysOff,
    ForwardBusy,
    ForwardBusyOff,
    ForwardNoAnswer,
    ForwardNoAnswerOff,
    EchoTest,
    Park,
    Pickup,
    RecordPause,
    RecordResume,
    Supervise,
    WrapUpDone,
    WrapUpExtend,
}

impl Code {
    /// Its key in `[codes]`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::AgentAvailable => "agent_available",
            Self::AgentAway => "agent_away",
            Self::AgentLogin => "agent_login",
            Self::AgentLogout => "agent_logout",
            Self::ConferenceMute => "conference_mute",
            Self::Dnd => "dnd",
            Self::DndOff => "dnd_off",
            Self::ForwardAlways => "forward_always",
            Self::ForwardAlwaysOff => "forward_always_off",
            Self::ForwardBusy => "forward_busy",
            Self::ForwardBusyOff => "forward_busy_off",
            Self::ForwardNoAnswer => "forward_no_answer",
            Self::ForwardNoAnswerOff => "forward_no_answer_off",
            Self::EchoTest => "echo_test",
            Self::Park => "park",
            Self::Pickup => "pickup",
            Self::RecordPause => "record_pause",
            Self::RecordResume => "record_resume",
            Self::Supervise => "supervise",
            Self::WrapUpDone => "wrap_up_done",
            Self::WrapUpExtend => "wrap_up_extend",
        }
    }
}

impl Code {
    /// Whether a number may follow what is dialled for it.
    pub const fn takes_number(self) -> bool {
        matches!(
            self,
            Self::ForwardAlways
                | Self::ForwardBusy
                | Self::ForwardNoAnswer
                | Self::Park
                | Self::Pickup
                | Self::Supervise
        )
    }
}

impl Codes {
    /// Every code with what is dialled for it; codes that are switched off are left out.
    pub fn dialled(&self) -> impl Iterator<Item = (Code, &str)> {
        [
            (Code::AgentAvailable, &self.agent_available),
            (Code::AgentAway, &self.agent_away),
            (Code::AgentLogin, &self.agent_login),
            (Code::AgentLogout, &self.agent_logout),
            (Code::ConferenceMute, &self.conference_mute),
            (Code::Dnd, &self.dnd),
            (Code::DndOff, &self.dnd_off),
            (Code::ForwardAlways, &self.forward_always),
            (Code::ForwardAlwaysOff, &self.forward_always_off),
            (Code::ForwardBusy, &self.forward_busy),
            (Code::ForwardBusyOff, &self.forward_busy_off),
            (Code::ForwardNoAnswer, &self.forward_no_answer),
            (Code::ForwardNoAnswerOff, &self.forward_no_answer_off),
            (Code::EchoTest, &self.echo_test),
            (Code::Park, &self.park),
            (Code::Pickup, &self.pickup),
            (Code::RecordPause, &self.record_pause),
            (Code::RecordResume, &self.record_resume),
            (Code::Supervise, &self.supervise),
            (Code::WrapUpDone, &self.wrap_up_done),
            (Code::WrapUpExtend, &self.wrap_up_extend),
        ]
        .into_iter()
        .filter(|(_, dialled)| !dialled.is_empty())
        .map(|(code, dialled)| (code, dialled.as_str()))
    }
}

/// One of `[[routes]]`: the first whose conditions all hold decides where the call goes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Numbers of callers: exact `"1001"`, prefix `"10*"`, pattern `"~^10\\d\\d$"`.
    /// Default: every caller.
    #[serde(default)]
    pub from: Option<Pattern>,
    /// Opening hours that must be open. Default: at any time.
    #[serde(default)]
    pub hours: Option<HoursId>,
    /// What records and `strowger explain` call the rule. Default: its place, `route 1`.
    #[serde(default)]
    pub name: String,
    /// Where the call goes. No default: every route needs one.
    pub target: Target,
    /// Numbers dialled, written as those of `from`. Default: every number.
    #[serde(default)]
    pub to: Option<Pattern>,
    /// The trunk that the call must have come over. Default: calls of extensions, and those of
    /// every trunk.
    #[serde(default)]
    pub trunk: Option<TrunkId>,
}

/// `[hours.X]`: a calendar of opening hours.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Hours {
    /// Days without opening: `"2026-12-25"`, `"2026-10-01..2026-10-07"`. Default: none.
    pub closed: Vec<Closed>,
    /// When it is open: `"mon-fri 09:00-18:00"`, `"sat,sun 10:00-12:00"`, `"daily 22:00-02:00"`;
    /// `"2026-12-24 09:00-12:00"` replaces what the weekday says. Default: never.
    pub open: Vec<Open>,
    /// IANA time zone, such as `"Asia/Shanghai"`. Default: `zone` of `[node]`.
    pub zone: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let extension: Extension = toml::from_str("password = 'h0rse'").unwrap();

        assert_eq!(extension.password.as_ref().unwrap().expose(), "h0rse");
        assert!(!format!("{extension:?}").contains("h0rse"));
    }

    #[test]
    fn an_empty_code_is_switched_off() {
        let codes: Codes = toml::from_str("echo_test = ''\nagent_login = '*1'").unwrap();

        let dialled: Vec<_> = codes.dialled().collect();
        assert!(dialled.contains(&(Code::AgentLogin, "*1")));
        assert!(!dialled.iter().any(|(code, _)| *code == Code::EchoTest));
        assert!(toml::from_str::<Codes>("pick_upp = '*8'").is_err());
    }
}
