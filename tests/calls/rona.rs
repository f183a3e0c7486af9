//! An agent lets it ring out: he is set away, the next agent is rung (RONA). What follows other
//! causes, and how offers end that nobody refused.

use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::World;
use crate::world::in_all_weathers;
use crate::world::phone::{Manner, Stage};
use strowger::cdr::entry::{AgentState, Fact, OfferOutcome};
use strowger::switch::request::AgentChange;

#[test]
fn the_next_agent_is_rung_and_the_first_is_away() {
    in_all_weathers(SITE, |world| {
        waiting(world, "601");
        assert_eq!(rung(world), "1003");
        world.until("the next rings", |world| world.rings("1004"));
        assert_eq!(world.agent("a"), AgentState::Away);
        world.until("the first is quiet", |world| world.stage("1003") == Stage::Over);
        world.answer("1004");
        world.until("they talk", |world| world.talk("1001", "1004"));
        world.settle();
        world.hang_up("1004");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);

        assert!(
            world.has(|fact| matches!(
                fact,
                Fact::OfferEnded { outcome: OfferOutcome::NoAnswer, .. }
            ))
        );
        assert_eq!(world.agent("a"), AgentState::Away);
        assert_eq!(world.agent("b"), AgentState::Available);
    });
}

/// Everyone is away in the end; the caller waits on, and hangs up.
#[test]
fn nobody_answers_at_all() {
    let mut world = crate::world::World::new(SITE);
    waiting(&mut world, "601");
    world.run(strowger::time::Duration::from_secs(40));
    for agent in ["a", "b", "c"] {
        assert_eq!(world.agent(agent), AgentState::Away, "agent {agent}");
    }
    world.hang_up("1001");
    world.close();
    assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);
}

/// Who refuses is left alone for long, whose phone is busy is away; each in his own way.
#[test]
fn what_follows_goes_by_the_cause() {
    let after = "[queues.idle]\nafter = { rejected = \"60s\", busy = \"away\" }\n";
    let mut world = World::new(&SITE.replace("[queues.idle]\n", after));
    world.set("1003", |phone| phone.manner = Manner::Refuses(603));
    world.set("1004", |phone| phone.manner = Manner::Refuses(486));
    waiting(&mut world, "601");
    world.until("the last one rings", |world| world.rings("1005"));
    let refused = world.now;

    assert_eq!(world.agent("a"), AgentState::Available);
    assert!(world.has(|fact| matches!(
        fact,
        Fact::Agent { agent, to: AgentState::Away, reason: Some(reason), .. }
            if agent.as_str() == "b" && reason == "busy"
    )));
    world.set("1003", |phone| phone.manner = Manner::Rings);
    world.until("he is rung again", |world| world.rings("1003"));
    assert!(world.now.since(refused) >= strowger::time::Duration::from_secs(59));
    world.hang_up("1001");
    world.close();
}

/// That is not that nobody answered.
#[test]
fn an_agent_who_leaves_while_it_rings_is_booked_as_one_who_left() {
    let mut world = World::new(SITE);
    waiting(&mut world, "601");
    assert_eq!(rung(&mut world), "1003");
    world.order("a", AgentChange::LogOut);

    assert_eq!(outcomes(&world), [OfferOutcome::AgentLeft]);
    world.hang_up("1001");
    world.close();
}

/// No port is left for the agent's phone: the offer and its end are booked.
#[test]
fn an_offer_without_a_phone_to_ring_is_booked_with_its_end() {
    let config = strowger::config::parse("site.toml", SITE).expect("it is right");
    let mut world = World::empty(config, 1);
    for phone in ["1001", "1003"] {
        world.add_phone(phone);
        world.register(phone);
    }
    waiting(&mut world, "604");

    let offers = world.facts().filter_map(|fact| match fact {
        Fact::Offered { agent, queue, extension, .. } => {
            Some((agent.clone(), queue.clone(), extension.to_string()))
        }
        _ => None,
    });
    let offers: Vec<_> = offers.collect();
    assert_eq!(offers, [(Some("a".into()), Some("notice".into()), "1003".to_owned())]);
    assert_eq!(outcomes(&world), [OfferOutcome::Unreachable]);
    world.hang_up("1001");
    world.close();
}

fn outcomes(world: &World) -> Vec<OfferOutcome> {
    let ended = world.facts().filter_map(|fact| match fact {
        Fact::OfferEnded { outcome, .. } => Some(*outcome),
        _ => None,
    });
    ended.collect()
}
