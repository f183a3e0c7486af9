//! Finding SIP servers: from a URI to the addresses to try, one after the other (RFC 3263).

pub mod health;
pub mod locator;
pub mod lookup;
pub mod question;
mod srv;
pub mod target;

pub use health::Health;
pub use locator::{Located, Locator, LookupId};
pub use lookup::LocateError;
pub use question::{Answer, Candidate, Naptr, Question, QuestionId, Srv};
pub use target::{Target, TargetError, TargetHost};
