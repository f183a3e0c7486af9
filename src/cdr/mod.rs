//! The ledger's entries and the call record folded from them: what is written when.
//!
//! Every fact that somebody may count is an `Entry`. A call's first is `Setup`, its last `Ended`; a
//! `CallRecord` is the fold of what came between. Facts of a call that come after its end, such as
//! after-call work, are entries of their own and appear in a record that is folded later.

pub mod callback;
pub mod config;
pub mod decision;
pub mod entry;
pub mod fold;
mod gathering;
pub mod quality;
pub mod record;
mod recordings;
mod visits;
