//! The matching protocol: how callers and agents find each other without a lock, a poll or a miss.
//!
//! Whoever makes a change that could match a caller and an agent completes the match:
//!
//! 1. He publishes the change (a caller's open word in the line, an agent's bit among the free),
//!    crosses the fence `sync::publish`, and only then looks for the other side.
//! 2. A match claims the agent first (`Available` → `Reserved`), counts the offer at the caller,
//!    then lets the phone ring (`Reserved` → `Ringing`). If a step is lost to another thread, the
//!    steps before it are undone, and both sides look again: what was turned away in between is
//!    found.
//! 3. An offer that rings is counted exactly once: whoever moves the agent out of `Ringing` takes
//!    it from the count, whoever fails to move him into it does too.
//! 4. Two who answer at once race for the caller's word; the winner sends the others away, the
//!    loser goes back among the free. A caller who leaves closes his word, then frees all that were
//!    claimed for him; a claim that comes later fails at the closed word.
//!
//! The functions are generic over `Floor` so that `tests/acd_loom` checks this very code in
//! every interleaving, and shows that it fails without the fence or without the second look.
//!
//! Not here: who may serve whom and in which order, what is written out (`step`).

use super::sync::publish;
use super::word::{Agent, AgentWord, BREAK, Bits, Call, CallWord, LEAVING, PAUSED, Phase, WISH};

/// What the protocol needs to know, and whom it tells.
pub trait Floor {
    /// A waiting caller; a cheap handle.
    type Caller: Clone;

    fn agent(&self, agent: u32) -> &AgentWord;

    fn call<'a>(&'a self, caller: &'a Self::Caller) -> &'a CallWord;

    /// Where the caller is kept; nobody else's as long as anyone is claimed for him.
    fn slot(&self, caller: &Self::Caller) -> u32;

    /// Whether the caller still has his slot. Asked between reading an agent's word and swapping
    /// it: if the swap succeeds, the word named this caller and not a later one in the same slot.
    fn holds(&self, caller: &Self::Caller) -> bool;

    /// How many phones may ring for him at once.
    fn cap(&self, caller: &Self::Caller) -> u32;

    /// Everyone who was ever offered the caller, if more than one may ring at once.
    fn offered<'a>(&'a self, caller: &'a Self::Caller) -> Option<&'a Bits>;

    /// Puts an agent among those who may be free: where to look, while the word decides. Whoever is
    /// free is among them, or somebody is about to put him there.
    fn show(&self, agent: u32);

    /// Takes an agent out of them.
    fn conceal(&self, agent: u32);

    /// The free agent who should be rung next for the caller; none if he wants no more.
    fn choose(&self, caller: &Self::Caller) -> Option<u32>;

    /// The first in the lines of `agent` who wants him and comes before `before`.
    fn first(&self, agent: u32, before: Option<&Self::Caller>) -> Option<Self::Caller>;

    /// The phone must ring; `word` is the agent's word.
    fn rings(&mut self, agent: u32, caller: &Self::Caller, word: Agent);

    /// The phone must stop ringing; `word` is the agent's word after it.
    fn stops(&mut self, agent: u32, caller: &Self::Caller, why: Stop, word: Agent);

    /// Something may be possible for `again`: look later in this step, by `resume`.
    fn later(&mut self, again: Again<Self::Caller>);
}

/// Why a phone stops ringing without its agent's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    CallerGone,
    LostRace,
}

/// Who must be looked at again.
#[derive(Clone, Debug)]
pub enum Again<C> {
    Agent(u32),
    Caller(C),
}

/// Does what `Floor::later` was told.
pub fn resume<F: Floor>(floor: &mut F, again: &Again<F::Caller>) {
    match again {
        Again::Agent(agent) => welcome(floor, *agent),
        Again::Caller(caller) => settle(floor, caller),
    }
}

/// Finds agents for a caller whose word or place in the line has just been published.
pub fn settle<F: Floor>(floor: &mut F, caller: &F::Caller) {
    // Pairs with the fence in `welcome`: either the agent's bit is seen here or the caller there.
    publish();
    while let Some(agent) = floor.choose(caller) {
        match floor.first(agent, Some(caller)) {
            Some(earlier) => place(floor, agent, &earlier),
            None => place(floor, agent, caller),
        }
    }
}

/// Finds a caller for an agent who may have become free.
pub fn welcome<F: Floor>(floor: &mut F, agent: u32) {
    while floor.agent(agent).load().is_free() {
        floor.show(agent);
        // Pairs with the fence in `settle`.
        publish();
        let Some(caller) = floor.first(agent, None) else { return };
        settle(floor, &caller);
    }
}

/// Conceals an agent who is not free; looks again if he has become free meanwhile.
pub fn hide<F: Floor>(floor: &mut F, agent: u32) {
    // Ordered by the bit itself: who set it before it is removed here is seen with the free word
    // that earned it; who sets it after leaves it set.
    floor.conceal(agent);
    if floor.agent(agent).load().is_free() {
        floor.later(Again::Agent(agent));
    }
}

/// Claims `agent` for the caller, step 2 of the protocol.
fn place<F: Floor>(floor: &mut F, agent: u32, caller: &F::Caller) {
    let slot = floor.slot(caller);
    let free = floor.agent(agent).load();
    let reserved = free.to(Phase::Reserved, slot);
    if !free.is_free() || floor.agent(agent).swap(free, reserved).is_err() {
        return; // another thread has him; whoever called looks again
    }
    hide(floor, agent);
    if let Some(offered) = floor.offered(caller) {
        offered.insert(agent); // before the count: who closes the word after it finds him
    }
    if !floor.call(caller).count(agent, floor.cap(caller)) {
        let available = reserved.to(Phase::Available, 0);
        if floor.agent(agent).swap(reserved, available).is_ok() {
            floor.later(Again::Agent(agent)); // the second look
        }
        return;
    }
    let ringing = reserved.to(Phase::Ringing, slot);
    if floor.agent(agent).swap(reserved, ringing).is_ok() {
        floor.rings(agent, caller, ringing);
    } else {
        floor.call(caller).uncount();
        floor.later(Again::Caller(caller.clone()));
    }
}

/// The agent answered: whether the caller is his. If not, he is free again.
pub fn answer<F: Floor>(floor: &mut F, agent: u32, caller: &F::Caller) -> Answer {
    let talking = loop {
        let word = floor.agent(agent).load();
        if !rings_for(floor, word, caller) {
            return Answer::NotRinging;
        }
        let talking = word.to(Phase::OnCall, 0);
        if floor.agent(agent).swap(word, talking).is_ok() {
            break talking;
        }
    };
    if let Some(before) = floor.call(caller).take(agent) {
        dismiss(floor, caller, before, Stop::LostRace);
        return Answer::Won(talking);
    }
    Answer::Lost(rest(floor, agent))
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The caller is his; his word since.
    Won(Agent),
    /// Another was faster, or the caller went; his word since.
    Lost(Agent),
    /// His phone did not ring for this caller.
    NotRinging,
}

/// Ends a call's part in an agent's state: he leaves, goes away or is free, as he asked to.
fn rest<F: Floor>(floor: &mut F, agent: u32) -> Agent {
    let mut word = floor.agent(agent).load();
    loop {
        let to = rested(word);
        match floor.agent(agent).swap(word, to) {
            Ok(()) => {
                floor.later(Again::Agent(agent));
                return to;
            }
            Err(seen) => word = seen,
        }
    }
}

/// What an agent is when nothing holds him any more.
pub fn rested(word: Agent) -> Agent {
    let phase = if word.has(LEAVING) {
        Phase::LoggedOut
    } else if word.has(BREAK) {
        Phase::Away
    } else {
        Phase::Available
    };
    let wish = if phase == Phase::Available { 0 } else { WISH }; // who stays waits on for his break
    word.to(phase, 0).with(LEAVING | BREAK | PAUSED | wish, false)
}

/// Moves an agent out of `Ringing` for the caller from `word` to `next`: whether it did.
///
/// The offer is taken from the caller's count and both are looked at again.
pub fn refuse<F: Floor>(
    floor: &mut F,
    agent: u32,
    caller: &F::Caller,
    word: Agent,
    next: Agent,
) -> bool {
    if !rings_for(floor, word, caller) || floor.agent(agent).swap(word, next).is_err() {
        return false;
    }
    floor.call(caller).uncount();
    floor.later(Again::Caller(caller.clone()));
    floor.later(Again::Agent(agent));
    true
}

/// Whether an agent's word, read before this is called, says that his phone rings for the caller.
pub fn rings_for<F: Floor>(floor: &F, word: Agent, caller: &F::Caller) -> bool {
    word.phase() == Phase::Ringing && word.slot() == floor.slot(caller) && floor.holds(caller)
}

/// Ends a caller's wait if `may` agrees to the number of phones that ring: whether it did.
pub fn close<F: Floor>(floor: &mut F, caller: &F::Caller, may: impl Fn(u32) -> bool) -> bool {
    let Some(before) = floor.call(caller).close(may) else { return false };
    dismiss(floor, caller, before, Stop::CallerGone);
    true
}

/// Frees everyone who is claimed for a caller whose word is decided; `before` is what it was.
fn dismiss<F: Floor>(floor: &mut F, caller: &F::Caller, before: Call, why: Stop) {
    let Call::Open { offers, last } = before else { return };
    if let Some(offered) = floor.offered(caller) {
        let offered: Vec<_> = offered.iter().collect();
        for agent in offered {
            free(floor, agent, caller, why);
        }
    } else if offers > 0 {
        free(floor, last, caller, why);
    }
}

fn free<F: Floor>(floor: &mut F, agent: u32, caller: &F::Caller, why: Stop) {
    let slot = floor.slot(caller);
    let mut word = floor.agent(agent).load();
    while word.is_claimed_for(slot) {
        let to = word.to(Phase::Available, 0);
        match floor.agent(agent).swap(word, to) {
            Ok(()) => {
                if word.phase() == Phase::Ringing {
                    floor.stops(agent, caller, why, to);
                }
                floor.later(Again::Agent(agent));
                return;
            }
            Err(seen) => word = seen,
        }
    }
}
