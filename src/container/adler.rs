//! Adler-32 (RFC 1950, section 8.2).

/// Largest prime below 2^16.
const BASE: u32 = 65_521;
/// Bytes that can be summed before the sums must be reduced.
const STEP: usize = 5552;

/// The checksum of `bytes`.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1u32, 0u32);
    for part in bytes.chunks(STEP) {
        for &byte in part {
            low = low.wrapping_add(byte.into());
            high = high.wrapping_add(low);
        }
        low %= BASE;
        high %= BASE;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::adler32;

    #[test]
    fn the_check_value_is_right() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(adler32(&[0xff; 100_000]), by_definition(100_000));
    }

    /// The sum by its definition, without shortcuts.
    fn by_definition(count: u64) -> u32 {
        let (mut low, mut high) = (1u64, 0u64);
        for _ in 0..count {
            low = (low + 255) % 65_521;
            high = (high + low) % 65_521;
        }
        u32::try_from(high << 16 | low).unwrap()
    }
}
