//! What is on disk of a recording that was cut off with its process.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::media::control::Recorded;
use crate::time::Duration;

/// Length and checksum of a stereo recording as it lies there; `None` if it cannot be read.
pub fn measure(path: &Path) -> Option<Recorded> {
    let (bytes, sha256) = checksum(path).ok()?;
    let mut head = [0; HEAD_BYTES];
    let read = File::open(path).ok()?.read(&mut head).ok()?;
    let head = head.get(..read)?;
    let data = position(head, b"data")? + 8;
    let fmt = position(head, b"fmt ")? + 8;
    let frame = u64::from(u16::from_le_bytes(head.get(fmt + 12..fmt + 14)?.try_into().ok()?));
    let rate = u64::from(u32::from_le_bytes(head.get(fmt + 4..fmt + 8)?.try_into().ok()?));
    let frames = bytes.saturating_sub(data as u64).checked_div(frame)?;
    Some(Recorded {
        path: path.to_owned(),
        length: Duration::from_micros((frames * 1_000_000).checked_div(rate)?),
        bytes,
        sha256,
        fault: Some("cut off with the process".to_owned()),
    })
}

fn position(head: &[u8], name: &[u8]) -> Option<usize> {
    head.windows(name.len()).position(|window| window == name)
}

fn checksum(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((bytes, hex::encode(hasher.finalize())))
}

/// More than the header of any recording of ours.
const HEAD_BYTES: usize = 256;
