//! Registrar: which phones an account has, and how they are reached (RFC 3261 §10, RFC 3581).

pub mod nat;
