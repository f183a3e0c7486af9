//! Folds a call's entries into its record, and says what a call that was cut off lacks.
//!
//! Any entries in any order give a record: what cannot be placed is counted or left out.

use super::entry::{
    Direction, Entry, Fact, HungUpBy, OfferOutcome, ParkLeft, Quality, QueueLeft, TransferOutcome,
};
use super::record::{
    Attempt, CallRecord, Caller, End, Forward, Hold, ITEMS_MAX, Join, Leg, MenuVisit, Offer, Order,
    Park, RouteTaken, Talk, Transfer, WrapUp,
};
use crate::id::{AgentId, LegId};
use crate::time::Wall;

/// Why a call ended that was in progress when the node stopped.
pub const NODE_RESTART: &str = "node_restart";

/// Q.850 cause 41, temporary failure.
const TEMPORARY_FAILURE: u8 = 41;

impl CallRecord {
    /// Adds what one entry tells. Entries of other calls change nothing.
    pub fn apply(&mut self, entry: &Entry) {
        if entry.call != Some(self.call) {
            return;
        }
        let at = entry.at;
        match &entry.fact {
            // The history of others; and then why it went as it did, which the facts tell.
            Fact::Agent { .. }
            | Fact::AgentOrdered { .. }
            | Fact::Alarm { .. }
            | Fact::BreakHeld { .. }
            | Fact::LockedOut { .. }
            | Fact::RecordingExported { .. }
            | Fact::RecordingsFound { .. }
            | Fact::Trunk { .. }
            | Fact::Decided(_)
            | Fact::HeldTooLong { .. }
            | Fact::Overflowed { .. }
            | Fact::RulesPassed(_)
            | Fact::Widened { .. } => {}
            Fact::Attempt { .. } | Fact::AttemptEnded { .. } | Fact::TrunkSkipped { .. } => {
                self.apply_attempt(at, &entry.fact);
            }
            Fact::Answered => _ = self.times.answer.get_or_insert(at),
            Fact::Callback(_) => self.apply_callback(at, &entry.fact),
            Fact::Collected { values } => {
                values.iter().for_each(|(key, value)| self.collect(key, value));
            }
            Fact::Ended { .. } => self.apply_end(at, &entry.fact),
            Fact::Key { .. } | Fact::Menu { .. } => self.apply_menu(at, &entry.fact),
            Fact::HoldBegan { leg } | Fact::HoldEnded { leg } => {
                self.apply_hold(at, *leg, &entry.fact);
            }
            Fact::Forwarded { .. } | Fact::Joined { .. } => self.apply_turn(at, &entry.fact),
            Fact::LegSetup { leg, .. } | Fact::Media { leg, .. } | Fact::OneWay { leg } => {
                self.apply_leg(*leg, &entry.fact);
            }
            Fact::Offered { .. } | Fact::OfferEnded { .. } | Fact::Ringing { .. } => {
                self.apply_offer(at, &entry.fact);
            }
            Fact::Ordered { .. } => self.apply_order(at, &entry.fact),
            Fact::Parked { .. } | Fact::Unparked { .. } => self.apply_park(at, &entry.fact),
            Fact::AgentTold { .. }
            | Fact::MessageTold { .. }
            | Fact::PositionTold { .. }
            | Fact::Queued { .. }
            | Fact::QueueLeft { .. }
            | Fact::WaitTold { .. } => self.apply_queue(at, &entry.fact),
            Fact::RecordingBegan { .. }
            | Fact::RecordingConverted { .. }
            | Fact::RecordingDeleted { .. }
            | Fact::RecordingEnded { .. }
            | Fact::RecordingKept { .. }
            | Fact::RecordingPaused { .. }
            | Fact::RecordingResumed { .. } => self.apply_recording(at, &entry.fact),
            Fact::Routed { .. } => self.apply_route(at, &entry.fact),
            Fact::Setup { .. } => self.apply_setup(at, &entry.fact),
            Fact::ConferenceJoined { .. }
            | Fact::ConferenceLeft { .. }
            | Fact::Supervised { .. }
            | Fact::SupervisionEnded { .. } => self.apply_gathering(at, &entry.fact),
            Fact::TalkBegan { .. } | Fact::TalkEnded { .. } => self.apply_talk(at, &entry.fact),
            Fact::Transferred { .. } | Fact::TransferEnded { .. } => {
                self.apply_transfer(at, &entry.fact);
            }
            Fact::WrapUpBegan { agent } | Fact::WrapUpEnded { agent } => {
                self.apply_wrap_up(at, agent, &entry.fact);
            }
        }
    }

    fn apply_leg(&mut self, leg: LegId, fact: &Fact) {
        if let Some(leg) = self.leg(leg) {
            leg.apply(fact);
        }
    }

    fn apply_route(&mut self, at: Wall, fact: &Fact) {
        if let Fact::Routed { rule, target } = fact {
            let taken = RouteTaken { at, rule: rule.clone(), target: target.clone() };
            add(&mut self.routes, &mut self.omitted, taken);
        }
    }

    fn apply_end(&mut self, at: Wall, fact: &Fact) {
        if let Fact::Ended { by, status, cause, reason } = fact {
            self.times.end = Some(at);
            let reason = reason.clone();
            self.ended = Some(End { by: *by, status: *status, cause: *cause, reason });
        }
    }

    fn apply_order(&mut self, at: Wall, fact: &Fact) {
        if let Fact::Ordered { order, by, leg, to } = fact {
            let (order, by, leg, to) = (*order, by.clone(), *leg, to.clone());
            add(&mut self.orders, &mut self.omitted, Order { at, order, by, leg, to });
        }
    }

    fn apply_wrap_up(&mut self, at: Wall, agent: &AgentId, fact: &Fact) {
        if matches!(fact, Fact::WrapUpBegan { .. }) {
            let wrap_up = WrapUp { agent: agent.clone(), began: at, ended: None };
            return add(&mut self.wrap_ups, &mut self.omitted, wrap_up);
        }
        let open = |work: &&mut WrapUp| work.agent == *agent && work.ended.is_none();
        if let Some(wrap_up) = self.wrap_ups.iter_mut().rev().find(open) {
            wrap_up.ended = Some(at);
        }
    }

    fn apply_hold(&mut self, at: Wall, leg: LegId, fact: &Fact) {
        if matches!(fact, Fact::HoldBegan { .. }) {
            add(&mut self.holds, &mut self.omitted, Hold { leg, began: at, ended: None });
            return;
        }
        let open = |hold: &&mut Hold| hold.leg == leg && hold.ended.is_none();
        if let Some(hold) = self.holds.iter_mut().rev().find(open) {
            hold.ended = Some(at);
        }
    }

    /// The facts that close a call which the node's end cut off at `at`: everything that was open
    /// ends, then the call. Recordings stay open: only who reads the files can close them.
    pub fn closing(&self, at: Wall) -> Vec<Entry> {
        let mut facts = Vec::new();
        for hold in self.holds.iter().filter(|hold| hold.ended.is_none()) {
            facts.push(Fact::HoldEnded { leg: hold.leg });
        }
        for talk in self.talks.iter().filter(|talk| talk.ended.is_none()) {
            facts.push(Fact::TalkEnded { a: talk.a, b: talk.b });
        }
        for offer in self.offers.iter().filter(|offer| offer.ended.is_none()) {
            let outcome = OfferOutcome::NodeRestart;
            facts.push(Fact::OfferEnded { leg: offer.leg, outcome });
        }
        let open = |attempt: &&Attempt| attempt.ended.is_none();
        for leg in self.attempts.iter().filter(open).filter_map(|attempt| attempt.leg) {
            let outcome = OfferOutcome::NodeRestart;
            facts.push(Fact::AttemptEnded { leg, outcome, status: None });
        }
        for visit in self.queues.iter().filter(|visit| visit.left.is_none()) {
            let why = QueueLeft::NodeRestart;
            facts.push(Fact::QueueLeft { queue: visit.queue.clone(), why });
        }
        for transfer in self.transfers.iter().filter(|transfer| transfer.ended.is_none()) {
            let outcome = TransferOutcome::NodeRestart;
            facts.push(Fact::TransferEnded { leg: transfer.leg, outcome });
        }
        for park in self.parks.iter().filter(|park| park.ended.is_none()) {
            let why = ParkLeft::NodeRestart;
            facts.push(Fact::Unparked { leg: park.leg, slot: park.slot, why });
        }
        for visit in self.conferences.iter().filter(|visit| visit.ended.is_none()) {
            let (leg, conference) = (visit.leg, visit.conference.clone());
            facts.push(Fact::ConferenceLeft { leg, conference });
        }
        for join in self.supervisor_joins.iter().filter(|join| join.ended.is_none()) {
            facts.push(Fact::SupervisionEnded { leg: join.leg });
        }
        for wrap_up in self.wrap_ups.iter().filter(|wrap_up| wrap_up.ended.is_none()) {
            facts.push(Fact::WrapUpEnded { agent: wrap_up.agent.clone() });
        }
        facts.push(Fact::Ended {
            by: HungUpBy::Switch,
            status: if self.times.answer.is_some() { 200 } else { 0 },
            cause: TEMPORARY_FAILURE,
            reason: NODE_RESTART.to_owned(),
        });
        let call = Some(self.call);
        facts.into_iter().map(|fact| Entry { at, call, fact }).collect()
    }

    fn apply_setup(&mut self, at: Wall, fact: &Fact) {
        let Fact::Setup {
            direction,
            from,
            e164,
            name,
            extension,
            trunk,
            did,
            to,
            sip_call_id,
            config,
        } = fact
        else {
            return;
        };
        if self.times.setup.is_some() {
            return;
        }
        self.times.setup = Some(at);
        self.direction = Some(*direction);
        let (e164, name, extension) = (e164.clone(), name.clone(), extension.clone());
        self.caller = Caller { number: from.clone(), e164, name, extension };
        (self.trunk, self.did) = (trunk.clone(), did.clone());
        self.dialled.clone_from(to);
        self.config = *config;
        if sip_call_id.is_empty() {
            return; // the call was ordered: who called it gets his leg when his phone is rung
        }
        if let Some(leg) = self.leg(self.caller_leg()) {
            leg.sip_call_id = Some(sip_call_id.clone());
        }
    }

    fn apply_menu(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::Menu { menu } => {
                let visit = MenuVisit { menu: menu.clone(), entered: at, keys: String::new() };
                add(&mut self.menus, &mut self.omitted, visit);
            }
            Fact::Key { menu, digit } => {
                let visit = self.menus.iter_mut().rev().find(|visit| visit.menu == *menu);
                match visit {
                    Some(visit) if visit.keys.len() < ITEMS_MAX => visit.keys.push(*digit),
                    Some(_) | None => self.omitted += 1,
                }
            }
            _ => {}
        }
    }

    fn apply_offer(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::Offered { leg, extension, agent, queue } => {
                let offer = Offer {
                    leg: *leg,
                    extension: extension.clone(),
                    agent: agent.clone(),
                    queue: queue.clone(),
                    began: at,
                    rang: None,
                    ended: None,
                    outcome: None,
                };
                add(&mut self.offers, &mut self.omitted, offer);
            }
            Fact::OfferEnded { leg, outcome } => {
                if let Some(offer) = self.open_offer(*leg) {
                    offer.ended = Some(at);
                    offer.outcome = Some(*outcome);
                }
            }
            Fact::Ringing { leg } => {
                self.times.ring.get_or_insert(at);
                if let Some(offer) = self.open_offer(*leg) {
                    offer.rang.get_or_insert(at);
                }
                if let Some(attempt) = self.open_attempt(*leg) {
                    attempt.rang.get_or_insert(at);
                }
            }
            _ => {}
        }
    }

    /// A call from inside that reaches a trunk is a call out.
    fn apply_attempt(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::Attempt { leg, trunk, server, number, shown } => {
                if matches!(self.direction, Some(Direction::Internal | Direction::Outbound)) {
                    self.direction = Some(Direction::Outbound);
                    self.trunk = Some(trunk.clone());
                }
                let attempt = Attempt {
                    leg: Some(*leg),
                    server: server.clone(),
                    number: number.clone(),
                    shown: shown.clone(),
                    ..Attempt::of(trunk, at)
                };
                add(&mut self.attempts, &mut self.omitted, attempt);
            }
            Fact::AttemptEnded { leg, outcome, status } => {
                if let Some(attempt) = self.open_attempt(*leg) {
                    attempt.ended = Some(at);
                    attempt.outcome = Some(*outcome);
                    attempt.status = *status;
                }
            }
            Fact::TrunkSkipped { trunk, why } => {
                let skipped = Some(why.clone());
                let attempt = Attempt { skipped, ended: Some(at), ..Attempt::of(trunk, at) };
                add(&mut self.attempts, &mut self.omitted, attempt);
            }
            _ => {}
        }
    }

    fn apply_talk(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::TalkBegan { a, b, extension, agent } => {
                let talk = Talk {
                    a: *a,
                    b: *b,
                    extension: extension.clone(),
                    agent: agent.clone(),
                    began: at,
                    ended: None,
                };
                add(&mut self.talks, &mut self.omitted, talk);
            }
            Fact::TalkEnded { a, b } => {
                let same =
                    |talk: &Talk| (talk.a, talk.b) == (*a, *b) || (talk.a, talk.b) == (*b, *a);
                let open = |talk: &&mut Talk| same(talk) && talk.ended.is_none();
                if let Some(talk) = self.talks.iter_mut().rev().find(open) {
                    talk.ended = Some(at);
                }
            }
            _ => {}
        }
    }

    /// The call turned to somebody else.
    fn apply_turn(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::Forwarded { extension, to, why } => {
                let (extension, to) = (extension.clone(), to.clone());
                let forward = Forward { at, extension, to, why: *why };
                add(&mut self.forwards, &mut self.omitted, forward);
            }
            Fact::Joined { leg, place, other, why } => {
                let join = Join { at, leg: *leg, place: *place, call: *other, why: *why };
                add(&mut self.joins, &mut self.omitted, join);
            }
            _ => {}
        }
    }

    fn apply_park(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::Parked { leg, slot, extension } => {
                let (leg, slot, extension) = (*leg, *slot, extension.clone());
                let park = Park { leg, slot, extension, began: at, ended: None, why: None };
                add(&mut self.parks, &mut self.omitted, park);
            }
            Fact::Unparked { leg, slot, why } => {
                let here = |it: &&mut Park| (it.leg, it.slot, it.ended) == (*leg, *slot, None);
                if let Some(park) = self.parks.iter_mut().rev().find(here) {
                    (park.ended, park.why) = (Some(at), Some(*why));
                }
            }
            _ => {}
        }
    }

    fn apply_transfer(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::Transferred { leg, extension, agent, to } => {
                let transfer = Transfer {
                    leg: *leg,
                    extension: extension.clone(),
                    agent: agent.clone(),
                    to: to.clone(),
                    began: at,
                    ended: None,
                    outcome: None,
                };
                add(&mut self.transfers, &mut self.omitted, transfer);
            }
            Fact::TransferEnded { leg, outcome } => {
                let open = |it: &&mut Transfer| it.leg == *leg && it.ended.is_none();
                if let Some(transfer) = self.transfers.iter_mut().rev().find(open) {
                    transfer.ended = Some(at);
                    transfer.outcome = Some(*outcome);
                }
            }
            _ => {}
        }
    }

    fn collect(&mut self, key: &str, value: &str) {
        if self.collected.len() < ITEMS_MAX || self.collected.contains_key(key) {
            self.collected.insert(key.to_owned(), value.to_owned());
        } else {
            self.omitted += 1;
        }
    }

    /// The leg's place in the record, made if need be; none beyond the limit.
    fn leg(&mut self, leg: LegId) -> Option<&mut Leg> {
        let place = self.legs.partition_point(|known| known.leg < leg);
        if self.legs.get(place).is_none_or(|known| known.leg != leg) {
            if self.legs.len() >= ITEMS_MAX {
                self.omitted += 1;
                return None;
            }
            self.legs.insert(place, Leg { leg, sip_call_id: None, quality: None, one_way: 0 });
        }
        self.legs.get_mut(place)
    }

    fn open_offer(&mut self, leg: LegId) -> Option<&mut Offer> {
        self.offers.iter_mut().rev().find(|offer| offer.leg == leg && offer.ended.is_none())
    }

    fn open_attempt(&mut self, leg: LegId) -> Option<&mut Attempt> {
        let open = |attempt: &&mut Attempt| attempt.leg == Some(leg) && attempt.ended.is_none();
        self.attempts.iter_mut().rev().find(open)
    }
}

/// Adds an item within the limit of a list, or counts it.
pub(super) fn add<T>(list: &mut Vec<T>, omitted: &mut u64, item: T) {
    if list.len() < ITEMS_MAX {
        list.push(item);
    } else {
        *omitted += 1;
    }
}

impl Leg {
    fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::LegSetup { sip_call_id, .. } => self.sip_call_id = Some(sip_call_id.clone()),
            Fact::Media { quality, .. } => {
                let blame = quality.blame;
                let blame = if self.one_way > 0 { blame.one_way() } else { blame };
                self.quality = Some(Quality { blame, ..*quality });
            }
            Fact::OneWay { .. } => self.one_way += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cdr::entry::DeletedWhy;
    use crate::cdr::entry::{AgentState, Blame, Direction, ForwardWhy, Gap, JoinWhy, Quality};
    use crate::id::{CallId, Target};

    #[test]
    fn a_queue_call_is_told_whole() {
        let record = folded(&queue_call());

        assert_eq!(record.times.setup, Some(second(0)));
        assert_eq!(record.times.ring, Some(second(4)));
        assert_eq!(record.times.answer, Some(second(1)));
        assert_eq!(record.times.end, Some(second(20)));
        assert_eq!(record.menus[0].keys, "1");
        assert_eq!(record.queues[0].wait().unwrap().as_secs(), 3);
        assert_eq!(record.queues[0].why, Some(QueueLeft::Answered));
        assert_eq!(record.offers[0].outcome, Some(OfferOutcome::Answered));
        assert_eq!(record.talk().as_secs(), 14);
        assert_eq!(record.holds[0].ended, Some(second(9)));
        assert_eq!(record.legs.len(), 2);
        assert_eq!(record.legs[0].sip_call_id.as_deref(), Some("abc@phone"));
        let quality = record.legs[1].quality.unwrap();
        assert_eq!((quality.received, quality.blame), (700, Blame::FromPhone));
        assert_eq!(record.legs[1].one_way, 1);
        assert_eq!(record.ended.as_ref().unwrap().by, HungUpBy::Caller);
        assert_eq!(record.omitted, 0);
    }

    /// The record's first file stays what it was; the other one is told beside it.
    #[test]
    fn a_converted_recording_names_both_files() {
        let path = |ending: &str| format!("/data/recordings/2026/11/22/7{ending}");
        let began = at(1, Fact::RecordingBegan { leg: CALLER, path: path(".wav.enc") });
        let converted = |sha256: &str, kept| {
            let (path, to, sha256) = (path(".wav.enc"), path(".opus.enc"), sha256.to_owned());
            Fact::RecordingConverted { path, to, length_us: 9, bytes: 8, sha256, kept }
        };
        let (bytes, why) = (8, DeletedWhy::Age);
        let deleted = Fact::RecordingDeleted { path: path(".opus.enc"), bytes, why };

        let once = folded(&[began.clone(), at(5, converted("aa", true))]);
        let again = [began, at(5, converted("aa", true)), at(6, converted("bb", false))];
        let gone = folded(&[&again[..], &[at(9, deleted)]].concat());

        let copy = once.recordings[0].converted.clone().unwrap();
        assert_eq!((copy.at, &*copy.sha256, copy.kept), (second(5), "aa", true));
        assert_eq!(
            (&*copy.path, &*once.recordings[0].path),
            (&*path(".opus.enc"), &*path(".wav.enc"))
        );
        let copy = gone.recordings[0].converted.clone().unwrap();
        assert_eq!((&*copy.sha256, copy.kept), ("bb", false), "the last one counts");
        assert_eq!(gone.recordings[0].deleted, Some((second(9), DeletedWhy::Age)));
    }

    #[test]
    fn a_recording_that_was_removed_says_so() {
        let path = "/data/recordings/2026/11/22/7.wav".to_owned();
        let began = at(1, Fact::RecordingBegan { leg: CALLER, path });
        let moved = || "/archive/2026/11/22/7.wav".to_owned();
        let (bytes, why) = (44, DeletedWhy::Age);
        let deleted = at(9, Fact::RecordingDeleted { path: moved(), bytes, why });
        let kept = at(10, Fact::RecordingKept { path: moved(), why: "busy".to_owned() });

        let gone = folded(&[began.clone(), deleted.clone()]);
        let there = folded(&[began, deleted, kept]);

        assert_eq!(gone.recordings[0].deleted, Some((second(9), DeletedWhy::Age)));
        assert_eq!(there.recordings[0].deleted, None);
    }

    #[test]
    fn a_record_reads_back_from_json() {
        let record = folded(&queue_call());

        let json = serde_json::to_string(&record).unwrap();

        assert_eq!(serde_json::from_str::<CallRecord>(&json).unwrap(), record);
    }

    #[test]
    fn entries_read_back_from_json() {
        for entry in facts_of_many_kinds() {
            let json = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry, "{json}");
        }
    }

    #[test]
    fn a_call_cut_off_anywhere_can_be_closed() {
        let whole = queue_call();
        for cut in 1..whole.len() - 1 {
            let mut record = folded(&whole[..cut]);

            for entry in record.closing(second(10)) {
                record.apply(&entry);
            }

            assert_eq!(record.ended.as_ref().unwrap().reason, NODE_RESTART);
            assert_eq!(record.times.end, Some(second(10)));
            assert!(record.talks.iter().all(|talk| talk.ended.is_some()));
            assert!(record.holds.iter().all(|hold| hold.ended.is_some()));
            assert!(record.queues.iter().all(|visit| visit.left.is_some()));
            assert!(record.offers.iter().all(|offer| offer.outcome.is_some()));
            assert_eq!(record.closing(second(11)).len(), 1, "all but the end is closed");
        }
    }

    #[test]
    fn a_key_pressed_without_end_is_counted_but_not_kept() {
        let mut record = CallRecord::new(CALL, "hq");
        record.apply(&at(0, Fact::Menu { menu: "main".into() }));
        for _ in 0..3 * ITEMS_MAX {
            record.apply(&at(1, Fact::Key { menu: "main".into(), digit: '5' }));
            record.apply(&at(1, Fact::Menu { menu: "other".into() }));
        }

        assert_eq!(record.menus.len(), ITEMS_MAX);
        assert_eq!(record.menus[0].keys.len(), ITEMS_MAX);
        assert_eq!(record.omitted, 4 * ITEMS_MAX as u64 + 1);
    }

    #[test]
    fn another_calls_entries_change_nothing() {
        let mut record = CallRecord::new(CallId::from_u64(9), "hq");
        for entry in facts_of_many_kinds() {
            record.apply(&entry);
        }
        assert_eq!(record, CallRecord::new(CallId::from_u64(9), "hq"));
    }

    proptest! {
        #[test]
        fn any_order_gives_a_record(
            order in prop::collection::vec((0usize..100, 0i64..1000), 0..200),
        ) {
            let facts = facts_of_many_kinds();
            let mut record = CallRecord::new(CALL, "hq");
            for (pick, moment) in order {
                let mut entry = facts[pick % facts.len()].clone();
                entry.at = second(moment);
                record.apply(&entry);
            }
            for entry in record.closing(second(2000)) {
                record.apply(&entry);
            }
            prop_assert!(record.ended.is_some());
            let json = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<CallRecord>(&json).unwrap(), record);
        }
    }

    const CALL: CallId = CallId::from_u64(7);
    const OTHER: CallId = CallId::from_u64(8);
    const CALLER: LegId = LegId { call: CALL, index: 0 };
    const AGENT: LegId = LegId { call: CALL, index: 1 };

    fn folded(entries: &[Entry]) -> CallRecord {
        let mut record = CallRecord::new(CALL, "hq");
        for entry in entries {
            record.apply(entry);
        }
        record
    }

    fn second(seconds: i64) -> Wall {
        Wall::from_micros(seconds * 1_000_000)
    }

    fn at(seconds: i64, fact: Fact) -> Entry {
        Entry { at: second(seconds), call: Some(CALL), fact }
    }

    fn setup() -> Fact {
        Fact::Setup {
            direction: Direction::Internal,
            from: "1001".to_owned(),
            e164: None,
            name: Some("Reception".to_owned()),
            extension: Some("1001".into()),
            trunk: None,
            did: None,
            to: "500".to_owned(),
            sip_call_id: "abc@phone".to_owned(),
            config: 1,
        }
    }

    fn ended() -> Fact {
        let reason = "caller_hung_up".to_owned();
        Fact::Ended { by: HungUpBy::Caller, status: 200, cause: 16, reason }
    }

    fn offered() -> Fact {
        let (agent, queue) = (Some("17".into()), Some("sales".into()));
        Fact::Offered { leg: AGENT, extension: "1002".into(), agent, queue }
    }

    fn talk_began() -> Fact {
        let (extension, agent) = (Some("1002".into()), Some("17".into()));
        Fact::TalkBegan { a: CALLER, b: AGENT, extension, agent }
    }

    fn media() -> Fact {
        Fact::Media { leg: AGENT, quality: Quality { received: 700, ..Quality::default() } }
    }

    /// Menu, key, queue, agent, hold, end.
    fn queue_call() -> Vec<Entry> {
        let target = Target::Menu("main".into());
        let answered = OfferOutcome::Answered;
        let left = QueueLeft::Answered;
        vec![
            at(0, setup()),
            at(0, Fact::Routed { rule: "menu 500".to_owned(), target }),
            at(1, Fact::Answered),
            at(1, Fact::Menu { menu: "main".into() }),
            at(2, Fact::Key { menu: "main".into(), digit: '1' }),
            at(3, Fact::Queued { queue: "sales".into(), position: 1 }),
            at(3, offered()),
            at(3, Fact::LegSetup { leg: AGENT, sip_call_id: "def@node".to_owned() }),
            at(4, Fact::Ringing { leg: AGENT }),
            at(6, Fact::OfferEnded { leg: AGENT, outcome: answered }),
            at(6, Fact::QueueLeft { queue: "sales".into(), why: left }),
            at(6, talk_began()),
            at(7, Fact::OneWay { leg: AGENT }),
            at(7, Fact::HoldBegan { leg: AGENT }),
            at(9, Fact::HoldEnded { leg: AGENT }),
            at(20, Fact::TalkEnded { a: CALLER, b: AGENT }),
            at(20, media()),
            at(20, ended()),
        ]
    }

    /// One entry of each kind that `queue_call` lacks, and that call's.
    fn facts_of_many_kinds() -> Vec<Entry> {
        let mut all = queue_call();
        let path = "2026/11/22/7.wav".to_owned();
        let values = [("topic".to_owned(), "vpn".to_owned())].into();
        let (extension, to) = ("1002".into(), "1006".to_owned());
        let forwarded = Fact::Forwarded { extension, to, why: ForwardWhy::Busy };
        all.extend([
            at(1, Fact::Collected { values }),
            at(3, Fact::PositionTold { queue: "sales".into(), position: 2 }),
            at(4, Fact::AgentTold { queue: "sales".into(), told_us: 250_000 }),
            at(3, Fact::WaitTold { queue: "sales".into(), from_min: 1, to_min: 4 }),
            at(4, Fact::MessageTold { queue: "sales".into(), prompt: "comfort".into() }),
            at(6, Fact::RecordingBegan { leg: CALLER, path: path.clone() }),
            at(
                20,
                Fact::RecordingEnded {
                    leg: CALLER,
                    path,
                    length_us: 14_000_000,
                    bytes: 448_044,
                    sha256: "00".repeat(32),
                    fault: Some("disk full".to_owned()),
                    gaps: vec![Gap { from_us: 1, length_us: 2, why: "slow".to_owned() }],
                },
            ),
            at(
                20,
                Fact::Agent {
                    agent: "17".into(),
                    from: AgentState::OnCall,
                    to: AgentState::WrapUp,
                    reason: None,
                    extension: Some("1002".into()),
                },
            ),
            at(12, forwarded),
            at(12, Fact::Joined { leg: CALLER, place: AGENT, other: OTHER, why: JoinWhy::Pickup }),
            at(12, Fact::Transferred { leg: AGENT, extension: None, agent: None, to: "9".into() }),
            at(12, Fact::TransferEnded { leg: AGENT, outcome: TransferOutcome::Completed }),
            at(12, Fact::Parked { leg: CALLER, slot: 3, extension: Some("1002".into()) }),
            at(13, Fact::Unparked { leg: CALLER, slot: 3, why: ParkLeft::Fetched }),
            at(20, Fact::WrapUpBegan { agent: "17".into() }),
            at(40, Fact::WrapUpEnded { agent: "17".into() }),
        ]);
        all
    }
}
