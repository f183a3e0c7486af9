//! How long packets are to be: what one phone wants, the other is told.

use crate::site::SITE;
use crate::world::World;
use crate::world::phone::{Manner, Stage};
use strowger::time::Duration;

/// RFC 8866 §6.4: their packets pass as they are, so each is told the wish and the limit of the
/// other; who says nothing leaves it at ours.
#[test]
fn each_phone_is_told_how_long_the_other_wants_its_packets() {
    for (caller, callee, told_callee, told_caller) in [
        (
            "sendrecv\r\na=ptime:40\r\na=maxptime:60",
            "sendrecv\r\na=maxptime:10",
            "a=ptime:40\r\na=maxptime:60\r\n",
            "a=ptime:10\r\na=maxptime:10\r\n",
        ),
        ("sendrecv", "sendrecv\r\na=ptime:30", "a=ptime:20\r\na=sendrecv", "a=ptime:30\r\na=s"),
    ] {
        let mut world = World::new(SITE);
        world.set("1001", |phone| phone.direction = caller);
        world.set("1002", |phone| phone.direction = callee);
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.dial("1001", "1002");
        world.until("they talk", |world| {
            world.talk("1001", "1002") && world.stage("1001") == Stage::Talking
        });
        world.settle();

        for (name, told) in [("1001", told_caller), ("1002", told_callee)] {
            let sdp = &world.phone(name).line().remote_sdp;
            assert!(sdp.contains(told), "{name}: {sdp}");
        }
        world.hang_up("1001");
        world.close();
    }
}
