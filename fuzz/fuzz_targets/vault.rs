//! Encrypted recordings: any bytes are read without a panic, and of one that was altered, cut,
//! or put together anew, nothing is read but what was written there, in its order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strowger::audio::wav::Format;
use strowger::media::vault::{
    Content, HEAD_BYTES, HEADER_BYTES, Keys, Layout, Piece, Reader, SALT_BYTES, VaultError, Writer,
};

#[derive(Debug, PartialEq)]
enum Heard {
    Samples(Vec<u8>),
    Silence(u64),
    End,
}

fuzz_target!(|bytes: &[u8]| {
    let keys = Keys::parse(&format!("one {}", "5a".repeat(32))).expect("a key");
    let _ = read(&keys, bytes);

    let [count, bytes @ ..] = bytes else { return };
    let (chunks, edits) = bytes.split_at(usize::from(*count).min(bytes.len()));
    let layout = Content::Samples(Layout { format: Format::Alaw, channels: 2, rate: 8000 });
    let mut writer = Writer::new(keys.newest(), [7; SALT_BYTES], layout);
    let mut parts = vec![writer.header().to_vec()];
    let (mut said, mut frames) = (Vec::new(), 0);
    for (n, size) in chunks.iter().enumerate() {
        if size % 4 == 3 {
            said.push(Heard::Silence((*size).into()));
            parts.push(writer.silence((*size).into()));
            frames += u64::from(*size);
        } else {
            let samples = vec![n as u8; 2 * usize::from(*size)];
            parts.push(writer.chunk(&samples));
            said.push(Heard::Samples(samples));
            frames += u64::from(*size);
        }
        writer.written();
    }
    parts.push(writer.end(frames));
    said.push(Heard::End);
    let written = parts.concat();
    let (heard, wrong) = read(&keys, &written);
    assert_eq!((&heard, wrong), (&said, None), "what is written is read");

    let altered = edited(parts, edits);
    let (heard, wrong) = read(&keys, &altered);
    assert_eq!(heard, said[..heard.len()], "nothing but what was written there");
    let is_whole = wrong.is_none() && heard.last() == Some(&Heard::End);
    assert!(!is_whole || altered.starts_with(&written), "an end after something else");
});

/// Each three bytes change something: a bit, the order, the length.
fn edited(mut parts: Vec<Vec<u8>>, edits: &[u8]) -> Vec<u8> {
    for edit in edits.chunks_exact(3) {
        let at = usize::from(edit[1]) % parts.len();
        match edit[0] % 5 {
            0 => {
                let part = &mut parts[at];
                let byte = usize::from(edit[2]) % part.len().max(1);
                if let Some(byte) = part.get_mut(byte) {
                    *byte ^= 1 << (edit[0] / 32);
                }
            }
            1 => {
                let other = usize::from(edit[2]) % parts.len();
                parts.swap(at, other);
            }
            2 => parts[at].truncate(edit[2].into()),
            3 if parts.len() > 1 => _ = parts.remove(at),
            3 => {}
            _ => {
                let part = parts[at].clone();
                parts.push(part);
            }
        }
    }
    parts.concat()
}

/// Reads a file to its end, or to where it is wrong.
fn read(keys: &Keys, file: &[u8]) -> (Vec<Heard>, Option<VaultError>) {
    let mut heard = Vec::new();
    let Some((header, mut rest)) = file.split_first_chunk::<HEADER_BYTES>() else {
        return (heard, None);
    };
    let mut reader = match Reader::new(keys, header) {
        Ok(reader) => reader,
        Err(wrong) => return (heard, Some(wrong)),
    };
    while let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>() {
        let length = match reader.body_bytes(*head) {
            Ok(length) => length,
            Err(wrong) => return (heard, Some(wrong)),
        };
        let Some((body, after)) = after.split_at_checked(length) else { break };
        rest = after;
        match reader.open(*head, &mut body.to_vec()) {
            Ok(Piece::Samples(samples)) => heard.push(Heard::Samples(samples.to_vec())),
            Ok(Piece::Silence(frames)) => heard.push(Heard::Silence(frames)),
            Ok(Piece::End) => {
                heard.push(Heard::End);
                break;
            }
            Err(wrong) => return (heard, Some(wrong)),
        }
    }
    (heard, None)
}
