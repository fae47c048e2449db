//! The engine for x86-64 with AVX2: half a line of 64 bytes an instruction.
//!
//! Bytes become codes of five bits: a letter's number without case, and what else shares its low bits. A
//! table of 32 entries is two lookups of 16, of which one answers zero, because a lookup whose index has its
//! highest bit set does. The gate tells exactly which bytes are in the alphabet, by a lookup for each half.
#![allow(unsafe_code, reason = "vector instructions need a check of the processor and raw loads and stores")]

use super::blocks::{BLOCK, Block, Candidates, Codes, Found, Kernel, LINE, LINES, Scratch};
use super::index::Index;
use super::masks::{runs, write_positions};
use super::rarity::Rarity;
use super::tables::{Alphabet, LONG, Plan, SHORT, Table, Windows};
use crate::rules::Literal;
use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m128i, __m256i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
    _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16,
    _mm256_srli_epi16, _mm256_storeu_si256, _mm256_xor_si256,
};

/// Bytes of a vector.
const HALF: usize = LINE / 2;

const PLAN: Plan =
    Plan { code: |byte| byte % 32, short_sets: &[(usize::MAX, 1)], long_sets: &[(usize::MAX, 2)] };

/// The compiled literals.
#[derive(Debug)]
pub(super) struct Avx2 {
    alphabets: [Alphabet; 2],
    short: Windows<SHORT>,
    long: Windows<LONG>,
}

/// Whether the processor and the operating system support the engine.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

impl Avx2 {
    /// Compiles `literals`. Only where [`is_available`] says so.
    pub(super) fn new(literals: &[Literal], rarity: &Rarity) -> Self {
        let (short, long) = PLAN.compile(literals, rarity);
        Self { alphabets: [Alphabet::new(&short.alphabet), Alphabet::new(&long.alphabet)], short, long }
    }
}

impl Kernel for Avx2 {
    fn indices(&self) -> [&Index; 2] {
        [&self.short.index, &self.long.index]
    }

    fn probe(&self, block: &Block, lines: usize, found: &mut Found) {
        // SAFETY: an `Avx2` is only made where `is_available` says that the processor has the features.
        unsafe {
            self.gate(block, lines, found);
            let [short, long, wide] = runs(lines, &mut found.scratch);
            found.wide = wide;
            let Found { candidates: [short_candidates, long_candidates], scratch, .. } = found;
            if let [set] = self.short.sets.as_slice() {
                stage(&[*set], short, 0, scratch, short_candidates);
            }
            if let [one, two] = self.long.sets.as_slice() {
                stage(&[*one, *two], long, 1, scratch, long_candidates);
            }
        }
    }
}

impl Avx2 {
    /// Fills the scratch with the block's codes and, as masks, which bytes are in the alphabet of short (0)
    /// and of long (1) windows and which are zero (2).
    ///
    /// The first codes have their highest bit set where bit 4 is, the second where it is not.
    #[target_feature(enable = "avx2")]
    fn gate(&self, block: &Block, lines: usize, found: &mut Found) {
        let [short, long] = self.alphabets.each_ref().map(|alphabet| [&alphabet.low, &alphabet.high]);
        let (short, long) = ([repeat(short[0]), repeat(short[1])], [repeat(long[0]), repeat(long[1])]);
        let low_half = _mm256_set1_epi8(0x0f);
        let high_bit = _mm256_set1_epi8(i8::MIN);
        let none = _mm256_setzero_si256();
        let Scratch { codes: [lower, upper, _], masks } = &mut found.scratch;
        let (from, _) = block.as_chunks::<HALF>();
        let (lower, _) = lower.as_chunks_mut::<HALF>();
        let (upper, _) = upper.as_chunks_mut::<HALF>();
        for line in 0..=lines.min(LINES) {
            prefetch_next(block, line);
            let mut words = [0_u64; 3];
            for half in 0..2 {
                let at = line * 2 + half;
                let bytes = load(&from[at]);
                let low = _mm256_and_si256(bytes, low_half);
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_half);
                // Bits that cross into the neighbouring byte are masked off.
                let bit_4 = _mm256_and_si256(_mm256_slli_epi16::<3>(bytes), high_bit);
                let code = _mm256_or_si256(low, bit_4);
                store(&mut lower[at], code);
                store(&mut upper[at], _mm256_xor_si256(code, high_bit));
                let is_out = |[lows, highs]: [__m256i; 2]| {
                    let shared =
                        _mm256_and_si256(_mm256_shuffle_epi8(lows, low), _mm256_shuffle_epi8(highs, high));
                    mask_of(_mm256_cmpeq_epi8(shared, none))
                };
                let found = [!is_out(short), !is_out(long), mask_of(_mm256_cmpeq_epi8(bytes, none))];
                for (word, found) in words.iter_mut().zip(found) {
                    *word |= u64::from(found) << (HALF * half);
                }
            }
            for (masks, word) in masks.iter_mut().zip(words) {
                masks[line] = word;
            }
        }
    }
}

/// Looks for windows in the given lines, where the mask `kind` of the scratch lets one start.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn stage<const SETS: usize, const WIDTH: usize>(
    sets: &[[Table; WIDTH]; SETS],
    mut lines: u64,
    kind: usize,
    scratch: &Scratch,
    candidates: &mut Candidates,
) {
    let [lower, upper, _] = &scratch.codes;
    let none = _mm256_setzero_si256();
    let mut tables = [[[none; 2]; WIDTH]; SETS];
    for (into, from) in tables.iter_mut().flatten().zip(sets.iter().flatten()) {
        // Codes are below 32: the rest of the table is empty.
        let (halves, _) = from.0.as_chunks::<16>();
        *into = [repeat(&halves[0]), repeat(&halves[1])];
    }
    let mut count = 0;
    while lines != 0 {
        let line = usize::try_from(lines.trailing_zeros()).unwrap_or(0) % LINES;
        lines &= lines - 1;
        let mut mask = 0;
        for half in 0..2 {
            let mut yes = [_mm256_set1_epi8(-1); SETS];
            for at in 0..WIDTH {
                let start = line * LINE + half * HALF + at;
                let (lower, upper) = (load_at(lower, start), load_at(upper, start));
                for (yes, set) in yes.iter_mut().zip(&tables) {
                    let [low_table, high_table] = set[at];
                    let buckets = _mm256_or_si256(
                        _mm256_shuffle_epi8(low_table, lower),
                        _mm256_shuffle_epi8(high_table, upper),
                    );
                    *yes = _mm256_and_si256(*yes, buckets);
                }
            }
            let any = yes.into_iter().fold(none, |any, yes| _mm256_or_si256(any, yes));
            mask |= u64::from(!mask_of(_mm256_cmpeq_epi8(any, none))) << (HALF * half);
        }
        mask &= scratch.masks[kind][line];
        let Some(room) = candidates.positions[count..].first_chunk_mut() else { break };
        write_positions(room, line * LINE, mask);
        count += usize::try_from(mask.count_ones()).unwrap_or(0);
    }
    candidates.count = count;
}

/// Asks for a line of what follows the block in memory. The processor's own look-ahead stops at the end of a
/// page, and a block is one: without this, the first loads of each block wait for memory.
#[inline]
#[target_feature(enable = "avx2")]
fn prefetch_next(block: &Block, line: usize) {
    let next = block.as_ptr().wrapping_add(BLOCK + line * LINE);
    _mm_prefetch::<_MM_HINT_T0>(next.cast());
}

#[inline]
#[target_feature(enable = "avx2")]
fn mask_of(bytes: __m256i) -> u32 {
    _mm256_movemask_epi8(bytes).cast_unsigned()
}

/// The same 16 entries in both halves of a vector.
#[inline]
#[target_feature(enable = "avx2")]
fn repeat(table: &[u8; 16]) -> __m256i {
    // SAFETY: the table is 16 bytes long and the load needs no alignment.
    let table: __m128i = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    _mm256_broadcastsi128_si256(table)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; HALF]) -> __m256i {
    // SAFETY: the array is 32 bytes long and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// 32 codes from `start` on, which is below a block's end.
#[inline]
#[target_feature(enable = "avx2")]
fn load_at(codes: &Codes, start: usize) -> __m256i {
    match codes[start..].first_chunk() {
        Some(codes) => load(codes),
        None => _mm256_setzero_si256(),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(bytes: &mut [u8; HALF], value: __m256i) {
    // SAFETY: the array is 32 bytes long and the store needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}
