//! All trunks of a node as they are at this moment.

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use super::config::Trunk;
use super::line::{Line, LineInput, LineKey, LineOutput, Unavailable};
use super::rest::Trouble;
use crate::id::TrunkId;
use crate::rng::Rng;
use crate::sip::flow::Flow;
use crate::sip::registration::Kept;
use crate::time::Instant;

/// All trunks of a node. As many as the configuration has.
#[derive(Debug, Default)]
pub struct Lines {
    lines: BTreeMap<TrunkId, Line>,
    /// Those that the configuration has no more, until their registrations are taken back.
    leaving: Vec<Line>,
    serials: u32,
    due: Option<Instant>,
}

/// What each line asks for, in order.
pub type Steps = Vec<(LineKey, LineOutput)>;

impl Lines {
    /// Takes a new configuration: lines that stay the same go on as they are.
    pub fn configure(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        trunks: &BTreeMap<TrunkId, Arc<Trunk>>,
        out: &mut Steps,
    ) {
        let mut before = mem::take(&mut self.lines);
        for (id, config) in trunks {
            let line = match before.remove(id) {
                Some(line) if line.config() == config => line,
                Some(line) => match line.reconfigured(now, config.clone()) {
                    Ok(line) => line,
                    Err(old) => {
                        let mut line = self.fresh(now, id, config, rng);
                        line.succeed(&old);
                        before.insert(id.clone(), *old);
                        line
                    }
                },
                None => self.fresh(now, id, config, rng),
            };
            self.lines.insert(id.clone(), line);
        }
        for line in before.into_values() {
            self.leave(now, rng, line, out);
        }
        self.plan_tick();
    }

    fn fresh(&mut self, now: Instant, id: &TrunkId, config: &Arc<Trunk>, rng: &mut Rng) -> Line {
        self.serials = self.serials.wrapping_add(1);
        let key = LineKey { trunk: id.clone(), serial: self.serials };
        Line::new(now, key, config.clone(), None, rng)
    }

    /// Every line is to end, its registration taken back.
    pub fn stop(&mut self, now: Instant, rng: &mut Rng, out: &mut Steps) {
        for line in mem::take(&mut self.lines).into_values() {
            self.leave(now, rng, line, out);
        }
        self.plan_tick();
    }

    /// Whether no registration waits to be taken back.
    pub fn is_quiet(&self) -> bool {
        self.leaving.is_empty()
    }

    /// Takes up what an earlier process kept of a trunk.
    ///
    /// The last requests of that process may not have been stored: their numbers are left out.
    pub fn resume(&mut self, now: Instant, rng: &mut Rng, id: &TrunkId, mut kept: Kept) {
        kept.cseq = kept.cseq.saturating_add(CSEQ_GAP);
        if let Some(line) = self.lines.get_mut(id) {
            line.resume(now, kept, rng);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    pub fn get(&self, id: &TrunkId) -> Option<&Line> {
        self.lines.get(id)
    }

    /// The servers for a call over a trunk: see `Line::admit`.
    ///
    /// # Errors
    ///
    /// Why it takes none; `Down` if the configuration has it no more.
    pub fn admit(
        &mut self,
        now: Instant,
        id: &TrunkId,
        is_emergency: bool,
    ) -> Result<Vec<Flow>, Unavailable> {
        let line = self.lines.get_mut(id).ok_or(Unavailable::Down)?;
        line.admit(now, is_emergency)
    }

    /// A leg of a call began on a trunk.
    pub fn began(&mut self, id: &TrunkId) {
        if let Some(line) = self.lines.get_mut(id) {
            line.began();
        }
    }

    /// A leg of a call on a trunk is over.
    pub fn ended(&mut self, id: &TrunkId) {
        if let Some(line) = self.lines.get_mut(id) {
            line.ended();
        }
    }

    /// A server failed: see `Line::failed`.
    pub fn failed(&mut self, now: Instant, flow: &Flow, trouble: Trouble) {
        for line in self.lines.values_mut() {
            line.failed(now, flow, trouble);
        }
    }

    /// A server answered.
    pub fn worked(&mut self, flow: &Flow) {
        for line in self.lines.values_mut() {
            line.worked(flow);
        }
    }

    /// The trunks that have this address: more than one, and none is meant for certain.
    pub fn at_address(&self, address: IpAddr) -> impl Iterator<Item = &Line> {
        self.lines.values().filter(move |line| line.has_address(address))
    }

    /// The trunk whose registrar knows us by this Contact.
    pub fn of_contact(&self, user: &str) -> Option<&Line> {
        self.lines.values().find(|line| line.config().register && line.contact() == user)
    }

    /// The trunk that calls us under this user name.
    pub fn of_inbound_user(&self, user: &str) -> Option<&Line> {
        let is = |line: &&Line| line.config().inbound_username.as_deref() == Some(user);
        self.lines.values().find(is)
    }

    /// Gives an input to one line.
    pub fn handle(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        key: &LineKey,
        input: LineInput,
        out: &mut Steps,
    ) {
        let mut lines = self.lines.get_mut(&key.trunk).into_iter().chain(&mut self.leaving);
        if let Some(line) = lines.find(|line| line.key() == key) {
            drive(now, rng, line, input, out);
        }
        self.sweep();
    }

    pub fn tick(&mut self, now: Instant, rng: &mut Rng, out: &mut Steps) {
        for line in self.lines.values_mut().chain(&mut self.leaving) {
            if line.next_tick().is_some_and(|at| at <= now) {
                drive(now, rng, line, LineInput::Tick, out);
            }
        }
        self.sweep();
    }

    /// When to call `tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        self.due
    }

    fn leave(&mut self, now: Instant, rng: &mut Rng, mut line: Line, out: &mut Steps) {
        drive(now, rng, &mut line, LineInput::Stop, out);
        if !line.is_over() {
            self.leaving.push(line);
        }
    }

    fn sweep(&mut self) {
        self.leaving.retain(|line| !line.is_over());
        self.plan_tick();
    }

    fn plan_tick(&mut self) {
        let all = self.lines.values().chain(&self.leaving);
        self.due = all.filter_map(Line::next_tick).min();
    }
}

/// CSeq numbers that are left out after a restart.
const CSEQ_GAP: u32 = 100;

fn drive(now: Instant, rng: &mut Rng, line: &mut Line, input: LineInput, out: &mut Steps) {
    let mut steps = Vec::new();
    line.handle(now, rng, input, &mut steps);
    out.extend(steps.into_iter().map(|step| (line.key().clone(), step)));
}
