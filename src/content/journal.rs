//! Journals of systemd (Journal File Format): fields that were stored compressed, with LZ4, XZ or Zstandard.
//! All others lie in the file as they are.

use super::{Decoder, Form, Member, Visit, decode_error, to_u64, to_usize, xz, zstd};
use crate::error::{Error, Kind, Result};
use crate::format::{le32, le64};
use crate::io::{ReadAt, read_vec};
use std::io::Read;

const DATA: u8 = 1;
const ENTRY: u8 = 3;
const XZ: u8 = 1;
const LZ4: u8 = 2;
const ZSTD: u8 = 4;
/// Set among the incompatible flags where offsets have 32 bits.
const COMPACT: u32 = 16;
const OBJECT_HEADER: u64 = 16;
/// Stored bytes of one field that are held.
const STORED_MAX: u64 = 64 << 20;
/// Bytes that LZ4 makes out of one at most.
const LZ4_RATIO: u64 = 255;
/// Bytes of headers that are held at a time.
const STEP: u64 = 256 << 10;

pub(super) const DECODER: Decoder =
    Decoder { name: "journal", probe: |head| head.starts_with(b"LPKSHHRH"), form: Form::Partial(decode) };

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let header = read_vec(content, 0, 208)?;
    let is_compact = u32_at(&header, 12) & COMPACT != 0;
    let mut at = u64_at(&header, 88);
    // Preallocated space follows the last object.
    let tail = u64_at(&header, 136);
    let mut held = Held { content, start: 0, bytes: Vec::new() };
    let mut trouble = None;
    while at <= tail && at.saturating_add(OBJECT_HEADER) <= content.size() {
        let object = held.get(at, 48)?;
        let size = u64_at(&object, 8);
        if size < OBJECT_HEADER || at.saturating_add(size) > content.size() {
            return Err(Error::corrupt(at, "object size", "one that fits into the file", size));
        }
        let (kind, flags) = (object.first().copied(), object.get(1).copied().unwrap_or(0));
        if kind == Some(DATA) && flags & (XZ | LZ4 | ZSTD) != 0 {
            let start: u64 = if is_compact { 72 } else { 64 };
            let range = at.saturating_add(start)..at.saturating_add(size);
            let name = entry_name(content, u64_at(&object, 40), at);
            if let Err(error) = field(content, range, flags, &name, visit)? {
                trouble.get_or_insert(error.at(at));
            }
        }
        // Objects start at multiples of 8.
        at = at.saturating_add(size.checked_next_multiple_of(8).unwrap_or(size));
    }
    trouble.map_or(Ok(()), Err)
}

/// Bytes of the journal that were read ahead.
struct Held<'a> {
    content: &'a dyn ReadAt,
    start: u64,
    bytes: Vec<u8>,
}

impl Held<'_> {
    /// Up to `length` bytes from `at` on, fewer at the end.
    fn get(&mut self, at: u64, length: u64) -> Result<Vec<u8>> {
        let end = at.saturating_add(length).min(self.content.size());
        if at < self.start || end > self.start.saturating_add(to_u64(self.bytes.len())) {
            let until = at.saturating_add(STEP).min(self.content.size());
            self.bytes = read_vec(self.content, at, to_usize(until.saturating_sub(at)))?;
            self.start = at;
        }
        let from = to_usize(at.saturating_sub(self.start));
        let to = to_usize(end.saturating_sub(self.start));
        Ok(self.bytes.get(from..to).unwrap_or_default().to_vec())
    }
}

/// The field's entry by its sequence number, as `journalctl -o export` shows it; else the field's own place.
fn entry_name(content: &dyn ReadAt, entry: u64, at: u64) -> String {
    let head = read_vec(content, entry, 24).ok().filter(|head| head.first() == Some(&ENTRY));
    match head {
        Some(head) => format!("entry {}", u64_at(&head, 16)),
        None => format!("field at {at:#x}"),
    }
}

/// Hands a field on. The inner error is the field's own trouble.
fn field(
    content: &dyn ReadAt,
    range: std::ops::Range<u64>,
    flags: u8,
    name: &str,
    visit: Visit<'_>,
) -> Result<Result<()>> {
    let length = range.end.saturating_sub(range.start);
    if range.start > range.end || length > STORED_MAX {
        return Ok(Err(Error::new(Kind::LimitExceeded, format!("field of {length} compressed bytes"))));
    }
    let stored = read_vec(content, range.start, to_usize(length))?;
    let mut decoded: Box<dyn Read + '_> = match flags & (XZ | LZ4 | ZSTD) {
        XZ => Box::new(xz::reader(stored.as_slice())),
        ZSTD => match zstd::reader(stored.as_slice()) {
            Ok(reader) => Box::new(reader),
            Err(error) => return Ok(Err(decode_error(error))),
        },
        _ => match lz4(&stored) {
            Ok(bytes) => Box::new(std::io::Cursor::new(bytes)),
            Err(error) => return Ok(Err(error)),
        },
    };
    visit(Member { name: name.as_bytes(), stored: None, pieces: &[], content: decoded.as_mut() }).map(Ok)
}

/// A block of LZ4 behind its decoded length.
fn lz4(stored: &[u8]) -> Result<Vec<u8>> {
    let wanted = u64_at(stored, 0);
    let block = stored.get(8..).unwrap_or_default();
    let most = to_u64(block.len()).saturating_mul(LZ4_RATIO).min(STORED_MAX);
    if wanted > most {
        let expected = format!("at most {most} bytes");
        return Err(Error::corrupt(0, "decoded length of a field", expected, wanted));
    }
    let mut decoded = vec![0; to_usize(wanted)];
    let length = lz4_flex::block::decompress_into(block, &mut decoded)
        .map_err(|error| Error::corrupt(0, "field", "an LZ4 block", error))?;
    decoded.truncate(length);
    Ok(decoded)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    le32(bytes, at).unwrap_or(0)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    le64(bytes, at).unwrap_or(0)
}
