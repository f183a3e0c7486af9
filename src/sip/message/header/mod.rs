//! Header values with structure; one file per family.

mod cseq;
mod name_addr;
mod params;
mod privacy;
mod rack;
mod session_expires;
mod via;

pub use cseq::CSeq;
pub use name_addr::NameAddr;
pub use params::Params;
pub use privacy::Privacy;
pub use rack::RAck;
pub use session_expires::{Refresher, SessionExpires};
pub use via::Via;
