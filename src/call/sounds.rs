//! What the legs of a call hear from us, and what the media threads say of them.

use std::mem;

use crate::call::call::{Call, Output, Stage};
use crate::call::leg::{self, presses::Way};
use crate::call::site::Site;
use crate::cdr::entry::{Blame, Fact, Gap, HungUpBy, Quality};
use crate::id::LegId;
use crate::ivr::collect::Input as CodeInput;
use crate::ivr::machine::Input as MenuInput;
use crate::media::control::{self, Command, Counts, Event, PlayId, Playback, Recorded, Sound};
use crate::time::{Duration, Instant};

impl Call {
    pub(super) fn media(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        event: Event,
        out: &mut Vec<Output>,
    ) {
        match event {
            Event::BothWays { leg } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.sound.one_way = false;
                }
            }
            Event::Counted { leg, counts } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.sound.quality = Some(quality(&counts));
                }
            }
            Event::OneWay { leg } => self.one_way(now, leg, out),
            Event::Closed { leg, counts } => {
                if let Some(thread) = self.open_media.remove(&leg) {
                    site.ports.closed(thread);
                    self.fact(now, out, Fact::Media { leg, quality: quality(&counts) });
                }
            }
            Event::Digit { leg, digit } => self.key_in_audio(now, site, (leg, digit), out),
            Event::Ended { leg, playback, missing } => {
                for prompt in missing {
                    tracing::warn!(call = %self.id, %prompt, "prompt missing");
                }
                let known = self.hears.as_ref().is_some_and(|hears| hears.id == playback);
                if leg == self.party && known {
                    self.hears = None;
                    self.played(now, site, out);
                } else if leg != self.party {
                    self.played_to_agent(now, site, (leg, playback), out);
                }
            }
            Event::Recorded { leg, recording } => {
                if self.open_recordings.remove(&leg).is_some() {
                    self.fact(now, out, recording_ended(leg, *recording));
                }
            }
            Event::Moved { leg } => {
                for command in self.moving.remove(&leg).unwrap_or_default() {
                    self.order(command, out);
                }
                if !self.supervisors.is_empty() {
                    self.order_room(out);
                }
                self.arrived_in_conference(now, site, leg, out);
            }
            Event::Silent { leg } => self.drive(now, site, leg, leg::Input::Silent, out),
            Event::Spare { .. } => {}
        }
    }

    /// Nothing is heard of a leg: told once, if it is in a talk and both have answered.
    fn one_way(&mut self, now: Instant, leg: LegId, out: &mut Vec<Output>) {
        let Stage::Talking(talking) = &self.stage else { return };
        if leg != self.party && leg != talking.peer {
            return;
        }
        let told = self.legs.get_mut(&leg).map(|leg| mem::replace(&mut leg.sound.one_way, true));
        if told == Some(false) {
            tracing::warn!(call = %self.id, %leg, "one-way audio: none comes from the phone");
            self.fact(now, out, Fact::OneWay { leg });
        }
    }

    /// A key that was heard in the audio: who is relayed has it already, not who hears a mix.
    fn key_in_audio(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, key): (LegId, char),
        out: &mut Vec<Output>,
    ) {
        if self.is_new_key(now, leg, (Way::Audio, key)) {
            self.key(now, site, (leg, key), out);
            if self.talks_with(leg).is_some_and(|other| self.hears_several(other)) {
                self.press_on_other(leg, key, out);
            }
        }
    }

    /// What was played to the caller came to its end.
    pub(super) fn played(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        match &self.stage {
            Stage::Menu(_) => self.menu_input(now, site, MenuInput::Ended, out),
            Stage::Dialling(_) => self.code_input(now, site, CodeInput::Ended, out),
            Stage::Confirming(_) => self.confirming_input(now, site, CodeInput::Ended, out),
            Stage::Waiting(_) => self.waiting_played(now, site, out),
            Stage::Listening { reason, .. } => {
                let why = (200, 16, *reason);
                self.end(now, site, HungUpBy::Switch, why, out);
            }
            Stage::Echo => {
                let leg = self.party;
                self.order(Command::Bridge { a: leg, b: leg }, out);
            }
            Stage::Conference(_) => self.played_in_conference(site, out),
            Stage::Parked(_) => self.park_played(out),
            Stage::Camping(_)
            | Stage::Ending(_)
            | Stage::Outgoing(_)
            | Stage::Ringing(_)
            | Stage::Routing
            | Stage::Talking(_) => {}
        }
    }

    /// Plays to a leg whatever is in `sounds`; what was played before stops.
    pub(super) fn play(
        &mut self,
        leg: LegId,
        sounds: Vec<Sound>,
        repeat: bool,
        out: &mut Vec<Output>,
    ) {
        self.plays += 1;
        let playback = Playback { id: PlayId(self.plays), sounds: sounds.into(), repeat };
        if leg == self.party {
            self.hears = Some(playback.clone());
        }
        self.order(Command::Play { leg, playback }, out);
    }

    /// What the party hears stops; no end of it is awaited.
    pub(super) fn play_silence(&mut self, out: &mut Vec<Output>) {
        self.order(Command::Stop { leg: self.party }, out);
    }

    /// Orders something of a leg's media thread; once the leg is there, if it is on its way.
    pub(super) fn order(&mut self, command: Command, out: &mut Vec<Output>) {
        let Some(legs) = command.legs() else { return };
        let quiet = matches!(command, Command::Bridge { .. } | Command::Stop { .. });
        if quiet && legs.contains(&self.party) {
            self.hears = None;
        }
        let absent = legs.iter().find(|leg| self.moving.contains_key(leg));
        if let Some(waiting) = absent.and_then(|leg| self.moving.get_mut(leg)) {
            waiting.push(command);
            return;
        }
        let thread = self.open_media.get(&legs[0]).copied().unwrap_or(self.thread);
        out.push(Output::Media(thread, command));
    }

    /// Brings a leg to another media thread, to hear legs there.
    pub(super) fn bring(&mut self, site: &mut Site<'_>, leg: LegId, to: u8, out: &mut Vec<Output>) {
        let Some(from) = self.open_media.get(&leg).copied().filter(|from| *from != to) else {
            return;
        };
        self.order(Command::Move { leg, to }, out);
        self.open_media.insert(leg, to);
        site.ports.moved(from, to);
        self.moving.insert(leg, Vec::new());
    }
}

/// What became of the file of a leg's recording.
pub fn recording_ended(leg: LegId, recording: Recorded) -> Fact {
    Fact::RecordingEnded {
        leg,
        path: recording.path.display().to_string(),
        length_us: u64::try_from(recording.length.as_micros()).unwrap_or(u64::MAX),
        bytes: recording.bytes,
        sha256: recording.sha256,
        fault: recording.fault,
        gaps: recording.gaps.into_iter().map(Gap::from).collect(),
    }
}

fn quality(counts: &Counts) -> Quality {
    let Counts { received, sent, .. } = counts;
    Quality {
        received: received.packets,
        received_lost: received.lost,
        received_late: received.late,
        received_duplicates: received.duplicates,
        received_jitter_us: received.jitter_us,
        received_jitter_max_us: received.jitter_max_us,
        received_burst_percent: received.burst_percent,
        received_mos: received.mos,
        sent: sent.packets,
        sent_lost: sent.lost,
        sent_missing: counts.sent_missing,
        sent_late: sent.late,
        sent_jitter_us: sent.jitter_us,
        sent_jitter_max_us: sent.jitter_max_us,
        sent_mos: sent.mos,
        told_mos: counts.told_mos,
        round_trip_us: counts.round_trip_us,
        blame: Blame::of(received.mos, counts.sent_path_mos),
        strangers: counts.strangers,
        forged: counts.forged,
        encrypted: counts.encrypted,
    }
}

/// A gap as the ledger has it.
impl From<control::Gap> for Gap {
    fn from(gap: control::Gap) -> Self {
        let micros = |length: Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        Self { from_us: micros(gap.from), length_us: micros(gap.length), why: gap.why }
    }
}
