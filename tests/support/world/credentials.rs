//! What a phone does about a challenge.

use strowger::sip::digest::{Credentials, answer};
use strowger::sip::message::{Name, Request, Response};
use strowger::time::Instant;

use super::{Phone, Sent};

impl Phone {
    /// The same request with the next CSeq and an answer to the challenge (RFC 3261 §22.2).
    pub(super) fn send_with_credentials(&mut self, now: Instant, sent: &Sent, refusal: &Response) {
        let (old, cnonce) = (&sent.request, self.rng.token(8));
        let credentials = Credentials { user: &self.account, password: &self.password };
        let (method, uri) = (old.method_text(), old.uri_text());
        let Some((name, value)) = answer(refusal, credentials, method, uri, &cnonce, 1) else {
            return;
        };
        let cseq = format!("{} {method}", old.cseq().number + 1);
        let mut request = Request::build(old.method(), uri);
        for copied in COPIED {
            for value in old.lines(copied) {
                request = request.header(copied, value);
            }
        }
        request = request.header(Name::CSeq, cseq).header(name, value);
        if let Some(kind) = old.content_type() {
            request = request.body(kind, old.body());
        }
        let (request, line) = (request.request(), sent.line);
        self.send(now, Sent { request, line, tries: sent.tries + 1, status: 0 });
    }
}

/// The lines of a request that its repetition with credentials has too.
const COPIED: [Name; 15] = [
    Name::From,
    Name::To,
    Name::CallId,
    Name::Contact,
    Name::Expires,
    Name::Path,
    Name::Event,
    Name::Accept,
    Name::Replaces,
    Name::Supported,
    Name::Require,
    Name::Privacy,
    Name::PPreferredIdentity,
    Name::Allow,
    Name::SessionExpires,
];
