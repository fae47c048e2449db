//! CRC-32C (Castagnoli), the checksum of VHDX structures.

/// Remainders of all bytes for the reflected polynomial 0x82f63b78.
const TABLE: [u32; 256] = table();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0u32;
    while byte < 256 {
        let mut remainder = byte;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { remainder >> 1 ^ 0x82f6_3b78 } else { remainder >> 1 };
            bit += 1;
        }
        table[byte as usize] = remainder;
        byte += 1;
    }
    table
}

/// The checksum of `bytes`, with the four at `field` counted as zeros.
pub(super) fn crc32c(bytes: &[u8], field: usize) -> u32 {
    let end = field.saturating_add(4);
    let sum = bytes.iter().enumerate().fold(u32::MAX, |sum, (index, &byte)| {
        let byte = if (field..end).contains(&index) { 0 } else { byte };
        let [low, ..] = (sum ^ u32::from(byte)).to_le_bytes();
        TABLE.get(usize::from(low)).copied().unwrap_or(0) ^ sum >> 8
    });
    !sum
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    /// The check value of the catalogue of parametrised CRC algorithms.
    #[test]
    fn the_check_value_is_right() {
        assert_eq!(crc32c(b"123456789", 100), 0xe306_9283);
        assert_eq!(crc32c(b"12\0\0\0\x00789", 100), crc32c(b"123456789", 2));
    }
}
