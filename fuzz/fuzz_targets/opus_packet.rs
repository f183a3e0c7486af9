//! Any packets as a stream of Opus: decoded, recovered and concealed, they give as many samples as
//! their lengths say, or an error.
//!
//! Each packet of the input has a byte before it, which says what is done, and one with its length.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strowger::audio::opus::{self, Decoder, SAMPLES_MAX};

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::default();
    let mut samples = Vec::new();
    let mut rest = bytes;
    while let [what, length, left @ ..] = rest {
        let (packet, left) = left.split_at(usize::from(*length).min(left.len()));
        rest = left;
        samples.clear();
        match what % 4 {
            0 | 1 => match decoder.decode(packet, &mut samples) {
                Ok(()) => assert_eq!(Ok(3 * samples.len() as u32), opus::ticks(packet)),
                Err(_) => assert!(samples.is_empty()),
            },
            2 => {
                let count = 40 * (usize::from(*what) >> 2).max(1);
                decoder.recover(packet, count.min(SAMPLES_MAX), &mut samples);
                assert_eq!(samples.len(), count.min(SAMPLES_MAX));
            }
            _ => {
                let count = usize::from(*what) >> 2;
                decoder.conceal(count, &mut samples);
                assert!((count..count + 40).contains(&samples.len()));
            }
        }
    }
});
