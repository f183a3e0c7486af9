//! Keys that we press on a leg's phone, among its audio.

use super::Leg;
use crate::media::codec::{NARROW, Pcm};
use crate::media::engine::{Output, Slot};
use crate::media::keying::{FRAME, Frame, Keying};
use crate::rtp::dtmf;
use crate::rtp::packet::{self, HEADER_BYTES};
use crate::rtp::srtp::OVERHEAD_MAX;
use crate::time::Instant;

impl Leg {
    /// Whether the phone gets keys by another way than as tones in the audio.
    pub fn hears_no_tones(&self) -> bool {
        self.audio.as_ref().is_some_and(|audio| !audio.tones)
    }

    /// Presses a key on the phone, unless keys go there as SIP INFO.
    pub fn press(&mut self, now: Instant, key: char) {
        // What of its peer's is left out for the key was not lost.
        self.outgoing.interrupt();
        self.drop_rest();
        let Some(audio) = &self.audio else { return };
        if audio.digits.is_empty() && !audio.tones {
            return;
        }
        let has_events = !audio.digits.is_empty();
        let (keying, _) = self.keying.get_or_insert_with(|| (Keying::new(now, has_events), None));
        keying.press(key);
    }

    /// Sends what is due of the keys that we press on the phone.
    pub(super) fn press_due(&mut self, now: Instant, slot: Slot, out: &mut Vec<Output>) {
        while let Some((keying, began)) = &mut self.keying
            && keying.next_tick() <= now
        {
            let (frame, began) = (keying.next(), *began);
            let (Some(to), true) = (self.latch.target(), self.may_send()) else {
                return self.keying = None; // nobody is there who could hear them
            };
            let mut packet = vec![0; HEADER_BYTES + FRAME + OVERHEAD_MAX];
            let length = match frame {
                Frame::Over => return self.keying = None,
                Frame::Pause => continue,
                Frame::Event(sent) => self.write_event(now, sent, began, &mut packet),
                Frame::Tones { begins, samples } => {
                    let pcm = Pcm { samples: &samples, rate: NARROW };
                    self.write(now, pcm, begins, &mut packet)
                }
            };
            let Some(length) = length else { continue };
            packet.truncate(length);
            out.push(Output::Rtp { slot, to, packet });
        }
    }

    /// Writes a packet of a key, which began with this timestamp, or begins.
    fn write_event(
        &mut self,
        now: Instant,
        sent: dtmf::Sent,
        began: Option<u32>,
        packet: &mut [u8],
    ) -> Option<usize> {
        let digits = self.audio.as_ref()?.digits_at(self.outgoing.clock_rate())?;
        let header = self.outgoing.key(now, began.filter(|_| !sent.marker));
        let (sequence, timestamp) = (header.sequence, header.timestamp);
        if let Some((_, began)) = &mut self.keying {
            *began = Some(timestamp);
        }
        // 100 ms and some: a duration can tell as much at any clock rate.
        let duration = sent.event.duration * (digits.clock_rate / NARROW) as u16;
        let event = dtmf::Event { duration, ..sent.event };
        let head = packet::header(header.marker, digits.send, sequence, timestamp, header.ssrc);
        self.write_key(&head, event, packet)
    }
}
