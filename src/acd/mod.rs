//! The lock-free ACD core: callers wait in lines, agents serve them, nobody locks or polls.
//!
//! Every method takes `&self` and may be called from any thread at once: the Switch, gRPC and HTTP
//! tasks, readers. Whoever makes a change that could match a caller and an agent completes the
//! match and gets its outputs; `matching` says how, `tests/acd_loom` shows that it holds in
//! every interleaving, `tests/simulation` that it holds over days, `tests/acd_queueing` that
//! callers wait as long as queueing theory says.
//!
//! ```text
//! config    [acd], [queues.X], [agents.X]          word      agent word, call word, sets of bits
//! roster    the configuration, compiled            matching  the protocol over the words
//! line      callers in order of effective arrival  step      one change: what it makes possible
//! place     where a caller stands in his line, while he is moved
//! due       when a caller is to be looked at again, while any thread works it out
//! favourite an agent whom a caller waits for before anybody else is rung
//! seat      what is known of an agent              core      callers come, are answered, leave
//! choice    which of the free agents is rung       people    agents log in, go away, come back
//! wish      who wants a break while others do, or come
//! breaks    the last one's break        rules     what the configuration says of it, and of misses
//! callback  who is called before an agent's phone rings
//! outlook   how much longer a caller is going to wait
//! snapshot  for wallboards              survey    why an agent was chosen, or nobody was
//! ```
//!
//! What holds, whatever happens at once:
//!
//! - no agent is given two calls, no call two agents;
//! - no caller waits while an agent who is free and able is not about to be rung;
//! - a caller is passed over by a later one only for want of skills or for priority credit;
//! - every offer ends: answered, refused, withdrawn, or at its deadline.
//!
//! Outputs belong to the order of the call that returned them. A thread other than the Switch hands
//! them to it; an `Offer` that was overtaken on the way is seen by `Acd::is_offered`.

pub mod announce;
pub mod callback;
pub mod config;

mod breaks;
mod choice;
mod chunks;
mod core;
mod due;
mod event;
mod favourite;
mod line;
mod matching;
mod outlook;
mod people;
mod place;
mod roster;
mod rules;
mod seat;
mod snapshot;
mod step;
mod survey;
mod sync;
mod wish;
mod word;

#[cfg(test)]
mod breaks_tests;
#[cfg(test)]
mod callback_tests;
#[cfg(test)]
mod distribution_tests;
#[cfg(test)]
mod hall;
#[cfg(test)]
mod line_tests;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use core::{Acd, Ask};
pub use event::{
    AfterCall, Change, ChangeError, Favourite, Outcome, Output, Refusal, State, Withdrawn,
};
pub use outlook::Outlook;
pub use rules::{After, Follows, LastBreak};
pub use snapshot::{AgentSnapshot, CallerSnapshot, QueueFigures, QueueLoad, QueueSnapshot};
pub use survey::{Passed, PassedOver, Survey};
