//! Registrar: which phones an account has, and how they are reached (RFC 3261 §10, RFC 3581).

pub mod binding;
pub mod gruu;
pub mod nat;
#[expect(clippy::module_inception, reason = "the RFC's word for the machine and for its folder")]
pub mod registrar;
pub mod way;

#[cfg(test)]
mod gruu_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod way_tests;

pub use binding::{Binding, Bindings, StoredBinding};
pub use gruu::Phone;
pub use nat::Path;
pub use registrar::{Change, Config, Registrar};
