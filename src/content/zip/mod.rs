//! Zip archives (PKWARE APPNOTE 6.3.10) and what is built on them (jar, apk, docx, xlsx, whl …), read by
//! their central directory, Zip64 included. Where that is lost, the members are read one after the other.

mod local;

use super::claim::{Claimed, Refused};
use super::part::Part;
use super::{Decoder, Form, Member, Visit, decode_error, inflate, lzma, ppmd, to_u64, to_usize, xz, zstd};
use crate::error::{Error, Kind, Result};
use crate::format::{le16, le32, le64};
use crate::io::{ReadAt, check_range, read_vec};
use deflate64::Deflate64Decoder;
use flate2::read::DeflateDecoder;
use lzma_rust2::LzmaReader;
use std::collections::HashSet;
use std::io::Read;

/// The end record and the longest comment behind it.
const TAIL_MAX: u64 = 22 + 65_535;
/// Bytes of the central directory that are held at a time, above the longest record in it.
const STEP: usize = 256 << 10;
const RECORD: usize = 46;

pub(super) const DECODER: Decoder =
    Decoder { name: "zip", probe: |head| head.starts_with(b"PK\x03\x04"), form: Form::Random(decode) };

/// Archives of which nobody says where they end, and so where their directory is.
pub(super) const LOCAL: Decoder =
    Decoder { form: Form::Random(|content, visit| local::walk(content, &|_| true, visit)), ..DECODER };

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
        Err(error) => local::walk(content, &|_| true, visit).and(Err(error)),
    }
}

fn is_directory(content: &dyn ReadAt, at: u64) -> bool {
    read_vec(content, at, 4).is_ok_and(|magic| magic == b"PK\x01\x02")
}

fn by_directory(content: &dyn ReadAt, end: &End, visit: Visit<'_>) -> Result<()> {
    let mut directory = end.directory(content);
    let (mut entries, mut is_lost) = (0_u64, false);
    while let Some(record) = directory.next()? {
        entries = entries.saturating_add(1);
        if record.is_folder() {
            continue;
        }
        is_lost |= !one(content, &record, visit)?;
    }
    if is_lost {
        // What the directory does not lead to may still be there.
        let mut known = HashSet::new();
        let mut directory = end.directory(content);
        // Only what was handed on is bounded in its number.
        while let Some(record) = directory.next()? {
            if !record.is_folder() {
                known.insert(record.local);
            }
        }
        local::walk(content, &|local| !known.contains(&local), visit)?;
    }
    if entries & end.entries_mask != end.entries {
        return Err(Error::corrupt(end.start, "zip central directory", members(end.entries), entries));
    }
    Ok(())
}

fn members(count: u64) -> String {
    format!("{count} members")
}

/// Hands on a member; its own trouble is told with its name by whoever reads it. Returns whether it is where it should
/// be.
fn one(content: &dyn ReadAt, record: &Record, visit: Visit<'_>) -> Result<bool> {
    let (is_there, stored, mut reader): (_, _, Box<dyn Read + '_>) = match open(content, record) {
        Ok((stored, reader)) => (true, stored, reader),
        Err(error) => {
            let is_there = matches!(error.kind(), Kind::Encrypted | Kind::Unsupported | Kind::LimitExceeded);
            (is_there, None, Box::new(Refused(Some(error))))
        }
    };
    visit(Member { name: &record.name, stored, pieces: &[], content: reader.as_mut() })?;
    Ok(is_there)
}

/// Where the central directory lies.
struct End {
    start: u64,
    length: u64,
    /// Bytes before the archive that its own places do not count.
    shift: u64,
    /// Members, as many bits of their number as there are.
    entries: u64,
    entries_mask: u64,
}

impl End {
    fn directory<'a>(&self, content: &'a dyn ReadAt) -> Directory<'a> {
        let end = self.start.saturating_add(self.length);
        Directory { content, at: self.start, end, shift: self.shift, held: Vec::new() }
    }
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
    // Programs that know no Zip64 write the low bits of larger numbers.
    let (entries, entries_mask) = (u64::from(u16_at(record, 10)), u64::from(u16::MAX));
    let is_large = [length, start].contains(&u64::from(u32::MAX)) || entries == entries_mask;
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
        return Ok(End { start: own, length, shift: own.saturating_sub(start), entries, entries_mask });
    }
    Ok(End { start, length, shift: 0, entries, entries_mask })
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
    Ok(Some(End { start, length, shift: 0, entries: u64_at(&record, 32), entries_mask: u64::MAX }))
}

/// A member as the central directory has it.
struct Record {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    packed: u64,
    /// Bytes unpacked, where they are known.
    size: Option<u64>,
    local: u64,
}

impl Record {
    fn is_folder(&self) -> bool {
        self.name.ends_with(b"/") && self.size == Some(0)
    }
}

/// The central directory, read piece by piece.
struct Directory<'a> {
    content: &'a dyn ReadAt,
    at: u64,
    end: u64,
    shift: u64,
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
        let mut record = record(self.held.get(..length).unwrap_or_default());
        record.local = record.local.saturating_add(self.shift);
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
        size: None,
        local: u64::from(u32_at(bytes, 42)),
    };
    let mut size = u64::from(u32_at(bytes, 24));
    let extra = bytes.get(name_end..extra_end).unwrap_or_default();
    zip64(extra, &mut [&mut size, &mut record.packed, &mut record.local]);
    record.size = Some(size);
    record
}

/// Takes what did not fit into 32 bits out of the Zip64 extra field, which holds it in this order. What it should hold
/// and does not stays as it is.
fn zip64(mut extra: &[u8], fields: &mut [&mut u64]) {
    while extra.len() >= 4 {
        let end = usize::from(u16_at(extra, 2)).saturating_add(4);
        let own = extra.get(4..end.min(extra.len())).unwrap_or_default();
        if u16_at(extra, 0) == 1 {
            let large = fields.iter_mut().filter(|field| ***field == u64::from(u32::MAX));
            for (field, value) in large.zip(own.as_chunks::<8>().0) {
                **field = u64::from_le_bytes(*value);
            }
        }
        extra = extra.get(end..).unwrap_or_default();
    }
}

/// A reader of the member's content, and where it lies as it is, where it does. What the member claims beyond what is
/// there is an error behind it.
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
    let unpacked = unpacked(content, at, record)?;
    let claimed: Box<dyn Read + 'a> = match record.size {
        Some(size) => Box::new(Claimed::new(unpacked, size)),
        None => unpacked,
    };
    let missing = check_range(content.size(), at, record.packed).err();
    Ok(((record.method == 0).then_some(at), Box::new(claimed.chain(Refused(missing)))))
}

/// What is packed from `at` on.
fn unpacked<'a>(content: &'a dyn ReadAt, at: u64, record: &Record) -> Result<Box<dyn Read + 'a>> {
    let size = record.size.unwrap_or(u64::MAX);
    let packed = Part { content, at, left: record.packed };
    Ok(match record.method {
        0 => Box::new(packed),
        8 => match inflate::raw(content, at, record.packed, size) {
            Some(whole) => Box::new(whole),
            None => Box::new(DeflateDecoder::new(packed)),
        },
        9 => Box::new(Deflate64Decoder::new(packed)),
        12 => Box::new(::bzip2::read::BzDecoder::new(packed)),
        14 => Box::new(lzma_member(packed, record)?.take(size)),
        93 => Box::new(zstd::reader(packed).map_err(decode_error)?),
        95 => Box::new(xz::reader(packed)),
        98 => Box::new(ppmd::zip(packed)?.take(size)),
        method => return Err(Error::unsupported(format!("compression method {method}"))),
    })
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
    let size = record.size.filter(|_| record.flags & HAS_END_MARK == 0).unwrap_or(u64::MAX);
    let opened = LzmaReader::new_with_props(packed, size, property, dictionary, None);
    Ok(Box::new(opened.map_err(decode_error)?))
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
