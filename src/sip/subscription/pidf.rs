//! Presence as `application/pidf+xml` (RFC 3863), with what the person does (RFC 4479, RFC 4480).

use std::fmt::Write as _;

use super::shown::Presence;
use super::xml::Text;

/// The document about `entity`.
pub fn body(presence: &Presence, entity: &str) -> String {
    let entity = Text(entity);
    let basic = if presence.open { "open" } else { "closed" };
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\"\
         \x20xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"\
         \x20xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{entity}\">\r\n\
         <tuple id=\"phone\">\r\n<status><basic>{basic}</basic></status>\r\n\
         <contact>{entity}</contact>\r\n"
    );
    // Writing to a String cannot fail.
    if let Some(note) = &presence.note {
        let _ = write!(text, "<note>{}</note>\r\n", Text(note));
    }
    text.push_str("</tuple>\r\n");
    if let Some(activity) = presence.activity {
        let _ = write!(
            text,
            "<dm:person id=\"person\"><rpid:activities><rpid:{}/></rpid:activities>\
             </dm:person>\r\n",
            activity.name()
        );
    }
    text.push_str("</presence>\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::subscription::shown::Activity;
    use roxmltree::Document;

    #[test]
    fn who_talks_is_open_and_on_the_phone() {
        let note = Some("Fish & <chips>".to_owned());
        let activity = Some(Activity::OnThePhone);
        let text = body(&Presence { open: true, activity, note }, "sip:1001@pbx");

        let document = Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.tag_name().namespace(), Some("urn:ietf:params:xml:ns:pidf"));
        assert_eq!(root.attribute("entity"), Some("sip:1001@pbx"));
        let tuple = root.first_element_child().unwrap();
        let order: Vec<_> = tuple.children().filter(|node| node.is_element()).collect();
        let names: Vec<_> = order.iter().map(|node| node.tag_name().name()).collect();
        assert_eq!(names, ["status", "contact", "note"]); // RFC 3863 §4.4
        assert_eq!(order[0].first_element_child().unwrap().text(), Some("open"));
        assert_eq!(order[2].text(), Some("Fish & <chips>"));
        let person = tuple.next_sibling_element().unwrap();
        assert_eq!(person.tag_name().name(), "person");
        let activity = person.first_element_child().unwrap().first_element_child().unwrap();
        assert_eq!(activity.tag_name().name(), "on-the-phone");
        assert_eq!(activity.tag_name().namespace(), Some("urn:ietf:params:xml:ns:pidf:rpid"));
    }

    #[test]
    fn who_cannot_be_reached_is_closed() {
        let text = body(&Presence::default(), "sip:a@b");
        assert!(text.contains("<status><basic>closed</basic></status>"), "{text}");
        assert!(!text.contains("person"), "{text}");
    }
}
