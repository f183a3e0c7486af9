//! What a phone does before a call is answered: reliable responses (RFC 3262), early audio, UPDATE.

use strowger::sip::dialog::{Dialog, Reliable, reliable};
use strowger::sip::message::{Builder, Method, Name, RAck, Request, Response};
use strowger::sip::registrar::nat::Path;
use strowger::sip::transaction::{Input, ServerKey};
use strowger::time::Instant;

use super::{Phone, Sent};

/// What a phone thinks of reliable provisional responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rel {
    #[default]
    Unknown,
    Supports,
    Requires,
    /// It requires them, and does not acknowledge any.
    Forgets,
}

impl Phone {
    /// What the phone's INVITE says about reliable responses.
    pub(super) fn tell_rel(&self, invite: Builder) -> Builder {
        match self.rel {
            Rel::Unknown => invite,
            Rel::Supports => invite.header(Name::Supported, "100rel"),
            Rel::Requires | Rel::Forgets => invite.header(Name::Require, "100rel"),
        }
    }

    /// A provisional response to its INVITE.
    pub(super) fn progressed(
        &mut self,
        now: Instant,
        index: usize,
        invite: &Request,
        response: &Response,
    ) {
        let line = &mut self.lines[index];
        let Some(rseq) = RAck::rseq_of(response) else {
            line.learn_sdp(response.body());
            return;
        };
        let path = Path { flow: self.flow, direct: false };
        let early = Dialog::as_uac(path, invite, response);
        let dialog = line.early.get_or_insert_with(|| early.expect("it makes a dialog"));
        if line.rseq.is_some_and(|last| rseq != last + 1) || self.rel == Rel::Forgets {
            return; // a copy, or out of order
        }
        line.rseq = Some(rseq);
        let cseq = invite.cseq().number;
        let prack = dialog.request(Method::Prack);
        let prack = prack.header(Name::RAck, format!("{rseq} {cseq} INVITE"));
        line.learn_sdp(response.body());
        let answers = invite.body().is_empty() && !response.body().is_empty();
        let port = self.rtp_of(index).port();
        let body = if answers { self.sdp_at(port, ("", "sendrecv", "8")) } else { String::new() };
        let request = match body.as_str() {
            "" => prack.request(),
            body => prack.body("application/sdp", body.as_bytes()).request(),
        };
        self.send(now, Sent { request, line: Some(index), tries: 0, status: 0 });
    }

    /// Sends audio before it is answered: 183, reliable if the caller can acknowledge it.
    pub fn announce(&mut self, now: Instant) {
        let index = self.lines.len() - 1;
        let (contact, body) = (self.contact(), self.talk_sdp());
        let line = &mut self.lines[index];
        let tag = format!("{}-{index}", self.name);
        let builder = Response::build(&line.invite, 183, Some(&tag))
            .header(Name::Contact, contact)
            .body("application/sdp", body.as_bytes());
        let response = builder.clone().response();
        let path = Path::of(self.flow, &line.invite);
        let dialog = Dialog::as_uas(path, &line.invite, &response).expect("it makes a dialog");
        line.early.get_or_insert(dialog);
        if self.rel == Rel::Unknown {
            let key = line.server.expect("the phone was called");
            self.transact(now, Input::Respond { key, response });
            return;
        }
        let number = line.invite.cseq().number;
        line.reliable.get_or_insert_with(|| Reliable::new(number, 1000));
        self.tell_reliable(now, index, reliable::Input::Send(builder));
    }

    /// A PRACK of the switch.
    pub(super) fn pracked(&mut self, now: Instant, key: ServerKey, index: usize, prack: &Request) {
        let rack = RAck::of(prack).expect("the switch writes a RAck");
        let before = self.lines[index].acknowledged;
        self.tell_reliable(now, index, reliable::Input::Prack(rack));
        let fits = self.lines[index].acknowledged > before;
        self.respond(now, key, prack, if fits { 200 } else { 481 });
    }

    pub(super) fn tell_reliable(&mut self, now: Instant, index: usize, input: reliable::Input) {
        let line = &mut self.lines[index];
        let (Some(reliable), Some(key)) = (&mut line.reliable, line.server) else { return };
        let mut steps = Vec::new();
        reliable.handle(now, input, &mut steps);
        for step in steps {
            match step {
                reliable::Output::Acknowledged => self.lines[index].acknowledged += 1,
                reliable::Output::Respond(response) => {
                    self.transact(now, Input::Respond { key, response });
                }
                reliable::Output::GivenUp | reliable::Output::Unknown => {}
            }
        }
    }

    /// Sends an UPDATE before the call is answered.
    pub fn update_early(&mut self, now: Instant, body: &str) {
        let (index, contact) = (self.lines.len() - 1, self.contact());
        let dialog = self.lines[index].early.as_mut().expect("the dialog is early");
        let update = dialog.request(Method::Update).header(Name::Contact, contact);
        let request = update.body("application/sdp", body.as_bytes()).request();
        self.send(now, Sent { request, line: Some(index), tries: 0, status: 0 });
    }
}
