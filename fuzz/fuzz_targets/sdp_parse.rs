//! Any bytes as a session description: reading and answering them never panics, and what is
//! accepted reads the same when written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strowger::sdp::offer_answer::{codecs_of, has_digits};
use strowger::sdp::session::Session;

fuzz_target!(|body: &[u8]| {
    let Ok(session) = Session::parse(body) else { return };
    let _ = (codecs_of(&session), has_digits(&session));
    let written = session.to_string();
    let again = Session::parse(written.as_bytes());
    assert_eq!(again.map(|again| again.to_string()).ok(), Some(written));
});
