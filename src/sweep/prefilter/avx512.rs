//! The engine for x86-64 with AVX-512: a line of 64 bytes an instruction.
//!
//! Bytes become codes of six bits without case ([`code_of_six_bits`]), because a table of 64 entries fits one
//! register and is looked up by one instruction.
#![allow(unsafe_code, reason = "vector instructions need a check of the processor and raw loads and stores")]

use super::blocks::{BLOCK, Block, Candidates, Found, Kernel, LINE, LINES, Masks, Scratch};
use super::buckets::CODES;
use super::index::Index;
use super::rarity::Rarity;
use super::tables::{LONG, Plan, SHORT, Table, Windows, code_of_six_bits};
use crate::rules::Literal;
use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_epi16, _mm512_and_si512, _mm512_castsi512_si256,
    _mm512_cvtepu8_epi16, _mm512_extracti64x4_epi64, _mm512_gf2p8affine_epi64_epi8, _mm512_loadu_si512,
    _mm512_maskz_compress_epi8, _mm512_movepi8_mask, _mm512_or_si512, _mm512_permutex2var_epi8,
    _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_shrdi_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_ternarylogic_epi64,
    _mm512_test_epi8_mask, _mm512_test_epi64_mask, _mm512_testn_epi8_mask,
};

/// Bit in the table of the alphabets for bytes of short windows.
const IS_SHORT: u8 = 0x40;
/// Bit in the table of the alphabets for bytes of long windows.
const IS_LONG: u8 = 0x80;

/// Maps a byte to [`code_of_six_bits`]. Row `7 - n` selects the input bits of output bit `n`.
const CODE_MATRIX: i64 = 0x0102_0408_1040_0000;

/// Makes 0xc0 of a byte below 0x80 (with [`ASCII_CONSTANT`]), 0 of the others: both rows select bit 7.
const ASCII_MATRIX: i64 = 0x8080;
/// What [`ASCII_MATRIX`] is combined with: inverts the two bits.
const ASCII_CONSTANT: i32 = 0xc0;

/// `a & b & c`, `a | (b & c)` and `(a & b) | (c & !b)` as truth tables.
const AND: i32 = 0x80;
const OR_AND: i32 = 0xf8;
const SELECT: i32 = 0xca;

const PLAN: Plan = Plan {
    code: code_of_six_bits,
    short_sets: &[(200, 1), (400, 2), (usize::MAX, SHORT_SETS_MAX)],
    long_sets: &[(100, 1), (400, 2), (1000, 3), (usize::MAX, LONG_SETS_MAX)],
};

/// Sets of tables of the greatest engine.
const SHORT_SETS_MAX: usize = 4;
const LONG_SETS_MAX: usize = 5;

/// The compiled literals.
#[derive(Debug)]
pub(super) struct Avx512 {
    /// Which alphabets a byte of ASCII belongs to.
    alphabets: [Table; 2],
    /// Which alphabets the other bytes belong to.
    above_ascii: u8,
    short: Windows<SHORT>,
    long: Windows<LONG>,
}

/// Whether the processor and the operating system support the engine.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("gfni")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

impl Avx512 {
    /// Compiles `literals`. Only where [`is_available`] says so.
    pub(super) fn new(literals: &[Literal], rarity: &Rarity) -> Self {
        let (short, long) = PLAN.compile(literals, rarity);
        let mut alphabets = [Table([0; CODES]); 2];
        let mut above_ascii = 0;
        for (alphabet, bit) in [(&short.alphabet, IS_SHORT), (&long.alphabet, IS_LONG)] {
            for (byte, _) in alphabet.iter().enumerate().filter(|(_, is_in)| **is_in) {
                match alphabets.get_mut(byte / CODES) {
                    Some(table) => table.0[byte % CODES] |= bit,
                    None => above_ascii |= bit,
                }
            }
        }
        Self { alphabets, above_ascii, short, long }
    }
}

impl Kernel for Avx512 {
    fn indices(&self) -> [&Index; 2] {
        [&self.short.index, &self.long.index]
    }

    fn probe(&self, block: &Block, lines: usize, found: &mut Found) {
        // SAFETY: an `Avx512` is only made where `is_available` says that the processor has the features.
        unsafe {
            let [short, long] = self.gate(block, lines, found);
            let Found { candidates: [short_candidates, long_candidates], scratch, .. } = found;
            short_candidates.count = 0;
            long_candidates.count = 0;
            match self.short.sets.as_slice() {
                [] => {}
                [a] => stage(&[*a], short, 0, scratch, short_candidates),
                [a, b] => stage(&[*a, *b], short, 0, scratch, short_candidates),
                [a, b, c] => stage(&[*a, *b, *c], short, 0, scratch, short_candidates),
                [a, b, c, d, ..] => stage(&[*a, *b, *c, *d], short, 0, scratch, short_candidates),
            }
            match self.long.sets.as_slice() {
                [] => {}
                [a] => stage(&[*a], long, 1, scratch, long_candidates),
                [a, b] => stage(&[*a, *b], long, 1, scratch, long_candidates),
                [a, b, c] => stage(&[*a, *b, *c], long, 1, scratch, long_candidates),
                [a, b, c, d] => stage(&[*a, *b, *c, *d], long, 1, scratch, long_candidates),
                [a, b, c, d, e, ..] => stage(&[*a, *b, *c, *d, *e], long, 1, scratch, long_candidates),
            }
        }
    }
}

impl Avx512 {
    /// Fills the scratch with the block's codes and, as masks, where a short (0) and a long (1) window may
    /// start as far as the alphabet goes. Returns the lines with any, and stores those with UTF-16.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,gfni,bmi1,bmi2,popcnt")]
    fn gate(&self, block: &Block, lines: usize, found: &mut Found) -> [u64; 2] {
        let [low, high] = self.alphabets.map(|table| load(&table.0));
        let above_ascii = _mm512_set1_epi8(self.above_ascii.cast_signed());
        let is_short = _mm512_set1_epi8(IS_SHORT.cast_signed());
        let code_matrix = _mm512_set1_epi64(CODE_MATRIX);
        let ascii_matrix = _mm512_set1_epi64(ASCII_MATRIX);
        let Scratch { codes: [codes, ..], masks: [short, long, zero] } = &mut found.scratch;
        let (from, _) = block.as_chunks::<LINE>();
        let (into, _) = codes.as_chunks_mut::<LINE>();
        for line in 0..=lines.min(LINES) {
            prefetch_next(block, line);
            let bytes = load(&from[line]);
            store(&mut into[line], _mm512_gf2p8affine_epi64_epi8::<0>(bytes, code_matrix));
            let ascii = _mm512_gf2p8affine_epi64_epi8::<ASCII_CONSTANT>(bytes, ascii_matrix);
            let alphabets = _mm512_permutex2var_epi8(low, bytes, high);
            let alphabets = _mm512_ternarylogic_epi64::<SELECT>(ascii, alphabets, above_ascii);
            short[line] = _mm512_test_epi8_mask(alphabets, is_short);
            long[line] = _mm512_movepi8_mask(alphabets);
            zero[line] = _mm512_testn_epi8_mask(bytes, bytes);
        }
        let mut starts = [0; 3];
        for group in 0..lines.div_ceil(8) {
            let groups = runs(short, long, zero, group * 8);
            for (starts, lines) in starts.iter_mut().zip(groups) {
                *starts |= u64::from(lines) << (group * 8);
            }
        }
        let valid = u64::MAX >> (LINES - lines.clamp(1, LINES));
        found.wide = starts[2] & valid;
        [starts[0] & valid, starts[1] & valid]
    }
}

/// Turns the masks of eight lines from `first` on from "is in the alphabet" into "a run starts": of four
/// bytes in `short`, of six in `long`. Returns which of the lines have any, and which have a run of as
/// many characters with zeros between them.
///
/// The words behind the last valid line may hold anything; they decide over nothing but themselves.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2")]
fn runs(short: &mut Masks, long: &mut Masks, zero: &Masks, first: usize) -> [u8; 3] {
    let (s, s_next) = (load_words(short, first), load_words(short, first + 1));
    let (l, l_next) = (load_words(long, first), load_words(long, first + 1));
    let (z, z_next) = (load_words(zero, first), load_words(zero, first + 1));
    // `x2` starts a run of two. Of the next line only the first bits matter, which its own bits decide.
    let s2 = _mm512_and_si512(s, _mm512_shrdi_epi64::<1>(s, s_next));
    let s2_next = _mm512_and_si512(s_next, _mm512_srli_epi64::<1>(s_next));
    let s4 = _mm512_and_si512(s2, _mm512_shrdi_epi64::<2>(s2, s2_next));
    let l2 = _mm512_and_si512(l, _mm512_shrdi_epi64::<1>(l, l_next));
    let l2_next = _mm512_and_si512(l_next, _mm512_srli_epi64::<1>(l_next));
    let l6 = _mm512_ternarylogic_epi64::<AND>(
        l2,
        _mm512_shrdi_epi64::<2>(l2, l2_next),
        _mm512_shrdi_epi64::<4>(l2, l2_next),
    );
    // A character and the zero behind it, as often as a window is long; the last zero may be missing.
    let zero_behind = _mm512_shrdi_epi64::<1>(z, z_next);
    let zero_behind_next = _mm512_srli_epi64::<1>(z_next);
    let any = _mm512_and_si512(_mm512_or_si512(s, l), zero_behind);
    let any_next = _mm512_and_si512(_mm512_or_si512(s_next, l_next), zero_behind_next);
    let three = _mm512_ternarylogic_epi64::<AND>(
        any,
        _mm512_shrdi_epi64::<2>(any, any_next),
        _mm512_shrdi_epi64::<4>(any, any_next),
    );
    let wide = match _mm512_test_epi64_mask(three, three) {
        0 => 0,
        _ => wide_runs([s, s_next], [l, l_next], [zero_behind, zero_behind_next]),
    };
    store_words(short, first, s4);
    store_words(long, first, l6);
    [_mm512_test_epi64_mask(s4, s4), _mm512_test_epi64_mask(l6, l6), wide]
}

/// Which lines have a run of four characters of short windows, or six of long ones, with zeros between.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2")]
fn wide_runs(
    [s, s_next]: [__m512i; 2],
    [l, l_next]: [__m512i; 2],
    [zero_behind, zero_behind_next]: [__m512i; 2],
) -> u8 {
    let ws = _mm512_and_si512(s, zero_behind);
    let ws_next = _mm512_and_si512(s_next, zero_behind_next);
    let ws2 = _mm512_and_si512(ws, _mm512_shrdi_epi64::<2>(ws, ws_next));
    let ws4 = _mm512_ternarylogic_epi64::<AND>(
        ws2,
        _mm512_shrdi_epi64::<4>(ws, ws_next),
        _mm512_shrdi_epi64::<6>(s, s_next),
    );
    let wl = _mm512_and_si512(l, zero_behind);
    let wl_next = _mm512_and_si512(l_next, zero_behind_next);
    let wl2 = _mm512_and_si512(wl, _mm512_shrdi_epi64::<2>(wl, wl_next));
    let wl2_next = _mm512_and_si512(wl_next, _mm512_srli_epi64::<2>(wl_next));
    let wl4 = _mm512_and_si512(wl2, _mm512_shrdi_epi64::<4>(wl2, wl2_next));
    let wl6 = _mm512_ternarylogic_epi64::<AND>(
        wl4,
        _mm512_shrdi_epi64::<8>(wl, wl_next),
        _mm512_shrdi_epi64::<10>(l, l_next),
    );
    let wide = _mm512_or_si512(ws4, wl6);
    _mm512_test_epi64_mask(wide, wide)
}

/// Looks for windows in the given lines, where the mask `kind` of the scratch lets one start.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
fn stage<const SETS: usize, const WIDTH: usize>(
    sets: &[[Table; WIDTH]; SETS],
    mut lines: u64,
    kind: usize,
    scratch: &Scratch,
    candidates: &mut Candidates,
) {
    let numbers = load(&NUMBERS);
    let starts = &scratch.masks[kind];
    let codes = &scratch.codes[0];
    let mut tables = [[_mm512_setzero_si512(); WIDTH]; SETS];
    for (into, from) in tables.iter_mut().flatten().zip(sets.iter().flatten()) {
        *into = load(&from.0);
    }
    let mut count = 0;
    while lines != 0 {
        let line = usize::try_from(lines.trailing_zeros()).unwrap_or(0) % LINES;
        lines &= lines - 1;
        let mut window = [_mm512_setzero_si512(); WIDTH];
        for (at, window) in window.iter_mut().enumerate() {
            if let Some(codes) = codes[line * LINE + at..].first_chunk() {
                *window = load(codes);
            }
        }
        let mut yes = _mm512_setzero_si512();
        for set in &tables {
            let look = |at: usize| _mm512_permutexvar_epi8(window[at], set[at]);
            let mut all = _mm512_ternarylogic_epi64::<AND>(look(0), look(1), look(2));
            if WIDTH == LONG {
                all = _mm512_ternarylogic_epi64::<AND>(all, look(3), look(4));
            }
            yes = _mm512_ternarylogic_epi64::<OR_AND>(yes, all, look(WIDTH - 1));
        }
        let mask = _mm512_test_epi8_mask(yes, yes) & starts[line];
        let Some(room) = candidates.positions[count..].first_chunk_mut() else { break };
        write_positions(room, i16::try_from(line * LINE).unwrap_or(0), mask, numbers);
        count += usize::try_from(mask.count_ones()).unwrap_or(0);
    }
    candidates.count = count;
}

/// The numbers of the bytes in a line.
const NUMBERS: [u8; LINE] = {
    let mut numbers = [0; LINE];
    let mut number: u8 = 0;
    while number < 64 {
        numbers[number as usize] = number;
        number += 1;
    }
    numbers
};

/// Writes `base` plus the number of each bit in `mask`; the rest of `room` is overwritten with anything.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,popcnt")]
fn write_positions(room: &mut [u16; LINE], base: i16, mask: u64, numbers: __m512i) {
    let set = _mm512_maskz_compress_epi8(mask, numbers);
    let base = _mm512_set1_epi16(base);
    let (halves, _) = room.as_chunks_mut::<{ LINE / 2 }>();
    let [low, high] = halves else { return };
    store_positions(low, _mm512_add_epi16(base, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(set))));
    if mask.count_ones() > 32 {
        let set = _mm512_extracti64x4_epi64::<1>(set);
        store_positions(high, _mm512_add_epi16(base, _mm512_cvtepu8_epi16(set)));
    }
}

/// Asks for a line of what follows the block in memory. The processor's own look-ahead stops at the end of a
/// page, and a block is one: without this, the first loads of each block wait for memory.
#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch_next(block: &Block, line: usize) {
    let next = block.as_ptr().wrapping_add(BLOCK + line * LINE);
    _mm_prefetch::<_MM_HINT_T0>(next.cast());
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; LINE]) -> __m512i {
    // SAFETY: the array is 64 bytes long and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(bytes: &mut [u8; LINE], value: __m512i) {
    // SAFETY: the array is 64 bytes long and the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_positions(positions: &mut [u16; LINE / 2], value: __m512i) {
    // SAFETY: 32 numbers of two bytes are 64 bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(positions.as_mut_ptr().cast(), value) }
}

/// Eight words from `first` on; zeros where there are not as many.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_words(masks: &Masks, first: usize) -> __m512i {
    match masks.get(first..).and_then(|rest| rest.first_chunk::<8>()) {
        // SAFETY: eight words are 64 bytes, and the load needs no alignment.
        Some(words) => unsafe { _mm512_loadu_si512(words.as_ptr().cast()) },
        None => _mm512_setzero_si512(),
    }
}

/// Overwrites eight words from `first` on, if there are as many.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_words(masks: &mut Masks, first: usize, value: __m512i) {
    if let Some(words) = masks.get_mut(first..).and_then(|rest| rest.first_chunk_mut::<8>()) {
        // SAFETY: eight words are 64 bytes, and the store needs no alignment.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), value) }
    }
}
