//! `strowger.v1.Events`: what changes, for those who look on.

use std::collections::BTreeSet;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::convert::{call_id, time};
use super::{agents, calls, phones, queues, trunks};
use crate::id::CallId;
use crate::shell::board::table::{Step, Watcher};
use crate::shell::board::{Board, WATCHERS_MAX, Watch};
use crate::shell::proto::events_server::Events;
use crate::shell::proto::{self, WatchKind, change::What};
use crate::switch::request::{Subject, View};

/// Changes that a client has not taken yet; then his watching pauses.
const UNTAKEN_MAX: usize = 32;
/// Names of one list of a filter, at most.
const NAMES_MAX: usize = 1000;

pub struct Service {
    pub board: Board,
    /// What tells queues with their figures.
    pub queues: queues::Service,
}

#[tonic::async_trait]
impl Events for Service {
    type WatchStream = ReceiverStream<Result<proto::Change, Status>>;

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let filter = Filter::read(request.into_inner())?;
        let full = || Status::resource_exhausted(format!("{WATCHERS_MAX} watch already"));
        let watch = self.board.watch().await.ok_or_else(full)?;
        let (out, changes) = mpsc::channel(UNTAKEN_MAX);
        tokio::spawn(tell(watch, filter, self.queues.clone(), out));
        Ok(Response::new(ReceiverStream::new(changes)))
    }
}

/// Tells what changes as fast as it is taken, until the client leaves.
async fn tell(
    mut watch: Watch,
    filter: Filter,
    queues: queues::Service,
    out: mpsc::Sender<Result<proto::Change, Status>>,
) {
    let mut watcher = Watcher::new(move |subject: &Subject| filter.wants(subject));
    loop {
        let steps = watch.read(|table| watcher.next(table));
        if steps.is_empty() {
            tokio::select! {
                () = watch.changed() => continue,
                () = out.closed() => return,
            }
        }
        for step in steps {
            let mut change = change(step, &queues);
            change.time = Some(time(queues.clock.wall()));
            if out.send(Ok(change)).await.is_err() {
                return;
            }
        }
    }
}

fn change(step: Step, with_figures: &queues::Service) -> proto::Change {
    let (what, merged) = match step {
        Step::Began => (What::SnapshotBegan(proto::SnapshotBegan {}), 0),
        Step::Done => (What::SnapshotDone(proto::SnapshotDone {}), 0),
        Step::Changed { subject, view: None, merged } => (What::Gone(gone(&subject)), merged),
        Step::Changed { view: Some(view), merged, .. } => {
            let what = match View::clone(&view) {
                View::Agent(view) => What::Agent(agents::agent(view)),
                View::Call(view) => What::Call(calls::call(view)),
                View::Phone(view) => What::Phone(phones::phone(view)),
                View::Queue(view) => What::Queue(with_figures.queue(view)),
                View::Trunk(view) => What::Trunk(trunks::trunk(view)),
            };
            (what, merged)
        }
    };
    proto::Change { time: None, merged, what: Some(what) }
}

fn gone(subject: &Subject) -> proto::Gone {
    let name = match subject {
        Subject::Agent(agent) => agent.to_string(),
        Subject::Call(call) => call.to_string(),
        Subject::Phone(extension) => extension.to_string(),
        Subject::Queue(queue) => queue.to_string(),
        Subject::Trunk(trunk) => trunk.to_string(),
    };
    proto::Gone { kind: kind(subject).into(), name }
}

fn kind(subject: &Subject) -> WatchKind {
    match subject {
        Subject::Agent(_) => WatchKind::Agent,
        Subject::Call(_) => WatchKind::Call,
        Subject::Phone(_) => WatchKind::Phone,
        Subject::Queue(_) => WatchKind::Queue,
        Subject::Trunk(_) => WatchKind::Trunk,
    }
}

/// What somebody wants to watch.
struct Filter {
    kinds: BTreeSet<i32>,
    agents: BTreeSet<String>,
    calls: BTreeSet<CallId>,
    extensions: BTreeSet<String>,
    queues: BTreeSet<String>,
    trunks: BTreeSet<String>,
}

impl Filter {
    fn read(asked: proto::WatchRequest) -> Result<Self, Status> {
        let lists =
            [&asked.agents, &asked.call_ids, &asked.extensions, &asked.queues, &asked.trunks];
        if asked.kinds.len() > NAMES_MAX || lists.iter().any(|list| list.len() > NAMES_MAX) {
            return Err(Status::invalid_argument("a list of a filter has at most 1000 names"));
        }
        let is_known = |kind: &i32| {
            WatchKind::try_from(*kind).is_ok_and(|kind| kind != WatchKind::Unspecified)
        };
        if !asked.kinds.iter().all(is_known) {
            return Err(Status::invalid_argument("unknown kind"));
        }
        let calls = asked.call_ids.iter().map(|text| call_id(text));
        Ok(Self {
            kinds: asked.kinds.into_iter().collect(),
            calls: calls.collect::<Result<_, _>>()?,
            agents: asked.agents.into_iter().collect(),
            extensions: asked.extensions.into_iter().collect(),
            queues: asked.queues.into_iter().collect(),
            trunks: asked.trunks.into_iter().collect(),
        })
    }

    fn wants(&self, subject: &Subject) -> bool {
        let among = |list: &BTreeSet<String>, name: &str| list.is_empty() || list.contains(name);
        let is_named = match subject {
            Subject::Agent(agent) => among(&self.agents, agent.as_str()),
            Subject::Call(call) => self.calls.is_empty() || self.calls.contains(call),
            Subject::Phone(extension) => among(&self.extensions, extension.as_str()),
            Subject::Queue(queue) => among(&self.queues, queue.as_str()),
            Subject::Trunk(trunk) => among(&self.trunks, trunk.as_str()),
        };
        is_named && (self.kinds.is_empty() || self.kinds.contains(&kind(subject).into()))
    }
}
