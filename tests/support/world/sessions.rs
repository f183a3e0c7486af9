//! What a phone does about changes of the session: re-INVITE, UPDATE, session timers (RFC 4028).

use strowger::sip::dialog::Accepted;
use strowger::sip::message::{Builder, Method, Name, Request, Response};
use strowger::sip::transaction::{Input, ServerKey};
use strowger::time::{Duration, Instant};

use super::{Phone, Stage};

/// How a phone takes session timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timers {
    /// It does not know them, nor UPDATE.
    #[default]
    Unknown,
    /// It knows them, and leaves refreshing to the other side.
    Lazy,
    /// It knows them and refreshes by itself.
    Refreshes,
    /// It says that it would refresh, and does not.
    Forgets,
}

impl Phone {
    /// Adds what the phone says about timers to an INVITE or UPDATE, or to its answer.
    pub(super) fn tell_timers(&self, message: Builder, is_request: bool) -> Builder {
        let side = match (self.timers, is_request) {
            (Timers::Unknown, _) => return message,
            (Timers::Lazy, true) => "",
            (Timers::Lazy, false) | (Timers::Refreshes | Timers::Forgets, true) => ";refresher=uac",
            (Timers::Refreshes | Timers::Forgets, false) => ";refresher=uas",
        };
        let expires = self.session_expires;
        let message = message.header(Name::Supported, "timer").header(Name::Allow, ALLOW);
        message.header(Name::SessionExpires, format!("{expires}{side}"))
    }

    /// A 2xx to an INVITE or UPDATE was sent or came: when the phone refreshes next.
    pub(super) fn count_from(&mut self, now: Instant, index: usize) {
        if self.timers == Timers::Refreshes {
            let wait = Duration::from_secs(u64::from(self.session_expires) / 2);
            self.refresh_at.insert(index, now + wait);
        }
    }

    /// Sends the refreshes that are due.
    pub(super) fn refresh(&mut self, now: Instant) {
        let due: Vec<_> =
            self.refresh_at.iter().filter(|(_, at)| **at <= now).map(|(line, _)| *line).collect();
        for index in due {
            self.refresh_at.remove(&index);
            if self.lines[index].stage == Stage::Talking {
                self.in_dialog_of(now, index, Method::Update, "");
            }
        }
    }

    /// A re-INVITE or UPDATE of the switch.
    pub(super) fn changed(&mut self, now: Instant, key: ServerKey, index: usize, request: Request) {
        self.lines[index].changes.push(request.clone());
        if let Some(status) = self.refusals.pop() {
            let mut response = Response::build(&request, status, Some("late"));
            if status == 422 {
                response = response.header(Name::MinSe, 3600);
            }
            self.transact(now, Input::Respond { key, response: response.response() });
            return;
        }
        let offer = String::from_utf8_lossy(request.body()).into_owned();
        let is_invite = request.method() == Method::Invite;
        let mut response =
            Response::build(&request, 200, Some("late")).header(Name::Contact, self.contact());
        if !offer.is_empty() {
            let ways =
                [("sendonly", "recvonly"), ("inactive", "inactive"), ("recvonly", "sendonly")];
            let way = ways.iter().find(|(theirs, _)| offer.contains(theirs));
            let way = way.map_or("sendrecv", |(_, ours)| *ours);
            let answer = self.sdp_at(self.rtp_of(index).port(), ("", way, "8"));
            self.lines[index].remote_sdp = offer;
            response = response.body("application/sdp", answer.as_bytes());
        }
        if request.header(Name::SessionExpires).is_some() {
            response = self.tell_timers(response, false);
        }
        let response = response.response();
        let line = &mut self.lines[index];
        if let Some(dialog) = &mut line.dialog {
            dialog.receive(self.flow, &request).expect("the switch counts its requests on");
        }
        if is_invite {
            line.server = Some(key);
            line.accepted = Some(Accepted::new(now, response.clone()));
        }
        self.transact(now, Input::Respond { key, response });
        self.count_from(now, index);
    }
}

const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, UPDATE, OPTIONS, INFO";
