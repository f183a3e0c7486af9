//! Makes one line of each folded header, and UTF-8 of everything else (the rare path).

use bytes::Bytes;

use super::index::head_end;
use super::text::is_blank;

/// A copy of the message with its head unfolded and transcoded; `None` if the head has no end.
///
/// A fold becomes one space (RFC 3261 §7.3.1). Bytes that are no UTF-8 are taken for Latin-1.
pub(super) fn normalised(message: &[u8]) -> Option<Bytes> {
    let body_at = head_end(message)?;
    let head = unfolded(&message[..body_at]);
    let mut text = Vec::with_capacity(head.len() + 64 + message.len() - body_at);
    for chunk in head.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        for byte in chunk.invalid() {
            text.extend_from_slice(char::from(*byte).encode_utf8(&mut [0; 2]).as_bytes());
        }
    }
    text.extend_from_slice(&message[body_at..]);
    Some(Bytes::from(text))
}

fn unfolded(head: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(head.len());
    let mut rest = head;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\r' || after.first() != Some(&b'\n') || !after[1..].starts_with_blank() {
            text.push(*first);
            continue;
        }
        while text.last().is_some_and(|b| is_blank(*b)) {
            text.pop();
        }
        text.push(b' ');
        rest = &after[1..];
        while rest.starts_with_blank() {
            rest = &rest[1..];
        }
    }
    text
}

trait StartsWithBlank {
    fn starts_with_blank(&self) -> bool;
}

impl StartsWithBlank for [u8] {
    fn starts_with_blank(&self) -> bool {
        self.first().is_some_and(|b| is_blank(*b))
    }
}
