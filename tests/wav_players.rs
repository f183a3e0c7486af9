//! Recordings that were cut at any byte are taken to their last sample by a player not ours.
//!
//! Needs sox, which `cargo xtask test` installs.

use std::fs;
use std::path::Path;
use std::process::Command;

use strowger::audio::g711;
use strowger::audio::wav::{Format, Wav, header};

#[test]
fn sox_reads_a_cut_recording_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Alaw, Format::Pcm16, Format::Ulaw] {
        for cut in [0, 1, 3] {
            let mut file = header(2, 8000, format, None);
            file.extend((0..FRAMES).flat_map(|index| frame(format, index)));
            file.truncate(file.len() - cut);
            let path = folder.path().join(format!("{format:?}-{cut}.wav"));
            fs::write(&path, &file).unwrap();

            let heard = sox(&path);

            let ours = Wav::parse(&file).unwrap().samples;
            let lost = if cut == 0 { 0 } else { cut.div_ceil(usize::from(frame_bytes(format))) };
            assert_eq!(ours.len(), 2 * (FRAMES - lost), "{format:?} cut by {cut}");
            assert_eq!(heard, ours, "{format:?} cut by {cut}");
        }
    }
}

#[test]
fn sox_reads_a_finished_recording() {
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Alaw, Format::Pcm16, Format::Ulaw] {
        let audio: Vec<_> = (0..FRAMES).flat_map(|index| frame(format, index)).collect();
        let mut file = header(2, 8000, format, Some(audio.len() as u64));
        assert_eq!(file.len(), header(2, 8000, format, None).len(), "corrected in place");
        file.extend(audio);
        let path = folder.path().join(format!("{format:?}.wav"));
        fs::write(&path, &file).unwrap();

        assert_eq!(sox(&path), Wav::parse(&file).unwrap().samples);
    }
}

const FRAMES: usize = 4000;

fn frame(format: Format, index: usize) -> Vec<u8> {
    let pair = [(index * 7) as i16, -(index as i16)];
    match format {
        Format::Alaw => pair.map(g711::alaw_encode).to_vec(),
        Format::Pcm16 => pair.map(i16::to_le_bytes).concat(),
        Format::Ulaw => pair.map(g711::ulaw_encode).to_vec(),
    }
}

fn frame_bytes(format: Format) -> u16 {
    2 * format.sample_bytes()
}

/// The samples that sox finds, which must find nothing to complain of.
fn sox(path: &Path) -> Vec<i16> {
    let output = Command::new("sox")
        .arg("-D")
        .arg(path)
        .args(["-t", "raw", "-e", "signed", "-b", "16", "-L", "-"])
        .output()
        .expect("sox is needed: `cargo xtask test` installs it");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{}: {complaint}", path.display());
    output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}
