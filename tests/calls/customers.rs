//! Classes of callers: by lists, by history; what they give, and who is refused.

use crate::site::SITE;
use crate::world::World;
use crate::world::phone::{Manner, Stage};
use strowger::cdr::entry::Fact;
use strowger::cdr::record::CallRecord;
use strowger::time::Duration;

/// 1002 is named in a list that counts as a minute: he came later, and is served first.
#[test]
fn a_list_gives_priority_and_data() {
    let gold = "[customers.gold]\nnumbers = [\"1002\"]\npriority = \"60s\"\n\
                set = { tier = \"gold\" }\n";
    let mut world = World::new(&format!("{SITE}{gold}"));
    world.dial("1001", "610");
    world.run(Duration::from_secs(30));
    world.dial("1002", "610");
    world.run(Duration::from_secs(1));
    crate::codes::log_in(&mut world, "1006");
    world.until("the agent's phone rings", |world| world.rings("1006"));
    world.answer("1006");
    world.until("they talk", |world| world.talk("1002", "1006"));
    world.hang_up("1002");
    world.hang_up("1001");
    world.close();

    let records = crate::attended_transfer::records(&world);
    let of = |from: &str| records.iter().find(|record| record.caller.number == from);
    let data = |record: Option<&CallRecord>| record.expect("he called").collected.clone();
    let wanted = [("customer", "gold"), ("tier", "gold")].map(|(a, b)| (a.into(), b.into()));
    assert_eq!(data(of("1002")), wanted.into());
    assert_eq!(data(of("1001")), [].into());
}

/// Callers on the list need what agent c alone can do.
#[test]
fn a_list_demands_skills() {
    let english = "[customers.abroad]\nnumbers = [\"1001\"]\nskills = { english = 2 }\n";
    let mut world = World::new(&format!("{SITE}{english}"));
    world.dial("1001", "601");
    world.until("who can is rung", |world| world.rings("1005"));
    world.hang_up("1001");
    world.close();
}

/// Who calls from outside is new until an agent has talked with him, and known after a restart.
#[test]
fn who_was_here_before_is_returning() {
    let mut world =
        outside("[customers.new]\nhistory = \"new\"\n[customers.old]\nhistory = \"returning\"\n");
    for class in ["new", "old", "old"] {
        world.entries.clear();
        world.call_in("itsp", "013800138000", "4008001234");
        world.until("an agent is rung", |world| world.rings("1003"));
        world.answer("1003");
        world.until("they talk", |world| world.talk("itsp", "1003"));
        world.settle();
        world.hang_up("itsp");
        world.until("it is over", |world| world.ends().len() == 1);
        world.run(Duration::from_secs(45));

        assert_eq!(classes(&world), [class]);
        if class == "old" {
            world.restart();
            world.settle();
        }
    }
    world.entries.clear();
    world.call_in("itsp", "anonymous", "4008001234");
    world.until("an agent is rung", |world| world.rings("1003"));
    assert_eq!(classes(&world), [""; 0], "who shows no number is neither");
    world.cancel("itsp");
    world.hang_up("itsp");
    world.close();
}

#[test]
fn who_is_on_a_black_list_is_refused_before_anybody_is_rung() {
    let mut world = outside("[customers.pest]\nnumbers = [\"+8613800138*\"]\nrefuse = true\n");
    world.call_in("itsp", "013800138000", "4008001234");
    world.until("he is refused", |world| world.stage("itsp") == Stage::Over);
    world.close();

    assert_eq!(world.status_of("itsp"), 403);
    assert_eq!(world.ends(), [(403, "customer_refused".to_owned())]);
    assert!(!world.has(|fact| matches!(fact, Fact::Offered { .. } | Fact::Queued { .. })));
    assert_eq!(classes(&world), ["pest"]);
}

/// Whom a list refuses may call for help all the same.
#[test]
fn an_emergency_call_is_never_refused() {
    let refused = "[customers.pest]\nnumbers = [\"1001\"]\nrefuse = true\n\
                   [emergency]\nnumbers = [\"110\"]\ntrunks = [\"itsp\"]\n";
    let mut world = outside(refused);
    world.dial("1001", "1002");
    world.until("he is refused", |world| world.stage("1001") == Stage::Over);
    assert_eq!(world.status_of("1001"), 403);
    world.settle();
    world.dial("1001", "110");
    world.until("it rings there", |world| world.rings("itsp"));
    world.act("1001", |phone, now| phone.leave(now));
    world.close();
}

/// The site with a trunk whose main number leads to agent a's queue.
fn outside(more: &str) -> World {
    let site = crate::trunk_in::site(more).replace("extension:1002", "queue:notice");
    let mut world = crate::trunk_in::begun(&site);
    world.set("1003", |phone| phone.manner = Manner::Rings);
    world
}

/// The classes of the caller, as his call's data names them.
fn classes(world: &World) -> Vec<&str> {
    let named = world.facts().filter_map(|fact| match fact {
        Fact::Collected { values } => values.get("customer").map(String::as_str),
        _ => None,
    });
    named.collect()
}
