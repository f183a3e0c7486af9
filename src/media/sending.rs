//! What one phone hears: packets of a peer passed on, transcoded, or made here.
//!
//! Spec:     RFC 3551 §4.2 (length of packets), RFC 3264 §6.1 (ptime), RFC 4733 §2.5 (keys),
//!           RFC 3389 §4 (comfort noise), RFC 7587 §3 (Opus as the phone wants it).
//! In:       packets of a bridged leg, frames of a mix, sounds of a player.
//! Out:      packets for the phone, in a codec that was agreed on.
//! Not here: what the phone says (`session`), the numbers of packets (`outgoing`).
//!
//! A codec that both share passes untouched, unless its packets are longer than the phone takes.
//! Whatever else is sent has the length that the phone asked for, however long the packets are that
//! it is made of.

use std::net::SocketAddr;

use crate::audio::opus;
use crate::media::codec::{self, Decoded, NARROW, Pcm, bytes_max, is_law, transcode_g711};
use crate::media::control::Event;
use crate::media::engine::{Output, Slot};
use crate::media::outgoing::Incoming;
use crate::media::player::Frame;
use crate::media::prompt::Library;
use crate::media::session::{Heard, Kind, Leg, may_send};
use crate::media::toning::{self, Toning};
use crate::rtp::dtmf;
use crate::rtp::packet::{self, HEADER_BYTES, RtpMut};
use crate::rtp::press::Press;
use crate::rtp::srtp::OVERHEAD_MAX;
use crate::sdp::{COMFORT_NOISE, Codec, Payload};
use crate::time::Instant;

/// Samples for the phone that do not fill a packet yet.
#[derive(Debug, Default)]
pub struct Rest {
    samples: Vec<i16>,
    rate: u32,
    /// The packet that the last of them came in, if they are of a peer.
    of: Option<Place>,
}

/// Where a peer's stream is.
#[derive(Clone, Copy, Debug)]
struct Place {
    ssrc: u32,
    sequence: u16,
    /// After the newest packet, at 8 kHz.
    moment: u32,
}

/// What becomes of a peer's audio.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// It passes as it is.
    Same(Payload),
    /// One law of G.711 becomes the other where it lies.
    Law(Payload),
    /// It is decoded and encoded.
    Recoded,
}

impl Leg {
    /// Rewrites the packet of the peer in `buffer` for this phone; says where to send it, and how
    /// many bytes of the buffer, if at all. What does not go into one packet goes to `out`.
    ///
    /// `decoded` is what the packet says; `needs_samples` tells whether that is needed.
    pub fn relay(
        &mut self,
        now: Instant,
        (slot, heard): (Slot, Heard),
        buffer: &mut [u8],
        decoded: Option<&Decoded>,
        out: &mut Vec<Output>,
    ) -> Option<(SocketAddr, usize)> {
        let to = self.latch.target()?;
        if !self.may_pass(now, heard, buffer) {
            self.outgoing.pass_over(heard.packet);
            return None;
        }
        if self.keying.is_some() {
            self.rest = None;
            return None;
        }
        if self.is_toning(now, heard.kind) {
            let length = self.relay_key_as_tones(now, (slot, heard), buffer, out)?;
            return Some((to, length));
        }
        let length = match heard.kind {
            Kind::Unknown => None,
            Kind::Noise => self.relay_noise(now, heard, buffer),
            Kind::Digit { clock_rate } => self.relay_key(now, heard, clock_rate, buffer),
            Kind::Audio(codec) => {
                self.noising = None;
                let mut packet = RtpMut::new(buffer.get_mut(..heard.length)?)?;
                let ticks = codec::ticks(codec, packet.payload());
                match self.way_for(codec, ticks)? {
                    Way::Recoded => {
                        return self.recode(now, (slot, heard), decoded?, buffer, out);
                    }
                    Way::Law(Payload { send, .. }) => {
                        transcode_g711(codec, packet.payload_mut());
                        self.pass(now, heard, (codec.clock_rate(), send, ticks), buffer)
                    }
                    Way::Same(Payload { send, .. }) => {
                        self.pass(now, heard, (codec.clock_rate(), send, ticks), buffer)
                    }
                }
            }
        };
        Some((to, length?))
    }

    /// Whether the samples of a peer's packet of so many ticks are needed to relay it.
    pub fn needs_samples(&self, codec: Codec, ticks: u32) -> bool {
        self.recording.is_some() || matches!(self.way_for(codec, ticks), Some(Way::Recoded))
    }

    /// Whether samples at 8 kHz are needed for that.
    pub fn needs_narrow(&self) -> bool {
        let is_law = |payload: &Payload| is_law(payload.codec);
        self.recording.is_some() || self.preferred().as_ref().is_some_and(is_law)
    }

    /// The same codec if it was agreed on, else the preferred: the other law of G.711 needs no
    /// samples, if its packets are as long as they should be.
    fn way_for(&self, codec: Codec, ticks: u32) -> Option<Way> {
        let audio = self.audio.as_ref()?;
        let same = audio.codecs.iter().find(|payload| payload.codec == codec);
        if let Some(same) = same.filter(|_| self.takes(codec, ticks)) {
            return Some(Way::Same(*same));
        }
        let preferred = *audio.codecs.first()?;
        let is_law = is_law(codec) && is_law(preferred.codec);
        let fits = ticks as usize == 8 * self.packet_ms() && self.rest.is_none();
        Some(if is_law && fits { Way::Law(preferred) } else { Way::Recoded })
    }

    /// Whether the phone takes packets so long; what is cut for it goes on so.
    fn takes(&self, codec: Codec, ticks: u32) -> bool {
        let limit = self.audio.as_ref().and_then(|audio| audio.maxptime);
        limit.is_none_or(|ms| {
            let is_cut = self.rest.as_ref().is_some_and(|rest| rest.of.is_some());
            !is_cut && ticks <= codec.clock_rate() / 1000 * u32::from(ms)
        })
    }

    /// Numbers a peer's packet that stays what it is.
    fn pass(
        &mut self,
        now: Instant,
        heard: Heard,
        (clock_rate, payload_type, ticks): (u32, u8, u32),
        buffer: &mut [u8],
    ) -> Option<usize> {
        self.outgoing.set_clock_rate(clock_rate);
        let header = self.outgoing.relayed(now, heard.packet, ticks)?;
        let mut packet = RtpMut::new(buffer.get_mut(..heard.length)?)?;
        packet.set_sequence(header.sequence);
        packet.set_timestamp(header.timestamp);
        packet.set_ssrc(header.ssrc);
        packet.set_marker(header.marker);
        packet.set_payload_type(payload_type);
        self.seal(buffer, heard.length)
    }

    /// Comfort noise passes if the phone has it, too; else it is as if it had not been sent. For
    /// one that is transcoded it becomes noise.
    fn relay_noise(&mut self, now: Instant, heard: Heard, buffer: &mut [u8]) -> Option<usize> {
        if let Some(place) = self.rest.as_mut().and_then(|rest| rest.of.as_mut()) {
            place.sequence = heard.packet.sequence;
            return self.recode_noise(now, heard, buffer);
        }
        if !self.audio.as_ref()?.noise || self.outgoing.clock_rate() != NARROW {
            self.outgoing.pass_over(heard.packet);
            return None;
        }
        self.pass(now, heard, (NARROW, COMFORT_NOISE, 0), buffer)
    }

    /// Whether a packet of the peer is none of a key that the phone has got already.
    fn may_pass(&mut self, now: Instant, heard: Heard, buffer: &mut [u8]) -> bool {
        let Kind::Digit { clock_rate } = heard.kind else { return true };
        let packet = buffer.get_mut(..heard.length).and_then(RtpMut::new);
        let event = packet.and_then(|packet| dtmf::Event::parse(packet.payload()));
        let Incoming { ssrc, timestamp, .. } = heard.packet;
        event.is_none_or(|event| self.twice.hears_event(now, (ssrc, timestamp, event), clock_rate))
    }

    /// Passes a key on: as it is if the clocks are the same and the audio passes too.
    fn relay_key(
        &mut self,
        now: Instant,
        heard: Heard,
        clock_rate: u32,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let digits = self.audio.as_ref()?.digits_at(self.outgoing.clock_rate())?;
        let place = self.rest.as_mut().and_then(|rest| rest.of.as_mut());
        let is_recoded = place.is_some();
        if let Some(place) = place {
            place.sequence = heard.packet.sequence;
        }
        if !is_recoded && digits.clock_rate == clock_rate {
            return self.pass(now, heard, (self.outgoing.clock_rate(), digits.send, 0), buffer);
        }
        let packet = RtpMut::new(buffer.get_mut(..heard.length)?)?;
        let event = dtmf::Event::parse(packet.payload())?;
        let Incoming { ssrc, timestamp, .. } = heard.packet;
        let moment = self.outgoing.timestamp_at(now);
        let rates = (clock_rate, digits.clock_rate);
        let passed = Press::pass(&mut self.press, (ssrc, timestamp, event), rates, moment);
        let header = self.outgoing.key_at(passed.timestamp, passed.begins);
        let (sequence, timestamp) = (header.sequence, header.timestamp);
        let head = packet::header(header.marker, digits.send, sequence, timestamp, header.ssrc);
        self.write_key(&head, passed.event, buffer)
    }

    /// Writes a packet of a key.
    pub(super) fn write_key(
        &mut self,
        head: &[u8; HEADER_BYTES],
        event: dtmf::Event,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let payload = event.bytes();
        let length = HEADER_BYTES + payload.len();
        let packet = buffer.get_mut(..length)?;
        packet[..HEADER_BYTES].copy_from_slice(head);
        packet[HEADER_BYTES..].copy_from_slice(&payload);
        self.seal(buffer, length)
    }

    /// Whether a packet of the peer is a key that the phone hears as tones, or comes while one
    /// sounds.
    fn is_toning(&self, now: Instant, kind: Kind) -> bool {
        match kind {
            Kind::Digit { .. } => self.audio.as_ref().is_some_and(|audio| audio.tones),
            Kind::Audio(_) | Kind::Noise => {
                self.toning.as_ref().is_some_and(|toning| toning.is_sounding(now))
            }
            Kind::Unknown => false,
        }
    }

    /// Writes the tones of a key's packet in its place; gives the length of what is to be sent.
    fn relay_key_as_tones(
        &mut self,
        now: Instant,
        (slot, heard): (Slot, Heard),
        buffer: &mut [u8],
        out: &mut Vec<Output>,
    ) -> Option<usize> {
        let Kind::Digit { clock_rate } = heard.kind else { return None };
        let packet = RtpMut::new(buffer.get_mut(..heard.length)?)?;
        let event = dtmf::Event::parse(packet.payload())?;
        let duration = u32::from(event.duration) * NARROW / clock_rate.max(NARROW);
        let event = dtmf::Event { duration: duration as u16, ..event };
        let Incoming { ssrc, timestamp, .. } = heard.packet;
        let begins = !self.toning.as_ref().is_some_and(|key| key.is_of(ssrc, timestamp));
        let mut room = [0; toning::SAMPLES_MAX];
        let key = (ssrc, timestamp, event);
        let samples = Toning::next(&mut self.toning, now, key, &mut room);
        if samples.is_empty() {
            return None;
        }
        let pcm = Pcm { samples, rate: NARROW };
        if self.preferred()?.codec == Codec::Opus {
            // Its packets cannot have any length.
            if begins {
                self.rest = None;
            }
            self.send(now, slot, pcm, out);
            return None;
        }
        self.write(now, pcm, begins, buffer)
    }

    /// Decoded audio of a peer in the codec of this phone: the first packet in `buffer`, the others
    /// to `out`.
    fn recode(
        &mut self,
        now: Instant,
        (slot, heard): (Slot, Heard),
        decoded: &Decoded,
        buffer: &mut [u8],
        out: &mut Vec<Output>,
    ) -> Option<(SocketAddr, usize)> {
        let pcm = decoded.pcm_for(self.preferred()?.codec);
        let Incoming { ssrc, sequence, .. } = heard.packet;
        let length = (pcm.samples.len() * NARROW as usize / pcm.rate as usize) as u32;
        let first = heard.moment.wrapping_sub(decoded.recovered());
        let end = first.wrapping_add(length);
        let known = self.rest.as_ref().and_then(|rest| rest.of);
        match known.filter(|place| place.ssrc == ssrc) {
            Some(place) => {
                let step = sequence.wrapping_sub(place.sequence);
                if step == 0 || step > u16::MAX / 2 {
                    return None; // late, or twice
                }
                self.meet(place, (step, first));
            }
            None => self.rest = None,
        }
        let (to, length) = self.fill(now, slot, pcm, Some(buffer), out);
        if let Some(rest) = &mut self.rest {
            rest.of = Some(Place { ssrc, sequence, moment: end });
        }
        Some((to?, length?))
    }

    /// What lies between a peer's packet and the one before it: nothing, a loss, or a pause.
    fn meet(&mut self, place: Place, (step, first): (u16, u32)) {
        let gap = first.wrapping_sub(place.moment);
        if gap == 0 {
            return;
        }
        let length = 8 * self.packet_ms() as u32;
        if step > 1 && gap <= GAP_MAX {
            let packets = gap.div_ceil(length);
            let ticks = packets * length * (self.outgoing.clock_rate() / NARROW);
            self.outgoing.miss(packets as u16, ticks);
            if let Some(rest) = &mut self.rest {
                rest.samples.clear();
            }
        } else {
            self.rest = None; // the next one begins anew
        }
    }

    /// Sends samples as soon as they fill a packet, unless a key is pressed on the phone.
    pub fn send(&mut self, now: Instant, slot: Slot, pcm: Pcm<'_>, out: &mut Vec<Output>) {
        if self.keying.is_some() {
            return self.drop_rest();
        }
        self.fill(now, slot, pcm, None, out);
    }

    /// The same; of several packets the first goes into `buffer`, if there is one. Gives where it
    /// is to be sent, and its length.
    fn fill(
        &mut self,
        now: Instant,
        slot: Slot,
        pcm: Pcm<'_>,
        mut buffer: Option<&mut [u8]>,
        out: &mut Vec<Output>,
    ) -> (Option<SocketAddr>, Option<usize>) {
        let Some(to) = self.latch.target() else { return (None, None) };
        let Some(Payload { codec, .. }) = self.preferred() else { return (None, None) };
        let ms = self.packet_ms();
        let count = pcm.rate as usize / 1000 * ms;
        let before = self.rest.take().filter(|rest| rest.rate == pcm.rate);
        let mut begins = before.is_none();
        let mut rest = before.unwrap_or_default();
        rest.rate = pcm.rate;
        rest.samples.extend_from_slice(pcm.samples);
        let mut written = None;
        for frame in rest.samples.chunks_exact(count) {
            let frame = Pcm { samples: frame, rate: pcm.rate };
            let began = std::mem::take(&mut begins);
            if let Some(buffer) = buffer.take() {
                written = self.write(now, frame, began, buffer);
                continue;
            }
            let mut packet = vec![0; HEADER_BYTES + bytes_max(codec, ms) + OVERHEAD_MAX];
            if let Some(length) = self.write(now, frame, began, &mut packet) {
                packet.truncate(length);
                out.push(Output::Rtp { slot, to, packet });
            }
        }
        let whole = rest.samples.len() / count * count;
        rest.samples.drain(..whole);
        self.rest = Some(rest);
        (Some(to), written)
    }

    /// The phone hears something else, or nothing, for a while.
    pub fn drop_rest(&mut self) {
        self.rest = None;
    }

    /// Writes a packet of ours with these samples in the codec that the phone prefers, and counts
    /// it; gives its length, `None` if it is not to be sent.
    pub(super) fn write(
        &mut self,
        now: Instant,
        pcm: Pcm<'_>,
        begins: bool,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let Payload { codec, send, .. } = self.preferred()?;
        let wishes = self.wishes();
        let clock_rate = codec.clock_rate();
        let ticks = pcm.samples.len() * clock_rate as usize / pcm.rate as usize;
        let ms = pcm.samples.len() * 1000 / pcm.rate as usize;
        let end = HEADER_BYTES + bytes_max(codec, ms.next_multiple_of(10));
        let end = end.min(buffer.len().saturating_sub(OVERHEAD_MAX));
        let payload = buffer.get_mut(HEADER_BYTES..end)?;
        self.encoder.expect_loss(self.reports.lost_lately());
        let Some(length) = self.encoder.encode(codec, wishes, pcm, payload) else {
            self.pausing = true; // the next one begins a talkspurt
            return None;
        };
        self.outgoing.set_clock_rate(clock_rate);
        let header = self.outgoing.made(now, ticks as u32, begins || self.pausing);
        let (sequence, timestamp) = (header.sequence, header.timestamp);
        let head = packet::header(header.marker, send, sequence, timestamp, header.ssrc);
        buffer[..HEADER_BYTES].copy_from_slice(&head);
        self.seal(buffer, HEADER_BYTES + length)
    }

    /// Encrypts and counts a packet that is to be sent.
    pub(super) fn seal(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let length = match &mut self.secure {
            Some(secure) => secure.sender.seal_rtp(buffer, length)?,
            None => length,
        };
        self.pausing = false;
        self.sent.packets += 1;
        self.sent.bytes += length as u64;
        self.reports.sent(length as u64);
        Some(length)
    }

    /// Sends what the player has for this moment.
    pub fn play_due(
        &mut self,
        now: Instant,
        slot: Slot,
        library: &impl Library,
        out: &mut Vec<Output>,
    ) {
        let ms = self.packet_ms();
        let (Some(player), Some(audio)) = (&mut self.player, &self.audio) else { return };
        if player.next_tick() > now {
            return;
        }
        let count = 8 * ms;
        let mut samples = [0; 480];
        let begins = match player.next(now, library, &mut samples[..count]) {
            Frame::Waiting => return,
            Frame::Ended { id: playback, missing } => {
                self.stop_playing();
                out.push(Output::Event(Event::Ended { leg: self.id, playback, missing }));
                return;
            }
            Frame::Audio { begins } => begins,
        };
        let Some(to) = self.latch.target() else { return };
        let Some(codec) = audio.codecs.first().map(|payload| payload.codec) else { return };
        if !may_send(audio.direction) {
            self.pausing = true;
            return;
        }
        let mut packet = vec![0; HEADER_BYTES + bytes_max(codec, ms) + OVERHEAD_MAX];
        let pcm = Pcm { samples: &samples[..count], rate: NARROW };
        if let Some(length) = self.write(now, pcm, begins, &mut packet) {
            packet.truncate(length);
            out.push(Output::Rtp { slot, to, packet });
        }
    }

    /// Milliseconds in a packet that is made for the phone: what it wants, as far as its codec can.
    pub(super) fn packet_ms(&self) -> usize {
        let Some(audio) = &self.audio else { return 20 };
        let ptime = audio.ptime.clamp(10, 60);
        let is_opus = audio.codecs.first().is_some_and(|payload| payload.codec == Codec::Opus);
        usize::from(if is_opus { opus::frame_ms(ptime) } else { ptime })
    }

    /// The codec that the phone hears of us.
    pub(super) fn preferred_codec(&self) -> Option<Codec> {
        self.preferred().map(|payload| payload.codec)
    }

    /// What the phone hears of us.
    fn preferred(&self) -> Option<Payload> {
        self.audio.as_ref()?.codecs.first().copied()
    }

    fn wishes(&self) -> opus::Wishes {
        let wanted = self.audio.as_ref().and_then(|audio| audio.opus);
        wanted.map_or(opus::Wishes::ANY, |wanted| opus::Wishes {
            rate_max: wanted.max_playback_rate,
            bitrate_max: wanted.max_average_bitrate,
            constant: wanted.constant,
            fec: wanted.fec,
            dtx: wanted.dtx,
        })
    }
}

/// A loss of more, in ticks at 8 kHz, is a pause: 400 ms.
const GAP_MAX: u32 = 3200;
