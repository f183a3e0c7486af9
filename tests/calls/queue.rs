//! What the flows of queues share.

use crate::world::World;
use crate::world::phone::Stage;
use strowger::time::Duration;

pub const SEATS: [&str; 3] = ["1003", "1004", "1005"];

/// 1001 calls a queue and hears its music.
pub fn waiting(world: &mut World, number: &str) {
    world.dial("1001", number);
    world.until("the caller waits", |world| {
        world.stage("1001") == Stage::Talking && world.hears_prompt("1001", "hold")
    });
}

/// The agents' phones that ring.
pub fn ringing(world: &World) -> Vec<&'static str> {
    SEATS.into_iter().filter(|seat| world.rings(seat)).collect()
}

/// Waits until an agent's phone rings, and says which.
pub fn rung(world: &mut World) -> &'static str {
    world.until("an agent's phone rings", |world| !ringing(world).is_empty());
    ringing(world)[0]
}

/// Lets one call to a queue be answered by whoever is rung, and end; says by whom.
pub fn served(world: &mut World, number: &str) -> &'static str {
    world.dial("1001", number);
    let seat = rung(world);
    world.run(Duration::from_secs(1));
    world.answer(seat);
    world.until("they talk", |world| world.talk("1001", seat));
    world.settle();
    world.hang_up("1001");
    world.until("the agent is told", |world| world.stage(seat) == Stage::Over);
    world.settle();
    seat
}
