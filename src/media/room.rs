//! A room: several legs that hear each other, each what it is meant to.
//!
//! Spec:     RFC 3550 §2.3 (mixers); N−1: nobody hears himself.
//! In:       who is there and who hears him; packets of those who must be mixed; time.
//! Out:      who is relayed to whom; each 20 ms a frame for those who hear several.
//! Not here: relaying (`engine`), one party's voice (`voice`), writing packets (`session`).
//!
//! A party that hears exactly one other is relayed: that one's packets are passed on as they are.
//! Who hears several is mixed, at 16 kHz if its phone speaks G.722 or Opus. So somebody who only
//! listens changes nothing for those he listens to. A room with tones mixes everybody, or they
//! would not be heard.
//!
//! The mix is made once, and each party's own voice taken out of it: a frame costs as much as there
//! are parties, not their square. Of many who speak at once only the loudest are heard.

use crate::audio::mix;
use crate::audio::tone::Sine;
use crate::id::LegId;
use crate::media::codec::{NARROW as NARROW_RATE, Pcm, WIDE as WIDE_RATE};
use crate::media::control::{self, Ear};
use crate::media::engine::{Output, Slot};
use crate::media::session::{Heard, Hears, Leg};
use crate::media::voice::{Fade, NARROW, Voice, WIDE};
use crate::time::{Duration, Instant};

/// The legs of a thread, by their slots.
pub type Legs = [Option<Box<Leg>>];

/// Legs that hear each other.
#[derive(Debug)]
pub struct Room {
    members: Vec<Member>,
    speakers_max: usize,
    tones: bool,
    /// Somebody is heard by one party only.
    whispers: bool,
    /// The moment for which the engine's timer is set.
    pub alarm: Instant,
    /// When the next frame is made; never if nobody is mixed.
    due: Instant,
    /// Samples of the frames so far.
    clock: u32,
    /// What is left of a tone, at 8 and at 16 kHz.
    chime: Option<(Vec<i16>, Vec<i16>)>,
    narrow: [i32; NARROW],
    wide: [i32; WIDE],
}

#[derive(Debug)]
struct Member {
    leg: LegId,
    slot: Slot,
    ear: Ear,
    hears: Hears,
    /// Made while somebody hears it in a mix.
    voice: Option<Box<Voice>>,
    /// It is among those who are heard.
    speaks: bool,
    /// It comes into the frame at hand, or leaves with it.
    fade: Option<Fade>,
}

/// What a frame must be made for.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    narrow: bool,
    wide: bool,
}

impl Room {
    pub fn new() -> Self {
        Self {
            members: Vec::new(),
            speakers_max: usize::MAX,
            tones: false,
            whispers: false,
            alarm: Instant::NEVER,
            due: Instant::NEVER,
            clock: 0,
            chime: None,
            narrow: [0; NARROW],
            wide: [0; WIDE],
        }
    }

    /// When to call `tick` next.
    pub fn next_tick(&self) -> Instant {
        self.due
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.members.iter().map(|member| member.slot)
    }

    /// The parties become these, with their slots; whoever is not among them must have left.
    pub fn set(
        &mut self,
        now: Instant,
        wanted: &control::Room,
        parties: Vec<(Slot, control::Party)>,
        legs: &mut Legs,
    ) {
        self.speakers_max = wanted.speakers_max.into();
        self.tones = wanted.tones;
        let before = self.members.len();
        let mut came = 0;
        let mut old = std::mem::take(&mut self.members);
        for (slot, party) in parties {
            let at = old.iter().position(|member| member.slot == slot);
            came += usize::from(at.is_none());
            let member = at.map(|at| old.swap_remove(at));
            let (leg, ear) = (party.leg, party.heard_by);
            self.members.push(match member {
                Some(member) => Member { ear, ..member },
                None => Member { ear, ..Member::new(leg, slot) },
            });
        }
        if self.tones && before > 0 && came > 0 {
            self.chime = Some(chime(&JOINED));
        } else if self.tones && !old.is_empty() {
            self.chime = Some(chime(&LEFT));
        }
        self.tune(now, legs);
    }

    /// A party is gone.
    pub fn remove(&mut self, now: Instant, slot: Slot, legs: &mut Legs) {
        self.members.retain(|member| member.slot != slot);
        if self.tones {
            self.chime = Some(chime(&LEFT));
        }
        self.tune(now, legs);
    }

    /// Finds out who hears whom, and tells the legs.
    fn tune(&mut self, now: Instant, legs: &mut Legs) {
        let everybody = self.members.iter().filter(|it| it.ear == Ear::Everybody).count();
        self.whispers = self.members.iter().any(|it| matches!(it.ear, Ear::Only(_)));
        let mut taken: Vec<Slot> = Vec::new(); // who is relayed to somebody already
        for index in 0..self.members.len() {
            let it = &self.members[index];
            let whispers = self.members.iter().filter(|other| other.ear == Ear::Only(it.leg));
            let heard = everybody - usize::from(it.ear == Ear::Everybody) + whispers.count();
            let hears = match heard {
                _ if self.tones => Hears::Mix,
                0 => Hears::Nobody,
                1 => match self.only_one_for(index).filter(|slot| !taken.contains(slot)) {
                    Some(slot) => {
                        taken.push(slot);
                        Hears::Leg(slot)
                    }
                    None => Hears::Mix,
                },
                _ => Hears::Mix,
            };
            self.members[index].hears = hears;
        }
        for index in 0..self.members.len() {
            let slot = self.members[index].slot;
            let listener = self.members.iter().find(|it| it.hears == Hears::Leg(slot));
            let to = listener.map(|listener| listener.slot);
            let is_mixed = self.members.iter().any(|it| {
                it.slot != slot && it.hears == Hears::Mix && self.members[index].is_for(it.leg)
            });
            let member = &mut self.members[index];
            match (is_mixed, &member.voice) {
                (false, _) => (member.voice, member.speaks) = (None, false),
                (true, None) => member.voice = Some(Box::new(Voice::new())),
                (true, Some(_)) => {}
            }
            if let Some(leg) = legs[slot.index()].as_deref_mut() {
                leg.peer = to;
                leg.tune_in(member.hears);
            }
        }
        let mixes = self.members.iter().any(|member| member.hears == Hears::Mix);
        self.due = match (mixes, self.due == Instant::NEVER) {
            (false, _) => Instant::NEVER,
            (true, true) => now + FRAME,
            (true, false) => self.due,
        };
    }

    /// The one whom a party hears that hears one only.
    fn only_one_for(&self, index: usize) -> Option<Slot> {
        let leg = self.members[index].leg;
        let mut others = self.members.iter().filter(|it| it.leg != leg && it.is_for(leg));
        others.next().map(|member| member.slot)
    }

    /// Takes a packet of a party, as it came.
    pub fn hear(&mut self, now: Instant, slot: Slot, heard: Heard, payload: &[u8]) {
        let member = self.members.iter_mut().find(|member| member.slot == slot);
        if let Some(voice) = member.and_then(|member| member.voice.as_mut()) {
            voice.hear(now, heard, payload);
        }
    }

    /// Makes the frame that is due.
    pub fn tick(&mut self, now: Instant, legs: &mut Legs, out: &mut Vec<Output>) {
        self.due = if now.since(self.due) < LATE_MAX { self.due + FRAME } else { now + FRAME };
        self.clock = self.clock.wrapping_add(NARROW as u32);
        let rates = self.rates(legs);
        for voice in self.members.iter_mut().filter_map(|member| member.voice.as_mut()) {
            voice.next(now);
        }
        self.choose_speakers();
        self.sum(rates);
        for index in 0..self.members.len() {
            self.serve(now, index, legs, out);
        }
        if let Some((narrow, wide)) = &mut self.chime {
            narrow.drain(..NARROW.min(narrow.len()));
            wide.drain(..WIDE.min(wide.len()));
            if narrow.is_empty() {
                self.chime = None;
            }
        }
    }

    fn rates(&self, legs: &Legs) -> Rates {
        let mut rates = Rates::default();
        for member in self.members.iter().filter(|member| member.hears == Hears::Mix) {
            let Some(leg) = legs[member.slot.index()].as_deref() else { continue };
            rates.wide |= leg.is_wide();
            rates.narrow |= !leg.is_wide() || leg.recording.is_some();
        }
        rates
    }

    /// Of all whom everybody may hear, the loudest are heard; who is already, stays unless another
    /// is twice as loud.
    fn choose_speakers(&mut self) {
        let mut levels: Vec<(u32, usize)> = Vec::with_capacity(self.members.len());
        for (index, member) in self.members.iter().enumerate() {
            let Some(voice) = member.voice.as_ref().filter(|_| member.ear == Ear::Everybody) else {
                continue;
            };
            if voice.sounds() || member.speaks {
                let bonus = if member.speaks { 2 } else { 1 };
                levels.push((voice.level() * bonus, index));
            }
        }
        levels.sort_unstable_by(|one, other| other.cmp(one));
        levels.truncate(self.speakers_max);
        for (index, member) in self.members.iter_mut().enumerate() {
            let chosen = levels.iter().any(|(_, chosen)| *chosen == index);
            member.fade = match (member.speaks, chosen) {
                (false, false) => None,
                (false, true) => Some(Fade::Begins),
                (true, true) => Some(Fade::Steady),
                (true, false) => Some(Fade::Ends),
            };
            member.speaks = chosen;
            if matches!(member.ear, Ear::Only(_)) {
                member.fade = Some(Fade::Steady);
            }
        }
    }

    /// Adds up what everybody may hear.
    fn sum(&mut self, rates: Rates) {
        self.narrow.fill(0);
        self.wide.fill(0);
        for member in &mut self.members {
            let (Some(voice), Some(fade)) = (&mut member.voice, member.fade) else { continue };
            voice.prepare(rates.narrow, fade);
            if matches!(member.ear, Ear::Only(_)) {
                continue;
            }
            if rates.narrow {
                mix::add(&mut self.narrow, voice.narrow());
            }
            if rates.wide {
                mix::add(&mut self.wide, voice.wide());
            }
        }
    }

    /// Sends a party its frame, and records it: what is said to everybody, not what is whispered.
    fn serve(&mut self, now: Instant, index: usize, legs: &mut Legs, out: &mut Vec<Output>) {
        let member = &self.members[index];
        let Some(leg) = legs[member.slot.index()].as_deref_mut() else { return };
        if member.hears != Hears::Mix {
            return;
        }
        let own = member.voice.as_ref().filter(|_| member.is_summed());
        let (is_wide, is_recorded) = (leg.is_wide(), leg.recording.is_some());
        if !leg.hears_peer() {
            return leg.drop_rest();
        }
        let mut samples = [0; WIDE];
        if is_recorded {
            let mut sum = self.narrow;
            if let Some(own) = own {
                mix::subtract(&mut sum, own.narrow());
            }
            mix::limit(&sum, &mut samples[..NARROW]);
            leg.record_mix(now, self.clock, &samples[..NARROW]);
        }
        let mut sum = [0; WIDE];
        let sum = if is_wide { &mut sum[..] } else { &mut sum[..NARROW] };
        sum.copy_from_slice(if is_wide { &self.wide[..] } else { &self.narrow[..] });
        if let Some(own) = own {
            mix::subtract(sum, own.frame(is_wide));
        }
        let whispers = |it: &&Member| self.whispers && it.ear == Ear::Only(member.leg);
        for whisperer in self.members.iter().filter(whispers) {
            if let Some(voice) = &whisperer.voice {
                mix::add(sum, voice.frame(is_wide));
            }
        }
        if let Some((narrow, wide)) = &self.chime {
            mix::add(sum, if is_wide { wide } else { narrow });
        }
        let samples = &mut samples[..sum.len()];
        mix::limit(sum, samples);
        let rate = if is_wide { WIDE_RATE } else { NARROW_RATE };
        leg.send(now, member.slot, Pcm { samples, rate }, out);
    }
}

impl Member {
    fn new(leg: LegId, slot: Slot) -> Self {
        let (ear, hears) = (Ear::Nobody, Hears::Nobody);
        Self { leg, slot, ear, hears, voice: None, speaks: false, fade: None }
    }

    /// Whether another party is to hear this one.
    fn is_for(&self, other: LegId) -> bool {
        match self.ear {
            Ear::Everybody => true,
            Ear::Nobody => false,
            Ear::Only(leg) => leg == other,
        }
    }

    /// Whether its voice is in the sum of the frame at hand.
    fn is_summed(&self) -> bool {
        self.fade.is_some() && !matches!(self.ear, Ear::Only(_))
    }
}

/// Two tones, each of a tenth of a second, at 8 and at 16 kHz.
fn chime(frequencies: &[f64; 2]) -> (Vec<i16>, Vec<i16>) {
    let at = |rate: u32| {
        let length = rate as usize / 10;
        let one = |frequency: &f64| {
            let mut tone: Vec<i16> = Sine::new(*frequency, CHIME, rate).take(length).collect();
            mix::fade(&mut tone[..length / 10], true);
            mix::fade(&mut tone[length - length / 10..], false);
            tone
        };
        frequencies.iter().flat_map(one).collect()
    };
    (at(8000), at(16_000))
}

/// Audio of a frame.
const FRAME: Duration = Duration::from_millis(20);
/// A delay that is not made up for: the clock goes on from here.
const LATE_MAX: Duration = Duration::from_millis(100);
/// Hertz: somebody came, and somebody left.
const JOINED: [f64; 2] = [600.0, 900.0];
const LEFT: [f64; 2] = [900.0, 600.0];
/// How loud a tone is, as its peak sample.
const CHIME: i16 = 3000;
