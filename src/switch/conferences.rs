//! Conferences as people and programs see them.

use crate::call::Hall;
use crate::id::ConferenceId;
use crate::switch::Switch;
use crate::switch::request::{ConferenceView, MemberView};

impl Switch {
    /// Every conference of the plan, and those that an earlier plan had and somebody is still in.
    pub(super) fn conference_views(&self) -> Vec<ConferenceView> {
        let named = self.plan.conferences.keys();
        let mut ids: Vec<&ConferenceId> = named.chain(self.halls.all().map(|(id, _)| id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(|id| self.conference_view(id)).collect()
    }

    fn conference_view(&self, id: &ConferenceId) -> ConferenceView {
        let config = self.plan.conferences.get(id);
        let hall = self.halls.all().find(|(known, _)| *known == id);
        ConferenceView {
            conference: id.clone(),
            number: config.and_then(|config| config.number.clone()),
            parties_max: config.map_or(0, |config| config.parties_max),
            members: hall.map(|(_, hall)| self.member_views(hall)).unwrap_or_default(),
        }
    }

    fn member_views(&self, hall: &Hall) -> Vec<MemberView> {
        let views = hall.members.iter().filter_map(|member| {
            let shown = self.calls.get(&member.call)?.shown();
            Some(MemberView {
                leg: member.leg,
                call: member.call,
                number: shown.number,
                name: shown.name,
                joined: self.wall(member.joined),
                muted: member.muted,
            })
        });
        views.collect()
    }
}
