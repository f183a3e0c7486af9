//! What a recording lacks, noted beside its file: a process that is killed cannot tell it any more.
//!
//! There is no such file while nothing was lost. It has a line for each gap, of microseconds:
//! `FROM LENGTH WHY`. It is replaced as a whole, so it is always one state or the next, and it goes
//! when its recording goes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::media::control::Gap;
use crate::time::Duration;

/// Where the gaps of a recording are noted.
pub fn beside(recording: &Path) -> PathBuf {
    with_ending(recording, ".gaps")
}

/// Notes all gaps of a recording so far.
///
/// # Errors
///
/// If the disk refuses; what was noted before stays.
pub fn note(recording: &Path, gaps: &[Gap]) -> io::Result<()> {
    let line =
        |gap: &Gap| format!("{} {} {}\n", gap.from.as_micros(), gap.length.as_micros(), gap.why);
    let next = with_ending(recording, ".gaps.next");
    fs::write(&next, gaps.iter().map(line).collect::<String>())?;
    fs::rename(next, beside(recording))
}

/// The gaps that were noted; none for a file that is not there. Lines that say nothing are left
/// out.
pub fn read(recording: &Path) -> Vec<Gap> {
    let text = fs::read_to_string(beside(recording)).unwrap_or_default();
    text.lines().filter_map(gap).take(GAPS_MAX).collect()
}

/// Forgets a recording's gaps, with the recording.
pub fn forget(recording: &Path) {
    let _ = fs::remove_file(beside(recording)); // most have none
}

fn gap(line: &str) -> Option<Gap> {
    let mut words = line.splitn(3, ' ');
    let mut micros = || Some(Duration::from_micros(words.next()?.parse().ok()?));
    let (from, length) = (micros()?, micros()?);
    Some(Gap { from, length, why: words.next()?.to_owned() })
}

fn with_ending(recording: &Path, ending: &str) -> PathBuf {
    let mut name = recording.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Lines that are read: as many as are ever written.
const GAPS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav.enc");
        let gap = |n| Gap {
            from: Duration::from_millis(n),
            length: Duration::from_micros(300_125),
            why: "the disk was too slow".to_owned(),
        };
        assert_eq!(read(&path), []);

        note(&path, &[gap(1)]).unwrap();
        note(&path, &[gap(1), gap(5000)]).unwrap();

        assert_eq!(read(&path), [gap(1), gap(5000)]);
        forget(&path);
        assert_eq!(read(&path), []);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// Whatever lies there: no panic, and what can be read is.
    #[test]
    fn other_lines_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let lines = "\n1\n1 2\nx 2 y\n-1 2 y\n99999999999999999999 2 y\n3 4 the disk\n";
        fs::write(beside(&path), lines.to_owned() + &"1 1 x\n".repeat(1000)).unwrap();

        let gaps = read(&path);

        assert_eq!((gaps[0].from, &*gaps[0].why), (Duration::from_micros(3), "the disk"));
        assert_eq!(gaps.len(), GAPS_MAX);
        fs::write(beside(&path), [0xff, 0xfe]).unwrap();
        assert_eq!(read(&path), []);
    }
}
