//! A SIP phone of a few lines that sends what no real phone would: wrong, old and stolen
//! credentials.

use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use md5::{Digest as _, Md5};

use super::place::Place;

/// A UDP socket that speaks SIP text.
#[derive(Debug)]
pub struct Wire {
    socket: UdpSocket,
    local: SocketAddr,
    node: SocketAddrV4,
    /// Counts requests: part of branches and CSeq.
    count: u32,
    user: String,
    _place: Option<Place>,
}

/// What the digest of a REGISTER is made from.
#[derive(Clone, Debug)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
}

impl Wire {
    /// A phone at an address of its own.
    pub fn new(user: &str, node: SocketAddrV4) -> Self {
        let place = Place::new();
        let wire = Self::at(user, node, &place);
        Self { _place: Some(place), ..wire }
    }

    /// A phone at a free port of this address.
    pub fn at(user: &str, node: SocketAddrV4, place: &Place) -> Self {
        let socket = UdpSocket::bind((place.ip, 0)).expect("the address is ours");
        let local = socket.local_addr().expect("it is bound");
        Self { socket, local, node, count: 0, user: user.to_owned(), _place: None }
    }

    /// Sends a REGISTER with the given Authorization value, and returns the final response; none if
    /// there was no answer within two seconds.
    pub fn register(&mut self, authorization: Option<&str>) -> Option<String> {
        let request = self.request(authorization);
        self.send(request.as_bytes());
        let cseq = format!("CSeq: {} REGISTER\r\n", self.count);
        loop {
            // A copy of an earlier answer may come late.
            let response = self.final_response()?;
            if response.contains(&cseq) {
                return Some(response);
            }
        }
    }

    /// The text of the next REGISTER.
    pub fn request(&mut self, authorization: Option<&str>) -> String {
        self.count += 1;
        let Self { local, node, count, user, .. } = self;
        let lines = authorization.map(|value| format!("Authorization: {value}\r\n"));
        format!(
            "REGISTER sip:{node} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{count}.{user};rport\r\n\
             From: <sip:{user}@{node}>;tag=t{count}\r\nTo: <sip:{user}@{node}>\r\n\
             Call-ID: {user}@{local}\r\nCSeq: {count} REGISTER\r\nMax-Forwards: 70\r\n\
             Contact: <sip:{user}@{local}>\r\nExpires: 60\r\n{}Content-Length: 0\r\n\r\n",
            lines.unwrap_or_default()
        )
    }

    pub fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.node).expect("loopback takes a datagram");
    }

    /// The next final response; none after two seconds of silence.
    pub fn final_response(&self) -> Option<String> {
        let wait = Some(Duration::from_secs(2));
        self.socket.set_read_timeout(wait).expect("two seconds are not zero");
        let mut datagram = [0; 65_536];
        loop {
            let (size, _) = self.socket.recv_from(&mut datagram).ok()?;
            let text = String::from_utf8_lossy(&datagram[..size]).into_owned();
            if text.starts_with("SIP/2.0 ") && !text.starts_with("SIP/2.0 1") {
                return Some(text);
            }
        }
    }

    /// The responses that have come and were not read yet.
    pub fn responses(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        let mut datagram = [0; 65_536];
        let mut found = Vec::new();
        while let Ok((size, _)) = self.socket.recv_from(&mut datagram) {
            found.push(String::from_utf8_lossy(&datagram[..size]).into_owned());
        }
        self.socket.set_nonblocking(false).expect("and blocking again");
        found
    }

    /// The Authorization of a REGISTER that answers a challenge (RFC 2617 form: MD5, qop=auth).
    pub fn credentials(&self, challenge: &Challenge, password: &str, nonce_count: u32) -> String {
        let Challenge { realm, nonce, opaque } = challenge;
        let (user, uri) = (&self.user, format!("sip:{}", self.node));
        let ha1 = md5_hex(&format!("{user}:{realm}:{password}"));
        let ha2 = md5_hex(&format!("REGISTER:{uri}"));
        let count = format!("{nonce_count:08x}");
        let response = md5_hex(&format!("{ha1}:{nonce}:{count}:c0ffee:auth:{ha2}"));
        let opaque = opaque.as_ref().map(|opaque| format!(", opaque=\"{opaque}\""));
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5, qop=auth, nc={count}, cnonce=\"c0ffee\"{}",
            opaque.unwrap_or_default()
        )
    }

    /// Asks for a challenge that can be answered with MD5.
    pub fn challenge(&mut self) -> Challenge {
        let response = self.register(None).expect("the node answers");
        Challenge::in_response(&response).unwrap_or_else(|| panic!("no MD5 challenge:\n{response}"))
    }
}

impl Challenge {
    /// The MD5 challenge of a 401.
    pub fn in_response(response: &str) -> Option<Self> {
        let line = response.lines().find(|line| {
            let line = line.to_ascii_lowercase();
            line.starts_with("www-authenticate:")
                && (!line.contains("algorithm=") || line.contains("algorithm=md5"))
        })?;
        let part = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\""))?;
            rest.split('"').next().map(str::to_owned)
        };
        Some(Self { realm: part("realm")?, nonce: part("nonce")?, opaque: part("opaque") })
    }
}

/// The status of a response; 0 for none.
pub fn status(response: Option<&str>) -> u16 {
    let code = response.and_then(|text| text.get(8..11)?.parse().ok());
    code.unwrap_or(0)
}

fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text))
}
