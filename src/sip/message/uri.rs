//! SIP and tel URIs (RFC 3261 §19.1, RFC 3966): read, never re-printed.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::{memchr, memchr2};

use super::header::Params;
use super::{PARAMS_MAX, ParseError};

/// What kind of address a URI is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// One that Strowger does not know; the answer to it is 416.
    Other,
    Sip,
    Sips,
    Tel,
}

/// Where a SIP URI or a `Via` points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host<'a> {
    /// The scheme has none.
    Absent,
    Ip(IpAddr),
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// Reads `name`, `192.0.2.1` or `[2001:db8::1]`, each with an optional port.
    pub(super) fn with_port(text: &'a str) -> Option<(Self, Option<u16>)> {
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) = rest.split_once(']')?;
            let host = Self::Ip(IpAddr::V6(inside.parse::<Ipv6Addr>().ok()?));
            return match after.strip_prefix(':') {
                Some(port) => Some((host, Some(decimal_port(port)?))),
                None => after.is_empty().then_some((host, None)),
            };
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(decimal_port(port)?)),
            None => (text, None),
        };
        Some((Self::name_or_v4(host)?, port))
    }

    fn name_or_v4(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if bytes.is_empty() || !bytes.iter().all(is_name) {
            return None;
        }
        if bytes[bytes.len() - 1].is_ascii_digit()
            && let Ok(v4) = text.parse::<Ipv4Addr>()
        {
            return Some(Self::Ip(IpAddr::V4(v4)));
        }
        Some(Self::Name(text))
    }

    /// Whether both are the same place as text goes: names in any case of letters.
    pub fn is_same(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Self::Ip(a), Host::Ip(b)) => a == b,
            (Self::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::Absent, Host::Absent) => true,
            (Self::Absent | Self::Ip(_) | Self::Name(_), _) => false,
        }
    }
}

fn decimal_port(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The parts of a URI; they borrow its text.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    text: &'a str,
    scheme: Scheme,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: Host<'a>,
    port: Option<u16>,
    params: Params<'a>,
    headers: &'a str,
}

impl<'a> Uri<'a> {
    /// Reads a URI of any scheme.
    ///
    /// # Errors
    ///
    /// `ParseError::Uri`.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::read(text).ok_or(ParseError::Uri)
    }

    fn read(text: &'a str) -> Option<Self> {
        if !is_uri_text(text) {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        let scheme = scheme_of(scheme);
        match scheme {
            Scheme::Sip | Scheme::Sips => Self::sip(text, scheme, rest),
            Scheme::Tel => {
                let (number, params) = split_params(rest)?;
                let is_number = |b: u8| b.is_ascii_hexdigit() || b"+-.()*#".contains(&b);
                if number.is_empty() || !number.bytes().all(is_number) {
                    return None;
                }
                Some(Self { user: Some(number), params, ..Self::bare(text, scheme) })
            }
            Scheme::Other => Some(Self::bare(text, scheme)),
        }
    }

    fn sip(text: &'a str, scheme: Scheme, rest: &'a str) -> Option<Self> {
        let (userinfo, rest) = match memchr(b'@', rest.as_bytes()) {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        let (user, password) = match userinfo {
            Some(userinfo) => match userinfo.split_once(':') {
                Some((user, password)) => (Some(user), Some(password)),
                None => (Some(userinfo), None),
            },
            None => (None, None),
        };
        if user == Some("") {
            return None;
        }
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, is_headers(headers).then_some(headers)?),
            None => (rest, ""),
        };
        let (place, params) = split_params(rest)?;
        let (host, port) = Host::with_port(place)?;
        Some(Self { text, scheme, user, password, host, port, params, headers })
    }

    const fn bare(text: &'a str, scheme: Scheme) -> Self {
        Self {
            text,
            scheme,
            user: None,
            password: None,
            host: Host::Absent,
            port: None,
            params: Params::checked(""),
            headers: "",
        }
    }

    /// As it was written.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user part, or the number of a tel URI, as written (with its `%` escapes).
    pub const fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The user part with `%` escapes resolved; left as written where they make no UTF-8.
    pub fn user_unescaped(&self) -> Option<Cow<'a, str>> {
        self.user.map(unescaped)
    }

    /// The password as written; nobody should send one (RFC 3261 §19.1.1).
    pub const fn password(&self) -> Option<&'a str> {
        self.password
    }

    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port as written; `None` stands for the scheme's default.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// A URI parameter; empty for a flag such as `lr`.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    /// A URI parameter with `%` escapes resolved.
    pub fn param_unescaped(&self, name: &str) -> Option<Cow<'a, str>> {
        self.param(name).map(unescaped)
    }

    /// All URI parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// What follows `?`, as written: `Replaces=…&Subject=…`.
    pub const fn headers(&self) -> &'a str {
        self.headers
    }

    /// A header of the URI with its `%` escapes resolved.
    pub fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        self.headers
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| unescaped(value))
    }

    /// Whether both name the same resource (RFC 3261 §19.1.4).
    pub fn is_same(&self, other: &Uri<'_>) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        // Also one that has a parameter twice, which is none to compare by its parts.
        if self.text == other.text || self.scheme == Scheme::Other {
            return self.text == other.text;
        }
        self.user_unescaped() == other.user_unescaped()
            && self.password.map(unescaped) == other.password.map(unescaped)
            && self.host.is_same(&other.host)
            && self.port == other.port
            && params_agree(self.params, other.params)
            && params_agree(other.params, self.params)
            && headers_agree(self, other)
            && headers_agree(other, self)
    }
}

/// A parameter in both has one value; four of them never go without the other side's.
fn params_agree(a: Params<'_>, b: Params<'_>) -> bool {
    const NEVER_ALONE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    a.iter().all(|(name, value)| match b.get(name) {
        Some(other) => unescaped(value).eq_ignore_ascii_case(&unescaped(other)),
        None => !NEVER_ALONE.iter().any(|never| never.eq_ignore_ascii_case(name)),
    })
}

fn headers_agree(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let mut pairs = a.headers.split('&').filter_map(|pair| pair.split_once('='));
    pairs.all(|(name, value)| b.header(name).is_some_and(|other| other == unescaped(value)))
}

/// Whether `text` is `name=value&name=value…`.
fn is_headers(text: &str) -> bool {
    let is_pair = |pair: &str| pair.find('=').is_some_and(|at| at > 0);
    text.split('&').all(is_pair) && text.split('&').count() <= PARAMS_MAX
}

fn scheme_of(text: &str) -> Scheme {
    if text.eq_ignore_ascii_case("sip") {
        Scheme::Sip
    } else if text.eq_ignore_ascii_case("sips") {
        Scheme::Sips
    } else if text.eq_ignore_ascii_case("tel") {
        Scheme::Tel
    } else {
        Scheme::Other
    }
}

/// Splits `rest` before its first semicolon and counts what follows.
fn split_params(rest: &str) -> Option<(&str, Params<'_>)> {
    let end = memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
    let (place, params) = rest.split_at(end);
    if params.bytes().filter(|b| *b == b';').count() > PARAMS_MAX {
        return None;
    }
    Some((place, Params::checked(params)))
}

/// A scheme and bytes that can stand in a URI: what keeps a message's lines and brackets whole.
pub(super) fn is_uri_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(colon) = memchr2(b':', b'@', bytes).filter(|at| bytes[*at] == b':') else {
        return false;
    };
    let is_scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    bytes[0].is_ascii_alphabetic()
        && bytes[..colon].iter().all(is_scheme)
        && colon + 1 < bytes.len()
        && !bytes.iter().any(|b| matches!(b, 0..=b' ' | b'<' | b'>' | b'"' | 0x7f))
}

/// Resolves `%` escapes; gives `text` itself where there are none or they make no UTF-8.
fn unescaped(text: &str) -> Cow<'_, str> {
    if memchr(b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let escape = after.get(..2).filter(|_| *first == b'%');
        match escape.and_then(|hex| Some((hex_digit(hex[0])? << 4) | hex_digit(hex[1])?)) {
            Some(byte) => {
                plain.push(byte);
                rest = &after[2..];
            }
            None => plain.push(*first),
        }
    }
    String::from_utf8(plain).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
