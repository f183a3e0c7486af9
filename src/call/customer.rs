//! Of which classes a caller is, and what that means for his call.

use std::collections::BTreeMap;

use crate::call::call::{Call, Output};
use crate::call::site::Site;
use crate::cdr::entry::Fact;
use crate::route::customers::{History, Merit};
use crate::time::Instant;

impl Call {
    /// Gives the call what the caller's classes give; whether one of them refuses him.
    pub(super) fn class(&mut self, now: Instant, site: &Site<'_>, out: &mut Vec<Output>) -> bool {
        let plan = self.plan.clone();
        if plan.customers.is_empty() {
            return false;
        }
        let numbers = self.caller.e164.iter().chain([&self.caller.sent, &self.caller.number]);
        let numbers: Vec<&str> = numbers.map(String::as_str).collect();
        let merit = Merit::of(&plan.customers, &numbers, self.history(now, site));
        if merit.classes.is_empty() {
            return false;
        }
        let names: Vec<&str> = merit.classes.iter().map(|id| id.as_str()).collect();
        let mut values = BTreeMap::from([(CUSTOMER.to_owned(), names.join(","))]);
        values.extend(merit.set);
        self.fact(now, out, Fact::Collected { values });
        self.skills.extend(merit.skills);
        self.prefer.extend(merit.prefer);
        self.priority = self.priority.max(merit.priority);
        merit.refuse
    }

    /// Whether an agent has talked with the caller before; none if he shows no number or is one of
    /// the site's own.
    fn history(&self, now: Instant, site: &Site<'_>) -> Option<History> {
        let number = self.caller.known_by().filter(|_| self.caller.extension().is_none())?;
        let keep = self.plan.acd.acd.last_agent_keep;
        let known = site.known.last_agent(number, self.epoch.wall(now), keep).is_some();
        Some(if known { History::Returning } else { History::New })
    }
}

/// The key under which a call's data names the caller's classes.
const CUSTOMER: &str = "customer";
