//! A message that was sent and may have to be sent again, in as little memory as can be.

use bytes::Bytes;

use crate::sip::message::{Message, Request, Response};

/// The bytes of a message of ours, without its index and without spare room.
///
/// Most are never needed again, so what little it costs to index them is paid by those that are.
#[derive(Debug)]
pub(super) struct Kept(Bytes);

impl Kept {
    pub(super) fn of(message: &Bytes) -> Self {
        Self(Bytes::copy_from_slice(message))
    }

    /// The request; nothing if it was none.
    pub(super) fn request(&self) -> Option<Request> {
        match Message::parse(self.0.clone()) {
            Ok(Message::Request(request)) => Some(request),
            Ok(Message::Response(_)) | Err(_) => None,
        }
    }

    /// The response; nothing if it was none.
    pub(super) fn response(&self) -> Option<Response> {
        match Message::parse(self.0.clone()) {
            Ok(Message::Response(response)) => Some(response),
            Ok(Message::Request(_)) | Err(_) => None,
        }
    }
}
