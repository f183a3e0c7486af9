//! The caller hears a phone before it answers: announcements of networks, tones of other switches.

use crate::call::call::{Call, Output, Stage};
use crate::call::leg;
use crate::call::ringing::RINGBACK;
use crate::call::site::Site;
use crate::id::LegId;
use crate::media::control::{Command, Sound};
use crate::time::Instant;

impl Call {
    /// A rung phone sends audio: the one that did so last is heard.
    pub(super) fn early_audio(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        out: &mut Vec<Output>,
    ) {
        let is_rung = match &self.stage {
            Stage::Outgoing(outgoing) => outgoing.leg() == leg,
            Stage::Ringing(ringing) => ringing.legs.contains(&leg),
            _ => false,
        };
        if !is_rung {
            return;
        }
        if self.answered.is_none() {
            let spoken = self.spoken_by(leg);
            self.suit_party(leg);
            let codecs = self.codecs_after(site, spoken);
            self.drive(now, site, self.party, leg::Input::Progress(codecs), out);
        }
        let hears =
            self.legs.get(&self.party).is_some_and(|party| party.audio().agreed().is_some());
        if hears {
            if let Stage::Ringing(ringing) = &mut self.stage {
                ringing.heard = Some(leg);
            }
            self.order(Command::Bridge { a: self.party, b: leg }, out);
        }
    }

    /// The phone that the caller heard rings no longer: while others do, he hears that.
    pub(super) fn early_audio_ended(&mut self, leg: LegId, out: &mut Vec<Output>) {
        let Stage::Ringing(ringing) = &mut self.stage else { return };
        if ringing.heard.take_if(|heard| *heard == leg).is_some() && !ringing.legs.is_empty() {
            self.play(self.party, vec![Sound::Prompt(RINGBACK.into())], true, out);
        }
    }
}
