//! Header names (RFC 3261 §20 and its extensions), with their compact forms.

use std::fmt;

macro_rules! names {
    ($($variant:ident $text:literal)*) => {
        /// The name of a header that Strowger knows; `Other` for the rest.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $($variant,)*
            /// Any other: ask for it with `Headers::header_named`.
            Other,
        }

        impl Name {
            /// As it is written in full; empty for `Other`.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other => "",
                }
            }
        }

        /// Every known name, grouped by first letter.
        const ALL: &[Name] = &[$(Name::$variant,)*];
    };
}

names! {
    Accept "Accept"
    AcceptContact "Accept-Contact"
    AcceptEncoding "Accept-Encoding"
    AcceptLanguage "Accept-Language"
    AlertInfo "Alert-Info"
    Allow "Allow"
    AllowEvents "Allow-Events"
    AnswerMode "Answer-Mode"
    AuthenticationInfo "Authentication-Info"
    Authorization "Authorization"
    CSeq "CSeq"
    CallId "Call-ID"
    CallInfo "Call-Info"
    Contact "Contact"
    ContentDisposition "Content-Disposition"
    ContentEncoding "Content-Encoding"
    ContentLanguage "Content-Language"
    ContentLength "Content-Length"
    ContentType "Content-Type"
    Date "Date"
    Diversion "Diversion"
    ErrorInfo "Error-Info"
    Event "Event"
    Expires "Expires"
    From "From"
    HistoryInfo "History-Info"
    Identity "Identity"
    InReplyTo "In-Reply-To"
    InfoPackage "Info-Package"
    Join "Join"
    MaxForwards "Max-Forwards"
    MimeVersion "MIME-Version"
    MinExpires "Min-Expires"
    MinSe "Min-SE"
    Organization "Organization"
    PAssertedIdentity "P-Asserted-Identity"
    PPreferredIdentity "P-Preferred-Identity"
    Path "Path"
    Priority "Priority"
    Privacy "Privacy"
    ProxyAuthenticate "Proxy-Authenticate"
    ProxyAuthorization "Proxy-Authorization"
    ProxyRequire "Proxy-Require"
    RAck "RAck"
    RSeq "RSeq"
    Reason "Reason"
    RecvInfo "Recv-Info"
    RecordRoute "Record-Route"
    ReferSub "Refer-Sub"
    ReferTo "Refer-To"
    ReferredBy "Referred-By"
    RejectContact "Reject-Contact"
    RemotePartyId "Remote-Party-ID"
    Replaces "Replaces"
    ReplyTo "Reply-To"
    RequestDisposition "Request-Disposition"
    Require "Require"
    RetryAfter "Retry-After"
    Route "Route"
    Server "Server"
    ServiceRoute "Service-Route"
    SessionExpires "Session-Expires"
    SipEtag "SIP-ETag"
    SipIfMatch "SIP-If-Match"
    Subject "Subject"
    SubscriptionState "Subscription-State"
    Supported "Supported"
    Timestamp "Timestamp"
    To "To"
    Unsupported "Unsupported"
    UserAgent "User-Agent"
    UserToUser "User-to-User"
    Via "Via"
    Warning "Warning"
    WwwAuthenticate "WWW-Authenticate"
}

/// Where the names with each first letter begin and end in `ALL`.
const BY_LETTER: [(u8, u8); 26] = {
    let mut found = [(0, 0); 26];
    let mut i = 0;
    while i < ALL.len() {
        let letter = (ALL[i].text().as_bytes()[0] | 0x20) - b'a';
        if found[letter as usize].1 == 0 {
            found[letter as usize].0 = i as u8;
        }
        found[letter as usize].1 = i as u8 + 1;
        i += 1;
    }
    found
};

impl Name {
    /// The header that `text` names: in any case of letters, in full or compact.
    pub fn of(text: &[u8]) -> Self {
        let Some(first) = text.first() else { return Self::Other };
        let letter = first | 0x20;
        if !letter.is_ascii_lowercase() {
            return Self::Other;
        }
        if text.len() == 1 {
            return Self::compact(letter);
        }
        let (from, to) = BY_LETTER[usize::from(letter - b'a')];
        ALL[usize::from(from)..usize::from(to)]
            .iter()
            .copied()
            .find(|name| name.text().as_bytes().eq_ignore_ascii_case(text))
            .unwrap_or(Self::Other)
    }

    const fn compact(letter: u8) -> Self {
        match letter {
            b'a' => Self::AcceptContact,
            b'b' => Self::ReferredBy,
            b'c' => Self::ContentType,
            b'd' => Self::RequestDisposition,
            b'e' => Self::ContentEncoding,
            b'f' => Self::From,
            b'i' => Self::CallId,
            b'j' => Self::RejectContact,
            b'k' => Self::Supported,
            b'l' => Self::ContentLength,
            b'm' => Self::Contact,
            b'o' => Self::Event,
            b'r' => Self::ReferTo,
            b's' => Self::Subject,
            b't' => Self::To,
            b'u' => Self::AllowEvents,
            b'v' => Self::Via,
            b'x' => Self::SessionExpires,
            b'y' => Self::Identity,
            _ => Self::Other,
        }
    }

    /// Whether commas separate values of this header (RFC 3261 §7.3.1).
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::Accept
                | Self::AcceptContact
                | Self::AcceptEncoding
                | Self::AcceptLanguage
                | Self::AlertInfo
                | Self::Allow
                | Self::AllowEvents
                | Self::CallInfo
                | Self::Contact
                | Self::ContentEncoding
                | Self::ContentLanguage
                | Self::Diversion
                | Self::ErrorInfo
                | Self::HistoryInfo
                | Self::InReplyTo
                | Self::PAssertedIdentity
                | Self::PPreferredIdentity
                | Self::Path
                | Self::ProxyRequire
                | Self::Reason
                | Self::RecordRoute
                | Self::RejectContact
                | Self::RemotePartyId
                | Self::RequestDisposition
                | Self::Require
                | Self::Route
                | Self::ServiceRoute
                | Self::Supported
                | Self::Unsupported
                | Self::Via
                | Self::Warning
        )
    }

    /// Whether a message may have it only once, and it would mean something else to each reader.
    pub(super) const fn is_single(self) -> bool {
        matches!(
            self,
            Self::CSeq
                | Self::CallId
                | Self::ContentLength
                | Self::ContentType
                | Self::From
                | Self::MaxForwards
                | Self::To
        )
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_by_its_own_text() {
        for name in ALL {
            assert_eq!(Name::of(name.text().as_bytes()), *name);
            assert_eq!(Name::of(name.text().to_ascii_uppercase().as_bytes()), *name);
        }
    }

    #[test]
    fn what_is_not_a_name_is_other() {
        for text in ["", "1", "z", "é", "Vi", "Viaa", "X-Foo"] {
            assert_eq!(Name::of(text.as_bytes()), Name::Other, "{text}");
        }
    }
}
