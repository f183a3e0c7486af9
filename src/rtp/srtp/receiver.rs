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
    /// Its stream would be one more than the replay of all can be told by.
    #[error("the phone has had too many streams with one key")]
    Streams,
}

/// Decrypts the streams of a phone, and its reports.
pub struct Receiver {
    rtp: Cipher,
    rtcp: Cipher,
    /// Bytes of the key's name in each packet (RFC 3711 §3.1).
    name: Vec<u8>,
    streams: Streams,
    /// Of RTCP.
    reports: Streams,
}

/// What was seen of each stream of a phone.
#[derive(Clone, Default)]
struct Streams {
    /// The newest last; of more than `STREAMS_MAX` the oldest rests.
    awake: SmallVec<[Stream; 1]>,
    /// Of streams before those: the newest index alone. At most `RESTING_MAX`.
    resting: Vec<(u32, u64)>,
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
        let (streams, reports) = (Streams::default(), Streams::default());
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
        let known = self.streams.find(ssrc)?;
        let index = match &known {
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
        self.streams.see(ssrc, index);
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
        if self.reports.find(ssrc)?.is_some_and(|seen| !seen.is_new(index)) {
            return Err(Refused::Replayed);
        }
        if !self.rtcp.open(Number { ssrc, index }, packet, RTCP_HEAD_BYTES, word, tag) {
            return Err(Refused::Forged);
        }
        self.reports.see(ssrc, index);
        Ok(length)
    }

    /// The length of a packet before the name of the key.
    fn without_name(&self, packet: &[u8]) -> Result<usize, Refused> {
        let rest = packet.strip_suffix(self.name.as_slice()).ok_or(Refused::Malformed)?;
        Ok(rest.len())
    }
}

impl Streams {
    /// What was seen of a stream; `None` if nothing was.
    fn find(&self, ssrc: u32) -> Result<Option<Window>, Refused> {
        if let Some(stream) = self.awake.iter().find(|stream| stream.ssrc == ssrc) {
            return Ok(Some(stream.seen));
        }
        let resting = self.resting.iter().find(|(rests, _)| *rests == ssrc);
        if resting.is_none() && self.resting.len() == RESTING_MAX {
            return Err(Refused::Streams);
        }
        Ok(resting.map(|(_, newest)| Window::after(*newest)))
    }

    /// Remembers a packet of the right key.
    fn see(&mut self, ssrc: u32, index: u64) {
        if let Some(stream) = self.awake.iter_mut().find(|stream| stream.ssrc == ssrc) {
            return stream.seen.see(index);
        }
        let rested = self.resting.iter().position(|(rests, _)| *rests == ssrc);
        let seen = rested.map(|at| Window::after(self.resting.swap_remove(at).1));
        if self.awake.len() == STREAMS_MAX {
            let oldest = self.awake.remove(0);
            self.resting.push((oldest.ssrc, oldest.seen.newest()));
        }
        let mut seen = seen.unwrap_or_else(|| Window::new(index));
        if seen.is_new(index) {
            seen.see(index);
        }
        self.awake.push(Stream { ssrc, seen });
    }
}

/// Sequence numbers below this may have begun again before the first of them was heard, of a stream
/// that began near their end: a phone speaks before its key is known here (RFC 3711 §3.3.1).
const WRAPPED_MAX: u16 = 1 << 15;
/// Streams of one phone whose packets may come out of order; of an older one, those that come after
/// its newest are heard.
const STREAMS_MAX: usize = 8;
/// Older streams that are remembered. A phone that has had more with one key, such as by a new SSRC
/// each half a minute for nine hours, must agree on another key before a further one is heard: to
/// forget one would let its packets be played again.
const RESTING_MAX: usize = 1024;
