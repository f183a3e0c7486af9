//! Agents are rung in turn, whoever was idle longest.

use crate::queue::served;
use crate::site::SITE;
use crate::world::in_all_weathers;

#[test]
fn each_in_turn() {
    in_all_weathers(SITE, |world| {
        assert_eq!(served(world, "601"), "1003");
        let seats: Vec<_> = (0..4).map(|_| served(world, "602")).collect();

        assert_eq!(seats, ["1003", "1004", "1005", "1003"]);
    });
}
