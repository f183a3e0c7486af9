//! RTP packets, RTCP reports, digits, encryption, the jitter buffer (RFC 3550, 3551, 3711, 4733).

pub mod delays;
pub mod dtmf;
pub mod jitter;
#[cfg(test)]
mod jitter_tests;
pub mod packet;
pub mod press;
pub mod quality;
pub mod reception;
pub mod rtcp;
pub mod srtp;
