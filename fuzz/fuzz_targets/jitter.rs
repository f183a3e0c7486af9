//! Any packets at any time through the jitter buffer: nothing panics, time goes on, nothing is
//! heard that was not said, none of it twice, and what waits is bounded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strowger::rtp::jitter::{Jitter, Next, Packet};
use strowger::time::{Duration, Instant};

const CLOCK: u32 = 8000;
/// Units that are heard at a time.
const FRAME: u32 = 160;

fuzz_target!(|bytes: &[u8]| {
    let mut jitter = Jitter::new(CLOCK);
    let (mut now, mut sequence, mut timestamp, mut ssrc) = (Instant::START, 65_530_u16, 0_u32, 1);
    let (mut put, mut heard, mut held) = (0_u32, vec![false; bytes.len()], 0);
    // Each three bytes: what happens, and two numbers for it.
    for step in bytes.chunks_exact(3) {
        let (one, two) = (step[1], step[2]);
        match step[0] % 8 {
            0 => sequence = sequence.wrapping_add(one.into()),
            1 => timestamp = timestamp.wrapping_add(u32::from(one) << (two % 25)),
            2 => (sequence, ssrc) = (u16::from_be_bytes([one, two]), ssrc ^ u32::from(two & 1)),
            3 => sequence = sequence.wrapping_sub(one.into()),
            4 | 5 => {
                let payload = put.to_be_bytes();
                let duration = FRAME * u32::from(one % 8) / 2;
                let tag = put;
                put += 1;
                jitter.put(
                    now,
                    Packet { ssrc, sequence, timestamp, duration, tag, payload: &payload },
                );
                sequence = sequence.wrapping_add(1);
                timestamp = timestamp.wrapping_add(duration);
            }
            _ => {
                now = now + Duration::from_millis(u64::from(one) << (two % 20));
                held = listen(&mut jitter, now, &mut heard, held);
            }
        }
    }
    assert!(heard.iter().filter(|heard| **heard).count() <= put as usize);
});

/// Takes a frame as an ear does; gives what is left of the last packet.
fn listen(jitter: &mut Jitter<u32>, now: Instant, heard: &mut [bool], held: u32) -> u32 {
    let mut held = held;
    for turn in 0.. {
        if held >= FRAME {
            break;
        }
        assert!(turn < 10_000, "a frame comes to its end");
        let wanted = FRAME - held;
        held += match jitter.next(now, wanted) {
            Next::Packet { tag, payload } => {
                assert_eq!(payload, tag.to_be_bytes(), "it is as it was said");
                assert!(!std::mem::replace(&mut heard[tag as usize], true), "{tag} is heard again");
                FRAME / 2
            }
            Next::Lost(units) => {
                assert!(units > 0 && units <= wanted.max(FRAME), "{units} of {wanted}");
                units
            }
            Next::Late | Next::Pause => wanted,
        };
    }
    let _ = (jitter.pace(now, held), jitter.delay(now, held), jitter.target());
    held - FRAME
}
