//! What a leg on a trunk has that a phone's has not.

use super::config::{Digits, Trunk};
use super::line::login;
use crate::call::leg::{Leg, Output};

/// Makes a leg that of a trunk; `requests` are those that it has sent already.
pub fn prepare(leg: &mut Leg, config: &Trunk, requests: &[Output]) {
    if let Some(login) = login(config) {
        leg.log_in(login, requests);
    }
    if config.digits == Digits::Info {
        leg.send_keys_as_info();
    }
}
