//! The conferences of the node: who is in which, and what their media thread is told.
//!
//! In:       members who come, leave, arrive on the media thread, are muted.
//! Out:      the whole room as it is to be; music for who is alone.
//! Not here: one member's call (`call::conference`), mixing (`media::room`).

use std::collections::BTreeMap;

use crate::call::config::Conference;
use crate::id::{CallId, ConferenceId, LegId, PromptId};
use crate::media::control::{Command, Ear, Party, PlayId, Playback, Room, RoomId, Sound};
use crate::time::{Duration, Instant};

/// All conferences in which somebody is.
#[derive(Debug, Default)]
pub struct Halls {
    halls: BTreeMap<ConferenceId, Hall>,
    /// Conferences begun so far: each has a room of its own.
    begun: u64,
}

/// One conference.
#[derive(Debug)]
pub struct Hall {
    room: RoomId,
    /// The media thread of all its members.
    pub thread: u8,
    pub members: Vec<Member>,
    speakers_max: u8,
    tones: bool,
    music: PromptId,
    alone_max: Duration,
    /// When the one who is left alone is hung up.
    alone_until: Option<Instant>,
    /// The leg that music plays to.
    entertained: Option<LegId>,
}

/// Somebody in a conference.
#[derive(Clone, Debug)]
pub struct Member {
    pub call: CallId,
    pub leg: LegId,
    pub joined: Instant,
    pub muted: bool,
    /// His leg is on the media thread.
    here: bool,
}

impl Halls {
    /// Whether one more may come.
    pub fn has_room(&self, id: &ConferenceId, config: &Conference) -> bool {
        let members = self.halls.get(id).map_or(0, |hall| hall.members.len());
        members < usize::from(config.parties_max)
    }

    /// Somebody comes; gives the media thread that his leg must be on. `thread` is his.
    pub fn enter(
        &mut self,
        now: Instant,
        (id, config): (&ConferenceId, &Conference),
        (call, leg): (CallId, LegId),
        thread: u8,
    ) -> u8 {
        let begun = &mut self.begun;
        let hall = self.halls.entry(id.clone()).or_insert_with(|| {
            *begun += 1;
            Hall {
                room: RoomId(ROOMS | *begun),
                thread,
                members: Vec::new(),
                speakers_max: config.speakers_max,
                tones: config.tones,
                music: config.music.clone(),
                alone_max: config.alone_max,
                alone_until: None,
                entertained: None,
            }
        });
        hall.members.push(Member { call, leg, joined: now, muted: false, here: false });
        hall.thread
    }

    /// His leg is on the media thread: from here on he is heard.
    pub fn arrive(&mut self, now: Instant, id: &ConferenceId, leg: LegId) -> Vec<(u8, Command)> {
        let Some(hall) = self.halls.get_mut(id) else { return Vec::new() };
        if let Some(member) = hall.member(leg) {
            member.here = true;
        }
        hall.commands(now)
    }

    pub fn leave(&mut self, now: Instant, id: &ConferenceId, leg: LegId) -> Vec<(u8, Command)> {
        let Some(hall) = self.halls.get_mut(id) else { return Vec::new() };
        hall.members.retain(|member| member.leg != leg);
        if hall.entertained == Some(leg) {
            hall.entertained = None;
        }
        let commands = hall.commands(now);
        if hall.members.is_empty() {
            self.halls.remove(id);
        }
        commands
    }

    /// Mutes somebody, or lets him be heard again; nothing if that is so already.
    pub fn mute(
        &mut self,
        now: Instant,
        id: &ConferenceId,
        (leg, mute): (LegId, bool),
    ) -> Option<Vec<(u8, Command)>> {
        let hall = self.halls.get_mut(id)?;
        let member = hall.member(leg).filter(|member| member.muted != mute)?;
        member.muted = mute;
        Some(hall.commands(now))
    }

    /// Whether somebody is muted.
    pub fn is_muted(&self, id: &ConferenceId, leg: LegId) -> bool {
        let hall = self.halls.get(id);
        hall.is_some_and(|hall| hall.members.iter().any(|it| it.leg == leg && it.muted))
    }

    /// Something else was played to somebody: if he is alone, his music begins again.
    pub fn entertain_again(&mut self, id: &ConferenceId, leg: LegId) -> Option<(u8, Command)> {
        let hall = self.halls.get(id).filter(|hall| hall.entertained == Some(leg))?;
        Some((hall.thread, hall.music_for(leg)))
    }

    /// Those who have been alone for too long.
    pub fn forsaken(&self, now: Instant) -> Vec<CallId> {
        let due = self.halls.values().filter(|hall| hall.alone_until.is_some_and(|at| at <= now));
        due.flat_map(|hall| hall.members.iter().map(|member| member.call)).collect()
    }

    /// When somebody has been alone for too long next.
    pub fn next_tick(&self) -> Option<Instant> {
        self.halls.values().filter_map(|hall| hall.alone_until).min()
    }

    /// All conferences, by their ids.
    pub fn all(&self) -> impl Iterator<Item = (&ConferenceId, &Hall)> {
        self.halls.iter()
    }

    /// The conference that a leg is in.
    pub fn of(&self, leg: LegId) -> Option<&ConferenceId> {
        let mut halls = self.halls.iter();
        halls.find(|(_, hall)| hall.members.iter().any(|it| it.leg == leg)).map(|(id, _)| id)
    }
}

impl Hall {
    fn member(&mut self, leg: LegId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.leg == leg)
    }

    /// The room as it is to be; and who is alone hears music, others do not.
    fn commands(&mut self, now: Instant) -> Vec<(u8, Command)> {
        let party = |member: &Member| Party {
            leg: member.leg,
            heard_by: if member.muted { Ear::Nobody } else { Ear::Everybody },
        };
        let parties: Vec<Party> = self.members.iter().filter(|it| it.here).map(party).collect();
        let alone = match &parties[..] {
            [party] if self.members.len() == 1 => Some(party.leg),
            _ => None,
        };
        let (id, speakers_max, tones) = (self.room, self.speakers_max, self.tones);
        let room = Room { id, parties, speakers_max, tones };
        let mut commands = vec![Command::Room(Box::new(room))];
        if alone != self.entertained {
            commands.extend(self.entertained.map(|leg| Command::Stop { leg }));
            commands.extend(alone.map(|leg| self.music_for(leg)));
            self.entertained = alone;
            self.alone_until = alone.map(|_| now + self.alone_max);
        }
        commands.into_iter().map(|command| (self.thread, command)).collect()
    }

    fn music_for(&self, leg: LegId) -> Command {
        let sounds = [Sound::Prompt(self.music.clone())].into();
        Command::Play { leg, playback: Playback { id: MUSIC, sounds, repeat: true } }
    }
}

/// Rooms of conferences have names that no call has.
const ROOMS: u64 = 1 << 63;
/// Music never ends by itself: its name is not needed.
const MUSIC: PlayId = PlayId(u32::MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_hears_music_until_another_is_there() {
        let (mut halls, room) = (Halls::default(), ConferenceId::from("room"));
        let config = Conference::default();
        let leg = |index| LegId { call: CallId::from_u64(1), index };
        let come = |halls: &mut Halls, index| {
            halls.enter(Instant::START, (&room, &config), (leg(index).call, leg(index)), 3);
            halls.arrive(Instant::START, &room, leg(index))
        };
        let plays = |commands: &[(u8, Command)]| {
            commands.iter().any(|(_, command)| matches!(command, Command::Play { .. }))
        };
        let stops = |commands: &[(u8, Command)]| {
            commands.iter().any(|(_, command)| matches!(command, Command::Stop { .. }))
        };

        let first = come(&mut halls, 0);
        assert!(plays(&first) && !stops(&first));
        let alone_until = Instant::START + config.alone_max;
        assert_eq!(halls.next_tick(), Some(alone_until));
        let second = come(&mut halls, 1);
        assert!(stops(&second) && !plays(&second));
        assert_eq!(halls.next_tick(), None);
        let left = halls.leave(Instant::START, &room, leg(0));
        assert!(plays(&left) && !stops(&left), "who has left is told nothing more");
        assert_eq!(halls.forsaken(alone_until), [leg(1).call]);
        halls.leave(Instant::START, &room, leg(1));
        assert_eq!((halls.all().count(), halls.next_tick()), (0, None));
    }

    #[test]
    fn a_conference_has_a_limit() {
        let (mut halls, room) = (Halls::default(), ConferenceId::from("room"));
        let config = Conference { parties_max: 2, ..Conference::default() };
        for index in 0..2 {
            assert!(halls.has_room(&room, &config));
            let leg = LegId { call: CallId::from_u64(1), index };
            halls.enter(Instant::START, (&room, &config), (leg.call, leg), 0);
        }
        assert!(!halls.has_room(&room, &config));
    }
}
