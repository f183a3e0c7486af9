//! Symmetric RTP: finds out where a phone really sends from, and keeps everyone else out.
//!
//! Spec:     RFC 4961; the probation is that of RFC 3550 §A.1, longer for foreign addresses.
//! In:       what the SDP said, the source of each RTP packet.
//! Out:      whether the packet is the phone's; where to send to.
//! Not here: what the packet says (`session`), the address of RTCP (`session`).

use std::net::{IpAddr, SocketAddr};

use crate::time::{Duration, Instant};

/// What a packet's source makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The phone's.
    Ours,
    /// Perhaps the phone's, behind a NAT or faster than its SDP: to be dropped, but not counted as
    /// a stranger's yet.
    Probation,
    /// Somebody else's: to be dropped and counted.
    Stranger,
}

/// The source of one leg's RTP.
#[derive(Clone, Debug, Default)]
pub struct Latch {
    state: State,
    /// Where the phone's SIP comes from, if that is known.
    signalled: Option<IpAddr>,
    strangers: u64,
}

#[derive(Clone, Debug, Default)]
enum State {
    /// No SDP yet: nobody is expected.
    #[default]
    Closed,
    /// Waits for the first packet from `expected` or, after a repeated offer and answer, from
    /// `held`; `tried` are others who send meanwhile.
    Open { expected: SocketAddr, held: Option<SocketAddr>, tried: [Option<Candidate>; TRIED_MAX] },
    /// Only `source` is heard, until `expected` is.
    Fixed { expected: SocketAddr, source: SocketAddr },
}

impl Latch {
    /// Takes what the SDP says. The same address again keeps the source but lets another one take
    /// its place while it is silent; another address begins anew.
    ///
    /// A phone whose SIP comes from the address that its SDP says (`signalled`) is behind no NAT:
    /// no other address is heard.
    pub fn expect(&mut self, remote: SocketAddr, signalled: Option<IpAddr>) {
        self.signalled = signalled;
        let held = match self.state {
            State::Fixed { expected, source } if expected == remote => Some(source),
            State::Open { expected, held, .. } if expected == remote => held,
            State::Closed | State::Open { .. } | State::Fixed { .. } => None,
        };
        self.state = State::Open { expected: remote, held, tried: [None; TRIED_MAX] };
    }

    /// Judges one RTP packet by its source, its SSRC and its sequence number.
    pub fn judge(&mut self, now: Instant, from: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        match &mut self.state {
            State::Fixed { source, .. } if *source == from => Verdict::Ours,
            State::Fixed { expected, source } if *expected == from => {
                *source = from; // whoever was faster was not the phone
                Verdict::Ours
            }
            State::Closed => Verdict::Probation,
            State::Fixed { .. } => {
                self.strangers += 1;
                Verdict::Stranger
            }
            State::Open { expected, held, .. } if from == *expected || Some(from) == *held => {
                let expected = *expected;
                self.fix(expected, from);
                Verdict::Ours
            }
            State::Open { expected, tried, .. } => {
                let expected = *expected;
                let is_near = from.ip() == expected.ip() || Some(from.ip()) == self.signalled;
                if !is_near && self.signalled == Some(expected.ip()) {
                    self.strangers += 1;
                    return Verdict::Stranger;
                }
                let Some(candidate) = place(tried, now, from, &mut self.strangers) else {
                    self.strangers += 1;
                    return Verdict::Stranger;
                };
                candidate.count(now, ssrc, sequence, &mut self.strangers);
                let enough = if is_near { PROBATION_NEAR } else { PROBATION_FAR };
                if candidate.packets < enough {
                    return Verdict::Probation;
                }
                self.fix(expected, from);
                Verdict::Ours
            }
        }
    }

    /// Whether a packet from there is a stranger's, whatever it says.
    pub fn excludes(&self, from: SocketAddr) -> bool {
        match self.state {
            State::Fixed { expected, source } => ![expected, source].contains(&from),
            State::Closed | State::Open { .. } => false,
        }
    }

    /// Where to send to: the source, else what the SDP said; `None` before any SDP.
    pub fn target(&self) -> Option<SocketAddr> {
        match self.state {
            State::Closed => None,
            State::Open { expected, held, .. } => Some(held.unwrap_or(expected)),
            State::Fixed { source, .. } => Some(source),
        }
    }

    /// Whether the phone sends from where its SDP said, as far as is known.
    pub fn is_as_told(&self) -> bool {
        match self.state {
            State::Closed => false,
            State::Open { expected, held, .. } => held.is_none_or(|held| held == expected),
            State::Fixed { expected, source } => expected == source,
        }
    }

    /// Packets of others.
    pub fn strangers(&self) -> u64 {
        let State::Open { tried, .. } = &self.state else { return self.strangers };
        self.strangers + tried.iter().flatten().map(|tried| u64::from(tried.packets)).sum::<u64>()
    }

    /// Ends the search; whoever else was tried was a stranger.
    fn fix(&mut self, expected: SocketAddr, source: SocketAddr) {
        if let State::Open { tried, .. } = &self.state {
            let others = tried.iter().flatten().filter(|tried| tried.from != source);
            self.strangers += others.map(|tried| u64::from(tried.packets)).sum::<u64>();
        }
        self.state = State::Fixed { expected, source };
    }
}

/// Finds the candidate of a source, or a free place for it; `None` if all places are taken by
/// others who still send.
fn place<'a>(
    tried: &'a mut [Option<Candidate>; TRIED_MAX],
    now: Instant,
    from: SocketAddr,
    strangers: &mut u64,
) -> Option<&'a mut Candidate> {
    let index = tried
        .iter()
        .position(|place| place.is_some_and(|candidate| candidate.from == from))
        .or_else(|| tried.iter().position(Option::is_none))
        .or_else(|| {
            let silent = |place: &Option<Candidate>| {
                place.is_some_and(|candidate| now.since(candidate.at) > CANDIDATE_SILENCE)
            };
            tried.iter().position(silent)
        })?;
    let place = &mut tried[index];
    if place.is_some_and(|candidate| candidate.from != from) {
        let gone = place.take().map_or(0, |candidate| candidate.packets);
        *strangers += u64::from(gone);
    }
    let candidate = Candidate { from, ssrc: 0, sequence: 0, packets: 0, at: now };
    Some(place.get_or_insert(candidate))
}

/// A source in probation.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    /// Of its last packet.
    sequence: u16,
    /// In sequence so far, of this SSRC.
    packets: u16,
    at: Instant,
}

impl Candidate {
    fn count(&mut self, now: Instant, ssrc: u32, sequence: u16, strangers: &mut u64) {
        let step = sequence.wrapping_sub(self.sequence);
        let follows = self.packets > 0
            && ssrc == self.ssrc
            && (1..=GAP_MAX).contains(&step)
            && now.since(self.at) <= CANDIDATE_SILENCE;
        if follows {
            self.packets += 1;
        } else {
            *strangers += u64::from(self.packets);
            self.packets = 1;
        }
        (self.ssrc, self.sequence, self.at) = (ssrc, sequence, now);
    }
}

/// Packets in sequence that a source needs at the address of the SDP or of the phone's SIP.
pub const PROBATION_NEAR: u16 = 2;
/// Packets in sequence that a source needs at any other address.
pub const PROBATION_FAR: u16 = 5;
/// Sequence numbers that may be missing, by loss, between two packets of a probation.
const GAP_MAX: u16 = 5;
/// Sources in probation at once; more are strangers.
const TRIED_MAX: usize = 4;
/// After so long without a packet a source begins its probation again, or loses its place.
const CANDIDATE_SILENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::Verdict::{Ours, Probation, Stranger};
    use super::*;

    #[test]
    fn the_address_of_the_sdp_wins_at_once() {
        let mut street = Street::open();

        assert_eq!(street.packets(FOREIGN, 3), [Probation; 3]);
        assert_eq!(street.packets(TOLD, 1), [Ours]);
        assert_eq!(street.packets(FOREIGN, 2), [Stranger; 2]);
        assert_eq!(street.latch.strangers(), 5);
        assert_eq!(street.latch.target(), Some(addr(TOLD)));
    }

    #[test]
    fn a_phone_behind_nat_is_found_after_probation() {
        let mut street = Street::open();

        let verdicts = street.packets(FOREIGN, 5);

        assert_eq!(verdicts, [Probation, Probation, Probation, Probation, Ours]);
        assert_eq!(street.latch.target(), Some(addr(FOREIGN)));
        assert_eq!(street.latch.strangers(), 0);
        assert!(!street.latch.is_as_told());
    }

    #[test]
    fn another_port_of_the_same_phone_is_found_sooner() {
        assert_eq!(Street::open().packets("192.0.2.1:4444", 2), [Probation, Ours]);
    }

    #[test]
    fn packets_that_do_not_follow_each_other_pass_no_probation() {
        let mut street = Street::open();

        for sequence in [100, 5000, 7, 40_000, 3, 900, 12_000] {
            let verdict = street.latch.judge(street.now, addr(FOREIGN), 1, sequence);
            assert_eq!(verdict, Probation);
        }
        assert_eq!(street.latch.strangers(), 7);
    }

    #[test]
    fn nobody_latches_before_the_sdp_or_after_the_source_is_found() {
        let mut street = Street::open();
        street.latch = Latch::default();
        assert_eq!(street.packets(TOLD, 2), [Probation; 2]);
        assert_eq!(street.latch.target(), None);

        street.latch.expect(addr(TOLD), None);
        street.packets(TOLD, 1);

        assert_eq!(street.packets(FOREIGN, 50), [Stranger; 50]);
        assert_eq!(street.latch.strangers(), 50);
    }

    #[test]
    fn a_crowd_cannot_keep_the_phone_out() {
        let mut street = Street::open();
        for port in 1..20 {
            street.packets(&format!("203.0.113.9:{port}"), 1);
        }

        assert_eq!(street.packets(TOLD, 1), [Ours]);
        assert_eq!(street.latch.strangers(), 19);
    }

    #[test]
    fn the_same_sdp_again_keeps_the_source() {
        let mut street = Street::open();
        street.packets(FOREIGN, 5);

        street.latch.expect(addr(TOLD), None);

        assert_eq!(street.latch.target(), Some(addr(FOREIGN)));
        assert_eq!(street.packets(FOREIGN, 1), [Ours]);
        assert_eq!(street.packets("192.0.2.99:9", 9), [Stranger; 9]);
    }

    #[test]
    fn the_same_sdp_again_lets_a_phone_move_that_fell_silent() {
        let mut street = Street::open();
        street.packets(FOREIGN, 5);

        street.latch.expect(addr(TOLD), None);
        let verdicts = street.packets("198.51.100.7:5555", 5);

        assert_eq!(verdicts.last(), Some(&Ours));
        assert_eq!(street.packets(FOREIGN, 1), [Stranger]);
    }

    #[test]
    fn another_sdp_begins_anew() {
        let mut street = Street::open();
        street.packets(TOLD, 1);

        street.latch.expect(addr("192.0.2.2:6000"), None);

        assert_eq!(street.latch.target(), Some(addr("192.0.2.2:6000")));
        assert_eq!(street.packets(TOLD, 1), [Probation]);
        assert_eq!(street.packets("192.0.2.2:6000", 1), [Ours]);
    }

    /// Somebody was faster than the phone: from its first packet on he is out.
    #[test]
    fn the_phone_wins_back_what_a_stranger_took() {
        let mut street = Street::open();
        street.packets(FOREIGN, 5);
        assert!(!street.latch.excludes(addr(TOLD)));

        assert_eq!(street.packets(TOLD, 1), [Ours]);

        assert_eq!(street.packets(FOREIGN, 3), [Stranger; 3]);
        assert_eq!(street.latch.target(), Some(addr(TOLD)));
    }

    #[test]
    fn a_phone_behind_no_nat_is_heard_from_its_address_alone() {
        let mut street = Street::open();
        street.latch.expect(addr(TOLD), Some(addr(TOLD).ip()));

        assert_eq!(street.packets(FOREIGN, 20), [Stranger; 20]);
        assert_eq!(street.latch.target(), Some(addr(TOLD)));
        assert_eq!(street.packets("192.0.2.1:4444", 2), [Probation, Ours]);
    }

    /// The SDP says an address behind the NAT, SIP and audio come from the NAT's.
    #[test]
    fn a_phone_is_found_sooner_where_its_sip_comes_from() {
        let mut street = Street::open();
        street.latch.expect(addr(TOLD), Some(addr(FOREIGN).ip()));

        assert_eq!(street.packets(FOREIGN, 2), [Probation, Ours]);
    }

    const TOLD: &str = "192.0.2.1:4000";
    const FOREIGN: &str = "198.51.100.7:62000";

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    struct Street {
        latch: Latch,
        now: Instant,
        sequence: u16,
    }

    impl Street {
        fn open() -> Self {
            let mut latch = Latch::default();
            latch.expect(addr(TOLD), None);
            Self { latch, now: Instant::START, sequence: 65_530 }
        }

        /// Packets in sequence from one source, 20 ms apart.
        fn packets(&mut self, from: &str, count: usize) -> Vec<Verdict> {
            let mut verdicts = Vec::new();
            for _ in 0..count {
                self.now = self.now + Duration::from_millis(20);
                self.sequence = self.sequence.wrapping_add(1);
                verdicts.push(self.latch.judge(self.now, addr(from), 77, self.sequence));
            }
            verdicts
        }
    }
}
