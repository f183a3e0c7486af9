//! All lookups of a Switch: each ends with the flows to try, the healthy ones first.
//!
//! Spec:     RFC 3263 §4; §4.3 (which failures count, and for how long: `health`).
//! In:       targets; the answers to questions; what became of requests.
//! Out:      questions for the shell; for each lookup once `Found`.
//! Not here: the steps of one lookup (`lookup`), trying the next flow (whoever sends requests).

use std::collections::HashMap;

use crate::rng::Rng;
use crate::sip::flow::{Flow, Transport};
use crate::time::Instant;

use super::health::Health;
use super::lookup::{self, LocateError, Lookup};
use super::question::{Answer, Candidate, Question, QuestionId};
use super::target::Target;

/// Names a lookup, until its `Found`. Never given twice by one locator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub u64);

/// The flows to try one after the other: never an empty list.
pub type Located = Result<Vec<Flow>, LocateError>;

/// What must be done, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    Ask { id: QuestionId, question: Question },
    Found { lookup: LookupId, located: Located },
}

/// All lookups of one Switch.
#[derive(Debug)]
pub struct Locator {
    usable: Vec<Transport>,
    last: u64,
    lookups: HashMap<LookupId, Lookup>,
    questions: HashMap<QuestionId, (LookupId, Question)>,
    health: Health,
}

impl Locator {
    /// `usable`: the transports over which the node can reach others, the preferred first.
    pub fn new(usable: Vec<Transport>) -> Self {
        Self {
            usable,
            last: 0,
            lookups: HashMap::new(),
            questions: HashMap::new(),
            health: Health::default(),
        }
    }

    /// Begins a lookup; `Found` may be among the outputs already. Above `LOOKUPS_MAX` it fails at
    /// once.
    pub fn locate(&mut self, now: Instant, target: &Target, out: &mut Vec<Output>) -> LookupId {
        let id = LookupId(self.next());
        if self.lookups.len() >= LOOKUPS_MAX {
            out.push(Output::Found { lookup: id, located: Err(LocateError::Busy) });
            return id;
        }
        let mut steps = Vec::new();
        let lookup = Lookup::start(target, &self.usable, &mut steps);
        self.lookups.insert(id, lookup);
        self.carry_out(now, id, steps, out);
        id
    }

    /// Takes the answer to a question.
    pub fn answered(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        id: QuestionId,
        answer: Answer,
        out: &mut Vec<Output>,
    ) {
        let Some((lookup, question)) = self.questions.remove(&id) else { return };
        if let Question::Ways { .. } = question {
            self.lookups.remove(&lookup);
            let located = match answer {
                Answer::Ways(flows) if !flows.is_empty() => Ok(flows),
                _ => Err(LocateError::Unreachable),
            };
            out.push(Output::Found { lookup, located });
            return;
        }
        let mut steps = Vec::new();
        if let Some(machine) = self.lookups.get_mut(&lookup) {
            machine.answered(rng, &question, answer, &mut steps);
        }
        self.carry_out(now, lookup, steps, out);
    }

    /// A request over this flow was not answered in time, could not be sent, or got a 503.
    pub fn failed(&mut self, now: Instant, flow: &Flow) {
        self.health.failed(now, flow);
    }

    /// A request over this flow was answered.
    pub fn worked(&mut self, flow: &Flow) {
        self.health.answered(flow);
    }

    /// Lookups that have not ended.
    pub fn len(&self) -> usize {
        self.lookups.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lookups.is_empty()
    }

    fn carry_out(
        &mut self,
        now: Instant,
        lookup: LookupId,
        steps: Vec<lookup::Output>,
        out: &mut Vec<Output>,
    ) {
        for step in steps {
            match step {
                lookup::Output::Ask(question) => self.ask(lookup, question, out),
                lookup::Output::Done(Ok(mut candidates)) => {
                    self.prepare(now, &mut candidates);
                    let machine = self.lookups.get(&lookup);
                    let domain = machine.and_then(Lookup::domain).map(str::to_owned);
                    self.ask(lookup, Question::Ways { candidates, domain }, out);
                }
                lookup::Output::Done(Err(error)) => {
                    self.lookups.remove(&lookup);
                    out.push(Output::Found { lookup, located: Err(error) });
                }
            }
        }
    }

    fn prepare(&mut self, now: Instant, candidates: &mut [Candidate]) {
        for candidate in candidates.iter() {
            self.health.found(now, *candidate);
        }
        self.health.order(now, candidates);
    }

    fn ask(&mut self, lookup: LookupId, question: Question, out: &mut Vec<Output>) {
        let id = QuestionId(self.next());
        self.questions.insert(id, (lookup, question.clone()));
        out.push(Output::Ask { id, question });
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// Lookups at a time; a further one fails.
const LOOKUPS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::*;
    use crate::sip::flow::ConnectionId;
    use crate::sip::locate::TargetHost;

    #[test]
    fn a_lookup_ends_with_flows_and_the_healthy_first() {
        let mut locator = Locator::new(vec![Transport::Udp]);
        let both = |locator: &mut Locator, now| {
            let (lookup, asked) = begin(locator, now);
            let addresses = vec![ip(1), ip(2)];
            let ways = answer(locator, now, asked, Answer::Addresses(addresses));
            let [Output::Ask { id, question: Question::Ways { candidates, domain } }] = &ways[..]
            else {
                panic!("{ways:?}");
            };
            assert_eq!(domain.as_deref(), Some("a.example"));
            let flows: Vec<_> = candidates.iter().map(flow).collect();
            let found = answer(locator, now, *id, Answer::Ways(flows.clone()));
            assert_eq!(found, [Output::Found { lookup, located: Ok(flows.clone()) }]);
            flows.iter().map(|flow| flow.remote.ip()).collect::<Vec<_>>()
        };
        let now = Instant::from_micros(1);

        assert_eq!(both(&mut locator, now), [ip(1), ip(2)]);
        locator.failed(now, &flow(&candidate(ip(1))));
        assert_eq!(both(&mut locator, now), [ip(2), ip(1)]);
        locator.worked(&flow(&candidate(ip(1))));
        assert_eq!(both(&mut locator, now), [ip(1), ip(2)]);
        assert!(locator.is_empty() && locator.questions.is_empty());
    }

    #[test]
    fn a_candidate_that_no_listener_reaches_is_none() {
        let mut locator = Locator::new(vec![Transport::Udp]);
        let now = Instant::START;
        let (lookup, asked) = begin(&mut locator, now);
        let ways = answer(&mut locator, now, asked, Answer::Addresses(vec![ip(1)]));
        let [Output::Ask { id, .. }] = &ways[..] else { panic!("{ways:?}") };

        let found = answer(&mut locator, now, *id, Answer::Ways(Vec::new()));

        let located = Err(LocateError::Unreachable);
        assert_eq!(found, [Output::Found { lookup, located }]);
    }

    #[test]
    fn too_many_lookups_fail_at_once() {
        let mut locator = Locator::new(vec![Transport::Udp]);
        for _ in 0..LOOKUPS_MAX {
            begin(&mut locator, Instant::START);
        }
        let mut out = Vec::new();

        let lookup = locator.locate(Instant::START, &target(), &mut out);

        assert_eq!(out, [Output::Found { lookup, located: Err(LocateError::Busy) }]);
        assert_eq!(locator.len(), LOOKUPS_MAX);
    }

    fn begin(locator: &mut Locator, now: Instant) -> (LookupId, QuestionId) {
        let mut out = Vec::new();
        let lookup = locator.locate(now, &target(), &mut out);
        let [Output::Ask { id, .. }] = &out[..] else { panic!("{out:?}") };
        (lookup, *id)
    }

    fn answer(locator: &mut Locator, now: Instant, id: QuestionId, answer: Answer) -> Vec<Output> {
        let mut out = Vec::new();
        locator.answered(now, &mut Rng::from_number(1), id, answer, &mut out);
        out
    }

    fn target() -> Target {
        let host = TargetHost::Name("a.example".to_owned());
        Target { host, port: Some(5060), transport: None, secure: false }
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn candidate(ip: IpAddr) -> Candidate {
        Candidate { transport: Transport::Udp, address: SocketAddr::new(ip, 5060) }
    }

    fn flow(candidate: &Candidate) -> Flow {
        Flow {
            transport: candidate.transport,
            local: SocketAddr::from(([192, 0, 2, 100], 5060)),
            remote: candidate.address,
            connection: ConnectionId(0),
        }
    }
}
