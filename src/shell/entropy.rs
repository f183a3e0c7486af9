//! Chance from the operating system: the only place that rolls dice.

use std::io;

use crate::rng::Rng;

/// A random source that nobody can predict.
///
/// # Errors
///
/// If the operating system has no entropy to give.
pub fn rng() -> io::Result<Rng> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Rng::from_seed(seed))
}
