//! RTP packets: checked and rewritten in place, read, and headed.
//!
//! Spec:     RFC 3550 §5.1; RFC 5761 §4 (telling RTCP apart).
//! In, out:  the bytes of one datagram, hostile ones too.
//! Not here: what the numbers mean over time (`reception`, `media`).

use std::ops::Range;

use rtp_rs::RtpReader;

/// Length of a header without contributing sources and extension.
pub const HEADER_BYTES: usize = 12;

/// One packet that may be rewritten where it lies.
#[derive(Debug)]
pub struct RtpMut<'a> {
    head: &'a mut [u8; HEADER_BYTES],
    /// Everything after the head's fixed part, and where the payload lies in it.
    rest: &'a mut [u8],
    payload: Range<usize>,
}

impl<'a> RtpMut<'a> {
    /// Checks that the bytes are one packet: version, and every length that the header claims.
    #[inline]
    pub fn new(bytes: &'a mut [u8]) -> Option<Self> {
        let payload = payload_of(bytes)?;
        let (head, rest) = bytes.split_first_chunk_mut()?;
        Some(Self { head, rest, payload })
    }

    /// The beginning of a talk spurt (RFC 3551 §4.1).
    #[inline]
    pub fn marker(&self) -> bool {
        self.head[1] & 0x80 != 0
    }

    /// 0 to 127.
    #[inline]
    pub fn payload_type(&self) -> u8 {
        self.head[1] & 0x7f
    }

    /// Grows by one with each packet, and wraps.
    #[inline]
    pub fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.head[2], self.head[3]])
    }

    /// The sampling moment of the first byte, in units of the clock rate; wraps.
    #[inline]
    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.head[4], self.head[5], self.head[6], self.head[7]])
    }

    /// The synchronisation source.
    #[inline]
    pub fn ssrc(&self) -> u32 {
        u32::from_be_bytes([self.head[8], self.head[9], self.head[10], self.head[11]])
    }

    /// Without padding.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.rest[self.payload.clone()]
    }

    /// Without padding; for transcoding byte by byte.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.rest[self.payload.clone()]
    }

    /// Marks, or does not mark, the beginning of a talk spurt.
    #[inline]
    pub fn set_marker(&mut self, marker: bool) {
        self.head[1] = self.head[1] & 0x7f | u8::from(marker) << 7;
    }

    /// Replaces the payload type, of which the upper bit does not count.
    #[inline]
    pub fn set_payload_type(&mut self, payload_type: u8) {
        self.head[1] = self.head[1] & 0x80 | payload_type & 0x7f;
    }

    /// Replaces the sequence number.
    #[inline]
    pub fn set_sequence(&mut self, sequence: u16) {
        self.head[2..4].copy_from_slice(&sequence.to_be_bytes());
    }

    /// Replaces the timestamp.
    #[inline]
    pub fn set_timestamp(&mut self, timestamp: u32) {
        self.head[4..8].copy_from_slice(&timestamp.to_be_bytes());
    }

    /// Replaces the synchronisation source.
    #[inline]
    pub fn set_ssrc(&mut self, ssrc: u32) {
        self.head[8..12].copy_from_slice(&ssrc.to_be_bytes());
    }
}

/// Reads a packet that is only looked at; `None` if the bytes are none.
pub fn read(bytes: &[u8]) -> Option<RtpReader<'_>> {
    payload_of(bytes)?;
    RtpReader::new(bytes).ok()
}

/// A header of ours: no padding, no extension, no contributing sources.
pub fn header(
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = 0x80;
    header[1] = u8::from(marker) << 7 | payload_type & 0x7f;
    header[2..4].copy_from_slice(&sequence.to_be_bytes());
    header[4..8].copy_from_slice(&timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&ssrc.to_be_bytes());
    header
}

/// Whether a datagram on a shared port is RTCP, if it is one of the two at all (RFC 5761 §4).
#[inline]
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [_, 192..=223, ..])
}

/// Length of the header with contributing sources and extension; `None` if it is none, or longer
/// than the packet. What follows need not be readable.
#[inline]
pub fn header_bytes(bytes: &[u8]) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let start = start_of(head, rest)?;
    (start <= rest.len()).then_some(HEADER_BYTES + start)
}

/// Where the payload lies, from the end of the fixed header on; `None` if the bytes are no packet.
#[inline]
fn payload_of(bytes: &[u8]) -> Option<Range<usize>> {
    let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let first = head[0];
    if first == 0x80 {
        return Some(0..rest.len());
    }
    let start = start_of(head, rest)?;
    let padding = match (first & 0x20, rest.last()) {
        (0, _) => 0,
        (_, None | Some(0)) => return None, // padding counts its own last byte
        (_, Some(length)) => usize::from(*length),
    };
    let end = rest.len().checked_sub(padding)?;
    (start <= end).then_some(start..end)
}

/// How many bytes of contributing sources and extension follow the fixed header.
#[inline]
fn start_of(head: &[u8; HEADER_BYTES], rest: &[u8]) -> Option<usize> {
    let first = head[0];
    if first >> 6 != 2 {
        return None;
    }
    let mut start = 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = rest.get(start + 2..start + 4)?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_is_read_back_and_rewritten() {
        let mut bytes = header(true, 8, 0xfffe, 0x0102_0304, 0xdead_beef).to_vec();
        bytes.extend([1, 2, 3]);
        let mut packet = RtpMut::new(&mut bytes).unwrap();
        assert!(packet.marker());
        assert_eq!((packet.payload_type(), packet.sequence()), (8, 0xfffe));
        assert_eq!((packet.timestamp(), packet.ssrc()), (0x0102_0304, 0xdead_beef));
        assert_eq!(packet.payload(), [1, 2, 3]);

        packet.set_marker(false);
        packet.set_payload_type(0xff);
        packet.set_sequence(7);
        packet.set_timestamp(9);
        packet.set_ssrc(11);
        packet.payload_mut()[0] = 5;

        let reader = read(&bytes).unwrap();
        assert!(!reader.mark());
        assert_eq!((reader.payload_type(), reader.payload()), (127, &[5, 2, 3][..]));
        assert_eq!(u16::from(reader.sequence_number()), 7);
        assert_eq!((reader.timestamp(), reader.ssrc()), (9, 11));
    }

    #[test]
    fn a_packet_with_every_part_has_its_payload_found() {
        // Padding, an extension of one word, two contributing sources.
        let mut bytes = vec![0xb2, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([0; 8]);
        bytes.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        bytes.extend([7, 7, 0, 2]);

        assert_eq!(RtpMut::new(&mut bytes).unwrap().payload(), [7, 7]);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let plain = header(false, 0, 0, 0, 0);
        let with = |first: u8, tail: &[u8]| {
            let mut bytes = plain.to_vec();
            bytes[0] = first;
            bytes.extend(tail);
            RtpMut::new(&mut bytes).is_some()
        };
        assert!(with(0x80, &[]));
        assert!(!with(0x40, &[]), "version 1");
        assert!(!with(0x81, &[0; 3]), "a contributing source beyond the end");
        assert!(!with(0x90, &[0; 3]), "an extension beyond the end");
        assert!(!with(0x90, &[0, 0, 0, 1]), "an extension's words beyond the end");
        assert!(with(0x90, &[0, 0, 0, 0]));
        assert!(!with(0xa0, &[0, 3]), "more padding than payload");
        assert!(!with(0xa0, &[0, 0]), "padding that does not count itself");
        assert!(with(0xa0, &[0, 2]));
        assert!(RtpMut::new(&mut [0x80; 11]).is_none());
        assert!(read(&[]).is_none());
    }

    #[test]
    fn rtcp_is_told_apart() {
        assert!(is_rtcp(&[0x80, 200]) && is_rtcp(&[0x80, 207]));
        assert!(!is_rtcp(&[0x80, 8]) && !is_rtcp(&[0x80, 0x80 | 8]) && !is_rtcp(&[0x80]));
    }

    proptest! {
        /// Both readers agree on what is a packet, and neither panics.
        #[test]
        fn hostile_bytes_never_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..64), v2: bool
        ) {
            if let Some(first) = bytes.first_mut().filter(|_| v2) {
                *first = *first & 0x3f | 0x80;
            }
            let copy = bytes.clone();
            let seen = read(&copy).map(|reader| reader.payload().to_vec());
            let own = RtpMut::new(&mut bytes).map(|packet| packet.payload().to_vec());
            prop_assert_eq!(seen.is_some(), own.is_some());
            prop_assert_eq!(seen, own);
        }
    }
}
