//! Tar archives (POSIX.1-2008 `pax`, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" and
//! "Storing Sparse Files").

use crate::error::{Error, Kind, Result};
use crate::io::Fields;
use crate::location::escape;
use std::io::Read;
use std::ops::Range;

/// Unit of an archive.
pub(super) const BLOCK: u64 = 512;
/// Longest extended header that is read.
const EXTENDED_MAX: u64 = 1 << 20;
/// Extended headers in front of one member at most.
const EXTENDED_COUNT_MAX: usize = 64;
/// Pieces of a sparse member at most.
const PIECES_MAX: usize = 1 << 20;

/// A source of bytes in order that can also leave some out.
pub(super) trait Forward: Read {
    /// Leaves out `length` bytes.
    ///
    /// # Errors
    /// Where the source ends before.
    fn skip(&mut self, length: u64) -> std::io::Result<()>;

    /// Bytes read and left out so far.
    fn position(&self) -> u64;
}

/// A member with bytes.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Name, escaped; for messages only.
    pub(super) name: String,
    /// Bytes that the archive stores.
    pub(super) stored: u64,
    /// Length of the file.
    pub(super) size: u64,
    /// Ranges of the file that are stored, behind each other; `None` where all of it is.
    pub(super) pieces: Option<Vec<Range<u64>>>,
}

/// What extended headers say of the member behind them.
#[derive(Debug, Default)]
struct Extended {
    size: Option<u64>,
    name: Option<Vec<u8>>,
    real_size: Option<u64>,
    /// `GNU.sparse.major`: 1 has its map in front of the data.
    map_in_data: bool,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
}

/// Whether a block is a header: its checksum is that of its bytes.
pub(super) fn is_header(block: &[u8]) -> bool {
    block.len() >= 512 && block.first() != Some(&0) && checksum_is_right(block)
}

/// Moves to the next member that is a regular file and reads its header; the position is then at its data.
/// `None` at the end of the archive.
///
/// # Errors
/// [`Kind::Truncated`] where the archive ends within a header, [`Kind::Corrupt`].
pub(super) fn next_member(source: &mut dyn Forward) -> Result<Option<Member>> {
    let mut extended = Extended::default();
    let mut count = 0usize;
    // Every turn reads a block: the archive's own length bounds the loop.
    while let Some(block) = header(source)? {
        let at = source.position().saturating_sub(BLOCK);
        let fields = Fields::new("tar header", &block, at);
        let size = number(fields.bytes(124, 12)?, at)?;
        match fields.u8(156)? {
            b'x' => extended.read_pax(&contents(source, size)?),
            b'L' => extended.name = Some(contents(source, size)?),
            b'g' | b'K' => drop(contents(source, size)?),
            0 | b'0' | b'7' => return extended.member(&fields, size, source).map(Some),
            b'S' => return gnu_sparse(&fields, size, source, extended.name.as_deref()).map(Some),
            _ => {
                skip(source, size.div_ceil(BLOCK).saturating_mul(BLOCK))?;
                (extended, count) = (Extended::default(), 0);
                continue;
            }
        }
        count = count.saturating_add(1);
        if count > EXTENDED_COUNT_MAX {
            let message = "too many extended headers in front of one member";
            return Err(Error::new(Kind::LimitExceeded, message).at(at));
        }
    }
    Ok(None)
}

/// The next block, where it is a header; `None` at the end: nothing, or a block of zeros.
fn header(source: &mut dyn Forward) -> Result<Option<[u8; 512]>> {
    let at = source.position();
    let mut block = [0; 512];
    let got = fill(source, &mut block)?;
    if got == 0 || block.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    if got < block.len() {
        let size = at.saturating_add(u64::try_from(got).unwrap_or(0));
        return Err(Error::truncated("tar header", at, BLOCK, size));
    }
    if !checksum_is_right(&block) {
        return Err(Error::corrupt(at, "tar header", "a right checksum", "another one"));
    }
    Ok(Some(block))
}

/// Reads until `buffer` is full or the source ends; says how much it got.
pub(super) fn fill(source: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(got) => filled = filled.saturating_add(got),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(from_io(error)),
        }
    }
    Ok(filled)
}

/// What a decoder or the source below it says, in this program's kinds: the first cause that has one, or
/// else [`Kind::Corrupt`], because it is the decoder that complains.
pub(super) fn from_io(error: std::io::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut kind = Kind::Corrupt;
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<Error>() {
            kind = own.kind();
            break;
        }
        match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            Some(std::io::ErrorKind::UnexpectedEof) => kind = Kind::Truncated,
            Some(std::io::ErrorKind::OutOfMemory) => kind = Kind::LimitExceeded,
            _ => {}
        }
        cause = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    Error::new(kind, "the wrapped image").with_source(error)
}

fn skip(source: &mut dyn Forward, length: u64) -> Result<()> {
    source.skip(length).map_err(from_io)
}

/// The data of an extended header, without padding.
fn contents(source: &mut dyn Forward, size: u64) -> Result<Vec<u8>> {
    if size > EXTENDED_MAX {
        let message = format!("extended tar header of {size} bytes; at most {EXTENDED_MAX} are read");
        return Err(Error::new(Kind::LimitExceeded, message).at(source.position()));
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let at = source.position();
    if fill(source, &mut bytes)? < bytes.len() {
        return Err(Error::truncated("extended tar header", at, size, source.position()));
    }
    skip(source, padding(size))?;
    Ok(bytes)
}

/// Bytes from the end of `size` bytes of data to the next block.
pub(super) fn padding(size: u64) -> u64 {
    size.div_ceil(BLOCK).saturating_mul(BLOCK).saturating_sub(size)
}

/// "chksum": the bytes' sum with the field itself as spaces; old programs summed signed bytes.
fn checksum_is_right(block: &[u8]) -> bool {
    let Some(stored) = block.get(148..156).and_then(|field| number(field, 0).ok()) else { return false };
    let byte = |(index, &byte): (usize, &u8)| if (148..156).contains(&index) { b' ' } else { byte };
    let bytes = block.iter().take(512).enumerate().map(byte);
    let signed: i64 = bytes.clone().map(|byte| i64::from(byte.cast_signed())).sum();
    bytes.map(u64::from).sum::<u64>() == stored || i64::try_from(stored) == Ok(signed)
}

/// Octal digits, or a binary number where the first bit is set.
fn number(field: &[u8], at: u64) -> Result<u64> {
    let wrong = || Error::corrupt(at, "number in a tar header", "octal digits", escape(field));
    match field.split_first() {
        Some((&first, rest)) if first & 0x80 != 0 => {
            let fits = first & 0x7f == 0 && rest.iter().rev().skip(8).all(|&byte| byte == 0);
            let low = rest.iter().rev().take(8).rev();
            fits.then(|| low.fold(0u64, |sum, &byte| sum << 8 | u64::from(byte))).ok_or_else(wrong)
        }
        _ => {
            let digits = field.split(|&byte| byte == 0).next().unwrap_or_default().trim_ascii();
            let text = std::str::from_utf8(digits).map_err(|error| wrong().with_source(error))?;
            if text.is_empty() {
                Ok(0)
            } else {
                u64::from_str_radix(text, 8).map_err(|e| wrong().with_source(e))
            }
        }
    }
}

fn name(fields: &Fields<'_>, long: Option<&[u8]>) -> Result<String> {
    let short = fields.bytes(0, 100)?;
    let name = long.unwrap_or(short);
    Ok(escape(name.split(|&byte| byte == 0).next().unwrap_or_default()))
}

impl Extended {
    /// Records of the form `length key=value\n`.
    fn read_pax(&mut self, mut rest: &[u8]) {
        while let Some((key, value, next)) = pax_record(rest) {
            let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
            match key {
                b"size" => self.size = number(),
                b"path" | b"GNU.sparse.name" => self.name = Some(value.to_vec()),
                b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.real_size = number(),
                b"GNU.sparse.major" => self.map_in_data = number() == Some(1),
                b"GNU.sparse.offset" => self.offsets.extend(number()),
                b"GNU.sparse.numbytes" => self.lengths.extend(number()),
                b"GNU.sparse.map" => self.read_map(value),
                _ => {}
            }
            rest = next;
        }
    }

    /// Offsets and lengths in turn, with commas between them.
    fn read_map(&mut self, value: &[u8]) {
        let numbers =
            value.split(|&byte| byte == b',').map(|text| std::str::from_utf8(text).ok()?.parse().ok());
        for (index, number) in numbers.map_while(|number: Option<u64>| number).enumerate() {
            if index % 2 == 0 { self.offsets.push(number) } else { self.lengths.push(number) }
        }
    }

    /// The regular member behind these headers.
    fn member(self, fields: &Fields<'_>, size: u64, source: &mut dyn Forward) -> Result<Member> {
        let at = source.position();
        let mut stored = self.size.unwrap_or(size);
        let name = name(fields, self.name.as_deref())?;
        let Some(real_size) = self.real_size else {
            return Ok(Member { name, stored, size: stored, pieces: None });
        };
        let (mut offsets, mut lengths) = (self.offsets, self.lengths);
        if self.map_in_data {
            let map = read_data_map(source)?;
            let used = source.position().saturating_sub(at);
            stored = stored.checked_sub(used).ok_or_else(|| {
                Error::corrupt(at, "map of a sparse member", format!("at most {stored} bytes"), used)
            })?;
            (offsets, lengths) = map.into_iter().unzip();
        }
        let pieces = pieces(offsets.into_iter().zip(lengths), real_size, stored, at)?;
        Ok(Member { name, stored, size: real_size, pieces: Some(pieces) })
    }
}

/// Key and value of the first record, and what follows it.
fn pax_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|&byte| byte == b' ')?;
    let length: usize = std::str::from_utf8(bytes.get(..space)?).ok()?.parse().ok()?;
    let record = bytes.get(space.checked_add(1)?..length.checked_sub(1)?)?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    let (key, value) = record.split_at(equals);
    Some((key, value.get(1..)?, bytes.get(length..)?))
}

/// The map of format 1.0: decimal numbers on lines of their own, first their count, padded to a block.
fn read_data_map(source: &mut dyn Forward) -> Result<Vec<(u64, u64)>> {
    let at = source.position();
    let mut numbers = Vec::new();
    let mut digits = 0u64;
    let mut wanted = 1usize;
    while numbers.len() < wanted {
        let mut block = [0; 512];
        if fill(source, &mut block)? < block.len() {
            return Err(Error::truncated("map of a sparse member", at, BLOCK, source.position()));
        }
        for byte in block {
            match byte {
                b'0'..=b'9' => {
                    digits = digits.saturating_mul(10).saturating_add(u64::from(byte.saturating_sub(b'0')));
                }
                b'\n' if numbers.len() < wanted => {
                    numbers.push(digits);
                    digits = 0;
                    if let [count] = *numbers {
                        let pieces = usize::try_from(count).ok().filter(|&count| count <= PIECES_MAX);
                        let limit = || Error::new(Kind::LimitExceeded, "too many pieces of a sparse member");
                        wanted = pieces.ok_or_else(limit)?.saturating_mul(2).saturating_add(1);
                    }
                }
                _ => {}
            }
        }
    }
    let pairs = numbers.get(1..).unwrap_or_default().chunks_exact(2);
    Ok(pairs.filter_map(|pair| pair.first().copied().zip(pair.last().copied())).collect())
}

/// A member of the old GNU type, with the map in the header and in blocks behind it.
fn gnu_sparse(
    fields: &Fields<'_>,
    stored: u64,
    source: &mut dyn Forward,
    long: Option<&[u8]>,
) -> Result<Member> {
    let at = source.position();
    let name = name(fields, long)?;
    let mut map = map_entries(fields.bytes(386, 96)?, at)?;
    let size = number(fields.bytes(483, 12)?, at)?;
    let mut extended = fields.u8(482)? != 0;
    while extended {
        let mut block = [0; 512];
        if fill(source, &mut block)? < block.len() {
            return Err(Error::truncated("map of a sparse member", at, BLOCK, source.position()));
        }
        let more = Fields::new("sparse map", &block, source.position());
        map.extend(map_entries(more.bytes(0, 504)?, at)?);
        extended = more.u8(504)? != 0;
        if map.len() > PIECES_MAX {
            return Err(Error::new(Kind::LimitExceeded, "too many pieces of a sparse member").at(at));
        }
    }
    let pieces = pieces(map.into_iter(), size, stored, at)?;
    Ok(Member { name, stored, size, pieces: Some(pieces) })
}

/// Offsets and lengths, twelve bytes each, up to the first that is empty.
fn map_entries(bytes: &[u8], at: u64) -> Result<Vec<(u64, u64)>> {
    let used = bytes.chunks_exact(24).take_while(|entry| entry.first() != Some(&0));
    used.map(|entry| {
        let (offset, length) = entry.split_at(12);
        Ok((number(offset, at)?, number(length, at)?))
    })
    .collect()
}

/// Pieces in order, without overlap, that add up to what is stored.
fn pieces(map: impl Iterator<Item = (u64, u64)>, size: u64, stored: u64, at: u64) -> Result<Vec<Range<u64>>> {
    let (mut pieces, mut cursor, mut sum) = (Vec::new(), 0, 0u64);
    for (offset, length) in map {
        let end = offset.checked_add(length).filter(|&end| offset >= cursor && end <= size);
        let wrong = || Error::corrupt(at, "piece of a sparse member", "one behind the other", offset);
        cursor = end.ok_or_else(wrong)?;
        sum = sum.saturating_add(length);
        if length > 0 {
            pieces.push(offset..cursor);
        }
    }
    if sum != stored {
        return Err(Error::corrupt(at, "bytes of a sparse member", sum, stored));
    }
    Ok(pieces)
}
