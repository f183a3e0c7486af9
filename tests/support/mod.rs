//! What the tests with real peers share: the daemon, SIPp, baresip, Linphone, Kamailio, JsSIP, a
//! Python gRPC client, tones.

pub mod authority;
pub mod baresip;
pub mod child;
pub mod daemon;
pub mod jssip;
pub mod kamailio;
pub mod linphone;
pub mod place;
pub mod records;
pub mod sipp;
pub mod tone;
pub mod wait;
pub mod websocket;
pub mod wire;
