//! Dialogs: what two user agents remember of one another (RFC 3261 §12).

pub mod accepted;
#[expect(clippy::module_inception, reason = "the RFC's word for the machine and for its folder")]
pub mod dialog;
pub mod id;
pub mod modification;
pub mod refer;
pub mod reliable;
pub mod replaces;
pub mod session_timer;

pub use accepted::Accepted;
pub use dialog::{Dialog, DialogError};
pub use id::{DialogId, DialogName, DialogRef};
pub use modification::{Modification, Wish};
pub use refer::{Progress, Refer};
pub use reliable::Reliable;
pub use replaces::Replaces;
pub use session_timer::SessionTimer;
