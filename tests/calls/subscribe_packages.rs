//! Message waiting and presence of extensions (RFC 3842, RFC 3856), names of any letters.

use crate::blf_ringing::watch;
use crate::site::SITE;
use crate::world::{World, in_all_weathers};
use roxmltree::Document;

/// There is no voicemail: nobody has messages, and the phone is told so.
#[test]
fn no_messages_wait() {
    in_all_weathers(SITE, |world| {
        watch(world, "1001", "1001", "message-summary");
        let lamp = &world.phone("1001").lamps[0];
        assert_eq!(lamp.last().content_type(), Some("application/simple-message-summary"));
        let expected = "Messages-Waiting: no\r\nMessage-Account: sip:1001@strowger.test\r\n\
                        Voice-Message: 0/0 (0/0)\r\n";
        assert_eq!(lamp.body(), expected);
    });
}

#[test]
fn presence_is_open_while_a_phone_is_registered() {
    in_all_weathers(SITE, |world| {
        watch(world, "1001", "1002", "presence");
        assert_eq!(world.shows("1001", 0), "open");
        world.act("1002", |phone, now| phone.register(now, 0));
        world.until("it is gone", |world| world.shows("1001", 0) == "closed");
        world.act("1002", |phone, now| phone.register(now, 3600));
        world.until("it is back", |world| world.shows("1001", 0) == "open");

        world.dial("1002", "1003");
        world.until("it is told", |world| {
            world.phone("1001").lamps[0].body().contains("<rpid:busy/>")
        });
        world.until("1003 rings", |world| world.rings("1003"));
        world.answer("1003");
        world.until("it talks", |world| {
            world.phone("1001").lamps[0].body().contains("<rpid:on-the-phone/>")
        });
        world.until("they talk", |world| world.talk("1002", "1003"));
        world.hang_up("1003");
        world.until("it is free", |world| !world.phone("1001").lamps[0].body().contains("rpid:on"));
    });
}

#[test]
fn names_may_have_any_letters() {
    let name = "王芳 <\"Fang\" & 'Co'>";
    let site = SITE.replace("name = \"Ann\"", &format!("name = {name:?}"));
    let mut world = World::new(&site);
    watch(&mut world, "1003", "1002", "dialog");
    world.dial("1001", "1002");
    world.until("it blinks", |world| world.shows("1003", 0) == "early");

    let document = Document::parse(world.phone("1003").lamps[0].body()).expect("XML");
    let shown = document.descendants().find_map(|node| node.attribute("display"));
    assert_eq!(shown, Some(name));
    world.cancel("1001");
    world.close();
}
