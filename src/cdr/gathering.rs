//! Who was in a call besides the two who talk, as its facts tell it.

use super::entry::Fact;
use super::fold::add;
use super::record::{CallRecord, ConferenceVisit, SupervisorJoin};
use crate::time::Wall;

impl CallRecord {
    pub(super) fn apply_gathering(&mut self, at: Wall, fact: &Fact) {
        self.apply_supervision(at, fact);
        self.apply_conference(at, fact);
    }

    /// A supervisor comes, goes on in another way, or leaves: each way is an item of its own.
    fn apply_supervision(&mut self, at: Wall, fact: &Fact) {
        let (Fact::Supervised { leg, .. } | Fact::SupervisionEnded { leg }) = fact else { return };
        let open = |join: &&mut SupervisorJoin| join.leg == *leg && join.ended.is_none();
        if let Some(join) = self.supervisor_joins.iter_mut().rev().find(open) {
            join.ended = Some(at);
        }
        let Fact::Supervised { leg, extension, agent, of: _, mode } = fact else { return };
        let (extension, agent) = (extension.clone(), agent.clone());
        let join =
            SupervisorJoin { leg: *leg, extension, agent, mode: *mode, began: at, ended: None };
        add(&mut self.supervisor_joins, &mut self.omitted, join);
    }

    fn apply_conference(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::ConferenceJoined { leg, conference } => {
                let (leg, conference) = (*leg, conference.clone());
                let visit = ConferenceVisit { leg, conference, began: at, ended: None };
                add(&mut self.conferences, &mut self.omitted, visit);
            }
            Fact::ConferenceLeft { leg, .. } => {
                let open =
                    |visit: &&mut ConferenceVisit| visit.leg == *leg && visit.ended.is_none();
                if let Some(visit) = self.conferences.iter_mut().rev().find(open) {
                    visit.ended = Some(at);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdr::entry::{Entry, SupervisorMode};
    use crate::id::{CallId, LegId};

    /// Each mode is an item, which the next one ends; what the node's end cuts off is closed.
    #[test]
    fn modes_and_visits_follow_each_other() {
        let call = CallId::from_u64(1);
        let leg = |index| LegId { call, index };
        let supervised = |mode| Fact::Supervised {
            leg: leg(2),
            extension: "1002".into(),
            agent: "17".into(),
            of: leg(1),
            mode,
        };
        let conference = || "board".into();
        let facts = [
            supervised(SupervisorMode::Listen),
            supervised(SupervisorMode::Barge),
            Fact::ConferenceJoined { leg: leg(0), conference: conference() },
            Fact::ConferenceLeft { leg: leg(0), conference: conference() },
            Fact::ConferenceJoined { leg: leg(0), conference: conference() },
        ];
        let mut record = CallRecord::new(call, "hq");
        for (at, fact) in (1..).zip(facts) {
            record.apply(&Entry { at: Wall::from_micros(at), call: Some(call), fact });
        }

        let joins: Vec<_> = record.supervisor_joins.iter().map(|it| (it.mode, it.ended)).collect();
        let second = Some(Wall::from_micros(2));
        assert_eq!(joins, [(SupervisorMode::Listen, second), (SupervisorMode::Barge, None)]);
        let visits: Vec<_> = record.conferences.iter().map(|it| it.ended.is_some()).collect();
        assert_eq!(visits, [true, false]);
        for entry in record.closing(Wall::from_micros(9)) {
            record.apply(&entry);
        }
        assert!(record.supervisor_joins.iter().all(|it| it.ended.is_some()));
        assert!(record.conferences.iter().all(|it| it.ended.is_some()));
    }
}
