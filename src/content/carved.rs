//! Formats that are looked for where no file says that one begins: in free space, swap, gaps between partitions.
//!
//! Only such whose bytes do not show what they hold, since all others are matched as they lie there, and only by
//! first bytes that random ones rarely have.

use super::{
    Decoder, ar, bzip2, git, gzip, journal, lz4, lz4_legacy, pdf, rpm, sevenz, squashfs, xz, zip, zlib, zstd,
};
use crate::location::split_carved_name;
use std::fmt;

/// Distance of the places that are looked at, from the start of a volume: every file system puts content at the
/// start of a sector.
pub const STEP: u64 = 512;

/// A format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// How it is read.
    pub decoder: &'static Decoder,
    /// Bytes that it is looked for in, where it does not say itself where it ends.
    pub reach: Option<u64>,
}

/// One that says where it ends.
const fn ending(decoder: &'static Decoder) -> Format {
    Format { decoder, reach: None }
}

/// The formats, in the order in which they are probed.
const FORMATS: &[Format] = &[
    ending(&gzip::DECODER),
    ending(&bzip2::DECODER),
    ending(&xz::DECODER),
    ending(&zstd::DECODER),
    ending(&lz4::DECODER),
    ending(&lz4_legacy::DECODER),
    ending(&zip::LOCAL),
    ending(&ar::DECODER),
    ending(&rpm::DECODER),
    ending(&sevenz::DECODER),
    ending(&git::DECODER),
    ending(&squashfs::DECODER),
    ending(&zlib::GIT_OBJECT),
    Format { decoder: &pdf::DECODER, reach: Some(16 << 20) },
    Format { decoder: &journal::DECODER, reach: Some(128 << 20) },
];

/// The format of content that starts with `head`.
pub fn recognise(head: &[u8]) -> Option<&'static Format> {
    FORMATS.iter().find(|format| (format.decoder.probe)(head))
}

/// The decoder of content that starts with `head`.
pub fn decoder(head: &[u8]) -> Option<&'static Decoder> {
    recognise(head).map(|format| format.decoder)
}

/// The name of content without a file, in front of the paths of its members: its format, and the offset of its first
/// byte, as in `gzip@4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Name of the format.
    pub format: &'static str,
    /// Offset of the first byte, in what the content lies in.
    pub at: u64,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.format, self.at)
    }
}

impl Name {
    /// The path of what lies at `inside`, empty for the content itself.
    pub fn before(self, inside: &str) -> String {
        if inside.is_empty() { self.to_string() } else { format!("{self}!/{inside}") }
    }

    /// Splits a path that starts with such a name, as `zip@4096!/a.txt` does; the second value is the path inside.
    pub fn split(path: &str) -> Option<(Self, &str)> {
        let (name, inside) = path.split_once("!/").unwrap_or((path, ""));
        let (wanted, at) = split_carved_name(name)?;
        let format = FORMATS.iter().map(|format| format.decoder.name).find(|name| *name == wanted)?;
        Some((Self { format, at }, inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for Format { decoder, .. } in FORMATS {
            let name = Name { format: decoder.name, at: 4096 };
            for inside in ["a@1!/b", ""] {
                assert_eq!(Name::split(&name.before(inside)), Some((name, inside)));
            }
        }
        for other in ["", "gzip", "gzip@", "gzip@+1", "gzip@0x10", "base64@4096", "a.txt@1!/b"] {
            assert_eq!(Name::split(other), None, "{other}");
        }
    }

    #[test]
    fn bytes_that_say_little_are_no_format() {
        let heads: [&[u8]; 5] = [b"\x78\x9c", b"PK", b"BZh9", b"#!/bin/sh", &[0x1f, 0x8b, 8, 0xff]];
        for head in heads {
            let mut bytes = [0; super::super::HEAD];
            bytes[..head.len()].copy_from_slice(head);
            assert!(recognise(&bytes).is_none(), "{head:?}");
        }
    }
}
