//! Why calls went as they did, as the contract writes it.

use crate::cdr::decision::{Decision, PassedOver, PassedWhy};
use crate::cdr::entry::Fact;
use crate::shell::proto;
use proto::event::Fact as Told;

pub fn told_of_decisions(fact: Fact) -> Told {
    match fact {
        Fact::Decided(decision) => Told::Decided(decided(decision)),
        Fact::Overflowed { queue, target } => Told::Overflowed(proto::Overflowed {
            queue: queue.to_string(),
            target: target.to_string(),
        }),
        Fact::RulesPassed(passed) => {
            let rules = passed.rules.into_iter();
            let rules = rules
                .map(|passed| proto::RulePassed { rule: passed.rule, reason: passed.reason })
                .collect();
            Told::RulesPassed(proto::RulesPassed { rules, more: passed.more })
        }
        Fact::Widened { queue, step, skills } => {
            let skills = skills.into_iter().map(|(skill, level)| (skill.to_string(), level.into()));
            Told::Widened(proto::Widened {
                queue: queue.to_string(),
                step,
                skills: skills.collect(),
            })
        }
        _ => unreachable!("`told_rest` gives these alone"),
    }
}

fn decided(decision: Decision) -> proto::Decided {
    let chosen = decision.chosen.into_iter().map(|chosen| proto::ChosenAgent {
        agent: chosen.agent.to_string(),
        standing: chosen.standing,
    });
    let passed = decision.passed.into_iter();
    proto::Decided {
        queue: decision.queue.to_string(),
        strategy: decision.strategy,
        chosen: chosen.collect(),
        ringing: decision.ringing,
        passed: passed
            .map(|(why, agents)| proto::PassedCount { why: passed_why(why), agents })
            .collect(),
        named: decision.named.into_iter().map(passed_over).collect(),
        untold: decision.untold,
    }
}

fn passed_over(passed: PassedOver) -> proto::PassedAgent {
    proto::PassedAgent {
        agent: passed.agent.to_string(),
        why: passed_why(passed.why),
        standing: passed.standing,
        lacks: passed.lacks.map(|lacking| proto::LackingSkill {
            skill: lacking.skill.to_string(),
            needed: lacking.needed.into(),
            has: lacking.has.into(),
        }),
    }
}

pub fn passed_why(why: PassedWhy) -> i32 {
    match why {
        PassedWhy::Away => proto::PassedWhy::Away,
        PassedWhy::Behind => proto::PassedWhy::Behind,
        PassedWhy::Busy => proto::PassedWhy::Busy,
        PassedWhy::Favourite => proto::PassedWhy::Favourite,
        PassedWhy::LoggedOut => proto::PassedWhy::LoggedOut,
        PassedWhy::OnCall => proto::PassedWhy::OnCall,
        PassedWhy::Other => proto::PassedWhy::Unspecified,
        PassedWhy::Paused => proto::PassedWhy::Paused,
        PassedWhy::Ringing => proto::PassedWhy::Ringing,
        PassedWhy::Skill => proto::PassedWhy::Skill,
        PassedWhy::Tier => proto::PassedWhy::Tier,
        PassedWhy::Tried => proto::PassedWhy::Tried,
        PassedWhy::Unseen => proto::PassedWhy::Unseen,
        PassedWhy::Unreachable => proto::PassedWhy::Unreachable,
        PassedWhy::WrapUp => proto::PassedWhy::WrapUp,
    }
    .into()
}
