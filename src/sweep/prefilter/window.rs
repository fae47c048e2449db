//! The part of each literal that the engines look for.

use super::rarity::Rarity;
use crate::rules::Literal;

/// A part of a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Index of the literal.
    pub(super) literal: usize,
    /// Where in the literal the window starts.
    pub(super) offset: usize,
}

impl Window {
    /// The window's bytes.
    pub(super) fn bytes<'a>(&self, literals: &'a [Literal], width: usize) -> &'a [u8] {
        literals
            .get(self.literal)
            .and_then(|literal| literal.bytes.get(self.offset..)?.get(..width))
            .unwrap_or_default()
    }
}

/// The rarest window of `width` bytes of each literal whose length `takes` accepts; none is shorter.
pub(super) fn choose(
    literals: &[Literal],
    rarity: &Rarity,
    width: usize,
    takes: impl Fn(usize) -> bool,
) -> Vec<Window> {
    choose_by(literals, width, takes, |bytes| rarity.window(bytes))
}

/// As [`choose`], by the lowest `cost`.
pub(super) fn choose_by(
    literals: &[Literal],
    width: usize,
    takes: impl Fn(usize) -> bool,
    cost: impl Fn(&[u8]) -> f32,
) -> Vec<Window> {
    let mut windows = Vec::new();
    for (index, literal) in literals.iter().enumerate().filter(|(_, literal)| takes(literal.bytes.len())) {
        let mut best = (f32::INFINITY, 0);
        for (offset, bytes) in literal.bytes.windows(width).enumerate() {
            let cost = cost(bytes);
            if cost < best.0 {
                best = (cost, offset);
            }
        }
        windows.push(Window { literal: index, offset: best.1 });
    }
    windows
}

/// The bytes that stand in windows, in either case.
pub(super) fn alphabet(literals: &[Literal], windows: &[Window], width: usize) -> [bool; 256] {
    let mut alphabet = [false; 256];
    for window in windows {
        for byte in window.bytes(literals, width) {
            alphabet[usize::from(byte.to_ascii_lowercase())] = true;
            alphabet[usize::from(byte.to_ascii_uppercase())] = true;
        }
    }
    alphabet
}
