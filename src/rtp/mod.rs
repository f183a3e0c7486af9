//! RTP packets, RTCP reports and digits (RFC 3550, 3551, 4733).

pub mod dtmf;
pub mod packet;
pub mod reception;
pub mod rtcp;
