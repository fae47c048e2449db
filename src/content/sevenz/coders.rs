//! Coders, by their method identifiers (Methods.txt of the LZMA SDK).

use super::header::{Coder, Folder};
use crate::content::lzma::MEMORY_MAX;
use crate::content::part::Part;
use crate::content::{decode_error, to_u64, to_usize, zstd};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, check_range};
use lzma_rust2::filter::{bcj::BcjReader, delta::DeltaReader};
use lzma_rust2::{Lzma2Reader, LzmaReader};
use std::io::{BufReader, Read};

/// A folder's content, from its packed streams, the first of which starts at `start`.
///
/// # Errors
/// When a coder is locked, unknown or wants too much memory.
pub(super) fn open<'a>(
    content: &'a dyn ReadAt,
    folder: &Folder,
    start: u64,
    packs: &[u64],
) -> Result<Box<dyn Read + 'a>> {
    const AES: [u8; 4] = [0x06, 0xf1, 0x07, 0x01];
    if folder.coders.iter().any(|coder| coder.method == AES) {
        return Err(Error::new(Kind::Encrypted, "locked with a password"));
    }
    if folder.coders.iter().any(|coder| coder.is_complex) {
        return Err(Error::unsupported("7z filter with several streams (BCJ2)"));
    }
    let size = packs.first().copied().unwrap_or(0);
    check_range(content.size(), start, size)?;
    let mut reader: Box<dyn Read + 'a> = Box::new(BufReader::new(Part { content, at: start, left: size }));
    // Each coder has one input and one output here, so their numbers are the coder's.
    let mut at = to_usize(folder.first);
    for _ in 0..folder.coders.len() {
        let coder = folder.coders.get(at).ok_or_else(|| Error::corrupt(start, "bond", "a coder", at))?;
        let unpacked = folder.unpacked.get(at).copied().unwrap_or(0);
        reader = step(reader, coder, unpacked)?;
        match folder.bonds.iter().find(|bond| bond.1 == to_u64(at)) {
            Some(bond) => at = to_usize(bond.0),
            None => break,
        }
    }
    Ok(Box::new(reader.take(folder.size())))
}

fn step<'a>(reader: Box<dyn Read + 'a>, coder: &Coder, unpacked: u64) -> Result<Box<dyn Read + 'a>> {
    let property = |index: usize| coder.properties.get(index).copied().unwrap_or(0);
    Ok(match coder.method.as_slice() {
        [0x00] => reader,
        [0x03, 0x01, 0x01] => {
            let dictionary = u32::from_le_bytes([property(1), property(2), property(3), property(4)]);
            let needed = lzma_rust2::lzma_get_memory_usage_by_props(dictionary, property(0));
            limited(needed.map_err(decode_error)?)?;
            let opened = LzmaReader::new_with_props(reader, unpacked, property(0), dictionary, None);
            Box::new(opened.map_err(decode_error)?)
        }
        [0x21] => {
            let dictionary = dictionary_size(property(0))?;
            let opened = Lzma2Reader::new_mem_limit(reader, dictionary, MEMORY_MAX, None);
            Box::new(opened.map_err(decode_error)?)
        }
        [0x03] => Box::new(DeltaReader::new(reader, usize::from(property(0)).saturating_add(1))),
        [0x04] | [0x03, 0x03, 0x01, 0x03] => Box::new(BcjReader::new_x86(reader, 0)),
        [0x05] | [0x03, 0x03, 0x02, 0x05] => Box::new(BcjReader::new_ppc(reader, 0)),
        [0x07] | [0x03, 0x03, 0x05, 0x01] => Box::new(BcjReader::new_arm(reader, 0)),
        [0x08] | [0x03, 0x03, 0x07, 0x01] => Box::new(BcjReader::new_arm_thumb(reader, 0)),
        [0x09] | [0x03, 0x03, 0x08, 0x05] => Box::new(BcjReader::new_sparc(reader, 0)),
        [0x0a] => Box::new(BcjReader::new_arm64(reader, 0)),
        [0x04, 0x01, 0x08] => Box::new(flate2::read::DeflateDecoder::new(reader)),
        [0x04, 0x02, 0x02] => Box::new(::bzip2::read::MultiBzDecoder::new(reader)),
        [0x04, 0xf7, 0x11, 0x01] => Box::new(zstd::reader(reader).map_err(decode_error)?),
        method => {
            let digits: String = method.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(Error::unsupported(format!("7z method {digits}")));
        }
    })
}

/// The dictionary of LZMA2: two and three times powers of two.
fn dictionary_size(property: u8) -> Result<u32> {
    let bits = u32::from(property & 0x3f);
    if bits >= 40 {
        return Err(Error::new(Kind::LimitExceeded, "a dictionary of 4 GiB"));
    }
    let size = u64::from(2 | (bits & 1)).checked_shl(bits / 2 + 11).unwrap_or(u64::MAX);
    u32::try_from(size)
        .ok()
        .ok_or_else(|| Error::new(Kind::LimitExceeded, format!("a dictionary of {size} bytes")))
}

fn limited(needed_kib: u32) -> Result<()> {
    if needed_kib > MEMORY_MAX {
        return Err(Error::new(Kind::LimitExceeded, format!("a dictionary that needs {needed_kib} KiB")));
    }
    Ok(())
}
