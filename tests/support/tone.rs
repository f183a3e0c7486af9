//! Tones: made into WAV files for phones to say, found again in what the other side recorded.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

/// Decoded 16-bit PCM, one vector a channel.
#[derive(Clone, Debug)]
pub struct Wav {
    pub rate: u32,
    pub channels: Vec<Vec<i16>>,
}

impl Wav {
    /// Reads PCM-16, A-law or µ-law. A length that the header leaves open, or that is longer than
    /// the file, ends with the file: that is how a recorder that was killed leaves it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&bytes).ok_or_else(|| format!("{}: not a WAV file", path.display()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WAVE" {
            return None;
        }
        let (mut at, mut format) = (12, None);
        while let Some(head) = bytes.get(at..at + 8) {
            let size = u32::from_le_bytes(head[4..8].try_into().ok()?) as usize;
            let body = &bytes[at + 8..];
            match &head[..4] {
                b"fmt " => {
                    let kind = u16::from_le_bytes(body.get(..2)?.try_into().ok()?);
                    let channels = u16::from_le_bytes(body.get(2..4)?.try_into().ok()?);
                    let rate = u32::from_le_bytes(body.get(4..8)?.try_into().ok()?);
                    format = Some((kind, usize::from(channels), rate));
                }
                b"data" => {
                    let (kind, channels, rate) = format?;
                    let known = if size == 0 { body.len() } else { size.min(body.len()) };
                    let samples = decode(kind, &body[..known])?;
                    return Some(Self { rate, channels: split(&samples, channels) });
                }
                _ => {}
            }
            at += 8 + size + size % 2;
        }
        None
    }

    pub fn seconds(&self) -> f64 {
        self.channels.first().map_or(0.0, |channel| channel.len() as f64 / f64::from(self.rate))
    }

    /// Seconds of a channel in which the tone is what is heard: windows of 50 ms of which it holds
    /// at least half the energy.
    pub fn seconds_of(&self, channel: usize, hertz: f64) -> f64 {
        self.heard(channel, hertz).iter().filter(|heard| **heard).count() as f64 * 0.05
    }

    /// For each window of 50 ms, whether the tone is what is heard.
    pub fn heard(&self, channel: usize, hertz: f64) -> Vec<bool> {
        let window = (self.rate / 20) as usize;
        let Some(samples) = self.channels.get(channel) else { return Vec::new() };
        samples.chunks_exact(window).map(|part| share(part, self.rate, hertz) > 0.5).collect()
    }
}

/// The share of the energy that is at one frequency, 0 for near silence (Goertzel).
pub fn share(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let step = TAU * hertz / f64::from(rate);
    let turn = 2.0 * step.cos();
    let (mut before, mut last, mut energy) = (0.0, 0.0, 0.0);
    for sample in samples {
        let sample = f64::from(*sample);
        energy += sample * sample;
        (before, last) = (last, sample + turn * last - before);
    }
    let count = samples.len() as f64;
    if energy / count < 100.0 * 100.0 {
        return 0.0;
    }
    let power = before * before + last * last - turn * before * last;
    2.0 * power / (count * energy)
}

/// Writes `seconds` of a tone at half of full scale: 16-bit PCM, mono, 8 kHz.
pub fn write(path: &Path, hertz: f64, seconds: u32) {
    write_at(path, (hertz, PEAK), seconds, RATE);
}

/// Half of full scale.
pub const PEAK: f64 = 16_000.0;

/// The same, at another rate, of a tone as loud as its peak sample says.
pub fn write_at(path: &Path, (hertz, peak): (f64, f64), seconds: u32, rate: u32) {
    let sample =
        |index: u32| ((TAU * hertz * f64::from(index) / f64::from(rate)).sin() * peak) as i16;
    write_samples(path, &(0..seconds * rate).map(sample).collect::<Vec<_>>(), rate);
}

/// Writes samples: 16-bit PCM, mono.
pub fn write_samples(path: &Path, samples: &[i16], rate: u32) {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let size = u32::try_from(data.len()).expect("a few minutes of tone");
    let mut file = Vec::with_capacity(44 + data.len());
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + size).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    for word in [16, 0x0001_0001, rate, 2 * rate, 0x0010_0002] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&size.to_le_bytes());
    file.extend_from_slice(&data);
    fs::write(path, file).expect("a scratch folder can be written");
}

const RATE: u32 = 8000;

fn split(samples: &[i16], channels: usize) -> Vec<Vec<i16>> {
    (0..channels)
        .map(|channel| samples.iter().skip(channel).step_by(channels).copied().collect())
        .collect()
}

fn decode(kind: u16, data: &[u8]) -> Option<Vec<i16>> {
    match kind {
        1 | 0xfffe => {
            Some(data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
        }
        6 => Some(data.iter().map(|byte| alaw(*byte)).collect()),
        7 => Some(data.iter().map(|byte| ulaw(*byte)).collect()),
        _ => None,
    }
}

/// ITU-T G.711 A-law.
pub fn alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = ((byte >> 4) & 7, i16::from(byte & 15) << 4);
    let size = match exponent {
        0 => mantissa + 8,
        exponent => (mantissa + 0x108) << (exponent - 1),
    };
    if byte & 0x80 == 0 { -size } else { size }
}

/// ITU-T G.711 µ-law.
pub fn ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let size = (((i16::from(byte & 15) << 3) + 0x84) << ((byte >> 4) & 7)) - 0x84;
    if byte & 0x80 == 0 { size } else { -size }
}
