//! Plays prompts, silence and music to one leg, packet by packet.
//!
//! Spec:     RFC 3551 §4.2 (20 ms packets), the player of issue 2.
//! In:       a playback, the prompts, time.
//! Out:      the samples of the next packet, at a steady pace; whether the playback ended.
//! Not here: encoding and numbering (`session`).

use std::sync::Arc;

use crate::id::PromptId;
use crate::media::control::{PlayId, Playback, Sound};
use crate::media::outgoing::samples_of;
use crate::media::prompt::{Found, Library, Prompt};
use crate::time::{Duration, Instant};

/// What the next packet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The buffer was filled; `begins` says that nothing was sent right before it.
    Audio { begins: bool },
    /// There was nothing left; names what could not be played.
    Ended { id: PlayId, missing: Vec<PromptId> },
    /// A prompt is still being read.
    Waiting,
}

/// One playback on its way.
#[derive(Clone, Debug)]
pub struct Player {
    playback: Playback,
    /// Which of the sounds.
    index: usize,
    /// Samples of that sound played.
    offset: usize,
    current: Option<Arc<Prompt>>,
    /// Samples played since the list began (again): tells a list without any sound.
    heard: usize,
    missing: Vec<PromptId>,
    due: Instant,
    /// Since when a prompt is awaited.
    waiting: Option<Instant>,
    begins: bool,
}

impl Player {
    pub fn new(now: Instant, playback: Playback) -> Self {
        Self {
            playback,
            index: 0,
            offset: 0,
            current: None,
            heard: 0,
            missing: Vec::new(),
            due: now,
            waiting: None,
            begins: true,
        }
    }

    /// When to call `next` again.
    pub fn next_tick(&self) -> Instant {
        self.due
    }

    /// Fills `packet` if it is due; the caller has checked that. The pace holds on average: a call
    /// that comes late makes up for it at the next.
    pub fn next(&mut self, now: Instant, library: &impl Library, packet: &mut [i16]) -> Frame {
        let mut filled = 0;
        while filled < packet.len() {
            match self.fill(now, library, &mut packet[filled..]) {
                Piece::Samples(count) => filled += count,
                Piece::End if filled > 0 => break,
                Piece::End => {
                    let missing = std::mem::take(&mut self.missing);
                    self.due = Instant::NEVER;
                    return Frame::Ended { id: self.playback.id, missing };
                }
                Piece::Waiting if filled > 0 => break,
                Piece::Waiting => {
                    self.due = now + LOADING_POLL;
                    self.begins = true;
                    return Frame::Waiting;
                }
            }
        }
        packet[filled..].fill(0);
        let length = Duration::from_micros(125 * packet.len() as u64);
        let begins = std::mem::replace(&mut self.begins, false);
        let on_time = !begins && now.since(self.due) < LATE_MAX;
        self.due = if on_time { self.due } else { now } + length;
        Frame::Audio { begins }
    }

    /// Copies what fits of the current sound; goes on to the next at its end.
    fn fill(&mut self, now: Instant, library: &impl Library, room: &mut [i16]) -> Piece {
        loop {
            let sounds = Arc::clone(&self.playback.sounds);
            let Some(sound) = sounds.get(self.index) else {
                if !self.playback.repeat || self.heard == 0 {
                    return Piece::End;
                }
                (self.index, self.heard) = (0, 0);
                continue;
            };
            let count = match sound {
                Sound::Silence(length) => {
                    let left = (samples_of(*length) as usize).saturating_sub(self.offset);
                    let count = left.min(room.len());
                    room[..count].fill(0);
                    count
                }
                Sound::Prompt(id) => match self.prompt(now, library, id) {
                    Found::Ready(prompt) => {
                        let left = prompt.samples.get(self.offset..).unwrap_or_default();
                        let count = left.len().min(room.len());
                        room[..count].copy_from_slice(&left[..count]);
                        count
                    }
                    Found::Loading => return Piece::Waiting,
                    Found::Missing => {
                        if !self.missing.contains(id) {
                            self.missing.push(id.clone());
                        }
                        0
                    }
                },
            };
            if count > 0 {
                self.offset += count;
                self.heard += count;
                return Piece::Samples(count);
            }
            self.index += 1;
            self.offset = 0;
            self.current = None;
        }
    }

    /// The prompt being played; one that was begun stays the same to its end.
    fn prompt(&mut self, now: Instant, library: &impl Library, id: &PromptId) -> Found {
        if let Some(prompt) = &self.current {
            return Found::Ready(Arc::clone(prompt));
        }
        let found = library.find(id);
        match &found {
            Found::Ready(prompt) => {
                self.current = Some(Arc::clone(prompt));
                self.waiting = None;
            }
            Found::Loading => {
                let since = *self.waiting.get_or_insert(now);
                if now.since(since) >= LOADING_MAX {
                    self.waiting = None;
                    return Found::Missing;
                }
            }
            Found::Missing => self.waiting = None,
        }
        found
    }
}

enum Piece {
    End,
    Samples(usize),
    Waiting,
}

/// How often a prompt that is being read is asked for.
const LOADING_POLL: Duration = Duration::from_millis(5);
/// After so long a prompt counts as missing.
const LOADING_MAX: Duration = Duration::from_secs(5);
/// A delay that is not made up for: the clock goes on from here.
const LATE_MAX: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn sounds_follow_each_other_without_a_gap() {
        let mut room = Room::new(&[("one", 200, 1), ("two", 100, 2)]);
        let (frames, samples) = room.hear(&[prompt("one"), pause(5), prompt("two")], 160);

        assert_eq!(frames.len(), 4);
        assert_eq!(frames[0], Frame::Audio { begins: true });
        assert_eq!(frames[1], Frame::Audio { begins: false });
        assert_eq!(frames[3], Frame::Ended { id: PlayId(7), missing: vec![] });
        assert_eq!(samples[..200], [1; 200]);
        assert_eq!(samples[200..240], [0; 40]);
        assert_eq!(samples[240..340], [2; 100]);
        assert_eq!(samples[340..], [0; 140]);
    }

    #[test]
    fn the_pace_is_steady_however_late_the_calls_are() {
        let mut room = Room::new(&[("tone", 80_000, 1)]);
        let mut player = room.player(&[prompt("tone")], false);
        let mut buffer = [0; 160];

        for n in 0..100_u64 {
            assert_eq!(player.next_tick(), at_ms(20 * n));
            room.now = player.next_tick() + Duration::from_micros(n * 137 % 15_000);
            if n == 0 {
                room.now = Instant::START;
            }
            player.next(room.now, &room, &mut buffer);
        }
    }

    #[test]
    fn a_long_stall_is_not_followed_by_a_burst() {
        let mut room = Room::new(&[("tone", 80_000, 1)]);
        let mut player = room.player(&[prompt("tone")], false);
        player.next(room.now, &room, &mut [0; 160]);
        room.now = at_ms(5000);

        player.next(room.now, &room, &mut [0; 160]);

        assert_eq!(player.next_tick(), at_ms(5020));
    }

    #[test]
    fn music_begins_again() {
        let room = Room::new(&[("hold", 300, 4)]);
        let mut player = room.player(&[prompt("hold")], true);

        for _ in 0..1000 {
            let mut buffer = [0; 160];
            assert!(matches!(player.next(room.now, &room, &mut buffer), Frame::Audio { .. }));
            assert_eq!(buffer, [4; 160]);
        }
    }

    #[test]
    fn missing_prompts_are_skipped_and_named() {
        let mut room = Room::new(&[("one", 160, 1)]);

        let (frames, _) = room.hear(&[prompt("gone"), prompt("one"), prompt("lost")], 160);

        let missing = vec!["gone".into(), "lost".into()];
        assert_eq!(frames[1], Frame::Ended { id: PlayId(7), missing });
    }

    #[test]
    fn music_of_nothing_ends() {
        let room = Room::new(&[]);
        for sounds in [vec![prompt("gone")], vec![], vec![pause(0)]] {
            let mut player = room.player(&sounds, true);

            let frame = player.next(room.now, &room, &mut [0; 160]);

            assert!(matches!(frame, Frame::Ended { .. }));
        }
    }

    #[test]
    fn a_prompt_that_is_being_read_is_awaited_but_not_for_ever() {
        let mut room = Room::new(&[]);
        room.loading = true;
        let mut player = room.player(&[prompt("slow")], false);

        assert_eq!(player.next(room.now, &room, &mut [0; 160]), Frame::Waiting);
        assert_eq!(player.next_tick(), at_ms(5));
        room.now = at_ms(5000);

        let missing = vec!["slow".into()];
        let frame = player.next(room.now, &room, &mut [0; 160]);
        assert_eq!(frame, Frame::Ended { id: PlayId(7), missing });
    }

    fn prompt(name: &str) -> Sound {
        Sound::Prompt(name.into())
    }

    fn pause(ms: u64) -> Sound {
        Sound::Silence(Duration::from_millis(ms))
    }

    fn at_ms(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    struct Room {
        prompts: BTreeMap<PromptId, Arc<Prompt>>,
        loading: bool,
        now: Instant,
    }

    impl Library for Room {
        fn find(&self, id: &PromptId) -> Found {
            match self.prompts.get(id) {
                Some(prompt) => Found::Ready(Arc::clone(prompt)),
                None if self.loading => Found::Loading,
                None => Found::Missing,
            }
        }
    }

    impl Room {
        fn new(prompts: &[(&str, usize, i16)]) -> Self {
            let prompts = prompts.iter().map(|(name, length, sample)| {
                let samples = vec![*sample; *length].into_boxed_slice();
                ((*name).into(), Arc::new(Prompt { samples }))
            });
            Self { prompts: prompts.collect(), loading: false, now: Instant::START }
        }

        fn player(&self, sounds: &[Sound], repeat: bool) -> Player {
            Player::new(self.now, Playback { id: PlayId(7), sounds: sounds.into(), repeat })
        }

        fn hear(&mut self, sounds: &[Sound], packet: usize) -> (Vec<Frame>, Vec<i16>) {
            let mut player = self.player(sounds, false);
            let (mut frames, mut samples) = (Vec::new(), Vec::new());
            while player.next_tick() < Instant::NEVER {
                self.now = player.next_tick();
                let mut buffer = vec![99; packet];
                let frame = player.next(self.now, self, &mut buffer);
                if matches!(frame, Frame::Audio { .. }) {
                    samples.extend(buffer);
                }
                frames.push(frame);
            }
            (frames, samples)
        }
    }
}
