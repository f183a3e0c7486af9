//! One dialog: who the peer is, by which way it is reached, and which requests come next.
//!
//! Spec:     RFC 3261 §12, §13.2.2.4 (the ACK of a 2xx, forked answers), §14.
//! In:       the INVITE and its response that make it; later requests and responses.
//! Out:      requests within the dialog, and the flow to send them over.
//! Not here: sessions (`sdp`), copies of a 2xx (`accepted`), transactions.
//!
//! Each answer of a fork makes a dialog of its own: see `DialogRef::of_response`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::message::{Builder, Headers, Method, Name, Request, Response, Scheme, Uri};
use crate::sip::registrar::nat::Path;

use super::id::{DialogId, DialogRef};

/// Proxies that a dialog's requests may pass; more is a loop or an attack.
pub const ROUTES_MAX: usize = 32;

/// Why a message makes no dialog, or does not belong into one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DialogError {
    #[error("a Contact is missing")]
    ContactMissing,
    #[error("the Contact is malformed")]
    ContactWrong,
    #[error("CSeq {received} came after {last}")]
    OutOfOrder { last: u32, received: u32 },
    #[error("a Record-Route is malformed, or there are more than {ROUTES_MAX}")]
    RoutesWrong,
    #[error("the To tag is missing")]
    TagMissing,
}

impl DialogError {
    /// The answer owed to the peer, if a request of his is wrong.
    pub const fn status(self) -> u16 {
        match self {
            Self::ContactMissing | Self::ContactWrong | Self::RoutesWrong | Self::TagMissing => 400,
            Self::OutOfOrder { .. } => 500, // RFC 3261 §12.2.2
        }
    }
}

/// A dialog. Plain data: it can be stored and taken up again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dialog {
    id: DialogId,
    /// Our From in requests, with its tag.
    local: String,
    /// Our To in requests, with its tag.
    remote: String,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    /// Route values, in the order in which requests pass them.
    route_set: Vec<String>,
    /// The peer's Contact URI, as written.
    target: String,
    secure: bool,
    confirmed: bool,
    path: Path,
    /// Grows with each change of what our next request looks like, and of where it goes.
    #[serde(default)]
    revision: u32,
}

impl Dialog {
    /// The dialog that our response to an INVITE makes (RFC 3261 §12.1.1).
    ///
    /// `path` is how the INVITE came: `Path::of`.
    ///
    /// # Errors
    ///
    /// `ContactMissing`, `ContactWrong`, `RoutesWrong`: of the INVITE. `TagMissing`: of the
    /// response.
    pub fn as_uas(path: Path, invite: &Request, response: &Response) -> Result<Self, DialogError> {
        let local_tag = response.to_tag().ok_or(DialogError::TagMissing)?;
        let name = DialogRef { local_tag, ..DialogRef::of_request(invite) };
        let is_secure = invite.uri().is_ok_and(|uri| uri.scheme() == Scheme::Sips);
        Ok(Self {
            id: name.to_id(),
            local: response.header(Name::To).unwrap_or_default().to_owned(),
            remote: invite.header(Name::From).unwrap_or_default().to_owned(),
            local_cseq: 0,
            remote_cseq: Some(invite.cseq().number),
            route_set: routes(invite)?,
            target: contact(invite)?.ok_or(DialogError::ContactMissing)?,
            secure: is_secure,
            confirmed: response.is_success(),
            path,
            revision: 0,
        })
    }

    /// The dialog that a response to our INVITE makes (RFC 3261 §12.1.2).
    ///
    /// `path` is how the INVITE went; `path.direct` if the phone is known to be without NAT.
    ///
    /// # Errors
    ///
    /// `TagMissing`, `ContactWrong`, `RoutesWrong`: of the response. A 2xx must have a Contact;
    /// without one its requests go where the INVITE went.
    pub fn as_uac(path: Path, invite: &Request, response: &Response) -> Result<Self, DialogError> {
        if response.to_tag().is_none() {
            return Err(DialogError::TagMissing);
        }
        let mut dialog = Self::of_invite(path, invite, response);
        dialog.confirm(response)?;
        dialog.confirmed = response.is_success();
        Ok(dialog)
    }

    /// The dialog of a 2xx to our INVITE that `as_uac` refuses: enough to acknowledge and end it.
    ///
    /// Without a tag it is that of an RFC 2543 peer; a Contact or Record-Route that cannot be read
    /// counts as missing.
    pub fn as_uac_at_best(path: Path, invite: &Request, response: &Response) -> Self {
        let mut dialog = Self::of_invite(path, invite, response);
        // What of it can be read is taken up; the rest stays that of the INVITE.
        let _ = dialog.confirm(response);
        dialog
    }

    /// The dialog of a 2xx to an INVITE of ours that is not at hand any more: enough to acknowledge
    /// and end it.
    ///
    /// `path` is how the response came; a Contact or Record-Route that cannot be read counts as
    /// missing.
    pub fn as_uac_of_stray(path: Path, response: &Response) -> Self {
        let mut dialog = Self::of_response(path, response);
        let _ = dialog.confirm(response); // as in `as_uac_at_best`
        dialog
    }

    /// What our INVITE and the tag of a response say, without the response's routes and target.
    fn of_invite(path: Path, invite: &Request, response: &Response) -> Self {
        Self {
            local: invite.header(Name::From).unwrap_or_default().to_owned(),
            local_cseq: invite.cseq().number,
            target: invite.uri_text().to_owned(),
            secure: invite.uri().is_ok_and(|uri| uri.scheme() == Scheme::Sips),
            ..Self::of_response(path, response)
        }
    }

    /// What a response repeats of our INVITE; the target is where it came from.
    fn of_response(path: Path, response: &Response) -> Self {
        Self {
            id: DialogRef::of_response(response).to_id(),
            local: response.header(Name::From).unwrap_or_default().to_owned(),
            remote: response.header(Name::To).unwrap_or_default().to_owned(),
            local_cseq: response.cseq().number,
            remote_cseq: None,
            route_set: Vec::new(),
            target: format!("sip:{}", path.flow.remote),
            secure: false,
            confirmed: false,
            path,
            revision: 0,
        }
    }

    /// Takes up the 2xx to our INVITE: route set and target are its, not the early ones (RFC 3261
    /// §13.2.2.4).
    ///
    /// # Errors
    ///
    /// `ContactWrong`, `RoutesWrong`: the dialog stays as it was.
    pub fn confirm(&mut self, response: &Response) -> Result<(), DialogError> {
        let mut route_set = routes(response)?;
        let target = contact(response)?;
        route_set.reverse();
        self.route_set = route_set;
        self.confirmed = true;
        if let Some(target) = target {
            self.target = target;
        }
        Ok(())
    }

    /// Our 2xx to the INVITE is sent.
    pub fn accept(&mut self) {
        self.confirmed = true;
    }

    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Whether no 2xx has been sent or received yet.
    pub fn is_early(&self) -> bool {
        !self.confirmed
    }

    /// Whether the call was asked for with a `sips` URI.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The peer's Contact URI, as written.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// How the peer was heard last.
    pub fn path(&self) -> Path {
        self.path
    }

    /// The process that had the peer's connection is gone: another is made when it is needed.
    pub fn forget_connection(&mut self) {
        self.path.flow.connection = ConnectionId::default();
    }

    /// Takes the dialog up in a later process; false if the peer cannot be reached from here.
    pub fn reopen(&mut self) -> bool {
        match self.path.reopened(&self.target) {
            Some(path) => self.path = path,
            None => return false,
        }
        true
    }

    /// Our address as the peer wrote it, without parameters, and the host in it if it has one.
    pub fn local_address(&self) -> (&str, Option<&str>) {
        let uri = uri_of(&self.local).map_or("", |uri| uri.text());
        let uri = uri.split([';', '?']).next().unwrap_or_default();
        (uri, uri.split_once('@').map(|(_, host)| host))
    }

    /// Our requests say from here on that they are from `address`, without a tag (RFC 4916 §4.3).
    pub fn rename(&mut self, address: &str) {
        let local = format!("{address};tag={}", self.id.local_tag);
        self.revision += u32::from(local != self.local);
        self.local = local;
    }

    /// CSeq numbers up to `cseq` count as used.
    pub fn skip_to(&mut self, cseq: u32) {
        self.local_cseq = self.local_cseq.max(cseq);
    }

    /// The CSeq number of our latest request.
    pub fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// Changes with each change of what our next request looks like, and of where it goes.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// The next CSeq number is taken by a request that is sent again.
    pub fn skip_cseq(&mut self) {
        self.local_cseq += 1;
        self.revision += 1;
    }

    /// Starts our next request; not for ACK and CANCEL, which have numbers of other requests.
    ///
    /// Its user adds what else it wants: Contact if it refreshes the target, a body.
    pub fn request(&mut self, method: Method) -> Builder {
        self.local_cseq += 1;
        self.revision += 1;
        self.routed(method, self.local_cseq)
    }

    /// Starts the ACK of a 2xx to our INVITE with that CSeq number (RFC 3261 §13.2.2.4).
    pub fn ack(&self, cseq: u32) -> Builder {
        self.routed(Method::Ack, cseq)
    }

    /// Where our next request goes.
    pub fn next_hop(&self) -> Flow {
        match self.route_set.first() {
            Some(route) => uri_of(route).map_or(self.path.flow, |uri| self.path.towards(&uri)),
            None => {
                Uri::parse(&self.target).map_or(self.path.flow, |target| self.path.towards(&target))
            }
        }
    }

    /// Takes up a request of the peer, once per request (RFC 3261 §12.2.2).
    ///
    /// The flow it came over is the way back from here on: a phone whose connection or NAT binding
    /// was renewed is reached by the new one.
    ///
    /// # Errors
    ///
    /// `OutOfOrder`: an older request came late. `ContactWrong`: it would point the dialog nowhere.
    pub fn receive(&mut self, flow: Flow, request: &Request) -> Result<(), DialogError> {
        let received = request.cseq().number;
        let method = request.method();
        if !matches!(method, Method::Ack | Method::Cancel) {
            if let Some(last) = self.remote_cseq.filter(|last| received < *last) {
                return Err(DialogError::OutOfOrder { last, received });
            }
            if let Some(target) = contact(request)?.filter(|_| is_target_refresh(method)) {
                self.move_to(target);
            }
            self.remote_cseq = Some(received);
        }
        let path = Path::of(flow, request);
        self.revision += u32::from(path != self.path);
        self.path = path;
        Ok(())
    }

    /// Takes up a 2xx to our re-INVITE or UPDATE (RFC 3261 §12.2.1.2): it may move the target.
    ///
    /// # Errors
    ///
    /// `ContactWrong`: the target stays.
    pub fn refresh(&mut self, response: &Response) -> Result<(), DialogError> {
        if response.is_success()
            && is_target_refresh(response.cseq().method)
            && let Some(target) = contact(response)?
        {
            self.move_to(target);
        }
        Ok(())
    }

    fn move_to(&mut self, target: String) {
        self.revision += u32::from(target != self.target);
        self.target = target;
    }

    /// RFC 3261 §12.2.1.1.
    fn routed(&self, method: Method, cseq: u32) -> Builder {
        let strict = self.route_set.first().and_then(|first| {
            let uri = uri_of(first)?;
            uri.param("lr").is_none().then_some(uri)
        });
        let uri = strict.map_or(self.target.as_str(), |first| without_headers(&first));
        let mut builder = Request::build(method, uri)
            .header(Name::From, &self.local)
            .header(Name::To, &self.remote)
            .header(Name::CallId, &self.id.call_id)
            .header(Name::CSeq, format_args!("{cseq} {method}"));
        for route in self.route_set.iter().skip(usize::from(strict.is_some())) {
            builder = builder.header(Name::Route, route);
        }
        if strict.is_some() {
            builder = builder.header(Name::Route, format_args!("<{}>", self.target));
        }
        builder
    }
}

/// Requests whose Contact moves the dialog (RFC 3261 §12.2, RFC 3311, RFC 6665, RFC 3515).
const fn is_target_refresh(method: Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer
    )
}

/// The one Contact URI of a message, if it has one.
fn contact(message: &Headers) -> Result<Option<String>, DialogError> {
    let Some(first) = message.values(Name::Contact).next() else { return Ok(None) };
    let contact = message.contacts().next().and_then(Result::ok);
    let uri = contact.filter(|contact| first != "*" && contact.uri().is_ok());
    uri.map(|contact| Some(contact.uri_text().to_owned())).ok_or(DialogError::ContactWrong)
}

/// The Record-Route values of a message, in their order.
fn routes(message: &Headers) -> Result<Vec<String>, DialogError> {
    let mut routes = Vec::new();
    for value in message.values(Name::RecordRoute) {
        if routes.len() == ROUTES_MAX || uri_of(value).is_none() {
            return Err(DialogError::RoutesWrong);
        }
        routes.push(value.to_owned());
    }
    Ok(routes)
}

fn uri_of(route: &str) -> Option<Uri<'_>> {
    crate::sip::message::NameAddr::parse(Name::Route, route).ok()?.uri().ok()
}

/// A strict router's URI as it may stand in a request line (RFC 3261 §19.1.1).
fn without_headers<'a>(uri: &Uri<'a>) -> &'a str {
    uri.text().split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::flow::{ConnectionId, Transport};
    use crate::sip::message::Message;

    /// RFC 3261 §12.1.1.
    #[test]
    fn a_call_received_makes_a_dialog() {
        let mut dialog = received(CALL);

        assert_eq!(dialog.id().call_id.as_ref(), "c");
        assert_eq!(dialog.id().local_tag.as_ref(), "us");
        assert_eq!(dialog.id().remote_tag.as_ref(), "them");
        assert!(!dialog.is_early());
        let bye = dialog.request(Method::Bye).request();
        assert_eq!(bye.uri_text(), "sip:1001@192.0.2.9:5070");
        assert_eq!(bye.header(Name::From), Some("<sip:1002@pbx>;tag=us"));
        assert_eq!(bye.header(Name::To), Some("\"A, B\" <sip:1001@pbx>;tag=them"));
        assert_eq!(bye.cseq().number, 1);
        assert_eq!(dialog.request(Method::Bye).request().cseq().number, 2);
    }

    /// RFC 3261 §12.1.2: the same routes, turned round.
    #[test]
    fn requests_pass_the_proxies_in_the_right_order() {
        let call = CALL.replace("Contact", &format!("Record-Route: {TWO_ROUTES}\r\nContact"));
        let mut uas = received(&call);
        assert_eq!(routes_of(&uas.request(Method::Bye).request()), ["<sip:p1;lr>", "<sip:p2;lr>"]);

        let (invite, ok) = called(&[("Record-Route", TWO_ROUTES), ("Contact", "<sip:x@h>")]);
        let mut uac = Dialog::as_uac(path(false), &invite, &ok).unwrap();
        let bye = uac.request(Method::Bye).request();
        assert_eq!(routes_of(&bye), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(bye.uri_text(), "sip:x@h");
        let ack = uac.ack(3).request();
        assert_eq!((ack.method(), ack.cseq().number), (Method::Ack, 3));
        assert_eq!(routes_of(&ack), routes_of(&bye));
    }

    /// RFC 3261 §12.2.1.1, the part for RFC 2543 proxies.
    #[test]
    fn a_strict_router_gets_its_own_uri() {
        let routes = "<sip:p1;lr>, <sip:p2?Subject=x>";
        let (invite, ok) = called(&[("Record-Route", routes), ("Contact", "<sip:x@h>")]);
        let mut dialog = Dialog::as_uac(path(false), &invite, &ok).unwrap();

        let bye = dialog.request(Method::Bye).request();

        assert_eq!(bye.uri_text(), "sip:p2");
        assert_eq!(routes_of(&bye), ["<sip:p1;lr>", "<sip:x@h>"]);
    }

    /// RFC 3261 §13.2.2.4: the 2xx counts, not the ringing.
    #[test]
    fn an_early_dialog_is_confirmed_with_the_routes_of_the_2xx() {
        let (invite, ok) = called(&[("Record-Route", "<sip:p2;lr>"), ("Contact", "<sip:b@h>")]);
        let ringing = Response::build(&invite, 180, Some("them"))
            .header(Name::RecordRoute, "<sip:p1;lr>")
            .header(Name::Contact, "<sip:a@h>")
            .response();

        let mut dialog = Dialog::as_uac(path(false), &invite, &ringing).unwrap();
        assert!(dialog.is_early());
        assert_eq!(routes_of(&dialog.request(Method::Update).request()), ["<sip:p1;lr>"]);
        dialog.confirm(&ok).unwrap();

        assert!(!dialog.is_early());
        let bye = dialog.request(Method::Bye).request();
        assert_eq!((bye.uri_text(), bye.cseq().number), ("sip:b@h", 5));
        assert_eq!(routes_of(&bye), ["<sip:p2;lr>"]);
    }

    #[test]
    fn each_answer_of_a_fork_is_a_dialog_of_its_own() {
        let (invite, one) = called(&[("Contact", "<sip:a@h>")]);
        let two = Response::build(&invite, 200, Some("other")).response();

        let one = Dialog::as_uac(path(false), &invite, &one).unwrap();
        let two = Dialog::as_uac(path(false), &invite, &two).unwrap();

        assert_ne!(one.id(), two.id());
        assert_eq!(one.id().local_tag, two.id().local_tag);
        assert_eq!(two.target(), invite.uri_text());
    }

    /// RFC 3261 §12.2.2.
    #[test]
    fn a_late_request_is_refused_and_a_re_invite_moves_the_target() {
        let mut dialog = received(CALL);
        let again = |cseq: u32, method: &str| {
            let text = CALL.replace("CSeq: 7 INVITE", &format!("CSeq: {cseq} {method}"));
            let text = text.replace("INVITE sip", &format!("{method} sip"));
            request(&text.replace("1001@192.0.2.9:5070", "moved@192.0.2.9"))
        };

        let late = dialog.receive(FLOW, &again(6, "BYE")).unwrap_err();
        assert_eq!(late, DialogError::OutOfOrder { last: 7, received: 6 });
        assert_eq!(late.status(), 500);
        dialog.receive(FLOW, &again(8, "INFO")).unwrap();
        assert_eq!(dialog.target(), "sip:1001@192.0.2.9:5070");
        dialog.receive(FLOW, &again(7, "ACK")).unwrap();
        dialog.receive(FLOW, &again(9, "INVITE")).unwrap();
        assert_eq!(dialog.target(), "sip:moved@192.0.2.9");
        assert!(dialog.receive(FLOW, &again(8, "BYE")).is_err());
    }

    /// A phone whose connection was renewed is reached over the new one.
    #[test]
    fn the_way_back_is_the_one_that_the_peer_used_last() {
        let mut dialog = received(CALL);
        let renewed = Flow { remote: "192.0.2.77:9999".parse().unwrap(), ..FLOW };

        dialog.receive(renewed, &request(&CALL.replace("CSeq: 7", "CSeq: 8"))).unwrap();

        assert_eq!(dialog.next_hop(), renewed);
    }

    #[test]
    fn requests_go_over_the_flow_unless_the_peer_has_no_nat_and_says_otherwise() {
        let cases = [
            // No NAT: the Contact's address counts, its port and transport too.
            (true, "<sip:a@192.0.2.9:5070>", "udp:192.0.2.9:5070"),
            (true, "<sip:a@192.0.2.9:5060>", "udp:192.0.2.9:5060"),
            (true, "<sip:a@192.0.2.50>", "udp:192.0.2.50:5060"),
            (true, "<sip:a@192.0.2.9:5070;transport=tcp>", "tcp:192.0.2.9:5070"),
            // Names, other families, odd addresses and unknown transports: the flow is safe.
            (true, "<sip:a@phone.example:5070>", "udp:192.0.2.9:5060"),
            (true, "<sip:a@[2001:db8::1]>", "udp:192.0.2.9:5060"),
            (true, "<sip:a@0.0.0.0>", "udp:192.0.2.9:5060"),
            (true, "<sip:a@192.0.2.50;gr=urn:uuid:1>", "udp:192.0.2.9:5060"),
            (true, "<sip:a@192.0.2.9:5070;transport=sctp>", "udp:192.0.2.9:5060"),
            (true, "<tel:+123>", "udp:192.0.2.9:5060"),
            // Behind a NAT: the flow.
            (false, "<sip:a@10.0.0.9:5070>", "udp:192.0.2.9:5060"),
            (false, "<sip:a@192.0.2.50:5070>", "udp:192.0.2.9:5060"),
        ];
        for (direct, contact, goes_to) in cases {
            let (invite, ok) = called(&[("Contact", contact)]);
            let dialog = Dialog::as_uac(path(direct), &invite, &ok).unwrap();
            assert_eq!(dialog.next_hop().to_string(), goes_to, "{direct} {contact}");
        }
    }

    #[test]
    fn a_call_that_could_not_be_answered_later_makes_no_dialog() {
        let cases = [
            (
                CALL.replace("Contact: <sip:1001@192.0.2.9:5070>\r\n", ""),
                DialogError::ContactMissing,
            ),
            (
                CALL.replace("Contact: <sip:1001@192.0.2.9:5070>", "Contact: *"),
                DialogError::ContactWrong,
            ),
            (CALL.replace("<sip:1001@192.0.2.9:5070>", "<sip:>"), DialogError::ContactWrong),
            (CALL.replace("Contact", "Record-Route: <sip:>\r\nContact"), DialogError::RoutesWrong),
            (
                CALL.replace(
                    "Contact",
                    &format!("{}Contact", "Record-Route: <sip:a;lr>\r\n".repeat(33)),
                ),
                DialogError::RoutesWrong,
            ),
        ];
        for (text, error) in cases {
            let invite = request(&text);
            let ok = Response::build(&invite, 200, Some("us")).response();
            assert_eq!(Dialog::as_uas(path(true), &invite, &ok).unwrap_err(), error, "{text}");
        }
    }

    const TWO_ROUTES: &str = "<sip:p1;lr>, <sip:p2;lr>";

    const CALL: &str = "INVITE sip:1002@pbx SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1\r\n\
        From: \"A, B\" <sip:1001@pbx>;tag=them\r\n\
        To: <sip:1002@pbx>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\
        Contact: <sip:1001@192.0.2.9:5070>\r\nContent-Length: 0\r\n\r\n";

    const FLOW: Flow = Flow {
        transport: Transport::Udp,
        local: address([192, 0, 2, 1]),
        remote: address([192, 0, 2, 9]),
        connection: ConnectionId(0),
    };

    const fn address(ip: [u8; 4]) -> std::net::SocketAddr {
        let ip = std::net::Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]);
        std::net::SocketAddr::new(std::net::IpAddr::V4(ip), 5060)
    }

    fn path(direct: bool) -> Path {
        Path { flow: FLOW, direct }
    }

    fn request(text: &str) -> Request {
        match Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("not a request"),
        }
    }

    fn received(text: &str) -> Dialog {
        let invite = request(text);
        let ok = Response::build(&invite, 200, Some("us")).response();
        Dialog::as_uas(Path::of(FLOW, &invite), &invite, &ok).unwrap()
    }

    /// An INVITE of ours and a 2xx to it.
    fn called(headers: &[(&str, &str)]) -> (Request, Response) {
        let invite = Request::build(Method::Invite, "sip:1001@192.0.2.9")
            .via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
            .header(Name::From, "<sip:1002@pbx>;tag=us")
            .header(Name::To, "<sip:1001@pbx>")
            .header(Name::CallId, "c")
            .header(Name::CSeq, "3 INVITE")
            .request();
        let mut ok = Response::build(&invite, 200, Some("them"));
        for (name, value) in headers {
            ok = ok.header_named(name, value);
        }
        (invite, ok.response())
    }

    fn routes_of(request: &Request) -> Vec<&str> {
        request.values(Name::Route).collect()
    }
}
