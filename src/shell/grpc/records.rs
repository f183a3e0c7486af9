//! `strowger.v1.Records`: the ledger for other programs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::convert::{call_id, wall};
use super::filter::Filter;
use super::record::{event, record};
use super::subscription::{InFlight, Subscription};
use crate::cdr::entry::Entry;
use crate::cdr::record::CallRecord;
use crate::id::CallId;
use crate::shell::clock::Clock;
use crate::shell::ledger::{Body, Ledger, LedgerError, Span};
use crate::shell::proto::records_server::Records;
use crate::shell::proto::{self, Position, start};
use crate::time::Wall;

/// Deliveries that a client has not taken yet; then the subscription waits.
const UNTAKEN_MAX: usize = 32;

/// The highest `max_in_flight` that a client gets.
const IN_FLIGHT_MAX: u32 = 100_000;

/// Records that one `List` gives, and that it gives when it is not asked for a number.
const PAGE_MAX: usize = 1000;
const PAGE_DEFAULT: usize = 100;

/// Records that one `List` looks at, and that it reads at once.
const SCANNED_MAX: usize = 5000;
const SCANNED_AT_ONCE: usize = 250;

const CONSUMER_CHARACTERS_MAX: usize = 64;

pub struct Service {
    ledger: Ledger,
    clock: Clock,
    consumers: Consumers,
}

impl Service {
    pub fn new(ledger: Ledger, clock: Clock) -> Self {
        Self { ledger, clock, consumers: Consumers::default() }
    }

    /// The first sequence that a subscriber gets.
    async fn first(
        &self,
        consumer: Option<&str>,
        start: Option<proto::Start>,
    ) -> Result<u64, Status> {
        let default = match consumer {
            Some(_) => Position::LastAcknowledged,
            None => Position::Latest,
        };
        let from = start.and_then(|start| start.from);
        let from = from.unwrap_or(start::From::Position(default.into()));
        let Span { oldest, newest } =
            blocking(&self.ledger, Ledger::span).await.map_err(|error| storage(&error))?;
        let first = match from {
            start::From::Sequence(sequence) => sequence.max(1),
            start::From::Time(time) => {
                let time = wall(time)?;
                let found = blocking(&self.ledger, move |ledger| ledger.first_since(time)).await;
                found.map_err(|error| storage(&error))?
            }
            start::From::Position(position) => match Position::try_from(position) {
                Ok(Position::Latest) => newest + 1,
                Ok(Position::Oldest) => oldest,
                Ok(Position::LastAcknowledged) => {
                    let name = consumer.map(str::to_owned).ok_or_else(|| {
                        Status::invalid_argument("only a named consumer acknowledges")
                    })?;
                    let known = blocking(&self.ledger, move |ledger| ledger.acknowledged(&name));
                    known.await.map_err(|error| storage(&error))?.map_or(oldest, |last| last + 1)
                }
                Ok(Position::Unspecified) | Err(_) => {
                    return Err(Status::invalid_argument("unknown position"));
                }
            },
        };
        if first < oldest {
            return Err(storage(&LedgerError::Gone { sequence: first, oldest }));
        }
        if first > newest + 1 {
            return Err(storage(&LedgerError::Ahead { sequence: first, newest }));
        }
        Ok(first)
    }
}

#[tonic::async_trait]
impl Records for Service {
    type SubscribeStream = ReceiverStream<Result<proto::Delivery, Status>>;

    async fn subscribe(
        &self,
        request: Request<proto::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let asked = request.into_inner();
        let filter = Filter::read(asked.filter)?;
        let consumer = match asked.consumer.as_str() {
            "" => None,
            name => Some(consumer(name)?),
        };
        if consumer.is_none() && asked.max_in_flight > 0 {
            return Err(Status::invalid_argument("max_in_flight needs a named consumer"));
        }
        let first = self.first(consumer, asked.start).await?;
        let seat = self.consumers.enter(consumer, self.ledger.config().subscribers_max)?;
        let in_flight = consumer.map(|_| {
            let most = match asked.max_in_flight {
                0 => self.ledger.config().unacknowledged_max,
                most => most,
            };
            InFlight::new(most.min(IN_FLIGHT_MAX), seat.acknowledged.clone())
        });
        let (out, deliveries) = mpsc::channel(UNTAKEN_MAX);
        let ledger = self.ledger.clone();
        let subscription =
            Subscription::new(ledger, filter, first, in_flight, self.clock.clone(), out);
        tokio::spawn(subscription.run(seat));
        Ok(Response::new(ReceiverStream::new(deliveries)))
    }

    async fn acknowledge(
        &self,
        request: Request<proto::AcknowledgeRequest>,
    ) -> Result<Response<proto::AcknowledgeResponse>, Status> {
        let asked = request.into_inner();
        let consumer = consumer(&asked.consumer)?;
        let answer = self.ledger.acknowledge(consumer, asked.sequence).await;
        let sequence = answer.map_err(|error| storage(&error))?;
        self.consumers.acknowledged(consumer, sequence);
        Ok(Response::new(proto::AcknowledgeResponse { sequence }))
    }

    async fn get(
        &self,
        request: Request<proto::GetRequest>,
    ) -> Result<Response<proto::GetResponse>, Status> {
        let call = call_id(&request.into_inner().call_id)?;
        let found = blocking(&self.ledger, move |ledger| ledger.record(call)).await;
        let Some((sequence, found)) = found.map_err(|error| storage(&error))? else {
            return Err(Status::not_found(format!("there is no record of call {call}")));
        };
        Ok(Response::new(proto::GetResponse { record: Some(record(sequence, found)) }))
    }

    type FactsStream = ReceiverStream<Result<proto::Event, Status>>;

    async fn facts(
        &self,
        request: Request<proto::FactsRequest>,
    ) -> Result<Response<Self::FactsStream>, Status> {
        let call = call_id(&request.into_inner().call_id)?;
        let read = move |ledger: &Ledger| Ok((ledger.facts(call, 0)?, ledger.oldest()?));
        let (first, oldest) = blocking(&self.ledger, read).await.map_err(|e| storage(&e))?;
        if first.is_empty() {
            return Err(nothing_of(call, oldest));
        }
        let (out, facts) = mpsc::channel(UNTAKEN_MAX);
        tokio::spawn(tell(self.ledger.clone(), call, first, out));
        Ok(Response::new(ReceiverStream::new(facts)))
    }

    async fn list(
        &self,
        request: Request<proto::ListRequest>,
    ) -> Result<Response<proto::ListResponse>, Status> {
        let asked = request.into_inner();
        if asked.filter.as_ref().is_some_and(|filter| !filter.kinds.is_empty()) {
            return Err(Status::invalid_argument("List gives records; leave kinds empty"));
        }
        let (before, most) = Page::asked(&asked.page_token, asked.page_size)?;
        let wanted = Wanted {
            filter: Filter::read(asked.filter)?,
            since: asked.since.map(wall).transpose()?,
            until: asked.until.map(wall).transpose()?,
        };
        let found = blocking(&self.ledger, move |ledger| {
            pick(ledger, wanted.since, before, most, |body| wanted.fits(body))
        });
        let Page { records, next } = found.await.map_err(|error| storage(&error))?;
        let records = records.into_iter().map(|(sequence, whole)| record(sequence, whole));
        let records = records.collect();
        Ok(Response::new(proto::ListResponse { records, next_page_token: next }))
    }
}

/// Sends the facts of a call, of which the `first` are read, as fast as they are taken.
async fn tell(
    ledger: Ledger,
    call: CallId,
    first: Vec<(u64, Entry)>,
    out: mpsc::Sender<Result<proto::Event, Status>>,
) {
    let mut facts = first;
    while let Some((last, _)) = facts.last() {
        let after = *last;
        for (_, entry) in facts {
            if out.send(Ok(event(entry))).await.is_err() {
                return; // he has left
            }
        }
        facts = match blocking(&ledger, move |ledger| ledger.facts(call, after)).await {
            Ok(facts) => facts,
            Err(error) => {
                _ = out.send(Err(storage(&error))).await; // who does not take it has left
                return;
            }
        };
    }
}

/// Why there is nothing of a call; its id tells when it began.
fn nothing_of(call: CallId, oldest: Option<Wall>) -> Status {
    let began = Wall::from_micros(call.given_at());
    match oldest {
        Some(oldest) if began < oldest => Status::out_of_range(format!(
            "nothing is kept of call {call}, of {began}: the oldest fact is of {oldest}"
        )),
        Some(_) | None => Status::not_found(format!("there was no call {call}")),
    }
}

/// Which records somebody looks for.
pub struct Wanted {
    pub filter: Filter,
    pub since: Option<Wall>,
    pub until: Option<Wall>,
}

impl Wanted {
    pub fn fits(&self, body: &Body) -> bool {
        let Body::Record(record) = body else { return false };
        let setup = record.times.setup;
        self.filter.fits(body)
            && self.since.is_none_or(|since| setup.is_some_and(|setup| setup >= since))
            && self.until.is_none_or(|until| setup.is_some_and(|setup| setup < until))
    }
}

/// Records with their sequences, newest first.
pub struct Page {
    pub records: Vec<(u64, CallRecord)>,
    /// Where the next page begins; empty if there is none.
    pub next: String,
}

impl Page {
    /// The sequence before which a page begins, and the records that it has at most.
    pub fn asked(token: &str, size: u32) -> Result<(u64, usize), Status> {
        let before = match token {
            "" => u64::MAX,
            text => text.parse().map_err(|_| Status::invalid_argument("unknown page_token"))?,
        };
        let most = match size as usize {
            0 => PAGE_DEFAULT,
            most => most.min(PAGE_MAX),
        };
        Ok((before, most))
    }
}

/// The newest records before a sequence that fit, of calls that did not begin before `since`.
pub fn pick(
    ledger: &Ledger,
    since: Option<Wall>,
    mut before: u64,
    most: usize,
    fits: impl Fn(&Body) -> bool,
) -> Result<Page, LedgerError> {
    // A call that began at a time ended later, so its record is not before that time's place.
    let floor = since.map_or(Ok(0), |since| ledger.first_since(since))?;
    let (mut records, mut scanned) = (Vec::new(), 0);
    while scanned < SCANNED_MAX {
        let items = ledger.records_before(before, SCANNED_AT_ONCE)?;
        if items.is_empty() {
            return Ok(Page { records, next: String::new() });
        }
        scanned += items.len();
        for item in items {
            if item.sequence < floor {
                return Ok(Page { records, next: String::new() });
            }
            if fits(&item.body) {
                if records.len() == most {
                    return Ok(Page { records, next: before.to_string() });
                }
                let call = item.body.call();
                let whole = call.map_or(Ok(None), |call| ledger.record(call))?;
                records.extend(whole.map(|(_, whole)| (item.sequence, whole)));
            }
            before = item.sequence;
        }
    }
    Ok(Page { records, next: before.to_string() })
}

/// A consumer's name, if it is one.
fn consumer(name: &str) -> Result<&str, Status> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > CONSUMER_CHARACTERS_MAX || !name.chars().all(known) {
        let rule = "a consumer's name is 1 to 64 letters, digits, hyphens, underscores and dots";
        return Err(Status::invalid_argument(rule));
    }
    Ok(name)
}

/// Reads the ledger beside the tasks that must not wait.
pub async fn blocking<T: Send + 'static>(
    ledger: &Ledger,
    read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    let ledger = ledger.clone();
    let reading = tokio::task::spawn_blocking(move || read(&ledger));
    reading.await.unwrap_or(Err(LedgerError::Refusing))
}

/// What a client hears of the ledger's errors.
pub fn storage(error: &LedgerError) -> Status {
    let text = error.to_string();
    match error {
        LedgerError::Ahead { .. } | LedgerError::Gone { .. } => Status::out_of_range(text),
        LedgerError::Consumers { .. } => Status::resource_exhausted(text),
        LedgerError::Refusing => Status::unavailable(text),
        LedgerError::Json(_) => Status::data_loss(text),
        LedgerError::File { .. }
        | LedgerError::InUse { .. }
        | LedgerError::Replaced { .. }
        | LedgerError::Storage(_)
        | LedgerError::Version { .. } => Status::internal(text),
    }
}

/// Who is subscribed at this moment; clones share it.
#[derive(Clone, Default)]
struct Consumers {
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    /// Subscriptions, with and without a name.
    count: usize,
    named: HashMap<String, Named>,
    next: u64,
}

struct Named {
    /// Tells the subscription from one that took over.
    id: u64,
    acknowledged: watch::Sender<u64>,
    /// Dropped when another takes over.
    _stay: watch::Sender<()>,
}

/// A subscription's place among the others; gives it back when dropped.
pub struct Seat {
    consumers: Consumers,
    name: Option<String>,
    id: u64,
    pub acknowledged: watch::Receiver<u64>,
    stay: watch::Receiver<()>,
}

impl Seat {
    /// Ends when another subscriber takes over.
    pub async fn taken_over(&mut self) {
        if self.name.is_none() {
            return std::future::pending().await;
        }
        while self.stay.changed().await.is_ok() {}
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.consumers.with(|table| {
            table.count -= 1;
            if let Some(name) = &self.name
                && table.named.get(name).is_some_and(|named| named.id == self.id)
            {
                table.named.remove(name);
            }
        });
    }
}

impl Consumers {
    fn enter(&self, name: Option<&str>, most: usize) -> Result<Seat, Status> {
        self.with(|table| {
            if table.count >= most {
                return Err(Status::resource_exhausted("too many subscribers"));
            }
            table.count += 1;
            table.next += 1;
            let id = table.next;
            let (acknowledged_out, acknowledged) = watch::channel(0);
            let (stay_out, stay) = watch::channel(());
            if let Some(name) = name {
                let named = Named { id, acknowledged: acknowledged_out, _stay: stay_out };
                table.named.insert(name.to_owned(), named);
            }
            let name = name.map(str::to_owned);
            Ok(Seat { consumers: self.clone(), name, id, acknowledged, stay })
        })
    }

    fn acknowledged(&self, name: &str, sequence: u64) {
        self.with(|table| {
            if let Some(named) = table.named.get(name) {
                named.acknowledged.send_replace(sequence);
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Table) -> T) -> T {
        act(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
