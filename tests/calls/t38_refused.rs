//! A trunk wants to send a fax (T.38, `m=image`): refused with 488, and the call goes on.

use crate::trunk_out::{site, talking};
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
use strowger::sip::message::Method;

/// RFC 3261 §14.2: a refused re-INVITE leaves the session as it was.
#[test]
fn a_fax_is_refused_and_the_call_kept() {
    in_all_weathers(&site(""), |world| {
        talking(world, "0555");
        let fax = "v=0\r\no=- 1 9 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n\
                   m=image 40002 udptl t38\r\na=T38FaxVersion:0\r\n";
        world.act("itsp", |phone, now| phone.in_dialog(now, Method::Invite, fax));
        world.until("it is answered", |world| !world.phone("itsp").line().statuses.is_empty());
        world.settle();

        assert_eq!(world.phone("itsp").line().statuses, [488]);
        assert!(world.talk("1001", "itsp"));
        assert_eq!(world.stage("1001"), Stage::Talking);
        world.hang_up("1001");
        world.until("the trunk is told", |world| world.stage("itsp") == Stage::Over);
    });
}
