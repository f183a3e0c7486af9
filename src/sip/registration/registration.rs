//! One registration of ours: made, renewed before its end, made anew when it is lost, taken back.
//!
//! Spec:     RFC 3261 §10.2 (REGISTER), §10.2.8 (423), §22.2 (challenges).
//! In:       the registrar's flows, its answers or their failure, the wish to leave, time.
//! Out:      the wish to know the flows, requests.
//! Not here: finding flows (`sip::locate`), transactions, what a trunk does with it.
//!
//! The flows are found anew before every REGISTER, and tried one after the other. After all have
//! failed it rests: 5 s, doubled each time up to 5 min; 15 min when the registrar refuses us by
//! name; as long as Retry-After says, up to 1 h. Each rest is up to a quarter shorter or longer by
//! chance. One REGISTER answers at most 4 challenges and takes 2 hints of 423.

use std::collections::VecDeque;
use std::mem;

use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::sip::digest::Login;
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::transaction::Failure;
use crate::time::{Duration, Instant};

/// Who registers where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// The Request-URI, such as `sip:itsp.example`.
    pub registrar: String,
    /// The address of record, such as `sip:1001@itsp.example`.
    pub aor: String,
    pub login: Login,
    /// How long a registration is to last.
    pub expires: Duration,
}

/// What is the same over reloads and restarts, so that the registrar sees one phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub call_id: String,
    pub cseq: u32,
    /// The user part of our Contact: what the registrar's calls to us name.
    pub contact: String,
}

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// The request got no answer.
    Failed(Failure),
    /// The flows to try, the best first; empty if there are none.
    Located(Vec<Flow>),
    /// An answer to the latest request.
    Response(Response),
    /// The registration is not wanted any more.
    Stop,
    Tick,
}

/// What must be done, in order.
#[derive(Debug)]
pub enum Output {
    /// `Located` is awaited.
    Locate,
    Request {
        flow: Flow,
        request: Request,
    },
}

#[derive(Debug, Default)]
enum State {
    /// A REGISTER waits for its answer; `flows` are tried after it.
    Asking { flows: VecDeque<Flow>, sent: Sent, until: Instant },
    /// The REGISTER that takes the registration back waits for its answer.
    Leaving { sent: Sent, until: Instant },
    /// The flows are looked for.
    Locating { until: Instant },
    /// Nothing is to be done before `until`.
    Resting { until: Instant },
    #[default]
    Stopped,
}

/// A REGISTER that is under way.
#[derive(Debug)]
struct Sent {
    flow: Flow,
    request: Request,
    /// Challenges that were answered with it.
    answers: u8,
    /// Hints of 423 that were taken.
    hints: u8,
}

/// How a registration is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// The registrar sends calls until then.
    Registered { until: Instant },
    /// It was never tried.
    #[default]
    Trying,
    /// It does not, and why: a status such as `403`, `timeout`, `unreachable`, `certificate`,
    /// `unresolved`.
    Unregistered { why: String },
}

/// One registration of ours.
#[derive(Debug)]
pub struct Registration {
    account: Account,
    kept: Kept,
    tag: String,
    state: State,
    status: Status,
    /// Where the registration was made.
    at: Option<Flow>,
    /// Seconds that are asked for: more than the account's if the registrar wants so.
    expires_s: u32,
    /// Rounds over all flows in a row that failed.
    failures: u32,
    /// The latest failure of this round.
    why: String,
    retry_after: Option<Duration>,
}

impl Registration {
    /// A registration that begins with the first `Tick`.
    pub fn new(now: Instant, account: Account, kept: Kept, rng: &mut Rng) -> Self {
        let expires_s = u32::try_from(account.expires.as_secs()).unwrap_or(EXPIRES_MAX_S);
        Self {
            account,
            kept,
            tag: rng.token(8),
            state: State::Resting { until: now },
            status: Status::Trying,
            at: None,
            expires_s,
            failures: 0,
            why: String::new(),
            retry_after: None,
        }
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Whether nothing of it is left.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, rng: &mut Rng, input: Input, out: &mut Vec<Output>) {
        self.expire(now);
        self.state = match (mem::take(&mut self.state), input) {
            (State::Locating { .. }, Input::Located(flows)) => {
                let flows: VecDeque<Flow> = flows.into_iter().take(FLOWS_MAX).collect();
                if flows.is_empty() {
                    self.why = "unresolved".to_owned();
                }
                self.ask_next(now, rng, flows, out)
            }
            (State::Asking { flows, .. }, Input::Failed(why)) => {
                self.unanswered(now, rng, (flows, why), out)
            }
            (State::Asking { flows, until, .. }, Input::Tick) if now >= until => {
                self.unanswered(now, rng, (flows, Failure::Timeout), out)
            }
            (State::Asking { flows, sent, until }, Input::Response(response)) => {
                self.answered(now, rng, (flows, sent, until), &response, out)
            }
            (State::Leaving { sent, until }, Input::Response(response)) => {
                self.left(rng, (sent, until), &response, out)
            }
            (State::Leaving { .. }, Input::Failed(_)) => State::Stopped,
            (State::Leaving { until, .. }, Input::Tick) if now >= until => State::Stopped,
            (State::Locating { until }, Input::Tick) if now >= until => {
                self.why = "unresolved".to_owned();
                self.rest(now, rng)
            }
            (State::Resting { until }, Input::Tick) if now >= until => {
                out.push(Output::Locate);
                State::Locating { until: now + LOCATE_WAIT_MAX }
            }
            (state @ (State::Leaving { .. } | State::Stopped), Input::Stop) => state,
            (_, Input::Stop) => self.leave(now, out),
            (state, Input::Failed(_) | Input::Located(_) | Input::Response(_) | Input::Tick) => {
                state
            }
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        let end = match self.status {
            Status::Registered { until } => Some(until),
            Status::Trying | Status::Unregistered { .. } => None,
        };
        let due = match self.state {
            State::Asking { until, .. }
            | State::Leaving { until, .. }
            | State::Locating { until }
            | State::Resting { until } => until,
            State::Stopped => return None,
        };
        Some(end.map_or(due, |end| end.min(due)))
    }

    /// The registrar has forgotten us.
    fn expire(&mut self, now: Instant) {
        if matches!(self.status, Status::Registered { until } if now >= until) {
            let why = if self.why.is_empty() { "expired" } else { &self.why };
            self.status = Status::Unregistered { why: why.to_owned() };
        }
    }

    /// Asks over the next flow, or rests.
    fn ask_next(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        mut flows: VecDeque<Flow>,
        out: &mut Vec<Output>,
    ) -> State {
        let Some(flow) = flows.pop_front() else { return self.rest(now, rng) };
        let request = self.register(&flow, self.expires_s);
        out.push(Output::Request { flow, request: request.clone() });
        let sent = Sent { flow, request, answers: 0, hints: 0 };
        State::Asking { flows, sent, until: now + ANSWER_WAIT_MAX }
    }

    fn unanswered(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        (flows, why): (VecDeque<Flow>, Failure),
        out: &mut Vec<Output>,
    ) -> State {
        self.why = why.name().to_owned();
        self.ask_next(now, rng, flows, out)
    }

    fn answered(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        (flows, mut sent, until): (VecDeque<Flow>, Sent, Instant),
        response: &Response,
        out: &mut Vec<Output>,
    ) -> State {
        match response.status() {
            100..=199 => State::Asking { flows, sent, until },
            200..=299 => self.registered(now, rng, &sent, response),
            401 | 407 => match self.challenged(rng, sent, response, out) {
                Some(sent) => State::Asking { flows, sent, until: now + ANSWER_WAIT_MAX },
                None => self.refused(now, rng, response.status()),
            },
            423 if sent.hints < HINTS_MAX => {
                let least = response.header(Name::MinExpires).and_then(|text| text.parse().ok());
                let more = self.expires_s.saturating_mul(2).max(1);
                self.expires_s = least.unwrap_or(more).clamp(1, EXPIRES_MAX_S);
                sent.request = self.register(&sent.flow, self.expires_s);
                sent.hints += 1;
                let (flow, request) = (sent.flow, sent.request.clone());
                out.push(Output::Request { flow, request });
                State::Asking { flows, sent, until: now + ANSWER_WAIT_MAX }
            }
            status @ (403 | 404 | 600..=699) => self.refused(now, rng, status),
            status => {
                let wait = response.header(Name::RetryAfter);
                let wait = wait.and_then(|text| text.split([' ', ';', '(']).next()?.parse().ok());
                self.retry_after = wait.map(Duration::from_secs).or(self.retry_after);
                self.why = status.to_string();
                self.ask_next(now, rng, flows, out)
            }
        }
    }

    /// The request again with credentials; `None` if that makes no sense.
    fn challenged(
        &mut self,
        rng: &mut Rng,
        mut sent: Sent,
        response: &Response,
        out: &mut Vec<Output>,
    ) -> Option<Sent> {
        let login = &mut self.account.login;
        let number = self.kept.cseq.wrapping_add(1) & CSEQ_MAX;
        sent.request = login.answer(rng, response, &sent.request, (number, sent.answers))?;
        sent.answers += 1;
        self.kept.cseq = number;
        out.push(Output::Request { flow: sent.flow, request: sent.request.clone() });
        Some(sent)
    }

    fn registered(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        sent: &Sent,
        response: &Response,
    ) -> State {
        let granted = self.granted(response);
        let lasts = Duration::from_secs(granted.into());
        self.status = Status::Registered { until: now + lasts };
        self.at = Some(sent.flow);
        self.failures = 0;
        self.why.clear();
        self.retry_after = None;
        // From 3/4 to 9/10 of its length, so that many of one registrar do not come together.
        let renew = lasts.mul_f64(0.75 + f64::from(rng.below(1000)) * 0.15 / 1000.0);
        State::Resting { until: now + renew.max(RENEW_MIN) }
    }

    /// The seconds that the registrar grants: those of our Contact, else of the answer, else as
    /// asked.
    fn granted(&self, response: &Response) -> u32 {
        let ours = response.contacts().filter_map(Result::ok).find(|contact| {
            let user = contact.uri().ok().and_then(|uri| uri.user_unescaped());
            user.as_deref() == Some(self.kept.contact.as_str())
        });
        let said = ours.and_then(|contact| contact.param("expires")?.parse().ok());
        let said = said.or_else(|| response.expires().ok().flatten());
        said.unwrap_or(self.expires_s).clamp(1, EXPIRES_MAX_S)
    }

    /// The registrar knows us, and does not want us: asking again soon would lock us out.
    fn refused(&mut self, now: Instant, rng: &mut Rng, status: u16) -> State {
        self.why = status.to_string();
        self.failures += 1;
        self.status = Status::Unregistered { why: self.why.clone() };
        State::Resting { until: now + varied(REFUSED_REST, rng) }
    }

    /// All flows have failed.
    fn rest(&mut self, now: Instant, rng: &mut Rng) -> State {
        let doubled = REST_MIN.saturating_mul(1 << self.failures.min(10)).min(REST_MAX);
        let wait =
            self.retry_after.take().map_or(doubled, |asked| asked.clamp(REST_MIN, ASKED_MAX));
        self.failures += 1;
        if !matches!(self.status, Status::Registered { .. }) {
            self.status = Status::Unregistered { why: self.why.clone() };
        }
        State::Resting { until: now + varied(wait, rng) }
    }

    /// Takes the registration back, if there is one.
    fn leave(&mut self, now: Instant, out: &mut Vec<Output>) -> State {
        let was = mem::replace(&mut self.status, Status::Unregistered { why: "left".to_owned() });
        let (Status::Registered { .. }, Some(flow)) = (was, self.at) else {
            return State::Stopped;
        };
        let request = self.register(&flow, 0);
        out.push(Output::Request { flow, request: request.clone() });
        let sent = Sent { flow, request, answers: 0, hints: 0 };
        State::Leaving { sent, until: now + LEAVE_WAIT_MAX }
    }

    fn left(
        &mut self,
        rng: &mut Rng,
        (sent, until): (Sent, Instant),
        response: &Response,
        out: &mut Vec<Output>,
    ) -> State {
        match response.status() {
            100..=199 => State::Leaving { sent, until },
            401 | 407 => match self.challenged(rng, sent, response, out) {
                Some(sent) => State::Leaving { sent, until },
                None => State::Stopped,
            },
            _ => State::Stopped,
        }
    }

    fn register(&mut self, flow: &Flow, expires_s: u32) -> Request {
        self.kept.cseq = self.kept.cseq.wrapping_add(1) & CSEQ_MAX;
        Request::build(Method::Register, &self.account.registrar)
            .header(Name::From, format_args!("<{}>;tag={}", self.account.aor, self.tag))
            .header(Name::To, format_args!("<{}>", self.account.aor))
            .header(Name::CallId, &self.kept.call_id)
            .header(Name::CSeq, format_args!("{} REGISTER", self.kept.cseq))
            .header(Name::Contact, flow.contact_as(Some(&self.kept.contact)))
            .header(Name::Expires, expires_s)
            .request()
    }
}

/// `wait`, up to a quarter shorter or longer.
fn varied(wait: Duration, rng: &mut Rng) -> Duration {
    wait.mul_f64(0.75 + f64::from(rng.below(1000)) / 2000.0)
}

/// The first rest after a round that failed.
const REST_MIN: Duration = Duration::from_secs(5);
/// The longest.
const REST_MAX: Duration = Duration::from_secs(300);
/// The rest after a refusal that no second try changes.
const REFUSED_REST: Duration = Duration::from_secs(900);
/// The longest rest that a registrar can ask for.
const ASKED_MAX: Duration = Duration::from_secs(3600);
/// A registration is not renewed sooner than this after it was made.
const RENEW_MIN: Duration = Duration::from_millis(500);
/// How long a registrar may take to answer before the next one is asked.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(8);
/// How long the flows may be looked for.
const LOCATE_WAIT_MAX: Duration = Duration::from_secs(15);
/// How long taking a registration back may last: a stop waits for it.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(3);
/// The longest registration, in seconds.
const EXPIRES_MAX_S: u32 = 86_400;
/// Flows that are tried in one round.
const FLOWS_MAX: usize = 8;
/// The largest CSeq number (RFC 3261 §8.1.1.5).
const CSEQ_MAX: u32 = 0x7fff_ffff;
/// Hints of 423 that one REGISTER takes.
const HINTS_MAX: u8 = 2;
