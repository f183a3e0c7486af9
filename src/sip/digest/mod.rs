//! Digest authentication (RFC 7616, RFC 8760): who a request is from.
//!
//! `auth` checks what phones answer to our challenges, `nonce` makes and judges the nonces, `guard`
//! slows down who guesses passwords (`locks` is how), `answer` answers the challenges of others,
//! `login` does so for a request, `hash` is the arithmetic.

pub mod answer;
pub mod auth;
pub mod guard;
pub mod hash;
pub mod locks;
pub mod login;
pub mod nonce;

mod fields;

pub use answer::{Credentials, answer};
pub use auth::{Auth, Config, Verdict};
pub use hash::{Algorithm, Secret};
pub use login::Login;
