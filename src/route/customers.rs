//! `[customers.X]`: classes of callers, by their numbers and by whether they were here before, and
//! what that means for their calls.
//!
//! A caller may be of several classes; what they give adds up.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::id::{CustomerId, SkillId};
use crate::route::pattern::Pattern;
use crate::time::Duration;

/// `[customers.X]`: a class of callers. Who fits all that is said of it is of this class.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Customer {
    /// Their numbers, as phones show them or with `+` and their country; patterns as in
    /// `[[routes]]`. Default `[]`: any.
    pub numbers: Vec<Pattern>,
    /// Whether an agent has talked with them before: `"new"` or `"returning"`; callers from outside
    /// who show a number. Default: either.
    pub history: Option<History>,
    /// By how much they are taken to have come earlier into queues than they did. Default `"0s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub priority: Duration,
    /// Skills, with levels from 1 to 10, that their agents must have. Default: none.
    pub skills: BTreeMap<SkillId, u8>,
    /// Skills that their agents had better have. Default: none.
    pub prefer: BTreeMap<SkillId, u8>,
    /// Data for their calls, as menus put it there. Default: none.
    pub set: BTreeMap<String, String>,
    /// Whether their calls are refused, with 403; emergency calls are not. Default `false`.
    pub refuse: bool,
}

/// What is known of a caller.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum History {
    /// No agent has talked with him within `[acd] last_agent_keep`.
    New,
    /// One has.
    Returning,
}

impl Customer {
    /// Whether who has these numbers and this history is of this class.
    fn has(&self, numbers: &[&str], history: Option<History>) -> bool {
        let is_named = |pattern: &Pattern| numbers.iter().any(|number| pattern.matches(number));
        let is_listed = self.numbers.is_empty() || self.numbers.iter().any(is_named);
        let is_known = self.history.is_none() || self.history == history;
        is_listed && is_known && self.says_who()
    }

    /// Whether it says who is of it.
    pub fn says_who(&self) -> bool {
        !self.numbers.is_empty() || self.history.is_some()
    }
}

/// What a caller's classes give him.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merit {
    /// The classes, in the order of their ids.
    pub classes: Vec<CustomerId>,
    /// The largest of theirs.
    pub priority: Duration,
    /// Of a skill that several name the highest level.
    pub skills: BTreeMap<SkillId, u8>,
    pub prefer: BTreeMap<SkillId, u8>,
    /// Of a key that several name the value of the last.
    pub set: BTreeMap<String, String>,
    /// Whether one of them refuses him.
    pub refuse: bool,
}

impl Merit {
    /// Of a caller with these numbers; `history` if it can be known.
    pub fn of(
        customers: &BTreeMap<CustomerId, Customer>,
        numbers: &[&str],
        history: Option<History>,
    ) -> Self {
        let mut merit = Self::default();
        for (id, customer) in customers.iter().filter(|(_, it)| it.has(numbers, history)) {
            merit.classes.push(id.clone());
            merit.priority = merit.priority.max(customer.priority);
            highest(&mut merit.skills, &customer.skills);
            highest(&mut merit.prefer, &customer.prefer);
            merit.set.extend(customer.set.clone());
            merit.refuse |= customer.refuse;
        }
        merit
    }
}

fn highest(levels: &mut BTreeMap<SkillId, u8>, more: &BTreeMap<SkillId, u8>) {
    for (skill, level) in more {
        let known = levels.entry(skill.clone()).or_default();
        *known = (*known).max(*level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_classes_give_adds_up() {
        let customers = read(
            "[gold]\nnumbers = ['+8613*']\npriority = '60s'\nskills = { sales = 3 }\n\
             set = { tier = 'gold' }\n\
             [old]\nhistory = 'returning'\npriority = '10s'\nskills = { sales = 5 }\n\
             [first]\nhistory = 'new'\nprefer = { patience = 2 }\n\
             [both]\nhistory = 'new'\nnumbers = ['+8613*']\nset = { gift = 'yes' }\n\
             [empty]\npriority = '1h'\n",
        );

        let gold = Merit::of(&customers, &["+8613800138000"], Some(History::Returning));
        let named = |merit: &Merit| {
            merit.classes.iter().map(|it| it.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(named(&gold), ["gold", "old"]);
        assert_eq!(gold.priority, Duration::from_secs(60));
        assert_eq!(gold.skills, [("sales".into(), 5)].into());
        let first = Merit::of(&customers, &["021", "+8613"], Some(History::New));
        assert_eq!(named(&first), ["both", "first", "gold"]);
        let hidden = Merit::of(&customers, &["anonymous"], None);
        assert_eq!(hidden, Merit::default(), "of whom nothing is known is of no class");
    }

    fn read(text: &str) -> BTreeMap<CustomerId, Customer> {
        toml::from_str(text).unwrap()
    }
}
