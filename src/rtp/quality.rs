//! How good a call sounds, by the E-model: from delay, loss and codec to a rating and a MOS.
//!
//! Spec:     ITU-T G.107 (06/2015) §7 and Annex B; G.113 Appendix I and IV; G.107.1 for G.722.
//! In:       a path's one-way delay, lost share, burst ratio and codec.
//! Out:      the rating R, and the mean opinion score that it stands for.
//! Not here: counting (`reception`), what a phone says of itself (`rtcp`).
//!
//! What is not measured on a path (loudness, noise, echo loss) has the default of G.107 table 2.

use crate::time::Duration;

/// A path from one mouth to the other ear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    pub codec: Codec,
    /// From mouth to ear, one way.
    pub delay: Duration,
    /// Of the packets, 0 to 1: those that never came, or too late to be heard.
    pub lost: f64,
    /// The mean row of lost packets over that of random loss (G.107 §7.5); 1 if losses are random.
    pub burst_ratio: f64,
}

/// What a codec takes from the quality, alone and when packets are lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codec {
    /// Equipment impairment factor Ie, on the scale that ends at 100.
    ie: f64,
    /// Robustness against the loss of packets, in percent.
    bpl: f64,
    /// Whether it carries 7 kHz: then nothing but Ie stands between it and the scale's end.
    wide: bool,
}

impl Codec {
    /// G.711 that conceals losses as its Appendix I does: Ie 0, Bpl 25.1 (G.113 Appendix I, table
    /// of Ie and Bpl under random loss).
    pub const G711: Self = Self { ie: 0.0, bpl: 25.1, wide: false };
    /// G.711 that plays silence for what is lost: Ie 0, Bpl 4.3 (the same table).
    pub const G711_UNCONCEALED: Self = Self { bpl: 4.3, ..Self::G711 };
    /// G.722 at 64 kbit/s, on the wideband scale, whose end is 129 (G.107.1 §7): Ie,wb 13 (G.113
    /// Appendix IV). An approximation: delay and losses are taken to hurt as they do G.711 whose
    /// losses are concealed, as G.722 Appendix III conceals them.
    ///
    /// Its scores are of a wideband scale and not to be compared with those of G.711 (P.800.1).
    pub const G722: Self = Self { ie: 13.0 * 100.0 / 129.0, bpl: 25.1, wide: true };
    /// Opus as it is used for speech: an assumption, since ITU-T has no planning values for it. Its
    /// Ie,wb is that of G.722, than which listeners found it no worse at 20 kbit/s and more (RFC
    /// 6716 has none of these tests; Rämö and Toukomaa, Interspeech 2011); its losses are taken to
    /// hurt as those of G.722 do, since it conceals them, and may tell of each in the next packet.
    pub const OPUS: Self = Self::G722;
}

/// The transmission rating factor R: 93.2 of a clean path of G.711 (G.107 equation 7-1).
pub fn rating(path: &Path) -> f64 {
    let lost = 100.0 * path.lost.clamp(0.0, 1.0);
    let ratio = path.burst_ratio.clamp(1.0, BURST_RATIO_MAX);
    let Codec { ie, bpl, wide } = path.codec;
    let best = if wide { 100.0 } else { signal_to_noise() - simultaneous() };
    // Ie,eff (equation 7-29).
    let equipment = ie + (95.0 - ie) * lost / (lost / ratio + bpl);
    best - delayed(path.delay) - equipment + ADVANTAGE
}

/// The mean opinion score MOS-CQE of a rating: 1 bad to 4.5 (G.107 equation B-4).
pub fn mos(rating: f64) -> f64 {
    if rating <= 0.0 {
        return 1.0;
    }
    if rating >= 100.0 {
        return 4.5;
    }
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    score.max(1.0) // the curve dips below it at its lower end
}

/// Ro: the basic signal-to-noise ratio (G.107 §7.2).
fn signal_to_noise() -> f64 {
    15.0 - 1.5 * (SLR + noise())
}

/// No: all noise, as one level at the 0 dBr point, in dBm0p (G.107 equations 7-3 to 7-7).
fn noise() -> f64 {
    let sending = PS - SLR - DS - 100.0 + 0.004 * (PS - SLR - RLR - DS - 14.0).powi(2);
    let heard = PR + 10.0 * (1.0 + 10_f64.powf((10.0 - STMR - DR) / 10.0)).log10();
    let receiving = RLR - 121.0 + heard + 0.008 * (heard - 35.0).powi(2);
    let levels = [NC, sending, receiving, NFOR + RLR];
    10.0 * levels.map(|level| 10_f64.powf(level / 10.0)).iter().sum::<f64>().log10()
}

/// Is: what comes at the same moment as the voice (G.107 §7.3).
fn simultaneous() -> f64 {
    let loud = SLR + RLR + 0.2 * (64.0 + noise() - RLR);
    let loudness = 20.0 * (norm(1.0, loud / 8.0, 8) - loud / 8.0);
    // STMRo with T = 0: what of the talker's echo is sidetone.
    let sidetone = -10.0 * (10_f64.powf(-STMR / 10.0) + 10_f64.powf(-TELR / 10.0)).log10();
    let sidetone = 12.0 * norm(1.0, (sidetone - 13.0) / 6.0, 8)
        - 28.0 * norm(1.0, (sidetone + 1.0) / 19.4, 35)
        - 13.0 * norm(1.0, (sidetone - 3.0) / 33.0, 13)
        + 29.0;
    let q = 37.0 - 15.0 * QDU.log10();
    let g = 1.07 + 0.258 * q + 0.0602 * q * q;
    let y = (signal_to_noise() - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0;
    let z = 46.0 / 30.0 - g / 40.0;
    let quantizing = 15.0 * (1.0 + 10_f64.powf(y) + 10_f64.powf(z)).log10();
    loudness + sidetone + quantizing
}

/// Id: what comes later than the voice (G.107 §7.4): the talker's echo, the listener's, and the
/// delay itself. T and Ta are the delay, Tr twice that.
///
/// STMR being 15 dB, the corrections for a sidetone below 9 or above 20 dB do not apply.
fn delayed(delay: Duration) -> f64 {
    let delay = delay.as_secs_f64() * 1000.0;
    let echo = TELR - 40.0 * ((1.0 + delay / 10.0) / (1.0 + delay / 150.0)).log10()
        + 6.0 * (-0.3 * delay * delay).exp();
    let by_talker = -1.5 * (noise() - RLR) - (80.0 + 2.5 * (echo - 14.0));
    let by_talker = by_talker / 2.0 + (by_talker * by_talker / 4.0 + 100.0).sqrt() - 1.0;
    let by_talker = by_talker * (1.0 - (-delay).exp());
    let by_listener = 10.5 * (WEPL + 7.0) * (2.0 * delay + 1.0).powf(-0.25);
    let by_listener = signal_to_noise() - by_listener;
    let by_listener = by_listener / 2.0 + (by_listener * by_listener / 4.0 + 169.0).sqrt();
    let by_delay = if delay <= DELAY_MIN {
        0.0
    } else {
        let x = (delay / DELAY_MIN).log2();
        25.0 * (norm(1.0, x, 6) - 3.0 * norm(1.0, x / 3.0, 6) + 2.0)
    };
    by_talker + by_listener + by_delay
}

/// The norm of two numbers in a power: (aⁿ + bⁿ)^(1/n).
fn norm(a: f64, b: f64, power: i32) -> f64 {
    (a.powi(power) + b.powi(power)).powf(1.0 / f64::from(power))
}

// Defaults of G.107 table 2.
/// Loudness ratings of sending and receiving, in dB.
const SLR: f64 = 8.0;
const RLR: f64 = 2.0;
/// Sidetone masking rating, in dB.
const STMR: f64 = 15.0;
/// D-values of the telephones.
const DS: f64 = 3.0;
const DR: f64 = 3.0;
/// Talker echo loudness rating, in dB.
const TELR: f64 = 65.0;
/// Weighted echo path loss, in dB.
const WEPL: f64 = 110.0;
/// Quantizing distortion units.
const QDU: f64 = 1.0;
/// Circuit noise, in dBm0p.
const NC: f64 = -70.0;
/// Noise floor at the receiving side, in dBmp.
const NFOR: f64 = -64.0;
/// Room noise at both sides, in dB(A).
const PS: f64 = 35.0;
const PR: f64 = 35.0;
/// The least delay that is noticed, mT, in milliseconds; its sensitivity sT is 1.
const DELAY_MIN: f64 = 100.0;
/// Advantage factor A: a wired phone has none (G.107 table 1).
const ADVANTAGE: f64 = 0.0;
/// The end of the range of the burst ratio (G.107 table 2).
const BURST_RATIO_MAX: f64 = 8.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// G.107 §7.7: with every parameter at its default R is 93.2, a MOS of 4.41.
    #[test]
    fn a_clean_path_has_the_default_rating() {
        assert_eq!(rounded(rating(&CLEAN), 1), 93.2);
        assert_eq!(rounded(mos(rating(&CLEAN)), 2), 4.41);
    }

    /// G.107 table B.1: the limits of user satisfaction.
    #[test]
    fn ratings_stand_for_the_scores_of_annex_b() {
        for (rating, score) in
            [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)]
        {
            assert!((mos(rating) - score).abs() < 0.01, "{rating}: {}", mos(rating));
        }
        assert_eq!((mos(-5.0), mos(3.0), mos(100.0), mos(130.0)), (1.0, 1.0, 4.5, 4.5));
    }

    /// The straight lines that Cole and Rosenbluth fitted to Id of G.107 (Computer Communication
    /// Review 31(2), 2001): 0.024 d, and 0.11 more for each millisecond above 177.3;
    /// good to a point and a half up to 350 ms.
    #[test]
    fn delay_hurts_as_the_model_s_known_fit_says() {
        for delay in (0..=350).step_by(10) {
            let fit = 0.024 * f64::from(delay) + 0.11 * (f64::from(delay) - 177.3).max(0.0);
            let id = delayed(Duration::from_millis(delay as u64));
            assert!((id - fit).abs() < 1.5, "{delay} ms: {id}, not {fit}");
        }
    }

    /// G.113 Appendix I (05/2002) also gives Ie of G.711 at some losses, from which Bpl was fitted.
    #[test]
    fn loss_hurts_as_the_planning_values_say() {
        for (codec, lost, ie) in [
            (Codec::G711, 0.01, 5.0),
            (Codec::G711, 0.02, 7.0),
            (Codec::G711, 0.03, 10.0),
            (Codec::G711, 0.05, 15.0),
            (Codec::G711, 0.10, 25.0),
            (Codec::G711_UNCONCEALED, 0.03, 39.0),
            (Codec::G711_UNCONCEALED, 0.05, 51.1),
        ] {
            let lossy = rating(&CLEAN) - rating(&Path { codec, lost, ..CLEAN });
            assert!((lossy - ie).abs() < 2.5, "{lost}: {lossy}, not {ie}");
        }
        assert_eq!(rounded(rating(&Path { lost: 0.1, ..CLEAN }), 1), 66.1, "G.107 equation 7-29");
    }

    /// G.107.1: 116 of 129 without loss or delay.
    #[test]
    fn g722_is_rated_on_the_wideband_scale() {
        let clean = rating(&Path { codec: Codec::G722, ..CLEAN });

        assert_eq!(rounded(clean, 1), 89.8);
        assert_eq!(rounded(mos(clean), 1), 4.3);
    }

    proptest! {
        #[test]
        fn nothing_worse_sounds_better(
            delay in 0_u64..2000, lost in 0.0..1.0, burst_ratio in 1.0..8.0,
            more_delay in 0_u64..500, more_lost in 0.0..0.5, more_bursts in 0.0..3.0,
        ) {
            for codec in [Codec::G711, Codec::G711_UNCONCEALED, Codec::G722, Codec::OPUS] {
                let path = Path { codec, delay: Duration::from_millis(delay), lost, burst_ratio };
                let before = rating(&path);
                let later = path.delay + Duration::from_millis(more_delay);
                for worse in [
                    Path { delay: later, ..path },
                    Path { lost: lost + more_lost, ..path },
                    Path { burst_ratio: burst_ratio + more_bursts, ..path },
                ] {
                    prop_assert!(rating(&worse) <= before + 1e-6, "{:?}", worse);
                    prop_assert!(mos(rating(&worse)) <= mos(before) + 0.02);
                }
                prop_assert!((1.0..=4.5).contains(&mos(before)));
            }
        }
    }

    const CLEAN: Path =
        Path { codec: Codec::G711, delay: Duration::ZERO, lost: 0.0, burst_ratio: 1.0 };

    fn rounded(value: f64, digits: i32) -> f64 {
        let scale = 10_f64.powi(digits);
        (value * scale).round() / scale
    }
}
