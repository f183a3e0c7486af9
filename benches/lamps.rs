//! What subscriptions cost: memory of each of 5,000, and time to tell 1,000 watchers of a change.
//!
//! A program and no statistics: it prints two figures. Resident memory is read from `/proc`.

use std::fs;
use std::time::Instant as Clock;

use bytes::Bytes;
use strowger::id::ExtensionId;
use strowger::rng::Rng;
use strowger::sip::flow::{ConnectionId, Flow, Transport};
use strowger::sip::message::{Message, Request, Response};
use strowger::sip::subscription::shown::{Call, CallState, Names, Party, Shown};
use strowger::sip::subscription::{Asked, Config, Notifier, Package, Resource, Topic};
use strowger::sip::transaction::ClientId;
use strowger::time::{Duration, Epoch, Instant};

#[allow(clippy::disallowed_methods, reason = "a bench is there to look at the clock")]
fn main() {
    let config = Config { notify_interval: Duration::ZERO, ..Config::default() };
    let mut notifier = Notifier::new(config, Epoch::default());
    let mut rng = Rng::from_number(1);
    let before = resident_bytes();
    for count in 0..SUBSCRIPTIONS {
        subscribe(&mut notifier, &mut rng, count);
        tell(&mut notifier);
    }
    let after = resident_bytes();
    assert_eq!(notifier.len(), SUBSCRIPTIONS as usize);
    println!("{} bytes of memory a subscription", (after - before) / SUBSCRIPTIONS);

    let resource = Resource::Extension("1000".into());
    let topic = Topic { package: Package::Dialog, resource };
    let began = Clock::now();
    let mut out = Vec::new();
    notifier.changed(Instant::from_micros(2_000_000), &topic, &mut out);
    let told = tell(&mut notifier);
    let time = began.elapsed();
    println!("{told} watchers of one phone are told in {time:?}");
}

/// A SUBSCRIBE as a desk phone writes it; a fifth of all watch one phone.
fn subscribe(notifier: &mut Notifier, rng: &mut Rng, count: u64) {
    let whom = if count.is_multiple_of(5) { 1000 } else { 1001 + count % 400 };
    let account = 2000 + count / 200;
    let request = read(&format!(
        "SUBSCRIBE sip:{whom}@pbx.example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.168.12.34:5060;branch=z9hG4bK1903738125;received=192.168.12.34\r\n\
         From: \"Reception\" <sip:{account}@pbx.example.com:5060>;tag=3142927713\r\n\
         To: <sip:{whom}@pbx.example.com:5060>\r\nCall-ID: 0_1729381045{count}@192.168.12.34\r\n\
         CSeq: 2 SUBSCRIBE\r\nContact: <sip:{account}@192.168.12.34:5060>\r\n\
         Accept: application/dialog-info+xml\r\nEvent: dialog\r\nExpires: 3600\r\n\r\n"
    ));
    let account = ExtensionId::from(account.to_string().as_str());
    let local = "192.168.12.1:5060".parse().expect("it is an address");
    let remote = "192.168.12.34:5060".parse().expect("it is an address");
    let flow = Flow { transport: Transport::Udp, local, remote, connection: ConnectionId(0) };
    let asked = Asked { account: &account, flow, request: &request };
    let find = |_, user: &str| Some(Resource::Extension(user.into()));
    let mut out = Vec::new();
    let now = Instant::from_micros(1_000_000);
    let response = notifier.subscribe(now, rng, &asked, find, &mut out);
    assert_eq!(response.status(), 200);
}

/// Writes all NOTIFYs that are due, and answers them.
fn tell(notifier: &mut Notifier) -> u64 {
    let now = Instant::from_micros(2_000_000);
    let shown = Shown::Dialogs(vec![Call {
        id: "0123456789abcdef-1".to_owned(),
        state: CallState::Early,
        called: true,
        dialog: Some(Names {
            call_id: "00112233445566778899aabbccddeeff".to_owned(),
            local_tag: Some("0011223344556677".to_owned()),
            remote_tag: "8899aabbccddeeff".to_owned(),
        }),
        remote: Some(Party { number: notifier.notifies().to_string(), name: None }),
    }]);
    let mut told = 0;
    let mut out = Vec::new();
    while let Some((id, _)) = notifier.pop_due() {
        let client = ClientId(notifier.notifies() + 1);
        let sent = notifier.notify(now, id, client, Some(&shown), &mut out);
        let (_, request) = sent.expect("the state is another one");
        let via = request.with_via("SIP/2.0/UDP 192.168.12.1;branch=z9hG4bK1");
        let ok = Response::build(&via, 200, None).response();
        notifier.answered(now, client, &ok, &mut out);
        told += 1;
    }
    told
}

fn read(text: &str) -> Request {
    match Message::parse(Bytes::copy_from_slice(text.as_bytes())) {
        Ok(Message::Request(request)) => request,
        other => panic!("not a request: {other:?}"),
    }
}

/// The second number of `statm`, in pages of 4 KiB.
fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("it is a number") * 4096
}

const SUBSCRIPTIONS: u64 = 5000;
