//! Why a call went where it went: what was decided, what else could have been, and why it was not.
//!
//! An explanation is bounded: it names a few, and counts all. A call in a long wait has a bounded
//! number of them, and each tells how many went untold before it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, QueueId, SkillId};

/// Who was rung for a waiting caller, and why others were not; or why nobody was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub queue: QueueId,
    /// The queue's, such as `most-idle`.
    pub strategy: String,
    /// Who is rung: the first ten of `ringing`. Empty if nobody is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<Chosen>,
    #[serde(default)]
    pub ringing: u32,
    /// The queue's other agents by the reason why they are not rung.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passed: BTreeMap<PassedWhy, u32>,
    /// Ten of those at most, the free ones first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<PassedOver>,
    /// Decisions about this call since the last one that was told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untold: u32,
}

/// An agent who is rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    pub agent: AgentId,
    /// What the strategy compares: seconds idle (`most-idle`) or talked (`least-talk`), calls
    /// (`fewest-calls`), the place in the order (`linear`, `round-robin`), the sum of levels
    /// (`skills`), seconds dealt (`round-robin-talk`) or worked of late (`least-busy`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<u64>,
}

/// An agent who is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    pub agent: AgentId,
    pub why: PassedWhy,
    /// If `behind`: as `Chosen::standing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<u64>,
    /// If `skill`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<Lacking>,
}

/// A skill that is not good enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    pub skill: SkillId,
    /// The level that is enough, and the agent's.
    pub needed: u8,
    pub has: u8,
}

/// Why an agent is not rung for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassedWhy {
    Away,
    /// Free and able, but the strategy prefers another.
    Behind,
    /// His phone is in use for a call that is not the queues', or takes none.
    Busy,
    /// The caller waits for another agent before anybody else is rung.
    Favourite,
    LoggedOut,
    OnCall,
    /// He has just refused a call, or could not be reached, and is left alone for a moment.
    Paused,
    /// His phone rings for another caller.
    Ringing,
    /// He is not good enough at what the caller needs at this moment.
    Skill,
    /// The caller has not waited long enough for his tier, or for him; or for too long.
    Tier,
    /// He has refused or missed this caller already, and others have not.
    Tried,
    /// Logged in, and not looked at one by one.
    Unseen,
    /// No phone is registered where he sits.
    Unreachable,
    WrapUp,
    /// A reason that a later version wrote.
    #[serde(other)]
    Other,
}

/// The rules that a call met before the one that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesPassed {
    /// The last sixteen at most, in their order.
    pub rules: Vec<RulePassed>,
    /// Those before them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
}

/// A rule that did not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulePassed {
    pub rule: String,
    pub reason: String,
}

/// Rules that are named of those that a call passed.
pub const RULES_MAX: usize = 16;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdr::entry::{Entry, Fact};

    /// What a later version adds does not keep this one from reading the ledger.
    #[test]
    fn a_decision_of_a_later_version_is_read() {
        let row = r#"{"at":5,"call":"0000000000000007","fact":"decided","queue":"sales",
            "strategy":"telepathy","passed":{"away":2,"dreaming":1},"mood":"good",
            "named":[{"agent":"17","why":"dreaming","of":"sheep"}]}"#;

        let entry: Entry = serde_json::from_str(row).unwrap();

        let Fact::Decided(decision) = entry.fact else { panic!("{entry:?}") };
        assert_eq!(decision.passed, [(PassedWhy::Away, 2), (PassedWhy::Other, 1)].into());
        assert_eq!(decision.named[0].why, PassedWhy::Other);
        assert_eq!((decision.ringing, decision.untold), (0, 0));
    }
}
