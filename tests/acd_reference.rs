//! The ACD against a plain model of it: sorted vectors, one step after another, no cleverness.
//!
//! Whatever is done in whatever order, both must have the same agents ringing for the same calls.

use std::collections::BTreeSet;

use proptest::prelude::*;
use strowger::acd::config::{Agent, Config, Queue, Strategy as By};
use strowger::acd::{Acd, Ask, Change, Outcome, State};
use strowger::id::{AgentId, CallId};
use strowger::time::{Duration, Instant};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_core_does_what_the_plain_model_does(
        doings in prop::collection::vec(doing(), 1..120),
    ) {
        let mut both = Both::new();
        for doing in doings {
            both.does(doing);
            both.agree();
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Doing {
    Enters { queue: usize, credit: u8 },
    Leaves(u8),
    Ends(u8, Outcome),
    HangsUp(u8),
    Logs(usize, bool),
    Away(usize),
    Available(usize),
    Reachable(usize, bool),
    Waits(u8),
}

fn doing() -> impl Strategy<Value = Doing> {
    let agent = 0..AGENTS;
    let outcome = prop_oneof![
        3 => Just(Outcome::Answered),
        1 => Just(Outcome::Rejected),
        1 => Just(Outcome::NoAnswer),
    ];
    prop_oneof![
        6 => (0..2usize, 0..20u8).prop_map(|(queue, credit)| Doing::Enters { queue, credit }),
        2 => any::<u8>().prop_map(Doing::Leaves),
        6 => (any::<u8>(), outcome).prop_map(|(at, outcome)| Doing::Ends(at, outcome)),
        4 => any::<u8>().prop_map(Doing::HangsUp),
        4 => (agent.clone(), prop::bool::weighted(0.7)).prop_map(|(a, on)| Doing::Logs(a, on)),
        2 => agent.clone().prop_map(Doing::Away),
        3 => agent.clone().prop_map(Doing::Available),
        2 => (agent, prop::bool::weighted(0.7)).prop_map(|(a, on)| Doing::Reachable(a, on)),
        3 => (1..40u8).prop_map(Doing::Waits),
    ]
}

const AGENTS: usize = 4;
/// Which agents serve which of the two queues, in the order of the second, `linear` one.
const MEMBERS: [&[usize]; 2] = [&[0, 1, 2], &[3, 2, 1]];
const RING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(5);
const WRAP_UP: Duration = Duration::from_secs(7);

/// A plain agent.
#[derive(Clone, Copy, Debug)]
struct Person {
    state: State,
    reachable: bool,
    call: Option<u64>,
    /// When ringing or wrap-up end.
    until: Option<Instant>,
    paused: Option<Instant>,
    idle_since: Instant,
    /// Goes home or has a break after the call.
    then: Option<State>,
}

impl Person {
    fn is_free(&self) -> bool {
        self.state == State::Available && self.reachable && self.paused.is_none()
    }
}

/// A plain caller, in a vector sorted by place.
#[derive(Clone, Debug)]
struct Waiting {
    place: (i64, u64),
    call: u64,
    queue: usize,
    rung: bool,
    tried: BTreeSet<usize>,
}

struct Both {
    acd: Acd,
    now: Instant,
    people: Vec<Person>,
    line: Vec<Waiting>,
    calls: u64,
}

impl Both {
    fn new() -> Self {
        let mut config = Config::default();
        config.acd.ring_timeout = RING;
        config.acd.refusal_pause = PAUSE;
        config.acd.wrap_up = WRAP_UP;
        for (number, members) in MEMBERS.iter().enumerate() {
            let members = members.iter().map(|&member| id(member)).collect();
            let strategy = [By::MostIdle, By::Linear][number];
            let max_wait = Some(Duration::from_secs(1_000_000));
            let queue = Queue { strategy, members, max_wait, ..Queue::default() };
            config.queues.insert(number.to_string().as_str().into(), queue);
        }
        config.agents = (0..AGENTS).map(|agent| (id(agent), Agent::default())).collect();
        let (acd, now) = (Acd::new(), Instant::from_micros(1_000_000_000));
        acd.configure(now, &config, &mut vec![]);
        let person = Person {
            state: State::LoggedOut,
            reachable: false,
            call: None,
            until: None,
            paused: None,
            idle_since: Instant::START,
            then: None,
        };
        Self { acd, now, people: vec![person; AGENTS], line: vec![], calls: 0 }
    }

    fn does(&mut self, doing: Doing) {
        self.now = self.now + Duration::from_micros(1); // no two deadlines are equal
        let now = self.now;
        match doing {
            Doing::Enters { queue, credit } => {
                self.enters(queue, Duration::from_secs(credit.into()))
            }
            Doing::Leaves(at) => {
                if self.line.is_empty() {
                    return;
                }
                let gone = self.line.remove(usize::from(at) % self.line.len());
                self.acd.leave(now, CallId::from_u64(gone.call), &mut vec![]);
                for person in &mut self.people {
                    if person.state == State::Ringing && person.call == Some(gone.call) {
                        (person.state, person.call, person.until) = (State::Available, None, None);
                    }
                }
            }
            Doing::Ends(at, outcome) => self.ends(at, outcome),
            Doing::HangsUp(at) => self.hangs_up(at),
            Doing::Logs(agent, on) => self.logs(agent, on),
            Doing::Away(agent) => {
                let change = Change::Away { reason: "break".into() };
                let done = self.acd.change(now, &id(agent), change, &mut vec![]);
                assert_eq!(done.is_ok(), self.people[agent].state != State::LoggedOut);
                match self.people[agent].state {
                    State::LoggedOut | State::Away => {}
                    State::OnCall => {
                        let then = self.people[agent].then;
                        self.people[agent].then = then.or(Some(State::Away));
                    }
                    _ => self.stops(agent, State::Away),
                }
            }
            Doing::Available(agent) => {
                let done = self.acd.change(now, &id(agent), Change::Available, &mut vec![]);
                let person = &mut self.people[agent];
                assert_eq!(done.is_ok(), person.state != State::LoggedOut);
                match person.state {
                    State::LoggedOut | State::Ringing => {}
                    State::OnCall => person.then = None,
                    State::Available => person.paused = None,
                    State::Away | State::WrapUp => self.stops(agent, State::Available),
                }
            }
            Doing::Reachable(agent, on) => {
                self.acd
                    .change(now, &id(agent), Change::Reachable(on), &mut vec![])
                    .expect("allowed");
                self.people[agent].reachable = on;
                if !on && self.people[agent].state == State::Ringing {
                    self.stops(agent, State::Available);
                }
            }
            Doing::Waits(seconds) => return self.waits(Duration::from_secs(seconds.into())),
        }
        self.matches();
    }

    fn enters(&mut self, queue: usize, credit: Duration) {
        self.calls += 1;
        let ask = Ask { priority_credit: credit, entered: self.now, ..Ask::default() };
        let name = queue.to_string().as_str().into();
        let call = CallId::from_u64(self.calls);
        let position = self.acd.enter(self.now, call, &name, ask, &mut vec![]).expect("allowed");
        let effective = self.now.as_micros() as i64 - credit.as_micros() as i64;
        let place = (effective, self.calls);
        let (call, tried) = (self.calls, BTreeSet::new());
        self.line.push(Waiting { place, call, queue, rung: false, tried });
        self.line.sort_by_key(|caller| caller.place);
        let ahead = self.line.iter().filter(|other| other.queue == queue && other.place < place);
        assert_eq!(position as usize, ahead.count() + 1);
    }

    fn ends(&mut self, at: u8, outcome: Outcome) {
        let ringing: Vec<_> =
            (0..AGENTS).filter(|&agent| self.people[agent].state == State::Ringing).collect();
        let Some(&agent) = ringing.get(usize::from(at) % ringing.len().max(1)) else { return };
        let call = self.people[agent].call.expect("he rings");
        let call_id = CallId::from_u64(call);
        assert!(self.acd.offer_ended(self.now, call_id, &id(agent), outcome, &mut vec![]));
        match outcome {
            Outcome::Answered => {
                self.line.retain(|caller| caller.call != call);
                let person = &mut self.people[agent];
                (person.state, person.until) = (State::OnCall, None);
            }
            Outcome::NoAnswer => self.refuses(agent, State::Away),
            _ => self.refuses(agent, State::Available),
        }
    }

    fn hangs_up(&mut self, at: u8) {
        let talking: Vec<_> =
            (0..AGENTS).filter(|&agent| self.people[agent].state == State::OnCall).collect();
        let Some(&agent) = talking.get(usize::from(at) % talking.len().max(1)) else { return };
        let call = self.people[agent].call.expect("he talks");
        self.acd.call_ended(self.now, CallId::from_u64(call), &id(agent), &mut vec![]);
        let now = self.now;
        let person = &mut self.people[agent];
        person.call = None;
        person.idle_since = now;
        if person.then == Some(State::LoggedOut) {
            (person.state, person.then) = (State::LoggedOut, None);
        } else {
            (person.state, person.until) = (State::WrapUp, Some(now + WRAP_UP));
        }
    }

    fn logs(&mut self, agent: usize, on: bool) {
        let now = self.now;
        let extension = format!("seat-{agent}").as_str().into();
        let change = if on { Change::Login { extension } } else { Change::Logout };
        self.acd.change(now, &id(agent), change, &mut vec![]).expect("allowed");
        let person = &mut self.people[agent];
        match (on, person.state) {
            (true, State::OnCall) => person.then = None,
            (true, State::Ringing | State::WrapUp) | (false, State::LoggedOut) => {}
            (true, State::LoggedOut) => {
                person.idle_since = now;
                person.state = State::Available;
            }
            (true, State::Available | State::Away) => {
                (person.state, person.paused) = (State::Available, None);
            }
            (false, State::OnCall) => person.then = Some(State::LoggedOut),
            (false, _) => self.stops(agent, State::LoggedOut),
        }
    }

    /// Deadlines one after the other, then the rest of the time.
    fn waits(&mut self, wait: Duration) {
        let end = self.now + wait;
        loop {
            let due = self.people.iter().flat_map(|person| [person.until, person.paused]);
            let due = due.flatten().min();
            assert_eq!(self.acd.next_tick().filter(|tick| *tick <= end), due.filter(|d| *d <= end));
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = due;
            self.acd.tick(due, &mut vec![]);
            for agent in 0..AGENTS {
                let person = &mut self.people[agent];
                if person.paused == Some(due) {
                    person.paused = None;
                }
                if person.until == Some(due) && person.state == State::WrapUp {
                    let then = person.then.take();
                    self.stops(agent, then.unwrap_or(State::Available));
                } else if person.until == Some(due) {
                    self.refuses(agent, State::Away);
                }
            }
            self.matches();
        }
        self.now = end;
    }

    /// The agent's phone stops ringing without an answer.
    fn refuses(&mut self, agent: usize, to: State) {
        let call = self.people[agent].call;
        if let Some(caller) = self.line.iter_mut().find(|caller| Some(caller.call) == call) {
            caller.tried.insert(agent);
        }
        self.stops(agent, to);
        if to == State::Available {
            self.people[agent].paused = Some(self.now + PAUSE);
        }
    }

    /// The agent stops what he does; who rang for him waits on.
    fn stops(&mut self, agent: usize, to: State) {
        let now = self.now;
        let person = &mut self.people[agent];
        let was = std::mem::replace(&mut person.state, to);
        let call = person.call.take();
        (person.until, person.paused, person.then) = (None, None, None);
        if was == State::WrapUp {
            person.idle_since = now;
        }
        if was == State::Ringing {
            let rung = self.line.iter_mut().find(|caller| Some(caller.call) == call);
            rung.expect("he waits").rung = false;
        }
    }

    /// Whoever waits longest is served first; agents by the queue's strategy, untried before tried.
    fn matches(&mut self) {
        for caller in self.line.iter_mut().filter(|caller| !caller.rung) {
            let members = MEMBERS[caller.queue].iter().enumerate();
            let free = members.filter(|(_, agent)| self.people[**agent].is_free());
            let best = free.min_by_key(|&(place, agent)| {
                let idle = self.people[*agent].idle_since;
                let by = if caller.queue == 0 { (idle.as_micros(), *agent) } else { (0, place) };
                (caller.tried.contains(agent), by)
            });
            let Some((_, &agent)) = best else { continue };
            if caller.tried.contains(&agent) {
                caller.tried.clear();
            }
            caller.rung = true;
            let person = &mut self.people[agent];
            (person.state, person.call) = (State::Ringing, Some(caller.call));
            person.until = Some(self.now + RING);
        }
    }

    fn agree(&self) {
        for (shown, plain) in self.acd.agents().iter().zip(&self.people) {
            assert_eq!((shown.state, shown.free), (plain.state, plain.is_free()), "{shown:?}");
            assert_eq!(shown.call.map(CallId::as_u64), plain.call, "{shown:?}");
        }
        for (number, shown) in self.acd.queues().iter().enumerate() {
            let shown: Vec<_> =
                shown.callers.iter().map(|c| (c.call.as_u64(), c.offers == 1)).collect();
            let plain = self.line.iter().filter(|caller| caller.queue == number);
            let plain: Vec<_> = plain.map(|caller| (caller.call, caller.rung)).collect();
            assert_eq!(shown, plain);
        }
    }
}

fn id(agent: usize) -> AgentId {
    agent.to_string().as_str().into()
}
