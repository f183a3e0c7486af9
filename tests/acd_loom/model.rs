//! A floor of a few agents and callers, what is done to it at once, and what must hold after.
#![allow(dead_code, reason = "each variant of the protocol runs some of the models")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use loom::sync::Arc;
use loom::thread;

use super::matching::{self, Again, Answer, Floor, Stop};
use super::place::{self, Shelf, Stand};
use super::word::{Agent, AgentWord, Bits, Call, CallWord, Phase, REACHABLE};

/// Which second looks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    All,
    AgentsOnly,
    CallersOnly,
    /// All but that for who was moved.
    NotMoved,
    /// All, but who enters is in the line before he is known.
    Unknown,
}

/// Two enter, one agent comes.
pub fn meets(looks: Looks) {
    check(PREEMPTIONS - 1, move || {
        let world = World::new(1, 2, 1, looks);
        let one = world.spawn(|hand| hand.enters(0));
        let two = world.spawn(|hand| hand.enters(1));
        world.act(|hand| hand.comes(0));
        join([one, two]);
        world.holds();
        assert_eq!(world.ringing(), 1);
    });
}

/// Agent 0 is free; caller 0 enters and is gone at once, caller 1 enters.
pub fn hang_up(looks: Looks) {
    check(PREEMPTIONS - 1, move || {
        let world = World::new(1, 2, 1, looks);
        world.act(|hand| hand.comes(0));
        world.act(|hand| hand.lines_up(0)); // nobody hangs up who is in no line
        let gone = world.spawn(|hand| {
            hand.leaves(0);
        });
        let next = world.spawn(|hand| hand.enters(1));
        world.act(|hand| hand.settles(0));
        join([gone, next]);
        world.holds();
        assert_eq!(world.agents[0].load().phase(), Phase::Ringing);
        assert_eq!(world.calls[1].load(), Call::Open { offers: 1, last: 0 });
    });
}

/// Agents 0 and 1 are free; a caller enters while agent 0 logs out.
pub fn log_out(looks: Looks) {
    check(PREEMPTIONS, move || {
        let world = World::new(2, 1, 1, looks);
        world.act(|hand| hand.comes(0));
        world.act(|hand| hand.comes(1));
        let out = world.spawn(|hand| hand.goes(0));
        world.act(|hand| hand.enters(0));
        join([out]);
        world.holds();
        assert_eq!(world.agents[1].load().phase(), Phase::Ringing);
    });
}

/// Agents 0 and 1 ring for caller 0 and both answer; agent 2 comes.
pub fn answers() {
    check(PREEMPTIONS - 1, || {
        let world = World::new(3, 1, 3, Looks::All);
        world.act(|hand| hand.comes(0));
        world.act(|hand| hand.comes(1));
        world.act(|hand| hand.enters(0));
        let zero = world.spawn(|hand| hand.answers(0, 0));
        let two = world.spawn(|hand| hand.comes(2));
        world.act(|hand| hand.answers(1, 0));
        join([zero, two]);
        world.holds();
        let winners = world.agents.iter().filter(|word| word.load().phase() == Phase::OnCall);
        assert_eq!(winners.count(), 1, "one has the call");
        assert_eq!(world.ringing(), 0);
    });
}

/// Agent 0 rings for caller 0: he answers, it times out, the caller hangs up.
pub fn ends_once(looks: Looks) {
    check(PREEMPTIONS, move || {
        let world = World::new(1, 1, 1, looks);
        world.act(|hand| hand.comes(0));
        world.act(|hand| hand.enters(0));
        let timeout = world.spawn(|hand| hand.goes(0));
        let gone = world.spawn(|hand| {
            hand.leaves(0);
        });
        world.act(|hand| hand.answers(0, 0));
        join([timeout, gone]);
        world.holds();
    });
}

/// Agent 0 rings; the caller hangs up while agent 1 comes and agent 0 answers.
pub fn gone() {
    check(PREEMPTIONS - 1, || {
        let world = World::new(2, 1, 2, Looks::All);
        world.act(|hand| hand.comes(0));
        world.act(|hand| hand.enters(0));
        let comes = world.spawn(|hand| hand.comes(1));
        let gone = world.spawn(|hand| {
            hand.leaves(0);
        });
        world.act(|hand| hand.answers(0, 0));
        join([comes, gone]);
        world.holds();
        assert_eq!(world.ringing(), 0);
    });
}

/// Two agents come while two callers enter.
pub fn pairs() {
    check(PREEMPTIONS, || {
        let world = World::new(2, 2, 1, Looks::All);
        let agents = world.spawn(|hand| hand.comes(0));
        world.act(|hand| hand.enters(0));
        world.act(|hand| hand.comes(1));
        world.act(|hand| hand.enters(1));
        join([agents]);
        world.holds();
        assert_eq!(world.ringing(), 2);
    });
}

/// Caller 0 waits, and is moved to the front while agent 0 comes.
pub fn moved_past_a_search(looks: Looks) {
    check(PREEMPTIONS, move || {
        let world = World::with_places(1, 1, 1, 2, looks);
        world.act(|hand| hand.enters(0));
        let comes = world.spawn(|hand| hand.comes(0));
        world.act(|hand| hand.moves(0, 0));
        join([comes]);
        world.holds();
        assert_eq!(world.agents[0].load().phase(), Phase::Ringing);
    });
}

/// Agent 0 rings for caller 0 and logs out; caller 0 is moved; agent 1 comes.
pub fn moved_and_logged_out() {
    check(PREEMPTIONS - 1, || {
        let world = World::with_places(2, 1, 1, 2, Looks::All);
        world.act(|hand| hand.comes(0));
        world.act(|hand| hand.enters(0));
        let out = world.spawn(|hand| hand.goes(0));
        let comes = world.spawn(|hand| hand.comes(1));
        world.act(|hand| hand.moves(0, 0));
        join([out, comes]);
        world.holds();
        assert_eq!(world.agents[1].load().phase(), Phase::Ringing);
    });
}

/// Caller 0 waits, is moved and hangs up, while an agent comes.
pub fn moved_and_gone() {
    check(PREEMPTIONS, || {
        let world = World::with_places(1, 1, 1, 2, Looks::All);
        world.act(|hand| hand.enters(0));
        let gone = world.spawn(|hand| {
            hand.leaves(0);
        });
        world.act(|hand| hand.moves(0, 0));
        join([gone]);
        world.holds();
        world.act(|hand| hand.comes(0));
        assert!(world.agents[0].load().is_free(), "he is rung for nobody");
    });
}

/// Agent 0 rings for caller 0 and answers while that one is moved.
pub fn moved_and_answered() {
    check(PREEMPTIONS, || {
        let world = World::with_places(1, 1, 1, 2, Looks::All);
        world.act(|hand| hand.comes(0));
        world.act(|hand| hand.enters(0));
        let answers = world.spawn(|hand| hand.answers(0, 0));
        world.act(|hand| hand.moves(0, 0));
        join([answers]);
        world.holds();
        assert_eq!(world.calls[0].load(), Call::Taken { by: 0 });
    });
}

/// Caller 0 stands at 1; one thread moves him to 0, another to 0 and back to 1.
pub fn moved_to_and_fro() {
    check(PREEMPTIONS, || {
        let world = World::with_places(1, 1, 1, 2, Looks::All);
        world.act(|hand| hand.enters(0));
        let up = world.spawn(|hand| hand.moves(0, 0));
        world.act(|hand| hand.moves(0, 1));
        world.act(|hand| hand.moves(0, 0));
        world.act(|hand| hand.moves(0, 1));
        join([up]);
        world.holds();
        assert!(world.stands_in_line(0), "he who waits is in the line");
    });
}

/// Caller 0 enters at 1, while an agent comes and answers whoever he is rung for.
pub fn rung_while_he_enters(looks: Looks) {
    check(PREEMPTIONS, move || {
        let world = World::with_places(1, 1, 1, 2, looks);
        let comes = world.spawn(|hand| hand.comes(0));
        world.act(|hand| hand.enters(0));
        join([comes]);
        world.holds();
        assert_eq!(world.agents[0].load().phase(), Phase::Ringing);
    });
}

/// Caller 0 enters at 1, and is moved as soon as he is known.
pub fn moved_while_he_enters() {
    check(PREEMPTIONS, || {
        let world = World::with_places(1, 1, 1, 2, Looks::All);
        let moves = world.spawn(|hand| {
            if hand.world.knows(0) {
                hand.moves(0, 0);
            }
        });
        world.act(|hand| hand.enters(0));
        join([moves]);
        world.holds();
        assert!(world.stands_in_line(0), "he who waits is in the line");
    });
}

/// Caller 0 enters, and hangs up as soon as he is known.
pub fn gone_while_he_enters() {
    check(PREEMPTIONS, || {
        let world = World::with_places(1, 1, 1, 2, Looks::All);
        let gone = world.spawn(|hand| {
            if hand.world.knows(0) {
                hand.leaves(0);
            }
        });
        world.act(|hand| hand.enters(0));
        join([gone]);
        world.holds();
    });
}

/// An agent's phase changes after something was written down.
pub fn agents_fact() {
    let before = |agent: &AgentWord| {
        let word = agent.load();
        agent.swap(word, word.to(Phase::Available, 0)).expect("nobody else does");
    };
    led_to(AgentWord::new, before, |agent| agent.load().phase() == Phase::Available);
}

/// A caller's word changes after something was written down.
pub fn callers_fact() {
    let before = |call: &CallWord| assert!(call.count(0, 1));
    led_to(CallWord::new, before, |call| call.load() != Call::Open { offers: 0, last: 0 });
}

/// A bit is set after something was written down.
pub fn bits_fact() {
    led_to(|| Bits::new(64), |bits| bits.insert(0), |bits| bits.contains(0));
}

/// A bit is taken away after something was written down.
pub fn removed_bits_fact() {
    let set = || {
        let bits = Bits::new(64);
        bits.insert(0);
        bits
    };
    led_to(set, |bits| bits.remove(0), |bits| !bits.contains(0));
}

/// One thread writes a fact, then makes `change`; another that sees the change sees the fact.
fn led_to<T: Send + Sync + 'static>(
    new: impl Fn() -> T + Send + Sync + 'static,
    change: impl Fn(&T) + Send + Sync + 'static,
    sees: impl Fn(&T) -> bool + Copy + Send + Sync + 'static,
) {
    use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
    check(PREEMPTIONS, move || {
        let both = Arc::new((new(), AtomicBool::new(false)));
        let reader = both.clone();
        let reads = thread::spawn(move || {
            if sees(&reader.0) {
                assert!(reader.1.load(Relaxed), "what led to it is not seen");
            }
        });
        // Here, not there: loom runs this thread first, and does not try a load of the same word by
        // both before the change.
        both.1.store(true, Relaxed);
        change(&both.0);
        join([reads]);
    });
}

pub fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

pub fn join<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    for thread in threads {
        thread.join().expect("the model holds");
    }
}

/// Switches of thread in one interleaving, beside those where a thread ends or waits.
pub const PREEMPTIONS: usize = 3;

struct World {
    agents: Vec<AgentWord>,
    calls: Vec<CallWord>,
    stands: Vec<Stand>,
    /// Who stands in the line: one bit for each place and caller.
    line: Bits,
    places: u32,
    /// Who is known by his call. Not one of loom's: that it is written and read in turn is what the
    /// models look at, maps order the rest.
    known: AtomicU64,
    offered: Vec<Bits>,
    free: Bits,
    cap: u32,
    looks: Looks,
}

impl World {
    fn new(agents: usize, callers: usize, cap: u32, looks: Looks) -> Arc<Self> {
        Self::with_places(agents, callers, cap, 1, looks)
    }

    /// A floor with a line in which callers come last, and are moved between so many places.
    fn with_places(
        agents: usize,
        callers: usize,
        cap: u32,
        places: u32,
        looks: Looks,
    ) -> Arc<Self> {
        Arc::new(Self {
            agents: (0..agents).map(|_| AgentWord::new()).collect(),
            calls: (0..callers).map(|_| CallWord::new()).collect(),
            stands: (0..callers).map(|_| Stand::new(i64::from(places) - 1)).collect(),
            line: Bits::new(64),
            places,
            known: AtomicU64::new(0),
            offered: (0..callers).map(|_| Bits::new(64)).collect(),
            free: Bits::new(64),
            cap,
            looks,
        })
    }

    /// The bit of a caller at a place: those of earlier places come first.
    fn bit(&self, place: u32, caller: u32) -> u32 {
        place * self.calls.len() as u32 + caller
    }

    /// Whether a caller is in the line: at the place where he is said to stand, and nowhere else.
    fn stands_in_line(&self, caller: u32) -> bool {
        let at = self.stands[caller as usize].at();
        let mut found = (0..self.places).filter(|it| self.line.contains(self.bit(*it, caller)));
        let place = found.next();
        assert!(place.is_none_or(|place| i64::from(place) == at), "he stands elsewhere");
        assert_eq!(found.next(), None, "he stands at two places");
        place.is_some()
    }

    fn knows(&self, caller: usize) -> bool {
        self.known.load(Ordering::Acquire) & 1 << caller != 0
    }

    fn learns(&self, caller: usize) {
        self.known.fetch_or(1 << caller, Ordering::AcqRel);
    }

    fn ringing(&self) -> usize {
        self.agents.iter().filter(|word| word.load().phase() == Phase::Ringing).count()
    }

    /// What must hold when nothing is in progress.
    fn holds(&self) {
        for word in self.agents.iter().map(AgentWord::load) {
            assert_ne!(word.phase(), Phase::Reserved, "a claim is left over");
            if word.phase() == Phase::Ringing {
                let call = self.calls[word.slot() as usize].load();
                assert!(matches!(call, Call::Open { .. }), "a phone rings for nobody");
            }
        }
        for (slot, call) in (0..).zip(&self.calls) {
            let ringing = self.agents.iter().filter(|word| word.load().is_claimed_for(slot));
            match call.load() {
                Call::Open { offers, .. } => {
                    assert_eq!(ringing.count(), offers as usize, "an offer is miscounted");
                    let waits = self.stands_in_line(slot);
                    let free = self.agents.iter().any(|word| word.load().is_free());
                    assert!(
                        !(waits && offers < self.cap && free),
                        "a caller waits while an agent is free"
                    );
                }
                Call::Taken { by } => {
                    assert!(!self.stands_in_line(slot), "who is gone stands in the line");
                    assert_eq!(self.agents[by as usize].load().phase(), Phase::OnCall);
                }
                Call::Gone { .. } => {
                    assert!(!self.stands_in_line(slot), "who is gone stands in the line");
                    assert_eq!(ringing.count(), 0, "a phone rings on");
                }
            }
        }
        for (number, word) in (0..).zip(&self.agents) {
            assert!(!word.load().is_free() || self.free.contains(number), "a free agent is hidden");
        }
    }
}

trait Acts {
    fn act(&self, act: impl Fn(&mut Hand));
    fn spawn(&self, act: impl Fn(&mut Hand) + Send + 'static) -> thread::JoinHandle<()>;
}

impl Acts for Arc<World> {
    fn act(&self, act: impl Fn(&mut Hand)) {
        let mut hand = Hand { world: self.clone(), again: VecDeque::new() };
        act(&mut hand);
        while let Some(again) = hand.again.pop_front() {
            matching::resume(&mut hand, &again);
        }
    }

    fn spawn(&self, act: impl Fn(&mut Hand) + Send + 'static) -> thread::JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || world.act(act))
    }
}

/// One thread's change in progress.
struct Hand {
    world: Arc<World>,
    again: VecDeque<Again<usize>>,
}

impl Hand {
    fn enters(&mut self, caller: usize) {
        self.lines_up(caller);
        self.settles(caller);
    }

    fn lines_up(&mut self, caller: usize) {
        place::enter(self, &caller);
        self.world.learns(caller);
    }

    fn settles(&mut self, caller: usize) {
        self.again.push_back(Again::Caller(caller));
    }

    fn moves(&mut self, caller: usize, place: i64) {
        place::move_to(self, &caller, place);
        if self.world.looks != Looks::NotMoved {
            self.again.push_back(Again::Caller(caller));
        }
    }

    fn leaves(&mut self, caller: usize) -> bool {
        let closed = matching::close(self, &caller, |_| true);
        if closed {
            place::take_out(self, &caller);
        }
        closed
    }

    fn comes(&mut self, agent: u32) {
        let word = self.world.agents[agent as usize].load();
        let free = word.to(Phase::Available, 0).with(REACHABLE, true);
        self.world.agents[agent as usize].swap(word, free).expect("only he comes");
        self.again.push_back(Again::Agent(agent));
    }

    /// Logs out, or is set away, from whatever state he is in; not from a call.
    fn goes(&mut self, agent: u32) {
        loop {
            let word = self.world.agents[agent as usize].load();
            let next = word.to(Phase::LoggedOut, 0);
            match word.phase() {
                Phase::OnCall | Phase::LoggedOut => return,
                Phase::Ringing => {
                    let caller = word.slot() as usize;
                    if matching::refuse(self, agent, &caller, word, next) {
                        return;
                    }
                }
                _ => {
                    if self.world.agents[agent as usize].swap(word, next).is_ok() {
                        matching::hide(self, agent);
                        return;
                    }
                }
            }
        }
    }

    fn answers(&mut self, agent: u32, caller: usize) {
        if let Answer::Won(word) = matching::answer(self, agent, &caller) {
            assert_eq!(word.phase(), Phase::OnCall);
            place::take_out(self, &caller);
        }
    }
}

impl Shelf for Hand {
    type Caller = usize;

    fn stand<'a>(&'a self, caller: &'a usize) -> &'a Stand {
        &self.world.stands[*caller]
    }

    fn waits(&self, caller: &usize) -> bool {
        self.world.calls[*caller].offers().is_some()
    }

    fn make_known(&self, caller: &usize) {
        if self.world.looks != Looks::Unknown {
            self.world.learns(*caller);
        }
    }

    fn put(&self, caller: &usize, at: i64) {
        self.world.line.insert(self.world.bit(at as u32, *caller as u32));
    }

    fn take(&self, caller: &usize, at: i64) {
        let bit = self.world.bit(at as u32, *caller as u32);
        if self.world.line.contains(bit) {
            self.world.line.remove(bit); // a map writes nothing for who is not there
        }
    }
}

impl Floor for Hand {
    type Caller = usize;

    fn agent(&self, agent: u32) -> &AgentWord {
        &self.world.agents[agent as usize]
    }

    fn call<'a>(&'a self, caller: &'a usize) -> &'a CallWord {
        &self.world.calls[*caller]
    }

    fn slot(&self, caller: &usize) -> u32 {
        *caller as u32
    }

    fn holds(&self, _: &usize) -> bool {
        true // no slot is used again in these models
    }

    fn cap(&self, _: &usize) -> u32 {
        self.world.cap
    }

    fn offered<'a>(&'a self, caller: &'a usize) -> Option<&'a Bits> {
        (self.world.cap > 1).then(|| &self.world.offered[*caller])
    }

    fn show(&self, agent: u32) {
        self.world.free.insert(agent);
    }

    fn conceal(&self, agent: u32) {
        self.world.free.remove(agent);
    }

    fn choose(&self, caller: &usize) -> Option<u32> {
        if self.world.calls[*caller].offers()? >= self.world.cap {
            return None;
        }
        let bits = self.world.free.word(0);
        super::word::ones(bits).find(|&agent| self.agent(agent).load().is_free())
    }

    fn first(&self, _: u32, before: Option<&usize>) -> Option<usize> {
        let callers = self.world.calls.len();
        let bit = |caller: &usize| self.world.bit(self.stand(caller).at() as u32, *caller as u32);
        let end = before.map_or(self.world.places * callers as u32, bit);
        // One place after the other, as a search goes along a line.
        (0..end)
            .filter(|bit| self.world.line.contains(*bit))
            .map(|bit| bit as usize % callers)
            .find(|&caller| {
                self.world.calls[caller].offers().is_some_and(|offers| offers < self.world.cap)
            })
    }

    fn rings(&mut self, _: u32, caller: &usize, _: Agent) {
        assert!(self.world.knows(*caller), "a phone rings for a call that nobody knows");
    }

    fn stops(&mut self, _: u32, _: &usize, _: Stop, _: Agent) {}

    fn later(&mut self, again: Again<usize>) {
        match (&again, self.world.looks) {
            (Again::Agent(_), Looks::CallersOnly) | (Again::Caller(_), Looks::AgentsOnly) => {}
            _ => self.again.push_back(again),
        }
    }
}
