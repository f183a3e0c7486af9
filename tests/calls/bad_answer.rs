//! A phone accepts with a description that is of no use: its 200 is acknowledged and it is let go;
//! the caller hears that there was nothing to talk in (488), not that nobody was there.

use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::time::Duration;

#[test]
fn the_caller_hears_488_and_the_phone_is_let_go() {
    for spoiled in [("RTP/AVP 8 101", "RTP/AVP 18"), ("m=audio", "m=video"), ("v=0", "v=x")] {
        in_all_weathers(SITE, |world| {
            world.set("1002", |phone| phone.spoils = Some(spoiled));
            world.dial("1001", "1002");
            world.until("it rings", |world| world.rings("1002"));
            world.answer("1002");
            world.until("the phone is let go", |world| world.stage("1002") == Stage::Over);
            world.until("the call has ended", |world| world.ends().len() == 1);

            assert_eq!(world.ends(), [(488, "not_acceptable".to_owned())]);
            assert_eq!(world.phone("1002").line().byes, 1);
            world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
            assert_eq!(world.status_of("1001"), 488);
        });
    }
}

/// The other phone of the account rings on, and takes the call.
#[test]
fn another_phone_can_take_the_call() {
    let mut world = World::new(SITE);
    world.add_phone("1002b");
    world.register("1002b");
    world.set("1002", |phone| phone.spoils = Some(("RTP/AVP 8 101", "RTP/AVP 18")));
    world.dial("1001", "1002");
    world.until("both ring", |world| world.rings("1002") && world.rings("1002b"));
    world.answer("1002");
    world.run(Duration::from_secs(1));
    assert!(world.rings("1002b"));
    world.answer("1002b");
    world.until("they talk", |world| world.talk("1001", "1002b"));
    world.settle();
    world.hang_up("1001");
    world.close();
}
