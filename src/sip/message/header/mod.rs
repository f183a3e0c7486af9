//! Header values with structure; one file per family.

mod cseq;
mod name_addr;
mod params;
mod via;

pub use cseq::CSeq;
pub use name_addr::NameAddr;
pub use params::Params;
pub use via::Via;
