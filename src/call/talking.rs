//! Two parties who hear each other: joining, holding, recording, parting.

use std::path::PathBuf;

use crate::acd;
use crate::call::call::{Call, Output, Stage};
use crate::call::control::OrderError;
use crate::call::leg::Leg;
use crate::call::queueing::HOLD_MUSIC;
use crate::call::site::Site;
use crate::cdr::entry::Fact;
use crate::id::{AgentId, LegId, PromptId, QueueId};
use crate::media::control::{Command, Sound};
use crate::route::config::Record;
use crate::time::Instant;

/// The caller's conversation.
#[derive(Debug)]
pub struct Talking {
    /// The leg he talks with.
    pub peer: LegId,
    /// The agent there, if the ACD brought them together.
    pub agent: Option<AgentId>,
    /// The queue's music, for whoever is put on hold.
    pub music: Option<QueueId>,
}

impl Call {
    /// Joins the caller with a phone that was rung for an extension.
    pub(super) fn talk(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        peer: LegId,
        out: &mut Vec<Output>,
    ) {
        let spoken = self.spoken_by(peer);
        self.suit_party(peer);
        self.show(now, site, (self.party, peer), out);
        self.answer_caller(now, site, spoken, out);
        if !matches!(self.stage, Stage::Routing) {
            return; // the answer failed, and the call has ended
        }
        self.stage = Stage::Talking(Talking { peer, agent: None, music: None });
        self.join(now, site, peer, out);
    }

    /// Lets the caller and `peer` hear each other, and records them if a policy says so.
    pub(super) fn join(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        peer: LegId,
        out: &mut Vec<Output>,
    ) {
        let Stage::Talking(talking) = &self.stage else { return };
        let (a, b) = (self.party, peer);
        let agent = talking.agent.clone();
        let record = self.is_recorded(talking, peer);
        self.take_back(now, site, [a, b], out);
        self.show(now, site, (a, b), out);
        self.show(now, site, (b, a), out);
        if self.supervisors.is_empty() {
            self.order(Command::Bridge { a, b }, out);
        } else {
            for leg in [a, b] {
                self.order(Command::Stop { leg }, out);
            }
            self.order_room(out);
        }
        for (held, other) in [(a, b), (b, a)] {
            if self.legs.get(&held).is_some_and(|leg| leg.audio().is_held()) {
                self.play_hold_music(other, out);
            }
        }
        let runs = [a, b].iter().any(|leg| self.open_recordings.contains_key(leg));
        if record && !runs {
            self.record(now, site, out);
        }
        let extension = self.legs.get(&peer).and_then(|leg| leg.extension.clone());
        self.fact(now, out, Fact::TalkBegan { a, b, extension, agent });
    }

    /// Whether the policy of the queue, or of either phone, wants this talk recorded.
    fn is_recorded(&self, talking: &Talking, peer: LegId) -> bool {
        let queue = talking.music.as_ref().and_then(|queue| self.plan.acd.queues.get(queue));
        let phones = [self.party, peer].into_iter().filter_map(|leg| {
            let extension = self.legs.get(&leg)?.extension.as_ref()?;
            self.plan.extensions.get(extension)
        });
        queue.is_some_and(|queue| queue.record == acd::config::Record::Always)
            || phones.into_iter().any(|phone| phone.record == Record::Always)
    }

    pub(super) fn record(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let leg = self.party;
        self.recordings += 1;
        let settings = &site.settings;
        let name = file_name(&self.epoch.wall(now).to_string(), self, settings.recording_extension);
        let path = settings.recordings.join(name);
        let named = path.display().to_string();
        self.open_recordings.insert(leg, named.clone());
        self.order(Command::Record { leg, path }, out);
        self.fact(now, out, Fact::RecordingBegan { leg, path: named });
    }

    /// Nothing of the talk is recorded from here on, or everything again; says who wanted it.
    ///
    /// # Errors
    ///
    /// If nothing is recorded, or that is so already.
    pub(super) fn pause_recording(
        &mut self,
        now: Instant,
        (pause, by): (bool, String),
        out: &mut Vec<Output>,
    ) -> Result<(), OrderError> {
        match (self.paused, pause) {
            _ if self.open_recordings.is_empty() => return Err(OrderError::NotRecorded),
            (true, true) => return Err(OrderError::Paused),
            (false, false) => return Err(OrderError::NotPaused),
            _ => self.paused = pause,
        }
        self.tell_pause(now, &by, out);
        Ok(())
    }

    /// Orders what `paused` says, and writes it down.
    fn tell_pause(&mut self, now: Instant, by: &str, out: &mut Vec<Output>) {
        let pause = self.paused;
        let legs: Vec<LegId> = self.open_recordings.keys().copied().collect();
        for leg in legs {
            self.order(Command::PauseRecording { leg, pause }, out);
            let by = by.to_owned();
            let fact = match pause {
                true => Fact::RecordingPaused { leg, by },
                false => Fact::RecordingResumed { leg, by },
            };
            self.fact(now, out, fact);
        }
    }

    /// What was not to be heard is over: what comes next is recorded again.
    pub(super) fn end_pause(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.typed.clear();
        if std::mem::take(&mut self.paused) {
            self.tell_pause(now, TALK_ENDED, out);
        }
    }

    /// An extension's phone pressed the keys of a code in its talk: it hears once that nothing is
    /// recorded any more, twice that it is again.
    pub(super) fn press_in_talk(
        &mut self,
        now: Instant,
        (leg, key): (LegId, char),
        out: &mut Vec<Output>,
    ) {
        let Some(by) = self.legs.get(&leg).and_then(|leg| leg.extension.clone()) else { return };
        let plan = self.plan.clone();
        let codes = [&plan.codes.record_pause, &plan.codes.record_resume];
        let Some(code) = self.typed_code(leg, key, &codes) else { return };
        let pause = code == 0;
        let is_done = self.pause_recording(now, (pause, by.as_str().to_owned()), out).is_ok();
        let other = self.talks_with(leg);
        let is_held =
            self.is_held_by_us(leg) || other.is_some_and(|other| self.holding.contains(&other));
        // The music of who is held would not come back after it.
        if is_done && !is_held {
            let beeps = if pause { 1 } else { 2 };
            self.play(leg, vec![Sound::Prompt(BEEP.into()); beeps], false, out);
        }
    }

    /// A key of a phone: which of these codes it completes, if it does one.
    pub(super) fn typed_code(&mut self, leg: LegId, key: char, codes: &[&String]) -> Option<usize> {
        let typed = self.typed.entry(leg).or_default();
        if typed.len() == TYPED_MAX {
            typed.remove(0);
        }
        typed.push(key);
        let is = |code: &&String| !code.is_empty() && typed.ends_with(code.as_str());
        let code = codes.iter().position(is)?;
        typed.clear();
        Some(code)
    }

    /// A phone put us on hold or took us back: the other side hears music meanwhile.
    pub(super) fn held(&mut self, now: Instant, leg: LegId, held: bool, out: &mut Vec<Output>) {
        if self.is_supervisor(leg) {
            return; // he holds nobody: he hears nothing for a while
        }
        let fact = if held { Fact::HoldBegan { leg } } else { Fact::HoldEnded { leg } };
        self.fact(now, out, fact);
        if held {
            self.holding.insert(leg);
        } else {
            self.holding.remove(&leg);
        }
        let Stage::Talking(talking) = &self.stage else { return };
        let other = if leg == self.party { talking.peer } else { self.party };
        if held {
            self.play_hold_music(other, out);
        } else if !self.is_held_by_us(other) {
            self.order(Command::Stop { leg: other }, out);
        }
        if !self.supervisors.is_empty() {
            self.order_room(out);
        }
    }

    /// Who leaves holds nobody any more.
    pub(super) fn end_holds(&mut self, now: Instant, out: &mut Vec<Output>) {
        let legs = &self.legs;
        let left = |leg: &LegId| legs.get(leg).is_none_or(Leg::is_leaving);
        let ended: Vec<LegId> = self.holding.iter().copied().filter(left).collect();
        for leg in ended {
            self.holding.remove(&leg);
            self.fact(now, out, Fact::HoldEnded { leg });
        }
    }

    /// The music of the queue that the call came through, for whom the other side holds.
    pub(super) fn play_hold_music(&mut self, leg: LegId, out: &mut Vec<Output>) {
        let Stage::Talking(talking) = &self.stage else { return };
        let music = self.music_for(talking.music.as_ref());
        self.play(leg, vec![Sound::Prompt(music)], true, out);
    }

    /// What is heard on hold in a call that came through `queue`, or through none.
    pub(super) fn music_for(&self, queue: Option<&QueueId>) -> PromptId {
        queue.map_or_else(|| HOLD_MUSIC.into(), |queue| self.music_of(queue))
    }

    /// The conversation is over; its agent has after-call work to do.
    pub(super) fn end_talk(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        talking: &Talking,
        out: &mut Vec<Output>,
    ) {
        let (a, b) = (self.party, talking.peer);
        self.end_pause(now, out);
        self.end_supervision(now, site, out);
        self.fact(now, out, Fact::TalkEnded { a, b });
        if let Some(agent) = &talking.agent {
            site.acd.call_ended(now, self.acd_id, agent, site.decided);
        }
    }
}

/// `2026/11/22/0123456789abcdef.wav`: a folder a day (UTC), a file a call; further ones of the same
/// call are numbered, `0123456789abcdef-2.wav`.
fn file_name(wall: &str, call: &Call, extension: &str) -> PathBuf {
    let day = wall.split('T').next().unwrap_or_default().replace('-', "/");
    let name = match call.recordings {
        1 => format!("{}.{extension}", call.id),
        further => format!("{}-{further}.{extension}", call.id),
    };
    PathBuf::from(day).join(name)
}

/// Keys of a talk that are remembered: more than a code has.
const TYPED_MAX: usize = 16;
/// What is heard when a code was obeyed.
pub(super) const BEEP: &str = "beep";
/// Who resumes a recording that nobody has resumed.
const TALK_ENDED: &str = "talk_ended";
