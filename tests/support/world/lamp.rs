//! What a phone watches, and what it is told of it.

use roxmltree::Document;

use super::{Phone, Sent};
use strowger::sip::dialog::Dialog;
use strowger::sip::message::{Method, Name, Request, Response};
use strowger::sip::registrar::nat::Path;
use strowger::sip::transaction::ServerKey;
use strowger::time::Instant;

/// A subscription as the phone sees it.
#[derive(Debug)]
pub struct Lamp {
    /// The final status of each SUBSCRIBE.
    pub statuses: Vec<u16>,
    /// The final response to the last SUBSCRIBE.
    pub answer: Option<Response>,
    /// Every NOTIFY, in the order of their coming.
    pub notifies: Vec<Request>,
    /// Whether the phone has forgotten it, so that NOTIFYs get 481.
    pub forgotten: bool,
    call_id: String,
    dialog: Option<Dialog>,
}

impl Lamp {
    /// The last NOTIFY.
    ///
    /// # Panics
    ///
    /// If none came.
    pub fn last(&self) -> &Request {
        self.notifies.last().expect("the phone was told")
    }

    pub fn body(&self) -> &str {
        std::str::from_utf8(self.last().body()).expect("what is told is text")
    }

    /// What the last document says of the state: `off`, or the most of its calls.
    pub fn shows(&self) -> String {
        let Some(last) = self.notifies.last() else { return "nothing".to_owned() };
        let text = std::str::from_utf8(last.body()).expect("what is told is text");
        let document = Document::parse(text).expect("what is told is XML");
        let states: Vec<_> = (document.descendants())
            .filter(|node| ["state", "basic"].contains(&node.tag_name().name()))
            .filter_map(|node| node.text())
            .collect();
        let order = ["confirmed", "early", "trying", "open", "closed"];
        let most = order.into_iter().find(|state| states.contains(state));
        most.unwrap_or("off").to_owned()
    }

    /// The state that Subscription-State names: `active`, `terminated;reason=timeout`.
    pub fn state(&self) -> String {
        let state = self.last().header(Name::SubscriptionState).unwrap_or_default();
        state.split(";expires=").next().unwrap_or_default().to_owned()
    }

    /// Takes a NOTIFY.
    ///
    /// # Panics
    ///
    /// If its CSeq or its version is not higher than all before.
    fn take(&mut self, notify: Request) {
        if let Some(last) = self.notifies.last() {
            assert!(notify.cseq().number > last.cseq().number, "CSeq went back: {notify:?}");
            let (new, old) = (version(&notify), version(last));
            assert!(new.is_none() || new > old, "the version went back: {notify:?}");
        }
        self.notifies.push(notify);
    }
}

/// The version of a document about dialogs.
fn version(notify: &Request) -> Option<u32> {
    let text = std::str::from_utf8(notify.body()).ok()?;
    let document = Document::parse(text).ok()?;
    document.root_element().attribute("version")?.parse().ok()
}

impl Phone {
    /// Subscribes to something; `lines` are further headers.
    pub fn watch(&mut self, now: Instant, whom: &str, event: &str, expires: u32) {
        let token = self.rng.token(8);
        let call_id = format!("{token}@{}", self.name);
        let request = Request::build(Method::Subscribe, &format!("sip:{whom}@strowger.test"))
            .header(Name::From, format!("<sip:{}@strowger.test>;tag={token}", self.account))
            .header(Name::To, format!("<sip:{whom}@strowger.test>"))
            .header(Name::CallId, &call_id)
            .header(Name::CSeq, "1 SUBSCRIBE")
            .header(Name::Contact, self.contact())
            .header(Name::Event, event)
            .header(Name::Expires, expires)
            .request();
        self.lamps.push(Lamp {
            statuses: Vec::new(),
            answer: None,
            notifies: Vec::new(),
            forgotten: false,
            call_id,
            dialog: None,
        });
        self.send(now, Sent { request, line: None, tries: 0, status: 0 });
    }

    /// Refreshes a subscription, or ends it with `expires` 0.
    pub fn watch_on(&mut self, now: Instant, lamp: usize, event: &str, expires: u32) {
        let contact = self.contact();
        let lamp = &mut self.lamps[lamp];
        let dialog = lamp.dialog.as_mut().expect("the phone has subscribed");
        dialog.skip_to(dialog.local_cseq() + 5); // numbers that challenges have used
        let request = dialog
            .request(Method::Subscribe)
            .header(Name::Contact, contact)
            .header(Name::Event, event)
            .header(Name::Expires, expires)
            .request();
        self.send(now, Sent { request, line: None, tries: 0, status: 0 });
    }

    pub(super) fn subscribe_answered(&mut self, request: &Request, response: &Response) {
        let lamp = self.lamps.iter_mut().find(|lamp| lamp.call_id == response.call_id());
        let lamp = lamp.expect("the phone has subscribed");
        lamp.statuses.push(response.status());
        lamp.answer = Some(response.clone());
        if response.is_success() && lamp.dialog.is_none() {
            let path = Path { flow: self.flow, direct: false };
            lamp.dialog = Dialog::as_uac(path, request, response).ok();
        }
    }

    /// RFC 6665 §4.1.2.4: a NOTIFY may come before the answer to its SUBSCRIBE.
    pub(super) fn notified(&mut self, now: Instant, key: ServerKey, request: Request) {
        let status = self.notify_status;
        let lamp = self.lamps.iter_mut().find(|lamp| lamp.call_id == request.call_id());
        let Some(lamp) = lamp.filter(|lamp| !lamp.forgotten) else {
            self.respond(now, key, &request, 481);
            return;
        };
        if status == 200 {
            lamp.take(request.clone());
        }
        self.respond(now, key, &request, status);
    }
}
