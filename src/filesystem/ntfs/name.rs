//! Names: UTF-16 as stored, WTF-8 as used by everything above, and `$FILE_NAME`.
//!
//! WTF-8 is UTF-8 that also has the lone surrogates which NTFS allows (<https://simonsapin.github.io/wtf-8/>).

use super::record::Reference;
use crate::error::Result;
use crate::io::Fields;

/// A string in the stored form, little-endian.
pub(super) type Utf16<'a> = &'a [[u8; 2]];

/// The whole units of `bytes`.
pub(super) fn units(bytes: &[u8]) -> Utf16<'_> {
    bytes.as_chunks().0
}

/// Which rules a name was made for (`$FILE_NAME` flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Long names: Windows, POSIX, or long and short in one.
    Long,
    /// The 8.3 name beside a long one.
    Dos,
}

/// A name of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    /// The directory that holds it.
    pub(super) parent: Reference,
    /// Long or 8.3.
    pub(super) space: Space,
    /// WTF-8, never empty.
    pub(super) name: Vec<u8>,
}

impl FileName {
    /// Parses the value of a `$FILE_NAME` attribute found at `at`.
    ///
    /// # Errors
    /// Truncated values, and names that are empty or hold NUL or `/`.
    pub(super) fn parse(value: &[u8], at: u64) -> Result<Self> {
        let fields = Fields::new("$FILE_NAME", value, at);
        let length = usize::from(fields.u8(0x40)?).saturating_mul(2);
        let name = units(fields.bytes(0x42, length)?);
        if !is_name(name) {
            let found = crate::location::escape(&wtf8(name));
            return Err(crate::error::Error::corrupt(at, "file name", "a name without NUL and /", found));
        }
        let space = if fields.u8(0x41)? == 2 { Space::Dos } else { Space::Long };
        Ok(Self { parent: Reference::from_raw(fields.le_u64(0)?), space, name: wtf8(name) })
    }
}

/// Whether a name can be part of a path.
pub(super) fn is_name(name: Utf16<'_>) -> bool {
    !name.is_empty() && !name.iter().any(|unit| matches!(unit, [0 | b'/', 0]))
}

/// The name in WTF-8.
pub(super) fn wtf8(name: Utf16<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut buffer = [0; 4];
    for character in char::decode_utf16(name.iter().map(|&unit| u16::from_le_bytes(unit))) {
        match character {
            Ok(character) => out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes()),
            Err(lone) => {
                let unit = u32::from(lone.unpaired_surrogate());
                let bits = |shift: u32, mask: u32| u8::try_from((unit >> shift) & mask).unwrap_or(0);
                out.extend_from_slice(&[0xe0 | bits(12, 0x0f), 0x80 | bits(6, 0x3f), 0x80 | bits(0, 0x3f)]);
            }
        }
    }
    out
}

/// The UTF-16 units of a WTF-8 name; bytes that are not WTF-8 become units that no name has.
pub(super) fn utf16(name: &[u8]) -> Vec<u16> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some(chunk) = rest.utf8_chunks().next() {
        out.extend(chunk.valid().encode_utf16());
        rest = rest.get(chunk.valid().len()..).unwrap_or_default();
        if let [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, tail @ ..] = rest {
            out.push(0xd000 | (u16::from(second & 0x3f) << 6) | u16::from(third & 0x3f));
            rest = tail;
        } else if let Some((_, tail)) = rest.split_first() {
            out.push(0);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_of_units_survives_the_way_to_wtf8_and_back() {
        for name in [
            vec![0x61, 0xe9, 0x65e5, 0xd83d, 0xde00],
            vec![0xd83d, 0x61],
            vec![0xde00, 0xd83d],
            vec![0xdfff, 0xffff, 1],
        ] {
            let stored: Vec<[u8; 2]> = name.iter().map(|unit: &u16| unit.to_le_bytes()).collect();
            assert_eq!(utf16(&wtf8(&stored)), name);
        }
        assert_eq!(wtf8(&[[0x3d, 0xd8], [0x00, 0xde]]), "\u{1f600}".as_bytes());
    }

    #[test]
    fn names_that_could_leave_their_directory_are_refused() {
        let value = |name: &str| {
            let mut value = vec![0; 0x42];
            value[0x40] = u8::try_from(name.encode_utf16().count()).unwrap();
            value.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
            value
        };
        assert_eq!(FileName::parse(&value("naïve"), 0).unwrap().name, "naïve".as_bytes());
        for name in ["", "a/b", "a\0b"] {
            assert!(FileName::parse(&value(name), 0).is_err(), "{name:?}");
        }
        assert!(FileName::parse(&value("long")[..0x44], 0).is_err());
    }
}
