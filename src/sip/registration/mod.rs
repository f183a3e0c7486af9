//! Our own registrations at the registrars of others (RFC 3261 §10.2).

#[expect(clippy::module_inception, reason = "the RFC's word for the machine and for its folder")]
pub mod registration;

#[cfg(test)]
mod tests;

pub use registration::{Account, Input, Kept, Output, Registration, Status};
