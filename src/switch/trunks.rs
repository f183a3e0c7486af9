//! Trunks in the Switch: their questions, their states, and which calls came over them.

use std::collections::{BTreeMap, HashMap};

use crate::call::trunk::{Job, Line, LineInput, LineKey, LineOutput, Lines, Steps};
use crate::call::{Caller, Origin, is_hidden};
use crate::cdr::entry::{Entry, Fact, TrunkState};
use crate::id::TrunkId;
use crate::route::rewrite::rewrite;
use crate::sip::flow::Flow;
use crate::sip::locate::{Located, Target};
use crate::sip::message::{Name, NameAddr, Request, Response, Uri};
use crate::sip::registration::Kept;
use crate::sip::transaction::{self, ClientId, Failure};
use crate::switch::kept::keep_trunk;
use crate::switch::locate::Seeker;
use crate::switch::request::{RestingView, ServerView, TrunkView};
use crate::switch::{Output, Switch};
use crate::time::Instant;

/// All trunks, and the questions of theirs that are under way.
#[derive(Debug, Default)]
pub(super) struct Trunks {
    pub lines: Lines,
    /// What each request of theirs is about; only the latest of each kind counts.
    jobs: HashMap<ClientId, (LineKey, Job)>,
    asked: BTreeMap<(LineKey, Job), ClientId>,
    /// Counts the searches for servers.
    searches: u64,
    /// Where the servers of a trunk are, as far as it is known.
    sought: BTreeMap<LineKey, Sought>,
}

/// A trunk's servers that are looked for: one place for each that is configured.
#[derive(Debug)]
struct Sought {
    /// Tells a late answer of an earlier search.
    search: u64,
    found: Vec<Option<Vec<Flow>>>,
}

impl Trunks {
    fn forget(&mut self, client: ClientId) {
        if let Some(job) = self.jobs.remove(&client) {
            self.asked.remove(&job);
        }
    }
}

impl Switch {
    /// Takes the trunks of the plan; those that stay the same go on as they are.
    pub(super) fn configure_trunks(&mut self, now: Instant, out: &mut Vec<Output>) {
        let before: Vec<TrunkId> = self.trunks.lines.iter().map(|line| line.id().clone()).collect();
        let (plan, mut steps) = (self.plan.clone(), Steps::new());
        let lines = &mut self.trunks.lines;
        lines.configure(now, &mut self.parts.rng, &plan.trunks, &mut steps);
        for gone in before.iter().filter(|id| !plan.trunks.contains_key(*id)) {
            out.push(keep_trunk(gone, None));
        }
        self.follow_lines(now, steps, out);
    }

    /// Takes up what an earlier process stored of a trunk.
    pub(super) fn resume_trunk(
        &mut self,
        now: Instant,
        id: &TrunkId,
        kept: Kept,
        out: &mut Vec<Output>,
    ) {
        match self.trunks.lines.get(id) {
            Some(_) => self.trunks.lines.resume(now, &mut self.parts.rng, id, kept),
            None => out.push(keep_trunk(id, None)),
        }
    }

    pub(super) fn stop_trunks(&mut self, now: Instant, out: &mut Vec<Output>) {
        let mut steps = Steps::new();
        self.trunks.lines.stop(now, &mut self.parts.rng, &mut steps);
        self.follow_lines(now, steps, out);
    }

    pub(super) fn tick_trunks(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.trunks.lines.next_tick().is_some_and(|at| at <= now) {
            let mut steps = Steps::new();
            self.trunks.lines.tick(now, &mut self.parts.rng, &mut steps);
            self.follow_lines(now, steps, out);
        }
    }

    /// A response to a request of ours that no call has sent.
    pub(super) fn trunk_answered(
        &mut self,
        now: Instant,
        client: ClientId,
        response: Response,
        out: &mut Vec<Output>,
    ) {
        let Some((key, job)) = self.trunks.jobs.get(&client).cloned() else { return };
        if response.is_final() {
            self.trunks.forget(client);
        }
        self.tell_line(now, &key, LineInput::Answered(job, response), out);
    }

    /// A request of ours that no call has sent got no answer.
    pub(super) fn trunk_unanswered(
        &mut self,
        now: Instant,
        (client, why): (ClientId, Failure),
        out: &mut Vec<Output>,
    ) {
        let Some((key, job)) = self.trunks.jobs.get(&client).cloned() else { return };
        self.trunks.forget(client);
        self.tell_line(now, &key, LineInput::Failed(job, why), out);
    }

    /// Where one of a trunk's servers is.
    pub(super) fn trunk_located(
        &mut self,
        now: Instant,
        (key, search, place): (LineKey, u64, usize),
        located: Located,
        out: &mut Vec<Output>,
    ) {
        if let Err(error) = &located {
            tracing::warn!(trunk = %key.trunk, %error, "a trunk's server is not found");
        }
        let Some(sought) = self.trunks.sought.get_mut(&key).filter(|it| it.search == search) else {
            return;
        };
        if let Some(found) = sought.found.get_mut(place) {
            *found = Some(located.unwrap_or_default());
        }
        if sought.found.iter().all(Option::is_some) {
            let found = self.trunks.sought.remove(&key).map(|sought| sought.found);
            let flows = found.into_iter().flatten().flatten().flatten().collect();
            self.tell_line(now, &key, LineInput::Located(flows), out);
        }
    }

    fn tell_line(&mut self, now: Instant, key: &LineKey, input: LineInput, out: &mut Vec<Output>) {
        let mut steps = Steps::new();
        self.trunks.lines.handle(now, &mut self.parts.rng, key, input, &mut steps);
        self.follow_lines(now, steps, out);
    }

    fn follow_lines(&mut self, now: Instant, steps: Steps, out: &mut Vec<Output>) {
        for (key, step) in steps {
            match step {
                LineOutput::Ask { job, flow, request } => {
                    let client = self.parts.transactions.client_id();
                    let name = (key, job);
                    if let Some(before) = self.trunks.asked.insert(name.clone(), client) {
                        self.trunks.jobs.remove(&before);
                    }
                    self.trunks.jobs.insert(client, name);
                    let input = transaction::Input::Request { client, flow, request };
                    self.transact(now, input, out);
                }
                LineOutput::Keep(kept) => {
                    let stays =
                        self.trunks.lines.get(&key.trunk).is_some_and(|it| *it.key() == key);
                    if stays {
                        out.push(keep_trunk(&key.trunk, Some(&kept)));
                    }
                }
                LineOutput::Locate => self.seek(now, key, out),
                LineOutput::State { state, why } => {
                    let trunk = key.trunk;
                    if state == TrunkState::Up {
                        tracing::info!(%trunk, "trunk is up");
                    } else {
                        tracing::warn!(%trunk, state = state.name(), why, "trunk cannot be used");
                    }
                    let fact = Fact::Trunk { trunk, state, why };
                    out.push(Output::Entry(Entry { at: self.wall(now), call: None, fact }));
                }
            }
        }
    }

    /// Looks for all servers of a trunk.
    fn seek(&mut self, now: Instant, key: LineKey, out: &mut Vec<Output>) {
        let Some(line) = self.trunks.lines.get(&key.trunk) else { return };
        let uris: Vec<String> =
            line.config().servers().iter().map(|server| server.uri(None)).collect();
        self.trunks.searches += 1;
        let search = self.trunks.searches;
        let found = vec![None; uris.len()];
        self.trunks.sought.insert(key.clone(), Sought { search, found });
        for (place, uri) in uris.into_iter().enumerate() {
            let target = Uri::parse(&uri).ok().and_then(|uri| Target::of(&uri).ok());
            match target {
                Some(target) => {
                    let seeker = Seeker::Trunk { key: key.clone(), search, place };
                    self.locate(now, &target, seeker, out);
                }
                None => {
                    let name = (key.clone(), search, place);
                    self.trunk_located(now, name, Ok(Vec::new()), out);
                }
            }
        }
    }

    /// The trunk that a request outside of dialogs comes from, if that is certain: it names the
    /// Contact that only our registrar there knows, or its source is an address of one trunk and
    /// of no other. One that must log in is not believed by its address, and hides no other there.
    pub(super) fn trunk_of(&self, flow: &Flow, request: &Request) -> Option<TrunkId> {
        let user = request.uri().ok().and_then(|uri| Some(uri.user_unescaped()?.into_owned()));
        let lines = &self.trunks.lines;
        if let Some(line) = user.and_then(|user| lines.of_contact(&user)) {
            return Some(line.id().clone());
        }
        let mut there = lines
            .at_address(flow.remote.ip())
            .filter(|line| line.config().inbound_username.is_none());
        there.next().filter(|_| there.next().is_none()).map(|only| only.id().clone())
    }

    pub(super) fn trunk_views(&self, now: Instant) -> Vec<TrunkView> {
        let views = self.trunks.lines.iter().map(|line| {
            let (state, why, since) = line.state();
            let servers = line.servers(now).map(|server| ServerView {
                address: server.flow.to_string(),
                up: server.up,
                latency: server.latency,
                resting: server.resting.map(|resting| RestingView {
                    until: self.wall(resting.until),
                    why: resting.why.to_owned(),
                }),
            });
            TrunkView {
                trunk: line.id().clone(),
                state,
                why: Some(why.to_owned()).filter(|why| !why.is_empty()),
                since: self.wall(since),
                registered_until: line.registered_until().map(|until| self.wall(until)),
                calls: u32::try_from(line.calls()).unwrap_or(u32::MAX),
                calls_max: u32::try_from(line.config().calls_max).unwrap_or(u32::MAX),
                servers: servers.collect(),
            }
        });
        views.collect()
    }
}

/// Who calls over a trunk, and whom.
pub(super) fn caller_over(line: &Line, request: &Request, dialled: &str) -> Caller {
    let config = line.config();
    // A registrar calls our Contact; the number called then stands in To.
    let did = match dialled == line.contact() {
        true => user_of(Some(request.to())).unwrap_or_default(),
        false => dialled.to_owned(),
    };
    let asserted = request.addresses(Name::PAssertedIdentity).find_map(Result::ok);
    let from = asserted.filter(|_| user_of(asserted).is_some()).unwrap_or(request.from());
    let sent = user_of(Some(from)).unwrap_or_else(|| ANONYMOUS.to_owned());
    let number = rewrite(&config.callers, &sent);
    let dialled = rewrite(&config.inward, &did);
    Caller {
        presented: None,
        e164: config.numbers.e164(&number),
        name: from.display().map(|name| name.into_owned()),
        origin: Origin::Trunk(line.id().clone()),
        did: Some(did),
        hidden: is_hidden(request),
        dialled,
        number,
        sent,
    }
}

/// The user of an address: a number, as a rule.
fn user_of(address: Option<NameAddr<'_>>) -> Option<String> {
    let user = address?.uri().ok()?.user_unescaped()?;
    (!user.is_empty()).then(|| user.into_owned())
}

/// The number of callers who show none (RFC 3323 §4.1.1.3).
const ANONYMOUS: &str = "anonymous";
