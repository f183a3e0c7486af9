//! Any bytes as a session description: reading and answering it never panics, and what is accepted
//! describes the same media when written again.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use libfuzzer_sys::fuzz_target;
use strowger::sdp::offer_answer::{Local, codecs_of, has_digits};
use strowger::sdp::{self, Codec, Direction, Security, Session};

fuzz_target!(|body: &[u8]| {
    let Ok(session) = Session::parse(body) else { return };
    let _ = (codecs_of(&session), has_digits(&session));
    let again = Session::parse(session.to_string().as_bytes());
    assert_eq!(again.map(|again| again.media), Ok(session.media.clone()));

    if let Ok((answer, negotiated)) = sdp::answer(&session, &LOCAL) {
        assert!(!negotiated.codecs.is_empty());
        assert_ne!(negotiated.remote_rtp.port(), 0);
        let answer = Session::parse(answer.as_bytes());
        assert_eq!(answer.map(|answer| answer.media.len()), Ok(session.media.len()));
    }
});

const LOCAL: Local<'static> = Local {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    port: 4000,
    session: 1,
    version: 1,
    codecs: &[Codec::G722, Codec::Pcma, Codec::Pcmu],
    digits: true,
    direction: Direction::SendRecv,
    ptime: 20,
    security: Security::Accepted,
    keys: &[],
};
