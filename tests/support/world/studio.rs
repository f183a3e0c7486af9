//! A media thread without audio: knows who hears what, and reports what the Switch waits for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use strowger::id::LegId;
use strowger::media::control::{
    Command, Counts, Ear, Event, Party, PlayId, Playback, Port, Recorded, Room, RoomId, Sound, Way,
};
use strowger::time::Duration;

/// What a phone hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Nothing,
    /// The phone with this name.
    Phone(String),
    /// The phones with these names, mixed.
    Phones(Vec<String>),
    /// Prompts, by their names.
    Prompts(Vec<String>),
}

/// The media of all legs.
#[derive(Debug, Default)]
pub struct Studio {
    pub legs: BTreeMap<LegId, Sounding>,
    rooms: BTreeMap<RoomId, Vec<Party>>,
    /// Every order, in turn.
    pub orders: Vec<Command>,
    /// Whether nothing is reported any more, as if the thread had died.
    pub is_dead: bool,
    /// How long a finished recording takes to be complete on the disk.
    pub sealing: Duration,
}

/// One leg's media.
#[derive(Debug)]
pub struct Sounding {
    port: Port,
    /// On its way to its thread.
    moves: bool,
    remote: Option<SocketAddr>,
    /// Whether audio is sent to the phone.
    sends: bool,
    bridged: Option<LegId>,
    room: Option<RoomId>,
    plays: Option<Playback>,
    pub recording: Option<PathBuf>,
}

/// What the studio says, and how long after the order.
pub type Reports = Vec<(Duration, Event)>;

impl Studio {
    /// Carries out an order.
    ///
    /// # Panics
    ///
    /// If the order makes no sense: a leg that is not there or on another thread, a port that is
    /// taken.
    pub fn order(&mut self, thread: u8, command: &Command) -> Reports {
        self.orders.push(command.clone());
        let opens = matches!(command, Command::Open { .. });
        for leg in command.legs().into_iter().flatten().filter(|_| !opens) {
            let leg = self.leg(leg);
            assert!(leg.port.thread == thread && !leg.moves, "{command:?} on thread {thread}");
        }
        let mut reports = Reports::new();
        match command {
            Command::Bridge { a, b } => self.bridge(*a, *b),
            Command::Close { leg } => self.close(*leg, &mut reports),
            Command::Connect { leg, audio } => {
                let leg = self.leg(*leg);
                leg.remote = Some(audio.remote_rtp);
                leg.sends = audio.direction.sends();
            }
            Command::Move { leg: id, to } => {
                self.unbridge(*id);
                let leg = self.leg(*id);
                (leg.moves, leg.port.thread, leg.plays) = (true, *to, None);
                reports.push((QUICK, Event::Moved { leg: *id }));
            }
            Command::Open { leg, port } => self.open(*leg, *port),
            Command::Play { leg, playback } => {
                self.leg(*leg).plays = Some(playback.clone());
                if !playback.repeat {
                    let (leg, playback) = (*leg, playback.clone());
                    let ended = Event::Ended { leg, playback: playback.id, missing: Vec::new() };
                    reports.push((length(&playback), ended));
                }
            }
            Command::PauseRecording { leg, .. } => {
                assert!(self.leg(*leg).recording.is_some(), "{command:?} without a recording");
            }
            Command::Press { .. } => {}
            Command::Record { leg, path } => self.leg(*leg).recording = Some(path.clone()),
            Command::Return { port } => reports.push((QUICK, Event::Spare { port: *port })),
            Command::Room(room) => self.room(thread, room),
            Command::Stop { leg } => self.leg(*leg).plays = None,
            Command::StopRecording { leg } => reports.extend(self.stop_recording(*leg)),
            Command::Unbridge { leg } => self.unbridge(*leg),
        }
        if self.is_dead { Reports::new() } else { reports }
    }

    /// Whether a report is still true when its time has come.
    pub fn is_true(&mut self, event: &Event) -> bool {
        if let Event::Moved { leg } = event {
            self.leg(*leg).moves = false;
        }
        let Event::Ended { leg, playback, .. } = event else { return true };
        let Some(leg) = self.legs.get_mut(leg) else { return false };
        let plays = leg.plays.as_ref().is_some_and(|plays| plays.id == *playback);
        if plays {
            leg.plays = None;
        }
        plays
    }

    /// The leg whose phone gets its audio at this address.
    pub fn leg_at(&self, remote: SocketAddr) -> Option<LegId> {
        let mut legs = self.legs.iter().filter(|(_, leg)| leg.remote == Some(remote));
        legs.next_back().map(|(id, _)| *id)
    }

    /// What is played to the phone at this address, or else whose audio goes there.
    pub fn heard_at(&self, remote: SocketAddr) -> Result<Vec<SocketAddr>, Vec<String>> {
        let Some((id, leg)) = self.leg_at(remote).and_then(|id| self.legs.get_key_value(&id))
        else {
            return Ok(Vec::new());
        };
        match &leg.plays {
            _ if !leg.sends => Ok(Vec::new()),
            Some(playback) => Err(playback.sounds.iter().map(name).collect()),
            None => {
                let heard = self.others_in_room(*id).into_iter().chain(leg.bridged);
                Ok(heard.filter_map(|leg| self.legs.get(&leg)?.remote).collect())
            }
        }
    }

    /// Whom a leg hears in its room.
    fn others_in_room(&self, id: LegId) -> Vec<LegId> {
        let room = self.legs[&id].room.and_then(|room| self.rooms.get(&room));
        let is_for = |party: &&Party| match party.heard_by {
            Ear::Everybody => party.leg != id,
            Ear::Nobody => false,
            Ear::Only(leg) => leg == id,
        };
        room.into_iter().flatten().filter(is_for).map(|party| party.leg).collect()
    }

    /// What plays to a leg, if anything does.
    pub fn plays(&self, leg: LegId) -> Option<PlayId> {
        self.legs.get(&leg)?.plays.as_ref().map(|playback| playback.id)
    }

    fn leg(&mut self, id: LegId) -> &mut Sounding {
        self.legs.get_mut(&id).unwrap_or_else(|| panic!("an order for leg {id}, which is closed"))
    }

    fn open(&mut self, id: LegId, port: Port) {
        let taken = self.legs.values().any(|leg| leg.port == port);
        assert!(!taken, "port {port:?} is taken");
        let (remote, bridged, room, plays, recording) = (None, None, None, None, None);
        let (moves, sends) = (false, false);
        let fresh = Sounding { port, moves, remote, sends, bridged, room, plays, recording };
        let before = self.legs.insert(id, fresh);
        assert!(before.is_none(), "leg {id} is opened twice");
    }

    fn room(&mut self, thread: u8, wanted: &Room) {
        let is_named = |id: &LegId| wanted.parties.iter().any(|party| party.leg == *id);
        for (id, leg) in &mut self.legs {
            if leg.room == Some(wanted.id) && !is_named(id) {
                leg.room = None;
            }
        }
        for party in &wanted.parties {
            let leg = self.leg(party.leg);
            assert!(leg.port.thread == thread && !leg.moves, "{wanted:?} on thread {thread}");
            if leg.room.is_none() && leg.bridged.is_none() {
                leg.plays = None;
            }
            (leg.room, leg.bridged) = (Some(wanted.id), None);
        }
        self.rooms.insert(wanted.id, wanted.parties.clone());
    }

    fn bridge(&mut self, a: LegId, b: LegId) {
        self.unbridge(a);
        self.unbridge(b);
        self.leg(a).bridged = Some(b);
        self.leg(b).bridged = Some(a);
        self.leg(a).plays = None;
        self.leg(b).plays = None;
    }

    fn unbridge(&mut self, id: LegId) {
        if let Some(peer) = self.leg(id).bridged.take()
            && let Some(peer) = self.legs.get_mut(&peer)
        {
            peer.bridged = None;
        }
        if let Some(room) = self.leg(id).room.take().and_then(|room| self.rooms.get_mut(&room)) {
            room.retain(|party| party.leg != id);
        }
    }

    fn close(&mut self, id: LegId, reports: &mut Reports) {
        self.unbridge(id);
        reports.extend(self.stop_recording(id));
        let Some(leg) = self.legs.remove(&id) else { return };
        let way = Way { packets: 50, bytes: 8000, ..Way::default() };
        let counts = Counts { received: way.clone(), sent: way, ..Counts::default() };
        reports.push((QUICK, Event::Closed { leg: id, counts: Box::new(counts) }));
        reports.push((PORT_REST, Event::Spare { port: leg.port }));
    }

    fn stop_recording(&mut self, id: LegId) -> Option<(Duration, Event)> {
        let path = self.leg(id).recording.take()?;
        let recording = Recorded {
            path,
            length: Duration::from_secs(1),
            bytes: 16_044,
            sha256: "00".repeat(32),
            fault: None,
            gaps: Vec::new(),
        };
        Some((QUICK + self.sealing, Event::Recorded { leg: id, recording: Box::new(recording) }))
    }
}

fn name(sound: &Sound) -> String {
    match sound {
        Sound::Prompt(prompt) => prompt.to_string(),
        Sound::Silence(_) => "silence".to_owned(),
    }
}

/// Every prompt lasts one second here.
fn length(playback: &Playback) -> Duration {
    let lengths = playback.sounds.iter().map(|sound| match sound {
        Sound::Prompt(_) => Duration::from_secs(1),
        Sound::Silence(length) => *length,
    });
    lengths.sum()
}

const QUICK: Duration = Duration::from_millis(5);
const PORT_REST: Duration = Duration::from_secs(2);
