//! STUN on the SIP port: a phone behind a NAT keeps its binding, and learns its address.
//!
//! Spec:     RFC 5626 §3.5.2 and §8, RFC 8489 §5, §6, §7.3.1, §14.2, §14.7.
//! In:       a datagram and where it came from.
//! Out:      the response to a Binding request.
//! Not here: credentials (a keep-alive has none), TURN, the STUN of media (ICE).

use std::net::{IpAddr, SocketAddr};

/// Whether a datagram is STUN and no SIP: no SIP message begins with these bits.
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] & 0xc0 == 0 && datagram[4..8] == COOKIE
}

/// The response to a well-formed Binding request; nothing is owed to anything else.
pub fn answer(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    if !is_stun(datagram) || datagram[..2] != BINDING_REQUEST {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    if length % 4 != 0 || HEADER + length != datagram.len() {
        return None;
    }
    let attributes = Attributes::read(datagram)?;
    let mut response = Vec::with_capacity(RESPONSE_BYTES);
    if attributes.unknown.is_empty() {
        response.extend_from_slice(&BINDING_SUCCESS);
        response.extend_from_slice(&[0, 0]); // the length, set at the end
        response.extend_from_slice(&datagram[4..HEADER]);
        push_mapped(&mut response, source);
    } else {
        response.extend_from_slice(&BINDING_ERROR);
        response.extend_from_slice(&[0, 0]);
        response.extend_from_slice(&datagram[4..HEADER]);
        push(&mut response, ERROR_CODE, b"\0\0\x04\x14Unknown Attribute");
        let types: Vec<u8> =
            attributes.unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        push(&mut response, UNKNOWN_ATTRIBUTES, &types);
    }
    if attributes.has_fingerprint {
        set_length(&mut response, FINGERPRINT_BYTES);
        let fingerprint = fingerprint(&response);
        push(&mut response, FINGERPRINT, &fingerprint.to_be_bytes());
    }
    set_length(&mut response, 0);
    Some(response)
}

/// What matters of a request's attributes.
struct Attributes {
    /// Those that must be understood and are not (RFC 8489 §14).
    unknown: Vec<u16>,
    has_fingerprint: bool,
}

impl Attributes {
    /// Nothing if they do not fit the message, or the fingerprint is wrong.
    fn read(message: &[u8]) -> Option<Self> {
        let mut found = Self { unknown: Vec::new(), has_fingerprint: false };
        let mut at = HEADER;
        while at < message.len() {
            let head = message.get(at..at + 4)?;
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = message.get(at + 4..at + 4 + length)?;
            match kind {
                FINGERPRINT => {
                    let is_last = at + FINGERPRINT_BYTES == message.len();
                    if !is_last || value != fingerprint(&message[..at]).to_be_bytes() {
                        return None;
                    }
                    found.has_fingerprint = true;
                }
                // Credentials: nothing is asked of a keep-alive (RFC 5626 §8).
                USERNAME | MESSAGE_INTEGRITY | MESSAGE_INTEGRITY_SHA256 => {}
                kind if kind < OPTIONAL_FROM && found.unknown.len() < UNKNOWN_MAX => {
                    found.unknown.push(kind);
                }
                _ => {}
            }
            at += 4 + length.next_multiple_of(4);
        }
        Some(found)
    }
}

/// XOR-MAPPED-ADDRESS (RFC 8489 §14.2): the header is already in `response`.
fn push_mapped(response: &mut Vec<u8>, source: SocketAddr) {
    let mask: Vec<u8> = response[4..HEADER].to_vec();
    let ip = match source.ip().to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let family = if ip.len() == 4 { 1 } else { 2 };
    let port = source.port().to_be_bytes();
    let mut value = vec![0, family, port[0] ^ mask[0], port[1] ^ mask[1]];
    value.extend(ip.iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
    push(response, XOR_MAPPED_ADDRESS, &value);
}

fn push(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // Every value that is written here is a few bytes long.
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Writes the length of the attributes that are there and of `more` bytes.
fn set_length(message: &mut [u8], more: usize) {
    let length = u16::try_from(message.len() - HEADER + more).unwrap_or(u16::MAX);
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// RFC 8489 §14.7: the CRC-32 of all before it, whose length counts it in.
fn fingerprint(before: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in before {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc ^ 0x5354_554e
}

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const BINDING_ERROR: [u8; 2] = [0x01, 0x11];
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_BYTES: usize = 8;
/// Attributes from here on may be ignored.
const OPTIONAL_FROM: u16 = 0x8000;
/// Unknown attributes that are told: a request with more is hardly meant well.
const UNKNOWN_MAX: usize = 16;
/// Room for the usual response.
const RESPONSE_BYTES: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 §2.2 and §2.3: the mapped addresses of the RFC, for its transaction.
    #[test]
    fn the_mapped_address_is_that_of_the_rfcs_vectors() {
        let request = request(&[]);

        let v4 = answer(&request, "192.0.2.1:32853".parse().unwrap()).unwrap();
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let v6 = answer(&request, v6).unwrap();

        assert_eq!(v4[..2], [0x01, 0x01]);
        assert_eq!(v4[8..20], ID);
        assert_eq!(v4[20..], hex("0020 0008 0001 a147 e112 a643"));
        let mapped = "0020 0014 0002 a147 0113 a9fa a5d3 f179 bc25 f4b5 bed2 b9d9";
        assert_eq!(v6[20..], hex(mapped));
        assert_eq!(v6[2..4], [0, 24]);
    }

    /// RFC 5769 §2.1: its fingerprint is right; PRIORITY belongs to ICE, which is not spoken here.
    #[test]
    fn the_rfcs_request_is_understood_and_its_ice_refused() {
        let request = hex(SAMPLE);

        let response = answer(&request, "192.0.2.1:32853".parse().unwrap()).unwrap();

        assert_eq!(response[..2], [0x01, 0x11], "a 420");
        assert_eq!(response[20..28], hex("0009 0015 0000 0414"));
        assert!(response.windows(6).any(|part| part == hex("000a 0002 0024")));
        let at = response.len() - FINGERPRINT_BYTES;
        assert_eq!(response[at..at + 4], hex("8028 0004"));
        assert_eq!(response[at + 4..], fingerprint(&response[..at]).to_be_bytes());
        assert_eq!(
            usize::from(u16::from_be_bytes([response[2], response[3]])),
            response.len() - 20
        );
    }

    /// RFC 5769 §2.2: the fingerprint of the RFC's own response.
    #[test]
    fn the_fingerprint_is_that_of_the_rfcs_vectors() {
        let response = hex(SAMPLE_RESPONSE);
        let at = response.len() - FINGERPRINT_BYTES;

        assert_eq!(fingerprint(&response[..at]).to_be_bytes(), response[at + 4..]);
    }

    #[test]
    fn what_is_no_request_is_not_answered() {
        let source = "192.0.2.1:1".parse().unwrap();
        let sound = hex(SAMPLE);
        for (at, byte) in [(0, 0x40), (1, 0x11), (3, 0x59), (4, 0), (26, b'x'), (107, 0)] {
            let mut broken = sound.clone();
            broken[at] = byte;
            assert_eq!(answer(&broken, source), None, "byte {at}");
        }
        for end in 0..sound.len() {
            assert_eq!(answer(&sound[..end], source), None, "cut at {end}");
        }
        assert_eq!(answer(&hex(SAMPLE_RESPONSE), source), None);
        assert!(!is_stun(b"OPTIONS sip:a SIP/2.0\r\n"));
    }

    /// An attribute that says that it is longer than the message.
    #[test]
    fn an_attribute_beyond_the_end_is_not_read() {
        let source = "192.0.2.1:1".parse().unwrap();
        assert_eq!(answer(&request(&[0x80, 0x22, 0xff, 0xff]), source), None);
        assert!(answer(&request(&[0x80, 0x22, 0, 0]), source).is_some());
    }

    fn request(attributes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(attributes.len()).unwrap();
        let head = [&[0, 1, 0, length][..], &COOKIE, &ID].concat();
        [&head[..], attributes].concat()
    }

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    const ID: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    const SAMPLE: &str = "0001 0058 2112 a442 b7e7 a701 bc34 d686 fa87 dfae \
        8022 0010 5354 554e 2074 6573 7420 636c 6965 6e74 0024 0004 6e00 01ff \
        8029 0008 932f f9b1 5126 3b36 0006 0009 6576 746a 3a68 3676 5920 2020 \
        0008 0014 9aea a70c bfd8 cb56 781e f2b5 b2d3 f249 c1b5 71a2 8028 0004 e57a 3bcf";

    const SAMPLE_RESPONSE: &str = "0101 003c 2112 a442 b7e7 a701 bc34 d686 fa87 dfae \
        8022 000b 7465 7374 2076 6563 746f 7220 0020 0008 0001 a147 e112 a643 \
        0008 0014 2b91 f599 fd9e 90c3 8c74 89f9 2af9 ba53 f06b e7d7 8028 0004 c07d 4c96";
}
