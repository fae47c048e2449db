//! CRC-32C (Castagnoli), the checksum of VHDX structures.

/// The checksum of `bytes`, with the four at `field` counted as zeros.
pub(super) fn crc32c(bytes: &[u8], field: usize) -> u32 {
    let (head, rest) = bytes.split_at(field.min(bytes.len()));
    let (hidden, tail) = rest.split_at(rest.len().min(4));
    let zeros = [0; 4];
    let zeros = zeros.get(..hidden.len()).unwrap_or_default();
    [zeros, tail].into_iter().fold(crc32c::crc32c(head), crc32c::crc32c_append)
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
