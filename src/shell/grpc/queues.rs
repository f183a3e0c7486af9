//! `strowger.v1.Queues`.

use tonic::{Request, Response, Status};

use super::convert::duration;
use super::handle::{SwitchHandle, unexpected};
use crate::shell::proto;
use crate::shell::proto::queues_server::Queues;
use crate::switch::request::{self, QueueView, Reply};

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
}

fn queue(view: QueueView) -> proto::Queue {
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
