//! GRUUs as phones see them (RFC 5627 §5).

use super::tests::{Site, at};
use crate::sip::message::{Name, Response, Uri};
use crate::sip::registrar::Phone;

const PHONE: &str = "Contact: <sip:1001@192.0.2.9>;+sip.instance=\"<urn:uuid:f8-1>\"";

#[test]
fn a_phone_gets_a_lasting_name_and_one_by_chance() {
    let mut site = Site::new();

    let plain = site.registers(PHONE);
    assert!(!contact(&plain).contains("gruu"), "it did not ask for them");
    let told = contact(&site.registers(&format!("Supported: gruu\r\n{PHONE}")));

    assert!(told.contains("+sip.instance=\"<urn:uuid:f8-1>\""), "{told}");
    let (public, temporary) = (part(&told, "pub-gruu"), part(&told, "temp-gruu"));
    assert_eq!(public, "sip:1001@pbx.example;gr=urn:uuid:f8-1");
    assert!(temporary.starts_with("sip:tgruu.") && temporary.ends_with("@pbx.example;gr"));
    assert!(!temporary.contains("1001") && !temporary.contains("f8-1"));
    for uri in [public, temporary] {
        assert_eq!(named(&site, &uri), Some(Ok(phone())));
    }
    assert_eq!(named(&site, "sip:1001@pbx.example"), None);
    assert_eq!(named(&site, "sip:1001@pbx.example;gr=urn:uuid:other"), Some(Err(480)));
    assert_eq!(named(&site, "sip:tgruu.guessed@pbx.example;gr"), Some(Err(404)));
}

/// RFC 5627 §5.1: it has no names unless it has one of its own.
#[test]
fn a_phone_without_an_instance_has_none() {
    let mut site = Site::new();
    let ok = site.registers("Supported: gruu\r\nRequire: gruu\r\nContact: <sip:1001@192.0.2.9>");
    assert_eq!(ok.status(), 200);
    assert!(!contact(&ok).contains("gruu"), "{}", contact(&ok));
}

/// RFC 5627 §3.1.2: all that were given are known, as long as the phone stays registered; of many
/// the newest sixteen.
#[test]
fn names_by_chance_end_with_the_registration() {
    let mut site = Site::new();
    let mut given = Vec::new();
    for _ in 0..20 {
        let told = contact(&site.registers(&format!("Supported: gruu\r\n{PHONE}")));
        given.push(part(&told, "temp-gruu"));
    }
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 20, "each is another");
    let known =
        |site: &Site| given.iter().filter(|uri| named(site, uri) == Some(Ok(phone()))).count();
    assert_eq!(known(&site), 16);

    site.registers(&format!("Supported: gruu\r\nExpires: 0\r\n{PHONE}"));
    assert_eq!(known(&site), 0);
    assert!(site.registrar.temporary.is_empty());
}

/// RFC 5627 §5.4: a phone that has started anew is not reached by what it was given before.
#[test]
fn names_by_chance_end_with_the_call_id() {
    let mut site = Site::new();
    let before = contact(&site.registers(&format!("Supported: gruu\r\n{PHONE}")));
    site.call_id = "another";
    let after = contact(&site.registers(&format!("Supported: gruu\r\n{PHONE}")));

    assert_eq!(named(&site, &part(&before, "temp-gruu")), Some(Err(404)));
    assert_eq!(named(&site, &part(&after, "temp-gruu")), Some(Ok(phone())));
    assert_eq!(part(&before, "pub-gruu"), part(&after, "pub-gruu"));
    site.now = at(4000);
    site.ticks(4000);
    assert_eq!(named(&site, &part(&after, "pub-gruu")), Some(Err(480)));
    assert!(site.registrar.temporary.is_empty());
}

/// RFC 5627 §5.1: a call would go round in a circle.
#[test]
fn a_gruu_is_no_contact() {
    let mut site = Site::new();
    let told = contact(&site.registers(&format!("Supported: gruu\r\n{PHONE}")));
    for name in ["pub-gruu", "temp-gruu"] {
        let refused = site.registers(&format!("Contact: <{}>", part(&told, name)));
        assert_eq!(refused.status(), 403);
    }
}

fn phone() -> Phone {
    Phone { extension: "1001".into(), instance: "<urn:uuid:f8-1>".to_owned() }
}

fn named(site: &Site, uri: &str) -> Option<Result<Phone, u16>> {
    site.registrar.at_gruu(&Uri::parse(uri).unwrap())
}

fn contact(response: &Response) -> String {
    response.header(Name::Contact).unwrap().to_owned()
}

/// A quoted parameter.
fn part(contact: &str, name: &str) -> String {
    let (_, after) = contact.split_once(&format!(";{name}=\"")).unwrap();
    after.split_once('"').unwrap().0.to_owned()
}
