//! The B2BUA: calls, their legs, and what a caller goes through.
//!
//! A `Call` owns its legs and the stage that its caller is in; each stage is a file of its own.

mod announcing;
mod answered;
mod asking;
mod audio;
#[expect(clippy::module_inception, reason = "the trade's word for the machine and for its folder")]
mod call;
mod called_back;
mod caller;
mod camping;
mod codes;
mod conference;
pub mod config;
mod control;
mod customer;
mod early;
mod ending;
mod guesses;
mod hall;
mod identity;
mod invite;
mod joining;
pub mod known;
mod leg;
mod legs;
mod menus;
mod park;
mod queueing;
mod ringing;
pub mod services;
mod showing;
mod site;
mod sounds;
mod supervision;
mod talking;
mod transfer;
pub mod trunk;

pub use asking::{Wanted, Way};
pub use call::{Call, Input, Invited, Output, Stage};
pub use called_back::Attempt;
pub use caller::{Caller, Origin};
pub use control::{Order, OrderError, Ordered};
pub use ending::NODE_STOP;
pub use guesses::Guesser;
pub use hall::{Hall, Halls};
pub use identity::is_hidden;
pub use invite::{
    AGENT, ALLOW, RETRY_AFTER_S, SDP, SUPPORTED, is_description, is_type, not_understood,
};
pub use joining::{Joined, Place, join};
pub use leg::{Event as LegEvent, Input as LegInput, Leg};
pub use park::{Lot, Parked};
pub use services::GRUU_RULE;
pub use site::{Plan, Ports, Settings, Site};
pub use sounds::recording_ended;
pub use supervision::{Supervisor, Wish, supervise};
