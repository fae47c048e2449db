//! How common byte pairs are on disks, to choose the part of each literal that is searched for.
//!
//! `rarity.bin` is made by `cargo bench --bench rarity -- FILE…` from samples of disk content; it holds, for
//! each pair of byte classes, the probability of the pair as `-8 * log2(p)`, one byte each. Case is folded,
//! because the windows are compared without it.

/// Classes that bytes fall into.
pub(super) const CLASSES: usize = 98;

/// Pair probabilities, row by row.
const TABLE: &[u8; CLASSES * CLASSES] = include_bytes!("rarity.bin");

/// Probabilities of bytes and pairs.
#[derive(Debug)]
pub(super) struct Rarity {
    pairs: Vec<f32>,
    singles: [f32; CLASSES],
}

impl Rarity {
    /// The table that comes with the program.
    pub(super) fn embedded() -> Self {
        let powers: [f32; 256] = std::array::from_fn(|step| {
            let step = u16::try_from(step).unwrap_or(u16::MAX);
            (-f32::from(step) / 8.0).exp2()
        });
        let pairs: Vec<f32> = TABLE.iter().map(|&step| powers[usize::from(step)]).collect();
        let mut singles = [0.0; CLASSES];
        for (single, row) in singles.iter_mut().zip(pairs.chunks_exact(CLASSES)) {
            *single = row.iter().sum();
        }
        Self { pairs, singles }
    }

    /// Probability of a byte's class.
    pub(super) fn byte(&self, byte: u8) -> f32 {
        self.singles[class(byte)]
    }

    /// Probability of `window`, as a chain of pairs.
    pub(super) fn window(&self, window: &[u8]) -> f32 {
        let mut probability = window.first().map_or(1.0, |&first| self.byte(first));
        for pair in window.array_windows::<2>() {
            let [first, second] = pair.map(class);
            let given = self.pairs[first * CLASSES + second] / self.singles[first];
            probability *= given;
        }
        probability
    }
}

/// The class of a byte: itself for printable ASCII with letters in lower case; NUL, other controls and bytes
/// above ASCII are one class each.
pub(super) fn class(byte: u8) -> usize {
    match byte {
        0 => 95,
        0x20..=0x7e => usize::from(byte.to_ascii_lowercase() - 0x20),
        0x80.. => 97,
        _ => 96,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_and_rank_as_expected() {
        let rarity = Rarity::embedded();
        let sum: f32 = rarity.singles.iter().sum();
        assert!((0.9..1.1).contains(&sum), "{sum}");
        assert!(rarity.window(b"xoxb-") < rarity.window(b"state"));
        assert!(rarity.window(b"kzqj") < rarity.window(b"tion"));
        assert_eq!(rarity.window(b"TION"), rarity.window(b"tion"));
    }
}
