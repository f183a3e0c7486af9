//! The fuzzer's seeds, and days drawn from a seed, as an ordinary test: see `support/chaos.rs`.

#[path = "support/chaos.rs"]
mod chaos;
#[path = "support/world/studio.rs"]
#[allow(dead_code, reason = "who hears whom is not looked at here")]
mod studio;

use std::fs;

use strowger::rng::Rng;

#[test]
fn the_seeds_of_the_fuzzer_are_played_to_the_end() {
    let mut seeds = 0;
    for entry in fs::read_dir("fuzz/corpus/switch_inputs").expect("the seeds are there") {
        let path = entry.expect("the folder can be read").path();
        chaos::play(&fs::read(path).expect("the seed can be read"));
        seeds += 1;
    }
    assert!(seeds >= 3, "only {seeds} seeds");
}

#[test]
fn days_of_chance_leave_nothing_behind() {
    let mut talks = 0;
    for seed in 0..150 {
        let mut rng = Rng::from_number(seed);
        let length = 200 + rng.below(1500) as usize;
        let bytes: Vec<u8> = (0..length).map(|_| rng.below(256) as u8).collect();
        println!("seed {seed}");
        talks += chaos::play(&bytes);
    }
    assert!(talks > 30, "only {talks} talks: this proves little");
}
