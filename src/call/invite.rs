//! The messages of an INVITE dialog that are ours to write.

use std::net::IpAddr;

use crate::call::identity::{self, Manner};
use crate::call::site::Settings;
use crate::sdp::Security;
use crate::sip::dialog::SessionTimer;
use crate::sip::dialog::session_timer::Terms;
use crate::sip::flow::Flow;
use crate::sip::message::{Builder, Method, Name, Request, Response, UserPart};
use crate::sip::registrar::nat::Path;

/// The methods that a leg understands (RFC 3261 §20.5).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER";

/// The option tags of the extensions that a leg understands (RFC 3261 §20.37).
pub const SUPPORTED: &str = "100rel, replaces, timer";

/// Why the phones that lost the race stop ringing: no missed call is shown (RFC 3326 §3.2).
pub const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Seconds after which a caller may try again for whom there was no room.
pub const RETRY_AFTER_S: u32 = 5;

/// What Max-Forwards begins with (RFC 3261 §20.22).
pub const MAX_FORWARDS: u8 = 70;

/// How far those may be whom the sender of an INVITE calls: one hop less than he may (RFC 7332 §3).
pub fn hops_left(invite: &Request) -> u8 {
    let left = invite.max_forwards().ok().flatten();
    left.map_or(MAX_FORWARDS, |left| left.saturating_sub(1))
}

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
    /// How many elements it may pass.
    pub max_forwards: u8,
    /// Whether the audio is encrypted, if the account or the trunk says so.
    pub srtp: Option<Security>,
    /// None for a phone of ours.
    pub outside: Option<Outside<'a>>,
    pub manner: Manner<'a>,
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

impl Dial<'_> {
    /// The host of From and To.
    fn domain(&self, settings: &Settings) -> String {
        match &self.outside {
            Some(outside) => outside.host.to_owned(),
            None => domain(settings, &self.path.flow),
        }
    }

    /// The URI of who calls.
    pub fn caller(&self, settings: &Settings) -> String {
        format!("sip:{}@{}", UserPart(self.from), self.domain(settings))
    }
}

/// The host by which a phone of ours knows us, and its fellows.
pub fn domain(settings: &Settings, flow: &Flow) -> String {
    match settings.domain.as_str() {
        "" => host(flow.local.ip()),
        domain => domain.to_owned(),
    }
}

/// The INVITE that rings a phone.
pub fn build(
    dial: &Dial<'_>,
    sip_call_id: &str,
    tag: &str,
    offer: &str,
    timer: &SessionTimer,
    settings: &Settings,
) -> Request {
    let (domain, uri) = (dial.domain(settings), dial.caller(settings));
    let caller = match dial.name {
        Some(name) => format!("\"{}\" <{uri}>", quoted(name)),
        None => format!("<{uri}>"),
    };
    let outside = dial.outside.as_ref();
    let mut invite = Request::build(Method::Invite, dial.uri);
    for proxy in dial.route {
        invite = invite.header(Name::Route, proxy);
    }
    invite = invite.header(Name::MaxForwards, dial.max_forwards);
    invite = match outside.and_then(|outside| outside.asserted_by) {
        _ if dial.manner.hidden => invite.header(Name::From, identity::anonymous(tag)),
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
        .header(Name::Supported, SUPPORTED)
        .header(Name::UserAgent, AGENT);
    if let Some(who) = dial.referred_by {
        invite = invite.header(Name::ReferredBy, who);
    }
    invite = timer.ask(invite);
    invite = identity::tell(invite, &dial.manner, (&uri, dial.name), (&domain, dial.user));
    if !offer.is_empty() {
        invite = invite.body(SDP, offer.as_bytes());
    }
    invite.request()
}

/// The same request of ours with the next CSeq number: all its lines but those named, and its body.
///
/// It has no `Via`: the transaction adds its own.
pub fn again(request: &Request, cseq: u32, without: &[Name]) -> Builder {
    let written = [Name::Via, Name::CSeq, Name::ContentType, Name::ContentLength];
    let mut next = Request::build(request.method(), request.uri_text());
    for (name, value) in request.all() {
        let known = Name::of(name.as_bytes());
        if !written.contains(&known) && !without.contains(&known) {
            next = next.header_named(name, value);
        }
    }
    next = next.header(Name::CSeq, format_args!("{cseq} {}", request.method()));
    match request.content_type() {
        Some(kind) => next.body(kind, request.body()),
        None => next,
    }
}

/// An address as a URI's host (RFC 3261 §25.1).
fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Our 200 to an INVITE or UPDATE; its user adds the session description.
pub fn accept(request: &Request, tag: &str, flow: &Flow, terms: Terms) -> Builder {
    let response = Response::build(request, 200, Some(tag))
        .header(Name::Contact, flow.contact())
        .header(Name::Allow, ALLOW)
        .header(Name::Supported, SUPPORTED)
        .header(Name::Server, AGENT);
    terms.tell(response)
}

/// What a request requires, of us or of whoever passes it on, and we do not understand
/// (RFC 3261 §8.2.2.3, §16.3), for `Unsupported`.
pub fn not_understood(request: &Request) -> Option<String> {
    let known =
        |tag: &&str| SUPPORTED.split(", ").any(|supported| supported.eq_ignore_ascii_case(tag));
    let required = request.values(Name::Require).chain(request.values(Name::ProxyRequire));
    let unknown: Vec<&str> = required.filter(|tag| !known(tag)).collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

/// Whether a request's body is a session description, by its media type (RFC 3261 §8.2.3).
pub fn is_description(request: &Request) -> bool {
    request.content_type().is_some_and(|kind| is_type(kind, SDP))
}

/// Whether a media type, with its parameters, is this one.
pub fn is_type(kind: &str, wanted: &str) -> bool {
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}

/// How a SIP INFO is answered: what its body carries must be a key (RFC 3261 §21.4.13), and no
/// package was agreed on that it could be of (RFC 6086 §4.2.2).
pub fn status_of_info(request: &Request) -> u16 {
    let kind = request.content_type().unwrap_or_default();
    let says_nothing = request.body().is_empty() && !KEYS.iter().any(|key| is_type(kind, key));
    if request.header(Name::InfoPackage).is_some() {
        469
    } else if says_nothing || digit(request).is_some() {
        200
    } else {
        415
    }
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

/// The media type of session descriptions (RFC 8866 §8.1).
pub const SDP: &str = "application/sdp";

/// The media types of keys in INFO.
pub const KEYS: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];

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
