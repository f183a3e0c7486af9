//! RTP packets, RTCP reports, digits and encryption (RFC 3550, 3551, 3711, 4733).

pub mod dtmf;
pub mod packet;
pub mod quality;
pub mod reception;
pub mod rtcp;
pub mod srtp;
