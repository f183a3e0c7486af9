//! What the ledger is told of why callers were given the agents that they were given.
//!
//! The first `WHOLE_MAX` decisions about a call are told one by one; then one every `PAUSE` at the
//! most, which says how many were left out before it. That nobody can be rung is told again only if
//! the reasons changed. So neither a long wait nor phones that refuse at once fill the disk.

use std::collections::HashMap;

use crate::acd::{self, Passed, Survey};
use crate::cdr::decision::{Chosen, Decision, Lacking, PassedOver, PassedWhy};
use crate::cdr::entry::{Entry, Fact};
use crate::id::{CallId, QueueId};
use crate::switch::{Output, Switch};
use crate::time::{Duration, Instant};

/// What was told of each call's decisions.
#[derive(Debug, Default)]
pub(super) struct Tellings(HashMap<CallId, Telling>);

#[derive(Debug)]
struct Telling {
    told: u32,
    at: Instant,
    untold: u32,
    last: Decision,
}

impl Tellings {
    /// The decision as the ledger gets it; none if it is left out.
    fn told(&mut self, now: Instant, call: CallId, decision: Decision) -> Option<Decision> {
        let Some(telling) = self.0.get_mut(&call) else {
            let last = decision.clone();
            self.0.insert(call, Telling { told: 1, at: now, untold: 0, last });
            return Some(decision);
        };
        let last = &telling.last;
        let nobody = decision.chosen.is_empty() && last.chosen.is_empty();
        let same = decision.queue == last.queue
            && decision.passed == last.passed
            && decision.named == last.named;
        let is_news = !(nobody && same);
        let has_room = telling.told < WHOLE_MAX || now.since(telling.at) >= PAUSE;
        if !is_news || !has_room {
            telling.untold += 1;
            return None;
        }
        telling.told += 1;
        telling.at = now;
        telling.last.clone_from(&decision);
        Some(Decision { untold: std::mem::take(&mut telling.untold), ..decision })
    }

    /// A call is over.
    pub(super) fn forget(&mut self, call: CallId) {
        self.0.remove(&call);
    }
}

impl Switch {
    /// Writes into the ledger why the ACD did what it did.
    pub(super) fn explain(&mut self, now: Instant, why: acd::Output, out: &mut Vec<Output>) {
        let (served, fact) = match why {
            acd::Output::Decided { call, queue, survey } => {
                (call, Fact::Decided(decision(queue, *survey)))
            }
            acd::Output::Widened { call, queue, step, skills } => {
                (call, Fact::Widened { queue, step, skills })
            }
            _ => return,
        };
        let call = self.served.get(&served).copied().unwrap_or(served);
        if !self.calls.contains_key(&call) {
            // It has yet to be made, or ended in the same moment.
            return self.explain_callback(call, fact);
        }
        let fact = match fact {
            Fact::Decided(decision) => self.tellings.told(now, call, decision).map(Fact::Decided),
            other => Some(other),
        };
        let at = self.wall(now);
        out.extend(fact.map(|fact| Output::Entry(Entry { at, call: Some(call), fact })));
    }
}

fn decision(queue: QueueId, survey: Survey) -> Decision {
    let chosen = survey.chosen.into_iter();
    let passed = survey.counts.into_iter().map(|(why, count)| (why_of(why), count));
    let named = survey.named.into_iter().map(|one| PassedOver {
        agent: one.agent,
        why: why_of(one.why),
        standing: one.standing,
        lacks: one.lacks.map(|(skill, needed, has)| Lacking { skill, needed, has }),
    });
    Decision {
        queue,
        strategy: survey.strategy.name().to_owned(),
        chosen: chosen.map(|(agent, standing)| Chosen { agent, standing }).collect(),
        ringing: survey.ringing,
        passed: passed.collect(),
        named: named.collect(),
        untold: 0,
    }
}

/// The ACD's word for a reason, as the ledger writes it.
pub(super) fn why_of(why: Passed) -> PassedWhy {
    match why {
        Passed::Away => PassedWhy::Away,
        Passed::Behind => PassedWhy::Behind,
        Passed::Busy => PassedWhy::Busy,
        Passed::Favourite => PassedWhy::Favourite,
        Passed::LoggedOut => PassedWhy::LoggedOut,
        Passed::OnCall => PassedWhy::OnCall,
        Passed::Paused => PassedWhy::Paused,
        Passed::Ringing => PassedWhy::Ringing,
        Passed::Skill => PassedWhy::Skill,
        Passed::Tier => PassedWhy::Tier,
        Passed::Tried => PassedWhy::Tried,
        Passed::Unseen => PassedWhy::Unseen,
        Passed::Unreachable => PassedWhy::Unreachable,
        Passed::WrapUp => PassedWhy::WrapUp,
    }
}

/// Decisions about a call that are told one by one.
const WHOLE_MAX: u32 = 32;
/// The time between two that are told after those.
const PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wait_does_not_fill_the_ledger() {
        let mut tellings = Tellings::default();
        let call = CallId::from_u64(1);
        let mut told = Vec::new();
        for second in 0..3600 {
            let now = Instant::from_micros(second * 1_000_000);
            told.extend(tellings.told(now, call, about("17", second as u32)));
        }

        assert_eq!(told.len(), 32 + 3569 / 30);
        let untold: u32 = told.iter().map(|decision| decision.untold).sum();
        let open = tellings.0[&call].untold;
        assert_eq!(told.len() as u32 + untold + open, 3600, "each is told or counted");
        tellings.forget(call);
        assert!(tellings.0.is_empty());
    }

    #[test]
    fn that_nobody_is_there_is_told_again_only_with_other_reasons() {
        let (mut tellings, call) = (Tellings::default(), CallId::from_u64(1));
        let mut told = |passed| {
            let nobody = Decision { chosen: Vec::new(), ..about("17", passed) };
            tellings.told(Instant::START, call, nobody)
        };

        assert!(told(3).is_some());
        assert!(told(3).is_none());
        assert!(told(3).is_none());
        assert_eq!(told(4).unwrap().untold, 2);
    }

    fn about(agent: &str, away: u32) -> Decision {
        Decision {
            queue: "sales".into(),
            strategy: "most-idle".to_owned(),
            chosen: vec![Chosen { agent: agent.into(), standing: None }],
            ringing: 1,
            passed: [(PassedWhy::Away, away)].into(),
            named: Vec::new(),
            untold: 0,
        }
    }
}
