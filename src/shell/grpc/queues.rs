//! `strowger.v1.Queues`.

use tonic::{Request, Response, Status};

use super::callback::callback;
use super::convert::{call_id, duration, name, time};
use super::handle::{SwitchHandle, unexpected};
use super::who::who;
use crate::id::QueueId;
use crate::report::service::{Figures, Level};
use crate::shell::clock::Clock;
use crate::shell::figures::Live;
use crate::shell::proto;
use crate::shell::proto::queues_server::Queues;
use crate::switch::request::{self, CallerView, QueueView, Reply};
use crate::time::Duration;

#[derive(Clone)]
pub struct Service {
    pub switch: SwitchHandle,
    pub service: Live,
    pub clock: Clock,
}

#[tonic::async_trait]
impl Queues for Service {
    async fn list(
        &self,
        _: Request<proto::ListQueuesRequest>,
    ) -> Result<Response<proto::ListQueuesResponse>, Status> {
        match self.switch.ask(request::Request::Queues).await? {
            Reply::Queues(queues) => {
                let queues = queues.into_iter().map(|view| self.queue(view)).collect();
                Ok(Response::new(proto::ListQueuesResponse { queues }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn list_quarters(
        &self,
        request: Request<proto::ListQuartersRequest>,
    ) -> Result<Response<proto::ListQuartersResponse>, Status> {
        let queue: QueueId = request.into_inner().queue.as_str().into();
        let asked = request::Request::Callers { queue: queue.clone(), most: 0 };
        match self.switch.ask(asked).await? {
            Reply::Callers(..) => {}
            other => return Err(unexpected(&other)), // there is no such queue
        }
        let quarters = self.service.quarters(&queue).into_iter();
        let quarters = quarters.map(|(began, figures)| proto::Quarter {
            begin_time: Some(time(began)),
            figures: Some(service_figures(&figures)),
        });
        Ok(Response::new(proto::ListQuartersResponse { quarters: quarters.collect() }))
    }

    async fn list_callers(
        &self,
        request: Request<proto::ListCallersRequest>,
    ) -> Result<Response<proto::ListCallersResponse>, Status> {
        let asked = request.into_inner();
        let queue = asked.queue.as_str().into();
        let most = match asked.page_size as usize {
            0 => CALLERS_DEFAULT,
            most => most.min(CALLERS_MAX),
        };
        match self.switch.ask(request::Request::Callers { queue, most }).await? {
            Reply::Callers(callers, waiting) => {
                let callers = callers.into_iter().map(caller).collect();
                Ok(Response::new(proto::ListCallersResponse { callers, waiting }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn prioritize(
        &self,
        request: Request<proto::PrioritizeRequest>,
    ) -> Result<Response<proto::PrioritizeResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (call, by) = (call_id(&asked.call_id)?, who(asked.requested_by, from)?);
        let credit = Duration::try_from(asked.credit.unwrap_or_default());
        let credit = credit.ok().filter(|credit| *credit <= CREDIT_MAX);
        let credit = credit
            .ok_or_else(|| Status::invalid_argument("`credit` is up to a day, not below 0"))?;
        match self.switch.ask(request::Request::Prioritise { call, credit, by }).await? {
            Reply::Position(position) => Ok(Response::new(proto::PrioritizeResponse { position })),
            other => Err(unexpected(&other)),
        }
    }

    async fn r#move(
        &self,
        request: Request<proto::MoveRequest>,
    ) -> Result<Response<proto::MoveResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (call, by) = (call_id(&asked.call_id)?, who(asked.requested_by, from)?);
        let queue = asked.queue.as_str().into();
        match self.switch.ask(request::Request::MoveCaller { call, queue, by }).await? {
            Reply::Done => Ok(Response::new(proto::MoveResponse {})),
            other => Err(unexpected(&other)),
        }
    }

    async fn list_callbacks(
        &self,
        request: Request<proto::ListCallbacksRequest>,
    ) -> Result<Response<proto::ListCallbacksResponse>, Status> {
        let queue = request.into_inner().queue.map(|queue| queue.as_str().into());
        match self.switch.ask(request::Request::Callbacks { queue }).await? {
            Reply::Callbacks(callbacks) => {
                let callbacks = callbacks.into_iter().map(callback).collect();
                Ok(Response::new(proto::ListCallbacksResponse { callbacks }))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn cancel_callback(
        &self,
        request: Request<proto::CancelCallbackRequest>,
    ) -> Result<Response<proto::CancelCallbackResponse>, Status> {
        let from = request.remote_addr();
        let asked = request.into_inner();
        let (call, by) = (call_id(&asked.call_id)?, who(asked.requested_by, from)?);
        match self.switch.ask(request::Request::CancelCallback { call, by }).await? {
            Reply::Done => Ok(Response::new(proto::CancelCallbackResponse {})),
            other => Err(unexpected(&other)),
        }
    }
}

/// The greatest priority that somebody can give.
const CREDIT_MAX: Duration = Duration::from_secs(86_400);

/// Callers that one answer has, and that it has if no number is asked for.
const CALLERS_MAX: usize = 1000;
const CALLERS_DEFAULT: usize = 100;

fn caller(view: CallerView) -> proto::WaitingCaller {
    proto::WaitingCaller {
        call_id: view.call.to_string(),
        position: view.position,
        enter_time: Some(time(view.entered)),
        wait: Some(duration(view.wait)),
        offers: view.offers,
        caller: Some(proto::Caller {
            number: view.from,
            name: view.name,
            extension: name(view.extension.as_ref()),
            e164: None,
        }),
    }
}

impl Service {
    /// A queue with its figures of this moment.
    pub fn queue(&self, view: QueueView) -> proto::Queue {
        let service = self.service.queue(&view.queue, self.clock.wall());
        proto::Queue {
            lately: Some(service_figures(&service.lately)),
            today: Some(service_figures(&service.today)),
            below_target: service.alarm,
            service_within: Some(duration(service.terms.within)),
            service_target: service.terms.target.map(u32::from),
            ..queue(view)
        }
    }
}

fn service_figures(figures: &Figures) -> proto::ServiceFigures {
    let level = |level: &Level| Some((level.name().to_owned(), figures.level(*level)?));
    let quantile = |percent| figures.waits.quantile(percent).map(duration);
    proto::ServiceFigures {
        offered: figures.offered,
        answered: figures.answered,
        answered_within: figures.answered_within,
        abandoned: figures.abandoned,
        abandoned_within: figures.abandoned_within,
        abandoned_short: figures.abandoned_short,
        overflowed: figures.overflowed,
        called_back: figures.called_back,
        called_back_talked: figures.called_back_talked,
        called_back_lost: figures.called_back_lost,
        moved: figures.moved,
        cut_off: figures.cut_off,
        waiting: figures.waiting,
        waiting_beyond: figures.waiting_beyond,
        percent: Level::ALL.iter().filter_map(level).collect(),
        answer_mean: figures.answer_mean().map(duration),
        wait_p50: quantile(50),
        wait_p90: quantile(90),
        wait_p95: quantile(95),
        wait_p99: quantile(99),
        wait_longest: (figures.waits.count() > 0).then(|| duration(figures.waits.longest())),
    }
}

fn queue(view: QueueView) -> proto::Queue {
    proto::Queue {
        queue: view.queue.to_string(),
        number: view.number,
        strategy: view.strategy,
        waiting: view.waiting,
        callbacks: view.callbacks,
        longest_wait: Some(duration(view.longest_wait)),
        agents_logged_in: view.agents_logged_in,
        agents_available: view.agents_available,
        agents_busy: view.agents_busy,
        ..proto::Queue::default()
    }
}
