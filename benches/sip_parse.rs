//! What reading and writing a SIP message costs: a desk phone's INVITE of 1157 bytes.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strowger::sip::message::{Message, Name, Request, Response};

fn sip_parse(c: &mut Criterion) {
    let bytes = Bytes::from_static(INVITE);
    let invite = read(&bytes);
    let mut group = c.benchmark_group("sip_parse");
    group.throughput(Throughput::Elements(1));

    group.bench_function("parse", |b| b.iter(|| Message::parse(black_box(bytes.clone()))));
    group.bench_function("parse and read the essentials", |b| {
        b.iter(|| essentials(&read(black_box(&bytes))));
    });
    group.bench_function("clone", |b| b.iter(|| black_box(&invite).clone()));
    group.bench_function("add a Via", |b| {
        b.iter(|| black_box(&invite).with_via("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport"));
    });
    group.bench_function("write a 200 with its body", |b| {
        b.iter(|| {
            Response::build(black_box(&invite), 200, Some("8fe21c"))
                .header(Name::Contact, "<sip:10.0.0.1:5060>")
                .body("application/sdp", invite.body())
                .response()
        });
    });
    group.finish();
}

/// What a transaction, a dialog and a route look at.
fn essentials(request: &Request) -> usize {
    let via = request.via();
    via.branch().map_or(0, str::len)
        + via.sent_by().len()
        + request.call_id().len()
        + request.from_tag().map_or(0, str::len)
        + request.to_tag().map_or(0, str::len)
        + request.cseq().number as usize
        + request.uri().ok().and_then(|uri| uri.user()).map_or(0, str::len)
        + request.contacts().flatten().map(|contact| contact.uri_text().len()).sum::<usize>()
        + request.content_type().map_or(0, str::len)
        + request.body().len()
}

fn read(bytes: &Bytes) -> Request {
    match Message::parse(bytes.clone()) {
        Ok(Message::Request(request)) => request,
        other => panic!("the sample is a request, not {other:?}"),
    }
}

const INVITE: &[u8] = include_bytes!("../tests/data/phone-messages/yealink_invite.msg");

criterion_group!(benches, sip_parse);
criterion_main!(benches);
