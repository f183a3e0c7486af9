//! What a caller who waits is told between music: his place, how much longer he is going to wait,
//! messages.
//!
//! In:       the passing of time; the ACD's outlook.
//! Out:      what he hears, one thing at a time; facts.
//! Not here: how the outlook is worked out (`acd::outlook`), what else he hears (`queueing`).
//!
//! Nothing of it keeps a phone from ringing, and who answers is joined with him at once.
//!
//! What is said of a wait is a promise: its end never moves away, and the minutes never rise. Who
//! would have to be told of a later end is told nothing until what was said is right again.

use crate::acd::Outlook;
use crate::acd::announce::{Announce, Order};
use crate::call::call::{Call, Output, Stage};
use crate::call::queueing::Hears;
use crate::call::site::Site;
use crate::cdr::entry::Fact;
use crate::ivr::speech;
use crate::media::control::Sound;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// What he was told, and when he is told more.
#[derive(Debug)]
pub(super) struct Announcing {
    /// When his place and his wait are told.
    at: Option<Instant>,
    /// When a message is played.
    message_at: Option<Instant>,
    /// The message that was played last.
    message: Option<usize>,
    /// Whether a message was the last that he was told.
    was_message: bool,
    /// The last place that he was told.
    place: u32,
    promise: Option<Promise>,
}

/// What he was told of his wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Promise {
    from_min: u32,
    to_min: u32,
    /// When it is over at the latest.
    until: Instant,
}

impl Announcing {
    /// For one who is told nothing.
    pub fn nothing() -> Self {
        Self {
            at: None,
            message_at: None,
            message: None,
            was_message: false,
            place: u32::MAX,
            promise: None,
        }
    }

    pub fn new(now: Instant, config: &Announce) -> Self {
        let tells = config.position || config.wait;
        let has_messages = !config.messages.is_empty();
        Self {
            at: tells.then_some(now + config.every),
            message_at: has_messages.then_some(now + config.messages_every),
            ..Self::nothing()
        }
    }

    pub fn next_tick(&self) -> Option<Instant> {
        self.at.into_iter().chain(self.message_at).min()
    }

    /// The message that is next.
    fn next_message(&mut self, config: &Announce, rng: &mut Rng) -> Option<usize> {
        let count = config.messages.len();
        let next = match (self.message, config.messages_order) {
            _ if count == 0 => return None,
            (None, Order::InTurn) => 0,
            (Some(last), Order::InTurn) => (last + 1) % count,
            // Of the others, counted from the one after it.
            (Some(last), Order::Random) if count > 1 && last < count => {
                (last + 1 + rng.below(count as u32 - 1) as usize) % count
            }
            (_, Order::Random) => rng.below(count as u32) as usize,
        };
        self.message = Some(next);
        Some(next)
    }
}

impl Promise {
    /// What is to be said of an outlook after `before` was; nothing if it would be more.
    fn of(now: Instant, outlook: Outlook, before: Option<Self>, most: Duration) -> Option<Self> {
        if outlook.to > most {
            return None;
        }
        let (from_min, to_min) = minutes(outlook);
        let told = Self { from_min, to_min, until: now + Duration::from_secs(60) * to_min };
        let Some(before) = before else { return Some(told) };
        let is_kept = to_min <= before.to_min && now + outlook.to <= before.until;
        is_kept.then(|| Self {
            from_min: from_min.min(before.from_min),
            to_min,
            until: told.until.min(before.until),
        })
    }
}

/// An outlook in minutes, from 0 and to 1 at least: whole ones, from 10 on fives, from 30 on tens;
/// as few as the wait can be, and as many.
fn minutes(outlook: Outlook) -> (u32, u32) {
    let step = |minutes: f64| match minutes {
        ..=10.0 => 1.0,
        ..=30.0 => 5.0,
        _ => 10.0,
    };
    let (from, to) = (outlook.from.as_secs_f64() / 60.0, outlook.to.as_secs_f64() / 60.0);
    let from = (from / step(from)).floor() * step(from);
    let to = (to / step(to)).ceil() * step(to);
    (from as u32, (to as u32).max(1))
}

impl Call {
    /// Tells the caller what it is time for, when nothing else is said.
    pub(super) fn announce_to_waiting(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let plan = self.plan.clone();
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(queue) = plan.acd.queues.get(&waiting.queue) else { return };
        if waiting.winner.is_some() {
            return;
        }
        let (config, quiet) = (&queue.announce, waiting.hears == Hears::Music);
        let announcing = &mut waiting.announcing;
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let (is_place_due, is_message_due) = (is_due(announcing.at), is_due(announcing.message_at));
        // What cannot be said at this moment is said a little later, and does not wait for its turn
        // again; and the two take turns: neither keeps the other from being heard for long.
        let is_place_next = is_place_due && (!is_message_due || announcing.was_message);
        if is_place_due {
            let told = quiet && is_place_next;
            announcing.at = Some(now + if told { config.every } else { LATER });
        }
        if is_message_due {
            let told = quiet && !is_place_next;
            announcing.message_at = Some(now + if told { config.messages_every } else { LATER });
        }
        if quiet && (is_place_due || is_message_due) {
            announcing.was_message = !is_place_next;
            match is_place_next {
                true => self.tell_place_and_wait(now, site, config, out),
                false => self.play_message(now, site, config, out),
            }
        }
    }

    fn play_message(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        config: &Announce,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let next = waiting.announcing.next_message(config, site.rng);
        let Some(prompt) = next.and_then(|next| config.messages.get(next)).cloned() else { return };
        waiting.hears = Hears::Notice;
        let queue = waiting.queue.clone();
        self.play(self.party, vec![Sound::Prompt(prompt.clone())], false, out);
        self.fact(now, out, Fact::MessageTold { queue, prompt });
    }

    /// Tells the caller his place, and how much longer he is going to wait, as far as he is to know
    /// and it is known.
    fn tell_place_and_wait(
        &mut self,
        now: Instant,
        site: &Site<'_>,
        config: &Announce,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let (announcing, queue) = (&mut waiting.announcing, waiting.queue.clone());
        let position = if config.position { site.acd.position(self.acd_id) } else { None };
        // Who was passed meanwhile, by somebody with more credit, is told nothing: a place that
        // rises is worse than none.
        let position = position.filter(|position| *position <= announcing.place);
        let outlook = if config.wait { site.acd.outlook(self.acd_id) } else { None };
        let promise = outlook
            .and_then(|outlook| Promise::of(now, outlook, announcing.promise, config.wait_max));
        let locale = self.plan.locale;
        let mut words = Vec::new();
        if let Some(position) = position {
            announcing.place = position;
            words.extend(speech::position(locale, position));
        }
        if let Some(Promise { from_min, to_min, .. }) = promise {
            announcing.promise = promise;
            words.extend(speech::wait(locale, from_min, to_min));
        }
        if words.is_empty() {
            return;
        }
        waiting.hears = Hears::Notice;
        self.play(self.party, words.into_iter().map(Sound::Prompt).collect(), false, out);
        if let Some(position) = position {
            self.fact(now, out, Fact::PositionTold { queue: queue.clone(), position });
        }
        if let Some(Promise { from_min, to_min, .. }) = promise {
            self.fact(now, out, Fact::WaitTold { queue, from_min, to_min });
        }
    }
}

/// When it is tried again to tell who heard something else.
const LATER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_wait_never_rises() {
        let outlook =
            |from, to| Outlook { from: Duration::from_secs(from), to: Duration::from_secs(to) };
        let at = |seconds| Instant::START + Duration::from_secs(seconds);
        let most = Duration::from_secs(1800);
        let said = |promise: Option<Promise>| promise.map(|it| (it.from_min, it.to_min));

        let first = Promise::of(at(0), outlook(130, 290), None, most);
        assert_eq!(said(first), Some((2, 5)));
        // As long as before half a minute later: 4:50 from then are later than 5:00.
        assert_eq!(Promise::of(at(30), outlook(130, 290), first, most), None);
        let second = Promise::of(at(30), outlook(190, 268), first, most);
        assert_eq!(said(second), Some((2, 5)), "no minute more, not at the lower end either");
        let third = Promise::of(at(120), outlook(70, 179), second, most);
        assert_eq!(said(third), Some((1, 3)));
        assert_eq!(Promise::of(at(301), outlook(0, 1), third, most), None, "it is overdue");
        assert_eq!(said(Promise::of(at(200), outlook(0, 20), third, most)), Some((0, 1)));
        assert_eq!(Promise::of(at(0), outlook(1500, 1801), None, most), None);
    }

    #[test]
    fn long_waits_are_rounded_to_fives_and_tens() {
        for (from, to, said) in
            [(0, 30, (0, 1)), (60, 61, (1, 2)), (599, 600, (9, 10)), (719, 723, (10, 15))]
        {
            let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
            assert_eq!(minutes(Outlook { from, to }), said);
        }
        let (from, to) = (Duration::from_secs(2_399), Duration::from_secs(2_401));
        assert_eq!(minutes(Outlook { from, to }), (30, 50));
    }

    #[test]
    fn no_message_is_played_twice_in_a_row() {
        let messages = ["a", "b", "c"].map(Into::into).to_vec();
        let mut config = Announce { messages, ..Announce::default() };
        let mut rng = Rng::from_number(1);
        let mut next = |config: &Announce| {
            let mut announcing = Announcing::nothing();
            (0..300).filter_map(|_| announcing.next_message(config, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(next(&config)[..4], [0, 1, 2, 0]);
        config.messages_order = Order::Random;
        let played = next(&config);
        assert!(played.windows(2).all(|two| two[0] != two[1]));
        for message in 0..3 {
            assert!(played.iter().filter(|it| **it == message).count() > 50);
        }
        config.messages.truncate(1);
        assert_eq!(next(&config)[..2], [0, 0]);
        config.messages.clear();
        assert!(next(&config).is_empty());
    }
}
