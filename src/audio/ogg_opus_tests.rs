//! Ogg/Opus files as players hear them: level, place, length; cut, altered and hostile ones.

use super::*;
use crate::audio::tone::{Sine, amplitude};
use proptest::prelude::*;

/// Level, noise, place and length of a long file: each side in its place to the sample.
#[test]
fn a_long_file_keeps_level_length_and_place() {
    let seconds = 180;
    let (left, right) = (tone(500.0, seconds), tone(1004.0, seconds));
    let file = encoded(&left, &right, 48_000);

    let found = look(&mut &file[..]).unwrap().unwrap();
    assert_eq!((found.damage, found.bytes), (None, file.len() as u64));
    assert_eq!(found.ticks, 6 * left.len() as u64);
    let heard = decoded(&file);
    assert_eq!(heard[0].len() as u64, found.ticks);
    for (heard, said, hertz) in [(&heard[0], &left, 500.0), (&heard[1], &right, 1004.0)] {
        for second in [1, 90, 178] {
            let loud = |samples: &[i16], rate: u32| {
                let second = second * rate as usize;
                amplitude(&samples[second..second + rate as usize], hertz, rate)
            };
            let level = 20.0 * (loud(heard, CLOCK) / loud(said, 8000)).log10();
            assert!(level.abs() < 0.2, "{hertz} Hz at {second} s: {level:.3} dB");
        }
    }
}

/// Bursts on alternating sides, to the end of the file: each begins where it was, and is not heard
/// on the other side.
#[test]
fn sides_are_aligned_and_apart_at_any_bits() {
    for bitrate in [*BITRATES.start(), 48_000, *BITRATES.end()] {
        let burst = tone(1004.0, 1);
        let silence = vec![0; burst.len()];
        let mut sides = [Vec::new(), Vec::new()];
        for n in 0..8 {
            sides[n % 2].extend(&burst);
            sides[1 - n % 2].extend(&silence);
        }
        let heard = decoded(&encoded(&sides[0], &sides[1], bitrate));
        for n in 0..8 {
            let (here, there) = (&heard[n % 2], &heard[1 - n % 2]);
            let second = |side: &[i16]| side[n * 48_000 + 4800..(n + 1) * 48_000 - 4800].to_vec();
            let apart = 20.0 * (rms(&second(there)).max(0.1) / rms(&second(here))).log10();
            assert!(apart < -60.0, "{bitrate} b/s, burst {n}: {apart:.1} dB on the other side");
            let begins = onset(here, n * 48_000);
            // The encoder smears what begins over its frame at the fewest bits.
            assert!(begins.abs() < 480, "{bitrate} b/s, burst {n} begins {begins} ticks late");
        }
    }
}

#[test]
fn every_length_is_kept_to_the_sample() {
    for frames in [0, 1, 51, 52, 107, 108, 109, 159, 160, 161, 7947, 7948, 8000, 8001, 16_000] {
        let side = vec![100; frames];
        let file = encoded(&side, &side, 48_000);

        let found = look(&mut &file[..]).unwrap().unwrap();

        assert_eq!((found.ticks, found.damage), (6 * frames as u64, None), "{frames}");
        assert_eq!(decoded(&file)[0].len(), 6 * frames, "{frames}");
    }
}

/// A page lasts no longer than a second, and what was given is never taken back.
#[test]
fn what_was_cut_is_read_to_its_last_whole_page() {
    let side = tone(440.0, 5);
    let file = encoded(&side, &side, 48_000);
    let all = look(&mut &file[..]).unwrap().unwrap();
    let mut before = 0;
    for cut in (0..file.len()).step_by(97) {
        let found = look(&mut &file[..cut]).unwrap();
        let Some(found) = found else { continue };

        assert_eq!(found.damage, Some(Damage::Cut), "cut at {cut}");
        assert!(found.bytes <= cut as u64 && found.ticks >= before, "cut at {cut}");
        assert!(found.ticks.is_multiple_of(48_000) || found.ticks % 48_000 == 48_000 - 312);
        before = found.ticks;
    }
    assert!(before >= all.ticks - 2 * 48_000);
}

#[test]
fn damage_is_told_with_its_place() {
    let side = tone(440.0, 4);
    let file = encoded(&side, &side, 48_000);
    for at in (120..file.len()).step_by(61) {
        let mut altered = file.clone();
        altered[at] ^= 0x10;

        let found = look(&mut &altered[..]).unwrap();

        let damage = found.and_then(|found| found.damage);
        assert!(damage.is_none_or(|damage| damage != Damage::Longer), "byte {at}");
    }
    let longer = [&file[..], b"x"].concat();
    let damage = look(&mut &longer[..]).unwrap().unwrap().damage;
    assert_eq!(damage, Some(Damage::Longer));
    assert_eq!(
        look(&mut &b"RIFF and so on, for long enough to be a page of it"[..]).unwrap(),
        None
    );
}

proptest! {
    /// What lies in the archive may have been put there by anybody.
    #[test]
    fn no_file_makes_it_panic(
        mut tail in prop::collection::vec(any::<u8>(), 0..600),
        cut in 0_usize..4000,
    ) {
        static FILE: std::sync::LazyLock<Vec<u8>> =
            std::sync::LazyLock::new(|| encoded(&[50; 4000], &[50; 4000], 48_000));
        let mut file = FILE[..cut.min(FILE.len())].to_vec();
        file.append(&mut tail);
        look(&mut &file[..]).unwrap();
    }
}

fn tone(hertz: f64, seconds: usize) -> Vec<i16> {
    Sine::new(hertz, 7000, 8000).take(8000 * seconds).collect()
}

fn encoded(left: &[i16], right: &[i16], bitrate: u32) -> Vec<u8> {
    let samples: Vec<i16> = left.iter().zip(right).flat_map(|(l, r)| [*l, *r]).collect();
    let mut writer = Writer::new(8000, bitrate, 7, &["CALL=1".to_owned()]);
    let mut file = Vec::new();
    for piece in samples.chunks(2 * 1234) {
        writer.write(piece);
        file.extend(writer.take());
    }
    file.extend(writer.finish());
    file
}

/// Both sides as a player hears them (RFC 7845 §4.2, §4.4).
fn decoded(mut file: &[u8]) -> [Vec<i16>; 2] {
    let mut decoder = ropus::Decoder::new(CLOCK, Channels::Stereo).unwrap();
    let (mut samples, mut skip, mut end) = (Vec::new(), 0, 0);
    for number in 0.. {
        let Ok(page) = read_page(&mut file).unwrap() else { panic!("page {number}") };
        if number == 0 {
            skip = usize::from(pre_skip_of(&page.packets[0]).unwrap());
        }
        if number >= HEADERS {
            for packet in &page.packets {
                let mut piece = vec![0; 2 * PACKET_TICKS as usize];
                let mode = ropus::DecodeMode::Normal;
                assert_eq!(decoder.decode(packet, &mut piece, mode).unwrap(), 960);
                samples.extend(piece);
            }
        }
        end = page.granule as usize;
        if page.is_last {
            break;
        }
    }
    let side = |n: usize| samples[2 * skip..2 * end].iter().skip(n).step_by(2).copied().collect();
    [side(0), side(1)]
}

fn rms(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (power / samples.len() as f64).sqrt()
}

/// How many ticks after `at` it becomes loud.
fn onset(samples: &[i16], at: usize) -> i64 {
    let from = at.saturating_sub(4800);
    let loud = samples[from..].iter().position(|sample| sample.unsigned_abs() > 1500);
    from as i64 + loud.map_or(i64::MAX / 2, |loud| loud as i64) - at as i64
}
