//! Payload types: what the numbers of a description stand for, and which numbers ours have.
//!
//! Spec:     RFC 3551 §6, RFC 3264 §8.3.2, RFC 4733 §2.4.1, RFC 7587 §7.
//! In:       a media description.
//! Out:      codecs, telephone-event and comfort noise by their numbers.
//! Not here: what both sides have in common (`offer_answer`).

use super::session::Media;
use super::{COMFORT_NOISE, Codec};

/// The payload types of an offer of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    opus: u8,
    /// telephone-event at each of `EVENT_CLOCKS`.
    events: [u8; 2],
}

impl Default for Numbers {
    fn default() -> Self {
        Self { opus: Codec::Opus.payload_type(), events: EVENT_TYPES }
    }
}

impl Numbers {
    /// After a description of the peer: its numbers stay, and none of them gets another meaning
    /// (RFC 3264 §8.3.2).
    pub fn of(theirs: &Media) -> Self {
        let mut taken: Vec<u8> = numbers(theirs).collect();
        let mut number = |known: Option<u8>, usual: u8| {
            let free = || (96..128).find(|number| !taken.contains(number));
            let number = match known {
                None if taken.contains(&usual) => free().unwrap_or(usual),
                None => usual,
                Some(known) => known,
            };
            taken.push(number);
            number
        };
        let opus = codec_types(theirs).find(|(_, codec)| *codec == Codec::Opus);
        let opus = number(opus.map(|(number, _)| number), Codec::Opus.payload_type());
        let events = [0, 1].map(|at| number(event_type(theirs, EVENT_CLOCKS[at]), EVENT_TYPES[at]));
        Self { opus, events }
    }

    pub fn of_codec(&self, codec: Codec) -> u8 {
        if codec == Codec::Opus { self.opus } else { codec.payload_type() }
    }

    /// That of telephone-event at a clock rate of `EVENT_CLOCKS`.
    pub fn of_event(&self, clock_rate: u32) -> u8 {
        self.events[usize::from(clock_rate != EVENT_CLOCKS[0])]
    }
}

/// Each payload type that stands for a codec we know.
pub fn codec_types(media: &Media) -> impl Iterator<Item = (u8, Codec)> {
    numbers(media).filter_map(move |number| {
        let named = |map: &str| {
            let is_it = |codec: &Codec| match is_encoding(map, codec.name(), codec.clock_rate()) {
                Some(channels) => channels == 1 || *codec == Codec::Opus && channels == 2,
                None => false,
            };
            Codec::ALL.into_iter().find(is_it)
        };
        let codec = match rtpmap(media, number) {
            Some(map) => named(map),
            None => Codec::ALL.into_iter().find(|codec| {
                codec.payload_type() == number && number < 96 // the others have no fixed meaning
            }),
        };
        codec.map(|codec| (number, codec))
    })
}

/// The payload types of telephone-event at the clock rates that we know.
pub fn event_types(media: &Media) -> impl Iterator<Item = u8> {
    EVENT_CLOCKS.into_iter().filter_map(|clock_rate| event_type(media, clock_rate))
}

/// The payload type of telephone-event at a clock rate.
pub fn event_type(media: &Media, clock_rate: u32) -> Option<u8> {
    numbers(media).find(|number| {
        rtpmap(media, *number).and_then(|map| is_encoding(map, EVENT, clock_rate)) == Some(1)
    })
}

/// Whether comfort noise at 8 kHz has its payload type.
pub fn noise_type(media: &Media) -> bool {
    let is_named = |map| is_encoding(map, "CN", 8000) == Some(1);
    numbers(media).any(|number| number == COMFORT_NOISE)
        && rtpmap(media, COMFORT_NOISE).is_none_or(is_named)
}

/// The formats that are payload types (RFC 3551 §6).
pub fn numbers(media: &Media) -> impl Iterator<Item = u8> {
    media.formats.iter().filter_map(|format| format.parse().ok()).filter(|number| *number < 128)
}

/// What `a=rtpmap` says of a payload type: `PCMA/8000`.
pub fn rtpmap(media: &Media, number: u8) -> Option<&str> {
    media.values("rtpmap").find_map(|value| {
        let (own, encoding) = value.split_once(char::is_whitespace)?;
        (own.parse() == Ok(number)).then(|| encoding.trim())
    })
}

/// The channels of `map` if it is `name/clock_rate`. Names are compared without regard to case
/// (RFC 8866 §6.6).
fn is_encoding(map: &str, name: &str, clock_rate: u32) -> Option<u8> {
    let mut parts = map.split('/');
    let is_it = parts.next().is_some_and(|own| own.eq_ignore_ascii_case(name))
        && parts.next().and_then(|rate| rate.parse().ok()) == Some(clock_rate);
    is_it.then(|| parts.next().map_or(Some(1), |channels| channels.parse().ok())).flatten()
}

/// The name of telephone-event in `a=rtpmap`.
pub const EVENT: &str = "telephone-event";
/// The clock rates of telephone-event that we know, in hertz: those of our codecs.
pub const EVENT_CLOCKS: [u32; 2] = [8000, 48_000];
/// What we offer it under, as most phones do.
const EVENT_TYPES: [u8; 2] = [101, 110];
