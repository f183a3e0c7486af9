//! `[ivr]` and `[menus.X]`: what a caller hears and which key leads where.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{MenuId, PromptId, SkillId, Target};
use crate::time::Duration;

/// All menus, as a session holds them: a caller finishes on the menus he began with.
pub type Menus = BTreeMap<MenuId, Menu>;

/// `[ivr]`: what holds for every menu and for every question for digits.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long to wait for the next digit of an agent's id or PIN. Default `"5s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub digit_timeout: Duration,
    /// Menus that one caller can enter in a row before he goes where the last one's `on_fail`
    /// leads, or is hung up if that is a menu too. Default 20.
    pub menus_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { digit_timeout: Duration::from_secs(5), menus_max: 20 }
    }
}

/// `[menus.X]`: a prompt and the keys that can be pressed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Menu {
    /// Heard after a key that is not in `keys`, before the prompt again. Default `"invalid"`.
    pub invalid: PromptId,
    /// Where each key leads: a target, or a table, see `Key`. Keys are `0` to `9`, `"*"`
    /// and `"#"`. Default: none.
    pub keys: BTreeMap<Digit, Key>,
    /// Heard when no key was pressed in time, before the prompt again. Default `"no-input"`.
    pub no_input: PromptId,
    /// Extensions can dial this number. Default: none.
    pub number: Option<String>,
    /// Where the caller goes after the last retry. Default `"hangup:480"`.
    pub on_fail: Target,
    /// What is heard first; keys count while it plays. No default: every menu needs one.
    pub prompt: Option<PromptId>,
    /// How often the prompt is heard again after a wrong key or none. Default 3.
    pub retries: u32,
    /// How long to wait for a key after the prompt. Default `"5s"`.
    #[serde(with = "crate::time::WithinYears")]
    pub timeout: Duration,
}

impl Default for Menu {
    fn default() -> Self {
        Self {
            invalid: "invalid".into(),
            keys: BTreeMap::new(),
            no_input: "no-input".into(),
            number: None,
            on_fail: Target::Hangup(480),
            prompt: None,
            retries: 3,
            timeout: Duration::from_secs(5),
        }
    }
}

/// A key of a phone: `0` to `9`, `*` or `#`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(char);

impl Digit {
    /// `None` if phones have no such key.
    pub fn new(key: char) -> Option<Self> {
        (key.is_ascii_digit() || key == '*' || key == '#').then_some(Self(key))
    }

    pub fn as_char(self) -> char {
        self.0
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Digit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut keys = text.chars();
        match (keys.next().and_then(Self::new), keys.next()) {
            (Some(digit), None) => Ok(digit),
            _ => Err(D::Error::custom(format!(
                "`{text}` is no key of a phone; write one of 0 to 9, \"*\" or \"#\""
            ))),
        }
    }
}

/// What a key does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Where the caller goes.
    pub target: Target,
    /// Skills that the call asks of an agent, beside those of the queue; levels 1 to 10.
    pub skills: BTreeMap<SkillId, u8>,
    /// Skills that an agent had better have; levels 1 to 10.
    pub prefer: BTreeMap<SkillId, u8>,
    /// By how much the caller is taken to have come earlier than he did, in queues.
    #[serde(with = "crate::time::WithinDay")]
    pub priority: Duration,
    /// Data put on the call, such as `topic = "vpn"`; it stands in the call's record.
    pub set: BTreeMap<String, String>,
}

impl From<Target> for Key {
    fn from(target: Target) -> Self {
        Self {
            target,
            skills: BTreeMap::new(),
            prefer: BTreeMap::new(),
            priority: Duration::ZERO,
            set: BTreeMap::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

/// Reads `"queue:sales"` as well as `{ target = "queue:sales", … }`.
struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a target such as \"queue:sales\", or { target, skills, prefer, priority, set }",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
        text.parse::<Target>().map(Key::from).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Key, A::Error> {
        let table = KeyTable::deserialize(MapAccessDeserializer::new(map))?;
        let KeyTable { target, skills, prefer, priority, set } = table;
        Ok(Key { target, skills, prefer, priority, set })
    }
}

/// The long form of a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    target: Target,
    #[serde(default)]
    skills: BTreeMap<SkillId, u8>,
    #[serde(default)]
    prefer: BTreeMap<SkillId, u8>,
    #[serde(default, with = "crate::time::WithinDay")]
    priority: Duration,
    #[serde(default)]
    set: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_target_or_a_table() {
        let menu: Menu = toml::from_str(
            "prompt = 'welcome'\n[keys]\n1 = 'queue:sales'\n'*' = 'menu:main'\n\
             2 = { target = 'queue:vpn', skills = { vpn = 2 }, set = { topic = 'vpn' } }",
        )
        .unwrap();

        let two = &menu.keys[&Digit::new('2').unwrap()];
        assert_eq!(two.target.to_string(), "queue:vpn");
        assert_eq!(two.skills["vpn"], 2);
        assert_eq!(two.set["topic"], "vpn");
        assert_eq!(menu.keys[&Digit::new('*').unwrap()].target.to_string(), "menu:main");
        assert_eq!(menu.keys.len(), 3);
    }

    #[test]
    fn a_key_no_phone_has_is_refused() {
        assert!(toml::from_str::<Menu>("keys = { 12 = 'queue:sales' }").is_err());
        assert!(toml::from_str::<Menu>("keys = { a = 'queue:sales' }").is_err());
        assert!(toml::from_str::<Menu>("keys = { 1 = 'sales' }").is_err());
        assert!(toml::from_str::<Menu>("keys = { 1 = { taget = 'queue:sales' } }").is_err());
    }
}
