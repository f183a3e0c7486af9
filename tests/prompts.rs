//! The folder of prompts holds what the code can name, and nothing that cannot be played well.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use strowger::audio::keys::Detector;
use strowger::audio::wav::{Format, Wav};
use strowger::ivr::speech::{self, Locale};

#[test]
fn every_locale_has_every_prompt() {
    for locale in Locale::ALL {
        let words = speech::words(locale).into_iter().map(|word| word.to_string());
        let wanted: BTreeSet<_> = NAMES.iter().map(ToString::to_string).chain(words).collect();
        assert_eq!(names(locale.as_str()), wanted, "{}", locale.as_str());
    }
    assert_eq!(names("."), BTreeSet::from(["beep", "hold", "ringback"].map(str::to_owned)));
}

#[test]
fn every_prompt_is_telephone_speech_at_one_loudness() {
    for (name, wav) in all() {
        assert_eq!((wav.rate, wav.channels, wav.format), (8000, 1, Format::Pcm16), "{name}");
        let seconds = wav.frames() as f64 / 8000.0;
        assert!((0.2..30.0).contains(&seconds), "{name} lasts {seconds} s");
        let peak = wav.samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((4000..24_000).contains(&peak), "{name} peaks at {peak}");
        let (first, last) = (wav.samples[0], wav.samples[wav.samples.len() - 1]);
        assert!(first.abs() < 200 && last.abs() < 200, "{name} clicks: {first}, {last}");
    }
}

/// They are built into the binary.
#[test]
fn all_prompts_together_stay_small() {
    let bytes: usize = all().iter().map(|(_, wav)| 2 * wav.samples.len()).sum();

    assert!(bytes < 5 << 20, "{bytes} bytes");
}

#[test]
fn music_lasts_and_never_pauses() {
    let wav = read(Path::new("hold.wav"));

    assert!(wav.frames() > 20 * 8000);
    for (at, second) in wav.samples.chunks_exact(8000).enumerate() {
        let energy: f64 = second.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        assert!((energy / 8000.0).sqrt() > 300.0, "second {at} is silent");
    }
}

/// Nobody who speaks presses a key, nor does the music (ITU-T Q.24: no talk-off).
#[test]
fn no_prompt_sounds_like_a_key() {
    let mut samples = 0;
    for (name, wav) in all() {
        samples += wav.frames();
        for quieter in [1, 3, 10] {
            let speech: Vec<_> = wav.samples.iter().map(|sample| sample / quieter).collect();
            let (mut detector, mut keys) = (Detector::default(), Vec::new());
            detector.hear(&speech, &mut keys);
            assert!(keys.is_empty(), "{name}: {keys:?}");
        }
    }
    assert!(samples > 60 * 8000, "only {samples} samples");
}

/// The names that menus, queues and feature codes use, in each locale.
const NAMES: [&str; 37] = [
    "agent-available",
    "agent-away",
    "agent-break-later",
    "agent-break-refused",
    "agent-denied",
    "agent-id",
    "agent-in",
    "agent-out",
    "agent-pin",
    "agent-reason",
    "busy",
    "callback-choose",
    "callback-confirm",
    "callback-number",
    "callback-offer",
    "callback-refused",
    "callback-set",
    "callback-sorry",
    "callback-type",
    "closed",
    "comfort",
    "echo",
    "forward-number",
    "goodbye",
    "invalid",
    "no-input",
    "nobody",
    "please-wait",
    "position",
    "position-after",
    "recording-notice",
    "service-off",
    "service-on",
    "try-later",
    "welcome",
    "wrap-up-done",
    "wrap-up-extended",
];

fn all() -> Vec<(String, Wav)> {
    let folders = [".", Locale::EnUs.as_str(), Locale::ZhCn.as_str()];
    let files = folders.iter().flat_map(|folder| {
        names(folder).into_iter().map(move |name| format!("{folder}/{name}.wav"))
    });
    files.map(|file| (file.clone(), read(Path::new(&file)))).collect()
}

fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "wav"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn read(file: &Path) -> Wav {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts").join(file);
    Wav::parse(&fs::read(path).unwrap()).unwrap()
}
