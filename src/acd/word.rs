//! The words that callers and agents are claimed by: one `AtomicU64` each, changed only by
//! compare-and-swap.
//!
//! An agent's word holds his phase, what keeps him from being free, the call he is claimed for and
//! a generation that every change of phase counts up; a swap that succeeds therefore knows that
//! nothing happened in between. A caller's word holds how many phones ring for him and, once
//! decided, who took him.
//!
//! Not here: who is claimed for whom (`matching`), what a change means (`core`, `people`).

use super::sync::{AtomicU64, Ordering};

/// Where an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    LoggedOut = 0,
    Available = 1,
    /// Claimed for a call by a thread that has yet to claim the call; to people he is available.
    Reserved = 2,
    Ringing = 3,
    OnCall = 4,
    WrapUp = 5,
    Away = 6,
}

/// A value of an agent's word: phase 4 bits, flags 8, slot 20, generation 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent(u64);

impl Agent {
    pub const LOGGED_OUT: Self = Self(0);

    pub fn phase(self) -> Phase {
        match self.0 & 0xf {
            0 => Phase::LoggedOut,
            1 => Phase::Available,
            2 => Phase::Reserved,
            3 => Phase::Ringing,
            4 => Phase::OnCall,
            5 => Phase::WrapUp,
            _ => Phase::Away,
        }
    }

    /// Whether he can be claimed for a call.
    pub fn is_free(self) -> bool {
        self.phase() == Phase::Available && self.0 & (REACHABLE | BUSY | PAUSED) == REACHABLE
    }

    /// Whether he is claimed for the call in `slot` and has not answered.
    pub fn is_claimed_for(self, slot: u32) -> bool {
        matches!(self.phase(), Phase::Reserved | Phase::Ringing) && self.slot() == slot
    }

    pub fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// The place of the call he is claimed for; without meaning in other phases.
    pub fn slot(self) -> u32 {
        ((self.0 >> 12) & 0xf_ffff) as u32
    }

    /// Counts the changes of phase, so that a deadline knows whether it is still meant.
    pub fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The value after a change of phase; the flags stay.
    #[must_use]
    pub fn to(self, phase: Phase, slot: u32) -> Self {
        let generation = u64::from(self.generation().wrapping_add(1)) << 32;
        Self(generation | u64::from(slot & 0xf_ffff) << 12 | self.0 & FLAGS | phase as u64)
    }

    #[must_use]
    pub fn with(self, flag: u64, on: bool) -> Self {
        Self(if on { self.0 | flag } else { self.0 & !flag })
    }
}

/// A phone is registered at his seat.
pub const REACHABLE: u64 = 1 << 4;
/// His phone is in use for a call that is not ours.
pub const BUSY: u64 = 1 << 5;
/// Left alone for a moment after he refused a call.
pub const PAUSED: u64 = 1 << 6;
/// Logs out when his call ends.
pub const LEAVING: u64 = 1 << 7;
/// Goes away when his call and the wrap-up end.
pub const BREAK: u64 = 1 << 8;
/// Wants a break, and does not have it.
pub const WISH: u64 = 1 << 9;

const FLAGS: u64 = 0xff0;

/// An agent's word.
#[derive(Debug)]
pub struct AgentWord(AtomicU64);

impl AgentWord {
    pub fn new() -> Self {
        Self(AtomicU64::new(Agent::LOGGED_OUT.0))
    }

    pub fn load(&self) -> Agent {
        // Acquire: pairs with the release half of `swap`; who sees a phase sees what led to it.
        Agent(self.0.load(Ordering::Acquire))
    }

    /// Replaces `from` by `to`, or says what is there.
    pub fn swap(&self, from: Agent, to: Agent) -> Result<(), Agent> {
        // AcqRel: pairs with itself and with `load`; claims of one agent follow one another.
        self.0
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
            .map(|_| ())
            .map_err(Agent)
    }
}

/// A value of a caller's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Waiting; `offers` phones ring for him, the last of them that of agent `last`.
    Open { offers: u32, last: u32 },
    /// An agent answered.
    Taken { by: u32 },
    /// He hung up, went elsewhere or was sent away.
    Gone { offers: u32, last: u32 },
}

impl Call {
    fn pack(self) -> u64 {
        let (kind, offers, agent) = match self {
            Self::Open { offers, last } => (0, offers, last),
            Self::Taken { by } => (1, 0, by),
            Self::Gone { offers, last } => (2, offers, last),
        };
        u64::from(agent) << 32 | u64::from(offers) << 8 | kind
    }

    fn unpack(word: u64) -> Self {
        let (offers, agent) = (((word >> 8) & 0xff_ffff) as u32, (word >> 32) as u32);
        match word & 0xff {
            0 => Self::Open { offers, last: agent },
            1 => Self::Taken { by: agent },
            _ => Self::Gone { offers, last: agent },
        }
    }
}

/// A caller's word.
#[derive(Debug)]
pub struct CallWord(AtomicU64);

impl CallWord {
    pub fn new() -> Self {
        Self(AtomicU64::new(Call::Open { offers: 0, last: 0 }.pack()))
    }

    pub fn load(&self) -> Call {
        // Acquire: pairs with the release half of `change`.
        Call::unpack(self.0.load(Ordering::Acquire))
    }

    /// The phones that ring, if he still waits.
    pub fn offers(&self) -> Option<u32> {
        match self.load() {
            Call::Open { offers, .. } => Some(offers),
            Call::Taken { .. } | Call::Gone { .. } => None,
        }
    }

    /// Counts one more offer, to `agent`, if he waits and fewer than `cap` phones ring.
    pub fn count(&self, agent: u32, cap: u32) -> bool {
        self.change(|call| match call {
            Call::Open { offers, .. } if offers < cap => {
                Some(Call::Open { offers: offers + 1, last: agent })
            }
            _ => None,
        })
        .is_some()
    }

    /// Counts one offer less, unless it is decided. Only for who ended a counted offer.
    pub fn uncount(&self) {
        self.change(|call| match call {
            Call::Open { offers, last } => {
                Some(Call::Open { offers: offers.saturating_sub(1), last })
            }
            _ => None,
        });
    }

    /// Gives the caller to `by`, if nobody else has him; says what the word was.
    pub fn take(&self, by: u32) -> Option<Call> {
        self.change(|call| matches!(call, Call::Open { .. }).then_some(Call::Taken { by }))
    }

    /// Ends the wait, if he still waits and `may` agrees to the number of phones that ring.
    pub fn close(&self, may: impl Fn(u32) -> bool) -> Option<Call> {
        self.change(|call| match call {
            Call::Open { offers, last } if may(offers) => Some(Call::Gone { offers, last }),
            _ => None,
        })
    }

    fn change(&self, to: impl Fn(Call) -> Option<Call>) -> Option<Call> {
        let mut from = self.0.load(Ordering::Acquire);
        loop {
            let call = Call::unpack(from);
            // AcqRel: pairs with itself and with `load`; the winner sees every counted offer.
            match self.0.compare_exchange(
                from,
                to(call)?.pack(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(call),
                Err(seen) => from = seen,
            }
        }
    }
}

/// A set of small numbers that any thread adds to and takes from.
#[derive(Debug)]
pub struct Bits(Box<[AtomicU64]>);

impl Bits {
    /// Room for the numbers below `size`.
    pub fn new(size: usize) -> Self {
        Self((0..size.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    pub fn insert(&self, number: u32) {
        // AcqRel: pairs with `word`; who sees the bit sees the agent's word that earned it.
        self.0[number as usize / 64].fetch_or(1 << (number % 64), Ordering::AcqRel);
    }

    pub fn remove(&self, number: u32) {
        // AcqRel: pairs with `insert`, so that the check after it sees the word behind the bit.
        self.0[number as usize / 64].fetch_and(!(1 << (number % 64)), Ordering::AcqRel);
    }

    pub fn contains(&self, number: u32) -> bool {
        self.word(number as usize / 64) & (1 << (number % 64)) != 0
    }

    /// The numbers from `64 * at` on, one a bit.
    pub fn word(&self, at: usize) -> u64 {
        // Acquire: pairs with `insert` and `remove`.
        self.0[at].load(Ordering::Acquire)
    }

    /// The numbers in it, ascending, each read once.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.0.len()).flat_map(|at| ones(self.word(at)).map(move |bit| at as u32 * 64 + bit))
    }
}

/// The positions of the bits that are set, ascending.
pub fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        (bit < 64).then(|| {
            word &= word - 1;
            bit
        })
    })
}
