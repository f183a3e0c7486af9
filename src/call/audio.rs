//! A leg's side of offer and answer (RFC 3264): what we said, what was agreed on.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::media::control::Port;
use crate::sdp::{self, Codec, Direction, Local, Negotiated, Refusal, Session};

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
    /// The direction that we wanted when the two sides last agreed.
    settled: Direction,
    /// Our offer that waits for its answer.
    offered: Option<Offered>,
    agreed: Option<Negotiated>,
    /// The peer's last description: a further offer of ours keeps its lines (RFC 3264 §8).
    theirs: Option<Session>,
}

/// An offer of ours that has no answer yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Offered {
    codecs: Vec<Codec>,
    direction: Direction,
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
    pub fn new((address, port): (IpAddr, Port), ptime: u8, session: u64) -> Self {
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
            settled: Direction::SendRecv,
            offered: None,
            agreed: None,
            theirs: None,
        }
    }

    pub fn port(&self) -> Port {
        self.port
    }

    pub fn agreed(&self) -> Option<&Negotiated> {
        self.agreed.as_ref()
    }

    /// Whether our offer still waits for its answer: another one would be glare (RFC 3261 §14.1).
    pub fn is_offering(&self) -> bool {
        self.offered.is_some()
    }

    /// Whether the phone has put us on hold: it does not want to hear us, or is at no address.
    pub fn is_held(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| !agreed.direction.sends())
    }

    /// From here on we want these codecs, the preferred first: in offers and in answers.
    pub fn want_codecs(&mut self, codecs: Vec<Codec>) {
        self.codecs = codecs;
    }

    /// From here on keys are carried by the audio, or not.
    pub fn want_digits(&mut self, want: bool) {
        self.digits = want;
    }

    /// Whether keys are carried by the audio, as far as we are asked.
    pub fn carries_digits(&self) -> bool {
        self.digits
    }

    /// From here on we hear the phone, or (`hold`) do not want to: in offers and in answers.
    pub fn want_hold(&mut self, hold: bool) {
        self.direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
    }

    /// An offer of what we want; the first one of the dialog, or a further one.
    pub fn offer(&mut self) -> String {
        let (codecs, theirs) = (self.codecs.clone(), self.theirs.take());
        let text = self.say(|local| {
            let local = Local { codecs: &codecs, ..local };
            match &theirs {
                Some(theirs) => sdp::offer_again(&local, theirs),
                None => sdp::offer(&local),
            }
        });
        self.theirs = theirs;
        self.offered = Some(Offered { codecs, direction: self.direction });
        text
    }

    /// Our answer to `offer`.
    ///
    /// # Errors
    ///
    /// When the two sides share nothing; what was agreed on before stays.
    pub fn answer(&mut self, offer: &Session) -> Result<(String, Hold), Refusal> {
        let codecs = self.codecs.clone();
        let mut agreed = sdp::answer(offer, &Local { codecs: &codecs, ..self.local() })?.1;
        let text =
            self.say(|local| match sdp::answer(offer, &Local { codecs: &codecs, ..local }) {
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
        let Offered { codecs, direction } = offered;
        let local = Local { codecs: &codecs, direction, ..self.local() };
        let agreed = match &self.theirs {
            Some(theirs) => sdp::accept_again(&local, theirs, answer)?,
            None => sdp::accept(&local, answer)?,
        };
        let hold = self.agree(direction, agreed);
        self.theirs = Some(answer.clone());
        Ok(hold)
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

    fn agree(&mut self, direction: Direction, agreed: Negotiated) -> Hold {
        let before = self.is_held();
        self.settled = direction;
        self.agreed = Some(agreed);
        match (before, self.is_held()) {
            (false, true) => Hold::Began,
            (true, false) => Hold::Ended,
            (false, false) | (true, true) => Hold::Unchanged,
        }
    }

    fn local(&self) -> Local<'static> {
        Local {
            address: self.address,
            port: self.port.rtp,
            session: self.session,
            version: self.version,
            codecs: &[],
            digits: self.digits,
            direction: self.direction,
            ptime: self.ptime,
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
