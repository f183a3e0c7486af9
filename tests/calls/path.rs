//! RFC 3327: a phone that registers through a proxy is called through it.

use crate::site::SITE;
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
use strowger::sip::message::Name;

#[test]
fn a_call_passes_the_proxy_that_the_phone_registered_through() {
    in_all_weathers(SITE, |world| {
        world.act("1006", |phone, now| phone.register(now, 0));
        world.settle();
        let proxy = world.phone("1002").address;
        let path = format!("<sip:edge@{proxy};lr>");
        let contact = "<sip:1006@10.9.9.9:5099>".to_owned();
        world.set("1006", |phone| {
            phone.registered_path = Some(path.clone());
            phone.registered_contact = Some(contact);
            phone.registered = None;
        });
        world.register("1006");

        world.dial("1001", "1006");
        world.until("the proxy has the call", |world| world.rings("1002"));
        let invite = world.phone("1002").line().invite.clone();
        assert_eq!(invite.uri_text(), "sip:1006@10.9.9.9:5099");
        assert!(invite.values(Name::Route).eq([path.as_str()]));
        world.answer("1002");
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.until("the caller knows", |world| world.stage("1001") == Stage::Talking);
        world.hang_up("1001");
        world.settle();
    });
}
