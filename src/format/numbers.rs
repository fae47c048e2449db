//! Numbers at an offset of bytes that may be too short for them.

/// One function a width and byte order.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident: $type:ident, $decode:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(bytes: &[u8], at: usize) -> Option<$type> {
            bytes.get(at..)?.first_chunk().map(|field| $type::$decode(*field))
        }
    )*};
}

numbers! {
    /// A little-endian number of 16 bits.
    le16: u16, from_le_bytes;
    /// A little-endian number of 32 bits.
    le32: u32, from_le_bytes;
    /// A little-endian number of 64 bits.
    le64: u64, from_le_bytes;
    /// A big-endian number of 16 bits.
    be16: u16, from_be_bytes;
    /// A big-endian number of 32 bits.
    be32: u32, from_be_bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_all_of_its_bytes() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!((le16(&bytes, 0), be16(&bytes, 7)), (Some(0x0201), Some(0x0809)));
        assert_eq!((le32(&bytes, 1), be32(&bytes, 5)), (Some(0x0504_0302), Some(0x0607_0809)));
        assert_eq!((le64(&bytes, 1), le64(&bytes, 2)), (Some(0x0908_0706_0504_0302), None));
        assert_eq!((be16(&bytes, 8), be32(&bytes, 6), le32(&bytes, usize::MAX)), (None, None, None));
    }
}
