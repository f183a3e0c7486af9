//! Offers as phones write them, hold in all its forms, answers that fit and those that do not.

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;
use crate::sdp::{self, Suite};
use Codec::{G722, Opus, Pcma, Pcmu};
use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

#[test]
fn an_offer_names_everything() {
    let offer = offer(&Local { noise: false, ..local(&[Pcma, G722]) });

    assert_eq!(
        offer,
        "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 8 9 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn a_desk_phone_is_answered_in_our_order() {
    let (text, negotiated) = answer(&parse(YEALINK), &local(&[Pcma, G722])).unwrap();

    assert_eq!(negotiated.codecs.as_slice(), [payload(Pcma, 8), payload(G722, 9)]);
    assert_eq!(negotiated.digits.as_slice(), [digits(101, 101)]);
    assert_eq!(negotiated.remote_rtp, "10.2.1.48:11780".parse().unwrap());
    assert_eq!(negotiated.remote_rtcp, "10.2.1.48:11781".parse().unwrap());
    assert_eq!((negotiated.direction, negotiated.ptime), (SendRecv, 20));
    assert!(text.contains("m=audio 20000 RTP/AVP 8 9 101\r\n"), "{text}");
}

/// The offerer's numbers are kept: Polycom has telephone-event at 127.
#[test]
fn dynamic_numbers_of_the_offer_are_kept() {
    let (text, negotiated) = answer(&parse(POLYCOM), &local(&[Pcmu])).unwrap();

    assert_eq!(negotiated.codecs.as_slice(), [payload(Pcmu, 0)]);
    assert_eq!(negotiated.digits.as_slice(), [digits(127, 127)]);
    assert!(text.contains("m=audio 20000 RTP/AVP 0 127\r\n"), "{text}");
    assert!(text.contains("a=fmtp:127 0-15\r\n"), "{text}");
}

/// Video stays in its place with port 0; AVPF is answered with AVPF; rtcp names a port.
#[test]
fn other_media_are_refused_in_their_places() {
    let (text, negotiated) = answer(&parse(LINPHONE), &local(&[Pcmu, Pcma])).unwrap();

    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=audio 20000 RTP/AVPF 0 8 101", "m=video 0 RTP/AVPF 96 97"]);
    assert_eq!(negotiated.remote_rtcp, "192.168.1.20:44444".parse().unwrap());
    assert_eq!(negotiated.ptime, 40);
}

#[test]
fn a_phone_on_ipv6_is_answered() {
    let address = "2001:db8::1".parse().unwrap();
    let (text, negotiated) =
        answer(&parse(BARESIP), &Local { address, ..local(&[G722, Pcmu]) }).unwrap();

    assert!(text.contains("c=IN IP6 2001:db8::1\r\n"), "{text}");
    assert_eq!(negotiated.remote_rtp, "[2001:db8::9]:17330".parse().unwrap());
    assert_eq!(negotiated.remote_rtcp, "[2001:db8::9]:17331".parse().unwrap());
    assert_eq!(answer(&parse(BARESIP), &local(&[Pcmu])), Err(Refusal::Address));
}

#[test]
fn encrypted_audio_alone_is_refused() {
    assert_eq!(answer(&parse(JSSIP), &local(&[Pcmu])), Err(Refusal::Protocol));
    assert_eq!(Refusal::Protocol.status(), 488);
}

/// RFC 4568 §5.1: who answers takes one of the suites that are offered, under its tag.
#[test]
fn encrypted_audio_is_answered_with_a_key() {
    let ours = keys(&[Suite::Gcm128, Suite::Counter128Tag80]);
    let offer = parse(SNOM);
    for security in [Security::Accepted, Security::Preferred, Security::Required] {
        let local = Local { security, keys: &ours, ..local(&[Pcma]) };

        let (text, negotiated) = answer(&offer, &local).unwrap();

        let agreed = negotiated.keys.expect("it is encrypted");
        assert_eq!((agreed.tag, &agreed.send), (2, &ours[1]));
        assert_eq!(agreed.receive.to_base64(), "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz");
        assert!(text.contains("m=audio 20000 RTP/SAVP 8 101\r\n"), "{text}");
        let line = format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{}\r\n", ours[1].to_base64());
        assert!(text.contains(&line), "{text}");
        assert_eq!(text.matches("a=crypto").count(), 1);
    }
    let refusal = |security, keys| answer(&offer, &Local { security, keys, ..local(&[Pcma]) });
    assert_eq!(refusal(Security::Off, &[]), Err(Refusal::Protocol));
    assert_eq!(refusal(Security::Accepted, &ours[..1]), Err(Refusal::NoCommonSuite));
    let plain = Local { security: Security::Required, keys: &ours, ..local(&[Pcma]) };
    assert_eq!(answer(&parse(YEALINK), &plain), Err(Refusal::NotEncrypted));
}

/// RFC 8643: keys under the plain profile are for those who know them.
#[test]
fn encryption_can_be_offered_to_all() {
    let ours = keys(&[Suite::Gcm128, Suite::Counter128Tag80]);
    let theirs = keys(&[Suite::Counter128Tag80]);
    let caller = Local { security: Security::Preferred, keys: &ours, ..local(&[Pcma]) };
    let offer = parse(&offer(&caller));
    assert_eq!(offer.media[0].protocol, "RTP/AVP");

    let callee = Local { keys: &theirs, ..local(&[Pcma]) };
    let (text, there) = answer(&offer, &callee).unwrap();
    let here = accept(&caller, &parse(&text)).unwrap();
    let (there, here) = (there.keys.unwrap(), here.keys.unwrap());
    assert_eq!((&here.send, &here.receive), (&there.receive, &there.send));
    assert_eq!((&here.send, &here.receive), (&ours[1], &theirs[0]));

    let (text, there) = answer(&offer, &local(&[Pcma])).unwrap();
    assert_eq!(there.keys, None);
    assert_eq!(accept(&caller, &parse(&text)).unwrap().keys, None);
}

#[test]
fn encryption_that_is_required_is_not_given_up() {
    let ours = keys(&[Suite::Gcm128, Suite::Counter128Tag80]);
    let caller = Local { security: Security::Required, keys: &ours, ..local(&[Pcma]) };
    let text = offer(&caller);
    assert!(text.contains("m=audio 20000 RTP/SAVP 8 13 101\r\n"), "{text}");
    let theirs = Local { keys: &keys(&[Suite::Gcm128]), ..local(&[Pcma]) };
    let (good, _) = answer(&parse(&text), &theirs).unwrap();

    assert!(accept(&caller, &parse(&good)).unwrap().keys.is_some());
    let plain = good.replace("SAVP", "AVP").replace("a=crypto", "a=x");
    assert_eq!(accept(&caller, &parse(&plain)), Err(Refusal::NotEncrypted));
    for wrong in [
        good.replace("a=crypto:1", "a=crypto:2"),
        good.replace("a=crypto:1", "a=crypto:0"),
        good.replace("a=crypto:1", "a=crypto:9"),
        good.replace("a=crypto", "a=x"),
    ] {
        assert_eq!(accept(&caller, &parse(&wrong)), Err(Refusal::NoCommonSuite), "{wrong}");
    }
}

/// A phone that offers encrypted audio or plain audio gets plain audio.
#[test]
fn the_first_usable_audio_is_taken() {
    let both = parse(
        "v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/SAVP 8\nm=audio 4002 RTP/AVP 18\n\
         m=audio 4004 RTP/AVP 8\n",
    );
    let (text, negotiated) = answer(&both, &local(&[Pcma])).unwrap();

    assert_eq!(negotiated.remote_rtp.port(), 4004);
    assert!(text.contains("m=audio 0 RTP/SAVP 8\r\nm=audio 0 RTP/AVP 18\r\nm=audio 20000"));
}

#[test]
fn an_offer_without_common_ground_is_refused() {
    let of = |lines: &str| answer(&parse(&format!("v=0\n{lines}")), &local(&[Pcma])).unwrap_err();
    let c = "c=IN IP4 10.0.0.1\n";

    assert_eq!(of(""), Refusal::NoAudio);
    assert_eq!(of(&format!("{c}m=image 4000 udptl t38\n")), Refusal::NoAudio);
    assert_eq!(of(&format!("{c}m=audio 0 RTP/AVP 8\n")), Refusal::NoAudio);
    assert_eq!(of(&format!("{c}m=audio 4000 RTP/AVP 0\n")), Refusal::NoCommonCodec);
    // A payload type that was given another meaning, two channels, a number too large.
    assert_eq!(
        of(&format!(
            "{c}m=audio 4000 RTP/AVP 8 97 136\na=rtpmap:8 X/8000\na=rtpmap:97 PCMA/8000/2\n"
        )),
        Refusal::NoCommonCodec
    );
    assert_eq!(of("m=audio 4000 RTP/AVP 8\n"), Refusal::Address);
    for address in ["phone.example.com", "224.2.1.1/127", "255.255.255.255"] {
        assert_eq!(of(&format!("c=IN IP4 {address}\nm=audio 4000 RTP/AVP 8\n")), Refusal::Address);
    }
}

/// RFC 3264 §6.1 and §8.4; 0.0.0.0 as in RFC 2543.
#[test]
fn each_form_of_hold_is_understood() {
    for (address, session, media, wanted, agreed) in [
        ("10.0.0.1", "", "", SendRecv, SendRecv),
        ("10.0.0.1", "", "a=sendonly\n", SendRecv, RecvOnly),
        ("10.0.0.1", "", "a=recvonly\n", SendRecv, SendOnly),
        ("10.0.0.1", "", "a=inactive\n", SendRecv, Inactive),
        ("10.0.0.1", "a=sendonly\n", "", SendRecv, RecvOnly),
        ("10.0.0.1", "a=sendonly\n", "a=sendrecv\n", SendRecv, SendRecv),
        ("0.0.0.0", "", "", SendRecv, RecvOnly),
        ("0.0.0.0", "", "a=inactive\n", SendRecv, Inactive),
        ("10.0.0.1", "", "a=sendonly\n", SendOnly, Inactive),
        ("10.0.0.1", "", "", SendOnly, SendOnly),
    ] {
        let text = format!("v=0\nc=IN IP4 {address}\n{session}m=audio 4000 RTP/AVP 8\n{media}");
        let local = Local { direction: wanted, ..local(&[Pcma]) };

        let (answer, negotiated) = answer(&parse(&text), &local).unwrap();

        assert_eq!(negotiated.direction, agreed, "{text}");
        assert!(answer.ends_with(&format!("a={}\r\n", agreed.name())), "{answer}");
        assert!(!negotiated.remote_rtp.ip().is_unspecified());
    }
}

#[test]
fn a_media_address_comes_before_the_session_address() {
    let offer = parse(
        "v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 8\nc=IN IP4 10.0.0.2\na=rtcp:4444\n\
         a=ptime:5\n",
    );
    let (_, negotiated) = answer(&offer, &local(&[Pcma])).unwrap();

    assert_eq!(negotiated.remote_rtp, "10.0.0.2:4000".parse().unwrap());
    assert_eq!(negotiated.remote_rtcp, "10.0.0.2:4444".parse().unwrap());
    assert_eq!(negotiated.ptime, 10);
}

/// A stranger's address in `a=rtcp` would be flooded in our name.
#[test]
fn rtcp_stays_at_the_address_of_the_audio() {
    let rtcp = |value: &str| {
        let text = format!("v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 8\na=rtcp:{value}\n");
        answer(&parse(&text), &local(&[Pcma])).unwrap().1.remote_rtcp.to_string()
    };

    assert_eq!(rtcp("5000 IN IP4 10.0.0.1"), "10.0.0.1:5000");
    assert_eq!(rtcp("5000 IN IP4 10.9.9.9"), "10.0.0.1:4001");
    assert_eq!(rtcp("0"), "10.0.0.1:4001");
    assert_eq!(rtcp("x"), "10.0.0.1:4001");
}

#[test]
fn an_answer_settles_the_codec() {
    let ours = local(&[Pcma, Pcmu, G722]);
    let theirs = parse(
        "v=0\no=- 1 1 IN IP4 10.0.0.1\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 98 8 18 96\n\
         a=rtpmap:98 PCMU/8000\na=rtpmap:96 Telephone-Event/8000\n",
    );

    let negotiated = accept(&ours, &theirs).unwrap();

    let mapped = Payload { codec: Pcmu, receive: 0, send: 98 };
    assert_eq!(negotiated.codecs.as_slice(), [mapped, payload(Pcma, 8)]);
    assert_eq!(negotiated.digits.as_slice(), [digits(101, 96)]);
}

#[test]
fn an_answer_may_leave_the_rtpmap_out() {
    let of = |formats: &str| {
        let text = format!("v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP {formats}\n");
        accept(&local(&[Pcma]), &parse(&text)).unwrap().digits.to_vec()
    };

    assert_eq!(of("8 101"), [digits(101, 101)]);
    assert_eq!(of("8 102"), []);
    assert_eq!(of("8"), []);
}

#[test]
fn an_answer_that_does_not_fit_is_refused() {
    let of = |media: &str| {
        let text = format!("v=0\nc=IN IP4 10.0.0.1\n{media}");
        accept(&local(&[Pcma]), &parse(&text)).unwrap_err()
    };

    assert_eq!(of(""), Refusal::MediaLines);
    assert_eq!(of("m=audio 1 RTP/AVP 8\nm=audio 2 RTP/AVP 8\n"), Refusal::MediaLines);
    assert_eq!(of("m=video 1 RTP/AVP 8\n"), Refusal::MediaLines);
    assert_eq!(of("m=audio 0 RTP/AVP 8\n"), Refusal::Rejected);
    assert_eq!(of("m=audio 1 RTP/SAVP 8\n"), Refusal::NoCommonSuite);
    assert_eq!(of("m=audio 1 UDP/TLS/RTP/SAVPF 8\n"), Refusal::Protocol);
    assert_eq!(of("m=audio 1 RTP/AVP 0 101\n"), Refusal::NoCommonCodec);
}

/// RFC 3264 §8: a further offer keeps the places, and we keep the peer's number for digits.
#[test]
fn a_further_offer_keeps_the_places() {
    let theirs = parse(&format!("{LINPHONE}m=application 0 UDP/BFCP *\r\n"));
    let ours = Local { direction: SendOnly, version: 2, noise: false, ..local(&[Pcmu]) };

    let text = offer_again(&ours, &theirs);

    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    let expected =
        ["m=audio 20000 RTP/AVPF 0 101", "m=video 0 RTP/AVPF 96 97", "m=application 0 UDP/BFCP *"];
    assert_eq!(lines, expected);
    let same = parse("v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVPF 0\na=recvonly\n");
    assert_eq!(accept_again(&ours, &theirs, &same), Err(Refusal::MediaLines));
    let full = parse(
        "v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVPF 0\na=recvonly\nm=video 0 RTP/AVPF 96\n\
         m=application 0 UDP/BFCP *\n",
    );
    assert_eq!(accept_again(&ours, &theirs, &full).unwrap().direction, SendOnly);
}

#[test]
fn a_further_offer_adds_the_audio_that_was_missing() {
    let theirs = parse("v=0\nc=IN IP4 10.0.0.1\nm=video 0 RTP/AVP 96\n");
    let ours = local(&[Pcmu]);
    assert!(offer_again(&ours, &theirs).contains("m=video 0 RTP/AVP 96\r\nm=audio 20000"));

    let answer = parse("v=0\nc=IN IP4 10.0.0.1\nm=video 0 RTP/AVP 96\nm=audio 4000 RTP/AVP 0\n");
    assert_eq!(accept_again(&ours, &theirs, &answer).unwrap().remote_rtp.port(), 4000);
}

#[test]
fn the_codecs_of_a_phone_are_listed() {
    assert_eq!(codecs_of(&parse(YEALINK)).as_slice(), [G722, Pcmu, Pcma]);
    assert!(has_digits(&parse(YEALINK)));
    assert!(codecs_of(&parse(JSSIP)).is_empty());
    assert!(!has_digits(&parse(JSSIP)));
}

/// RFC 7587 §7: two channels in `a=rtpmap`, whatever is sent; RFC 4733 §2.4.1: keys at each clock.
#[test]
fn an_offer_of_opus_has_its_parameters_and_keys_at_its_clock() {
    let opus = sdp::Opus { max_playback_rate: 16_000, ..sdp::Opus::OURS };

    let offer = offer(&Local { opus, ..local(&[Opus, Pcma]) });

    assert!(
        offer.ends_with(
            "m=audio 20000 RTP/AVP 111 8 13 110 101\r\na=rtpmap:111 opus/48000/2\r\n\
             a=fmtp:111 maxplaybackrate=16000;useinbandfec=1;stereo=0;sprop-stereo=0\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
             a=ptime:20\r\na=sendrecv\r\n"
        ),
        "{offer}"
    );
}

/// The offerer's numbers, and what it wants of its stream; keys at the clock of what is spoken.
#[test]
fn opus_is_answered_under_the_number_of_the_offer() {
    let of = |codecs: &[Codec]| {
        let (text, negotiated) = answer(&parse(LINPHONE), &local(codecs)).unwrap();
        let line = text.lines().find(|line| line.starts_with("m=audio")).map(str::to_owned);
        (line.unwrap(), negotiated)
    };
    let wide = DigitPayload { receive: 97, send: 97, clock_rate: 48_000 };

    let (line, negotiated) = of(&[Opus, Pcma]);
    assert_eq!(line, "m=audio 20000 RTP/AVPF 96 8 97 101");
    assert_eq!(negotiated.codecs.as_slice(), [payload(Opus, 96), payload(Pcma, 8)]);
    assert_eq!(negotiated.digits.as_slice(), [wide, digits(101, 101)]);
    assert_eq!(negotiated.opus, Some(sdp::Opus { fec: true, ..sdp::Opus::default() }));
    let (line, negotiated) = of(&[Opus]);
    assert_eq!(line, "m=audio 20000 RTP/AVPF 96 97");
    assert_eq!(negotiated.digits_at(8000), Some(wide), "there is no other");
    let (line, negotiated) = of(&[Pcma]);
    assert_eq!(line, "m=audio 20000 RTP/AVPF 8 101");
    assert_eq!(negotiated.opus, None);
}

/// Some phones have keys at 8 kHz alone, whatever they speak (baresip).
#[test]
fn keys_at_another_clock_than_the_codec_s_are_better_than_none() {
    let only = parse(
        "v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 97 101\na=rtpmap:97 OPUS/48000/2\n\
         a=rtpmap:101 telephone-event/8000\n",
    );

    let (text, negotiated) = answer(&only, &local(&[Opus])).unwrap();

    assert!(text.contains("m=audio 20000 RTP/AVP 97 101\r\n"), "{text}");
    assert_eq!(negotiated.digits.as_slice(), [digits(101, 101)]);
    assert!(!negotiated.tones && !negotiated.noise);
}

/// RFC 3264 §8.3.2: a number does not change its meaning while the session lasts.
#[test]
fn a_further_offer_keeps_the_numbers() {
    let line = |theirs: &str, codecs: &[Codec]| {
        let text = offer_again(&Local { noise: false, ..local(codecs) }, &parse(theirs));
        text.lines().find(|line| line.starts_with("m=audio")).unwrap().to_owned()
    };
    let taken = "v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 8 111 110 96\n\
                 a=rtpmap:111 telephone-event/8000\na=rtpmap:110 speex/8000\n\
                 a=rtpmap:96 L16/8000\n";

    assert_eq!(line(LINPHONE, &[Opus, Pcma]), "m=audio 20000 RTP/AVPF 96 8 97 101");
    assert_eq!(line(taken, &[Opus, Pcma]), "m=audio 20000 RTP/AVP 97 8 98 111");
    let ours = local(&[Opus]);
    let same = parse("v=0\nc=IN IP4 10.0.0.1\nm=audio 4 RTP/AVP 97\na=rtpmap:97 opus/48000/2\n");
    let agreed = accept_again(&ours, &parse(taken), &same).unwrap();
    assert_eq!(agreed.codecs.as_slice(), [payload(Opus, 97)]);
}

/// RFC 3389 §4: payload type 13, at 8 kHz; who does not list it does not get it.
#[test]
fn comfort_noise_is_for_those_who_list_it() {
    let of = |formats: &str, more: &str, local: Local| {
        let text = format!("v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP {formats}\n{more}");
        let (text, negotiated) = answer(&parse(&text), &local).unwrap();
        assert_eq!(text.contains("a=rtpmap:13 CN/8000"), negotiated.noise, "{text}");
        assert_eq!(has_noise(&parse(&text)), negotiated.noise);
        negotiated.noise
    };
    let ours = local(&[Opus, Pcma]);

    assert!(of("8 13", "", ours));
    assert!(of("8 13", "a=rtpmap:13 CN/8000\n", ours));
    assert!(!of("8 13", "a=rtpmap:13 CN/16000\n", ours));
    assert!(!of("8", "", ours));
    assert!(!of("8 13", "", Local { noise: false, ..ours }));
    assert!(!of("97 13", "a=rtpmap:97 opus/48000/2\n", ours), "its clock is not that of Opus");
}

#[test]
fn what_a_phone_wants_of_opus_is_told() {
    let linphone = parse(LINPHONE);

    assert_eq!(opus_of(&linphone), Some(sdp::Opus { fec: true, ..sdp::Opus::default() }));
    assert_eq!(opus_of(&parse(YEALINK)), None);
    assert_eq!(codecs_of(&linphone).as_slice(), [Opus, Pcmu, Pcma]);
    for odd in ["opus/48000", "opus/48000/1", "OPUS/48000/2"] {
        assert_eq!(codecs_of(&parse(&LINPHONE.replace("opus/48000/2", odd)))[0], Opus);
    }
    for odd in ["opus/8000/2", "opus/48000/6", "opus/48000/x", "opus"] {
        assert_eq!(codecs_of(&parse(&LINPHONE.replace("opus/48000/2", odd)))[0], Pcmu);
    }
}

/// Two of us: what one settles is what the other settles, seen from the other side.
#[test]
fn both_sides_agree() {
    let here = Local { direction: SendOnly, ..local(&[G722, Pcma, Pcmu]) };
    let there = Local { address: [192, 0, 2, 2].into(), port: 30000, ..local(&[Pcmu, G722]) };

    let (text, settled_there) = answer(&parse(&offer(&here)), &there).unwrap();
    let settled_here = accept(&here, &parse(&text)).unwrap();

    assert_eq!(settled_here.codecs, settled_there.codecs);
    assert_eq!(settled_here.digits, settled_there.digits);
    assert!(settled_here.noise && settled_there.noise);
    assert_eq!(settled_here.direction, settled_there.direction.reversed());
    assert_eq!(settled_here.remote_rtp, "192.0.2.2:30000".parse().unwrap());
}

proptest! {
    #[test]
    fn mutated_offers_never_panic(
        which in 0_usize..5, changes in prop::collection::vec(any::<(u16, u8)>(), 0..12)
    ) {
        let mut body = [YEALINK, POLYCOM, LINPHONE, BARESIP, JSSIP][which].as_bytes().to_vec();
        for (at, byte) in changes {
            let at = usize::from(at) % body.len();
            body[at] = byte;
        }
        if let Ok(session) = Session::parse(&body) {
            let ours = local(&[Opus, Pcma, Pcmu, G722]);
            if let Ok((text, negotiated)) = answer(&session, &ours) {
                prop_assert!(!negotiated.codecs.is_empty());
                prop_assert!(negotiated.remote_rtp.port() != 0);
                prop_assert!((10..=60).contains(&negotiated.ptime));
                prop_assert_eq!(parse(&text).media.len(), session.media.len());
            }
            let again = parse(&offer_again(&ours, &session));
            prop_assert!(again.media.len() >= session.media.len());
            let _ = (accept(&ours, &session), accept_again(&ours, &session, &session));
        }
    }
}

/// RFC 8866 §6.4: whatever they say, within what can be.
#[test]
fn the_length_of_packets_is_read() {
    for (lines, ptime, maxptime, used) in [
        ("", None, None, 20),
        ("a=ptime:30\n", Some(30), None, 30),
        ("a=ptime:20\na=maxptime:10\n", Some(20), Some(10), 10),
        ("a=maxptime:5\n", None, Some(10), 10),
        ("a=ptime:0\na=maxptime:99999\n", None, Some(255), 20),
        ("a=ptime:x\na=maxptime:150\n", None, Some(150), 20),
    ] {
        let text = format!(
            "v=0\no=- 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\n\
             m=audio 4000 RTP/AVP 8\n{lines}"
        );
        let theirs = parse(&text);
        assert_eq!(sdp::packets_of(&theirs), sdp::Packets { ptime, maxptime }, "{lines}");
        let (_, agreed) = sdp::answer(&theirs, &local(&[Codec::Pcma])).unwrap();
        assert_eq!((agreed.ptime, agreed.maxptime), (used, maxptime), "{lines}");
    }
}

fn local(codecs: &[Codec]) -> Local<'_> {
    Local {
        address: [192, 0, 2, 1].into(),
        port: 20000,
        session: 7,
        version: 1,
        codecs,
        digits: true,
        noise: true,
        opus: sdp::Opus::OURS,
        direction: SendRecv,
        ptime: 20,
        maxptime: None,
        security: Security::Accepted,
        keys: &[],
    }
}

fn keys(suites: &[Suite]) -> Vec<MasterKey> {
    let mut rng = Rng::from_number(suites.len() as u64);
    suites.iter().map(|suite| MasterKey::random(*suite, &mut rng)).collect()
}

fn digits(receive: u8, send: u8) -> DigitPayload {
    DigitPayload { receive, send, clock_rate: 8000 }
}

fn payload(codec: Codec, number: u8) -> Payload {
    Payload { codec, receive: number, send: number }
}

fn parse(text: &str) -> Session {
    Session::parse(text.as_bytes()).unwrap()
}

const YEALINK: &str = "v=0\r\n\
    o=- 20083 20083 IN IP4 10.2.1.48\r\n\
    s=SDP data\r\n\
    c=IN IP4 10.2.1.48\r\n\
    t=0 0\r\n\
    m=audio 11780 RTP/AVP 9 0 8 18 101\r\n\
    a=rtpmap:9 G722/8000\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:18 G729/8000\r\n\
    a=fmtp:18 annexb=no\r\n\
    a=fmtp:101 0-15\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=ptime:20\r\n\
    a=sendrecv\r\n";

const POLYCOM: &str = "v=0\r\n\
    o=- 1186066689 1186066689 IN IP4 10.0.0.50\r\n\
    s=Polycom IP Phone\r\n\
    c=IN IP4 10.0.0.50\r\n\
    t=0 0\r\n\
    a=sendrecv\r\n\
    m=audio 2222 RTP/AVP 9 102 0 8 18 127\r\n\
    a=rtpmap:9 G722/8000\r\n\
    a=rtpmap:102 G7221/16000\r\n\
    a=fmtp:102 bitrate=32000\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:18 G729/8000\r\n\
    a=fmtp:18 annexb=no\r\n\
    a=rtpmap:127 telephone-event/8000\r\n";

const LINPHONE: &str = "v=0\r\n\
    o=alice 3016 2317 IN IP4 192.168.1.20\r\n\
    s=Talk\r\n\
    c=IN IP4 192.168.1.20\r\n\
    b=AS:380\r\n\
    t=0 0\r\n\
    a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\n\
    m=audio 7078 RTP/AVPF 96 0 8 101 97\r\n\
    a=rtpmap:96 opus/48000/2\r\n\
    a=fmtp:96 useinbandfec=1\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=rtpmap:97 telephone-event/48000\r\n\
    a=rtcp:44444\r\n\
    a=ptime:45\r\n\
    a=rtcp-fb:* trr-int 5000\r\n\
    m=video 9078 RTP/AVPF 96 97\r\n\
    a=rtpmap:96 VP8/90000\r\n\
    a=rtpmap:97 H264/90000\r\n\
    a=fmtp:97 profile-level-id=42801F\r\n";

const BARESIP: &str = "v=0\r\n\
    o=- 2108306436 1042014592 IN IP6 2001:db8::9\r\n\
    s=-\r\n\
    c=IN IP6 2001:db8::9\r\n\
    t=0 0\r\n\
    a=tool:baresip 1.0.0\r\n\
    m=audio 17330 RTP/AVP 0 8 9 101\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:9 G722/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\n\
    a=rtcp:17331\r\n\
    a=sendrecv\r\n\
    a=label:1\r\n\
    a=rtcp-rsize\r\n\
    a=ssrc:1398293131 cname:sip:1001@example.com\r\n\
    a=ptime:20\r\n";

const SNOM: &str = "v=0\r\no=root 1 1 IN IP4 10.2.1.50\r\ns=call\r\nc=IN IP4 10.2.1.50\r\nt=0 0\r\n\
    m=audio 61000 RTP/SAVP 8 101\r\n\
    a=crypto:1 F8_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n\
    a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^31\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

const JSSIP: &str = "v=0\r\n\
    o=- 5640862316254036 2 IN IP4 127.0.0.1\r\n\
    s=-\r\n\
    t=0 0\r\n\
    a=group:BUNDLE 0\r\n\
    a=extmap-allow-mixed\r\n\
    a=msid-semantic: WMS\r\n\
    m=audio 50120 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n\
    c=IN IP4 192.168.1.30\r\n\
    a=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=candidate:1 1 udp 2122260223 192.168.1.30 50120 typ host generation 0\r\n\
    a=ice-ufrag:Fn8x\r\n\
    a=ice-pwd:0123456789abcdefghijklmn\r\n\
    a=fingerprint:sha-256 00:11:22:33\r\n\
    a=setup:actpass\r\n\
    a=mid:0\r\n\
    a=sendrecv\r\n\
    a=rtcp-mux\r\n\
    a=rtpmap:111 opus/48000/2\r\n\
    a=rtpmap:9 G722/8000\r\n\
    a=rtpmap:126 telephone-event/8000\r\n";
