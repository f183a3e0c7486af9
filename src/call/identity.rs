//! Who calls, as the other side is told: asserted, hidden, and by which way the call came.
//!
//! Spec:     RFC 3325 (P-Asserted-Identity), RFC 3323 (Privacy), RFC 5806 (Diversion),
//!           RFC 7044 with RFC 4458 (History-Info with the cause in the URI).
//! In:       the INVITE of a caller; what a leg that is called may know.
//! Out:      the caller's identity; the lines of our INVITE.
//! Not here: which sides are trusted (their configuration), the From line itself (`invite`).

use crate::sip::message::{Builder, Headers, Host, Name, Privacy, Quoted, UserPart};

/// What an INVITE of ours says about the call, besides who is called.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner<'a> {
    /// The caller does not want to be known.
    pub hidden: bool,
    /// The other side is trusted with who calls, and to keep it to itself (RFC 3325 §2.3).
    pub trusted: bool,
    /// Who has sent the call on, the first one first; at most `DIVERTED_MAX` are told.
    pub diverted: &'a [Diverted],
    /// How the phone is to ring: what its `Alert-Info` says after `info=`; empty for as usual.
    pub alert: &'a str,
    /// The phone is to answer by itself.
    pub auto_answer: bool,
}

/// Who is at a leg, as others are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub number: String,
    pub name: Option<String>,
    /// He does not want to be known (RFC 3323).
    pub hidden: bool,
}

/// One station that a call was sent on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverted {
    /// The number that was called.
    pub number: String,
    pub why: Diversion,
}

/// Why a call was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diversion {
    Busy,
    NoAnswer,
    /// The phone itself sent it on (302).
    Deflected,
    Unavailable,
    Unconditional,
}

impl Diversion {
    /// The `reason` of a Diversion line (RFC 5806 §6).
    const fn reason(self) -> &'static str {
        match self {
            Self::Busy => "user-busy",
            Self::NoAnswer => "no-answer",
            Self::Deflected => "deflection",
            Self::Unavailable => "unavailable",
            Self::Unconditional => "unconditional",
        }
    }

    /// The `cause` in a History-Info URI (RFC 4458 §2).
    const fn cause(self) -> u16 {
        match self {
            Self::Busy => 486,
            Self::NoAnswer => 408,
            Self::Deflected => 480,
            Self::Unavailable => 503,
            Self::Unconditional => 302,
        }
    }
}

/// Whether the caller asks that nobody he calls learns who he is.
pub fn is_hidden(invite: &Headers) -> bool {
    let privacy = Privacy::of(invite);
    let anonymous = || {
        let uri = invite.from().uri().ok();
        uri.is_some_and(|uri| uri.host().is_same(&Host::Name(ANONYMOUS_HOST)))
    };
    privacy.identity || (!privacy.none && anonymous())
}

/// The From of a caller who is not to be known (RFC 3323 §4.1.1.3).
pub fn anonymous(tag: &str) -> String {
    format!("{ANONYMOUS};tag={tag}")
}

/// Adds the lines that `manner` asks for; `caller` is the URI of who calls and his name.
#[must_use]
pub fn tell(
    mut invite: Builder,
    manner: &Manner<'_>,
    (uri, name): (&str, Option<&str>),
    (domain, called): (&str, &str),
) -> Builder {
    if manner.trusted {
        let value = match name {
            Some(name) => format!("{} <{uri}>", Quoted(name)),
            None => format!("<{uri}>"),
        };
        invite = invite.header(Name::PAssertedIdentity, value);
    }
    if manner.hidden {
        invite = invite.header(Name::Privacy, "id");
    }
    invite = tell_history(invite, manner.diverted, domain, called);
    if manner.auto_answer {
        let value = format_args!("<sip:{domain}>;answer-after=0");
        invite = invite.header(Name::CallInfo, value);
    }
    let alert =
        if manner.auto_answer && manner.alert.is_empty() { AUTO_ANSWER } else { manner.alert };
    if !alert.is_empty() {
        let value = format_args!("<http://{domain}>;info={alert}");
        invite = invite.header(Name::AlertInfo, value);
    }
    invite
}

/// Diversion names the latest station first (RFC 5806 §4.1), History-Info the first one.
fn tell_history(mut invite: Builder, diverted: &[Diverted], domain: &str, called: &str) -> Builder {
    let told = &diverted[diverted.len().saturating_sub(DIVERTED_MAX)..];
    for station in told.iter().rev() {
        let (number, reason) = (UserPart(&station.number), station.why.reason());
        let value = format_args!("<sip:{number}@{domain}>;reason={reason};counter=1");
        invite = invite.header(Name::Diversion, value);
    }
    let mut index = "1".to_owned();
    let mut cause = String::new();
    for station in told {
        let number = UserPart(&station.number);
        let value = format_args!("<sip:{number}@{domain}{cause}>;index={index}");
        invite = invite.header(Name::HistoryInfo, value);
        cause = format!(";cause={}", station.why.cause());
        index.push_str(".1");
    }
    if !told.is_empty() {
        let called = UserPart(called);
        let value = format_args!("<sip:{called}@{domain}{cause}>;index={index}");
        invite = invite.header(Name::HistoryInfo, value);
    }
    invite
}

/// Who does not want to be known, as From shows him (RFC 3323 §4.1.1.3).
pub const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
/// The host of those who do not want to be known (RFC 3323 §4.1.1.3).
const ANONYMOUS_HOST: &str = "anonymous.invalid";
/// What most phones take as the order to answer by themselves.
const AUTO_ANSWER: &str = "alert-autoanswer";
/// Stations of a call that are told; of more, the latest.
const DIVERTED_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::message::{Message, Method, Request};

    #[test]
    fn a_trusted_side_is_told_who_hides() {
        let manner = Manner { hidden: true, trusted: true, ..Manner::default() };
        let invite = told(&manner);
        assert_eq!(invite.header(Name::PAssertedIdentity), Some("\"An \\\"A\\\"\" <sip:1001@h>"));
        assert_eq!(invite.header(Name::Privacy), Some("id"));

        let invite = told(&Manner { hidden: true, ..Manner::default() });
        assert_eq!(invite.header(Name::PAssertedIdentity), None);
        assert_eq!(invite.header(Name::Privacy), Some("id"));
        assert_eq!(told(&Manner::default()).header(Name::Privacy), None);
    }

    /// RFC 5806 §4.1, RFC 7044 §5.
    #[test]
    fn the_stations_of_a_call_are_told_in_both_ways() {
        let station = |number: &str, why| Diverted { number: number.to_owned(), why };
        let diverted =
            [station("1002", Diversion::Busy), station("10 03", Diversion::Unconditional)];
        let invite = told(&Manner { diverted: &diverted, ..Manner::default() });

        let lines = |name| invite.lines(name).collect::<Vec<_>>();
        assert_eq!(
            lines(Name::Diversion),
            [
                "<sip:10%2003@h>;reason=unconditional;counter=1",
                "<sip:1002@h>;reason=user-busy;counter=1"
            ]
        );
        assert_eq!(
            lines(Name::HistoryInfo),
            [
                "<sip:1002@h>;index=1",
                "<sip:10%2003@h;cause=486>;index=1.1",
                "<sip:2000@h;cause=302>;index=1.1.1"
            ]
        );
    }

    #[test]
    fn only_so_many_stations_are_told() {
        let station = Diverted { number: "1".to_owned(), why: Diversion::NoAnswer };
        let invite = told(&Manner { diverted: &vec![station; 20], ..Manner::default() });
        assert_eq!(invite.lines(Name::Diversion).count(), DIVERTED_MAX);
        assert_eq!(invite.lines(Name::HistoryInfo).count(), DIVERTED_MAX + 1);
    }

    #[test]
    fn a_phone_is_told_how_to_ring_and_to_answer() {
        let invite = told(&Manner { alert: "external", ..Manner::default() });
        assert_eq!(invite.header(Name::AlertInfo), Some("<http://h>;info=external"));
        assert_eq!(invite.header(Name::CallInfo), None);

        let invite = told(&Manner { auto_answer: true, ..Manner::default() });
        assert_eq!(invite.header(Name::AlertInfo), Some("<http://h>;info=alert-autoanswer"));
        assert_eq!(invite.header(Name::CallInfo), Some("<sip:h>;answer-after=0"));
    }

    #[test]
    fn who_hides_is_recognised() {
        for (lines, hidden) in [
            ("", false),
            ("Privacy: id\r\n", true),
            ("Privacy: header;critical\r\n", true),
            ("Privacy: USER , session\r\n", true),
            ("Privacy: session\r\n", false),
            ("Privacy: none\r\n", false),
            ("Privacy: id;none\r\n", false),
        ] {
            assert_eq!(is_hidden(&received("a@a", lines)), hidden, "{lines}");
        }
        assert!(is_hidden(&received("anonymous@Anonymous.invalid", "")));
        assert!(!is_hidden(&received("anonymous@anonymous.invalid", "Privacy: none\r\n")));
    }

    fn told(manner: &Manner<'_>) -> Request {
        let invite = Request::build(Method::Invite, "sip:b@b")
            .header(Name::From, "<sip:a@a>;tag=1")
            .header(Name::To, "<sip:b@b>")
            .header(Name::CallId, "c")
            .header(Name::CSeq, "1 INVITE");
        tell(invite, manner, ("sip:1001@h", Some("An \"A\"")), ("h", "2000")).request()
    }

    fn received(from: &str, lines: &str) -> Request {
        let text = format!(
            "INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
             From: <sip:{from}>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
             {lines}\r\n"
        );
        match Message::parse(Bytes::from(text)).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("not a request"),
        }
    }
}
