//! Any day of a whole Switch: nothing panics, the tables keep to their limits, nothing is left.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/chaos.rs"]
mod chaos;
#[path = "../../tests/support/world/studio.rs"]
#[allow(dead_code, reason = "who hears whom is not looked at here")]
mod studio;

fuzz_target!(|bytes: &[u8]| {
    chaos::play(bytes);
});
