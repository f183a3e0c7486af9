//! Calls as `application/dialog-info+xml` (RFC 4235 §4).
//!
//! Each document is a full one: it replaces all that was told before. A call that has ended is
//! told once more as terminated, for phones that wait for that word.

use std::fmt::Write as _;

use super::shown::{Call, CallState, Party};
use super::xml::Text;
use crate::sip::message::UserPart;

/// The document about `entity`, for a phone that calls us `host`.
pub fn body(calls: &[Call], entity: &str, host: &str, version: u32) -> String {
    let mut text = String::with_capacity(256 + 384 * calls.len());
    let entity = Text(entity);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\"\
         \x20state=\"full\" entity=\"{entity}\">\r\n"
    );
    for call in calls {
        let _ = write!(text, "<dialog id=\"{}\"", Text(&call.id));
        if let Some(names) = &call.dialog {
            let _ = write!(text, " call-id=\"{}\"", Text(&names.call_id));
            if let Some(tag) = &names.local_tag {
                let _ = write!(text, " local-tag=\"{}\"", Text(tag));
            }
            let _ = write!(text, " remote-tag=\"{}\"", Text(&names.remote_tag));
        }
        let direction = if call.called { "recipient" } else { "initiator" };
        let _ =
            write!(text, " direction=\"{direction}\">\r\n<state>{}</state>\r\n", call.state.name());
        if call.state != CallState::Terminated {
            let _ = write!(
                text,
                "<local><identity>{entity}</identity><target uri=\"{entity}\"/></local>\r\n"
            );
            if let Some(remote) = &call.remote {
                party(&mut text, remote, host);
            }
        }
        text.push_str("</dialog>\r\n");
    }
    text.push_str("</dialog-info>\r\n");
    text
}

fn party(text: &mut String, party: &Party, host: &str) {
    let uri = format!("sip:{}@{host}", UserPart(&party.number));
    let uri = Text(&uri);
    text.push_str("<remote><identity");
    if let Some(name) = &party.name {
        let _ = write!(text, " display=\"{}\"", Text(name));
    }
    let _ = write!(text, ">{uri}</identity><target uri=\"{uri}\"/></remote>\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::subscription::shown::Names;
    use roxmltree::{Document, Node};

    /// RFC 4235 §4.4: the order of what a dialog element holds, and its attributes.
    #[test]
    fn a_ringing_phone_tells_who_calls_and_what_can_be_picked_up() {
        let text = body(&[ringing()], "sip:1002@pbx", "pbx", 7);

        let document = Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "dialog-info");
        assert_eq!(root.tag_name().namespace(), Some("urn:ietf:params:xml:ns:dialog-info"));
        assert_eq!(attributes(root), ["version=7", "state=full", "entity=sip:1002@pbx"]);
        let dialog = root.first_element_child().unwrap();
        assert_eq!(
            attributes(dialog),
            ["id=1-1", "call-id=c@h", "local-tag=theirs", "remote-tag=ours", "direction=recipient"]
        );
        let order: Vec<_> = dialog.children().filter(Node::is_element).collect();
        let names: Vec<_> = order.iter().map(|node| node.tag_name().name()).collect();
        assert_eq!(names, ["state", "local", "remote"]);
        assert_eq!(order[0].text(), Some("early"));
        let identity = order[2].first_element_child().unwrap();
        assert_eq!(identity.text(), Some("sip:10%2001@pbx"));
        assert_eq!(attributes(identity), ["display=王芳 <\"&'>"]);
        let target = identity.next_sibling_element().unwrap();
        assert_eq!(attributes(target), ["uri=sip:10%2001@pbx"]);
    }

    #[test]
    fn what_has_ended_is_told_without_its_people() {
        let call = Call { state: CallState::Terminated, ..ringing() };
        let text = body(&[call], "sip:1002@pbx", "pbx", 8);
        let document = Document::parse(&text).unwrap();
        let dialog = document.root_element().first_element_child().unwrap();
        let all: Vec<_> = dialog.children().filter(Node::is_element).collect();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].text(), Some("terminated"));
    }

    #[test]
    fn who_has_no_call_has_an_empty_document() {
        let text = body(&[], "sip:1002@pbx", "pbx", 0);
        let document = Document::parse(&text).unwrap();
        assert!(document.root_element().first_element_child().is_none());
    }

    fn attributes(node: Node<'_, '_>) -> Vec<String> {
        node.attributes().map(|one| format!("{}={}", one.name(), one.value())).collect()
    }

    fn ringing() -> Call {
        Call {
            id: "1-1".to_owned(),
            state: CallState::Early,
            called: true,
            dialog: Some(Names {
                call_id: "c@h".to_owned(),
                local_tag: Some("theirs".to_owned()),
                remote_tag: "ours".to_owned(),
            }),
            remote: Some(Party {
                number: "10 01".to_owned(),
                name: Some("王芳 <\"&'>".to_owned()),
            }),
        }
    }
}
