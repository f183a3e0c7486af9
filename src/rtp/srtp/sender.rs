//! What we send to one phone: encrypted, each packet once.

use std::fmt;

use super::cipher::{Cipher, Number, RTCP_HEAD_BYTES, Use};
use super::window::Window;
use super::{INDEX_BYTES, MasterKey};
use crate::rtp::packet::{self, HEADER_BYTES};

/// Encrypts the one stream that a phone hears, and its reports.
pub struct Sender {
    rtp: Cipher,
    rtcp: Cipher,
    /// Of the stream with this SSRC.
    sent: Option<(u32, Window)>,
    /// Of the next RTCP packet.
    index: u32,
}

impl fmt::Debug for Sender {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    pub fn new(master: &MasterKey) -> Self {
        let [rtp, rtcp] = [Use::Rtp, Use::Rtcp].map(|packets| Cipher::new(master, packets));
        Self { rtp, rtcp, sent: None, index: 0 }
    }

    /// Encrypts the packet in the first `length` bytes of `buffer` and gives its new length.
    ///
    /// `None`, and the packet must not be sent, if it is no packet, if there is less room behind it
    /// than `OVERHEAD_MAX`, or if its number was used: under one key a number may encrypt only one
    /// packet (RFC 3711 §9.1).
    pub fn seal_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let end = length.checked_add(self.rtp.tag_bytes())?;
        let packet = buffer.get_mut(..end)?;
        let (packet, trailer) = packet.split_at_mut(length);
        let plain = packet::header_bytes(packet)?;
        let (sequence, ssrc) = names(packet)?;
        let index = self.number(ssrc, sequence)?;
        let rollover = ((index >> 16) as u32).to_be_bytes();
        let tag = self.rtp.seal(Number { ssrc, index }, packet, plain, rollover);
        trailer.copy_from_slice(&tag[..trailer.len()]);
        Some(end)
    }

    /// Encrypts an RTCP packet; `false`, and it must not be sent, if it is none or the key is used
    /// up.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some(ssrc) = rtcp_ssrc(packet) else { return false };
        if self.index >= ENCRYPTED {
            return false;
        }
        let word = (ENCRYPTED | self.index).to_be_bytes();
        let number = Number { ssrc, index: self.index.into() };
        self.index += 1;
        let tag = self.rtcp.seal(number, packet, RTCP_HEAD_BYTES, word);
        let tag = &tag[..self.rtcp.tag_bytes()];
        match self.rtcp {
            Cipher::Counter { .. } => packet.extend(word.iter().chain(tag)),
            Cipher::Gcm { .. } => packet.extend(tag.iter().chain(&word)),
        }
        true
    }

    /// The index of a packet that was not sent before, which it marks as sent.
    fn number(&mut self, ssrc: u32, sequence: u16) -> Option<u64> {
        match &mut self.sent {
            Some((known, window)) if *known == ssrc => {
                let index = window.index_of(sequence)?;
                let is_free = index < INDEX_END && window.is_new(index);
                is_free.then(|| window.see(index))?;
                Some(index)
            }
            // A stream begins: its rollover counter is 0.
            _ => {
                let index = sequence.into();
                self.sent = Some((ssrc, Window::new(index)));
                Some(index)
            }
        }
    }
}

/// Sequence number and SSRC of a packet.
pub(super) fn names(packet: &[u8]) -> Option<(u16, u32)> {
    let head = packet.first_chunk::<HEADER_BYTES>()?;
    let ssrc = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    Some((u16::from_be_bytes([head[2], head[3]]), ssrc))
}

/// SSRC of the sender of an RTCP packet.
pub(super) fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let head = packet.first_chunk::<RTCP_HEAD_BYTES>()?;
    (head[0] >> 6 == 2).then(|| u32::from_be_bytes([head[4], head[5], head[6], head[7]]))
}

/// The bit of the index word that says that the packet is encrypted (RFC 3711 §3.4); also the
/// number of RTCP packets that one key may encrypt (§9.2).
pub(super) const ENCRYPTED: u32 = 1 << 31;
/// The packets that one key may encrypt (RFC 3711 §9.2).
pub(super) const INDEX_END: u64 = 1 << 48;
const _: () = assert!(INDEX_BYTES == size_of::<u32>());
