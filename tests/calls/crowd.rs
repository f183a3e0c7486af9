//! Many calls at once, phones that do anything at any time, in storms: nothing is left of it.

use crate::site::SITE;
use crate::world::phone::{Phone, Stage};
use crate::world::{Weather, World};
use strowger::cdr::entry::{AgentState, Fact};
use strowger::rng::Rng;
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn whatever_happens_the_books_balance() {
    let mut talks = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(SITE);
        let mut rng = Rng::from_number(seed);
        if seed % 2 == 1 {
            world.weather = Weather { lost: 10, copied: 10, delay_ms: 100 };
            world.hasty_phones = true;
        }
        for _ in 0..ACTS {
            let name = PHONES[rng.below(6) as usize];
            act(&mut world, &mut rng, name);
            world.run(Duration::from_millis(u64::from(rng.below(1_500))));
        }
        end(&mut world);
        world.close();
        talks += world.facts().filter(|fact| matches!(fact, Fact::TalkBegan { .. })).count();
        for agent in ["a", "b", "c", "17"] {
            let state = world.agent(agent);
            assert!(
                !matches!(state, AgentState::Ringing | AgentState::OnCall),
                "seed {seed}: agent {agent} is {state:?}"
            );
        }
    }
    assert!(talks > 100, "only {talks} talks: this proves little");
}

/// One thing that the person at this phone may do.
fn act(world: &mut World, rng: &mut Rng, name: &str) {
    let stage = world.phone(name).lines.last().map_or(Stage::Over, |line| line.stage);
    let choice = rng.below(10);
    match stage {
        Stage::Over => {
            let number = NUMBERS[rng.below(12) as usize];
            if number != name {
                world.dial(name, number);
            }
        }
        Stage::Calling if choice < 3 => world.cancel(name),
        Stage::Rung if choice < 6 => world.answer(name),
        Stage::Rung if choice < 7 => world.act(name, |phone, now| phone.refuse(now, 486)),
        Stage::Talking if choice < 3 => world.hang_up(name),
        Stage::Talking if choice < 7 => {
            let direction = ["sendonly", "sendrecv", "inactive", "recvonly"][rng.below(4) as usize];
            let method = [Method::Invite, Method::Update][rng.below(2) as usize];
            world.act(name, |phone, now| {
                let offer = phone.sdp("", direction, "8");
                phone.in_dialog(now, method, &offer);
            });
        }
        Stage::Talking => {
            let digit = ['1', '2', '7', '#'][rng.below(4) as usize];
            world.act(name, |phone, now| {
                phone.in_dialog(now, Method::Info, &format!("Signal={digit}\r\n"));
            });
        }
        Stage::Calling | Stage::Rung => {}
    }
}

/// Everybody goes home.
fn end(world: &mut World) {
    for _ in 0..3 {
        for name in PHONES {
            world.act(name, Phone::leave);
        }
        world.run(Duration::from_secs(100));
    }
}

const PHONES: [&str; 6] = ["1001", "1002", "1003", "1004", "1005", "1006"];

const NUMBERS: [&str; 12] =
    ["1001", "1002", "1003", "1006", "601", "602", "603", "604", "605", "500", "*43", "7777"];

const SEEDS: u64 = 24;
const ACTS: u32 = 60;
