//! The last one's break: two who want one at once do not both go, and nobody's wish is forgotten
//! when somebody comes to work meanwhile.
//!
//! 1. Who wants a break, or comes to work, says so in his word and rings the `Bell`.
//! 2. Whoever rings it while nobody answers it answers it himself: he looks at all wishes, one
//!    after the other, and lets those go who are not needed. Nobody else does meanwhile, so that
//!    each look sees what came of the one before.
//! 3. He stops when nobody has rung since he began to look; else he looks again. So nobody waits
//!    for him, and no wish waits for another ring.
//!
//! Generic over `Crew` so that `tests/acd_loom` checks this very code.

use super::sync::{AtomicU64, Ordering, publish};
use super::word::{Agent, BREAK, BUSY, LEAVING, Phase, REACHABLE, WISH};

/// Those who serve together.
pub trait Crew {
    fn bell(&self) -> &Bell;

    fn word(&self, agent: u32) -> Agent;

    /// Whether anybody may want a break and does not have it.
    fn has_wishes(&self) -> bool;

    /// Those who may.
    fn wishes(&self) -> Vec<u32>;

    /// Somebody has no wish any more.
    fn forget(&mut self, agent: u32);

    /// Whether nobody else `is_there` where somebody must be.
    fn is_needed(&self, agent: u32) -> bool;

    /// He has his break.
    fn goes(&mut self, agent: u32);
}

/// Somebody wants a break, and stands among the wishes: he has it if he is not needed.
pub fn wanted<C: Crew>(crew: &mut C) {
    publish(); // pairs with the fence in `came`
    grant(crew);
}

/// Somebody has come to work: those have their break who waited for that.
pub fn came<C: Crew>(crew: &mut C) {
    publish(); // pairs with the fence in `wanted`: his wish is seen here, or who came there
    if crew.has_wishes() {
        grant(crew);
    }
}

/// Lets those have their break who are not needed; or leaves it to the thread that does so.
fn grant<C: Crew>(crew: &mut C) {
    let Some(mut rung) = crew.bell().ring() else { return };
    loop {
        for agent in crew.wishes() {
            let word = crew.word(agent);
            if !word.has(WISH) || matches!(word.phase(), Phase::LoggedOut | Phase::Away) {
                crew.forget(agent);
            } else if !crew.is_needed(agent) {
                crew.goes(agent);
            }
        }
        match crew.bell().answered(rung) {
            Ok(()) => return,
            Err(more) => rung = more,
        }
    }
}

/// Whether an agent takes calls, or will without doing anything before.
pub fn is_there(word: Agent) -> bool {
    !matches!(word.phase(), Phase::LoggedOut | Phase::Away)
        && word.has(REACHABLE)
        && !word.has(BUSY)
        && !word.has(LEAVING)
        && !word.has(BREAK)
}

/// How often was rung since nobody had anything to do.
#[derive(Debug)]
pub struct Bell(AtomicU64);

impl Bell {
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Rings; how often it was rung, if it is for the one who rings to answer.
    fn ring(&self) -> Option<u64> {
        // AcqRel: pairs with itself and with `answered`: who answers sees what led to the ring.
        let before = self.0.fetch_add(1, Ordering::AcqRel);
        (before == 0).then_some(1)
    }

    /// Says that everybody is answered.
    ///
    /// # Errors
    ///
    /// If it was rung again: how often by now.
    fn answered(&self, rung: u64) -> Result<(), u64> {
        // AcqRel, Acquire: pairs with `ring`.
        self.0.compare_exchange(rung, 0, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }
}
