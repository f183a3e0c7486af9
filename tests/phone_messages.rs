//! Messages as phones write them (`tests/data/phone-messages`) are read as they were meant.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::net::IpAddr;

use bytes::Bytes;
use strowger::sip::message::{
    Host, Message, Method, Name, NameAddr, ParseError, Request, Response, Scheme,
};

#[test]
fn every_message_is_read_and_reads_the_same_when_written_again() {
    let mut count = 0;
    for entry in fs::read_dir("tests/data/phone-messages").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "msg") || path.ends_with(KEEPALIVE) {
            continue;
        }
        let bytes = Bytes::from(fs::read(&path).unwrap());
        let message = Message::parse(bytes).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        let again = Message::parse(message.bytes().clone()).unwrap();
        assert_eq!(message, again);
        assert_eq!(again.bytes(), message.bytes(), "reading its own text changes nothing");
        for address in message.contacts().chain(message.routes()).chain(message.record_routes()) {
            address.unwrap().uri().unwrap();
        }
        message.from().uri().unwrap();
        message.to().uri().unwrap();
        count += 1;
    }
    assert_eq!(count, 20);
}

#[test]
fn an_empty_datagram_keeps_a_nat_binding_and_is_no_message() {
    let bytes = Bytes::from(fs::read(format!("tests/data/phone-messages/{KEEPALIVE}")).unwrap());

    assert_eq!(Message::parse(bytes), Err(ParseError::Empty));
    assert_eq!(ParseError::Empty.status(), None);
}

#[test]
fn compact_names_are_resolved() {
    let invite = request("compact");

    assert_eq!(invite.via().branch(), Some("z9hG4bKcompact1"));
    assert_eq!(invite.from().display().unwrap(), "A");
    assert_eq!(invite.call_id(), "compact-1@example.com");
    assert!(invite.values(Name::Supported).eq(["100rel", "timer"]));
    assert_eq!(invite.header(Name::SessionExpires), Some("1800"));
    assert_eq!(invite.content_type(), Some("application/sdp"));
    assert_eq!(invite.header_named("x"), Some("1800"));
    assert_eq!(invite.body().len(), 306);
}

#[test]
fn folded_headers_are_one_line() {
    let invite = request("folded");

    assert_eq!(invite.via().branch(), Some("z9hG4bKfold1"));
    assert_eq!(invite.via().param("rport"), Some(""));
    assert_eq!(invite.from_tag(), Some("88"));
    assert_eq!(invite.cseq().method, Method::Invite);
    let subject = "I know you're there, pick up the phone";
    assert_eq!(invite.header(Name::Subject), Some(subject));
}

#[test]
fn lists_on_one_line_are_cut_at_the_right_commas() {
    let bye = request("lists_one_line");

    let vias: Vec<_> = bye.vias().map(|via| via.unwrap().branch().unwrap().to_owned()).collect();
    assert_eq!(vias, ["z9hG4bKp1", "z9hG4bKp2", "z9hG4bKua"]);
    let second = bye.vias().nth(1).unwrap().unwrap();
    assert_eq!((second.transport(), second.port()), ("TCP", Some(5080)));
    assert_eq!(second.param("received"), Some("1.2.3.4"));

    let routes: Vec<_> = bye.routes().map(Result::unwrap).collect();
    assert_eq!(routes.len(), 3);
    assert_eq!(routes[1].display().unwrap(), "Proxy, the \"second\"");
    assert_eq!(routes[1].uri().unwrap().param("x"), Some("a,b"));
    assert!(routes.iter().all(|route| route.uri().unwrap().param("lr").is_some()));

    let contacts: Vec<_> = bye.contacts().map(Result::unwrap).collect();
    assert_eq!(contacts[0].display().unwrap(), "Smith, Bob");
    assert_eq!(contacts.iter().map(NameAddr::q).collect::<Vec<_>>(), [Some(700), Some(500), None]);
    assert_eq!(contacts[1].uri().unwrap().param("transport"), Some("tcp"));
    assert_eq!(contacts[2].uri_text(), "sip:c@10.0.0.11");
    assert_eq!(contacts[2].param("expires"), Some("5"));
}

#[test]
fn ipv6_literals_are_hosts() {
    let register = request("linphone_register_v6");

    let uri = register.uri().unwrap();
    assert_eq!(uri.host(), Host::Ip("2001:db8::10".parse::<IpAddr>().unwrap()));
    assert_eq!((uri.port(), uri.user()), (Some(5060), None));
    assert_eq!(register.via().host(), Host::Ip("2001:db8::9".parse::<IpAddr>().unwrap()));
    assert_eq!(register.via().port(), Some(5070));
    assert_eq!(register.from().display().unwrap(), "Ján Čapek");
    let contact = register.contacts().next().unwrap().unwrap();
    let instance = "<urn:uuid:5a1c61c4-0000-4c6a-bb2b-1234567890ab>";
    assert_eq!(contact.param("+sip.instance"), Some(instance));
    assert_eq!(contact.param("reg-id"), Some("1"));
}

#[test]
fn tel_uris_have_a_number() {
    let invite = request("tel_uri");

    let uri = invite.uri().unwrap();
    assert_eq!((uri.scheme(), uri.user()), (Scheme::Tel, Some("+15551212")));
    assert_eq!(uri.host(), Host::Absent);
    assert_eq!(uri.param("phone-context"), Some("example.com"));
    assert_eq!(invite.from().uri().unwrap().user(), Some("+15550000"));
}

#[test]
fn an_unknown_method_keeps_its_name() {
    let service = request("ext_method");

    assert_eq!(service.method(), Method::Other);
    assert_eq!(service.method_text(), "SERVICE");
    assert_eq!(service.cseq().method, Method::Other);
}

#[test]
fn latin1_becomes_utf8_and_loses_no_header() {
    let invite = request("latin1_name");

    assert_eq!(invite.from().display().unwrap(), "Ren\u{e9} M\u{fc}ller");
    assert_eq!(invite.from_tag(), Some("88"));
    assert_eq!(invite.call_id(), "u8-1@example.com");
    assert_eq!(invite.all().count(), 8);
}

#[test]
fn utf8_names_are_kept() {
    assert_eq!(request("utf8_name").from().display().unwrap(), "日本語 – Žižka");
}

#[test]
fn empty_lines_before_a_message_are_skipped() {
    let info = request("leading_crlf");

    assert_eq!(info.method(), Method::Info);
    assert_eq!(info.body(), b"Signal=5\r\nDuration=160\r\n");
    assert!(info.bytes().starts_with(b"INFO "));
}

#[test]
fn the_body_is_as_long_as_content_length_says() {
    assert_eq!(request("trailing_after_body").body(), b"Signal=5\r\nDuration=160\r\n");
    let cut = Bytes::from(fs::read("tests/data/phone-messages/info_dtmf.msg").unwrap());
    let cut = cut.slice(..cut.len() - 1);
    assert_eq!(Message::parse(cut), Err(ParseError::BodyShort { said: 24, size: 23 }));
}

/// RFC 3261 §18.3: over UDP the body then goes to the end of the datagram.
#[test]
fn without_content_length_the_body_is_the_rest() {
    assert_eq!(request("no_clen_body_colon").body(), b"Signal=5\r\nDuration=160\r\n");
}

#[test]
fn empty_headers_and_missing_spaces_are_read() {
    let options = request("header_empty_and_nospace");

    assert_eq!(options.header(Name::Supported), Some(""));
    assert_eq!(options.values(Name::Supported).count(), 0);
    assert_eq!(options.header_named("x-foo"), Some(""));
    assert_eq!(options.call_id(), "opt-1@example.com");
    assert_eq!(options.max_forwards(), Ok(Some(70)));
}

#[test]
fn feature_tags_of_a_contact_are_parameters() {
    let register = request("cisco_register");

    let contact = register.contacts().next().unwrap().unwrap();
    assert_eq!(contact.param("+u.sip!model.ccm.cisco.com"), Some("683"));
    assert_eq!(contact.param("+u.sip!devicename.ccm.cisco.com"), Some("SEP00AABBCCDDEE"));
    assert!(register.header(Name::Authorization).unwrap().contains("nc=0000001f,"));
    assert_eq!(register.expires(), Ok(Some(3600)));
}

/// The digest is computed over the URI as written, and commas in credentials make no list.
#[test]
fn credentials_are_one_line_as_written() {
    let register = request("sha256_auth");

    let line = register.values(Name::Authorization).next().unwrap();
    assert!(line.starts_with("Digest username=\"a\", realm="), "{line}");
    assert!(line.ends_with("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{line}");
    assert!(line.contains("algorithm=SHA-256"));
    assert!(register.is_wildcard());
    assert_eq!(register.contacts().count(), 0);
    assert_eq!(register.expires(), Ok(Some(0)));
}

#[test]
fn transfer_headers_have_names() {
    let refer = request("refer_replaces");

    let target = NameAddr::parse(Name::ReferTo, refer.header(Name::ReferTo).unwrap()).unwrap();
    let replaces = target.uri().unwrap().header("replaces").unwrap().into_owned();
    assert_eq!(replaces, "abc@host;to-tag=1;from-tag=2");
    assert_eq!(refer.header(Name::Replaces), Some("abc@host;to-tag=1;from-tag=2"));
    assert_eq!(refer.header(Name::Event), Some("refer"));
    assert_eq!(refer.header(Name::Path), Some("<sip:p1.example.com;lr>"));
    let asserted: Vec<_> = refer.addresses(Name::PAssertedIdentity).map(Result::unwrap).collect();
    assert_eq!(asserted[1].uri().unwrap().user(), Some("+15551212"));
}

#[test]
fn a_response_is_read() {
    let Message::Response(ok) = read("baresip_200") else { panic!("no response") };
    let ok: Response = ok;

    assert_eq!((ok.status(), ok.reason()), (200, "OK"));
    assert_eq!(ok.record_routes().count(), 2);
    assert_eq!(ok.header(Name::SessionExpires), Some("1800;refresher=uas"));
    assert_eq!(ok.via().param("rport"), Some("5060"));
}

const KEEPALIVE: &str = "keepalive_crlfcrlf.msg";

fn request(name: &str) -> Request {
    match read(name) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("{name} is a response"),
    }
}

fn read(name: &str) -> Message {
    let path = format!("tests/data/phone-messages/{name}.msg");
    Message::parse(Bytes::from(fs::read(path).unwrap())).unwrap()
}
