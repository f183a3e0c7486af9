//! Feature codes: an agent logs in or out, is away or back; an echo test.

use crate::acd::{Change, ChangeError};
use crate::call::call::{Call, Output, Stage};
use crate::call::site::Site;
use crate::cdr::entry::{ForwardWhy, HungUpBy};
use crate::id::{AgentId, ConferenceId, PromptId};
use crate::ivr::collect::{Ask, Collect, Digits, Input, Output as Asked};
use crate::media::control::{Command, Sound};
use crate::route::config::Code;
use crate::time::Instant;

/// A question that the caller answers with digits.
#[derive(Debug)]
pub struct Dialogue {
    question: Question,
    collect: Collect,
    /// Wrong ids and PINs so far.
    failures: u8,
}

#[derive(Clone, Debug)]
pub(super) enum Question {
    AgentId,
    ConferencePin { conference: ConferenceId },
    ForwardTo { why: ForwardWhy },
    Pin { agent: String },
    Reason { agent: AgentId },
    Supervised,
}

impl Dialogue {
    pub fn next_tick(&self) -> Option<Instant> {
        self.collect.next_tick()
    }
}

impl Call {
    /// Does what a feature code asks for.
    pub(super) fn dial_code(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        code: Code,
        out: &mut Vec<Output>,
    ) {
        match code {
            // He is answered when somebody is there to talk with.
            Code::Pickup => return self.pick_up(out),
            Code::Park => return self.dial_park(now, site, out),
            Code::Supervise if self.names_whom() => return self.supervise(None, out),
            _ => {}
        }
        self.answer_caller(now, site, None, out);
        if !matches!(self.stage, Stage::Routing) {
            return; // the answer failed, and the call has ended
        }
        if self.order_service(now, site, code, out) {
            return;
        }
        match (code, self.seated(site)) {
            (Code::EchoTest, _) => {
                self.play(self.party, vec![Sound::Prompt("echo".into())], false, out);
                self.stage = Stage::Echo;
            }
            (Code::AgentLogin, _)
                if self.caller.extension().is_none() || self.guesses(now, site, None) =>
            {
                self.deny(now, site, out);
            }
            (Code::AgentLogin, _) => self.ask(now, site, Question::AgentId, 0, out),
            (Code::Supervise, _) => self.ask(now, site, Question::Supervised, 0, out),
            (Code::AgentAway, Some(agent)) => {
                self.ask(now, site, Question::Reason { agent }, 0, out);
            }
            (Code::AgentAvailable, Some(agent)) => {
                self.change(now, site, &agent, (Change::Available, "agent-available"), out);
            }
            (Code::AgentLogout, Some(agent)) => {
                self.change(now, site, &agent, (Change::Logout, "agent-out"), out);
            }
            (Code::WrapUpDone, Some(agent)) => {
                self.change(now, site, &agent, (Change::WrapUpDone, "wrap-up-done"), out);
            }
            (Code::WrapUpExtend, Some(agent)) => {
                self.change(now, site, &agent, (Change::WrapUpExtend, "wrap-up-extended"), out);
            }
            _ => self.deny(now, site, out), // no agent sits here
        }
    }

    /// The agent who is logged in at the caller's phone.
    fn seated(&self, site: &Site<'_>) -> Option<AgentId> {
        site.acd.seated(self.caller.extension()?)
    }

    pub(super) fn ask(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        question: Question,
        failures: u8,
        out: &mut Vec<Output>,
    ) {
        let (prompt, digits_max) = match &question {
            Question::AgentId | Question::Supervised => ("agent-id", 16),
            Question::ForwardTo { .. } => ("forward-number", 32),
            Question::ConferencePin { .. } | Question::Pin { .. } => ("agent-pin", 16),
            Question::Reason { .. } => ("agent-reason", 1),
        };
        let collect = Collect::new(Ask {
            prompts: vec![PromptId::from(prompt)],
            digits_min: 1,
            digits_max,
            timeout: self.plan.ivr.digit_timeout,
            retries: 2,
        });
        self.stage = Stage::Dialling(Dialogue { question, collect, failures });
        self.code_input(now, site, Input::Start, out);
    }

    pub(super) fn code_input(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        input: Input,
        out: &mut Vec<Output>,
    ) {
        let Stage::Dialling(dialogue) = &mut self.stage else { return };
        let mut steps = Vec::new();
        dialogue.collect.handle(now, input, &mut steps);
        for step in steps {
            match step {
                Asked::Digits(digits) => self.told(now, site, &digits, out),
                Asked::Failed => self.deny(now, site, out),
                Asked::Play(prompts) => {
                    self.play(
                        self.party,
                        prompts.into_iter().map(Sound::Prompt).collect(),
                        false,
                        out,
                    );
                }
                Asked::StopPlaying => self.order(Command::Stop { leg: self.party }, out),
            }
        }
    }

    /// The caller has answered the question.
    fn told(&mut self, now: Instant, site: &mut Site<'_>, digits: &Digits, out: &mut Vec<Output>) {
        let Stage::Dialling(dialogue) = &self.stage else { return };
        let failures = dialogue.failures;
        match dialogue.question.clone() {
            Question::AgentId => {
                let agent = digits.as_str().to_owned();
                if self.is_seat_of(&agent) {
                    return self.log_in(now, site, &agent.as_str().into(), out);
                }
                self.ask(now, site, Question::Pin { agent }, failures, out);
            }
            Question::ForwardTo { why } => self.told_number(now, site, (why, digits), out),
            Question::Pin { agent } => {
                let agent = AgentId::from(agent.as_str());
                let pin = self.plan.acd.agents.get(&agent).and_then(|agent| agent.pin.as_ref());
                // An unknown id and a wrong PIN sound alike.
                if pin.is_some_and(|pin| same(pin.as_str(), digits.as_str())) {
                    self.log_in(now, site, &agent, out);
                } else if self.has_guessed(now, site, None, out) || failures + 1 >= LOGIN_TRIES {
                    self.deny(now, site, out);
                } else {
                    self.ask(now, site, Question::AgentId, failures + 1, out);
                }
            }
            Question::ConferencePin { conference } => {
                if self.told_pin(now, site, (&conference, digits), out) {
                    return;
                }
                let is_locked = self.has_guessed(now, site, Some(&conference), out);
                if is_locked || failures + 1 >= LOGIN_TRIES {
                    return self.deny(now, site, out);
                }
                let question = Question::ConferencePin { conference };
                self.ask(now, site, question, failures + 1, out);
            }
            Question::Supervised => self.supervise(Some(digits.as_str().into()), out),
            Question::Reason { agent } => {
                let digit = digits.as_str().chars().next();
                let reason = digit.and_then(|digit| self.plan.codes.away_reasons.get(&digit));
                match reason.cloned() {
                    Some(reason) => {
                        let change = Change::Away { reason };
                        self.change(now, site, &agent, (change, "agent-away"), out);
                    }
                    None => self.deny(now, site, out),
                }
            }
        }
    }

    /// Whether the caller's phone is the fixed seat of an agent who has no PIN: its password is
    /// enough.
    fn is_seat_of(&self, agent: &str) -> bool {
        let agent = self.plan.acd.agents.get(&AgentId::from(agent));
        let seat = agent.filter(|agent| agent.pin.is_none()).and_then(|it| it.extension.as_ref());
        seat.is_some() && seat == self.caller.extension()
    }

    /// Changes an agent's state and says so.
    fn change(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        agent: &AgentId,
        (change, prompt): (Change, &str),
        out: &mut Vec<Output>,
    ) {
        match site.acd.change(now, agent, change, site.decided) {
            Ok(()) => {
                let held = site.acd.agent(agent).is_some_and(|agent| agent.break_held);
                let prompt = if held { "agent-break-later" } else { prompt };
                self.announce(now, site, prompt.into(), "code_done", out);
            }
            Err(ChangeError::LastAgent(_)) => {
                self.announce(now, site, "agent-break-refused".into(), "code_refused", out);
            }
            Err(_) => self.deny(now, site, out),
        }
    }

    /// The agent sits down at the caller's phone, which this call still occupies.
    fn log_in(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        agent: &AgentId,
        out: &mut Vec<Output>,
    ) {
        let Some(extension) = self.caller.extension().cloned() else { return };
        let reachable = !site.phones.targets(&extension).is_empty();
        let seat = [Change::BusyElsewhere(true), Change::Reachable(reachable)];
        let logged_out = (site.acd.agent(agent))
            .is_some_and(|agent| agent.state == crate::acd::State::LoggedOut);
        if logged_out {
            // Before the login, or he would be rung while he still hears that it worked.
            for change in seat.clone() {
                let _ = site.acd.change(now, agent, change, site.decided); // never refused
            }
        }
        let login = Change::Login { extension };
        self.change(now, site, agent, (login, "agent-in"), out);
        if !logged_out && matches!(self.stage, Stage::Listening { reason: "code_done", .. }) {
            for change in seat {
                let _ = site.acd.change(now, agent, change, site.decided); // never refused
            }
        }
    }

    pub(super) fn deny(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        if self.answered.is_some() {
            self.announce(now, site, "agent-denied".into(), "code_refused", out);
        } else {
            self.end(now, site, HungUpBy::Switch, (403, 21, "code_refused"), out);
        }
    }
}

/// Compares without telling by the time it takes where the first difference is.
pub(super) fn same(one: &str, other: &str) -> bool {
    bool::from(subtle::ConstantTimeEq::ct_eq(one.as_bytes(), other.as_bytes()))
}

/// Wrong ids or PINs in one call before it is hung up.
const LOGIN_TRIES: u8 = 3;
