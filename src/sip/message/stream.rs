//! Cuts a byte stream into messages.
//!
//! Spec:     RFC 3261 §18.3; keep-alive of RFC 5626 §4.4.1.
//! In:       bytes, cut anywhere.
//! Out:      whole messages, pings and pongs, in order.
//! Not here: reading the message (`Message::parse`), answering a ping (the transport).

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem;

use super::index::head_end;
use super::text::is_blank;
use super::{MESSAGE_BYTES_MAX, Name, ParseError};

/// What a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, from its start line to the end of its body.
    Message(Bytes),
    /// Two empty lines: the peer wants one back.
    Ping,
    /// One empty line: the answer to a ping.
    Pong,
}

/// Holds what has come of a message that is not whole yet.
#[derive(Debug, Default)]
pub struct Framer {
    held: BytesMut,
    /// Up to where `held` was searched for the end of the head.
    searched: usize,
    /// The length of the message whose head is complete.
    length: Option<usize>,
}

impl Framer {
    /// Appends received bytes. Take all frames with `next` before the next push: then at most
    /// `MESSAGE_BYTES_MAX` and one push are held.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next frame, if it is whole.
    ///
    /// # Errors
    ///
    /// After one the place of the next message is unknown: answer, then close the connection.
    /// `TooLong`; `Missing(ContentLength)`; `Header(ContentLength)`, `Duplicate(ContentLength)`.
    #[expect(clippy::should_implement_trait, reason = "an iterator would end at the first None")]
    pub fn next(&mut self) -> Result<Option<Frame>, ParseError> {
        if self.length.is_none() {
            match self.held[..] {
                [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Ok(None),
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.held.advance(4);
                    return Ok(Some(Frame::Ping));
                }
                [b'\r', b'\n', ..] => {
                    self.held.advance(2);
                    return Ok(Some(Frame::Pong));
                }
                _ => {}
            }
            self.length = self.find_length()?;
        }
        match self.length {
            Some(length) if self.held.len() >= length => {
                self.length = None;
                self.searched = 0;
                Ok(Some(Frame::Message(self.held.split_to(length).freeze())))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Bytes that wait for the rest of their message.
    pub fn pending(&self) -> &[u8] {
        &self.held
    }

    fn find_length(&mut self) -> Result<Option<usize>, ParseError> {
        let from = self.searched.saturating_sub(3);
        let Some(found) = memmem::find(&self.held[from..], b"\r\n\r\n") else {
            self.searched = self.held.len();
            return match self.held.len() {
                size if size > MESSAGE_BYTES_MAX => Err(ParseError::TooLong { size }),
                _ => Ok(None),
            };
        };
        let body_at = from + found + 4;
        let size = body_at.saturating_add(content_length(&self.held[..body_at])?);
        if size > MESSAGE_BYTES_MAX {
            return Err(ParseError::TooLong { size });
        }
        Ok(Some(size))
    }
}

/// The number in the only `Content-Length` of a head.
fn content_length(head: &[u8]) -> Result<usize, ParseError> {
    debug_assert_eq!(head_end(head), Some(head.len()));
    let mut found = None;
    let mut rest = head;
    while let Some(end) = memmem::find(rest, b"\r\n") {
        let line = &rest[..end];
        let next = &rest[end + 2..];
        if let Some(colon) = memchr::memchr(b':', line)
            && Name::of(line[..colon].trim_ascii_end()) == Name::ContentLength
        {
            if found.is_some() {
                return Err(ParseError::Duplicate(Name::ContentLength));
            }
            let folded = next.first().is_some_and(|b| is_blank(*b));
            let value = &rest[colon + 1..];
            let value = if folded { &value[..folded_end(value)] } else { &line[colon + 1..] };
            found = Some(number(value).ok_or(ParseError::Header(Name::ContentLength))?);
        }
        rest = next;
    }
    found.ok_or(ParseError::Missing(Name::ContentLength))
}

/// How long a folded value is: up to a line end that no blank follows.
fn folded_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memmem::find(&text[at..], b"\r\n") {
        at += found + 2;
        if !text.get(at).is_some_and(|b| is_blank(*b)) {
            return at;
        }
    }
    text.len()
}

fn number(value: &[u8]) -> Option<usize> {
    let digits = value.trim_ascii();
    if digits.is_empty() || digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let stream = [PING, MESSAGE, MESSAGE, PONG, MESSAGE].concat();
        let message = Frame::Message(Bytes::from_static(MESSAGE));
        let whole = [Frame::Ping, message.clone(), message.clone(), Frame::Pong, message];

        for step in 1..=stream.len() {
            let mut framer = Framer::default();
            let mut frames = Vec::new();
            for piece in stream.chunks(step) {
                framer.push(piece);
                while let Some(frame) = framer.next().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, whole, "cut every {step} bytes");
            assert!(framer.pending().is_empty());
        }
    }

    proptest::proptest! {
        /// Messages, with a ping or a pong before some, cut at any places.
        #[test]
        fn any_cut_gives_the_same_frames(
            before in proptest::collection::vec(0..3u8, 1..12),
            cuts in proptest::collection::vec(1..90usize, 1..200),
        ) {
            let (mut stream, mut whole) = (Vec::new(), Vec::new());
            for kind in before {
                let extra = [None, Some((PING, Frame::Ping)), Some((PONG, Frame::Pong))];
                if let Some((bytes, frame)) = &extra[usize::from(kind)] {
                    stream.extend_from_slice(bytes);
                    whole.push(frame.clone());
                }
                stream.extend_from_slice(MESSAGE);
                whole.push(Frame::Message(Bytes::from_static(MESSAGE)));
            }
            let (mut framer, mut frames) = (Framer::default(), Vec::new());
            let mut cuts = cuts.into_iter().cycle();
            let mut rest = &stream[..];
            while let Some(size) = cuts.next().filter(|_| !rest.is_empty()) {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                framer.push(piece);
                while let Some(frame) = framer.next().unwrap() {
                    frames.push(frame);
                }
                rest = after;
            }
            proptest::prop_assert_eq!(frames, whole);
        }
    }

    #[test]
    fn a_folded_or_compact_length_is_read() {
        for length in ["Content-Length:\r\n  3", "l : 3", "CONTENT-LENGTH: 3\r\n "] {
            let text = format!("OPTIONS sip:a SIP/2.0\r\n{length}\r\nX: y\r\n\r\nabcREST");
            let mut framer = Framer::default();
            framer.push(text.as_bytes());

            let Ok(Some(Frame::Message(message))) = framer.next() else { panic!("{length}") };
            assert!(message.ends_with(b"\r\n\r\nabc"));
            assert_eq!(framer.pending(), b"REST");
        }
    }

    /// RFC 3261 §18.3: without a length, nobody knows where the next message begins.
    #[test]
    fn a_message_without_a_usable_length_ends_the_stream() {
        let of = |headers: &str| {
            let mut framer = Framer::default();
            framer.push(format!("OPTIONS sip:a SIP/2.0\r\n{headers}\r\n").as_bytes());
            framer.next()
        };

        let length = Name::ContentLength;
        assert_eq!(of("X: y\r\n"), Err(ParseError::Missing(length)));
        assert_eq!(of("l: 1\r\nl: 1\r\n"), Err(ParseError::Duplicate(length)));
        assert_eq!(of("l: -1\r\n"), Err(ParseError::Header(length)));
        assert_eq!(of("l: 99999999999\r\n"), Err(ParseError::Header(length)));
        assert!(matches!(of("l: 65535\r\n"), Err(ParseError::TooLong { .. })));
    }

    #[test]
    fn a_head_without_end_is_held_up_to_the_limit() {
        let mut framer = Framer::default();
        framer.push(&[b'a'; MESSAGE_BYTES_MAX]);
        assert_eq!(framer.next(), Ok(None));
        framer.push(b"a");

        assert_eq!(framer.next(), Err(ParseError::TooLong { size: MESSAGE_BYTES_MAX + 1 }));
    }

    const PING: &[u8] = b"\r\n\r\n";
    const PONG: &[u8] = b"\r\n";
    const MESSAGE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 6\r\n\r\n\r\n\r\nab";
}
