//! A leg's side of offer and answer (RFC 3264): what we said, what was agreed on.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::media::control::Port;
use crate::rng::Rng;
use crate::sdp::{
    self, Codec, Direction, Local, MasterKey, Negotiated, Opus, Packets, Refusal, Security,
    Session, Suite,
};

/// The session description of one leg, as both sides left it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Audio {
    /// The address that the peer is told to send to.
    address: IpAddr,
    port: Port,
    ptime: u8,
    /// The `o=` line's id and version (RFC 8866 §5.2).
    session: u64,
    version: u64,
    /// What we said last, to tell a repetition from a change.
    said: String,
    /// The codecs that we want, the preferred first, and which way.
    codecs: Vec<Codec>,
    direction: Direction,
    /// Whether keys are carried by the audio (RFC 4733).
    digits: bool,
    /// Whether comfort noise is in our first offer; answers accept it always.
    noise: bool,
    /// What the peer is told of Opus that it sends: what the one wants who is to hear it.
    opus: Opus,
    /// The same of packets.
    packets: Packets,
    sealing: Sealing,
    /// The direction that we wanted when the two sides last agreed.
    settled: Direction,
    /// Our offer that waits for its answer.
    offered: Option<Offered>,
    agreed: Option<Negotiated>,
    /// The phone has put us on hold: it heard us before, and does not any more.
    held: bool,
    /// The peer's last description: a further offer of ours keeps its lines (RFC 3264 §8).
    theirs: Option<Session>,
}

/// An offer of ours that has no answer yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Offered {
    codecs: Vec<Codec>,
    noise: bool,
    direction: Direction,
    /// The direction that we want, which an offer of the same does not say.
    wanted: Direction,
    /// It keeps the lines of the peer's last description.
    again: bool,
    /// What we would encrypt with, under the tags 1, 2 and so on.
    keys: Vec<MasterKey>,
}

/// How a leg's audio is encrypted, as far as we are asked. `Debug` does not tell the secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sealing {
    security: Security,
    /// The preferred first.
    suites: Arc<[Suite]>,
    /// What the leg's keys are made from.
    secret: [u8; 32],
    /// Keys that were given up: none is taken up again, lest it encrypt twice under the same number
    /// (RFC 3711 §9.1).
    spent: u32,
}

impl Sealing {
    /// `suites` stand in the order of preference.
    pub fn new(security: Security, suites: Arc<[Suite]>, rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self { security, suites, secret, spent: 0 }
    }

    /// A key for each suite, the same until one is given up.
    fn keys(&self) -> Vec<MasterKey> {
        let mut seed = self.secret;
        let turn = seed.last_chunk_mut().expect("the seed has 32 bytes");
        *turn = u32::from_be_bytes(*turn).wrapping_add(self.spent).to_be_bytes();
        let mut rng = Rng::from_seed(seed);
        self.suites.iter().map(|suite| MasterKey::random(*suite, &mut rng)).collect()
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing").field("security", &self.security).finish_non_exhaustive()
    }
}

/// What a phone can hear beside its codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ear {
    /// Comfort noise.
    pub noise: bool,
    /// What it wants of Opus.
    pub opus: Opus,
    /// How long its packets are to be.
    pub packets: Packets,
}

/// What an agreement changed for the rest of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    Began,
    Ended,
    Unchanged,
}

impl Audio {
    /// `address` and `ptime` are what the peer is told; `session` names the description.
    pub fn new((address, port): (IpAddr, Port), ptime: u8, session: u64, sealing: Sealing) -> Self {
        Self {
            address,
            port,
            ptime,
            session,
            version: 0,
            said: String::new(),
            codecs: Vec::new(),
            direction: Direction::SendRecv,
            digits: true,
            noise: false,
            opus: Opus::OURS,
            packets: Packets::default(),
            sealing,
            settled: Direction::SendRecv,
            offered: None,
            agreed: None,
            held: false,
            theirs: None,
        }
    }

    pub fn port(&self) -> Port {
        self.port
    }

    pub fn agreed(&self) -> Option<&Negotiated> {
        self.agreed.as_ref()
    }

    /// Our last description, as we wrote it.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// Whether our offer still waits for its answer: another one would be glare (RFC 3261 §14.1).
    pub fn is_offering(&self) -> bool {
        self.offered.is_some()
    }

    /// Whether the phone has put us on hold: it does not want to hear us any more, or is at no
    /// address. One that never did, such as a microphone, holds nobody.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// From here on we want these codecs, the preferred first: in offers and in answers.
    pub fn want_codecs(&mut self, codecs: Vec<Codec>) {
        self.codecs = codecs;
    }

    /// From here on nothing is offered or agreed that is not encrypted.
    pub fn must_be_encrypted(&mut self) {
        self.sealing.security = Security::Required;
    }

    /// From here on the peer is told what `ear` can hear; it is to hear what the peer says.
    pub fn want_ear(&mut self, ear: Ear) {
        (self.noise, self.opus, self.packets) = (ear.noise, ear.opus, ear.packets);
    }

    /// From here on keys are carried by the audio, or not.
    pub fn want_digits(&mut self, want: bool) {
        self.digits = want;
    }

    /// Whether we hold the phone, or are about to.
    pub fn wants_hold(&self) -> bool {
        self.direction == Direction::SendOnly
    }

    /// Whether keys are carried by the audio, as far as we are asked.
    pub fn carries_digits(&self) -> bool {
        self.digits
    }

    /// From here on we hear the phone, or (`hold`) do not want to: in offers and in answers.
    pub fn want_hold(&mut self, hold: bool) {
        self.direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
    }

    /// From here on we want what is spoken already, and then the rest of `all`: nothing that we
    /// change or agree to changes the codec without need.
    pub fn want_the_same_first(&mut self, all: &[Codec]) {
        if let Some(agreed) = &self.agreed {
            self.codecs = agreed.spoken();
        }
        for codec in all {
            if !self.codecs.contains(codec) {
                self.codecs.push(*codec);
            }
        }
    }

    /// An offer of what we want; the first one of the dialog, or a further one.
    pub fn offer(&mut self) -> String {
        self.offer_as(self.codecs.clone(), self.direction)
    }

    /// An offer of what is agreed on already, whoever holds whom: nothing is to change.
    pub fn offer_the_same(&mut self) -> String {
        match &self.agreed {
            Some(agreed) => self.offer_as(agreed.spoken(), agreed.direction),
            None => self.offer(),
        }
    }

    fn offer_as(&mut self, codecs: Vec<Codec>, direction: Direction) -> String {
        let theirs = self.theirs.take();
        let keys = self.keys_to_offer();
        let noise = self.agreed.as_ref().map_or(self.noise, |agreed| agreed.noise);
        let text = self.say(|local| {
            let local = Local { codecs: &codecs, noise, direction, keys: &keys, ..local };
            match &theirs {
                Some(theirs) => sdp::offer_again(&local, theirs),
                None => sdp::offer(&local),
            }
        });
        self.theirs = theirs;
        let again = self.theirs.is_some();
        let wanted = self.direction;
        self.offered = Some(Offered { codecs, noise, direction, again, wanted, keys });
        text
    }

    /// What is agreed on stays; else every suite, if we are to offer any.
    fn keys_to_offer(&self) -> Vec<MasterKey> {
        if let Some(keys) = self.agreed.as_ref().and_then(|agreed| agreed.keys.as_ref()) {
            return vec![keys.send.clone()];
        }
        match self.sealing.security {
            Security::Preferred if self.agreed.is_none() => self.sealing.keys(),
            Security::Required => self.sealing.keys(),
            Security::Off | Security::Accepted | Security::Preferred => Vec::new(),
        }
    }

    /// A key for each suite that we can answer with; what is agreed on keeps its key.
    fn keys_to_answer(&self, offer: &Session) -> Vec<MasterKey> {
        if self.sealing.security == Security::Off || !sdp::has_keys(offer) {
            return Vec::new();
        }
        let mut keys = self.sealing.keys();
        if let Some(agreed) = self.agreed.as_ref().and_then(|agreed| agreed.keys.as_ref()) {
            let same = keys.iter_mut().filter(|key| key.suite() == agreed.send.suite());
            same.for_each(|key| key.clone_from(&agreed.send));
        }
        keys
    }

    /// Whether there is an answer to `offer` with some of `codecs`.
    pub fn can_answer(&self, offer: &Session, codecs: &[Codec]) -> bool {
        let keys = self.keys_to_answer(offer);
        sdp::answer(offer, &Local { codecs, keys: &keys, ..self.local() }).is_ok()
    }

    /// Our answer to `offer`.
    ///
    /// # Errors
    ///
    /// When the two sides share nothing; what was agreed on before stays.
    pub fn answer(&mut self, offer: &Session) -> Result<(String, Hold), Refusal> {
        let (codecs, keys) = (self.codecs.clone(), self.keys_to_answer(offer));
        let with = |local| Local { codecs: &codecs, keys: &keys, ..local };
        let mut agreed = sdp::answer(offer, &with(self.local()))?.1;
        let text = self.say(|local| match sdp::answer(offer, &with(local)) {
            Ok((text, same)) => {
                agreed = same;
                text
            }
            Err(_) => String::new(),
        });
        let hold = self.agree(self.direction, agreed);
        self.theirs = Some(offer.clone());
        Ok((text, hold))
    }

    /// Takes the peer's `answer` to our offer.
    ///
    /// # Errors
    ///
    /// When the answer fits no offer of ours.
    pub fn accept(&mut self, answer: &Session) -> Result<Hold, Refusal> {
        let Some(offered) = self.offered.take() else { return Err(Refusal::MediaLines) };
        let agreed = self.fit(&offered, answer)?;
        let hold = self.agree(offered.wanted, agreed);
        self.theirs = Some(answer.clone());
        Ok(hold)
    }

    /// Takes an answer that another may follow: in a provisional response. The offer stays open.
    ///
    /// # Errors
    ///
    /// When the answer fits no offer of ours; what was agreed on before stays.
    pub fn accept_early(&mut self, answer: &Session) -> Result<(), Refusal> {
        let Some(offered) = &self.offered else { return Err(Refusal::MediaLines) };
        let (wanted, agreed) = (offered.wanted, self.fit(offered, answer)?);
        self.agree(wanted, agreed);
        Ok(())
    }

    fn fit(&self, offered: &Offered, answer: &Session) -> Result<Negotiated, Refusal> {
        let Offered { codecs, noise, direction, again, keys, .. } = offered;
        let (noise, direction) = (*noise, *direction);
        let local = Local { codecs, noise, direction, keys, ..self.local() };
        match &self.theirs {
            Some(theirs) if *again => sdp::accept_again(&local, theirs, answer),
            _ => sdp::accept(&local, answer),
        }
    }

    /// Our offer counts as never made: what was agreed on before stays.
    pub fn withdraw_offer(&mut self) {
        self.offered = None;
    }

    /// The peer does not want what we want: that is given up.
    pub fn give_in(&mut self) {
        self.offered = None;
        self.direction = self.settled;
    }

    fn agree(&mut self, wanted: Direction, agreed: Negotiated) -> Hold {
        let before = self.held;
        let heard_us = self.agreed.as_ref().is_some_and(|agreed| agreed.direction.sends());
        self.held = !agreed.direction.sends() && (before || heard_us);
        self.settled = wanted;
        let given_up = self.agreed.as_ref().and_then(|before| before.keys.as_ref());
        if given_up
            .is_some_and(|keys| agreed.keys.as_ref().map(|new| &new.send) != Some(&keys.send))
        {
            self.sealing.spent = self.sealing.spent.wrapping_add(1);
        }
        self.agreed = Some(agreed);
        match (before, self.held) {
            (false, true) => Hold::Began,
            (true, false) => Hold::Ended,
            (false, false) | (true, true) => Hold::Unchanged,
        }
    }

    /// How long the peer wants packets to be, as it said last.
    pub fn wanted_packets(&self) -> Packets {
        self.theirs.as_ref().map(sdp::packets_of).unwrap_or_default()
    }

    fn local(&self) -> Local<'static> {
        let maxptime = self.packets.maxptime;
        Local {
            address: self.address,
            port: self.port.rtp,
            session: self.session,
            version: self.version,
            codecs: &[],
            digits: self.digits,
            noise: true,
            opus: self.opus,
            direction: self.direction,
            ptime: self.packets.ptime.unwrap_or(self.ptime).min(maxptime.unwrap_or(u8::MAX)),
            maxptime,
            security: self.sealing.security,
            keys: &[],
        }
    }

    /// Writes a description; its version grows when it differs from the last one (RFC 3264 §8).
    fn say(&mut self, mut write: impl FnMut(Local<'static>) -> String) -> String {
        let mut text = write(self.local());
        if !self.said.is_empty() && text != self.said {
            self.version += 1;
            text = write(self.local());
        }
        self.said.clone_from(&text);
        text
    }
}
