//! The engine for 64-bit ARM: a quarter of a line of 64 bytes an instruction.
//!
//! Bytes become codes of six bits without case ([`code_of_six_bits`]), because one instruction looks 16 of
//! them up in a table of 64 entries, which is four registers. The gate tells exactly which bytes are in the
//! alphabet, by a lookup for each half of a byte.
#![allow(unsafe_code, reason = "vector instructions need a check of the processor and raw loads and stores")]

use super::blocks::{Block, Candidates, Codes, Found, Kernel, LINE, LINES, Scratch};
use super::buckets::CODES;
use super::index::Index;
use super::masks::{runs, write_positions};
use super::rarity::Rarity;
use super::tables::{Alphabet, LONG, Plan, SHORT, Table, Windows, code_of_six_bits};
use crate::rules::Literal;
use std::arch::aarch64::{
    uint8x16_t, uint8x16x4_t, vandq_u8, vbslq_u8, vceqzq_u8, vdupq_n_u8, vgetq_lane_u64, vld1q_u8,
    vld1q_u8_x4, vorrq_u8, vpaddq_u8, vqtbl1q_u8, vqtbl4q_u8, vreinterpretq_u64_u8, vshrq_n_u8, vst1q_u8,
    vtstq_u8,
};
use std::arch::is_aarch64_feature_detected;

/// Bytes of a vector.
const QUARTER: usize = LINE / QUARTERS;
/// Vectors of a line.
const QUARTERS: usize = 4;

const PLAN: Plan = Plan {
    code: code_of_six_bits,
    short_sets: &[(400, 1), (usize::MAX, 2)],
    long_sets: &[(100, 1), (1000, 2), (usize::MAX, 3)],
};

/// The compiled literals.
#[derive(Debug)]
pub(super) struct Neon {
    alphabets: [Alphabet; 2],
    short: Windows<SHORT>,
    long: Windows<LONG>,
}

/// Whether the processor and the operating system support the engine.
pub(super) fn is_available() -> bool {
    // A mask's first byte is the lowest of its number.
    cfg!(target_endian = "little") && is_aarch64_feature_detected!("neon")
}

impl Neon {
    /// Compiles `literals`. Only where [`is_available`] says so.
    pub(super) fn new(literals: &[Literal], rarity: &Rarity) -> Self {
        let (short, long) = PLAN.compile(literals, rarity);
        Self { alphabets: [Alphabet::new(&short.alphabet), Alphabet::new(&long.alphabet)], short, long }
    }
}

impl Kernel for Neon {
    fn indices(&self) -> [&Index; 2] {
        [&self.short.index, &self.long.index]
    }

    fn probe(&self, block: &Block, lines: usize, found: &mut Found) {
        // SAFETY: a `Neon` is only made where `is_available` says that the processor has the features.
        unsafe {
            self.gate(block, lines, &mut found.scratch);
            let [short, long, wide] = runs(lines, &mut found.scratch);
            found.wide = wide;
            let Found { candidates: [short_candidates, long_candidates], scratch, .. } = found;
            stage(&self.short.sets, short, 0, scratch, short_candidates);
            stage(&self.long.sets, long, 1, scratch, long_candidates);
        }
    }
}

impl Neon {
    /// Fills the scratch with the block's codes and, as masks, which bytes are in the alphabet of short (0)
    /// and of long (1) windows and which are zero (2).
    #[target_feature(enable = "neon")]
    fn gate(&self, block: &Block, lines: usize, scratch: &mut Scratch) {
        let alphabets = self.alphabets.each_ref().map(|alphabet| [load(&alphabet.low), load(&alphabet.high)]);
        let low_half = vdupq_n_u8(0x0f);
        let low_five = vdupq_n_u8(0x1f);
        let low_six = vdupq_n_u8(0x3f);
        let Scratch { codes: [codes, ..], masks } = scratch;
        let (from, _) = block.as_chunks::<QUARTER>();
        let (into, _) = codes.as_chunks_mut::<QUARTER>();
        for line in 0..=lines.min(LINES) {
            let mut classes = [[vdupq_n_u8(0); QUARTERS]; 3];
            for quarter in 0..QUARTERS {
                let at = line * QUARTERS + quarter;
                let bytes = load(&from[at]);
                // Bit 6 shifted to bit 5; what is above is masked off.
                let code = vbslq_u8(low_five, bytes, vshrq_n_u8::<1>(bytes));
                store(&mut into[at], vandq_u8(code, low_six));
                let (low, high) = (vandq_u8(bytes, low_half), vshrq_n_u8::<4>(bytes));
                for (class, [lows, highs]) in classes.iter_mut().zip(alphabets) {
                    class[quarter] = vtstq_u8(vqtbl1q_u8(lows, low), vqtbl1q_u8(highs, high));
                }
                classes[2][quarter] = vceqzq_u8(bytes);
            }
            for (masks, class) in masks.iter_mut().zip(classes) {
                masks[line] = mask_of(class);
            }
        }
    }
}

/// Looks for windows in the given lines, where the mask `kind` of the scratch lets one start.
#[target_feature(enable = "neon")]
fn stage<const WIDTH: usize>(
    sets: &[[Table; WIDTH]],
    mut lines: u64,
    kind: usize,
    scratch: &Scratch,
    candidates: &mut Candidates,
) {
    let codes = &scratch.codes[0];
    let mut count = 0;
    while lines != 0 {
        let line = usize::try_from(lines.trailing_zeros()).unwrap_or(0) % LINES;
        lines &= lines - 1;
        let mut yes = [vdupq_n_u8(0); QUARTERS];
        for set in sets {
            let mut all = [vdupq_n_u8(0xff); QUARTERS];
            for (at, table) in set.iter().enumerate() {
                let table = load_table(&table.0);
                for (quarter, all) in all.iter_mut().enumerate() {
                    let window = load_at(codes, line * LINE + quarter * QUARTER + at);
                    *all = vandq_u8(*all, vqtbl4q_u8(table, window));
                }
            }
            for (yes, all) in yes.iter_mut().zip(all) {
                *yes = vorrq_u8(*yes, all);
            }
        }
        let mask = mask_of(yes.map(|yes| vtstq_u8(yes, yes))) & scratch.masks[kind][line];
        let Some(room) = candidates.positions[count..].first_chunk_mut() else { break };
        write_positions(room, line * LINE, mask);
        count += usize::try_from(mask.count_ones()).unwrap_or(0);
    }
    candidates.count = count;
}

/// A bit for each byte of a line, each of which is 0 or 0xff.
#[inline]
#[target_feature(enable = "neon")]
fn mask_of(line: [uint8x16_t; QUARTERS]) -> u64 {
    const BITS: [u8; QUARTER] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    let bits = load(&BITS);
    // Each addition halves the bytes that hold a bit each: after three, eight bytes hold eight bits each.
    let [a, b, c, d] = line.map(|quarter| vandq_u8(quarter, bits));
    let sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
}

#[inline]
#[target_feature(enable = "neon")]
fn load(bytes: &[u8; QUARTER]) -> uint8x16_t {
    // SAFETY: the array is 16 bytes long and the load needs no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_table(table: &[u8; CODES]) -> uint8x16x4_t {
    // SAFETY: the array is 64 bytes long, as four vectors are, and the load needs no alignment.
    unsafe { vld1q_u8_x4(table.as_ptr()) }
}

/// 16 codes from `start` on, which is below a block's end.
#[inline]
#[target_feature(enable = "neon")]
fn load_at(codes: &Codes, start: usize) -> uint8x16_t {
    match codes[start..].first_chunk() {
        Some(codes) => load(codes),
        None => vdupq_n_u8(0),
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn store(bytes: &mut [u8; QUARTER], value: uint8x16_t) {
    // SAFETY: the array is 16 bytes long and the store needs no alignment.
    unsafe { vst1q_u8(bytes.as_mut_ptr(), value) }
}
