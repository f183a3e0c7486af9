//! What the switch says to the messages of RFC 4475 §3.3 and §3.4 that can be read, and of
//! RFC 5118: the application's part of the torture, asked by who has an account.
//!
//! Written from the descriptions in the RFCs; each test names its section.

use crate::site::SITE;
use crate::stranger::{account, account_goes_on, read, stranger};
use crate::world::World;
use strowger::sip::message::{Name, Response};

/// RFC 4475 §3.3.2 unkscm, §3.3.3 novelsc.
#[test]
fn a_scheme_that_nobody_knows_is_refused_by_name() {
    for uri in ["nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002"] {
        for method in ["OPTIONS", "INVITE"] {
            assert_eq!(status(&request(method, uri, "", "")), 416, "{method} {uri}");
        }
    }
}

/// RFC 4475 §3.3.4 unksm2: an account without a SIP URI is not ours to register.
#[test]
fn an_account_of_another_world_is_not_registered() {
    let text = request("REGISTER", "sip:strowger.test", "Contact: <name:John_Smith>\r\n", "")
        .replace("<sip:1001@strowger.test>\r\nCall-ID", "<isbn:2983792873>\r\nCall-ID");
    assert_eq!(status(&text), 403);
}

/// RFC 4475 §3.3.5 bext01.
#[test]
fn unknown_extensions_are_named() {
    let lines = "Require: nothingSupportsThis, nothingSupportsThisEither\r\n\
                 Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n";
    for (method, uri) in [
        ("OPTIONS", "sip:1002@strowger.test"),
        ("INVITE", "sip:1002@strowger.test"),
        ("REGISTER", "sip:strowger.test"),
    ] {
        let refusal = ask(&request(method, uri, lines, ""));
        assert_eq!(refusal.status(), 420, "{method}");
        let named: Vec<_> = refusal.values(Name::Unsupported).collect();
        let all = [
            "nothingSupportsThis",
            "nothingSupportsThisEither",
            "noProxiesSupportThis",
            "norDoAnyProxiesSupportThis",
        ];
        assert_eq!(named, all, "{method}");
    }
}

/// RFC 4475 §3.3.6 invut.
#[test]
fn a_body_that_is_no_offer_is_refused_with_what_would_be() {
    let text = invite("Content-Type: application/unknownformat\r\n", "<audio>\r\n");
    let refusal = ask(&text);

    assert_eq!(refusal.status(), 415);
    assert_eq!(refusal.header(Name::Accept), Some("application/sdp"));
}

/// RFC 4475 §3.3.7 regaut01: credentials of an unknown kind are none.
#[test]
fn an_unknown_scheme_of_credentials_is_challenged() {
    let line = "Authorization: NoOneKnowsThisScheme opaque-data=here\r\n";
    let mut world = World::new(SITE);
    let register = read(&request("REGISTER", "sip:strowger.test", line, ""));
    let challenge = stranger(&mut world, register).expect("it is answered");

    assert_eq!(challenge.status(), 401);
    assert!(challenge.header(Name::WwwAuthenticate).is_some());
}

/// RFC 4475 §3.3.10 bcast: a response that answers nothing of ours is not answered.
#[test]
fn a_response_that_nobody_asked_for_changes_nothing() {
    let mut world = World::new(SITE);
    let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\n\
                Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\n\
                Call-ID: bcast\r\nCSeq: 35 INVITE\r\nFrom: <sip:u@example.com>;tag=1\r\n\
                To: <sip:u@example.edu>;tag=2\r\nContent-Length: 0\r\n\r\n";
    let message = strowger::sip::message::Message::parse(text.as_bytes().to_vec().into());
    let flow = strowger::sip::flow::Flow {
        transport: strowger::sip::flow::Transport::Udp,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([203, 0, 113, 66], 5060).into(),
        connection: strowger::sip::flow::ConnectionId::default(),
    };
    let before = world.sent.len();
    let message = message.expect("it can be read");
    world.input(strowger::switch::Input::Message { flow, message });

    assert_eq!(world.sent.len(), before);
}

/// RFC 4475 §3.3.11 zeromf: who is meant himself needs no further hop.
#[test]
fn options_without_a_hop_left_are_answered() {
    let line = "Max-Forwards: 0\r\n";
    assert_eq!(status(&request("OPTIONS", "sip:1002@strowger.test", line, "")), 200);
}

/// RFC 4475 §3.1.2.4 scalar02, for the numbers that only the application reads.
#[test]
fn overlarge_numbers_are_refused_or_cut() {
    assert_eq!(status(&invite("Max-Forwards: 300\r\n", "")), 400);
    let lines = "Contact: <sip:1001@203.0.113.66>;expires=280297596632815\r\n";
    let ok = ask(&request("REGISTER", "sip:strowger.test", lines, ""));
    assert_eq!(ok.status(), 200);
    let granted = ok.contacts().filter_map(Result::ok).find_map(|it| it.param("expires"));
    assert_eq!(granted, Some("3600"));
}

/// RFC 4475 §3.3.12 cparam01, §3.3.13 cparam02: parameters of the Contact and of its URI.
#[test]
fn contacts_with_unknown_parameters_are_registered() {
    for contact in ["<sip:+19725552222@gw1.example.net>;unknownparam", "<sip:1@gw1;unknownparam>"] {
        let line = format!("Contact: {contact}\r\n");
        let ok = ask(&request("REGISTER", "sip:strowger.test", &line, ""));
        assert_eq!(ok.status(), 200, "{contact}");
        assert!(ok.lines(Name::Contact).any(|line| line.contains("gw1")), "{contact}");
    }
}

/// RFC 4475 §3.3.14 regescrt: the headers in a Contact's URI are part of it.
#[test]
fn a_contact_with_headers_is_kept_whole() {
    let line = "Contact: <sip:1001@example.com?Route=%3Csip:sip.example.com%3E>\r\n";
    let ok = ask(&request("REGISTER", "sip:strowger.test", line, ""));

    assert_eq!(ok.status(), 200);
    assert!(ok.lines(Name::Contact).any(|line| line.contains("?Route=%3Csip:sip.example.com%3E")));
}

/// RFC 4475 §3.3.15 sdp01: who cannot read our answer is told so.
#[test]
fn a_caller_who_reads_no_sdp_is_refused() {
    assert_eq!(status(&invite("Accept: text/nobodyKnowsThis\r\n", "")), 406);
    let mut world = World::new(SITE);
    let taken = invite("Accept: text/plain, application/*;q=0.1\r\n", "").replace("1002", "9");
    assert_eq!(account(&mut world, "1001", "one-1001", read(&taken)).status(), 404);
}

/// RFC 4475 §3.1.1.3 esc01, §3.1.1.9 semiuri: what looks like a URI inside the user is a number
/// that nobody has.
#[test]
fn users_in_disguise_are_nobody() {
    for user in ["sips%3A1002%40strowger.test", "1002;par=u%40example.net", "%00", "1002%00"] {
        let text = invite("", "").replacen("sip:1002@", &format!("sip:{user}@"), 1);
        assert_eq!(status(&text), 404, "{user}");
    }
}

/// RFC 4475 §3.1.1.2 intmeth, §3.1.1.5 esc02: methods are compared as they are written.
#[test]
fn unknown_methods_are_refused_with_those_that_are_known() {
    for method in ["!interesting-Method0123456789_*+`.%indeed'~", "RE%47IST%45R", "invite"] {
        let refusal = ask(&request(method, "sip:1002@strowger.test", "", ""));
        assert_eq!(refusal.status(), 405, "{method}");
        assert!(refusal.header(Name::Allow).is_some_and(|allow| allow.contains("INVITE")));
    }
}

/// RFC 4475 §3.1.2.11 escruri: headers in a Request-URI route nothing.
#[test]
fn headers_in_a_request_uri_are_not_followed() {
    let text =
        invite("", "").replacen("strowger.test SIP", "strowger.test?Route=%3Csip:x%3E SIP", 1);
    let mut world = World::new(SITE);
    account_goes_on(&mut world, "1001", "one-1001", read(&text));

    world.until("1002 rings", |world| world.rings("1002"));
}

/// RFC 4475 §3.4.1 inv2543: an RFC 2543 caller has no branch, no tag and no Max-Forwards.
#[test]
fn a_caller_of_rfc_2543_is_served() {
    let text = invite("", "").replace(";branch=z9hG4bKtorture", "").replace(";tag=torture", "");
    let mut world = World::new(SITE);
    let challenge = stranger(&mut world, read(&text)).expect("it is answered");

    assert_eq!(challenge.status(), 401);
    assert_eq!(world.node().transactions, World::new(SITE).node().transactions);
}

/// RFC 3261 §8.2.2.1: requests for another domain are not ours.
#[test]
fn another_domain_is_not_served() {
    for host in ["example.com", "192.0.2.200", "[2001:db8::1]"] {
        let text = invite("", "").replacen("1002@strowger.test", &format!("1002@{host}"), 1);
        assert_eq!(status(&text), 404, "{host}");
    }
    for host in ["STROWGER.test", "192.0.2.1", "192.0.2.1:5070", "strowger.test:5060"] {
        let text = invite("", "").replacen("1002@strowger.test", &format!("1009@{host}"), 1);
        assert_eq!(status(&text), 404, "{host}");
        let options = request("OPTIONS", &format!("sip:1002@{host}"), "", "");
        assert_eq!(status(&options), 200, "{host}");
    }
}

/// RFC 5118 §4.1, §4.3, §4.4, §4.7, §4.9: addresses of IPv6 wherever one may stand.
#[test]
fn phones_register_from_ipv6() {
    for (via, contact) in [
        ("[2001:db8::9:1]", "<sip:1001@[2001:db8::1]>"),
        ("[2001:db8::9:1]:6050", "<sip:1001@[2001:db8::10:5070]>"),
        ("[2001:db8::9:1]", "<sip:1001@[2001:db8::10]:5070>"),
        ("[::ffff:192.0.2.2]", "\"T. Watson\" <sip:1001@[::ffff:192.0.2.10]:19823;transport=udp>"),
    ] {
        let line = format!("Contact: {contact}\r\n");
        let text = request("REGISTER", "sip:strowger.test", &line, "");
        let ok = ask(&text.replace("203.0.113.66:5060;", &format!("{via};")));
        assert_eq!(ok.status(), 200, "{via}");
        let host = contact.split('@').nth(1).and_then(|rest| rest.split('>').next());
        assert!(
            ok.lines(Name::Contact).any(|line| line.contains(host.unwrap_or("?"))),
            "{contact}"
        );
        assert!(ok.via().sent_by().eq_ignore_ascii_case(via), "{via}");
    }
}

/// RFC 5118 §4.5: `received` with and without brackets, in what others wrote before us.
#[test]
fn received_is_borne_in_both_forms() {
    for received in ["[2001:db8::9:255]", "2001:db8::9:255"] {
        let text = request("OPTIONS", "sip:1002@strowger.test", "", "")
            .replace("branch=", &format!("received={received};branch="));
        assert_eq!(status(&text), 200, "{received}");
    }
}

/// RFC 5118 §4.6, §4.8: an offer whose addresses are of IPv6, or of both.
#[test]
fn an_offer_from_ipv6_is_read() {
    for body in [
        "v=0\r\no=a 1 1 IN IP6 2001:db8::20\r\ns=-\r\nc=IN IP6 2001:db8::20\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 8\r\n",
        "v=0\r\no=a 1 1 IN IP6 2001:db8::20\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n\
         c=IN IP6 2001:db8::20\r\nm=video 6000 RTP/AVP 31\r\nc=IN IP4 192.0.2.1\r\n",
        "v=0\r\no=a 1 1 IN IP6 ::ffff:192.0.2.1\r\ns=-\r\nc=IN IP6 ::ffff:192.0.2.10\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 8\r\n",
    ] {
        let text = invite("Content-Type: application/sdp\r\n", body).replace("1002", "9");
        // Read and routed: the number is what is wrong.
        assert_eq!(status(&text), 404, "{body}");
    }
}

fn status(text: &str) -> u16 {
    ask(text).status()
}

fn ask(text: &str) -> Response {
    account(&mut World::new(SITE), "1001", "one-1001", read(text))
}

fn invite(lines: &str, body: &str) -> String {
    let contact = format!("Contact: <sip:1001@203.0.113.66>\r\n{lines}");
    request("INVITE", "sip:1002@strowger.test", &contact, body)
}

fn request(method: &str, uri: &str, lines: &str, body: &str) -> String {
    let to = if method == "REGISTER" { "1001" } else { "1002" };
    format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bKtorture\r\n\
         From: <sip:1001@strowger.test>;tag=torture\r\nTo: <sip:{to}@strowger.test>\r\n\
         Call-ID: torture\r\nCSeq: 8 {method}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
