//! Integers out of on-disk structures: explicit width and byte order, never past the end.

use crate::error::{Error, Result};

/// A structure's bytes, which know where in their layer they came from.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    base: u64,
    what: &'static str,
}

macro_rules! integers {
    ($($name:ident, $type:ty, $from:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        ///
        /// # Errors
        /// [`Kind::Truncated`](crate::error::Kind::Truncated) where the field passes the end of the structure.
        pub fn $name(&self, at: usize) -> Result<$type> {
            Ok(<$type>::$from(self.array(at)?))
        }
    )*};
}

impl<'a> Fields<'a> {
    /// The fields of `bytes`, a `what` found at `base` of its layer.
    pub fn new(what: &'static str, bytes: &'a [u8], base: u64) -> Self {
        Self { bytes, base, what }
    }

    integers! {
        le_u16, u16, from_le_bytes, "Unsigned 16 bits, little-endian, at `at`.";
        le_u32, u32, from_le_bytes, "Unsigned 32 bits, little-endian, at `at`.";
        le_i32, i32, from_le_bytes, "Signed 32 bits, little-endian, at `at`.";
        le_u64, u64, from_le_bytes, "Unsigned 64 bits, little-endian, at `at`.";
        be_u16, u16, from_be_bytes, "Unsigned 16 bits, big-endian, at `at`.";
        be_u32, u32, from_be_bytes, "Unsigned 32 bits, big-endian, at `at`.";
        be_u64, u64, from_be_bytes, "Unsigned 64 bits, big-endian, at `at`.";
    }

    /// The byte at `at`.
    ///
    /// # Errors
    /// [`Kind::Truncated`](crate::error::Kind::Truncated) past the end.
    pub fn u8(&self, at: usize) -> Result<u8> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    /// `N` bytes from `at` on.
    ///
    /// # Errors
    /// [`Kind::Truncated`](crate::error::Kind::Truncated) past the end.
    pub fn array<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        self.bytes(at, N)?.first_chunk().copied().ok_or_else(|| self.short(at, N))
    }

    /// `length` bytes from `at` on, borrowed.
    ///
    /// # Errors
    /// [`Kind::Truncated`](crate::error::Kind::Truncated) past the end.
    pub fn bytes(&self, at: usize, length: usize) -> Result<&'a [u8]> {
        at.checked_add(length).and_then(|end| self.bytes.get(at..end)).ok_or_else(|| self.short(at, length))
    }

    /// All the bytes of the structure.
    pub fn all(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where in the layer the byte `at` lies.
    pub fn offset(&self, at: usize) -> u64 {
        self.base.saturating_add(u64::try_from(at).unwrap_or(u64::MAX))
    }

    fn short(&self, at: usize, length: usize) -> Error {
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        Error::truncated(self.what, self.offset(at), wanted, self.offset(self.bytes.len()))
    }
}
