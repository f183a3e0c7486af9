//! Any order of SUBSCRIBEs, refreshes, answers, failures, changes, restarts and lost connections:
//! numbers only grow, one NOTIFY is under way at a time, and at the end nothing is left.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Package;
use super::notifier_tests::Desk;
use crate::sip::flow::{ConnectionId, Transport};
use crate::sip::message::{Request, Response};
use crate::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Answer(usize, u16),
    Change,
    Close,
    Lose(usize),
    Refresh(usize, u32),
    Restart,
    Subscribe(u8, bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..8_usize, status()).prop_map(|(place, status)| Step::Answer(place, status)),
        4 => Just(Step::Change),
        1 => Just(Step::Close),
        1 => (0..8_usize).prop_map(Step::Lose),
        2 => (0..8_usize, prop_oneof![Just(0_u32), Just(60), Just(900)])
            .prop_map(|(place, expires)| Step::Refresh(place, expires)),
        1 => Just(Step::Restart),
        3 => (0..3_u8, any::<bool>()).prop_map(|(who, tcp)| Step::Subscribe(who, tcp)),
        2 => (0..100_u64).prop_map(Step::Wait),
    ]
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![6 => Just(200_u16), 1 => Just(481), 1 => Just(503), 1 => Just(500)]
}

#[derive(Default)]
struct Seen {
    /// The highest CSeq number in each dialog, by its tag of ours.
    cseq: BTreeMap<String, u32>,
    dialogs: Vec<(Response, u32)>,
}

impl Seen {
    fn take(&mut self, desk: &Desk, notifies: &[Request]) {
        for notify in notifies {
            let tag = notify.from_tag().unwrap().to_owned();
            let number = notify.cseq().number;
            let before = self.cseq.insert(tag, number).unwrap_or(0);
            assert!(number > before, "CSeq {number} after {before}");
        }
        let active: Vec<&str> = (desk.waiting.iter())
            .filter(|(_, request)| !is_last(request))
            .filter_map(|(_, request)| request.from_tag())
            .collect();
        let mut once = active.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(active.len(), once.len(), "two NOTIFYs of one subscription are under way");
    }
}

fn is_last(notify: &Request) -> bool {
    let state = notify.header(crate::sip::message::Name::SubscriptionState);
    state.is_some_and(|state| state.starts_with("terminated"))
}

fn play(steps: Vec<Step>) {
    let (mut desk, mut seen) = (Desk::new(), Seen::default());
    let udp = desk.flow;
    for (count, step) in steps.into_iter().enumerate() {
        match step {
            Step::Answer(place, status) if place < desk.waiting.len() => desk.answer(place, status),
            Step::Change => {
                desk.open = !desk.open;
                desk.changed(Package::Presence);
            }
            Step::Close => {
                let mut flow = desk.flow;
                flow.connection = ConnectionId(1);
                desk.close(flow);
            }
            Step::Lose(place) if place < desk.waiting.len() => desk.lose(place),
            Step::Refresh(place, expires) if place < seen.dialogs.len() => {
                let (first, cseq) = seen.dialogs[place].clone();
                seen.dialogs[place].1 += 1;
                let lines = format!("Expires: {expires}\r\n");
                let status = desk.again(&first, cseq + 1, "presence", &lines).status();
                assert!([200, 481].contains(&status), "{status}");
            }
            Step::Restart => desk.restart(),
            Step::Subscribe(who, tcp) => {
                desk.flow = udp;
                if tcp {
                    (desk.flow.transport, desk.flow.connection) = (Transport::Tcp, ConnectionId(1));
                }
                let account = format!("account{who}");
                let call = format!("call{count}");
                let first = desk.send(&account, "1001", &call, "presence", "");
                assert_eq!(first.status(), 200);
                seen.dialogs.push((first, 1));
            }
            Step::Wait(seconds) => {
                let notifies = desk.after(Duration::from_secs(seconds));
                seen.take(&desk, &notifies);
            }
            Step::Answer(..) | Step::Lose(_) | Step::Refresh(..) => {}
        }
        let notifies = desk.notifies();
        seen.take(&desk, &notifies);
    }
    for _ in 0..3 {
        desk.answer_all(200);
        let notifies = desk.after(Duration::from_secs(3700));
        seen.take(&desk, &notifies);
    }
    desk.answer_all(200);
    assert!(desk.notifier.is_spotless(), "{:?}", desk.notifier);
    assert!(desk.stored.is_empty());
}

proptest! {
    #[test]
    fn numbers_grow_and_nothing_is_left(steps in prop::collection::vec(step(), 0..60)) {
        play(steps);
    }
}
