//! Adler-32 (RFC 1950, section 8.2).

/// Largest prime below 2^16.
const BASE: u32 = 65_521;
/// Bytes that can be summed before the sums must be reduced, in whole blocks.
const STEP: usize = 5536;
/// Bytes that are summed side by side.
const BLOCK: usize = 32;

/// The checksum of `bytes`.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1u32, 0u32);
    for part in bytes.chunks(STEP) {
        let (blocks, rest) = part.as_chunks::<BLOCK>();
        for block in blocks {
            let (sum, weighted) = sums(block);
            high = high.wrapping_add(low.wrapping_mul(32)).wrapping_add(weighted);
            low = low.wrapping_add(sum);
        }
        for &byte in rest {
            low = low.wrapping_add(byte.into());
            high = high.wrapping_add(low);
        }
        low %= BASE;
        high %= BASE;
    }
    high << 16 | low
}

/// The sum of a block's bytes, and the sum of those sums after each byte: no byte waits for the one before it.
fn sums(block: &[u8; BLOCK]) -> (u32, u32) {
    let weights = (1..=32u32).rev();
    let weighted = block.iter().zip(weights).map(|(&byte, weight)| u32::from(byte).wrapping_mul(weight));
    (block.iter().map(|&byte| u32::from(byte)).sum(), weighted.sum())
}

#[cfg(test)]
mod tests {
    use super::adler32;

    #[test]
    fn the_check_value_is_right() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        for count in [0, 1, 31, 32, 33, 5535, 5536, 5537, 100_000] {
            assert_eq!(adler32(&vec![0xff; count]), by_definition(count), "{count}");
        }
    }

    /// The sum by its definition, without shortcuts.
    fn by_definition(count: usize) -> u32 {
        let (mut low, mut high) = (1u64, 0u64);
        for _ in 0..count {
            low = (low + 255) % 65_521;
            high = (high + low) % 65_521;
        }
        u32::try_from(high << 16 | low).unwrap()
    }
}
