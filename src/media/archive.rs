//! `[recordings]`: how recordings are kept, and which of them must go.
//!
//! Spec:     REC-2 (retention), docs/operations.md.
//! In:       the files of the archive; both clocks, the wall clock of which may be wrong.
//! Out:      the files to remove, the oldest first, each with the reason.
//! Not here: removing them, and noting it in the ledger (`shell::media::retention`).

use std::path::PathBuf;

use serde::Deserialize;

use crate::audio::ogg_opus::BITRATES;
use crate::media::config::Size;
use crate::time::{Duration, Instant, Wall};

/// `[recordings]`: how recordings are kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How much of one core converting may take, in percent; it has the lowest priority besides.
    /// Default 25.
    pub convert_cpu_max: u8,
    /// What recordings become when their call is over: `"as-recorded"`, or `"opus"`, an Ogg/Opus
    /// file (RFC 7845) of both sides. Default `"as-recorded"`.
    pub format_after: FormatAfter,
    /// How long after its end a recording is converted, at the earliest. Default `"1m"`.
    #[serde(with = "crate::time::WithinYears")]
    pub format_after_wait: Duration,
    /// How long recordings are kept, counted from their end. Default: for ever.
    #[serde(with = "crate::time::WithinYears")]
    pub keep: Option<Duration>,
    /// The file of keys that recordings are encrypted with, relative to the configuration file:
    /// on each line a name and 64 hexadecimal digits. New recordings take the last one, those of
    /// before are read with theirs. Default: none, recordings are not encrypted.
    pub keys: Option<PathBuf>,
    /// Bits a second of an Ogg/Opus file, both sides together: 32000 to 256000. Default 48000.
    pub opus_bitrate: u32,
    /// Whether the file as it was recorded stays beside the converted one. Default false.
    pub original_kept: bool,
    /// Size of all recordings at which the oldest are removed. Default: no limit.
    pub size_max: Option<Size>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            convert_cpu_max: 25,
            format_after: FormatAfter::AsRecorded,
            format_after_wait: Duration::from_secs(60),
            keep: None,
            keys: None,
            opus_bitrate: 48_000,
            original_kept: false,
            size_max: None,
        }
    }
}

/// What recordings become when their call is over.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum FormatAfter {
    AsRecorded,
    Opus,
}

impl Config {
    /// What the name of a recording's file ends in.
    pub fn extension(&self) -> &'static str {
        if self.keys.is_some() { "wav.enc" } else { "wav" }
    }

    /// What is wrong with the values, as pairs of key and sentence.
    pub fn mistakes(&self) -> Vec<(&'static str, &'static str)> {
        let mut mistakes = Vec::new();
        if self.keep.is_some_and(|keep| keep < KEEP_MIN) {
            mistakes.push(("keep", "nobody could hear them; write \"1h\" or more"));
        }
        if self.size_max.is_some_and(|size| size < SIZE_MIN) {
            mistakes.push(("size_max", "no recording has room; write \"1MiB\" or more"));
        }
        if !(1..=100).contains(&self.convert_cpu_max) {
            mistakes.push(("convert_cpu_max", "it is a share of a core; write 1 to 100"));
        }
        if !BITRATES.contains(&self.opus_bitrate) {
            mistakes.push(("opus_bitrate", "it is for both sides; write 32000 to 256000"));
        }
        mistakes
    }
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    pub path: PathBuf,
    pub bytes: u64,
    /// When it was last written.
    pub written: Wall,
    /// It is not complete yet.
    pub grows: bool,
}

/// Why a recording must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Age,
    Size,
}

/// Decides which recordings must go.
///
/// A wall clock that jumps must not empty the archive: after a start, and after each jump, nothing
/// is removed for its age for a while, in which the clock can be put right; for long after a jump
/// that is longer than any that is meant.
#[derive(Clone, Debug)]
pub struct Retention {
    keep: Option<Duration>,
    size_max: Option<u64>,
    seen: (Instant, Wall),
    /// From when on the wall clock is believed.
    trusted_from: Instant,
}

impl Retention {
    /// `alive` is when the node is last known to have lived before it was started.
    pub fn new(config: &Config, now: Instant, wall: Wall, alive: Option<Wall>) -> Self {
        let step = alive.map_or(Duration::ZERO, |alive| distance(alive, wall));
        Self {
            keep: config.keep,
            size_max: config.size_max.map(|size| size.0),
            seen: (now, wall),
            trusted_from: now + doubt(step),
        }
    }

    /// Whether there is anything to do at all.
    pub fn is_on(&self) -> bool {
        self.keep.is_some() || self.size_max.is_some()
    }

    /// How far the wall clock jumped since it was last looked at, if it did.
    pub fn look(&mut self, now: Instant, wall: Wall) -> Option<Duration> {
        let expected = self.seen.1 + now.since(self.seen.0);
        let step = distance(expected, wall);
        self.seen = (now, wall);
        if step < STEP_MIN {
            return None;
        }
        self.trusted_from = self.trusted_from.max(now + doubt(step));
        Some(step)
    }

    /// The files that must go at the moment of the last look, the oldest first.
    pub fn plan<'a>(&self, files: &'a [Filed]) -> Vec<(&'a Filed, Why)> {
        let (now, wall) = self.seen;
        let mut all: Vec<&Filed> = files.iter().collect();
        all.sort_by(|a, b| (a.written, &a.path).cmp(&(b.written, &b.path)));
        let keep = self.keep.filter(|_| now >= self.trusted_from);
        let is_old = |file: &Filed| {
            // What was written before the clock was set has no age.
            file.written >= PLAUSIBLE && keep.is_some_and(|keep| wall.since(file.written) > keep)
        };
        let mut left: u64 = all.iter().map(|file| file.bytes).sum();
        let mut plan = Vec::new();
        for file in all.into_iter().filter(|file| !file.grows) {
            let why = if is_old(file) {
                Why::Age
            } else if self.size_max.is_some_and(|most| left > most) {
                Why::Size
            } else {
                continue;
            };
            left -= file.bytes;
            plan.push((file, why));
        }
        plan
    }
}

fn distance(a: Wall, b: Wall) -> Duration {
    a.since(b).max(b.since(a))
}

/// How long a wall clock is not believed that jumped so far.
fn doubt(step: Duration) -> Duration {
    if step > STEP_GREAT { DOUBT_GREAT } else { DOUBT }
}

const KEEP_MIN: Duration = Duration::from_secs(3600);
const SIZE_MIN: Size = Size(1 << 20);
/// Less is what clocks do by themselves.
const STEP_MIN: Duration = Duration::from_secs(300);
/// More is hardly meant: a machine without a battery, or one that was off for a month.
const STEP_GREAT: Duration = Duration::from_secs(30 * 86_400);
const DOUBT: Duration = Duration::from_secs(3600);
const DOUBT_GREAT: Duration = Duration::from_secs(7 * 86_400);
/// 2020-01-01: no recording is older.
const PLAUSIBLE: Wall = Wall::from_micros(1_577_836_800_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_goes_the_oldest_first() {
        let shelf = Shelf::new("keep = \"30d\"");
        let files = [file(3, 40), file(1, 50), file(2, 29)];

        assert_eq!(shelf.gone(&files), "", "the clock may not be set yet");
        assert_eq!(shelf.at(HOUR).gone(&files), "1:Age 3:Age");
    }

    #[test]
    fn what_exceeds_the_size_goes_the_oldest_first() {
        let shelf = Shelf::new("size_max = \"3MiB\"");
        let mut files = [file(1, 4), file(2, 3), file(3, 2), file(4, 1), file(5, 0)];

        assert_eq!(shelf.gone(&files), "1:Size 2:Size");
        files[0].grows = true;
        assert_eq!(shelf.gone(&files), "2:Size 3:Size", "never one in progress");
        assert_eq!(shelf.gone(&files[..2]), "");
    }

    #[test]
    fn both_count_together() {
        let shelf = Shelf::new("keep = \"30d\"\nsize_max = \"2MiB\"").at(HOUR);
        let files = [file(1, 50), file(2, 40), file(3, 2), file(4, 1), file(5, 0)];

        assert_eq!(shelf.gone(&files), "1:Age 2:Age 3:Size");
    }

    /// Somebody sets the clock to 2036, or a machine wakes up there, and back an hour later.
    #[test]
    fn a_clock_that_jumps_does_not_empty_the_archive() {
        let files = [file(1, 20), file(2, 10), file(3, 0)];
        let mut shelf = Shelf::new("keep = \"30d\"").at(HOUR);
        let decade = 3650 * DAY;

        assert_eq!(shelf.retention.look(shelf.now, shelf.wall + decade), Some(decade));
        assert_eq!(shelf.gone(&files), "");
        let later = shelf.now + HOUR;
        assert_eq!(shelf.retention.look(later, shelf.wall + HOUR), Some(decade));
        assert_eq!(shelf.gone(&files), "");
        let month_later = shelf.now + 31 * DAY;
        assert_eq!(shelf.retention.look(month_later, shelf.wall + 31 * DAY), None);
        assert_eq!(shelf.gone(&files), "1:Age 2:Age 3:Age");
    }

    /// It stays in 2036: the admin has a week to notice.
    #[test]
    fn a_clock_that_stays_wrong_is_believed_after_a_week() {
        let files = [file(1, 0)];
        let mut shelf = Shelf::new("keep = \"30d\"");
        let wrong = shelf.wall + 3650 * DAY;
        let started = Retention::new(&shelf.config, Instant::START, wrong, Some(shelf.wall));
        shelf.retention = started;

        for days in 1..7 {
            shelf.retention.look(Instant::START + days * DAY, wrong + days * DAY);
            assert_eq!(shelf.gone(&files), "", "day {days}");
        }
        shelf.retention.look(Instant::START + 8 * DAY, wrong + 8 * DAY);
        assert_eq!(shelf.gone(&files), "1:Age");
    }

    #[test]
    fn a_recording_from_before_the_clock_was_set_has_no_age() {
        let shelf = Shelf::new("keep = \"30d\"").at(HOUR);
        let unset = Filed { written: Wall::from_micros(5_000_000), ..file(1, 0) };

        assert_eq!(shelf.gone(&[unset]), "");
    }

    #[test]
    fn what_would_remove_everything_is_a_mistake() {
        for (text, key) in [
            ("keep = \"59m\"", "keep"),
            ("size_max = \"1KiB\"", "size_max"),
            ("convert_cpu_max = 0", "convert_cpu_max"),
            ("opus_bitrate = 31999", "opus_bitrate"),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            assert_eq!(config.mistakes()[0].0, key);
        }
        assert_eq!(Config::default().mistakes(), []);
        assert!(!Shelf::new("").retention.is_on());
    }

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(86_400);
    const TODAY: Wall = Wall::from_micros(1_796_000_000_000_000);

    /// A file of 1 MiB that was written so many days ago.
    fn file(name: u32, days: u32) -> Filed {
        let written = TODAY.as_micros() - i64::from(days) * 86_400_000_000;
        let written = Wall::from_micros(written);
        Filed { path: name.to_string().into(), bytes: 1 << 20, written, grows: false }
    }

    struct Shelf {
        config: Config,
        retention: Retention,
        now: Instant,
        wall: Wall,
    }

    impl Shelf {
        fn new(config: &str) -> Self {
            let config: Config = toml::from_str(config).unwrap();
            let retention = Retention::new(&config, Instant::START, TODAY, Some(TODAY));
            Self { config, retention, now: Instant::START, wall: TODAY }
        }

        fn at(mut self, after: Duration) -> Self {
            (self.now, self.wall) = (Instant::START + after, TODAY + after);
            assert_eq!(self.retention.look(self.now, self.wall), None);
            self
        }

        fn gone(&self, files: &[Filed]) -> String {
            let plan = self.retention.plan(files);
            let words = plan.iter().map(|(file, why)| format!("{}:{why:?}", file.path.display()));
            words.collect::<Vec<_>>().join(" ")
        }
    }
}
