//! A supervisor looks at agents and at who waits, and changes states; the ledger says who it was.

use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::World;
use strowger::cdr::decision::PassedWhy;
use strowger::cdr::entry::{AgentOrder, AgentState, Fact};
use strowger::id::QueueId;
use strowger::switch::request::{AgentChange, Refusal, Reply, Request};
use strowger::time::Duration;

#[test]
fn an_ordered_change_is_noted_with_who_wanted_it() {
    let mut world = World::new(SITE);
    let lunch = AgentChange::Away { reason: Some("lunch".to_owned()) };
    let Reply::Agent(view) = world.order("a", lunch) else { panic!("it is done") };
    assert_eq!((view.state, view.held_back), (AgentState::Away, Some(PassedWhy::Away)));

    let refused = world.order("a", AgentChange::WrapUpDone);

    assert!(matches!(refused, Reply::Refused(Refusal::AgentState { .. })), "{refused:?}");
    let orders: Vec<&Fact> =
        world.facts().filter(|fact| matches!(fact, Fact::AgentOrdered { .. })).collect();
    let noted = Fact::AgentOrdered {
        agent: "a".into(),
        order: AgentOrder::Away,
        by: "boss".to_owned(),
        reason: Some("lunch".to_owned()),
        extension: None,
    };
    assert_eq!(orders, [&noted], "what was refused is not noted");
}

/// What is asked for during a call shows before it comes.
#[test]
fn an_agent_is_shown_with_what_holds_him_back_and_what_follows() {
    let mut world = World::new(SITE);
    assert_eq!(world.agent_view("a").held_back, None);
    world.dial("1001", "604");
    world.until("the agent is rung", |world| world.rings("1003"));
    let ringing = world.agent_view("a");
    assert_eq!(ringing.held_back, Some(PassedWhy::Ringing));
    assert!(ringing.until.is_some_and(|until| until > ringing.since));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.order("a", AgentChange::Away { reason: None });
    let talking = world.agent_view("a");
    assert_eq!((talking.held_back, talking.calls), (Some(PassedWhy::OnCall), 1));
    assert_eq!(talking.then, Some(AgentState::Away));
    world.run(Duration::from_secs(5));
    world.hang_up("1001");
    world.settle();

    let wraps_up = world.agent_view("a");
    assert_eq!(wraps_up.held_back, Some(PassedWhy::WrapUp));
    assert!(wraps_up.talked >= Duration::from_secs(5));
    let before = wraps_up.until.expect("it ends");
    world.order("a", AgentChange::WrapUpExtend);
    let after = world.agent_view("a").until.expect("it ends");
    assert_eq!(after.since(before), Duration::from_secs(10), "the queue's wrap_up once more");
    world.run(Duration::from_secs(30));
    assert_eq!(world.agent_view("a").state, AgentState::Away);
    world.close();
}

#[test]
fn who_waits_is_shown_in_order() {
    let mut world = World::new(SITE);
    waiting(&mut world, "602");
    assert!(!rung(&mut world).is_empty());
    for seat in ["a", "b", "c"] {
        world.order(seat, AgentChange::LogOut);
    }
    world.run(Duration::from_secs(5));
    world.dial("1002", "602");
    world.run(Duration::from_secs(2));

    let (callers, waiting) = callers(&mut world, "turn", 10);
    let seen: Vec<_> = callers.iter().map(|it| (it.position, it.from.as_str())).collect();
    assert_eq!((seen, waiting), (vec![(1, "1001"), (2, "1002")], 2));
    assert!(callers[0].wait > callers[1].wait && callers[1].wait >= Duration::from_secs(1));
    assert_eq!(callers[0].name.as_deref(), Some("Ann"));
    assert_eq!(self::callers(&mut world, "turn", 1).0.len(), 1);
    let queue = QueueId::from("none");
    let unknown = world.ask(Request::Callers { queue: queue.clone(), most: 1 });
    assert_eq!(unknown, Reply::Refused(Refusal::UnknownQueue(queue)));
    world.hang_up("1001");
    world.hang_up("1002");
    world.close();
}

fn callers(
    world: &mut World,
    queue: &str,
    most: usize,
) -> (Vec<strowger::switch::request::CallerView>, u32) {
    match world.ask(Request::Callers { queue: queue.into(), most }) {
        Reply::Callers(callers, waiting) => (callers, waiting),
        other => panic!("asked for callers, got {other:?}"),
    }
}
