//! A supervisor waits for the next talk of his agent.
//!
//! In:       an agent who talks with nobody; the passing of time.
//! Out:      music, and each second another look whether he talks.
//! Not here: whether he does (`switch::supervision`), what comes then (`supervision`).

use crate::call::call::{Call, Output, Stage};
use crate::call::queueing::HOLD_MUSIC;
use crate::call::site::Site;
use crate::call::supervision::Wish;
use crate::media::control::Sound;
use crate::time::{Duration, Instant};

/// How long somebody waits to supervise.
#[derive(Clone, Copy, Debug)]
pub struct Camping {
    until: Instant,
    look_at: Instant,
}

impl Camping {
    pub fn next_tick(&self) -> Instant {
        self.look_at
    }
}

impl Call {
    /// The agent talks with nobody: his supervisor waits, unless that is over or not allowed.
    pub(super) fn camp(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        wish: Wish,
        out: &mut Vec<Output>,
    ) -> bool {
        let until = match &self.stage {
            Stage::Camping(camping) => camping.until,
            _ => now + self.plan.calls.supervise_wait,
        };
        if now >= until {
            return false;
        }
        if !matches!(self.stage, Stage::Camping(_)) {
            self.answer_caller(now, site, None, out);
            if matches!(self.stage, Stage::Ending(_)) {
                return true; // the answer failed
            }
            self.play(self.party, vec![Sound::Prompt(HOLD_MUSIC.into())], true, out);
        }
        self.wish = Some(wish);
        self.stage = Stage::Camping(Camping { until, look_at: (now + LOOK_EVERY).min(until) });
        true
    }

    pub(super) fn camping_tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        if matches!(&self.stage, Stage::Camping(camping) if now >= camping.look_at) {
            self.supervise(None, out);
        }
    }
}

/// How often a supervisor who waits looks whether his agent talks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
