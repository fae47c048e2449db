//! The header: where packed streams lie, which coders they went through, what the members are called.

use crate::content::{to_u64, to_usize};
use crate::error::{Error, Result};
use std::ops::Range;

pub(super) const HEADER: u8 = 0x01;
pub(super) const PACKED: u8 = 0x17;
const END: u8 = 0x00;
const PROPERTIES: u8 = 0x02;
const MAIN_STREAMS: u8 = 0x04;
const FILES: u8 = 0x05;
const PACK_INFO: u8 = 0x06;
const UNPACK_INFO: u8 = 0x07;
const SUBSTREAMS: u8 = 0x08;
const SIZES: u8 = 0x09;
const DIGESTS: u8 = 0x0a;
const FOLDER: u8 = 0x0b;
const UNPACK_SIZES: u8 = 0x0c;
const COUNTS: u8 = 0x0d;
const EMPTY_STREAMS: u8 = 0x0e;
const NAMES: u8 = 0x11;
/// Coders of one folder, and streams of one coder, as the reference has it.
const CODERS_MAX: u64 = 32;

/// What an archive holds.
#[derive(Debug, Default)]
pub(super) struct Archive {
    pub(super) streams: Streams,
    /// Names of the members that have content, in order.
    pub(super) names: Vec<Vec<u8>>,
}

/// Packed streams and what they unpack to.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Offset behind the start header.
    pub(super) pack_at: u64,
    pub(super) pack_sizes: Vec<u64>,
    pub(super) folders: Vec<Folder>,
}

/// A chain of coders.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) coders: Vec<Coder>,
    /// Which input is fed by which output.
    pub(super) bonds: Vec<(u64, u64)>,
    /// The inputs that read packed streams, in the order of these.
    pub(super) packed: Vec<u64>,
    /// Bytes that each coder makes.
    pub(super) unpacked: Vec<u64>,
    /// Bytes of each member in it.
    pub(super) sizes: Vec<u64>,
    /// Whether its check sum is known.
    has_digest: bool,
}

impl Folder {
    /// The coder whose output is the folder's.
    pub(super) fn last(&self) -> usize {
        let is_bound = |coder: usize| self.bonds.iter().any(|bond| bond.1 == to_u64(coder));
        (0..self.coders.len()).find(|&coder| !is_bound(coder)).unwrap_or(0)
    }

    /// Bytes that it makes.
    pub(super) fn size(&self) -> u64 {
        self.unpacked.get(self.last()).copied().unwrap_or(0)
    }
}

/// A coder.
#[derive(Debug)]
pub(super) struct Coder {
    pub(super) method: Vec<u8>,
    pub(super) properties: Vec<u8>,
    /// Its inputs, counted over all coders of the folder.
    pub(super) inputs: Range<u64>,
}

/// A header being read.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.take(1)?.first().copied().ok_or_else(|| wrong("more bytes"))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let parts = self.0.split_at_checked(to_usize(length));
        let (part, rest) = parts.ok_or_else(|| wrong("more bytes"))?;
        self.0 = rest;
        Ok(part)
    }

    /// A number of 1 to 9 bytes: as many as the first byte has high bits set follow.
    fn number(&mut self) -> Result<u64> {
        let first = self.u8()?;
        let (mut value, mut mask) = (0_u64, 0x80_u8);
        for index in 0..8_u32 {
            if first & mask == 0 {
                let high = u64::from(first & mask.wrapping_sub(1));
                return Ok(value | high.checked_shl(index.saturating_mul(8)).unwrap_or(0));
            }
            value |= u64::from(self.u8()?).checked_shl(index.saturating_mul(8)).unwrap_or(0);
            mask >>= 1;
        }
        Ok(value)
    }

    /// A number of things of which each takes at least one byte of the header.
    fn count(&mut self) -> Result<u64> {
        let count = self.number()?;
        if count > to_u64(self.0.len()) {
            return Err(wrong("fewer things than the header has room for"));
        }
        Ok(count)
    }

    fn bits(&mut self, count: u64) -> Result<Vec<bool>> {
        let bytes = self.take(count.div_ceil(8))?;
        let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte & (0x80 >> bit) != 0));
        Ok(bits.take(to_usize(count)).collect())
    }

    /// Passes over check sums; says which of the `count` things have one.
    fn digests(&mut self, count: u64) -> Result<Vec<bool>> {
        let defined = if self.u8()? != 0 { vec![true; to_usize(count)] } else { self.bits(count)? };
        let number = to_u64(defined.iter().filter(|&&one| one).count());
        self.take(number.saturating_mul(4))?;
        Ok(defined)
    }
}

fn wrong(expected: &str) -> Error {
    Error::corrupt(0, "7z header", expected, "something else")
}

/// The header behind its first byte.
pub(super) fn archive(input: &mut Input<'_>) -> Result<Archive> {
    let mut archive = Archive::default();
    loop {
        match input.u8()? {
            END => return Ok(archive),
            PROPERTIES => {
                while input.u8()? != END {
                    let length = input.number()?;
                    input.take(length)?;
                }
            }
            MAIN_STREAMS => archive.streams = streams(input)?,
            FILES => archive.names = files(input)?,
            _ => return Err(wrong("a known part")),
        }
    }
}

pub(super) fn streams(input: &mut Input<'_>) -> Result<Streams> {
    let mut streams = Streams::default();
    let mut has_substreams = false;
    loop {
        match input.u8()? {
            END => break,
            PACK_INFO => pack_info(input, &mut streams)?,
            UNPACK_INFO => unpack_info(input, &mut streams)?,
            SUBSTREAMS => {
                substreams(input, &mut streams.folders)?;
                has_substreams = true;
            }
            _ => return Err(wrong("a part about streams")),
        }
    }
    if !has_substreams {
        for folder in &mut streams.folders {
            folder.sizes = vec![folder.size()];
        }
    }
    Ok(streams)
}

fn pack_info(input: &mut Input<'_>, streams: &mut Streams) -> Result<()> {
    streams.pack_at = input.number()?;
    let count = input.count()?;
    loop {
        match input.u8()? {
            END => return Ok(()),
            SIZES => streams.pack_sizes = (0..count).map(|_| input.number()).collect::<Result<_>>()?,
            DIGESTS => drop(input.digests(count)?),
            _ => return Err(wrong("sizes of packed streams")),
        }
    }
}

fn unpack_info(input: &mut Input<'_>, streams: &mut Streams) -> Result<()> {
    loop {
        match input.u8()? {
            END => return Ok(()),
            FOLDER => {
                let count = input.count()?;
                if input.u8()? != 0 {
                    return Err(Error::unsupported("7z folders described elsewhere"));
                }
                streams.folders = (0..count).map(|_| folder(input)).collect::<Result<_>>()?;
            }
            UNPACK_SIZES => {
                for folder in &mut streams.folders {
                    let sizes = folder.coders.iter().map(|_| input.number());
                    folder.unpacked = sizes.collect::<Result<_>>()?;
                }
            }
            DIGESTS => {
                let defined = input.digests(to_u64(streams.folders.len()))?;
                for (folder, has_digest) in streams.folders.iter_mut().zip(defined) {
                    folder.has_digest = has_digest;
                }
            }
            _ => return Err(wrong("folders")),
        }
    }
}

fn folder(input: &mut Input<'_>) -> Result<Folder> {
    let mut folder = Folder::default();
    let (mut inputs, mut outputs) = (0_u64, 0_u64);
    let count = input.number()?;
    if count == 0 || count > CODERS_MAX {
        return Err(wrong("1 to 32 coders"));
    }
    for _ in 0..count {
        let flags = input.u8()?;
        let method = input.take(u64::from(flags & 0x0f))?.to_vec();
        let is_complex = flags & 0x10 != 0;
        let (own_inputs, own_outputs) = if is_complex { (input.number()?, input.number()?) } else { (1, 1) };
        if own_inputs > CODERS_MAX || own_outputs != 1 {
            return Err(Error::unsupported("7z coder with several outputs"));
        }
        let own = inputs..inputs.saturating_add(own_inputs);
        (inputs, outputs) = (own.end, outputs.saturating_add(1));
        let length = if flags & 0x20 != 0 { input.number()? } else { 0 };
        let properties = input.take(length)?.to_vec();
        folder.coders.push(Coder { method, properties, inputs: own });
    }
    for _ in 1..outputs {
        let bond = (input.number()?, input.number()?);
        // What fed two inputs would be unpacked once for each of them, and so on.
        if folder.bonds.iter().any(|other| other.0 == bond.0 || other.1 == bond.1) {
            return Err(wrong("one bond for each input and output"));
        }
        folder.bonds.push(bond);
    }
    let packed = inputs.checked_sub(outputs.saturating_sub(1)).ok_or_else(|| wrong("a packed stream"))?;
    folder.packed = if packed > 1 {
        (0..packed).map(|_| input.number()).collect::<Result<_>>()?
    } else {
        let is_bound = |index: u64| folder.bonds.iter().any(|bond| bond.0 == index);
        vec![(0..inputs).find(|&index| !is_bound(index)).unwrap_or(0)]
    };
    Ok(folder)
}

fn substreams(input: &mut Input<'_>, folders: &mut [Folder]) -> Result<()> {
    let mut counts = vec![1_u64; folders.len()];
    let mut has_sizes = false;
    loop {
        match input.u8()? {
            END => break,
            COUNTS => {
                for count in &mut counts {
                    *count = input.number()?;
                }
            }
            SIZES => {
                has_sizes = true;
                for (folder, &count) in folders.iter_mut().zip(&counts) {
                    sizes(input, folder, count)?;
                }
            }
            DIGESTS => {
                // A folder with one member has given its check sum before.
                let left = folders
                    .iter()
                    .zip(&counts)
                    .map(|(folder, &count)| if count == 1 && folder.has_digest { 0 } else { count });
                let count = left.fold(0_u64, u64::saturating_add);
                if count > to_u64(input.0.len()) {
                    return Err(wrong("fewer members"));
                }
                input.digests(count)?;
            }
            _ => return Err(wrong("sizes of members")),
        }
    }
    if !has_sizes {
        for (folder, &count) in folders.iter_mut().zip(&counts) {
            folder.sizes = match count {
                0 => Vec::new(),
                1 => vec![folder.size()],
                _ => return Err(wrong("sizes of the members of a folder")),
            };
        }
    }
    Ok(())
}

/// Sizes of a folder's members: the last one is what is left.
fn sizes(input: &mut Input<'_>, folder: &mut Folder, count: u64) -> Result<()> {
    let mut left = folder.size();
    for _ in 1..count {
        let size = input.number()?;
        left = left.checked_sub(size).ok_or_else(|| wrong("members within their folder"))?;
        folder.sizes.push(size);
    }
    if count > 0 {
        folder.sizes.push(left);
    }
    Ok(())
}

/// Names of those files that have content.
fn files(input: &mut Input<'_>) -> Result<Vec<Vec<u8>>> {
    let count = input.count()?;
    let mut empty = vec![false; to_usize(count)];
    let mut names = Vec::new();
    loop {
        let kind = input.u8()?;
        if kind == END {
            break;
        }
        let length = input.number()?;
        let mut part = Input(input.take(length)?);
        match kind {
            EMPTY_STREAMS => empty = part.bits(count)?,
            NAMES if part.u8()? == 0 => names = wide_names(part.0),
            _ => {}
        }
    }
    let kept = names.into_iter().zip(empty).filter(|(_, is_empty)| !is_empty);
    Ok(kept.map(|(name, _)| name).collect())
}

fn wide_names(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (units, _) = bytes.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
    units.split(|&unit| unit == 0).map(|name| String::from_utf16_lossy(name).into_bytes()).collect()
}
