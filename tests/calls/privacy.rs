//! Callers who do not want to be known (RFC 3323), and phones that are told how to ring.

use crate::queue::waiting;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::sip::message::Name;

#[test]
fn a_hidden_caller_is_anonymous_to_the_phone_and_known_to_the_records() {
    for (privacy, hidden) in [("id", true), ("user;header", true), ("none", false), ("", false)] {
        in_all_weathers(SITE, |world| {
            world.set("1001", |phone| phone.privacy = privacy);
            world.dial("1001", "1002");
            world.until("it rings", |world| world.rings("1002"));
            let invite = &world.phone("1002").line().invite;
            let name = invite.from().display().unwrap_or_default().into_owned();
            assert_eq!(name, if hidden { "Anonymous" } else { "Ann" }, "{privacy}");
            assert_eq!(invite.header(Name::PAssertedIdentity), None, "phones are not trusted");
            let shown = invite.from().uri().unwrap().user().unwrap().to_owned();
            assert_eq!(shown, if hidden { "anonymous" } else { "1001" });
            assert_eq!(invite.header(Name::Privacy), hidden.then_some("id"));
            assert!(world.has(|fact| matches!(fact, Fact::Setup { from, .. } if from == "1001")));
            world.answer("1002");
            world.until("they talk", |world| world.talk("1001", "1002"));
            world.settle();
            world.hang_up("1001");
            world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
        });
    }
}

#[test]
fn agents_phones_ring_as_their_queue_wants() {
    let site =
        SITE.replace("[queues.idle]", "[queues.idle]\nalert = \"sales\"\nauto_answer = true");
    let mut world = World::new(&site);
    waiting(&mut world, "601");
    let rung = crate::queue::rung(&mut world);
    let invite = &world.phone(rung).line().invite;
    assert_eq!(invite.header(Name::AlertInfo), Some("<http://strowger.test>;info=sales"));
    assert_eq!(invite.header(Name::CallInfo), Some("<sip:strowger.test>;answer-after=0"));
    world.hang_up("1001");
    world.close();
}
