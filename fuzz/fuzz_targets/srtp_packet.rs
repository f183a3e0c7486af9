//! Any bytes as SRTP and SRTCP: nothing panics, what was not encrypted is refused, and what was is
//! read again, once.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strowger::rng::Rng;
use strowger::rtp::srtp::{MasterKey, OVERHEAD_MAX, Receiver, Refused, Sender, Suite};

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else { return };
    let suite = Suite::ALL[usize::from(*choice) % Suite::ALL.len()];
    let master = MasterKey::random(suite, &mut Rng::from_number(1));
    let (mut sender, mut receiver) = (Sender::new(&master), Receiver::new(&master));
    assert!(receiver.open_rtp(&mut bytes.to_vec()).is_err());
    assert!(receiver.open_rtcp(&mut bytes.to_vec()).is_err());

    let mut sealed = [bytes, &[0; OVERHEAD_MAX]].concat();
    if let Some(length) = sender.seal_rtp(&mut sealed, bytes.len()) {
        sealed.truncate(length);
        let mut opened = sealed.clone();
        assert_eq!(receiver.open_rtp(&mut opened), Ok(bytes.len()));
        assert_eq!(opened[..bytes.len()], *bytes);
        assert_eq!(receiver.open_rtp(&mut sealed), Err(Refused::Replayed));
    }
    let mut sealed = bytes.to_vec();
    if sender.seal_rtcp(&mut sealed) {
        let mut opened = sealed.clone();
        assert_eq!(receiver.open_rtcp(&mut opened), Ok(bytes.len()));
        assert_eq!(opened[..bytes.len()], *bytes);
        assert_eq!(receiver.open_rtcp(&mut sealed), Err(Refused::Replayed));
    }
});
