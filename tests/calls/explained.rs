//! Why a call went as it did: rules, the agent who was chosen and those who were not, overflow.

use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::decision::{Decision, PassedWhy};
use strowger::cdr::entry::{Entry, Fact};
use strowger::id::{CallId, Target};
use strowger::switch::request::AgentChange;
use strowger::time::Duration;

/// One is away, one is rung, the third is told to be behind; the next decision knows that the
/// second was asked already.
#[test]
fn an_offer_is_told_with_those_who_were_passed_over() {
    in_all_weathers(SITE, |world| {
        away(world, "b");
        waiting(world, "601");
        assert_eq!(rung(world), "1003");
        world.until("the next rings", |world| world.rings("1005"));
        world.answer("1005");
        world.until("they talk", |world| world.talk("1001", "1005"));
        world.settle();
        world.hang_up("1001");
        world.until("the agent is told", |world| world.stage("1005") == Stage::Over);

        let told = decisions(world);
        assert_eq!(told.len(), 2, "{told:#?}");
        let first = &told[0];
        assert_eq!((first.queue.as_str(), first.strategy.as_str()), ("idle", "most-idle"));
        assert_eq!((first.chosen[0].agent.as_str(), first.ringing), ("a", 1));
        assert_eq!(named(first), [("c", PassedWhy::Behind), ("b", PassedWhy::Away)]);
        let (chosen, behind) = (first.chosen[0].standing, first.named[0].standing);
        assert!(chosen >= behind && behind.is_some(), "{first:?}");
        assert_eq!(told[1].chosen[0].agent.as_str(), "c");
        let away = [("a", PassedWhy::Away), ("b", PassedWhy::Away)];
        assert_eq!(named(&told[1]), away, "who let it ring is away");
    });
}

#[test]
fn phones_that_ring_at_once_are_one_decision() {
    let mut world = World::new(SITE);
    waiting(&mut world, "603");
    world.until("all ring", |world| crate::queue::ringing(world).len() == 3);
    world.hang_up("1001");
    world.close();

    let told = decisions(&world);
    assert_eq!((told.len(), told[0].ringing, told[0].chosen.len()), (1, 3, 3));
    assert!(told[0].passed.is_empty());
}

/// Nobody is logged in: on entering and at the end of the wait, with the same reasons, once.
#[test]
fn a_wait_for_nobody_is_told_once_and_where_it_led() {
    let mut world = World::new(SITE);
    waiting(&mut world, "605");
    world.until("he is hung up", |world| world.stage("1001") == Stage::Over);
    world.close();

    let told = decisions(&world);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].passed, [(PassedWhy::LoggedOut, 1)].into());
    let nobody = Target::Prompt("nobody".into());
    assert!(world.has(|fact| matches!(fact, Fact::Overflowed { target, .. } if *target == nobody)));
}

/// Agents who refuse at once, again and again, do not fill the disk.
#[test]
fn hundreds_of_refusals_are_few_entries() {
    let site = SITE.replace("[queues.idle]", "[acd]\nrefusal_pause = \"100ms\"\n[queues.idle]");
    let mut world = World::new(&site);
    for seat in crate::queue::SEATS {
        world.set(seat, |phone| phone.manner = crate::world::phone::Manner::Refuses(486));
    }
    waiting(&mut world, "601");
    world.run(Duration::from_secs(100));
    world.hang_up("1001");
    world.close();

    let offers = world.facts().filter(|fact| matches!(fact, Fact::Offered { .. })).count();
    let told = decisions(&world);
    let untold: u32 = told.iter().map(|decision| decision.untold).sum();
    assert!(offers > 900, "{offers}");
    assert!(told.len() <= 32 + 4, "{}", told.len());
    assert!(untold > 500, "{untold}");
}

#[test]
fn rules_that_did_not_match_are_told_before_the_one_that_did() {
    let routes =
        "[[routes]]\nname = \"vip\"\nfrom = \"1002\"\nto = \"601\"\ntarget = \"hangup:486\"\n";
    let mut world = World::new(&format!("{SITE}{routes}"));
    waiting(&mut world, "601");
    world.hang_up("1001");
    world.close();

    let passed = world.facts().find_map(|fact| match fact {
        Fact::RulesPassed(passed) => Some(passed),
        _ => None,
    });
    let passed = passed.expect("a rule was passed");
    assert_eq!((passed.rules[0].rule.as_str(), passed.more), ("vip", 0));
    assert_eq!(passed.rules[0].reason, "caller `1001`, the rule wants `1002`");
}

/// What the ledger keeps of why a call went is not in the way of its record.
#[test]
fn the_facts_stand_between_setup_and_end() {
    let mut world = World::new(SITE);
    waiting(&mut world, "605");
    world.until("he is hung up", |world| world.stage("1001") == Stage::Over);
    world.close();

    let call: CallId = world.entries.iter().find_map(|entry| entry.call).expect("there was a call");
    let mine = |entry: &&Entry| entry.call == Some(call);
    let facts: Vec<&Fact> = world.entries.iter().filter(mine).map(|entry| &entry.fact).collect();
    assert!(matches!(facts.first(), Some(Fact::Setup { .. })));
    assert!(matches!(facts.last(), Some(Fact::Ended { .. })), "{facts:#?}");
    let place = |is: fn(&Fact) -> bool| facts.iter().position(|fact| is(fact));
    let queued = place(|fact| matches!(fact, Fact::Queued { .. }));
    let decided = place(|fact| matches!(fact, Fact::Decided(_)));
    assert!(queued < decided && queued.is_some());
}

fn decisions(world: &World) -> Vec<Decision> {
    let facts = world.facts().filter_map(|fact| match fact {
        Fact::Decided(decision) => Some(decision.clone()),
        _ => None,
    });
    facts.collect()
}

fn named(decision: &Decision) -> Vec<(&str, PassedWhy)> {
    decision.named.iter().map(|one| (one.agent.as_str(), one.why)).collect()
}

fn away(world: &mut World, agent: &str) {
    let change = AgentChange::Away { reason: Some("lunch".to_owned()) };
    world.order(agent, change);
}
