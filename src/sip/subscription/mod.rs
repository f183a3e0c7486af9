//! Subscriptions: phones watch what happens at others, and light their lamps (RFC 6665).
//!
//! ```text
//! event         the event packages: dialog, message-summary, presence
//! subscription  one phone watching one thing: when is it told what
//! notifier      all subscriptions: who watches what, limits, what outlives the process
//! shown         what a NOTIFY says of an extension, an agent or a queue
//! dialog_info   … as application/dialog-info+xml (RFC 4235)
//! pidf          … as application/pidf+xml (RFC 3863)
//! summary       … as application/simple-message-summary (RFC 3842)
//! ```

pub mod config;
mod dialog_info;
pub mod event;
mod notifier;
mod pidf;
pub mod shown;
mod stored;
#[expect(clippy::module_inception, reason = "the RFC's word for the machine and for its folder")]
mod subscription;
mod summary;
mod xml;

#[cfg(test)]
mod notifier_tests;
#[cfg(test)]
mod order_tests;

pub use config::Config;
pub use event::{ALLOW_EVENTS, Package, Resource, Topic};
pub use notifier::{Asked, Notifier, Output};
pub use stored::StoredSubscription;
pub use subscription::{Reason, SubscriptionId};
