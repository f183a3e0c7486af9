//! What the node counts, for `/metrics` in the Prometheus text format.
//!
//! Counters are bumped where things happen; what the Switch and the ledger hold is asked for when
//! somebody reads.

use std::fmt;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::cdr::entry::TrunkState;
use crate::id::QueueId;
use crate::report::service::Level;
use crate::shell::figures::QueueService;
use crate::shell::ledger::Health;
use crate::shell::media::Figures;
use crate::shell::media::converting::Tally;
use crate::shell::sip::Counts;
use crate::switch::request::{NodeStatus, TrunkView};

/// Upper bounds of the buckets of a step of the Switch, in seconds: 1 µs to 16 ms.
const STEP_BUCKETS: [f64; 8] = [1e-6, 4e-6, 16e-6, 64e-6, 256e-6, 1e-3, 4e-3, 16e-3];

/// Counters that the parts of the shell bump; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Datagrams or framed messages that arrived, whatever they were.
    pub sip_received: Counter,
    pub sip_sent: Counter,
    /// What arrived and was no SIP.
    pub sip_malformed: Counter,
    /// What could not be passed on because a buffer was full.
    pub sip_dropped: Counter,
    /// Connections whose TLS or WebSocket never came about.
    pub sip_handshakes_failed: Counter,
    /// RTP packets that arrived from phones, and were sent to them.
    pub rtp_received: Counter,
    pub rtp_sent: Counter,
    /// RTP packets that the operating system would not take.
    pub rtp_unsent: Counter,
    pub recording_lost: Counter,
    /// What was made of recordings after their calls.
    pub conversions: Tally,
    /// How long the Switch took for one input.
    pub switch_step: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            sip_received: Counter::default(),
            sip_sent: Counter::default(),
            sip_malformed: Counter::default(),
            sip_dropped: Counter::default(),
            sip_handshakes_failed: Counter::default(),
            rtp_received: Counter::default(),
            rtp_sent: Counter::default(),
            rtp_unsent: Counter::default(),
            recording_lost: Counter::default(),
            conversions: Tally::default(),
            switch_step: Histogram::new(STEP_BUCKETS),
        }
    }
}

impl Metrics {
    /// Takes over what transports and media threads have counted since the start.
    pub fn follow(&self, sip: Counts, media: Figures) {
        for (counter, total) in [
            (&self.sip_received, sip.received),
            (&self.sip_sent, sip.sent),
            (&self.sip_malformed, sip.malformed),
            (&self.sip_dropped, sip.dropped),
            (&self.sip_handshakes_failed, sip.handshakes_failed),
            (&self.rtp_received, media.received),
            (&self.rtp_sent, media.sent),
            (&self.rtp_unsent, media.send_failures),
            (&self.recording_lost, media.recording_lost_ms),
        ] {
            counter.inner().store(total, Ordering::Relaxed); // a figure, orders nothing
        }
    }

    /// The page that Prometheus reads. Without `status` the Switch did not answer.
    pub fn page(
        &self,
        status: Option<NodeStatus>,
        (trunks, queues): (Vec<TrunkView>, Vec<(QueueId, QueueService)>),
        health: Health,
        head: u64,
    ) -> String {
        let mut counted = Registry::with_prefix("strowger");
        self.register(&mut counted);
        let mut held = Registry::with_prefix("strowger");
        held.register_collector(Box::new(Held { status, trunks, queues, health, head }));
        let mut page = String::new();
        encode_registry(&mut page, &held).expect("writing to a String cannot fail");
        encode(&mut page, &counted).expect("writing to a String cannot fail");
        page
    }

    fn register(&self, registry: &mut Registry) {
        let sip = registry.sub_registry_with_prefix("sip");
        sip.register("received", "SIP messages that arrived", self.sip_received.clone());
        sip.register("sent", "SIP messages that were sent", self.sip_sent.clone());
        sip.register("malformed", "Arrived, but no SIP", self.sip_malformed.clone());
        sip.register("dropped", "Dropped: a buffer was full", self.sip_dropped.clone());
        sip.register(
            "handshakes_failed",
            "Connections without TLS or WebSocket",
            self.sip_handshakes_failed.clone(),
        );
        let rtp = registry.sub_registry_with_prefix("rtp");
        rtp.register("received", "RTP packets from phones", self.rtp_received.clone());
        rtp.register("sent", "RTP packets to phones", self.rtp_sent.clone());
        rtp.register("unsent", "RTP that the system would not take", self.rtp_unsent.clone());
        registry.register(
            "recording_lost_milliseconds",
            "Audio that recordings lost to a slow or full disk",
            self.recording_lost.clone(),
        );
        registry.register(
            "recordings_converted",
            "Recordings that became Ogg/Opus",
            self.conversions.converted.clone(),
        );
        registry.register(
            "recordings_unconverted",
            "Attempts after which a recording stayed as it was",
            self.conversions.failed.clone(),
        );
        registry.register_with_unit(
            "switch_step",
            "Time for one input of the Switch",
            Unit::Seconds,
            self.switch_step.clone(),
        );
    }
}

/// What the node holds at the moment of reading.
#[derive(Debug)]
struct Held {
    status: Option<NodeStatus>,
    trunks: Vec<TrunkView>,
    queues: Vec<(QueueId, QueueService)>,
    health: Health,
    head: u64,
}

impl Collector for Held {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(status) = &self.status {
            for (name, help, value) in [
                ("calls", "Calls in progress", status.calls),
                ("legs", "Legs of calls in progress", status.legs),
                ("dialogs", "SIP dialogs", status.dialogs),
                ("transactions", "SIP transactions", status.transactions),
                ("registrations", "Registered phones", status.registrations),
                ("subscriptions", "Subscriptions of phones", status.subscriptions),
                ("ports_taken", "Media port pairs in use", status.ports_taken),
                ("ports_spare", "Media port pairs ready", status.ports_spare),
                ("recordings", "Recordings being written", status.recordings),
                ("waiting", "Callers that wait in queues", status.waiting),
                ("config", "Configurations since the start", status.config),
                ("uptime_seconds", "Time since the start", status.uptime.as_secs()),
            ] {
                gauge(&mut encoder, name, help, value)?;
            }
            counter(&mut encoder, "calls_begun", "Calls since the start", status.calls_total)?;
            counter(&mut encoder, "calls_refused", "Calls refused", status.calls_refused)?;
            for (name, help, value) in [
                ("defence_denied", "Messages from denied networks", status.denied),
                ("defence_dropped", "Requests dropped for want of credentials", status.dropped),
                ("defence_crowded", "Requests within calls told to wait", status.crowded),
                ("defence_lock_outs", "Lock-outs of who guessed passwords", status.lock_outs),
            ] {
                counter(&mut encoder, name, help, value)?;
            }
            let help = "Times that a phone was sent audio and was not heard";
            counter(&mut encoder, "one_way_audio", help, status.one_way_total)?;
            counter(&mut encoder, "notifies", "NOTIFYs sent", status.notifies_total)?;
        }
        self.encode_trunks(&mut encoder)?;
        self.encode_queues(&mut encoder)?;
        let health = &self.health;
        let waiting = health.waiting as u64;
        gauge(&mut encoder, "switch_up", "1: it answers", u64::from(self.status.is_some()))?;
        gauge(&mut encoder, "ledger_writable", "1: it can", u64::from(health.writable))?;
        gauge(&mut encoder, "ledger_waiting", "Entries not yet durable", waiting)?;
        gauge(&mut encoder, "ledger_head", "The newest durable sequence", self.head)?;
        counter(&mut encoder, "ledger_entries", "Entries made durable", health.appended)?;
        counter(&mut encoder, "ledger_lost", "Entries lost", health.lost)?;
        counter(&mut encoder, "ledger_commits", "Commits", health.commits)?;
        let time = ConstCounter::new(health.commit_time.as_secs_f64());
        let help = "Time of all commits";
        let name = "ledger_commit";
        time.encode(encoder.encode_descriptor(
            name,
            help,
            Some(&Unit::Seconds),
            time.metric_type(),
        )?)
    }
}

impl Held {
    fn encode_trunks(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let is = |yes: bool| if yes { 1.0 } else { 0.0 };
        let latency = |view: &TrunkView| {
            let answers = view.servers.iter().filter(|server| server.up);
            answers.filter_map(|server| server.latency).next().map(|it| it.as_secs_f64())
        };
        type Figure<'a> = &'a dyn Fn(&TrunkView) -> Option<f64>;
        let figures: [(&str, &str, Figure<'_>); 4] = [
            ("trunk_up", "1: it takes calls", &|it| Some(is(it.state == TrunkState::Up))),
            ("trunk_registered", "1: its registrar sends calls", &|it| {
                Some(is(it.registered_until.is_some()))
            }),
            ("trunk_calls", "Calls in progress", &|it| Some(f64::from(it.calls))),
            ("trunk_latency_seconds", "Time of the last answer to a probe", &latency),
        ];
        for (name, help, figure) in figures {
            if self.trunks.iter().all(|view| figure(view).is_none()) {
                continue;
            }
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for view in &self.trunks {
                if let Some(value) = figure(view) {
                    let labels = [("trunk", view.trunk.as_str())];
                    ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl Held {
    /// The figures of queues: of callers who came lately, and of today's.
    fn encode_queues(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        type Count = fn(&QueueService) -> u64;
        let counts: [(&str, &str, Count); 9] = [
            ("queue_waiting", "Callers who wait and came lately", |it| it.lately.waiting),
            ("queue_below_target", "1: the service level is below", |it| u64::from(it.alarm)),
            ("queue_offered_today", "Callers who came today", |it| it.today.offered),
            ("queue_answered_today", "Of those: answered", |it| it.today.answered),
            ("queue_abandoned_today", "Of those: hung up", |it| it.today.abandoned),
            ("queue_overflowed_today", "Of those: sent on", |it| it.today.overflowed),
            ("queue_called_back_today", "Of those: to be called back", |it| it.today.called_back),
            ("queue_cut_off_today", "Of those: ended by a stop or order", |it| it.today.cut_off),
            ("queue_moved_today", "Of those: somebody waits in their place", |it| it.today.moved),
        ];
        for (name, help, count) in counts {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (queue, service) in &self.queues {
                let gauge = ConstGauge::new(count(service));
                gauge.encode(family.encode_family(&[("queue", queue.as_str())])?)?;
            }
        }
        let help = "Shares of callers who came lately";
        let name = "queue_service_percent";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (queue, service) in &self.queues {
            for level in Level::ALL {
                let Some(percent) = service.lately.level(level) else { continue };
                let labels = [("queue", queue.as_str()), ("share", level.name())];
                ConstGauge::new(percent).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Waits of callers who came lately";
        let name = "queue_wait_seconds";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (queue, service) in &self.queues {
            for (percent, label) in [(50, "0.5"), (90, "0.9"), (95, "0.95"), (99, "0.99")] {
                let Some(wait) = service.lately.waits.quantile(percent) else { continue };
                let labels = [("queue", queue.as_str()), ("quantile", label)];
                let wait = ConstGauge::new(wait.as_secs_f64());
                wait.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::service::{Figures, Terms};
    use crate::switch::request::ServerView;
    use crate::time::{Duration, Wall};

    #[test]
    fn the_page_has_what_is_held_and_what_is_counted() {
        let metrics = Metrics::default();
        metrics.sip_received.inc_by(3);
        metrics.switch_step.observe(5e-6);
        let status = NodeStatus { calls: 7, calls_total: 9, ..NodeStatus::default() };

        let page = metrics.page(Some(status), (vec![trunk()], vec![queue()]), health(), 12);

        for line in [
            "strowger_calls 7",
            "strowger_calls_begun_total 9",
            "strowger_ledger_head 12",
            "strowger_ledger_commit_seconds_total 0.25",
            "strowger_sip_received_total 3",
            "strowger_switch_step_seconds_count 1",
            "strowger_trunk_up{trunk=\"itsp\"} 1.0",
            "strowger_trunk_registered{trunk=\"itsp\"} 0.0",
            "strowger_trunk_calls{trunk=\"itsp\"} 4.0",
            "strowger_trunk_latency_seconds{trunk=\"itsp\"} 0.02",
            "strowger_queue_offered_today{queue=\"sales\"} 4",
            "strowger_queue_below_target{queue=\"sales\"} 1",
            "strowger_queue_service_percent{queue=\"sales\",share=\"answered\"} 75.0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert!(page.ends_with("# EOF\n"));
        assert_eq!(page.matches("# EOF").count(), 1);
    }

    #[test]
    fn a_switch_that_does_not_answer_is_told() {
        let page = Metrics::default().page(None, (Vec::new(), Vec::new()), health(), 12);
        assert!(page.contains("strowger_switch_up 0\n"));
        assert!(!page.contains("strowger_calls "));
    }

    fn trunk() -> TrunkView {
        let server = |up, millis| ServerView {
            address: "udp:203.0.113.7:5060".to_owned(),
            up,
            latency: Some(Duration::from_millis(millis)),
            resting: None,
        };
        TrunkView {
            trunk: "itsp".into(),
            state: TrunkState::Up,
            why: None,
            since: Wall::default(),
            registered_until: None,
            calls: 4,
            calls_max: 30,
            servers: vec![server(false, 900), server(true, 20)],
        }
    }

    fn queue() -> (QueueId, QueueService) {
        let figures = Figures { offered: 4, answered: 4, answered_within: 3, ..Figures::default() };
        let today = figures.clone();
        let terms = Terms::default();
        ("sales".into(), QueueService { terms, lately: figures, today, alarm: true })
    }

    fn health() -> Health {
        Health {
            writable: true,
            running: true,
            waiting: 0,
            pressure: 0.0,
            lost: 0,
            appended: 3,
            commits: 1,
            commit_time: Duration::from_millis(250),
        }
    }
}
