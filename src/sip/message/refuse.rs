//! The answer to a request that cannot be read.

use bytes::Bytes;

use super::text::{is_blank, is_token};
use super::{MESSAGE_BYTES_MAX, Name, ParseError};

/// The response owed to the sender of a malformed request (RFC 3261 §21.4.1, §16.3).
///
/// `None` is silence: for responses, ACKs, what is not SIP, and requests whose `Via`, `To`,
/// `Call-ID` or `CSeq` cannot be found; where only `From` is missing, that is told. The same
/// request gets the same tag (§8.2.7).
pub fn bad_request(datagram: &[u8], error: &ParseError) -> Option<Bytes> {
    let status = error.status()?;
    let datagram = &datagram[..datagram.len().min(MESSAGE_BYTES_MAX)];
    let mut lines = Lines { rest: datagram };
    let start = lines.find(|line| !line.is_empty())?;
    let method = start.split(|b| *b == b' ').next()?;
    if !is_token(method) || method == b"ACK" || !names_version(&start) {
        return None;
    }
    let mut copied = Copied::default();
    for line in lines.take_while(|line| !line.is_empty()).take(LINES_MAX) {
        copied.take(&line);
    }
    let reason = error.reason();
    let mut text = format!("SIP/2.0 {status} {reason}\r\n").into_bytes();
    text.extend_from_slice(copied.via.as_deref()?);
    let rest = [Some(copied.to?), Some(copied.call_id?), Some(copied.cseq?)];
    for line in std::iter::once(copied.from).chain(rest).flatten() {
        text.extend_from_slice(&line);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    Some(Bytes::from(text))
}

/// Lines that are looked at.
const LINES_MAX: usize = 400;

/// Whether a first line ends like a request line, of whatever version.
fn names_version(start: &[u8]) -> bool {
    let Some(space) = start.trim_ascii_end().iter().rposition(|b| *b == b' ') else { return false };
    start[space + 1..].get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/"))
}

/// The lines that a response repeats.
#[derive(Default)]
struct Copied {
    via: Option<Vec<u8>>,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    call_id: Option<Vec<u8>>,
    cseq: Option<Vec<u8>>,
}

impl Copied {
    fn take(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|b| *b == b':') else { return };
        let (name, value) = (line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii());
        if value.is_empty() || value.contains(&b'\r') {
            return;
        }
        let name = Name::of(name);
        let place = match name {
            Name::Via => &mut self.via,
            Name::From => &mut self.from,
            Name::To => &mut self.to,
            Name::CallId => &mut self.call_id,
            Name::CSeq => &mut self.cseq,
            _ => return,
        };
        let mut text = [name.text().as_bytes(), b": ", value].concat();
        match place {
            Some(vias) if name == Name::Via => {
                text.extend_from_slice(b"\r\n");
                vias.extend_from_slice(&text);
            }
            Some(_) => {}
            None => {
                match name {
                    Name::Via => text.extend_from_slice(b"\r\n"),
                    Name::To if !has_tag(value) => text.extend_from_slice(tag(value).as_bytes()),
                    _ => {}
                }
                *place = Some(text);
            }
        }
    }
}

fn has_tag(to: &[u8]) -> bool {
    to.windows(5).any(|piece| piece.eq_ignore_ascii_case(b";tag="))
}

/// A tag that depends on the request alone: no state is kept for it.
fn tag(seed: &[u8]) -> String {
    let hash = seed.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!(";tag=bad{hash:016x}")
}

/// Lines without their ends, unfolded; lenient about CR.
struct Lines<'a> {
    rest: &'a [u8],
}

impl Iterator for Lines<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut line = self.physical()?.to_vec();
        while !line.is_empty() && self.rest.first().is_some_and(|b| is_blank(*b)) {
            line.push(b' ');
            line.extend_from_slice(self.physical()?.trim_ascii());
        }
        Some(line)
    }
}

impl<'a> Lines<'a> {
    fn physical(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_from_is_told_so() {
        let lines = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\n\
                     To: <sip:a@b>\r\nCall-ID: d\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let error = crate::sip::message::Message::parse(Bytes::from(lines)).unwrap_err();
        let answer = bad_request(lines.as_bytes(), &error).unwrap();
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
        assert!(answer.contains("Via: SIP/2.0/UDP c;branch=z9hG4bK1\r\n"), "{answer}");
        assert!(!answer.contains("From:"), "{answer}");
    }
}
