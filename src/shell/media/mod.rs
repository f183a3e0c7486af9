//! Media threads: their sockets, ports, prompts and recording files.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::media::control::Event;

pub mod file;
pub mod prompts;

/// The way of events to the Switch.
#[derive(Clone)]
pub struct Report {
    deliver: Arc<dyn Fn(Event) + Send + Sync>,
    has_room: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Report {
    /// Delivers into any channel that takes events, its receiver being the Switch's driver. Once
    /// that is gone, events vanish.
    pub fn new<E: From<Event> + Send + 'static>(events: Sender<E>) -> Self {
        let room = events.clone();
        Self {
            deliver: Arc::new(move |event: Event| drop(events.send(event.into()))),
            has_room: Arc::new(move || !room.is_full()),
        }
    }

    /// Reports one event; waits while the channel is full.
    pub fn send(&self, event: Event) {
        (self.deliver)(event);
    }

    /// Reports what there is room for, in order; the rest stays.
    pub fn send_some(&self, events: &mut VecDeque<Event>) {
        while (self.has_room)() {
            let Some(event) = events.pop_front() else { return };
            self.send(event);
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("has_room", &(self.has_room)()).finish_non_exhaustive()
    }
}
