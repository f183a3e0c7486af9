//! Messages for the tests of the machines.

use bytes::Bytes;

use crate::sip::message::{Message, Request, Response};

/// A request as a client transaction holds it: with its Via and two Routes.
pub(super) fn request(method: &str) -> Request {
    request_with(method, "z9hG4bK01.1.0123456789abcdef", "call-1", 7)
}

pub(super) fn request_with(method: &str, branch: &str, call: &str, cseq: u32) -> Request {
    parse(&format!(
        "{method} sip:1002@192.0.2.2:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\n\
         Route: <sip:a.example;lr>, <sip:b.example;lr>\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:1001@pbx.example>;tag=caller\r\n\
         To: <sip:1002@pbx.example>\r\n\
         Call-ID: {call}\r\n\
         CSeq: {cseq} {method}\r\n\
         Content-Length: 0\r\n\r\n"
    ))
}

/// A request without Via, as a user gives it to the table.
pub(super) fn bare(method: &str, call: &str, cseq: u32) -> Request {
    let method = match method {
        "INVITE" => crate::sip::message::Method::Invite,
        "BYE" => crate::sip::message::Method::Bye,
        _ => crate::sip::message::Method::Options,
    };
    use crate::sip::message::Name;
    Request::build(method, "sip:1002@192.0.2.2:5060")
        .header(Name::From, "<sip:1001@pbx.example>;tag=caller")
        .header(Name::To, "<sip:1002@pbx.example>")
        .header(Name::CallId, call)
        .header(Name::CSeq, format_args!("{cseq} {method}"))
        .request()
}

/// A response to some INVITE.
pub(super) fn response(status: u16) -> Response {
    Response::build(&request("INVITE"), status, Some("callee")).response()
}

pub(super) fn parse(text: &str) -> Request {
    match Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("not a request"),
    }
}
