//! Keeps one broken or hostile sender from filling the log and from being answered for ever.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts the malformed messages of each source.
#[derive(Debug, Default)]
pub(super) struct Noise {
    sources: Mutex<HashMap<IpAddr, Window>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    count: u32,
}

/// What one more malformed message may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    /// A line in the log: the first in each window.
    pub log: bool,
    /// An answer.
    pub answer: bool,
}

impl Noise {
    /// Notes a malformed message.
    pub(super) fn note(&self, source: IpAddr) -> Allowed {
        self.note_at(Instant::now(), source)
    }

    fn note_at(&self, now: Instant, source: IpAddr) -> Allowed {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&source) {
            sources.retain(|_, window| now.duration_since(window.since) < WINDOW);
            if sources.len() >= SOURCES_MAX {
                return Allowed { log: false, answer: false };
            }
        }
        let window = sources.entry(source).or_insert(Window { since: now, count: 0 });
        if now.duration_since(window.since) >= WINDOW {
            *window = Window { since: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        Allowed { log: window.count == 1, answer: window.count <= ANSWERS_MAX }
    }
}

/// How long a source is remembered.
const WINDOW: Duration = Duration::from_secs(60);
/// Answers to one source in a window.
const ANSWERS_MAX: u32 = 60;
/// Sources that are remembered; above it strangers get neither answer nor log line.
const SOURCES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_noisy_source_is_logged_once_and_answered_a_while() {
        let (noise, now) = (Noise::default(), Instant::now());
        let source = IpAddr::from(Ipv4Addr::LOCALHOST);

        let first = noise.note_at(now, source);
        let rest: Vec<_> = (1..100).map(|_| noise.note_at(now, source)).collect();
        let later = noise.note_at(now + WINDOW, source);

        assert_eq!(first, Allowed { log: true, answer: true });
        assert_eq!(rest.iter().filter(|allowed| allowed.answer).count(), 59);
        assert!(rest.iter().all(|allowed| !allowed.log));
        assert_eq!(later, Allowed { log: true, answer: true });
    }

    #[test]
    fn a_crowd_of_sources_is_forgotten_after_its_window() {
        let (noise, now) = (Noise::default(), Instant::now());
        for n in 0..2 * u32::try_from(SOURCES_MAX).unwrap() {
            noise.note_at(now, IpAddr::from(Ipv4Addr::from(n)));
        }
        let stranger = IpAddr::from(Ipv4Addr::BROADCAST);

        assert_eq!(noise.sources.lock().unwrap().len(), SOURCES_MAX);
        assert!(!noise.note_at(now, stranger).answer);
        assert!(noise.note_at(now + WINDOW, stranger).answer);
    }
}
