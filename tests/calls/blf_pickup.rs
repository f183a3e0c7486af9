//! A key that blinks is pressed: its phone takes the call, by what the lamp told of it (RFC 3891).

use crate::blf_ringing::watch;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use roxmltree::Document;
use strowger::sip::message::Name;

#[test]
fn a_ringing_call_is_picked_up_with_its_key() {
    in_all_weathers(SITE, |world| {
        watch(world, "1006", "1002", "dialog");
        watch(world, "1003", "1006", "dialog");
        world.dial("1001", "1002");
        world.until("1002 rings", |world| world.rings("1002"));
        world.until("what can be taken is named", |world| replaces(world).is_some());

        let replaces = replaces(world).expect("it is named");
        world.act("1006", |phone, now| {
            let offer = phone.talk_sdp();
            phone.dial_with(now, "1002", &offer, &[(Name::Replaces, &replaces)]);
        });
        world.until("they talk", |world| {
            world.talk("1001", "1006") && world.stage("1001") == Stage::Talking
        });
        world.until("1002 rings no more", |world| world.stage("1002") == Stage::Over);
        world.until("its lamp is off", |world| world.shows("1006", 0) == "off");
        world.until("the other is lit", |world| world.shows("1003", 0) == "confirmed");
        world.settle();
        world.hang_up("1001");
        world.until("it is off", |world| world.shows("1003", 0) == "off");
    });
}

/// The dialog of 1006's lamp, as a phone names it that believes to call 1002 itself. A phone says
/// its tag while it rings, or, if that word is lost, not at all: then it names none.
fn replaces(world: &World) -> Option<String> {
    let document = Document::parse(world.phone("1006").lamps[0].body()).ok()?;
    let dialog = document.root_element().first_element_child()?;
    let part = |name| dialog.attribute(name);
    let (call_id, to, from) = (part("call-id")?, part("local-tag"), part("remote-tag")?);
    let to = to.or((world.weather.lost > 0).then_some("unheard"))?;
    Some(format!("{call_id};to-tag={to};from-tag={from}"))
}
