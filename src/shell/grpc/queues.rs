//! `strowger.v1.Queues`.

use tonic::{Request, Response, Status};

use super::convert::{duration, name, time};
use super::handle::{SwitchHandle, unexpected};
use crate::shell::proto;
use crate::shell::proto::queues_server::Queues;
use crate::switch::request::{self, CallerView, QueueView, Reply};

pub struct Service {
    pub switch: SwitchHandle,
}

#[tonic::async_trait]
impl Queues for Service {
    async fn list(
        &self,
        _: Request<proto::ListQueuesRequest>,
    ) -> Result<Response<proto::ListQueuesResponse>, Status> {
        match self.switch.ask(request::Request::Queues).await? {
            Reply::Queues(queues) => {
                let queues = queues.into_iter().map(queue).collect();
                Ok(Response::new(proto::ListQueuesResponse { queues }))
            }
            other => Err(unexpected(&other)),
        }
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
}

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

pub fn queue(view: QueueView) -> proto::Queue {
    proto::Queue {
        queue: view.queue.to_string(),
        number: view.number,
        strategy: view.strategy,
        waiting: view.waiting,
        longest_wait: Some(duration(view.longest_wait)),
        agents_logged_in: view.agents_logged_in,
        agents_available: view.agents_available,
        agents_busy: view.agents_busy,
    }
}
