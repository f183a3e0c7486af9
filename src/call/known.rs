//! What is known of callers by their numbers: who talked with them last, which places they left.
//!
//! In:       talks with agents; callers who hang up while they wait.
//! Out:      whom a caller had better talk with; since when he has waited.
//! Not here: what is kept for the next start (`switch::kept`): who talked with whom. The places
//!           last as long as the process.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, QueueId};
use crate::time::{Duration, Instant, Wall};

/// The callers who are known, by number.
#[derive(Debug, Default)]
pub struct Known {
    met: HashMap<String, Met>,
    met_at: BTreeSet<(Wall, String)>,
    left: HashMap<Spot, Left>,
    left_until: BTreeSet<(Instant, Spot)>,
}

/// An agent talked with a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    pub agent: AgentId,
    pub at: Wall,
}

/// A place in a queue: whose, and where.
type Spot = (String, QueueId);

#[derive(Clone, Copy, Debug)]
struct Left {
    since: Instant,
    until: Instant,
}

impl Known {
    /// An agent talks with a caller; says who is forgotten for that, if `max` are known.
    pub fn meet(&mut self, number: String, met: Met, max: u32) -> Option<String> {
        self.met_at.insert((met.at, number.clone()));
        if let Some(before) = self.met.insert(number.clone(), met.clone())
            && before.at != met.at
        {
            self.met_at.remove(&(before.at, number));
        }
        let is_full = self.met.len() > max as usize;
        let (_, oldest) = if is_full { self.met_at.pop_first() } else { None }?;
        self.met.remove(&oldest);
        Some(oldest)
    }

    /// Who talked with a caller last, if that was no longer than `keep` ago.
    pub fn last_agent(&self, number: &str, now: Wall, keep: Duration) -> Option<&AgentId> {
        let met = self.met.get(number)?;
        (now.since(met.at) <= keep).then_some(&met.agent)
    }

    /// A caller hung up who had waited since `since`; his place is kept until `until`.
    pub fn leave(&mut self, number: String, queue: QueueId, since: Instant, until: Instant) {
        let spot = (number, queue);
        self.left_until.insert((until, spot.clone()));
        if let Some(before) = self.left.insert(spot.clone(), Left { since, until })
            && before.until != until
        {
            self.left_until.remove(&(before.until, spot));
        }
        if self.left.len() > PLACES_MAX
            && let Some((_, oldest)) = self.left_until.pop_first()
        {
            self.left.remove(&oldest);
        }
    }

    /// Gives a caller the place back that he left: since when he has waited. Once.
    pub fn come_back(&mut self, now: Instant, number: &str, queue: &QueueId) -> Option<Instant> {
        while let Some((until, spot)) = self.left_until.first().filter(|(until, _)| *until < now) {
            let (until, spot) = (*until, spot.clone());
            self.left.remove(&spot);
            self.left_until.remove(&(until, spot));
        }
        let spot = (number.to_owned(), queue.clone());
        let left = self.left.remove(&spot)?;
        self.left_until.remove(&(left.until, spot));
        Some(left.since)
    }
}

/// Places that are kept; one more takes that of the place which would be lost first.
const PLACES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_agent_is_known_for_a_time_and_for_so_many_callers() {
        let mut known = Known::default();
        let met = |agent: &str, at| Met { agent: agent.into(), at: Wall::from_micros(at) };
        assert_eq!(known.meet("1".to_owned(), met("a", 10), 2), None);
        assert_eq!(known.meet("2".to_owned(), met("b", 20), 2), None);
        assert_eq!(known.meet("1".to_owned(), met("c", 30), 2), None);
        let last = |known: &Known, number, now| {
            let keep = Duration::from_micros(100);
            known.last_agent(number, Wall::from_micros(now), keep).map(ToString::to_string)
        };
        assert_eq!(last(&known, "1", 130).as_deref(), Some("c"));
        assert_eq!(last(&known, "1", 131), None);

        assert_eq!(known.meet("3".to_owned(), met("a", 40), 2).as_deref(), Some("2"));

        assert_eq!(last(&known, "2", 50), None);
        assert_eq!(last(&known, "1", 50).as_deref(), Some("c"));
        assert_eq!((known.met.len(), known.met_at.len()), (2, 2));
    }

    #[test]
    fn a_place_is_given_back_once_in_its_queue_and_in_time() {
        let (at, q) = (Instant::from_micros, QueueId::from("q"));
        let mut known = Known::default();
        known.leave("1".to_owned(), q.clone(), at(5), at(100));
        assert_eq!(known.come_back(at(50), "1", &"r".into()), None);
        assert_eq!(known.come_back(at(50), "2", &q), None);
        assert_eq!(known.come_back(at(100), "1", &q), Some(at(5)));
        assert_eq!(known.come_back(at(100), "1", &q), None);

        known.leave("1".to_owned(), q.clone(), at(5), at(200));
        known.leave("1".to_owned(), q.clone(), at(7), at(300));
        assert_eq!(known.come_back(at(301), "1", &q), None);
        assert_eq!((known.left.len(), known.left_until.len()), (0, 0));
    }

    #[test]
    fn places_are_kept_for_so_many() {
        let mut known = Known::default();
        for number in 0..=PLACES_MAX as u64 {
            let until = Instant::from_micros(1_000_000 + number);
            known.leave(number.to_string(), "q".into(), Instant::START, until);
        }
        assert_eq!(known.come_back(Instant::START, "0", &"q".into()), None);
        assert_eq!(known.come_back(Instant::START, "1", &"q".into()), Some(Instant::START));
    }
}
