//! The peer asks who we are (RFC 3261 §22.2): its requests of ours are sent again with credentials.
//!
//! A request is found by its client id, sent again with the next CSeq number of its dialog under
//! another one, and whoever waits for it waits for that one.

use std::collections::BTreeMap;

use super::{Leg, Output, State};
use crate::call::site::Site;
use crate::sip::digest::Login;
use crate::sip::flow::Flow;
use crate::sip::message::{Builder, Name, Request, Response};
use crate::sip::transaction::ClientId;

/// What challenges are answered with, and the requests that may be challenged.
#[derive(Debug)]
pub struct Answering {
    login: Login,
    sent: BTreeMap<ClientId, Sent>,
}

#[derive(Debug)]
struct Sent {
    flow: Flow,
    request: Request,
    /// Challenges that it answers.
    answers: u8,
}

impl Answering {
    pub fn new(login: Login) -> Self {
        Self { login, sent: BTreeMap::new() }
    }

    /// Keeps the requests among `outputs`; of those, the latest `SENT_MAX`.
    pub(super) fn remember(&mut self, outputs: &[Output]) {
        for output in outputs {
            if let Output::Request { client, flow, request } = output {
                let sent = Sent { flow: *flow, request: request.clone(), answers: 0 };
                self.sent.entry(*client).or_insert(sent);
            }
        }
        while self.sent.len() > SENT_MAX {
            self.sent.pop_first();
        }
    }
}

impl Leg {
    /// Answers a challenge; false if that is no challenge, or has no answer: then it is a refusal.
    pub(super) fn challenged(
        &mut self,
        site: &mut Site<'_>,
        before: ClientId,
        response: &Response,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(answering) = &mut self.answering else { return false };
        if !response.is_final() {
            return false;
        }
        let Some(Sent { flow, request, answers }) = answering.sent.remove(&before) else {
            return false;
        };
        if !matches!(response.status(), 401 | 407) || matches!(self.state, State::Cancelling { .. })
        {
            return false;
        }
        let number = match &self.state {
            State::Confirmed(confirmed) => confirmed.dialog.local_cseq() + 1,
            _ => request.cseq().number + 1,
        };
        let login = &mut answering.login;
        let Some(request) = login.answer(site.rng, response, &request, (number, answers)) else {
            return false;
        };
        let client = site.client();
        match &mut self.state {
            State::Inviting(inviting) if inviting.client == before => {
                inviting.client = client;
                inviting.invite = request.clone();
            }
            State::Leaving { client: of, .. } if *of == before => *of = client,
            State::Confirmed(confirmed) => {
                confirmed.dialog.skip_cseq();
                confirmed.modification.rename(before, client);
            }
            _ => return false,
        }
        let sent = Sent { flow, request: request.clone(), answers: answers + 1 };
        answering.sent.insert(client, sent);
        out.push(Output::Request { client, flow, request });
        true
    }
}

/// An ACK with the credentials of its INVITE (RFC 3261 §13.2.2.4).
pub(super) fn with_credentials_of(invite: &Request, mut ack: Builder) -> Builder {
    for name in [Name::Authorization, Name::ProxyAuthorization] {
        for credentials in invite.lines(name) {
            ack = ack.header(name, credentials);
        }
    }
    ack
}

/// Requests of one leg that are kept for a challenge; one that is answered is not.
const SENT_MAX: usize = 8;
