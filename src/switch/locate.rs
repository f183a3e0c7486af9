//! Servers by name: who asked where one is, and what is done with the answer.

use crate::call::trunk::{LineKey, Trouble};
use crate::id::ExtensionId;
use crate::sip::flow::Flow;
use crate::sip::locate::locator::Output as Step;
use crate::sip::locate::{Answer, Located, QuestionId, Target};
use crate::sip::message::{Method, Response};
use crate::switch::{Output, Switch};
use crate::time::{Duration, Instant};

/// Who wants to know where a target is: `Switch::located` gets the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seeker {
    /// A registered phone whose Contact names a host.
    Phone { extension: ExtensionId, contact: String },
    /// A trunk, for one of its servers.
    Trunk { key: LineKey, search: u64, place: usize },
}

impl Switch {
    /// Finds the flows to a target (RFC 3263); `located` is called with them once, soon or at the
    /// latest when the DNS has been given up.
    pub(super) fn locate(
        &mut self,
        now: Instant,
        target: &Target,
        seeker: Seeker,
        out: &mut Vec<Output>,
    ) {
        let mut steps = Vec::new();
        let lookup = self.parts.locator.locate(now, target, &mut steps);
        self.seekers.insert(lookup, seeker);
        self.follow(now, steps, out);
    }

    /// An answer came.
    pub(super) fn resolved(
        &mut self,
        now: Instant,
        id: QuestionId,
        answer: Answer,
        out: &mut Vec<Output>,
    ) {
        let mut steps = Vec::new();
        self.parts.locator.answered(now, &mut self.parts.rng, id, answer, &mut steps);
        self.follow(now, steps, out);
    }

    /// What a response says about the server that it came from (RFC 3263 §4.3).
    pub(super) fn note_health(&mut self, now: Instant, flow: &Flow, response: &Response) {
        if response.status() == 503 {
            let wait = response.retry_after().map(|wait| Duration::from_secs(wait.into()));
            self.note_failure(now, flow, Trouble::Busy(wait));
            return;
        }
        self.parts.locator.worked(flow);
        // Calls in progress are served by a server that has no room for further ones.
        let asks =
            matches!(response.cseq().method, Method::Invite | Method::Options | Method::Register);
        if asks && matches!(response.status(), 200..=407 | 409..=499 | 600..=699) {
            self.trunks.lines.worked(flow);
        }
    }

    /// A server was of no use.
    pub(super) fn note_failure(&mut self, now: Instant, flow: &Flow, trouble: Trouble) {
        self.parts.locator.failed(now, flow);
        self.trunks.lines.failed(now, flow, trouble);
    }

    fn follow(&mut self, now: Instant, steps: Vec<Step>, out: &mut Vec<Output>) {
        for step in steps {
            match step {
                Step::Ask { id, question } => out.push(Output::Resolve { id, question }),
                Step::Found { lookup, located } => {
                    if let Some(seeker) = self.seekers.remove(&lookup) {
                        self.located(now, seeker, located, out);
                    }
                }
            }
        }
    }

    /// Gives the flows to the one who asked for them: the first is to be tried first.
    fn located(&mut self, now: Instant, seeker: Seeker, located: Located, out: &mut Vec<Output>) {
        match (seeker, located) {
            (Seeker::Phone { extension, contact }, Ok(flows)) => {
                if self.parts.registrar.located(&extension, &contact, &flows) {
                    out.push(self.keep_phones(&extension));
                }
            }
            (Seeker::Trunk { key, search, place }, located) => {
                self.trunk_located(now, (key, search, place), located, out);
            }
            // It is still reached over the flow that it registered by.
            (Seeker::Phone { .. }, Err(error)) => {
                tracing::debug!(%error, "a phone's Contact is not found by name");
            }
        }
    }
}
