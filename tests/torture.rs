//! Torture messages after RFC 4475: what must be taken is read, what is broken is refused with the
//! status that RFC names.
//!
//! Written from the descriptions in the RFC; each test names its section.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use bytes::Bytes;
use strowger::sip::message::{
    Message, Method, Name, ParseError, Request, Response, Scheme, bad_request,
};

/// §3.1.1.1 wsinv: spaces and folds wherever the grammar has them.
#[test]
fn white_space_everywhere_is_read() {
    let invite = request(
        "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\n\
         TO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\n\
         from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\n\
         MaX-fOrWaRdS: 0068\n\
         Call-ID: wsinv.ndaksdj@192.0.2.1\n\
         Content-Length   : 2\n\
         cseq: 0009\n  INVITE\n\
         Via  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\n\
         s :\n\
         NewFangledHeader:   newfangled value\n continued newfangled value\n\
         UnknownHeaderWithUnusualValue: ;;,,;;,;\n\
         Content-Type: application/sdp\n\
         Route:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n\
         v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n \
         SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n\
         m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  \
         secondparam ; q = 0.33\n\nv\n",
    );

    assert_eq!(invite.to_tag(), Some("1918181833n"));
    assert_eq!(invite.from().display().unwrap(), "J Rosenberg \\\"");
    assert_eq!(invite.from_tag(), Some("98asjd8"));
    assert_eq!(invite.max_forwards(), Ok(Some(68)));
    assert_eq!(invite.cseq().number, 9);
    let vias: Vec<_> = invite.vias().map(Result::unwrap).collect();
    assert_eq!(vias.len(), 3);
    assert_eq!((vias[0].transport(), vias[0].sent_by()), ("UDP", "192.0.2.2"));
    assert_eq!(vias[0].branch(), Some("390skdjuw"));
    assert_eq!(vias[1].branch(), Some("z9hG4bK9ikj8"));
    assert_eq!((vias[2].sent_by(), vias[2].branch()), ("192.168.255.111", Some("z9hG4bK30239")));
    assert_eq!(invite.header(Name::Subject), Some(""));
    assert_eq!(invite.header_named("unknownheaderwithunusualvalue"), Some(";;,,;;,;"));
    let contact = invite.contacts().next().unwrap().unwrap();
    assert_eq!(contact.display().unwrap(), "Quoted string \"\"");
    assert_eq!((contact.param("newparam"), contact.q()), (Some("newvalue"), Some(330)));
    let route = invite.routes().next().unwrap().unwrap();
    assert_eq!(route.uri().unwrap().param("unknownwith"), Some("value"));
}

/// §3.1.1.2 intmeth: every character that each place allows.
#[test]
fn unusual_characters_are_read_where_they_are_allowed() {
    let message = request(
        "!interesting-Method0123456789_*+`.%indeed'~ \
         sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*\
         :&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\n\
         Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\n\
         To: \"BEL:\\\u{7} NUL:\\\u{0} DEL:\\\u{7f}\" \
         <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\n\
         From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>\
         ;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.\n\
         Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\n\
         CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\n\
         Max-Forwards: 255\n\
         extensionHeader-!.%*+_`'~:\u{fffb}大停電\n\
         Content-Length: 0\n\n",
    );

    assert_eq!(message.method(), Method::Other);
    assert_eq!(message.method_text(), "!interesting-Method0123456789_*+`.%indeed'~");
    let uri = message.uri().unwrap();
    assert_eq!(uri.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(message.to().display().unwrap(), "BEL:\u{7} NUL:\u{0} DEL:\u{7f}");
    assert_eq!(message.from_tag(), Some("_token~1'+`*%!-."));
    assert_eq!(message.from().param("fromparam''~+*_!.-%"), Some("работающий"));
    assert_eq!(message.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(message.header_named("extensionHeader-!.%*+_`'~"), Some("\u{fffb}大停電"));
}

/// §3.1.1.3 esc01: escapes in URIs are read, and passed on as written.
#[test]
fn escapes_are_resolved_only_on_request() {
    let invite = request(&with_line("INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0"));

    let uri = invite.uri().unwrap();
    assert_eq!(uri.user(), Some("sips%3Auser%40example.com"));
    assert_eq!(uri.user_unescaped().unwrap(), "sips:user@example.com");
    assert_eq!(uri.scheme(), Scheme::Sip);
}

/// §3.1.1.4 escnull: an escaped NUL is a character like others.
#[test]
fn escaped_nulls_are_read() {
    let text = with_line("REGISTER sip:example.com SIP/2.0").replace(
        "To: <sip:b@example.com>",
        "To: sip:null-%00-null@example.com\nContact: <sip:%00@host5.example.com>",
    );
    let register = request(&text);

    let user = register.to().uri().unwrap().user_unescaped().unwrap().into_owned();
    assert_eq!(user, "null-\0-null");
    let contact = register.contacts().next().unwrap().unwrap();
    assert_eq!(contact.uri().unwrap().user(), Some("%00"));
}

/// §3.1.1.5 esc02: a percent sign in a token escapes nothing.
#[test]
fn percent_signs_in_tokens_are_plain() {
    let text = with_line("RE%47IST%45R sip:registrar.example.com SIP/2.0").replace(
        "From: <sip:a@example.com>;tag=1",
        "From: \"%Z%45\" <sip:a@example.com>;tag=f%232",
    );
    let request = request(&text);

    assert_eq!(request.method(), Method::Other);
    assert_eq!(request.from().display().unwrap(), "%Z%45");
    assert_eq!(request.from_tag(), Some("f%232"));
}

/// §3.1.1.6 lwsdisp: no space between the display name and the bracket.
#[test]
fn a_display_name_may_touch_the_bracket() {
    let options = with_from("caller<sip:caller@example.com>;tag=323");

    assert_eq!(options.from().display().unwrap(), "caller");
    assert_eq!(options.from_tag(), Some("323"));
}

/// §3.1.1.7 longreq: long values everywhere.
#[test]
fn long_values_are_read() {
    let (long, name) = ("long".repeat(50), format!("Unknown-{}-Name", "Long".repeat(20)));
    let text = with_line(&format!("INVITE sip:user@example.com;{long}=x SIP/2.0")).replace(
        "Call-ID: c1",
        &format!(
            "{name}: {long}\nCall-ID: {long}@x\nVia: SIP/2.0/TCP sip33.example.com\n{}",
            "v: SIP/2.0/TCP sip32.example.com;branch=very".to_owned() + &long
        ),
    );
    let invite = request(&text.replace("<sip:b@", &format!("\"{long}\" <sip:{long}@")));

    assert_eq!(invite.header_named(&name), Some(&*long));
    assert_eq!(invite.to().display().unwrap(), long);
    assert_eq!(invite.vias().count(), 3);
    assert_eq!(invite.call_id().len(), long.len() + 2);
}

/// §3.1.1.8 dblreq: what follows the body in a datagram is not part of the message.
#[test]
fn a_second_request_in_a_datagram_is_cut_off() {
    let first = with_line("REGISTER sip:example.com SIP/2.0");
    let second = with_line("INVITE sip:joe@example.com SIP/2.0");

    let register = request(&(first + &second));

    assert_eq!(register.method(), Method::Register);
    assert!(register.body().is_empty());
}

/// §3.1.1.9 semiuri: parameters inside the user part belong to it.
#[test]
fn semicolons_in_the_user_part_belong_to_it() {
    let line = "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0";
    let options = request(&with_line(line));

    let uri = options.uri().unwrap();
    assert_eq!(uri.user_unescaped().unwrap(), "user;par=u@example.net");
    assert_eq!(uri.param("par"), None);
}

/// §3.1.1.10 transports: any transport may stand in a Via.
#[test]
fn unknown_transports_are_read() {
    let vias = ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"];
    let lines: String = vias
        .iter()
        .map(|t| format!("Via: SIP/2.0/{t} t1.example.com;branch=z9hG4bK{t}\n"))
        .collect();
    let options = request(&with_line(OPTIONS).replace(VIA, &lines));

    assert!(options.vias().map(|via| via.unwrap().transport().to_owned()).eq(vias));
}

/// §3.1.1.11 mpart01: a body with line ends, quotes and binary in it is just bytes.
#[test]
fn a_multipart_body_is_kept_whole() {
    let body = b"--7a9cbec02ceef655\r\nContent-Length: 9\r\n\r\n\0\xff\r\n\r\n--7a9cbec02ceef655--";
    let mut bytes = wire(&with_line(OPTIONS).replace(
        "Content-Length: 0",
        &format!("Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\nl: {}", body.len()),
    ));
    bytes.extend_from_slice(body);

    assert_eq!(Message::parse(bytes.into()).unwrap().body(), body);
}

/// §3.1.1.12 unreason, §3.1.1.13 noreason.
#[test]
fn a_reason_may_be_unusual_or_empty() {
    let unusual = response("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!(unusual.reason(), "= 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!((response("SIP/2.0 100 ").status(), response("SIP/2.0 100 ").reason()), (100, ""));
    assert_eq!(response("SIP/2.0 100").reason(), "");
}

/// §3.1.2.1 badinv01: separators without anything between them.
#[test]
fn stray_separators_are_refused() {
    let text = with_line(OPTIONS).replace("branch=z9hG4bK1", "branch=z9hG4bK1;;,;,,");
    refused(&text, ParseError::Header(Name::Via), Some(400));

    let text =
        with_line(OPTIONS).replace("CSeq", "Contact: \"Joe\" <sip:joe@example.org>;;;;\nCSeq");
    let wrong = request(&text).contacts().next().unwrap().map(|_| ());
    assert_eq!(wrong, Err(ParseError::Header(Name::Contact)));
}

/// §3.1.2.2 clerr: more body promised than sent.
#[test]
fn a_body_shorter_than_promised_is_refused() {
    let text = with_line(OPTIONS).replace("Content-Length: 0", "Content-Length: 9999");
    refused(&text, ParseError::BodyShort { said: 9999, size: 0 }, Some(400));
}

/// §3.1.2.3 ncl.
#[test]
fn a_negative_content_length_is_refused() {
    let text = with_line(OPTIONS).replace("Content-Length: 0", "Content-Length: -999");
    refused(&text, ParseError::Header(Name::ContentLength), Some(400));
}

/// §3.1.2.4 scalar02: numbers beyond their ranges.
#[test]
fn too_large_numbers_in_a_request_are_refused() {
    let text = with_line(OPTIONS).replace("CSeq: 9 ", "CSeq: 36893488147419103232 ");
    refused(&text, ParseError::Header(Name::CSeq), Some(400));
    refused(&text.replace("36893488147419103232", "2147483648"), wrong_cseq(), Some(400));
    assert_eq!(with("CSeq: 9 ", "CSeq: 2147483647 ").cseq().number, 2_147_483_647);

    let hops = with("Max-Forwards: 70", "Max-Forwards: 300");
    assert_eq!(hops.max_forwards(), Err(ParseError::Header(Name::MaxForwards)));
    let expires = with("Max-Forwards: 70", "Expires: 10000000000000000000000");
    assert_eq!(expires.expires(), Ok(Some(u32::MAX)));
}

/// §3.1.2.5 scalarlg, §3.1.2.19 bigcode: broken responses are dropped in silence.
#[test]
fn too_large_numbers_in_a_response_are_refused() {
    let text = with_line("SIP/2.0 503 Service Unavailable");
    refused(&text.replace("CSeq: 9 ", "CSeq: 9292394834772304023312 "), wrong_cseq(), None);
    for line in
        ["SIP/2.0 4294967301 better not break the receiver", "SIP/2.0 099 x", "SIP/2.0 2x0 x"]
    {
        refused(&with_line(line), ParseError::StartLine, None);
    }
}

/// §3.1.2.6 quotbal.
#[test]
fn an_open_quote_is_refused() {
    let text = with_line(OPTIONS).replace("To: <", "To: \"Mr. J. User <");
    refused(&text, ParseError::Header(Name::To), Some(400));
}

/// §3.1.2.7 ltgtruri, §3.1.2.8 lwsruri, §3.1.2.9 lwsstart, §3.1.2.10 trws.
#[test]
fn a_malformed_request_line_is_refused() {
    for line in [
        "INVITE <sip:user@example.com> SIP/2.0",
        "INVITE sip:user@example.com; lr SIP/2.0",
        "INVITE  sip:user@example.com  SIP/2.0",
        "INVITE sip:user@example.com\tSIP/2.0 SIP/2.0",
        "INVITE sip:user@example.com SIP/2.0  ",
        "INVITE  SIP/2.0",
        "INVITE user@example.com SIP/2.0",
    ] {
        let text = with_line(line);
        let error = Message::parse(Bytes::from(wire(&text))).unwrap_err();
        assert_eq!(error, ParseError::Uri, "{line}");
        assert_eq!(error.status(), Some(400));
    }
}

/// §3.1.2.11 escruri: headers in a Request-URI are the business of who routes it.
#[test]
fn headers_in_a_request_uri_can_be_seen() {
    let line = "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0";
    let invite = request(&with_line(line));

    assert_eq!(invite.uri().unwrap().header("route").unwrap(), "<sip:example.com>");
}

/// §3.1.2.12 baddate: a header that nobody needs may be wrong.
#[test]
fn a_wrong_date_is_no_hindrance() {
    let options = with("Max-Forwards", "Date: Fri, 01 Jan 2010 16:00:00 EST\nMax-Forwards");

    assert_eq!(options.header(Name::Date), Some("Fri, 01 Jan 2010 16:00:00 EST"));
}

/// §3.1.2.13 regbadct: a URI with headers must stand in brackets.
#[test]
fn a_contact_with_bare_uri_headers_is_refused() {
    let register = with("CSeq", "Contact: sip:u@example.com?Route=%3Csip:sip.example.com%3E\nCSeq");

    let wrong = register.contacts().next().unwrap().map(|_| ());
    assert_eq!(wrong, Err(ParseError::Header(Name::Contact)));
}

/// §3.1.2.14 badaspec.
#[test]
fn spaces_inside_the_brackets_are_refused() {
    let text = with_line(OPTIONS).replace("<sip:b@example.com>", "\"W, T\" < sip:t@example.org >");
    refused(&text, ParseError::Header(Name::To), Some(400));
}

/// §3.1.2.15 baddn: commas in a display name need quotes.
#[test]
fn a_bare_display_name_with_a_comma_is_refused() {
    let text = with_line(OPTIONS).replace("From: <", "From: Bell, Alexander <");
    refused(&text, ParseError::Header(Name::From), Some(400));
}

/// §3.1.2.16 badvers.
#[test]
fn another_version_is_answered_505() {
    refused(&with_line("OPTIONS sip:t@example.org SIP/7.0"), ParseError::Version, Some(505));
}

/// §3.1.2.17 mismatch01, §3.1.2.18 mismatch02.
#[test]
fn a_cseq_of_another_method_is_refused() {
    let text = with_line(OPTIONS).replace("9 OPTIONS", "9 INVITE");
    refused(&text, ParseError::CSeqMethod { known: true }, Some(400));

    let text = with_line("NEWMETHOD sip:u@example.com SIP/2.0").replace("9 NEWMETHOD", "9 INVITE");
    refused(&text, ParseError::CSeqMethod { known: false }, Some(501));
}

/// §3.2.1 badbranch: a branch that is the cookie alone is for the transaction layer to see.
#[test]
fn a_branch_may_be_empty_behind_its_cookie() {
    assert_eq!(with("branch=z9hG4bK1", "branch=z9hG4bK").via().branch(), Some("z9hG4bK"));
}

/// §3.3.1 insuf.
#[test]
fn a_missing_essential_header_is_refused() {
    for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
        let text: String = with_line(OPTIONS)
            .split_inclusive('\n')
            .filter(|line| !line.starts_with(&format!("{name}:")))
            .collect();
        let status = (name == Name::From).then_some(400); // the others an answer needs
        refused(&text, ParseError::Missing(name), status);
    }
}

/// §3.3.2 unkscm, §3.3.3 novelsc, §3.3.4 unksm2.
#[test]
fn unknown_schemes_are_read() {
    for uri in ["nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002"] {
        let options = request(&with_line(&format!("OPTIONS {uri} SIP/2.0")));
        assert_eq!(options.uri_text(), uri);
        assert_eq!(options.uri().unwrap().scheme(), Scheme::Other);
    }
    let register = with("<sip:b@example.com>", "isbn:2983792873");
    assert_eq!(register.to().uri_text(), "isbn:2983792873");
    let register = with("<sip:a@example.com>", "<http://www.example.com>");
    assert_eq!(register.from_tag(), Some("1"));
}

/// §3.3.5 bext01, §3.3.6 invut, §3.3.7 regaut01: for others to judge, as written.
#[test]
fn unknown_extensions_types_and_schemes_are_read() {
    let options = with(
        "CSeq",
        "Require: nothingSupportsThis, nothingSupportsThisEither\n\
         Proxy-Require: noProxiesSupportThis\nContent-Type: application/unknownformat\n\
         Authorization: NoOneKnowsThisScheme opaque-data=here\nCSeq",
    );

    assert_eq!(options.values(Name::Require).count(), 2);
    assert_eq!(options.content_type(), Some("application/unknownformat"));
    let credentials = options.header(Name::Authorization);
    assert_eq!(credentials, Some("NoOneKnowsThisScheme opaque-data=here"));
}

/// §3.3.8 multi01.
#[test]
fn a_second_single_header_is_refused() {
    for (line, name) in [
        ("Call-ID: c2", Name::CallId),
        ("CSeq: 59 OPTIONS", Name::CSeq),
        ("f: <sip:other@example.com>;tag=3413", Name::From),
        ("To: <sip:user@example.com>", Name::To),
        ("Max-Forwards: 5", Name::MaxForwards),
    ] {
        let text = with_line(OPTIONS).replace("Content-Length", &format!("{line}\nContent-Length"));
        refused(&text, ParseError::Duplicate(name), Some(400));
    }
}

/// §3.3.9 mcl01: two lengths in a response.
#[test]
fn two_content_lengths_are_refused() {
    let text = with_line("SIP/2.0 200 OK").replace("Content-Length: 0", "Content-Length: 0\nl: 5");
    refused(&text, ParseError::Duplicate(Name::ContentLength), None);
}

/// §3.3.11 zeromf, §3.3.12 cparam01, §3.3.13 cparam02, §3.3.14 regescrt.
#[test]
fn contacts_in_all_their_forms_are_read() {
    let register = with(
        "Max-Forwards: 70",
        "Max-Forwards: 0\nContact: sip:+19725552222@gw1.example.net;unknownparam\n\
         Contact: <sip:+19725552223@gw1.example.net;unknownparam>\n\
         m: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>",
    );

    assert_eq!(register.max_forwards(), Ok(Some(0)));
    let contacts: Vec<_> = register.contacts().map(Result::unwrap).collect();
    assert_eq!(contacts[0].param("unknownparam"), Some(""));
    assert_eq!(contacts[0].uri().unwrap().param("unknownparam"), None);
    assert_eq!(contacts[1].param("unknownparam"), None);
    assert_eq!(contacts[1].uri().unwrap().param("unknownparam"), Some(""));
    assert_eq!(contacts[2].uri().unwrap().header("Route").unwrap(), "<sip:sip.example.com>");
}

/// §3.4.1 inv2543: an RFC 2543 caller has no branch, no tag and no Max-Forwards.
#[test]
fn a_request_of_an_old_caller_is_read() {
    let invite = request(
        "INVITE sip:UserB@example.com SIP/2.0\n\
         Via: SIP/2.0/UDP iftgw.example.com\n\
         From: <sip:+13035551111@ift.client.example.net;user=phone>\n\
         Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\n\
         To: sip:+16505552222@ss1.example.net;user=phone\n\
         Call-ID: inv2543.1717@ift.client.example.com\n\
         CSeq: 56 INVITE\n\
         Content-Type: application/sdp\n\nv=0\n",
    );

    assert_eq!(invite.via().branch(), None);
    assert_eq!(invite.from_tag(), None);
    assert_eq!(invite.max_forwards(), Ok(None));
    assert_eq!(invite.to().param("user"), Some("phone"));
    assert_eq!(invite.body(), b"v=0\r\n");
}

/// Line ends other than CR LF would mean different messages to different readers.
#[test]
fn lone_carriage_returns_and_line_feeds_are_refused() {
    let good = String::from_utf8(wire(&with_line(OPTIONS))).unwrap();
    for (from, to) in
        [("Call-ID: c1\r\n", "Call-ID: c1\n"), ("Call-ID: c1\r\n", "Call-ID: c1\rX\r\n")]
    {
        let at = good.find("Call-ID").unwrap();
        let error = Message::parse(Bytes::from(good.replace(from, to))).unwrap_err();
        assert_eq!(error, ParseError::LineEnd { at });
    }
    let unended = good.trim_end().to_owned() + "\r\n";
    let at = unended.len();
    let error = Message::parse(Bytes::from(unended)).unwrap_err();
    assert_eq!(error, ParseError::LineEnd { at });
}

#[test]
fn what_is_not_sip_is_dropped_in_silence() {
    for junk in
        ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\0", "hello", "SIP/2.0 200 OK\r\n\r\n", "\r\n\r\n\r\n"]
    {
        let error = Message::parse(Bytes::from(junk)).unwrap_err();
        assert_eq!(bad_request(junk.as_bytes(), &error), None, "{junk:?}");
    }
    let ack = with_line("ACK sip:b@example.com SIP/2.0").replace("9 ACK", "9 INVITE");
    let error = Message::parse(Bytes::from(wire(&ack))).unwrap_err();
    assert_eq!(bad_request(&wire(&ack), &error), None, "an ACK is never answered");
}

#[test]
fn hostile_sizes_are_refused_quickly() {
    let head = "OPTIONS sip:b@example.com SIP/2.0\r\n";
    for filler in
        ["Via: a\r\n", "x", "\"", "<", ";a", ",", "\r\n ", " ", "\\\"", ":", "%", "[", "\u{e9}"]
    {
        let hostile = format!("{head}From: {}\r\n\r\n", filler.repeat(60_000 / filler.len()));
        assert!(Message::parse(Bytes::from(hostile)).is_err(), "{filler:?}");
        let mut lists = wire(&with_line(OPTIONS));
        let text = format!("Contact: {}\r\nVia: ", filler.repeat(60_000 / filler.len()));
        lists.splice(head.len() - 2..head.len() - 2, text.into_bytes());
        if let Ok(message) = Message::parse(Bytes::from(lists)) {
            let _ = message.contacts().count() + message.vias().count();
        }
    }
    let huge = "a".repeat(70_000);
    let error = Message::parse(Bytes::from(huge)).unwrap_err();
    assert_eq!(error, ParseError::TooLong { size: 70_000 });
    assert_eq!(error.status(), Some(413));
}

const OPTIONS: &str = "OPTIONS sip:b@example.com SIP/2.0";
const VIA: &str = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\n";

/// A plain message with this first line, and LF for line ends.
fn with_line(line: &str) -> String {
    let method = if line.starts_with("SIP/") { "OPTIONS" } else { line.split(' ').next().unwrap() };
    format!(
        "{line}\n{VIA}From: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>\nCall-ID: c1\n\
         CSeq: 9 {method}\nMax-Forwards: 70\nContent-Length: 0\n\n"
    )
}

fn with(piece: &str, instead: &str) -> Request {
    request(&with_line(OPTIONS).replace(piece, instead))
}

fn with_from(value: &str) -> Request {
    with("<sip:a@example.com>;tag=1", value)
}

fn wrong_cseq() -> ParseError {
    ParseError::Header(Name::CSeq)
}

fn wire(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn request(text: &str) -> Request {
    match Message::parse(Bytes::from(wire(text))) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(line: &str) -> Response {
    match Message::parse(Bytes::from(wire(&with_line(line)))) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

/// Checks the error, and that the sender gets `status` in a response that he can match.
fn refused(text: &str, error: ParseError, status: Option<u16>) {
    let bytes = wire(text);
    assert_eq!(Message::parse(Bytes::from(bytes.clone())), Err(error));
    let answer = bad_request(&bytes, &error);
    let text = answer.as_deref().map(String::from_utf8_lossy);
    assert_eq!(
        text.as_deref().map(|text| text[8..11].parse().unwrap()),
        status,
        "the answer to {error}"
    );
    if let Some(text) = text {
        assert!(text.contains("\r\nVia: SIP/2.0/UDP 192.0.2.1"), "{text}");
        assert!(text.contains("\r\nCall-ID: c1\r\n"), "{text}");
        assert!(text.contains(";tag=bad"), "{text}");
    }
}
