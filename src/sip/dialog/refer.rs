//! REFER: a peer asks to send somebody elsewhere, and is told what became of it.
//!
//! Spec:     RFC 3515 §2, RFC 4488 (no subscription), RFC 3892 (who asked), RFC 3420 (sipfrag).
//! Not here: where the number leads to, and whether it may be called (`call::transfer`).

use std::fmt;

use super::replaces::Replaces;
use crate::sip::message::{Method, Name, Request, Scheme, reason_phrase};

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refer {
    /// The user part of the Refer-To URI, without escapes. Empty if there is none, which only the
    /// place of a dialog can be asked for.
    pub number: String,
    /// The Refer-To URI, if it is a GRUU (RFC 5627).
    pub gruu: Option<String>,
    /// The dialog whose place is to be taken: an attended transfer.
    pub replaces: Option<Replaces>,
    /// Referred-By as written, for the one who is called next.
    pub referred_by: Option<String>,
    /// Whether the peer wants to be told of the progress (RFC 4488 §4).
    pub subscribes: bool,
}

/// Why a REFER cannot be followed, whoever sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferError {
    /// Refer-To is missing, doubled or malformed.
    Malformed,
    /// Something else than a call is asked for.
    Method,
    /// A URI of a kind that we do not call.
    Scheme,
}

impl ReferError {
    /// The answer owed to the peer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Method => 403,
            Self::Scheme => 416,
        }
    }
}

impl Refer {
    /// Reads what a REFER asks for.
    ///
    /// # Errors
    ///
    /// If it cannot be followed.
    pub fn read(request: &Request) -> Result<Self, ReferError> {
        let mut targets = request.addresses(Name::ReferTo);
        let (Some(Ok(target)), None) = (targets.next(), targets.next()) else {
            return Err(ReferError::Malformed);
        };
        let uri = target.uri().map_err(|_| ReferError::Malformed)?;
        if uri.scheme() == Scheme::Other {
            return Err(ReferError::Scheme);
        }
        let method = uri.param("method").unwrap_or(Method::Invite.text());
        if !method.eq_ignore_ascii_case(Method::Invite.text()) {
            return Err(ReferError::Method);
        }
        let replaces = match uri.header("Replaces") {
            Some(text) => Some(Replaces::parse(&text).ok_or(ReferError::Malformed)?),
            None => None,
        };
        let number = match uri.user_unescaped() {
            Some(user) => user.into_owned(),
            None if replaces.is_some() => String::new(),
            None => return Err(ReferError::Malformed),
        };
        let gruu = uri.param("gr").map(|_| uri.text().to_owned());
        let wants = request.header(Name::ReferSub).map(|value| {
            let value = value.split(';').next().unwrap_or_default();
            !value.trim().eq_ignore_ascii_case("false")
        });
        let referred_by = request.header(Name::ReferredBy).map(str::to_owned);
        Ok(Self { number, gruu, replaces, referred_by, subscribes: wants.unwrap_or(true) })
    }
}

/// How far a transfer is: the body of a NOTIFY, a status line (RFC 3515 §2.4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub status: u16,
    /// Another phrase than the status has by itself.
    pub phrase: Option<String>,
}

impl From<u16> for Progress {
    fn from(status: u16) -> Self {
        Self { status, phrase: None }
    }
}

impl Progress {
    /// Whether the peer is told nothing more after it.
    pub const fn is_last(&self) -> bool {
        self.status >= 200
    }

    /// The Subscription-State that goes with it.
    pub const fn state(&self) -> &'static str {
        if self.is_last() { "terminated;reason=noresource" } else { "active;expires=180" }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phrase = self.phrase.as_deref().unwrap_or_else(|| reason_phrase(self.status));
        write!(f, "SIP/2.0 {} {phrase}\r\n", self.status)
    }
}

/// The type of such a body.
pub const SIPFRAG: &str = "message/sipfrag;version=2.0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blind_transfer_names_a_number() {
        let refer = read("<sip:10%302@pbx;user=phone>", "").unwrap();

        assert_eq!((&*refer.number, refer.subscribes), ("1002", true));
        assert_eq!(refer.replaces, None);
    }

    /// RFC 5589 §7.1: the dialog's name is escaped within the URI.
    #[test]
    fn an_attended_transfer_names_a_dialog() {
        let target = "<sip:1003@192.0.2.9?Replaces=090459%40pbx%3Bto-tag%3D77%3Bfrom-tag%3D10&x=y>";
        let replaces = read(target, "").unwrap().replaces.unwrap();

        assert_eq!(replaces.call_id, "090459@pbx");
        assert_eq!((&*replaces.to_tag, &*replaces.from_tag), ("77", "10"));
        assert!(!replaces.early_only);
    }

    #[test]
    fn the_peer_may_want_no_news() {
        assert!(!read("<sip:1002@pbx>", "Refer-Sub: false\r\n").unwrap().subscribes);
        assert!(read("<sip:1002@pbx>", "Refer-Sub: true\r\n").unwrap().subscribes);
    }

    #[test]
    fn what_cannot_be_followed_is_told_apart() {
        for (target, error) in [
            ("<sip:pbx>", ReferError::Malformed),
            ("sip:1002@pbx?Replaces=a", ReferError::Malformed),
            ("<sip:1002@pbx?Replaces=a>", ReferError::Malformed),
            ("<sip:1@pbx>, <sip:2@pbx>", ReferError::Malformed),
            ("<sip:1002@pbx;method=BYE>", ReferError::Method),
            ("<http://pbx/1002>", ReferError::Scheme),
        ] {
            assert_eq!(read(target, "").unwrap_err(), error, "{target}");
        }
    }

    #[test]
    fn progress_is_a_status_line() {
        assert_eq!(Progress::from(180).to_string(), "SIP/2.0 180 Ringing\r\n");
        let parked = Progress { status: 200, phrase: Some("Parked in 701".to_owned()) };
        assert_eq!(parked.to_string(), "SIP/2.0 200 Parked in 701\r\n");
        assert!(parked.is_last() && !Progress::from(100).is_last());
    }

    fn read(target: &str, more: &str) -> Result<Refer, ReferError> {
        let text = format!(
            "REFER sip:us@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
             From: <sip:1001@pbx>;tag=1\r\nTo: <sip:1000@pbx>;tag=2\r\nCall-ID: c\r\n\
             CSeq: 2 REFER\r\nContact: <sip:1001@192.0.2.9>\r\nRefer-To: {target}\r\n{more}\
             Content-Length: 0\r\n\r\n"
        );
        let message = crate::sip::message::Message::parse(text.into_bytes().into()).unwrap();
        let crate::sip::message::Message::Request(request) = message else { panic!("a request") };
        Refer::read(&request)
    }
}
