//! The two checksums of ext metadata: CRC-32C (`metadata_csum`, jbd2) and CRC-16 (`uninit_bg`).

/// Reversed CRC-16 (ANSI) polynomial.
const CRC16: u16 = 0xa001;

/// Continues a CRC-32C over `bytes`, without inversion at either end, as ext and jbd2 use it: a chain
/// starts from `u32::MAX`.
pub(super) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// Continues a CRC-16 over `bytes`; a chain starts from `u16::MAX`.
pub(super) fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { CRC16 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_check_values_come_out() {
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283);
        assert_eq!(!crc32c(u32::MAX, &[0; 32]), 0x8a91_36aa);
        assert_eq!(crc16(u16::MAX, b"123456789"), 0x4b37);
    }

    #[test]
    fn a_checksum_can_be_taken_in_pieces() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in [0, 1, 7, 8, 9, 100, 256] {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(crc32c(crc32c(1, head), tail), crc32c(1, &bytes), "{cut}");
        }
    }
}
