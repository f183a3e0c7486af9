

pub mod clock;
pub mod ledger;
pub mod media;
pub mod proto;
pub mod sip;
