//! The messages of an INVITE dialog that are ours to write.

use std::net::IpAddr;

use crate::call::site::Settings;
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Name, Request, Response, UserPart};
use crate::sip::registrar::nat::Path;

/// The methods that a leg understands (RFC 3261 §20.5).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER";

/// Why the phones that lost the race stop ringing: no missed call is shown (RFC 3326 §3.2).
pub const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Seconds after which a caller may try again for whom there was no room.
pub const RETRY_AFTER_S: u32 = 5;

/// Whom to call and what to show.
#[derive(Debug)]
pub struct Dial<'a> {
    /// The number or account called: the user part of the To header.
    pub user: &'a str,
    /// The Request-URI: what the phone registered.
    pub uri: &'a str,
    pub path: Path,
    /// The proxies on the way (RFC 3327).
    pub route: &'a [String],
    /// The caller's number, as the phone shows it.
    pub from: &'a str,
    pub name: Option<&'a str>,
    /// Who sent the call there (RFC 3892).
    pub referred_by: Option<&'a str>,
    /// None for a phone of ours.
    pub outside: Option<Outside<'a>>,
}

/// What a trunk's INVITE has that a phone's has not.
#[derive(Debug)]
pub struct Outside<'a> {
    /// The host of From and To.
    pub host: &'a str,
    /// The user part of our Contact.
    pub contact: Option<&'a str>,
    /// The user in From, if the caller's number stands in P-Asserted-Identity (RFC 3325 §9.1).
    pub asserted_by: Option<&'a str>,
    /// Keys travel as SIP INFO, not in the audio.
    pub keys_as_info: bool,
    /// The peer is to make the offer (RFC 3261 §13.2.1).
    pub is_late: bool,
}

/// The INVITE that rings a phone.
pub fn build(
    dial: &Dial<'_>,
    sip_call_id: &str,
    tag: &str,
    offer: &str,
    settings: &Settings,
) -> Request {
    let domain = match (&dial.outside, settings.domain.as_str()) {
        (Some(outside), _) => outside.host.to_owned(),
        (None, "") => host(dial.path.flow.local.ip()),
        (None, domain) => domain.to_owned(),
    };
    let caller = match dial.name {
        Some(name) => format!("\"{}\" <sip:{}@{domain}>", quoted(name), UserPart(dial.from)),
        None => format!("<sip:{}@{domain}>", UserPart(dial.from)),
    };
    let outside = dial.outside.as_ref();
    let mut invite = Request::build(Method::Invite, dial.uri);
    for proxy in dial.route {
        invite = invite.header(Name::Route, proxy);
    }
    invite = invite.header(Name::MaxForwards, 70);
    invite = match outside.and_then(|outside| outside.asserted_by) {
        None => invite.header(Name::From, format_args!("{caller};tag={tag}")),
        Some(account) => invite
            .header(Name::From, format_args!("<sip:{}@{domain}>;tag={tag}", UserPart(account)))
            .header(Name::PAssertedIdentity, caller),
    };
    invite = invite
        .header(Name::To, format!("<sip:{}@{domain}>", UserPart(dial.user)))
        .header(Name::CallId, sip_call_id)
        .header(Name::CSeq, "1 INVITE")
        .header(
            Name::Contact,
            dial.path.flow.contact_as(outside.and_then(|outside| outside.contact)),
        )
        .header(Name::Allow, ALLOW)
        .header(Name::UserAgent, AGENT);
    if let Some(who) = dial.referred_by {
        invite = invite.header(Name::ReferredBy, who);
    }
    if !offer.is_empty() {
        invite = invite.body("application/sdp", offer.as_bytes());
    }
    invite.request()
}

/// An address as a URI's host (RFC 3261 §25.1).
fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Our 200 to an INVITE or UPDATE, with a session description.
pub fn accept(request: &Request, tag: &str, flow: &Flow, body: &str) -> Response {
    Response::build(request, 200, Some(tag))
        .header(Name::Contact, flow.contact())
        .header(Name::Allow, ALLOW)
        .header(Name::Server, AGENT)
        .body("application/sdp", body.as_bytes())
        .response()
}

/// Where requests in our dialogs are to be sent.
pub fn contact(flow: &Flow) -> String {
    flow.contact()
}

/// The key that a SIP INFO carries: `application/dtmf-relay` ("Signal=5") or `application/dtmf`.
pub fn digit(request: &Request) -> Option<char> {
    let kind = request.content_type()?.split(';').next()?.trim().to_ascii_lowercase();
    let body = std::str::from_utf8(request.body()).ok()?;
    let signal = match kind.as_str() {
        "application/dtmf" => body,
        "application/dtmf-relay" => body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value)
        })?,
        _ => return None,
    };
    match signal.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        signal => {
            let mut letters = signal.chars();
            let digit = letters.next()?.to_ascii_uppercase();
            let known = digit.is_ascii_digit() || "*#ABCD".contains(digit);
            (known && letters.next().is_none()).then_some(digit)
        }
    }
}

/// A display name between quotation marks (RFC 3261 §25.1, `quoted-string`).
fn quoted(name: &str) -> String {
    let printable = name.chars().filter(|letter| !letter.is_control());
    printable.fold(String::with_capacity(name.len()), |mut text, letter| {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
        text
    })
}

/// How Strowger names itself (RFC 3261 §20.35, §20.41).
pub const AGENT: &str = concat!("Strowger/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_domain_the_phone_sees_the_address_that_it_knows() {
        assert_eq!(host(IpAddr::from([127, 0, 0, 1])), "127.0.0.1");
        assert_eq!(host(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])), "[::1]");
    }

    #[test]
    fn names_and_users_cannot_break_out_of_their_header() {
        assert_eq!(quoted("a\"b\\c\r\nVia: x"), "a\\\"b\\\\cVia: x");
        assert_eq!(UserPart("10 01>@x").to_string(), "10%2001%3E%40x");
    }
}
