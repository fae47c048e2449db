//! Zip archives (PKWARE APPNOTE 6.3.10) and what is built on them (jar, apk, docx, xlsx, whl …), read by
//! their central directory, Zip64 included. Where that is lost, the members are read one after the other.

mod local;

use super::part::Part;
use super::{Decoder, Form, Member, Visit, decode_error, inflate, lzma, ppmd, to_u64, to_usize, xz, zstd};
use crate::error::{Error, Kind, Result};
use crate::format::{le16, le32, le64};
use crate::io::{ReadAt, read_vec};
use deflate64::Deflate64Decoder;
use flate2::read::DeflateDecoder;
use lzma_rust2::LzmaReader;
use std::io::Read;

/// The end record and the longest comment behind it.
const TAIL_MAX: u64 = 22 + 65_535;
/// Bytes of the central directory that are held at a time, above the longest record in it.
const STEP: usize = 256 << 10;
const RECORD: usize = 46;

pub(super) const DECODER: Decoder =
    Decoder { name: "zip", probe: |head| head.starts_with(b"PK\x03\x04"), form: Form::Random(decode) };

/// Archives of which nobody says where they end, and so where their directory is.
pub(super) const LOCAL: Decoder = Decoder { form: Form::Random(local::walk), ..DECODER };

/// Archives behind something else: a shell script that starts Java or Python with itself, a program that unpacks
/// itself. Such files are not known by their first bytes.
pub(super) const BEHIND: Decoder = Decoder {
    name: "zip",
    probe: |head| head.starts_with(b"#!") || head.starts_with(b"MZ"),
    form: Form::Partial(behind),
};

/// Bytes at the end of a file that may have an archive behind something else, in which its end record stands.
const BEHIND_MAX: u64 = 1024;

fn behind(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let from = content.size().saturating_sub(BEHIND_MAX);
    let tail = read_vec(content, from, to_usize(content.size().saturating_sub(from)))?;
    if !tail.windows(4).any(|window| window == b"PK\x05\x06") {
        return Ok(());
    }
    // What only looks like an end record is none of an archive.
    match find_end(content).ok().filter(|end| is_directory(content, end.start)) {
        Some(end) => by_directory(content, &end, visit),
        None => Ok(()),
    }
}

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    match find_end(content) {
        Ok(end) => by_directory(content, &end, visit),
        Err(error) => local::walk(content, visit).and(Err(error)),
    }
}

fn is_directory(content: &dyn ReadAt, at: u64) -> bool {
    read_vec(content, at, 4).is_ok_and(|magic| magic == b"PK\x01\x02")
}

fn by_directory(content: &dyn ReadAt, end: &End, visit: Visit<'_>) -> Result<()> {
    let mut directory =
        Directory { content, at: end.start, end: end.start.saturating_add(end.length), held: Vec::new() };
    while let Some(mut record) = directory.next()? {
        if record.name.ends_with(b"/") && record.size == 0 {
            continue;
        }
        record.local = record.local.saturating_add(end.shift);
        one(content, &record, visit)?;
    }
    Ok(())
}

/// Hands on a member; its own trouble is told with its name by whoever reads it.
fn one(content: &dyn ReadAt, record: &Record, visit: Visit<'_>) -> Result<()> {
    match open(content, record) {
        Ok((stored, mut reader)) => {
            visit(Member { name: &record.name, stored, pieces: &[], content: reader.as_mut() })
        }
        Err(error) => visit(Member {
            name: &record.name,
            stored: None,
            pieces: &[],
            content: &mut Refused(Some(error)),
        }),
    }
}

/// Where the central directory lies.
struct End {
    start: u64,
    length: u64,
    /// Bytes before the archive that its own places do not count.
    shift: u64,
}

fn find_end(content: &dyn ReadAt) -> Result<End> {
    let size = content.size();
    let from = size.saturating_sub(TAIL_MAX);
    let tail = read_vec(content, from, to_usize(size.saturating_sub(from)))?;
    let place = tail.windows(22).rposition(|window| window.starts_with(b"PK\x05\x06"));
    let place = place.ok_or_else(|| {
        Error::corrupt(from, "archive", "an end of central directory record", "none in the last 64 KiB")
    })?;
    let record = tail.get(place..).unwrap_or_default();
    let (length, start) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
    let end_at = from.saturating_add(to_u64(place));
    let is_large = [length, start].contains(&u64::from(u32::MAX)) || u16_at(record, 10) == u16::MAX;
    if is_large && let Some(end) = find_end64(content, end_at)? {
        return Ok(end);
    }
    if start.checked_add(length).is_none_or(|end| end > end_at) {
        let found = format!("{length} bytes at {start:#x}");
        return Err(Error::corrupt(end_at, "zip central directory", "to lie before its end record", found));
    }
    // The directory ends where its end record starts, wherever it says that it lies.
    let own = end_at.saturating_sub(length);
    if own > start && length > 0 && !is_directory(content, start) && is_directory(content, own) {
        return Ok(End { start: own, length, shift: own.saturating_sub(start) });
    }
    Ok(End { start, length, shift: 0 })
}

/// The Zip64 end record, by its locator right before the end record.
fn find_end64(content: &dyn ReadAt, end_at: u64) -> Result<Option<End>> {
    let Some(at) = end_at.checked_sub(20) else { return Ok(None) };
    let locator = read_vec(content, at, 20)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let at = u64_at(&locator, 8);
    let record = read_vec(content, at, 56)?;
    let (length, start) = (u64_at(&record, 40), u64_at(&record, 48));
    if !record.starts_with(b"PK\x06\x06") || start.checked_add(length).is_none_or(|end| end > end_at) {
        return Err(Error::corrupt(at, "Zip64 end record", "a central directory before it", "another"));
    }
    Ok(Some(End { start, length, shift: 0 }))
}

/// A member as the central directory has it.
struct Record {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    packed: u64,
    size: u64,
    local: u64,
}

/// The central directory, read piece by piece.
struct Directory<'a> {
    content: &'a dyn ReadAt,
    at: u64,
    end: u64,
    held: Vec<u8>,
}

impl Directory<'_> {
    fn next(&mut self) -> Result<Option<Record>> {
        if self.at >= self.end {
            return Ok(None);
        }
        if !self.holds_record() {
            let length = to_usize(self.end.saturating_sub(self.at)).min(STEP);
            self.held = read_vec(self.content, self.at, length)?;
        }
        let wrong = || Error::corrupt(self.at, "zip central directory", "a file header", "something else");
        if !self.holds_record() || !self.held.starts_with(b"PK\x01\x02") {
            return Err(wrong());
        }
        let length = self.record_length();
        let record = record(self.held.get(..length).unwrap_or_default());
        self.held.drain(..length.min(self.held.len()));
        self.at = self.at.saturating_add(to_u64(length));
        Ok(Some(record))
    }

    fn record_length(&self) -> usize {
        let parts = [28, 30, 32].map(|at| usize::from(u16_at(&self.held, at)));
        parts.iter().fold(RECORD, |sum, part| sum.saturating_add(*part))
    }

    fn holds_record(&self) -> bool {
        self.held.len() >= RECORD && self.held.len() >= self.record_length()
    }
}

fn record(bytes: &[u8]) -> Record {
    let name_end = RECORD.saturating_add(usize::from(u16_at(bytes, 28)));
    let extra_end = name_end.saturating_add(usize::from(u16_at(bytes, 30)));
    let mut record = Record {
        name: bytes.get(RECORD..name_end).unwrap_or_default().to_vec(),
        flags: u16_at(bytes, 8),
        method: u16_at(bytes, 10),
        packed: u64::from(u32_at(bytes, 20)),
        size: u64::from(u32_at(bytes, 24)),
        local: u64::from(u32_at(bytes, 42)),
    };
    // The Zip64 extra field holds, in this order, what did not fit into 32 bits.
    let mut extra = bytes.get(name_end..extra_end).unwrap_or_default();
    while extra.len() >= 4 {
        let end = usize::from(u16_at(extra, 2)).saturating_add(4);
        if u16_at(extra, 0) == 1 {
            let mut at = 4;
            for field in [&mut record.size, &mut record.packed, &mut record.local] {
                if *field == u64::from(u32::MAX) {
                    *field = u64_at(extra, at);
                    at = at.saturating_add(8);
                }
            }
        }
        extra = extra.get(end..).unwrap_or_default();
    }
    record
}

/// A reader of the member's content, and where it lies as it is, where it does.
fn open<'a>(content: &'a dyn ReadAt, record: &Record) -> Result<(Option<u64>, Box<dyn Read + 'a>)> {
    const ENCRYPTED: u16 = 1;
    if record.flags & ENCRYPTED != 0 || record.method == 99 {
        return Err(Error::new(Kind::Encrypted, "locked with a password"));
    }
    let header = read_vec(content, record.local, 30)?;
    if !header.starts_with(b"PK\x03\x04") {
        return Err(Error::corrupt(record.local, "zip local header", "PK\\x03\\x04", "another magic"));
    }
    let names = u64::from(u16_at(&header, 26)).saturating_add(u64::from(u16_at(&header, 28)));
    let at = record.local.saturating_add(30).saturating_add(names);
    crate::io::check_range(content.size(), at, record.packed)?;
    let packed = Part { content, at, left: record.packed };
    let reader: Box<dyn Read + 'a> = match record.method {
        0 => return Ok((Some(at), Box::new(packed))),
        8 => match inflate::raw(content, at, record.packed, record.size) {
            Some(whole) => Box::new(whole),
            None => Box::new(DeflateDecoder::new(packed)),
        },
        9 => Box::new(Deflate64Decoder::new(packed)),
        12 => Box::new(::bzip2::read::BzDecoder::new(packed)),
        14 => Box::new(lzma_member(packed, record)?.take(record.size)),
        93 => {
            let decoder = zstd::reader(packed).map_err(decode_error)?;
            Box::new(decoder)
        }
        95 => Box::new(xz::reader(packed)),
        98 => Box::new(ppmd::zip(packed)?.take(record.size)),
        method => return Err(Error::unsupported(format!("compression method {method}"))),
    };
    Ok((None, reader))
}

/// LZMA (APPNOTE 5.8): the version of the program, the length of the properties, the properties.
fn lzma_member<'a>(mut packed: Part<'a>, record: &Record) -> Result<Box<dyn Read + 'a>> {
    const HAS_END_MARK: u16 = 2;
    let mut header = [0; 9];
    packed.read_exact(&mut header).map_err(decode_error)?;
    let [_, _, length, 0, property, a, b, c, d] = header else {
        return Err(Error::corrupt(record.local, "properties of LZMA", "5 bytes", "more"));
    };
    if length != 5 {
        return Err(Error::corrupt(record.local, "properties of LZMA", "5 bytes", length));
    }
    let dictionary = u32::from_le_bytes([a, b, c, d]);
    lzma::limited(dictionary, property)?;
    let size = if record.flags & HAS_END_MARK == 0 { record.size } else { u64::MAX };
    let opened = LzmaReader::new_with_props(packed, size, property, dictionary, None);
    Ok(Box::new(opened.map_err(decode_error)?))
}

/// A member that cannot be read at all.
pub(super) struct Refused(pub(super) Option<Error>);

impl Read for Refused {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.take().map_or(Ok(0), |error| Err(std::io::Error::other(error)))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    le16(bytes, at).unwrap_or(0)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    le32(bytes, at).unwrap_or(0)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    le64(bytes, at).unwrap_or(0)
}
