//! The jitter buffer on networks made from seeds, in virtual time, beside an offline optimum.

use super::jitter::*;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

const CLOCK: u32 = 8000;
const PTIME: u64 = 20;

/// What a network does to packets.
#[derive(Clone, Copy, Debug, Default)]
struct Network {
    /// Per mille of packets.
    loss: u32,
    /// Mean length of a row of losses.
    burst: u32,
    /// Milliseconds, at the most; exponential with this as its 99th percentile.
    jitter: u32,
    /// A delay by this many ms that comes now and then and goes at once: spikes of a radio link.
    spike: u32,
    /// Parts per million that the sender's clock is fast.
    drift: i64,
    /// Packets keep their order.
    ordered: bool,
}

#[derive(Debug, Default)]
struct Figures {
    /// Of all the time: concealed.
    concealed: f64,
    /// Of all packets: never arrived.
    lost: f64,
    /// Mean ms that a packet waited.
    waited: f64,
    /// The mean wait of the best constant delay that conceals as much.
    best_waited: f64,
    /// What the best constant delay would conceal that makes packets wait as long.
    best_concealed: f64,
    paced: f64,
}

fn exponential(rng: &mut Rng, p99: u32) -> f64 {
    let u = (f64::from(rng.below(1_000_000)) + 1.0) / 1_000_001.0;
    (-u.ln() * f64::from(p99) / 4.6).min(f64::from(p99) * 1.5)
}

/// (arrival in microseconds, number), by arrival; lost ones do not arrive.
fn trace(network: Network, count: u64, seed: u64) -> Vec<(u64, u64)> {
    let mut rng = Rng::from_number(seed);
    let mut arrivals = Vec::new();
    let (mut losing, mut latest, mut spike) = (0_u32, 0.0_f64, 0.0_f64);
    for n in 0..count {
        if losing > 0 {
            losing -= 1;
            continue;
        }
        let burst = network.burst.max(1);
        if rng.below(1000 * burst) < network.loss {
            losing = burst - 1;
            continue;
        }
        if network.spike > 0 && rng.below(500) == 0 {
            spike = f64::from(network.spike);
        }
        let sent = (n * PTIME * 1000) as f64 * (1.0 - network.drift as f64 / 1e6);
        let mut at = sent + 1e6 + 1000.0 * (exponential(&mut rng, network.jitter) + spike);
        spike = (spike - PTIME as f64).max(0.0);
        if network.ordered {
            at = at.max(latest + 100.0);
        }
        latest = at;
        arrivals.push((at as u64, n));
    }
    arrivals.sort_unstable();
    arrivals
}

/// Plays a trace, a frame each 20 ms.
fn play(network: Network, count: u64, seed: u64) -> Figures {
    let arrivals = trace(network, count, seed);
    let mut jitter = Jitter::new(CLOCK);
    let (mut held, mut concealed, mut heard, mut paced) = (0_u32, 0_u64, 0_u64, 0_u64);
    let mut waits = 0.0;
    let mut at = vec![0; count as usize];
    let mut coming = arrivals.iter().peekable();
    let phase = 7_300;
    for tick in 50..50 + count {
        let now = Instant::from_micros(tick * 20_000 + phase);
        while let Some((came, n)) = coming.next_if(|(came, _)| *came <= now.as_micros()) {
            at[*n as usize] = *came;
            let payload = n.to_be_bytes();
            let packet = Packet {
                ssrc: 1,
                sequence: (65_000 + n) as u16,
                timestamp: (u32::MAX - 8000).wrapping_add(160 * *n as u32),
                duration: 160,
                tag: (),
                payload: &payload,
            };
            jitter.put(Instant::from_micros(*came), packet);
        }
        while held < 160 {
            match jitter.next(now, 160 - held) {
                Next::Packet { payload, .. } => {
                    let n = u64::from_be_bytes(payload.try_into().unwrap());
                    waits += (now.as_micros() - at[n as usize]) as f64 / 1000.0;
                    waits += f64::from(held) / 8.0;
                    heard += 1;
                    held += 160;
                    match jitter.pace(now, held) {
                        Pace::Faster => (held, paced) = (held - 64, paced + 64),
                        Pace::Slower => (held, paced) = (held + 64, paced + 64),
                        Pace::Keep => {}
                    }
                }
                Next::Late => {
                    concealed += u64::from(160 - held);
                    held = 160;
                }
                Next::Lost(units) => {
                    concealed += u64::from(units);
                    held += units;
                }
                Next::Pause => held = 160,
            }
        }
        held -= 160;
    }
    let total = (count * 160) as f64;
    let mut figures = Figures {
        concealed: concealed as f64 / total,
        lost: 1.0 - arrivals.len() as f64 / count as f64,
        waited: waits / heard as f64,
        paced: paced as f64 / total,
        ..Figures::default()
    };
    let optimum = optimum(&arrivals);
    let played = ((1.0 - figures.concealed) * count as f64) as usize;
    figures.best_waited = optimum[played.clamp(1, optimum.len()) - 1];
    let played = optimum.iter().rposition(|wait| *wait <= figures.waited).map_or(0, |n| n + 1);
    figures.best_concealed = 1.0 - played as f64 / count as f64;
    figures
}

/// The mean wait, in ms, of the least constant delay that plays the n+1 quickest packets of a
/// trace; half a tick of it is what the beat of the listener costs everybody.
fn optimum(arrivals: &[(u64, u64)]) -> Vec<f64> {
    let mut transits: Vec<f64> =
        arrivals.iter().map(|(at, n)| *at as f64 / 1000.0 - (n * PTIME) as f64).collect();
    transits.sort_by(f64::total_cmp);
    let mut sum = 0.0;
    let wait = |(n, transit): (usize, f64)| {
        sum += transit;
        transit - sum / (n + 1) as f64 + 10.0
    };
    transits.into_iter().enumerate().map(wait).collect()
}

const CALM: Network = Network { loss: 0, burst: 1, jitter: 0, spike: 0, drift: 0, ordered: true };

/// Waits at most 15 ms longer than the best constant delay that loses as much.
fn is_near_the_optimum(network: Network) {
    for seed in 1..=3 {
        let figures = play(network, 4000, seed);
        let Figures { concealed, lost, waited, best_waited, best_concealed, paced } = figures;
        let told = format!("{network:?}, seed {seed}: {figures:?}");
        assert!(waited < best_waited + 15.0, "{told}");
        assert!(concealed < lost + 0.045, "{told}");
        assert!(concealed < best_concealed + 0.015, "{told}");
        assert!(paced < 0.03, "{told}");
    }
}

#[test]
fn loss_costs_what_was_lost_and_no_delay() {
    for (loss, burst) in [(0, 1), (10, 1), (50, 1), (200, 1), (50, 4), (200, 5)] {
        let network = Network { loss, burst, ..CALM };
        for seed in 1..=3 {
            let figures = play(network, 4000, seed);
            assert!((figures.concealed - figures.lost).abs() < 0.001, "{network:?}: {figures:?}");
            assert!(figures.waited < 27.0, "{network:?}: {figures:?}");
        }
    }
}

#[test]
fn jitter_costs_no_more_delay_than_it_must() {
    for jitter in [20, 60, 120, 200] {
        is_near_the_optimum(Network { jitter, ..CALM });
        is_near_the_optimum(Network { jitter, ordered: false, ..CALM });
    }
}

#[test]
fn spikes_of_a_radio_link_are_caught_up_with() {
    is_near_the_optimum(Network { spike: 200, ..CALM });
    is_near_the_optimum(Network { jitter: 60, loss: 50, spike: 100, ..CALM });
}

/// Everything at once, as seeds have it: losses to 20 % alone and in rows, jitter to 200 ms in
/// order and not, spikes, clocks that differ by 200 ppm.
#[test]
fn any_network_costs_little_more_than_it_must() {
    let mut rng = Rng::from_number(24);
    for _ in 0..16 {
        is_near_the_optimum(Network {
            loss: rng.below(201),
            burst: 1 + rng.below(6),
            jitter: rng.below(201),
            spike: 100 * rng.below(3),
            drift: 200 * (i64::from(rng.below(3)) - 1),
            ordered: rng.below(2) == 0,
        });
    }
}

/// An hour at 200 ppm is 36 packets too many, or too few.
#[test]
fn a_clock_that_drifts_is_followed_for_an_hour() {
    for drift in [200, -200] {
        let figures = play(Network { drift, ..CALM }, 180_000, 1);
        assert!(figures.waited < 32.0, "{drift} ppm: {figures:?}");
        assert!(figures.concealed < 0.0002, "{drift} ppm: {figures:?}");
        let followed = figures.paced + figures.concealed;
        assert!((0.00015..0.0004).contains(&followed), "{drift} ppm: {figures:?}");
    }
}

/// A packet with number `sequence` at `at` ms.
fn put(jitter: &mut Jitter<u8>, at: u64, (ssrc, sequence, timestamp): (u32, u16, u32)) {
    let payload = [sequence as u8];
    let packet = Packet { ssrc, sequence, timestamp, duration: 160, tag: 0, payload: &payload };
    jitter.put(moment(at), packet);
}

/// What is heard at `at` ms: the payload of a packet.
fn heard(jitter: &mut Jitter<u8>, at: u64) -> Option<u8> {
    match jitter.next(moment(at), 160) {
        Next::Packet { payload, .. } => Some(payload[0]),
        Next::Late | Next::Lost(_) | Next::Pause => None,
    }
}

fn moment(ms: u64) -> Instant {
    Instant::START + Duration::from_millis(ms)
}

#[test]
fn a_sender_that_begins_anew_is_heard_again() {
    // Another source; the same with other numbers, the same with another clock.
    for (ssrc, sequence, timestamp) in [(2, 7000, 5), (1, 30_000, 20_000), (1, 210, 1_000_000)] {
        let mut jitter = Jitter::new(CLOCK);
        for n in 0..10 {
            put(&mut jitter, 20 * n, (1, 200 + n as u16, 160 * n as u32));
            heard(&mut jitter, 20 * n + 10);
        }
        let said: Vec<_> = (0..20)
            .filter_map(|n| {
                let (sequence, timestamp) = (sequence + n as u16, timestamp + 160 * n as u32);
                put(&mut jitter, 200 + 20 * n, (ssrc, sequence, timestamp));
                heard(&mut jitter, 210 + 20 * n)
            })
            .collect();

        assert!(said.len() >= 15, "{said:?}");
        let ends = said.last().map(|last| last.wrapping_sub(sequence as u8));
        assert!(ends.is_some_and(|ends| ends >= 17), "{said:?}");
    }
}

#[test]
fn one_stray_packet_changes_nothing() {
    let mut jitter = Jitter::new(CLOCK);
    let said: Vec<_> = (0..50)
        .filter_map(|n| {
            put(&mut jitter, 20 * n, (1, n as u16, 160 * n as u32));
            if n % 10 == 5 {
                put(&mut jitter, 20 * n, (1, 40_000, 7));
                put(&mut jitter, 20 * n, (1, n as u16 + 1, 900_000));
            }
            heard(&mut jitter, 20 * n + 10)
        })
        .collect();

    assert!(said.windows(2).all(|pair| pair[1] == pair[0] + 1), "{said:?}");
    assert_eq!(jitter.counts(), Counts { astray: 10, ..Counts::default() });
}

#[test]
fn a_pause_of_the_sender_is_silence_of_its_length() {
    let mut jitter = Jitter::new(CLOCK);
    let mut moments = Vec::new();
    for tick in 0..200_u64 {
        // Speaks for a second, is silent for a second; the numbers go on, the timestamps jump.
        if tick % 100 < 50 {
            let sequence = tick / 100 * 50 + tick % 100;
            put(&mut jitter, 20 * tick, (1, sequence as u16, 160 * tick as u32));
        }
        if heard(&mut jitter, 20 * tick + 10).is_some() {
            moments.push(tick);
        }
    }

    assert_eq!(moments.len(), 100);
    let delay = moments[0];
    assert_eq!(moments[50], 100 + delay);
    assert_eq!(jitter.counts(), Counts::default());
}

#[test]
fn a_flood_is_bounded_and_the_newest_are_heard() {
    let mut jitter = Jitter::new(CLOCK);
    for n in 0..5000 {
        put(&mut jitter, 10, (1, n, 160 * u32::from(n)));
        put(&mut jitter, 10, (1, n, 160 * u32::from(n)));
    }
    let mut last = None;
    for tick in 0..200 {
        last = heard(&mut jitter, 20_000 + 20 * tick).or(last);
    }

    let counts = jitter.counts();
    assert!(counts.astray + counts.overflown + counts.duplicates >= 9800, "{counts:?}");
    assert_eq!(last, Some(4999_u16 as u8));
}
