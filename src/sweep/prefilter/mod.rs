//! The first stage: where in a slice of bytes does a literal of any rule stand?
//!
//! Works on whatever slice it is given, remembers nothing between slices, and reports every occurrence of
//! every literal, overlapping ones included, in narrow (ASCII, UTF-8) and UTF-16 form, either byte order, at
//! any alignment.
//!
//! The vector engines and the portable one share their shape. A slice is taken in blocks of 4 KiB:
//!
//! 1. a *gate* marks the lines of 64 bytes in which enough bytes in a row belong to the alphabet of the
//!    literals, which leaves out most of what is binary or compressed;
//! 2. on those lines a *stage* finds candidates: places where a window of a literal may stand. The window
//!    is the rarest part of the literal on disks ([`rarity`]); windows are dealt to buckets ([`buckets`]),
//!    and per position in the window one table lookup says which buckets allow the byte;
//! 3. an *index* drops candidates without a branch by a hashed bitmap and compares the rest in full.
//!
//! Lines in which characters alternate with zeros are narrowed and go through the same steps.
//! `docs/performance.md` says what each step costs.

mod automaton;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocks;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod buckets;
mod index;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod masks;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod rarity;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tables;
mod wide;
mod window;

use crate::error::{Error, Kind, Result};
use crate::rules::{Encoding, Literal};
use automaton::Automaton;
use portable::Portable;
use rarity::Rarity;
use std::fmt;

/// Shortest literal that the prefilter takes: shorter ones stand in every block of a disk.
pub const LITERAL_MIN: usize = 4;

/// Most literals that one prefilter takes.
pub const LITERALS_MAX: usize = 1 << 16;

/// An occurrence of a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hit {
    /// Offset of its first byte in the slice.
    pub offset: usize,
    /// Index of the literal, in the order in which they were given.
    pub literal: usize,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// How a prefilter searches. All engines report the same hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// 64 bytes at a time: x86-64 with AVX-512 F, BW, VL, VBMI, VBMI2 and GFNI.
    Avx512,
    /// 32 bytes at a time: x86-64 with AVX2.
    Avx2,
    /// 16 bytes at a time: 64-bit ARM with NEON.
    Neon,
    /// Without vector instructions that the target does not promise.
    Portable,
    /// An Aho-Corasick automaton: slow, independent of the others, what they are tested against.
    Automaton,
}

impl Engine {
    /// All engines, the fastest first.
    pub const ALL: [Self; 5] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable, Self::Automaton];

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::is_available(),
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
            Self::Portable | Self::Automaton => true,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
            Self::Automaton => "automaton",
        })
    }
}

/// The compiled form of the literals for one engine.
#[derive(Debug)]
enum Compiled {
    #[cfg(target_arch = "x86_64")]
    Avx512(Box<avx512::Avx512>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Box<avx2::Avx2>),
    #[cfg(target_arch = "aarch64")]
    Neon(Box<neon::Neon>),
    Portable(Box<Portable>),
    Automaton(Box<Automaton>),
}

/// A set of literals, compiled for searching.
#[derive(Debug)]
pub struct Prefilter {
    compiled: Compiled,
    engine: Engine,
    literals: Vec<Literal>,
    reach: usize,
}

impl Prefilter {
    /// Compiles `literals` for the fastest engine of this machine.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a literal is shorter than [`LITERAL_MIN`] or there are more than [`LITERALS_MAX`].
    pub fn new(literals: &[Literal]) -> Result<Self> {
        let engine = Engine::ALL.into_iter().find(|engine| engine.is_available());
        Self::with_engine(literals, engine.unwrap_or(Engine::Portable))
    }

    /// Compiles `literals` for `engine`.
    ///
    /// # Errors
    /// As [`Prefilter::new`]; also [`Kind::Unsupported`] when this machine cannot run the engine.
    pub fn with_engine(literals: &[Literal], engine: Engine) -> Result<Self> {
        if !engine.is_available() {
            return Err(Error::new(
                Kind::Unsupported,
                format!("this machine cannot run the {engine} engine"),
            ));
        }
        if literals.len() > LITERALS_MAX {
            let message = format!("{} literals, expected at most {LITERALS_MAX}", literals.len());
            return Err(Error::new(Kind::Usage, message));
        }
        if let Some(short) = literals.iter().find(|literal| literal.bytes.len() < LITERAL_MIN) {
            let text = short.bytes.escape_ascii();
            let message = format!("the literal `{text}` has fewer than {LITERAL_MIN} bytes");
            return Err(Error::new(Kind::Usage, message));
        }
        let rarity = Rarity::embedded();
        let compiled = match engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512 => Compiled::Avx512(Box::new(avx512::Avx512::new(literals, &rarity))),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2 => Compiled::Avx2(Box::new(avx2::Avx2::new(literals, &rarity))),
            #[cfg(target_arch = "aarch64")]
            Engine::Neon => Compiled::Neon(Box::new(neon::Neon::new(literals, &rarity))),
            Engine::Automaton => Compiled::Automaton(Box::new(Automaton::new(literals)?)),
            _ => Compiled::Portable(Box::new(Portable::new(literals, &rarity))),
        };
        let reach = literals.iter().map(|literal| literal.bytes.len().saturating_mul(2)).max().unwrap_or(0);
        Ok(Self { compiled, engine, literals: literals.to_vec(), reach })
    }

    /// The engine that was chosen.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Length of the longest literal in bytes, in its widest encoding: what two neighbouring slices must
    /// share so that no occurrence is lost at their seam.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// The literals, by index.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Appends every occurrence in `bytes` to `hits`, in no particular order.
    ///
    /// A literal amid UTF-16 text stands there twice: with the zero byte after each character and, one byte
    /// before, with the zero byte ahead of each. Both are reported: which of them counts depends on where the
    /// text begins, and that is the caller's knowledge.
    pub fn scan(&self, bytes: &[u8], hits: &mut Vec<Hit>) {
        if bytes.len() < LITERAL_MIN || self.literals.is_empty() {
            return;
        }
        match &self.compiled {
            #[cfg(target_arch = "x86_64")]
            Compiled::Avx512(engine) => blocks::scan(engine.as_ref(), &self.literals, bytes, hits),
            #[cfg(target_arch = "x86_64")]
            Compiled::Avx2(engine) => blocks::scan(engine.as_ref(), &self.literals, bytes, hits),
            #[cfg(target_arch = "aarch64")]
            Compiled::Neon(engine) => blocks::scan(engine.as_ref(), &self.literals, bytes, hits),
            Compiled::Portable(engine) => blocks::scan(engine.as_ref(), &self.literals, bytes, hits),
            Compiled::Automaton(engine) => engine.scan(&self.literals, bytes, hits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_occurrences_in_all_encodings_are_reported() {
        let literal = |bytes: &[u8], ignore_case| Literal { bytes: bytes.to_vec(), ignore_case };
        let hit = |offset, literal, encoding| Hit { offset, literal, encoding };
        for engine in Engine::ALL.into_iter().filter(|engine| engine.is_available()) {
            let literals = [literal(b"abcd", true), literal(b"bcde", false)];
            let prefilter = Prefilter::with_engine(&literals, engine).unwrap();
            let mut hits = Vec::new();
            prefilter.scan(b"xABCde  a\0b\0c\0d\0e\0", &mut hits);
            hits.sort_unstable();
            let expected = [
                hit(1, 0, Encoding::Narrow),
                hit(8, 0, Encoding::Utf16Le),
                hit(9, 1, Encoding::Utf16Be),
                hit(10, 1, Encoding::Utf16Le),
            ];
            assert_eq!(hits, expected, "{engine}");
        }
    }

    #[test]
    fn literals_below_the_minimum_are_refused() {
        let short = Literal { bytes: b"key".to_vec(), ignore_case: true };
        assert_eq!(Prefilter::new(&[short]).unwrap_err().kind(), Kind::Usage);
    }
}
