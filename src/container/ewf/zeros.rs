//! The stored form of a chunk of zeros.
//!
//! Each chunk is stored, blank or not, so that all of the disk would be decoded and searched. Programs compress equal
//! chunks to equal bytes: where these are known to decode to zeros, so does each chunk that is stored as the same.

use crate::container::codec::Codec;
use crate::io::{ReadAt, is_zero};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Longest stored form that is looked at.
const STORED_MAX: usize = 1024;
/// Different stored forms that are decoded at most.
const DECODED_MAX: usize = 16;

/// The bytes that a chunk of zeros is stored as, with their checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zeros(Vec<u8>);

impl Zeros {
    /// Whether `length` stored bytes may be a chunk of `chunk` zeros: fast compressors make a byte of a hundred.
    pub(super) fn are_possible(length: u64, chunk: u64) -> bool {
        usize::try_from(length).is_ok_and(|length| length <= STORED_MAX)
            && length <= (chunk / 64).saturating_add(64)
    }

    /// Looks for zeros among stored forms of chunks of `chunk` bytes, the most frequent ones first.
    pub(super) fn find(chunk: u64, stored: impl Iterator<Item = Vec<u8>>) -> Option<Self> {
        let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for stored in stored {
            let count = counts.entry(stored).or_default();
            *count = count.saturating_add(1);
        }
        let mut forms: Vec<_> = counts.into_iter().collect();
        forms.sort_by_key(|(_, count)| Reverse(*count));
        let mut unit = vec![0; usize::try_from(chunk).ok()?];
        let mut holds_zeros = |stored: &[u8]| Codec::Zlib.decode(stored, &mut unit).is_ok() && is_zero(&unit);
        forms
            .into_iter()
            .take(DECODED_MAX)
            .map(|(stored, _)| stored)
            .find(|stored| holds_zeros(stored))
            .map(Self)
    }

    /// Whether the `length` bytes at `at` are such a chunk.
    pub(super) fn are_at(&self, file: &dyn ReadAt, at: u64, length: u64) -> bool {
        let mut buffer = [0; STORED_MAX];
        let buffer = buffer.get_mut(..self.0.len()).unwrap_or_default();
        // Copied: pages of a mapping would stay with the process, and nobody comes to release those of a hole.
        u64::try_from(self.0.len()) == Ok(length) && file.read_at(at, buffer).is_ok() && *buffer == *self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_most_frequent_forms_are_looked_at() {
        let chunk = |level, byte| {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
            encoder.write_all(&[byte; 32 << 10]).unwrap();
            encoder.finish().unwrap()
        };
        for level in [1, 6, 9] {
            let blank = chunk(level, 0);
            assert!(Zeros::are_possible(blank.len() as u64, 32 << 10), "level {level}: {}", blank.len());
            let others = (1..=255).map(|byte| chunk(level, byte));
            let stored = others.chain([blank.clone(), blank.clone()]);
            assert_eq!(Zeros::find(32 << 10, stored), Some(Zeros(blank)), "level {level}");
        }
    }

    #[test]
    fn a_chunk_of_zeros_is_known_by_its_stored_bytes_and_nothing_else_is() {
        let [blank, ones] = [0, 1].map(|byte| compressed(&[byte; 32 << 10]));
        assert!(Zeros::are_possible(blank.len() as u64, 32 << 10), "{}", blank.len());
        let mut damaged = blank.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let shorter = compressed(&[0; 16 << 10]);
        let others = [ones.clone(), damaged.clone(), shorter];
        assert_eq!(Zeros::find(32 << 10, others.clone().into_iter()), None);
        let zeros = Zeros::find(32 << 10, others.into_iter().chain([blank.clone()])).unwrap();
        let length = blank.len() as u64;
        let file = [blank, ones, damaged].concat();
        assert!(zeros.are_at(&file, 0, length));
        assert!(!zeros.are_at(&file, 0, length - 1));
        assert!((1..file.len() as u64).all(|at| !zeros.are_at(&file, at, length)));
    }
}
