//! Volumes without any signature whose bytes look random: what VeraCrypt, plain dm-crypt and LUKS with a header
//! kept elsewhere leave. There is no proof, so that this kind is asked last.

use super::bytes_at;
use crate::error::{self, Error};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::ReadAt;
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "random", probe };

/// Samples over the volume, the first one at its start.
const SAMPLES: u64 = 64;
const SAMPLE: usize = 4096;
/// Pearson's chi-square of the bytes of a sample against equal shares. Random bytes come to 255, with a deviation
/// of 23; text comes to many thousands.
const CHI_SQUARE_MAX: u64 = 400;

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let length = u64::try_from(SAMPLE).ok()?;
    let step = volume.size().checked_div(SAMPLES)?;
    let step = step.checked_sub(step % length).filter(|&step| step >= length)?;
    let looks_random = (0..SAMPLES).all(|sample| {
        let bytes = bytes_at::<SAMPLE>(volume.as_ref(), sample.saturating_mul(step));
        bytes.is_some_and(|bytes| chi_square(&bytes) <= CHI_SQUARE_MAX)
    });
    let message =
        "no signature, and all samples look random: possibly an encrypted volume (VeraCrypt, dm-crypt)";
    looks_random.then(|| Recognised::Opaque {
        facts: Facts { kind: KIND.name, block_size: 512, size: volume.size(), ..Facts::default() },
        error: Error::new(error::Kind::Encrypted, message),
    })
}

fn chi_square(bytes: &[u8]) -> u64 {
    let mut counts = [0_u64; 256];
    for &byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count = count.saturating_add(1);
        }
    }
    let expected = u64::try_from(bytes.len() / 256).unwrap_or(1).max(1);
    let squares = counts.iter().map(|count| count.abs_diff(expected).saturating_pow(2));
    squares.fold(0, u64::saturating_add).checked_div(expected).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_are_possibly_encrypted_and_others_are_not() {
        // A fixed sequence, so that a failure can be repeated.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d)
        };
        let bytes: Vec<u8> = (0..1 << 17).flat_map(|_| random().to_le_bytes()).collect();
        let kind = |bytes: Vec<u8>| {
            let volume: Arc<dyn ReadAt> = Arc::new(bytes);
            probe(&volume).is_some()
        };
        assert!(kind(bytes.clone()));
        let mut emptied = bytes.clone();
        emptied[500_000..600_000].fill(0);
        let text = b"just some text of a log file, line after line\n".repeat(20_000);
        for other in [emptied, text, bytes[..100_000].to_vec(), vec![0; 1 << 20], Vec::new()] {
            assert!(!kind(other));
        }
    }
}
