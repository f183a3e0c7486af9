//! G.711: A-law and µ-law, to and from 16-bit linear samples and each other.
//!
//! Spec:     ITU-T G.711.
//! In, out:  bytes and samples; every function is one look-up in a table built at compile time.
//! Not here: which law a payload type means (`sdp`).

/// What A-law sends for a sample of zero.
pub const ALAW_SILENCE: u8 = 0xd5;
/// What µ-law sends for a sample of zero.
pub const ULAW_SILENCE: u8 = 0xff;

/// The sample that an A-law byte stands for.
#[inline]
pub fn alaw_decode(byte: u8) -> i16 {
    ALAW_DECODED[usize::from(byte)]
}

/// The A-law byte nearest to a sample.
#[inline]
pub fn alaw_encode(sample: i16) -> u8 {
    ALAW_ENCODED[usize::from(sample as u16 >> 3)]
}

/// The sample that a µ-law byte stands for.
#[inline]
pub fn ulaw_decode(byte: u8) -> i16 {
    ULAW_DECODED[usize::from(byte)]
}

/// The µ-law byte nearest to a sample.
#[inline]
pub fn ulaw_encode(sample: i16) -> u8 {
    ULAW_ENCODED[usize::from(sample as u16 >> 2)]
}

/// Transcodes one byte without going through samples.
#[inline]
pub fn alaw_to_ulaw(byte: u8) -> u8 {
    ALAW_TO_ULAW[usize::from(byte)]
}

/// Transcodes one byte without going through samples.
#[inline]
pub fn ulaw_to_alaw(byte: u8) -> u8 {
    ULAW_TO_ALAW[usize::from(byte)]
}

static ALAW_DECODED: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = expand_alaw(byte as u8);
        byte += 1;
    }
    table
};

static ULAW_DECODED: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = expand_ulaw(byte as u8);
        byte += 1;
    }
    table
};

/// Indexed by the upper 13 bits of the sample, as unsigned.
static ALAW_ENCODED: [u8; 1 << 13] = {
    let mut table = [0; 1 << 13];
    let mut upper = 0;
    while upper < table.len() {
        table[upper] = compress_alaw((upper << 3) as u16 as i16);
        upper += 1;
    }
    table
};

/// Indexed by the upper 14 bits of the sample, as unsigned.
static ULAW_ENCODED: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut upper = 0;
    while upper < table.len() {
        table[upper] = compress_ulaw((upper << 2) as u16 as i16);
        upper += 1;
    }
    table
};

static ALAW_TO_ULAW: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = compress_ulaw(expand_alaw(byte as u8));
        byte += 1;
    }
    table
};

static ULAW_TO_ALAW: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = compress_alaw(expand_ulaw(byte as u8));
        byte += 1;
    }
    table
};

/// ITU-T G.711 table 1: sign, 3 bits of chord, 4 bits of step; even bits are inverted.
const fn expand_alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let chord = (byte >> 4) & 7;
    let step = ((byte & 15) as i16) << 4;
    let magnitude = match chord {
        0 => step + 8,
        _ => (step + 0x108) << (chord - 1),
    };
    if byte & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn compress_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample >= 0 { (0xd5, sample >> 3) } else { (0x55, !(sample >> 3)) };
    let bits = 16 - (magnitude as u16).leading_zeros() as i16;
    let chord = if bits > 5 { bits - 5 } else { 0 };
    let step = if chord < 2 { magnitude >> 1 } else { magnitude >> chord };
    sign ^ ((chord << 4) | (step & 15)) as u8
}

/// ITU-T G.711 table 2: sign, 3 bits of chord, 4 bits of step; all bits are inverted.
const fn expand_ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let step = (((byte & 15) as i16) << 3) + 0x84;
    let magnitude = (step << ((byte >> 4) & 7)) - 0x84;
    if byte & 0x80 != 0 { -magnitude } else { magnitude }
}

const fn compress_ulaw(sample: i16) -> u8 {
    let quarter = (sample >> 2) as i32;
    let (sign, magnitude) = if quarter >= 0 { (0xff, quarter) } else { (0x7f, -quarter) };
    let biased = if magnitude > 8158 { 8158 + 33 } else { magnitude + 33 };
    let chord = 32 - (biased as u32).leading_zeros() as i32 - 6;
    sign ^ ((chord << 4) | ((biased >> (chord + 1)) & 15)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ITU-T G.711 tables 1 and 2: the ends and the middle of both scales.
    #[test]
    fn known_bytes_stand_for_known_samples() {
        assert_eq!([0xd5, 0x55, 0xaa, 0x2a].map(alaw_decode), [8, -8, 32256, -32256]);
        assert_eq!([0xff, 0x7f, 0x80, 0x00].map(ulaw_decode), [0, 0, 32124, -32124]);
        assert_eq!((alaw_encode(0), ulaw_encode(0)), (ALAW_SILENCE, ULAW_SILENCE));
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for byte in 0..=255 {
            assert_eq!(alaw_encode(alaw_decode(byte)), byte);
            if byte != 0x7f {
                assert_eq!(ulaw_encode(ulaw_decode(byte)), byte); // 0x7f is the second zero
            }
        }
    }

    /// Neither law errs by more than half a step of the sample's chord.
    #[test]
    fn every_sample_is_near_its_code() {
        for sample in i16::MIN..=i16::MAX {
            let magnitude = f64::from(sample).abs();
            let allowed = 16.0 + magnitude / 31.0 + if magnitude > 32256.0 { 512.0 } else { 0.0 };
            for decoded in [alaw_decode(alaw_encode(sample)), ulaw_decode(ulaw_encode(sample))] {
                let error = (f64::from(decoded) - f64::from(sample)).abs();
                assert!(error <= allowed, "{sample} became {decoded}");
            }
        }
    }

    #[test]
    fn louder_samples_never_get_quieter_codes() {
        for sample in i16::MIN..i16::MAX {
            assert!(alaw_decode(alaw_encode(sample)) <= alaw_decode(alaw_encode(sample + 1)));
            assert!(ulaw_decode(ulaw_encode(sample)) <= ulaw_decode(ulaw_encode(sample + 1)));
        }
    }

    /// A second trip from one law to the other and back changes nothing more.
    #[test]
    fn transcoding_twice_is_transcoding_once() {
        for byte in 0..=255 {
            let once = ulaw_to_alaw(alaw_to_ulaw(byte));
            assert_eq!(ulaw_to_alaw(alaw_to_ulaw(once)), once);
            assert_eq!(alaw_to_ulaw(byte), ulaw_encode(alaw_decode(byte)));
            assert_eq!(ulaw_to_alaw(byte), alaw_encode(ulaw_decode(byte)));
        }
    }
}
