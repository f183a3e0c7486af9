//! Who talks with whom is shown on both phones, whatever has brought them together.
//!
//! Spec:     RFC 3325 §5, §7: a phone of ours is told who the other one is, unless he does not want
//!           to be known; a trunk only if it wants identities asserted, and then a number of ours
//!           that is meant for outsiders.
//! Not here: how a leg is told (`leg::showing`), who is shown when a phone rings (`call::legs`).

use crate::call::call::{Call, Output};
use crate::call::invite;
use crate::call::leg::{self, Connected, Leg};
use crate::call::site::Site;
use crate::call::trunk::config::Identity;
use crate::id::LegId;
use crate::sip::message::UserPart;
use crate::time::Instant;

impl Call {
    /// Tells the peer of a leg that it talks with the one at another leg.
    pub(super) fn show(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (to, other): (LegId, LegId),
        out: &mut Vec<Output>,
    ) {
        let legs = self.legs.get(&to).zip(self.legs.get(&other));
        if let Some(connected) = legs.and_then(|(to, other)| self.connected(site, to, other)) {
            self.drive(now, site, to, leg::Input::Show(connected), out);
        }
    }

    /// The 200 that a guest of another call still gets is to say whom he finds there.
    pub(super) fn announce_to(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (guest, other): (LegId, Option<&Leg>),
        out: &mut Vec<Output>,
    ) {
        let waits = self.legs.get(&guest).filter(|leg| !leg.is_accepted());
        let legs = waits.zip(other);
        if let Some(connected) = legs.and_then(|(to, other)| self.connected(site, to, other)) {
            self.drive(now, site, guest, leg::Input::Show(connected), out);
        }
    }

    fn connected(&self, site: &Site<'_>, to: &Leg, other: &Leg) -> Option<Connected> {
        if !self.plan.calls.connected_identity {
            return None;
        }
        let shown = &other.identity;
        let (number, name, host) = match &to.trunk {
            None => {
                let host = invite::domain(site.settings, &to.flow());
                (shown.number.clone(), shown.name.clone(), host)
            }
            Some(trunk) => {
                let config = self.plan.trunks.get(trunk)?;
                let host =
                    config.host.as_ref().filter(|_| config.identity == Identity::Asserted)?;
                let account = self.plan.extensions.get(other.extension.as_ref()?)?;
                let number = account.caller_id.as_ref().or(config.caller_id.as_ref())?;
                (config.numbers.formed(number), None, host.host.clone())
            }
        };
        let uri = format!("sip:{}@{host}", UserPart(&number));
        Some(Connected { uri, name, hidden: shown.hidden })
    }
}
