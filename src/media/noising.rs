//! What a transcoded phone hears while its peer says that nothing is said: noise, not a bare pause.
//!
//! Spec:     RFC 3389 §3, §4.
//! In:       the peer's packets of comfort noise; time.
//! Out:      the same for a phone that has it, else packets of noise in its codec.
//! Not here: phones that share the codec: theirs pass or are left out (`sending`).

use crate::audio::noise::Noise;
use crate::media::codec::{NARROW, Pcm, bytes_max};
use crate::media::engine::{Output, Slot};
use crate::media::session::{Heard, Leg};
use crate::rtp::packet::{self, HEADER_BYTES, RtpMut};
use crate::rtp::srtp::OVERHEAD_MAX;
use crate::sdp::COMFORT_NOISE;
use crate::time::{Duration, Instant};

/// Noise that a phone hears until its peer speaks again.
#[derive(Debug)]
pub struct Noising {
    noise: Noise,
    /// When the next packet of it is due.
    pub due: Instant,
}

impl Leg {
    /// Takes a packet of comfort noise of a peer that is transcoded; gives the length of what is to
    /// be sent in its place.
    pub(super) fn recode_noise(
        &mut self,
        now: Instant,
        heard: Heard,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let packet = RtpMut::new(buffer.get_mut(..heard.length)?)?;
        if self.audio.as_ref()?.noise && self.outgoing.clock_rate() == NARROW {
            let header = self.outgoing.key_at(self.outgoing.timestamp_at(now), false);
            let (sequence, timestamp) = (header.sequence, header.timestamp);
            let head = packet::header(false, COMFORT_NOISE, sequence, timestamp, header.ssrc);
            buffer[..HEADER_BYTES].copy_from_slice(&head);
            let length = self.seal(buffer, heard.length);
            self.pausing = true; // what is said next begins a talkspurt
            return length;
        }
        let noise = Noise::parse(packet.payload())?;
        let due = self.noising.as_ref().map_or(now + self.frame(), |noising| noising.due);
        self.noising = Some(Noising { noise, due });
        None
    }

    /// Sends the noise that is due.
    pub(super) fn noise_due(&mut self, now: Instant, slot: Slot, out: &mut Vec<Output>) {
        let frame = self.frame();
        let Some(mut noising) = self.noising.take_if(|noising| noising.due <= now) else { return };
        let (Some(to), Some(codec)) = (self.latch.target(), self.preferred_codec()) else { return };
        if !self.hears_peer() {
            return;
        }
        noising.due = noising.due + frame;
        if noising.due <= now {
            noising.due = now + frame; // after a stall
        }
        let ms = frame.as_millis() as usize;
        if self.keying.is_none() {
            let samples: Vec<i16> = noising.noise.by_ref().take(8 * ms).collect();
            let mut packet = vec![0; HEADER_BYTES + bytes_max(codec, ms) + OVERHEAD_MAX];
            let pcm = Pcm { samples: &samples, rate: NARROW };
            if let Some(length) = self.write(now, pcm, false, &mut packet) {
                packet.truncate(length);
                out.push(Output::Rtp { slot, to, packet });
            }
        }
        self.noising = Some(noising);
    }

    /// How long a packet for the phone is.
    fn frame(&self) -> Duration {
        Duration::from_millis(self.packet_ms() as u64)
    }
}
