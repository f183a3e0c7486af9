//! One subscriber's way through the ledger.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::mem;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use super::convert::time;
use super::filter::Filter;
use super::record::delivery;
use super::records::{Seat, blocking, storage};
use crate::shell::clock::Clock;
use crate::shell::ledger::{Item, Ledger};
use crate::shell::proto::{self, Heartbeat};

/// Sends what fits a filter, in order, no faster than the subscriber takes and acknowledges it.
pub struct Subscription {
    ledger: Ledger,
    filter: Filter,
    /// The sequence to read next.
    next: u64,
    in_flight: Option<InFlight>,
    out: mpsc::Sender<Result<proto::Delivery, Status>>,
    head: watch::Receiver<u64>,
    heartbeat_at: Instant,
    clock: Clock,
}

/// Why a subscription is over.
enum Over {
    Because(Status),
    /// The client did.
    Left,
}

/// A named consumer's deliveries without acknowledgement.
pub struct InFlight {
    most: u32,
    sent: VecDeque<u64>,
    acknowledged: watch::Receiver<u64>,
}

impl InFlight {
    /// `acknowledged` tells the consumer's newest acknowledgement.
    pub const fn new(most: u32, acknowledged: watch::Receiver<u64>) -> Self {
        Self { most, sent: VecDeque::new(), acknowledged }
    }

    /// Whether one more may be sent.
    fn has_room(&mut self) -> bool {
        let acknowledged = *self.acknowledged.borrow_and_update();
        while self.sent.front().is_some_and(|sent| *sent <= acknowledged) {
            self.sent.pop_front();
        }
        self.sent.len() < self.most as usize
    }
}

impl Subscription {
    pub fn new(
        ledger: Ledger,
        filter: Filter,
        first: u64,
        in_flight: Option<InFlight>,
        clock: Clock,
        out: mpsc::Sender<Result<proto::Delivery, Status>>,
    ) -> Self {
        let head = ledger.head();
        let heartbeat_at = Instant::now();
        Self { ledger, filter, next: first, in_flight, out, head, heartbeat_at, clock }
    }

    /// Sends until the client leaves, somebody takes over, or what comes next cannot be read.
    pub async fn run(mut self, mut seat: Seat) {
        let out = self.out.clone();
        let over = tokio::select! {
            Err(over) = self.send_all() => over,
            () = seat.taken_over() => {
                Over::Because(Status::aborted("another subscriber took over this consumer"))
            }
            () = out.closed() => Over::Left,
        };
        drop(seat);
        if let Over::Because(status) = over {
            _ = out.send(Err(status)).await; // who does not take it has left
        }
    }

    async fn send_all(&mut self) -> Result<Infallible, Over> {
        self.send_heartbeat().await?;
        let mut caught_up = false;
        loop {
            self.head.mark_unchanged();
            let next = self.next;
            let page = blocking(&self.ledger, move |ledger| ledger.page(next)).await;
            let items = page.map_err(|error| Over::Because(storage(&error)))?;
            if items.is_empty() {
                if !mem::replace(&mut caught_up, true) {
                    self.send_heartbeat().await?;
                }
                self.wait_for_news().await?;
            }
            for item in items {
                self.send_item(item).await?;
            }
        }
    }

    async fn send_item(&mut self, item: Item) -> Result<(), Over> {
        let sequence = item.sequence;
        if self.filter.fits(&item.body) {
            self.wait_for_room().await?;
            self.send(delivery(item)).await?;
            if let Some(in_flight) = &mut self.in_flight {
                in_flight.sent.push_back(sequence);
            }
        }
        self.next = sequence + 1;
        Ok(())
    }

    async fn wait_for_room(&mut self) -> Result<(), Over> {
        while let Some(in_flight) = &mut self.in_flight
            && !in_flight.has_room()
        {
            tokio::select! {
                changed = in_flight.acknowledged.changed() => {
                    if changed.is_err() {
                        pending::<()>().await; // taken over: `run` ends this
                    }
                }
                () = sleep_until(self.heartbeat_at) => self.send_heartbeat().await?,
            }
        }
        Ok(())
    }

    async fn wait_for_news(&mut self) -> Result<(), Over> {
        loop {
            tokio::select! {
                changed = self.head.changed() => match changed {
                    Ok(()) => return Ok(()),
                    Err(_) => return Err(Over::Because(Status::unavailable("the node stops"))),
                },
                () = sleep_until(self.heartbeat_at) => self.send_heartbeat().await?,
            }
        }
    }

    async fn send_heartbeat(&mut self) -> Result<(), Over> {
        let heartbeat =
            Heartbeat { head: *self.head.borrow(), time: Some(time(self.clock.wall())) };
        let item = Some(proto::delivery::Item::Heartbeat(heartbeat));
        self.send(proto::Delivery { sequence: self.next - 1, item }).await
    }

    async fn send(&mut self, delivery: proto::Delivery) -> Result<(), Over> {
        self.heartbeat_at = Instant::now() + self.ledger.config().heartbeat;
        self.out.send(Ok(delivery)).await.map_err(|_| Over::Left)
    }
}
