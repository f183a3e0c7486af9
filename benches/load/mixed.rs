//! What phones say and hear where voices are mixed.

use std::f64::consts::TAU;

use std::sync::LazyLock;

use strowger::audio::g711::{ulaw_decode, ulaw_encode};
use strowger::audio::opus::Wishes;
use strowger::audio::tone::Sine;
use strowger::media::codec::{Encoder, NARROW, Pcm, bytes_max};
use strowger::sdp::Codec;

/// What a phone says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Packets with their number and moment, in no room or with one other.
    Marks,
    /// Tones in a codec that the far end does not speak.
    Speech(Codec),
    /// A quiet tone, in a room of this number.
    Tone(u32),
    /// The tone, and once a second a packet that is loud.
    Clicks(u32),
}

impl Says {
    fn room(self) -> Option<u32> {
        match self {
            Self::Marks | Self::Speech(_) => None,
            Self::Tone(room) | Self::Clicks(room) => Some(room),
        }
    }
}

/// Somebody was loud, or was heard to be: in a room, at so many microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Click {
    room: u32,
    at: u64,
}

/// What was heard of rooms.
#[derive(Debug, Default)]
pub struct Mixed {
    /// Packets that came, and numbers that did not.
    pub packets: u64,
    pub missing: u64,
    /// Who was loud, as many times as there are others to hear it; and who was heard.
    pub clicks: u64,
    pub clicks_heard: u64,
    /// Milliseconds from the packet that is loud to the first in which it is heard.
    pub delays: Vec<f64>,
    heard: Vec<Click>,
}

impl Mixed {
    /// Finds for what was heard when it was said; `phones` are all that took part.
    pub fn compare(&mut self, said: &[Click], phones: &[Says]) {
        let in_room = |room| phones.iter().filter(|phone| phone.room() == Some(room)).count();
        self.clicks = said.iter().map(|click| in_room(click.room) as u64 - 1).sum();
        for heard in std::mem::take(&mut self.heard) {
            let mut before = said.iter().filter(|it| it.room == heard.room && it.at <= heard.at);
            let Some(said) = before.next_back() else { continue };
            if heard.at - said.at < CLICK_MICROS / 2 {
                self.clicks_heard += 1;
                self.delays.push((heard.at - said.at) as f64 / 1000.0);
            }
        }
    }
}

/// One phone's ear.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    expected: Option<u16>,
    loud_at: Option<u64>,
}

impl Listener {
    /// Takes a packet of a mix, at so many microseconds.
    pub fn hear(&mut self, own: Says, packet: &[u8], micros: u64, mixed: &mut Mixed) {
        let (Some(number), Some(payload)) = (packet.get(2..4), packet.get(12..)) else { return };
        let number = u16::from_be_bytes([number[0], number[1]]);
        mixed.packets += 1;
        let ahead = self.expected.map_or(0, |expected| number.wrapping_sub(expected));
        if ahead < 0x8000 {
            mixed.missing += u64::from(ahead);
            self.expected = Some(number.wrapping_add(1));
        } else {
            mixed.missing = mixed.missing.saturating_sub(1); // it was late only
        }
        let is_loud = payload.iter().any(|byte| ulaw_decode(*byte).unsigned_abs() > HEARD);
        if !is_loud {
            return;
        }
        let before = self.loud_at.replace(micros);
        if let (Says::Tone(room), true) =
            (own, before.is_none_or(|before| micros - before > CLICK_MICROS / 4))
        {
            mixed.heard.push(Click { room, at: micros });
        }
    }
}

/// Writes what a phone of a room says in its packet of this number; whether it is loud.
pub fn say(says: Says, number: u32, micros: u64, payload: &mut [u8]) -> Option<Click> {
    let click = match says {
        Says::Clicks(room) if number.is_multiple_of(CLICK_EVERY) => {
            Some(Click { room, at: micros })
        }
        Says::Clicks(_) | Says::Marks | Says::Speech(_) | Says::Tone(_) => None,
    };
    let peak = if click.is_some() { LOUD } else { QUIET };
    for (place, byte) in payload.iter_mut().enumerate() {
        // 1 kHz: whole periods in a packet, so that it goes on in the next.
        let sample = f64::from(peak) * (TAU * place as f64 / 8.0).sin();
        *byte = ulaw_encode(sample as i16);
    }
    click
}

/// Writes the packet of this number that says tones in a codec over one of G.711; gives its length.
pub fn speak(codec: Codec, number: u32, packet: &mut [u8]) -> usize {
    let said = if codec == Codec::Opus { &*OPUS } else { &*LAW };
    let payload = &said[number as usize % said.len()];
    packet[1] = codec.payload_type();
    packet[4..8].copy_from_slice(&(number * (codec.clock_rate() / 50)).to_be_bytes());
    packet[12..12 + payload.len()].copy_from_slice(payload);
    12 + payload.len()
}

static OPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| tones(Codec::Opus));
static LAW: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| tones(Codec::Pcmu));

/// A second of tones, each higher than the one before, in packets.
fn tones(codec: Codec) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::default();
    let packets = (0..50).map(|n| {
        let tone = Sine::new(300.0 + 40.0 * f64::from(n), 6000, NARROW);
        let samples: Vec<i16> = tone.take(160).collect();
        let mut payload = vec![0; bytes_max(codec, 20)];
        let pcm = Pcm { samples: &samples, rate: NARROW };
        let length = encoder.encode(codec, Wishes::ANY, pcm, &mut payload);
        payload.truncate(length.expect("20 ms are a packet"));
        payload
    });
    packets.collect()
}

/// Packets from one that is loud to the next.
const CLICK_EVERY: u32 = 50;
const CLICK_MICROS: u64 = 1_000_000;
/// Peak samples; eight that are quiet are not taken for one that is loud.
const QUIET: i16 = 200;
const LOUD: i16 = 16_000;
const HEARD: u16 = 5000;
