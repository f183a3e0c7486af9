//! Adding voices: sums that do not overflow, a limit without a click, how loud a voice is.
//!
//! In, out:  frames of samples, all of one rate and length.
//! Not here: who hears whom (`media::room`).

/// Adds a voice to a sum.
pub fn add(sum: &mut [i32], voice: &[i16]) {
    for (sum, sample) in sum.iter_mut().zip(voice) {
        *sum += i32::from(*sample);
    }
}

/// Takes a voice out of a sum that it was added to.
pub fn subtract(sum: &mut [i32], voice: &[i16]) {
    for (sum, sample) in sum.iter_mut().zip(voice) {
        *sum -= i32::from(*sample);
    }
}

/// Turns a sum into samples: up to three quarters of full scale as it is, above that ever less, so
/// that nothing is cut off.
pub fn limit(sum: &[i32], samples: &mut [i16]) {
    for (sum, sample) in sum.iter().zip(samples) {
        *sample = limited(*sum);
    }
}

fn limited(sum: i32) -> i16 {
    let over = i64::from(sum.unsigned_abs()) - KNEE;
    if over <= 0 {
        return sum as i16; // it is below the knee
    }
    let room = i64::from(i16::MAX) - KNEE;
    let bent = KNEE + room * over / (over + room);
    (bent * i64::from(sum.signum())) as i16 // less than full scale
}

/// Lets a voice begin or end within a frame.
pub fn fade(samples: &mut [i16], comes: bool) {
    let length = samples.len() as i32;
    for (at, sample) in (0..length).zip(samples) {
        let weight = if comes { at } else { length - at };
        *sample = (i32::from(*sample) * weight / length) as i16; // no more than it was
    }
}

/// The root mean square of a frame: how loud it is.
pub fn level(samples: &[i16]) -> u32 {
    let energy: u64 = samples.iter().map(|sample| u64::from(sample.unsigned_abs()).pow(2)).sum();
    (energy / samples.len().max(1) as u64).isqrt() as u32 // below 2^16
}

/// Where the limit begins to bend.
const KNEE: i64 = 24_576;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::{Sine, purity};

    #[test]
    fn a_voice_that_is_taken_out_leaves_no_trace() {
        let voice = |frequency| Sine::new(frequency, 8000, 8000).take(160).collect::<Vec<_>>();
        let mut sum = [0; 160];
        add(&mut sum, &voice(440.0));
        add(&mut sum, &voice(700.0));
        subtract(&mut sum, &voice(440.0));

        let mut heard = [0; 160];
        limit(&sum, &mut heard);
        assert_eq!(heard[..], voice(700.0));
    }

    #[test]
    fn the_limit_is_smooth_and_never_reached() {
        let mut before = 0;
        for sum in (0..2_000_000).step_by(7) {
            let now = limited(sum);
            assert_eq!(limited(-sum), -now);
            assert!(now >= before && now < i16::MAX, "{sum} becomes {now}");
            assert!(i32::from(now - before) <= 7, "a step at {sum}");
            before = now;
        }
        assert_eq!(limited(24_000), 24_000);
        assert_eq!(limited(i32::MIN + 1), -limited(i32::MAX));
    }

    /// 64 people who shout at once.
    #[test]
    fn what_is_too_loud_is_bent_not_torn() {
        let tone: Vec<i16> = Sine::new(500.0, 20_000, 8000).take(1600).collect();
        let mut sum = vec![0; 1600];
        (0..2).for_each(|_| add(&mut sum, &tone));
        let mut heard = vec![0; 1600];
        limit(&sum, &mut heard);

        assert!(purity(&heard, 500.0, 8000) > 0.97);
    }

    #[test]
    fn a_fade_begins_and_ends_at_nothing() {
        let mut frame = [1000; 160];
        fade(&mut frame, true);
        assert_eq!((frame[0], frame[80], frame[159]), (0, 500, 993));
        let mut frame = [-1000; 160];
        fade(&mut frame, false);
        assert_eq!((frame[0], frame[80], frame[159]), (-1000, -500, -6));
    }

    #[test]
    fn the_level_is_the_root_mean_square() {
        let tone: Vec<i16> = Sine::new(500.0, 10_000, 8000).take(1600).collect();
        assert!(level(&tone).abs_diff(7071) < 5);
        assert_eq!((level(&[]), level(&[0; 160]), level(&[i16::MIN; 4])), (0, 0, 32_768));
    }
}
