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
    /// Our offer that waits for its answer, by the codecs in it.
    offered: Option<Vec<Codec>>,
    agreed: Option<Negotiated>,
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
            offered: None,
            agreed: None,
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
        self.agreed.as_ref().is_some_and(|agreed| !wants_audio(agreed.direction))
    }

    /// An offer of `codecs`, in this order.
    pub fn offer(&mut self, codecs: &[Codec]) -> String {
        let text = self.say(|local| sdp::offer(&Local { codecs, ..local }));
        self.offered = Some(codecs.to_vec());
        text
    }

    /// Our answer to `offer`, choosing among `codecs`.
    ///
    /// # Errors
    ///
    /// When the two sides share nothing; what was agreed on before stays.
    pub fn answer(&mut self, offer: &Session, codecs: &[Codec]) -> Result<(String, Hold), Refusal> {
        let mut agreed = sdp::answer(offer, &Local { codecs, ..self.local() })?.1;
        let text = self.say(|local| match sdp::answer(offer, &Local { codecs, ..local }) {
            Ok((text, same)) => {
                agreed = same;
                text
            }
            Err(_) => String::new(),
        });
        let hold = self.agree(agreed);
        Ok((text, hold))
    }

    /// Takes the peer's `answer` to our offer.
    ///
    /// # Errors
    ///
    /// When the answer fits no offer of ours.
    pub fn accept(&mut self, answer: &Session) -> Result<Hold, Refusal> {
        let codecs = self.offered.take().unwrap_or_default();
        let agreed = sdp::accept(&Local { codecs: &codecs, ..self.local() }, answer)?;
        Ok(self.agree(agreed))
    }

    /// Our offer was refused, or its transaction failed: what was agreed on before stays.
    pub fn withdraw_offer(&mut self) {
        self.offered = None;
    }

    fn agree(&mut self, agreed: Negotiated) -> Hold {
        let before = self.is_held();
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
            digits: true,
            direction: Direction::SendRecv,
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

/// Whether audio of ours reaches the phone: `direction` is seen from our side.
fn wants_audio(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::SendOnly)
}
