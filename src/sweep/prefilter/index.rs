//! From candidates to hits: a hashed bitmap, then a full comparison.

use super::Hit;
use super::blocks::{BLOCK, Block, Positions};
use super::window::Window;
use crate::rules::{Encoding, Literal};

/// Bits of the hash.
const HASH_BITS: u32 = 17;
/// Words of the bitmap.
const WORDS: usize = 1 << (HASH_BITS - 6);
/// Bits of the hash that select a list of entries.
const LIST_BITS: u32 = 12;
/// Odd, with its bits spread evenly: the golden ratio.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
/// Folds the case of letters, and some other bytes that the comparison tells apart.
const FOLD: u64 = 0x2020_2020_2020_2020;

/// A window in the index.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The window's folded bytes.
    key: u64,
    literal: u32,
    /// Where in the literal the window starts.
    offset: u32,
}

/// Windows of one width, found by their bytes.
#[derive(Debug)]
pub(super) struct Index {
    bitmap: Box<[u64; WORDS]>,
    /// Where in `entries` each list starts; one more than there are lists.
    lists: Vec<u32>,
    entries: Vec<Entry>,
    /// Selects the bytes of a window.
    mask: u64,
}

impl Index {
    /// Indexes `windows` of `width` bytes, at most 8.
    pub(super) fn new(literals: &[Literal], windows: &[Window], width: usize) -> Self {
        let mask = u64::MAX >> (64 - 8 * width);
        let mut bitmap = Box::new([0; WORDS]);
        let mut entries = Vec::with_capacity(windows.len());
        for window in windows {
            let mut bytes = [0; 8];
            for (into, from) in bytes.iter_mut().zip(window.bytes(literals, width)) {
                *into = *from;
            }
            let key = key_of(u64::from_le_bytes(bytes), mask);
            let hash = hash_of(key);
            bitmap[word_of(hash)] |= 1 << (hash % 64);
            let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
            entries.push(Entry { key, literal: number(window.literal), offset: number(window.offset) });
        }
        entries.sort_by_key(|entry| list_of(hash_of(entry.key)));
        let lists = (0..=1 << LIST_BITS)
            .map(|list| entries.partition_point(|entry| list_of(hash_of(entry.key)) < list))
            .map(|start| u32::try_from(start).unwrap_or(u32::MAX))
            .collect();
        Self { bitmap, lists, entries, mask }
    }

    /// 1 when the window that `bytes` starts with (in its low end) may be in the index, else 0.
    pub(super) fn admits(&self, bytes: u64) -> u32 {
        let hash = hash_of(key_of(bytes, self.mask));
        u32::from(self.bitmap[word_of(hash)] >> (hash % 64) & 1 != 0)
    }

    /// Keeps the candidates whose hash is in the bitmap, in front of `positions`; returns how many.
    ///
    /// Without a branch on the content: mispredicted ones would cost more than all the rest.
    pub(super) fn sift(&self, block: &Block, positions: &mut Positions, count: usize) -> usize {
        let mut kept = 0;
        for candidate in 0..count.min(BLOCK) {
            let position = positions[candidate];
            // `kept` never passes `candidate`; the remainder only shows the compiler that it is in bounds.
            positions[kept % BLOCK] = position;
            kept += usize::from(self.admits(load(block, position)) != 0);
        }
        kept
    }

    /// The windows that stand at `position` of the block as far as their folded bytes go.
    pub(super) fn at(&self, block: &Block, position: u16) -> impl Iterator<Item = Window> {
        let key = key_of(load(block, position), self.mask);
        let list = list_of(hash_of(key));
        let bound = |list: usize| self.lists.get(list).and_then(|&start| usize::try_from(start).ok());
        let entries = bound(list).zip(bound(list + 1)).and_then(|(start, end)| self.entries.get(start..end));
        entries.unwrap_or_default().iter().filter(move |entry| entry.key == key).filter_map(|entry| {
            let literal = usize::try_from(entry.literal).ok()?;
            Some(Window { literal, offset: usize::try_from(entry.offset).ok()? })
        })
    }
}

/// Reports the literal of `window` if it stands in `bytes` with its window at `position`.
pub(super) fn confirm_narrow(
    literals: &[Literal],
    bytes: &[u8],
    position: usize,
    window: Window,
    hits: &mut Vec<Hit>,
) {
    let Some(offset) = position.checked_sub(window.offset) else { return };
    let Some(literal) = literals.get(window.literal) else { return };
    let Some(here) = bytes.get(offset..).and_then(|rest| rest.get(..literal.bytes.len())) else { return };
    let stands =
        if literal.ignore_case { here.eq_ignore_ascii_case(&literal.bytes) } else { here == literal.bytes };
    if stands {
        hits.push(Hit { offset, literal: window.literal, encoding: Encoding::Narrow });
    }
}

/// The eight bytes from `position`, which is below [`BLOCK`].
fn load(block: &Block, position: u16) -> u64 {
    let position = usize::from(position) % BLOCK;
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[position..position + 8]);
    u64::from_le_bytes(bytes)
}

fn key_of(bytes: u64, mask: u64) -> u64 {
    (bytes | FOLD) & mask
}

fn hash_of(key: u64) -> u64 {
    key.wrapping_mul(MULTIPLIER) >> (64 - HASH_BITS)
}

fn word_of(hash: u64) -> usize {
    usize::try_from(hash / 64).unwrap_or(0) % WORDS
}

fn list_of(hash: u64) -> usize {
    usize::try_from(hash >> (HASH_BITS - LIST_BITS)).unwrap_or(0)
}
