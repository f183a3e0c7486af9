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
    /// Whether keys may come in the phone's audio, as events or as tones.
    pub fn may_press(&self) -> bool {
        self.audio.as_ref().is_some_and(|audio| audio.tones || !audio.digits.is_empty())
    }

    /// A key of the peer's came by SIP INFO, which its audio may bring too.
    pub fn told_key(&mut self, now: Instant, key: char, may_follow: bool) {
        if self.twice.told(now, key, may_follow) {
            self.press(now, key);
        }
    }

    /// Keys that begin as tones in the peer's audio, which is one while `is_pressing`; whether its
    /// tones are to be heard.
    pub fn hear_tones(&mut self, now: Instant, is_pressing: bool, keys: Vec<char>) -> bool {
        let hears_tones = self.audio.as_ref().is_none_or(|audio| audio.tones);
        for key in keys {
            let passes = self.twice.hears(now, key);
            self.swallows = !passes;
            if passes && !hears_tones {
                self.press(now, key); // by an event, or INFO, and not a second time by its tones
            }
        }
        !is_pressing || hears_tones && !self.swallows
    }

    /// Presses a key on the phone, unless keys go there as SIP INFO.
    fn press(&mut self, now: Instant, key: char) {
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
        while let Some(key) = self.twice.due(now) {
            self.press(now, key);
        }
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
