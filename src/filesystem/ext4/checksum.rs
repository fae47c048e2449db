//! The two checksums of ext metadata: CRC-32C (`metadata_csum`, jbd2) and CRC-16 (`uninit_bg`).

/// Reversed Castagnoli polynomial.
const CRC32C: u32 = 0x82f6_3b78;

/// Reversed CRC-16 (ANSI) polynomial.
const CRC16: u16 = 0xa001;

/// `TABLES[k][b]`: the remainder of byte `b` with `k` zero bytes behind it.
static TABLES: [[u32; 256]; 8] = tables();

#[allow(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler, which rejects what is out of range"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ if value & 1 == 1 { CRC32C } else { 0 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// Continues a CRC-32C over `bytes`, without inversion at either end, as ext and jbd2 use it: a chain
/// starts from `u32::MAX`.
#[allow(clippy::indexing_slicing, reason = "a byte is a valid index of a table of 256")]
pub(super) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    let mut crc = seed;
    let (words, rest) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in words {
        let [low, second, third, high] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
        crc = TABLES[7][usize::from(low)]
            ^ TABLES[6][usize::from(second)]
            ^ TABLES[5][usize::from(third)]
            ^ TABLES[4][usize::from(high)]
            ^ TABLES[3][usize::from(e)]
            ^ TABLES[2][usize::from(f)]
            ^ TABLES[1][usize::from(g)]
            ^ TABLES[0][usize::from(h)];
    }
    for byte in rest {
        let [low, ..] = crc.to_le_bytes();
        crc = (crc >> 8) ^ TABLES[0][usize::from(low ^ byte)];
    }
    crc
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
