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
