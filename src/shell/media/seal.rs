//! Completes a recording's file: its length in the header, its bytes on the disk, its checksum.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::audio::wav::{self, Format};
use crate::media::control::Recorded;
use crate::media::recorder::RATE;
use crate::time::Duration;

/// Writes the length into the header, makes the file durable, and reads it once for its checksum:
/// its size in bytes, and that.
///
/// # Errors
///
/// If the disk refuses.
pub fn seal(file: &mut File, format: Format, frames: u64) -> io::Result<(u64, String)> {
    let data_bytes = frames * frame_bytes(format);
    let header = wav::header(CHANNELS, RATE, format, Some(data_bytes));
    let bytes = header.len() as u64 + data_bytes;
    file.set_len(bytes)?; // a write that failed may have left half a block
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header)?;
    file.sync_data()?;
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((bytes, hex::encode(hash.finalize()))),
            count => hash.update(&piece[..count]),
        }
    }
}

/// Seals a recording that was cut off with its process; `None` if it is none of ours, or cannot be
/// read.
pub fn seal_cut_off(path: &Path) -> Option<Recorded> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    let format = format_of(&mut file)?;
    let head = wav::header(CHANNELS, RATE, format, None).len() as u64;
    let frames = file.metadata().ok()?.len().saturating_sub(head) / frame_bytes(format);
    let (bytes, sha256) = seal(&mut file, format, frames)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "cannot be sealed"))
        .ok()?;
    Some(Recorded {
        path: path.to_owned(),
        length: length(frames),
        bytes,
        sha256,
        fault: Some("cut off with the process".to_owned()),
    })
}

/// How long so many frames last.
pub fn length(frames: u64) -> Duration {
    Duration::from_micros(1_000_000 / u64::from(RATE) * frames)
}

/// The format whose header the file begins with.
fn format_of(file: &mut File) -> Option<Format> {
    let mut head = [0; WHAT_NOT_HOW_LONG.end];
    file.read_exact(&mut head).ok()?;
    [Format::Pcm16, Format::Alaw, Format::Ulaw].into_iter().find(|format| {
        let own = wav::header(CHANNELS, RATE, *format, None);
        own[WHAT_NOT_HOW_LONG] == head[WHAT_NOT_HOW_LONG]
    })
}

fn frame_bytes(format: Format) -> u64 {
    u64::from(CHANNELS * format.sample_bytes())
}

/// The bytes of a header that tell formats apart and hold no length.
const WHAT_NOT_HOW_LONG: std::ops::Range<usize> = 8..36;

/// Caller left, the other right.
pub const CHANNELS: u16 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::Wav;

    /// What kill -9 leaves: a header without a length, and half a frame at the end.
    #[test]
    fn a_file_that_was_cut_off_plays_anywhere_after_it() {
        let folder = tempfile::tempdir().unwrap();
        for (format, name) in
            [(Format::Pcm16, "pcm16"), (Format::Alaw, "alaw"), (Format::Ulaw, "ulaw")]
        {
            let path = folder.path().join(name);
            let mut file = wav::header(CHANNELS, RATE, format, None);
            let whole = file.len() + 80 * usize::from(CHANNELS * format.sample_bytes());
            file.resize(whole + 1, 0x12);
            std::fs::write(&path, &file).unwrap();

            let sealed = seal_cut_off(&path).unwrap();

            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(sealed.length, Duration::from_millis(10), "{name}");
            assert_eq!((sealed.bytes, bytes.len()), (whole as u64, whole));
            assert_eq!(sealed.sha256, hex::encode(Sha256::digest(&bytes)));
            assert_eq!(Wav::parse(&bytes).unwrap().frames(), 80);
            let known = wav::header(CHANNELS, RATE, format, Some(80 * frame_bytes(format)));
            assert_eq!(bytes[..known.len()], known, "players read the length from the header");
        }
    }

    #[test]
    fn what_is_no_recording_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("short", "RIFF"), ("text", &*"no recording at all ".repeat(9))] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            assert_eq!(seal_cut_off(&path), None);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(seal_cut_off(&folder.path().join("none")), None);
    }
}
