//! Any bytes as a session description: reading and answering it never panics, and what is accepted
//! describes the same media when written again.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strowger::rng::Rng;
use strowger::sdp::offer_answer::{Local, codecs_of, has_digits, has_keys, has_noise, opus_of};
use strowger::sdp::{self, Codec, Direction, MasterKey, Opus, Security, Session, Suite};

fuzz_target!(|body: &[u8]| {
    let Ok(session) = Session::parse(body) else { return };
    let _ = (codecs_of(&session), has_digits(&session), has_keys(&session));
    let _ = (has_noise(&session), opus_of(&session));
    let again = Session::parse(session.to_string().as_bytes());
    assert_eq!(again.map(|again| again.media), Ok(session.media.clone()));

    let local = Local { keys: &KEYS, ..LOCAL };
    let _ = (sdp::accept(&local, &session), sdp::accept_again(&local, &session, &session));
    if let Ok((answer, negotiated)) = sdp::answer(&session, &local) {
        assert!(!negotiated.codecs.is_empty());
        assert_ne!(negotiated.remote_rtp.port(), 0);
        // A refused stream's formats are repeated, whatever words they are.
        let has_keys = answer.lines().any(|line| line.starts_with("a=crypto:"));
        assert_eq!(negotiated.keys.is_some(), has_keys);
        let answer = Session::parse(answer.as_bytes());
        assert_eq!(answer.map(|answer| answer.media.len()), Ok(session.media.len()));
    }
});

const LOCAL: Local<'static> = Local {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    port: 4000,
    session: 1,
    version: 1,
    codecs: &[Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
    digits: true,
    noise: true,
    opus: Opus::OURS,
    direction: Direction::SendRecv,
    ptime: 20,
    maxptime: None,
    security: Security::Accepted,
    keys: &[],
};

static KEYS: LazyLock<Vec<MasterKey>> = LazyLock::new(|| {
    let mut rng = Rng::from_number(1);
    Suite::ALL.into_iter().map(|suite| MasterKey::random(suite, &mut rng)).collect()
});
