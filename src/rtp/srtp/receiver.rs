//! What one phone sends: checked, decrypted, each packet once.

use std::fmt;

use smallvec::SmallVec;
use thiserror::Error;

use super::cipher::{Cipher, Number, RTCP_HEAD_BYTES, Use};
use super::sender::{ENCRYPTED, INDEX_END, names, rtcp_ssrc};
use super::window::Window;
use super::{INDEX_BYTES, MasterKey};
use crate::rtp::packet;

/// Why a packet is not heard.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refused {
    #[error("no encrypted packet")]
    Malformed,
    #[error("the tag is not that of the key")]
    Forged,
    #[error("the packet came before, or is too old to tell")]
    Replayed,
}

/// Decrypts the streams of a phone, and its reports.
pub struct Receiver {
    rtp: Cipher,
    rtcp: Cipher,
    /// Bytes of the key's name in each packet (RFC 3711 §3.1).
    name: Vec<u8>,
    /// The newest last; of more than `STREAMS_MAX` the oldest is forgotten.
    streams: SmallVec<[Stream; 1]>,
    /// Of RTCP.
    reports: SmallVec<[Stream; 1]>,
}

/// The packets of one SSRC.
#[derive(Clone, Copy)]
struct Stream {
    ssrc: u32,
    seen: Window,
}

impl fmt::Debug for Receiver {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl Receiver {
    pub fn new(master: &MasterKey) -> Self {
        let [rtp, rtcp] = [Use::Rtp, Use::Rtcp].map(|packets| Cipher::new(master, packets));
        let (streams, reports) = (SmallVec::new(), SmallVec::new());
        Self { rtp, rtcp, name: master.name.clone(), streams, reports }
    }

    /// Decrypts a packet where it lies and gives its length without the tag.
    ///
    /// # Errors
    ///
    /// If the packet is not to be heard; its bytes are then of no use.
    pub fn open_rtp(&mut self, bytes: &mut [u8]) -> Result<usize, Refused> {
        let tag_at = bytes.len().checked_sub(self.rtp.tag_bytes()).ok_or(Refused::Malformed)?;
        let (packet, tag) = bytes.split_at_mut(tag_at);
        let length = self.without_name(packet)?;
        let packet = &mut packet[..length];
        let plain = packet::header_bytes(packet).ok_or(Refused::Malformed)?;
        let (sequence, ssrc) = names(packet).ok_or(Refused::Malformed)?;
        let known = find(&self.streams, ssrc);
        let index = match known {
            Some(seen) => seen.index_of(sequence).filter(|index| *index < INDEX_END),
            None => Some(sequence.into()),
        };
        let mut index = index.ok_or(Refused::Replayed)?;
        if known.is_some_and(|seen| !seen.is_new(index)) {
            return Err(Refused::Replayed);
        }
        // The first that is heard of a stream may come after its numbers have begun again.
        let spare = (known.is_none() && sequence < WRAPPED_MAX).then(|| packet.to_vec());
        let mut is_ours = self.opens(Number { ssrc, index }, packet, plain, tag);
        if let (false, Some(spare)) = (is_ours, spare) {
            packet.copy_from_slice(&spare);
            index += 1 << 16;
            is_ours = self.opens(Number { ssrc, index }, packet, plain, tag);
        }
        if !is_ours {
            return Err(Refused::Forged);
        }
        see(&mut self.streams, ssrc, index);
        Ok(length)
    }

    /// Decrypts a packet as the one of this number, if it is.
    fn opens(&self, number: Number, packet: &mut [u8], plain: usize, tag: &[u8]) -> bool {
        let rollover = ((number.index >> 16) as u32).to_be_bytes();
        self.rtp.open(number, packet, plain, rollover, tag)
    }

    /// Decrypts an RTCP packet where it lies and gives its length without what was added.
    ///
    /// # Errors
    ///
    /// If the packet is not to be heard; its bytes are then of no use.
    pub fn open_rtcp(&mut self, bytes: &mut [u8]) -> Result<usize, Refused> {
        let tag_bytes = self.rtcp.tag_bytes();
        let shortest = RTCP_HEAD_BYTES + INDEX_BYTES + tag_bytes + self.name.len();
        if bytes.len() < shortest {
            return Err(Refused::Malformed);
        }
        let length = bytes.len() - (INDEX_BYTES + tag_bytes + self.name.len());
        let (packet, added) = bytes.split_at_mut(length);
        // Behind the packet: index, name, tag; with GCM tag, index, name (RFC 7714 §9.2).
        let (word, name, tag) = match self.rtcp {
            Cipher::Counter { .. } => {
                let (word, rest) = added.split_at(INDEX_BYTES);
                let (name, tag) = rest.split_at(self.name.len());
                (word, name, tag)
            }
            Cipher::Gcm { .. } => {
                let (tag, rest) = added.split_at(tag_bytes);
                let (word, name) = rest.split_at(INDEX_BYTES);
                (word, name, tag)
            }
        };
        let word: [u8; INDEX_BYTES] = word.try_into().map_err(|_| Refused::Malformed)?;
        let number = u32::from_be_bytes(word);
        // Packets in the clear would have to be agreed on (RFC 4568 §6.3.2).
        if name != self.name || number & ENCRYPTED == 0 {
            return Err(Refused::Malformed);
        }
        let index = u64::from(number & !ENCRYPTED);
        let ssrc = rtcp_ssrc(packet).ok_or(Refused::Malformed)?;
        if find(&self.reports, ssrc).is_some_and(|seen| !seen.is_new(index)) {
            return Err(Refused::Replayed);
        }
        if !self.rtcp.open(Number { ssrc, index }, packet, RTCP_HEAD_BYTES, word, tag) {
            return Err(Refused::Forged);
        }
        see(&mut self.reports, ssrc, index);
        Ok(length)
    }

    /// The length of a packet before the name of the key.
    fn without_name(&self, packet: &[u8]) -> Result<usize, Refused> {
        let rest = packet.strip_suffix(self.name.as_slice()).ok_or(Refused::Malformed)?;
        Ok(rest.len())
    }
}

fn find(streams: &[Stream], ssrc: u32) -> Option<&Window> {
    streams.iter().find(|stream| stream.ssrc == ssrc).map(|stream| &stream.seen)
}

/// Remembers a packet of the right key.
fn see(streams: &mut SmallVec<[Stream; 1]>, ssrc: u32, index: u64) {
    if let Some(stream) = streams.iter_mut().find(|stream| stream.ssrc == ssrc) {
        return stream.seen.see(index);
    }
    if streams.len() == STREAMS_MAX {
        streams.remove(0);
    }
    streams.push(Stream { ssrc, seen: Window::new(index) });
}

/// Sequence numbers below this may have begun again before the first of them was heard, of a stream
/// that began near their end: a phone speaks before its key is known here (RFC 3711 §3.3.1).
const WRAPPED_MAX: u16 = 1 << 15;
/// Streams of one phone that are told apart; a phone that has more begins the oldest anew.
const STREAMS_MAX: usize = 8;
