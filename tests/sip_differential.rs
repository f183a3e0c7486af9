//! An independent reader (`rsip`) and ours agree: what both accept means the same.
//!
//! Over the phones' messages and thousands of mutations of them. What only one of them accepts is
//! not judged here: `rsip` refuses much that phones write (folds, compact names, IPv6, `tel:`).

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rsip::prelude::{HeadersExt as _, ToTypedHeader as _, UntypedHeader as _};
use strowger::sip::message::{Message, Name, NameAddr, Scheme, Uri};

#[test]
fn both_readers_agree_on_what_phones_write() {
    let agreed = corpus().iter().filter(|bytes| compare(bytes) == Some(true)).count();

    assert!(agreed >= 10, "rsip accepts at least half of the corpus, here {agreed}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(3261),
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_readers_agree_on_mutated_messages(
        which in 0..1000_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), edit()), 1..4),
    ) {
        let corpus = corpus();
        let mut bytes = corpus[which % corpus.len()].clone();
        for (place, edit) in edits {
            edit.apply(place.index(bytes.len().max(1)), &mut bytes);
        }
        compare(&bytes);
    }
}

/// A change of the kind that tells readers apart.
#[derive(Clone, Debug)]
enum Edit {
    Insert(&'static str),
    Remove(usize),
    Replace(char),
    Twice(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let pieces = [
        " ",
        "\t",
        ";",
        ",",
        "\"",
        "<",
        ">",
        ":",
        "@",
        "=",
        "\\",
        "%41",
        "[::1]",
        "\r\n",
        "\r\n ",
        "0",
        "9999999999",
        ";tag=x",
        "Via: SIP/2.0/UDP h;branch=z9\r\n",
        "é",
        "?",
    ];
    prop_oneof![
        prop::sample::select(pieces.to_vec()).prop_map(Edit::Insert),
        (1..20_usize).prop_map(Edit::Remove),
        prop::char::range(' ', '~').prop_map(Edit::Replace),
        (1..60_usize).prop_map(Edit::Twice),
    ]
}

impl Edit {
    fn apply(&self, at: usize, bytes: &mut Vec<u8>) {
        let end = |size: usize| (at + size).min(bytes.len());
        match self {
            Self::Insert(piece) => drop(bytes.splice(at..at, piece.bytes())),
            Self::Remove(size) => drop(bytes.drain(at..end(*size))),
            Self::Replace(c) => drop(bytes.splice(at..end(1), [*c as u8])),
            Self::Twice(size) => {
                let copy = bytes[at..end(*size)].to_vec();
                drop(bytes.splice(at..at, copy));
            }
        }
    }
}

/// Compares both readings; `None` if one of the readers refuses the message.
fn compare(bytes: &[u8]) -> Option<bool> {
    let ours = Message::parse(Bytes::copy_from_slice(bytes)).ok()?;
    let theirs = rsip::SipMessage::try_from(bytes).ok()?;
    match (&ours, &theirs) {
        (Message::Request(ours), rsip::SipMessage::Request(theirs)) => {
            assert_eq!(ours.method_text(), theirs.method.to_string());
            compare_uri(ours.uri().ok(), &theirs.uri);
        }
        (Message::Response(ours), rsip::SipMessage::Response(theirs)) => {
            assert_eq!(ours.status(), theirs.status_code.code());
        }
        _ => panic!("one reads a request, the other a response"),
    }
    assert_eq!(ours.call_id(), theirs.call_id_header().ok()?.value());
    if let Ok(cseq) = theirs.cseq_header().ok()?.typed() {
        assert_eq!(ours.cseq().number, cseq.seq);
    }
    compare_address(ours.from(), theirs.from_header().ok()?.value());
    compare_address(ours.to(), theirs.to_header().ok()?.value());
    if let Ok(hops) = theirs.max_forwards_header().map(|hops| hops.value().to_owned()) {
        assert_eq!(ours.header(Name::MaxForwards), Some(hops.trim()));
    }
    Some(true)
}

/// Reads `value` with the other reader; what it also understands must mean the same.
fn compare_address(ours: NameAddr<'_>, value: &str) {
    if value.matches('<').count() > 1 {
        return; // the other reader sees brackets also inside quotes
    }
    let Ok(theirs) = rsip::headers::From::new(value).typed() else { return };
    compare_uri(ours.uri().ok(), &theirs.uri);
    let tag = theirs.params.iter().find_map(|param| match param {
        rsip::Param::Tag(tag) => Some(tag.value()),
        _ => None,
    });
    assert_eq!(ours.tag(), tag.filter(|tag| !tag.is_empty()), "tag of {value:?}");
}

fn compare_uri(ours: Option<Uri<'_>>, theirs: &rsip::Uri) {
    // The other reader takes any other scheme for a user.
    let is_sip = |uri: &Uri<'_>| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips);
    let Some(ours) = ours.filter(is_sip) else { return };
    let user = theirs.auth.as_ref().map(|auth| auth.user.as_str());
    if user.is_some() {
        // It takes a user that begins with a point for a part of the host.
        assert_eq!(ours.user(), user, "user of {:?}", ours.text());
    }
    assert_eq!(ours.port(), theirs.host_with_port.port.map(u16::from), "port of {:?}", ours.text());
}

/// Every phone message.
fn corpus() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir("tests/data/phone-messages")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "msg"))
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}
