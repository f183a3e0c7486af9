//! `strowger cdr tail`: the records, as a downstream system gets them.

use prost_types::Timestamp;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tonic::Streaming;

use super::client::{Client, Connection};
use super::print::{length, moment, or_hyphen, out, plain, word};
use super::{CliError, Tail, json};
use crate::shell::proto::delivery::Item;
use crate::shell::proto::records_client::RecordsClient;
use crate::shell::proto::start::From;
use crate::shell::proto::{
    self, CallRecord, Delivery, Event, Filter, Kind, Position, Start, SubscribeRequest,
};
use crate::time::Duration;

/// How long a printed item may stay without acknowledgement while nothing comes.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(50);

/// Printed items without acknowledgement.
const UNACKNOWLEDGED_MAX: u32 = 100;

/// A call record of the greatest size that the node makes.
const DELIVERY_BYTES_MAX: usize = 64 << 20;

pub async fn tail(tail: Tail) -> Result<(), CliError> {
    let client = Client::connect(&tail.place).await?;
    let mut records =
        RecordsClient::new(client.connection.clone()).max_decoding_message_size(DELIVERY_BYTES_MAX);
    let stream = records.subscribe(request(&tail)).await?.into_inner();
    let mut acknowledging =
        Acknowledging { records, consumer: tail.consumer.clone(), printed: 0, count: 0 };
    let printed = print_all(stream, &tail, &client, &mut acknowledging).await;
    acknowledging.send().await?;
    printed
}

fn request(tail: &Tail) -> SubscribeRequest {
    let from = match (tail.from, &tail.consumer) {
        (Some(sequence), _) => From::Sequence(sequence),
        (None, Some(_)) => From::Position(Position::LastAcknowledged.into()),
        (None, None) if tail.follow => From::Position(Position::Latest.into()),
        (None, None) => From::Position(Position::Oldest.into()),
    };
    let kinds = if tail.events { Vec::new() } else { vec![Kind::Record.into()] };
    SubscribeRequest {
        consumer: tail.consumer.clone().unwrap_or_default(),
        start: Some(Start { from: Some(from) }),
        filter: Some(Filter { kinds, ..Filter::default() }),
        max_in_flight: 0,
    }
}

async fn print_all(
    mut stream: Streaming<Delivery>,
    tail: &Tail,
    client: &Client,
    acknowledging: &mut Acknowledging,
) -> Result<(), CliError> {
    let mut head = None;
    loop {
        let delivery = match timeout(ACKNOWLEDGE_AFTER, stream.next()).await {
            Ok(Some(delivery)) => delivery?,
            Ok(None) => return Ok(()),
            Err(_) => {
                acknowledging.send().await?;
                match stream.next().await {
                    Some(delivery) => delivery?,
                    None => return Ok(()),
                }
            }
        };
        let sequence = delivery.sequence;
        if let Some(Item::Heartbeat(heartbeat)) = &delivery.item {
            head.get_or_insert(heartbeat.head);
        } else {
            let line = match tail.json {
                true => json::line(&delivery)?,
                false => line(&delivery, &client.zone),
            };
            out(&format!("{line}\n"))?;
        }
        acknowledging.printed(sequence).await?;
        if !tail.follow && head.is_some_and(|head| sequence >= head) {
            return Ok(());
        }
    }
}

/// Acknowledges for a named consumer, several items at once.
struct Acknowledging {
    records: RecordsClient<Connection>,
    consumer: Option<String>,
    /// The last sequence that was printed or did not fit.
    printed: u64,
    /// Items since the last acknowledgement.
    count: u32,
}

impl Acknowledging {
    async fn printed(&mut self, sequence: u64) -> Result<(), CliError> {
        if sequence > self.printed {
            self.printed = sequence;
            self.count += 1;
        }
        if self.count >= UNACKNOWLEDGED_MAX { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> Result<(), CliError> {
        let Some(consumer) = self.consumer.clone() else { return Ok(()) };
        if self.count > 0 {
            let sequence = self.printed;
            self.records.acknowledge(proto::AcknowledgeRequest { consumer, sequence }).await?;
            self.count = 0;
        }
        Ok(())
    }
}

/// One delivery for people.
fn line(delivery: &Delivery, zone: &jiff::tz::TimeZone) -> String {
    match &delivery.item {
        Some(Item::Record(record)) => record_line(delivery.sequence, record, zone),
        Some(Item::Event(event)) => event_line(delivery.sequence, event, zone),
        Some(Item::Heartbeat(_)) | None => String::new(),
    }
}

fn record_line(sequence: u64, record: &CallRecord, zone: &jiff::tz::TimeZone) -> String {
    let from = record.caller.as_ref().map(|caller| plain(&caller.number)).unwrap_or_default();
    let mut line = format!(
        "{sequence:>8}  {}  {}  {from} to {}",
        moment(record.setup_time, zone),
        record.call_id,
        plain(&record.dialled),
    );
    for visit in &record.queues {
        let why = word(visit.why().as_str_name(), "QUEUE_LEFT_");
        line.push_str(&format!("  {} {} {why}", plain(&visit.queue), length(visit.wait)));
    }
    for talk in &record.talks {
        let agent = talk.agent.as_deref().map(|agent| format!("/{}", plain(agent)));
        line.push_str(&format!(
            "  {}{} {}",
            or_hyphen(talk.extension.as_deref()),
            agent.unwrap_or_default(),
            length(between(talk.start_time, talk.end_time)),
        ));
    }
    for leg in &record.legs {
        line.push_str(&leg.quality.as_ref().map(sound).unwrap_or_default());
    }
    if let Some(end) = &record.end {
        line.push_str(&format!("  {}", plain(&end.reason)));
    }
    line
}

/// How a leg sounded: the scores from and to its phone, and who is to blame.
fn sound(quality: &proto::Quality) -> String {
    let mos = |mos: Option<f32>| mos.map_or("-".to_owned(), |mos| format!("{mos:.2}"));
    let scores = (quality.received_mos, quality.sent_mos);
    let blame = match quality.blame() {
        proto::Blame::Unspecified | proto::Blame::None => String::new(),
        blame => format!(" {}", word(blame.as_str_name(), "BLAME_")),
    };
    match scores {
        (None, None) => String::new(),
        (from, to) => format!("  mos {}/{}{blame}", mos(from), mos(to)),
    }
}

fn event_line(sequence: u64, event: &Event, zone: &jiff::tz::TimeZone) -> String {
    let fact = json::line(event).ok().and_then(|json| {
        let mut fields: serde_json::Map<_, _> = serde_json::from_str(&json).ok()?;
        fields.remove("time");
        fields.remove("call_id");
        let (name, value) = fields.into_iter().next()?;
        Some(format!("{} {value}", name.replace('_', "-")))
    });
    format!(
        "{sequence:>8}  {}  {:16}  {}",
        moment(event.time, zone),
        event.call_id.as_deref().unwrap_or("-"),
        fact.unwrap_or_default(),
    )
}

/// The whole seconds between two times.
fn between(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<prost_types::Duration> {
    let (start, end) = (start?, end?);
    let nanos = i128::from(end.seconds - start.seconds) * 1_000_000_000
        + i128::from(end.nanos - start.nanos);
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    Some(prost_types::Duration { seconds, nanos: 0 })
}
