//! A call is sent on to somebody outside (RFC 5589 §6.1, over a trunk).

use crate::answered::talking;
use crate::blind_transfer::{told, transfer};
use crate::trunk_out::{begin, invite, record, site};
use crate::world::in_all_weathers;
use crate::world::phone::{Manner, Stage};
use strowger::cdr::entry::TransferOutcome;
use strowger::time::Duration;

/// The trunk is called with the number that the transferor named.
#[test]
fn somebody_outside_takes_the_call() {
    in_all_weathers(&site(""), |world| {
        begin(world);
        world.set("itsp", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        talking(world);
        transfer(world, "1002", "02112345678");
        world.until("they talk", |world| world.talk("1001", "itsp"));
        world.settle();
        assert_eq!(invite(world, "itsp").uri().unwrap().user(), Some("02112345678"));
        assert!(told(world, "1002").ends_with("200 OK"), "{}", told(world, "1002"));
        world.hang_up("1001");
        world.until("the trunk is told", |world| world.stage("itsp") == Stage::Over);
        world.until("he is hung up", |world| world.stage("1002") == Stage::Over);
    });
}

/// Nobody outside wants it: who sent it on has it back.
#[test]
fn a_refused_call_comes_back() {
    in_all_weathers(&site(""), |world| {
        begin(world);
        world.set("itsp", |phone| phone.manner = Manner::Refuses(486));
        talking(world);
        transfer(world, "1002", "02112345678");
        world.until("he is told", |world| told(world, "1002").contains("486"));
        world.until("they talk again", |world| world.talk("1001", "1002"));
        world.settle();
        world.hang_up("1001");
        world.until("the books are closed", |world| world.ends().len() == 1);

        let record = record(world);
        assert_eq!(record.transfers[0].outcome, Some(TransferOutcome::Returned));
        assert_eq!(record.attempts[0].status, Some(486));
    });
}
