//! What waits for the Switch: calls that are there go before those that want to be.
//!
//! Two limited channels. What belongs to something that is there already (responses, ACK, CANCEL,
//! whatever has a To tag, lost connections) is urgent; the rest is new. The Switch thread empties
//! the urgent one first, so that under more new calls than it can take those in progress hear and
//! end as ever, and nothing of theirs is lost for want of room. A CANCEL does not overtake its own
//! INVITE: nobody sends one before he has heard a response (RFC 3261 §9.1).

use crossbeam_channel::{Receiver, TrySendError};

use super::Incoming;
use crate::shell::limited::{LimitedSender, limited};
use crate::sip::message::{Message, Method};

/// The transports' end.
#[derive(Clone, Debug)]
pub struct Inbox {
    urgent: LimitedSender<Incoming>,
    new: LimitedSender<Incoming>,
}

/// The Switch thread's end.
#[derive(Clone, Debug)]
pub struct Outbox {
    pub urgent: Receiver<Incoming>,
    pub new: Receiver<Incoming>,
}

/// Both ends, with room for `room` messages of each kind.
pub fn inbox(room: usize) -> (Inbox, Outbox) {
    let ((urgent, urgent_out), (new, new_out)) = (limited(room), limited(room));
    (Inbox { urgent, new }, Outbox { urgent: urgent_out, new: new_out })
}

impl Inbox {
    /// Hands something on now, or gives it back.
    #[expect(clippy::result_large_err, reason = "what cannot be passed on is tried again")]
    pub(super) fn try_send(&self, incoming: Incoming) -> Result<(), TrySendError<Incoming>> {
        let channel = if is_urgent(&incoming) { &self.urgent } else { &self.new };
        channel.try_send(incoming)
    }
}

fn is_urgent(incoming: &Incoming) -> bool {
    match incoming {
        Incoming::Closed { .. } => true,
        Incoming::Received { message: Message::Response(_), .. } => true,
        Incoming::Received { message: Message::Request(request), .. } => {
            matches!(request.method(), Method::Ack | Method::Cancel) || request.to_tag().is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::sip::flow::{ConnectionId, Flow, Loss, Transport};
    use crate::sip::message::{Name, Request, Response};

    #[test]
    fn what_belongs_to_a_call_never_waits_behind_new_ones() {
        let (inbox, outbox) = inbox(2);
        for method in [Method::Invite, Method::Register] {
            inbox.try_send(received(request(method, "").into())).unwrap();
        }
        assert!(inbox.try_send(received(request(Method::Options, "").into())).is_err());

        let bye = request(Method::Bye, ";tag=us");
        let ok = Response::build(&bye, 200, None).response();
        inbox.try_send(received(bye.into())).unwrap();
        inbox.try_send(received(ok.into())).unwrap();
        assert_eq!((outbox.urgent.len(), outbox.new.len()), (2, 2));
    }

    #[test]
    fn acks_and_cancels_are_urgent_whatever_their_tag() {
        for method in [Method::Ack, Method::Cancel] {
            assert!(is_urgent(&received(request(method, "").into())));
        }
        assert!(is_urgent(&Incoming::Closed { flow: flow(), why: Loss::Ended }));
        assert!(!is_urgent(&received(request(Method::Invite, "").into())));
    }

    fn received(message: Message) -> Incoming {
        Incoming::Received { flow: flow(), message }
    }

    fn flow() -> Flow {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        let connection = ConnectionId::default();
        Flow { transport: Transport::Udp, local, remote: local, connection }
    }

    fn request(method: Method, to_tag: &str) -> Request {
        Request::build(method, "sip:1@pbx")
            .via("SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1")
            .header(Name::From, "<sip:2@pbx>;tag=a")
            .header(Name::To, format!("<sip:1@pbx>{to_tag}"))
            .header(Name::CallId, "c")
            .header(Name::CSeq, format!("1 {method}"))
            .request()
    }
}
