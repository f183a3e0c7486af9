//! Any bytes as RTCP: reading never panics, what was read is written again as it was, and a leg
//! that hears such reports for a while counts on and says sensible things of itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strowger::id::{CallId, LegId, PromptId};
use strowger::media::control::{Command, Event, Port};
use strowger::media::engine::{Engine, Limits, Output, Slot};
use strowger::media::prompt::{Found, Library};
use strowger::rng::Rng;
use strowger::rtp::rtcp::{self, Packet};
use strowger::sdp::{self, Codec, Direction, Local, Opus, Security};
use strowger::time::{Duration, Epoch, Instant};

struct Nothing;

impl Library for Nothing {
    fn find(&self, _: &PromptId) -> Found {
        Found::Missing
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(packets) = rtcp::parse(bytes) {
        packets.iter().for_each(read_again);
    }
    hear(bytes);
});

/// A report says the same when it was written and read once more.
fn read_again(packet: &Packet) {
    let Packet::Report { ssrc, sender, blocks } = packet else { return };
    let written = rtcp::compound(*ssrc, sender.as_ref(), blocks, "name", false);
    let again = rtcp::parse(&written).expect("what is written can be read");
    assert_eq!(&again[0], packet);
}

/// Each datagram begins with its length and how long after the one before it comes.
fn hear(bytes: &[u8]) {
    let long = Duration::from_secs(1 << 40);
    let limits = Limits { record_length_max: long, silence_max: long };
    let mut engine = Engine::new(limits, Epoch::default(), Rng::from_number(1));
    let (mut out, mut now) = (Vec::new(), Instant::START);
    let leg = LegId { call: CallId::from_u64(1), index: 0 };
    let port = Port { rtp: 4000, thread: 0 };
    engine.handle(now, Command::Open { leg, port }, &mut out);
    let (audio, from) = agreed();
    engine.handle(now, Command::Connect { leg, audio }, &mut out);
    let mut rest = bytes;
    while let [length, wait, after @ ..] = rest {
        let (datagram, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        now = now + Duration::from_millis(8 * u64::from(*wait));
        engine.rtcp(now, Slot::of(4000), from, &mut datagram.to_vec());
        engine.tick(now, &Nothing, &mut out);
        assert!(engine.next_tick().is_none_or(|at| at > now), "time goes on");
    }
    engine.handle(now, Command::Close { leg }, &mut out);
    let closed = out.iter().find_map(|output| match output {
        Output::Event(Event::Closed { counts, .. }) => Some(counts),
        _ => None,
    });
    let counts = closed.expect("a leg's last word");
    let scores = [counts.received.mos, counts.sent.mos, counts.sent_path_mos];
    assert!(scores.into_iter().flatten().all(|mos| (100..=450).contains(&mos)), "{counts:?}");
}

/// A phone that we have agreed with, and where its reports come from.
fn agreed() -> (Box<sdp::Negotiated>, std::net::SocketAddr) {
    let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                 m=audio 4000 RTP/AVP 8\r\n";
    let offer = sdp::Session::parse(offer.as_bytes()).expect("a description");
    let local = Local {
        address: [192, 0, 2, 9].into(),
        port: 4000,
        session: 1,
        version: 0,
        codecs: &[Codec::Pcma],
        digits: true,
        noise: true,
        opus: Opus::default(),
        direction: Direction::SendRecv,
        ptime: 20,
        maxptime: None,
        security: Security::Off,
        keys: &[],
    };
    let (_, agreed) = sdp::answer(&offer, &local).expect("an answer");
    let from = agreed.remote_rtcp;
    (Box::new(agreed), from)
}
