//! Wrong PINs: who has typed too many lately is asked for no more.
//!
//! A phone of ours is one suspect, whatever it tries: agents, conferences. Somebody outside is
//! known by his number, which he may have made up: so he is counted for the conference that he
//! tries, and with him everybody who tries it over his trunk. Lengths are those of wrong passwords.

use crate::call::call::{Call, Output};
use crate::call::site::Site;
use crate::cdr::entry::Fact;
use crate::id::{ConferenceId, ExtensionId, TrunkId};
use crate::sip::digest::locks::Lengths;
use crate::time::Instant;

/// Who types PINs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Guesser {
    /// Somebody outside, by his number, at one conference.
    Caller(TrunkId, ConferenceId, Box<str>),
    Phone(ExtensionId),
    /// Everybody outside who comes over one trunk, at one conference.
    Trunk(TrunkId, ConferenceId),
}

impl Call {
    /// Whether the caller has typed too many wrong PINs lately: of agents, or of a conference.
    pub(super) fn guesses(
        &self,
        now: Instant,
        site: &Site<'_>,
        conference: Option<&ConferenceId>,
    ) -> bool {
        let mut guessers = self.guessers(conference).into_iter();
        guessers.any(|(guesser, _)| site.pins.left(now, &guesser).is_some())
    }

    /// Counts a wrong PIN: whether it was one too many.
    pub(super) fn has_guessed(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        conference: Option<&ConferenceId>,
        out: &mut Vec<Output>,
    ) -> bool {
        let defence = &self.plan.defence;
        let lengths = Lengths { first: defence.lock, longest: defence.lock_max };
        let counted = self.guessers(conference).into_iter();
        let locks = counted.filter_map(|(guesser, max)| {
            site.pins.failed(now, guesser, max, lengths).map(|length| length.as_secs())
        });
        let Some(seconds) = locks.max() else { return false };
        if let Some(leg) = self.legs.get(&self.party) {
            let address = leg.flow().remote.ip().to_canonical().to_string();
            self.fact(now, out, Fact::LockedOut { address, seconds, every_account: false });
        }
        true
    }

    /// Whom a wrong PIN of the caller speaks against, and how many of them are too many.
    fn guessers(&self, conference: Option<&ConferenceId>) -> Vec<(Guesser, u32)> {
        let defence = &self.plan.defence;
        if let Some(phone) = self.caller.extension() {
            return vec![(Guesser::Phone(phone.clone()), defence.failures_max)];
        }
        let (Some(trunk), Some(conference)) = (self.caller.trunk(), conference) else {
            return Vec::new(); // nobody outside is asked for an agent's PIN
        };
        let number: String = self.caller.number.chars().take(NUMBER_CHARS_MAX).collect();
        let (trunk, conference) = (trunk.clone(), conference.clone());
        let caller = Guesser::Caller(trunk.clone(), conference.clone(), number.into());
        let all = Guesser::Trunk(trunk, conference);
        vec![(caller, defence.failures_max), (all, defence.failures_of_source_max)]
    }
}

/// What of a number is told apart: longer ones are nobody's.
const NUMBER_CHARS_MAX: usize = 64;
