//! Coders, by their method identifiers (Methods.txt of the LZMA SDK).

use super::header::{Coder, Folder};
use crate::content::fused::Fused;
use crate::content::lzma::MEMORY_MAX;
use crate::content::part::Part;
use crate::content::{decode_error, lzma, ppmd, to_usize, zstd};
use crate::error::{Error, Kind, Result};
use crate::io::ReadAt;
use lzma_rust2::filter::{bcj::BcjReader, bcj2::Bcj2Reader, delta::DeltaReader};
use lzma_rust2::{Lzma2Reader, LzmaReader};
use std::io::{BufReader, Read};

/// Memory for all dictionaries of a folder in KiB.
const FOLDER_MAX: u32 = 2 * MEMORY_MAX;
/// Coders that feed one another, as the reference has it.
const DEPTH_MAX: usize = 32;

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
    let memory = folder.coders.iter().map(memory_kib).collect::<Result<Vec<_>>>()?;
    let memory = memory.into_iter().fold(0, u32::saturating_add);
    if memory > FOLDER_MAX {
        return Err(Error::new(Kind::LimitExceeded, format!("dictionaries that need {memory} KiB")));
    }
    let chain = Chain { content, folder, start, packs };
    // Whoever reads a member leaves an error to the archive, which passes over the rest of the member.
    Ok(Box::new(Fused::new(chain.coder(folder.last(), 0)?).take(folder.size())))
}

/// Where a folder's content lies as it is, where no coder changes it.
pub(super) fn stored(folder: &Folder, start: u64) -> Option<u64> {
    matches!(folder.coders.as_slice(), [coder] if coder.method == [0x00]).then_some(start)
}

/// A folder's coders over its packed streams.
struct Chain<'a, 'f> {
    content: &'a dyn ReadAt,
    folder: &'f Folder,
    start: u64,
    packs: &'f [u64],
}

impl<'a> Chain<'a, '_> {
    /// What a coder makes of its inputs.
    fn coder(&self, index: usize, depth: usize) -> Result<Box<dyn Read + 'a>> {
        let wrong = |expected: &str| Error::corrupt(self.start, "7z coders", expected, "something else");
        let coder = self.folder.coders.get(index).ok_or_else(|| wrong("a coder for each bond"))?;
        if depth >= DEPTH_MAX {
            return Err(wrong("no coder that feeds itself"));
        }
        let unpacked = self.folder.unpacked.get(index).copied().unwrap_or(0);
        let inputs = coder.inputs.clone().map(|input| self.input(input, depth));
        let mut inputs = inputs.collect::<Result<Vec<_>>>()?;
        match (inputs.len(), coder.method.as_slice()) {
            (4, [0x03, 0x03, 0x01, 0x1b]) => Ok(Box::new(Bcj2Reader::new(inputs, unpacked))),
            (1, _) => step(inputs.remove(0), coder, unpacked),
            _ => Err(Error::unsupported("7z filter with several streams")),
        }
    }

    /// What feeds an input: another coder, or a packed stream.
    fn input(&self, input: u64, depth: usize) -> Result<Box<dyn Read + 'a>> {
        if let Some(bond) = self.folder.bonds.iter().find(|bond| bond.0 == input) {
            return self.coder(to_usize(bond.1), depth.saturating_add(1));
        }
        let index = self.folder.packed.iter().position(|&packed| packed == input);
        let pack = index.and_then(|index| Some((self.packs.get(..index)?, *self.packs.get(index)?)));
        let (before, left) = pack
            .ok_or_else(|| Error::corrupt(self.start, "7z coder", "a packed stream for its input", input))?;
        let at = before.iter().fold(self.start, |at, size| at.saturating_add(*size));
        Ok(Box::new(BufReader::new(Part { content: self.content, at, left })))
    }
}

/// Memory that a coder needs in KiB, where that is much.
fn memory_kib(coder: &Coder) -> Result<u32> {
    match (coder.method.as_slice(), coder.properties.as_slice()) {
        ([0x03, 0x01, 0x01], &[property, a, b, c, d, ..]) => {
            let dictionary = u32::from_le_bytes([a, b, c, d]);
            lzma_rust2::lzma_get_memory_usage_by_props(dictionary, property).map_err(decode_error)
        }
        ([0x21], &[property, ..]) => Ok(dictionary_size(property)? / 1024),
        ([0x03, 0x04, 0x01], &[_, a, b, c, d, ..]) => Ok(u32::from_le_bytes([a, b, c, d]) / 1024),
        _ => Ok(0),
    }
}

fn step<'a>(reader: Box<dyn Read + 'a>, coder: &Coder, unpacked: u64) -> Result<Box<dyn Read + 'a>> {
    let property = |index: usize| coder.properties.get(index).copied().unwrap_or(0);
    Ok(match coder.method.as_slice() {
        [0x00] => reader,
        [0x03, 0x01, 0x01] => {
            let dictionary = u32::from_le_bytes([property(1), property(2), property(3), property(4)]);
            lzma::limited(dictionary, property(0))?;
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
        [0x03, 0x04, 0x01] => ppmd::seven(reader, &coder.properties)?,
        [0x04, 0x01, 0x09] => Box::new(deflate64::Deflate64Decoder::new(reader)),
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
