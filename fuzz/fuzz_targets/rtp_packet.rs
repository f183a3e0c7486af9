//! Any bytes as RTP, RTCP and telephone events: reading and rewriting never panic or go astray.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strowger::rtp::packet::{self, RtpMut};
use strowger::rtp::{dtmf, rtcp};

fuzz_target!(|bytes: &[u8]| {
    let _ = (packet::is_rtcp(bytes), rtcp::parse(bytes), dtmf::Event::parse(bytes));
    let reader = packet::read(bytes).map(|reader| (reader.payload_type(), reader.payload().len()));
    let mut copy = bytes.to_vec();
    let Some(mut packet) = RtpMut::new(&mut copy) else {
        assert!(reader.is_none(), "both readers refuse the same packets");
        return;
    };
    let payload = packet.payload().to_vec();
    assert_eq!(reader, Some((packet.payload_type(), payload.len())));
    let _ = dtmf::Event::parse(&payload);

    packet.set_marker(true);
    packet.set_payload_type(0xff);
    packet.set_sequence(u16::MAX);
    packet.set_timestamp(u32::MAX);
    packet.set_ssrc(u32::MAX);

    assert!(packet.marker());
    assert_eq!((packet.payload_type(), packet.sequence()), (0x7f, u16::MAX));
    assert_eq!((packet.timestamp(), packet.ssrc()), (u32::MAX, u32::MAX));
    assert_eq!(packet.payload(), payload);
});
