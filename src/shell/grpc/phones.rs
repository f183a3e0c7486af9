//! `strowger.v1.Phones`.

use tonic::{Request, Response, Status};

use super::convert::time;
use super::handle::{SwitchHandle, unexpected};
use crate::shell::proto;
use crate::shell::proto::phones_server::Phones;
use crate::switch::request::{self, ContactView, PhoneView, Reply};

pub struct Service {
    pub switch: SwitchHandle,
}

#[tonic::async_trait]
impl Phones for Service {
    async fn list(
        &self,
        _: Request<proto::ListPhonesRequest>,
    ) -> Result<Response<proto::ListPhonesResponse>, Status> {
        match self.switch.ask(request::Request::Phones).await? {
            Reply::Phones(phones) => {
                let phones = phones.into_iter().map(phone).collect();
                Ok(Response::new(proto::ListPhonesResponse { phones }))
            }
            other => Err(unexpected(&other)),
        }
    }
}

pub fn phone(view: PhoneView) -> proto::Phone {
    proto::Phone {
        extension: view.extension.to_string(),
        name: view.name,
        calls: view.calls,
        do_not_disturb: view.services.dnd,
        forward_always: view.services.always,
        forward_busy: view.services.busy,
        forward_no_answer: view.services.no_answer,
        contacts: view.contacts.into_iter().map(contact).collect(),
    }
}

fn contact(view: ContactView) -> proto::Contact {
    proto::Contact {
        uri: view.uri,
        address: view.address,
        user_agent: view.user_agent,
        register_time: Some(time(view.registered)),
        expire_time: Some(time(view.expires)),
    }
}
