//! Prints one call of the built-in site, step by step, with the modules that each step passes.
//!
//! 1001 dials the menu, presses 1, waits in the queue, talks with agent 1002, hangs up. There is no
//! network and no clock: phones and media are those of `tests/calls`. `docs/follow-a-call.md` shows
//! what is printed.

#[path = "../tests/support/world.rs"]
mod world;

use strowger::config::Config;
use strowger::time::Duration;
use world::World;
use world::phone::Manner;

#[allow(dead_code, reason = "the test of this example calls `story` itself")]
fn main() {
    print!("{}", story());
}

/// The call as a ladder.
pub fn story() -> String {
    let mut config = Config::builtin();
    config.media.listen = std::net::IpAddr::from([192, 0, 2, 1]);
    for extension in config.without_password() {
        config.give_password(&extension, format!("secret-{extension}").into());
    }
    let mut world = World::empty(config, 8);
    for phone in ["1001", "1002"] {
        world.add_phone(phone);
        world.register(phone);
    }
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(2)));
    world.ladder.begin(&["1001", "1002"]);

    world.dial("1001", "500");
    world.until("the menu speaks", |world| world.hears_prompt("1001", "welcome"));
    world.run(Duration::from_millis(500));
    world.press("1001", '1');
    world.until("they talk", |world| world.talk("1001", "1002"));
    world.run(Duration::from_secs(10));
    world.hang_up("1001");
    world.close();
    world.ladder.to_string()
}
