//! A phone asks us to send the other side on, and is told what became of it.
//!
//! Spec:     RFC 3515 (the implicit subscription), RFC 4488 (none).

use super::{Confirmed, Event, Leg, Output, respond};
use crate::call::invite;
use crate::call::site::Site;
use crate::sip::dialog::refer::SIPFRAG;
use crate::sip::dialog::{Progress, Refer};
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::transaction::ServerKey;

/// The subscription that a REFER made.
#[derive(Debug, Default)]
pub(super) struct Referral {
    /// REFERs that were followed in this dialog.
    count: u32,
    /// One that the call has not decided about, and whether its sender wants to be told more.
    asked: Option<(ServerKey, Request, bool)>,
    /// The CSeq number of the one that is being followed, if its sender wants to be told.
    told: Option<u32>,
}

impl Leg {
    /// A REFER in the dialog: the call decides what becomes of it.
    pub(super) fn refer(
        &self,
        confirmed: &mut Confirmed,
        key: ServerKey,
        request: &Request,
        out: &mut Vec<Output>,
    ) {
        if confirmed.leaving.is_some() {
            out.push(respond(key, request, 481, ""));
            return;
        }
        match Refer::read(request) {
            Ok(refer) => {
                confirmed.referral.asked = Some((key, request.clone(), refer.subscribes));
                out.push(Output::Event(Event::Referred(Box::new(refer))));
            }
            Err(error) => out.push(respond(key, request, error.status(), "")),
        }
    }

    /// Answers a REFER as the call has decided; 202 makes the subscription.
    pub(super) fn answer_refer(
        &self,
        confirmed: &mut Confirmed,
        status: u16,
        out: &mut Vec<Output>,
    ) {
        let referral = &mut confirmed.referral;
        let Some((key, request, subscribes)) = referral.asked.take() else { return };
        if status != 202 {
            out.push(respond(key, &request, status, ""));
            return;
        }
        referral.count += 1;
        referral.told = subscribes.then_some(request.cseq().number);
        let mut response = Response::build(&request, 202, None)
            .header(Name::Contact, self.flow.contact())
            .header(Name::Server, invite::AGENT);
        if !subscribes {
            response = response.header(Name::ReferSub, "false");
        }
        out.push(Output::Respond { key, response: response.response() });
    }

    /// Tells the phone how far its transfer is, if it wants to know.
    pub(super) fn notify(
        &self,
        site: &mut Site<'_>,
        confirmed: &mut Confirmed,
        progress: &Progress,
        out: &mut Vec<Output>,
    ) {
        let Referral { count, told: Some(cseq), .. } = confirmed.referral else { return };
        if progress.is_last() {
            confirmed.referral.told = None;
        }
        // The first REFER of a dialog needs no id (RFC 3515 §2.4.6), and some phones know none.
        let event = if count > 1 { format!("refer;id={cseq}") } else { "refer".to_owned() };
        let request = (confirmed.dialog.request(Method::Notify))
            .header(Name::Contact, self.flow.contact())
            .header(Name::Event, event)
            .header(Name::SubscriptionState, progress.state())
            .header(Name::UserAgent, invite::AGENT)
            .body(SIPFRAG, progress.to_string().as_bytes())
            .request();
        let (client, flow) = (site.client(), confirmed.dialog.next_hop());
        out.push(Output::Request { client, flow, request });
    }
}
