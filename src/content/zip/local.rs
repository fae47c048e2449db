//! Members by their own headers (APPNOTE 4.3.7), for archives whose central directory is lost: cut downloads, what
//! is left of deleted files.

use super::{Record, one, u16_at, u32_at, zip64};
use crate::content::part::Part;
use crate::content::{Visit, to_u64, to_usize};
use crate::error::Result;
use crate::io::{ReadAt, read_vec};
use flate2::bufread::DeflateDecoder;
use std::io::{BufReader, Read as _};

/// Length of a header without the name and what follows it.
const HEADER: u64 = 30;
/// Bytes that a member may unpack to while its end is looked for; behind a larger one the walk ends.
const MEASURED_MAX: u64 = 256 << 20;
/// The sizes stand behind the data.
const SIZES_BEHIND: u16 = 8;

/// Hands on member after member, up to where none follows, of those whose header stands where `is_wanted`.
pub(super) fn walk(content: &dyn ReadAt, is_wanted: &dyn Fn(u64) -> bool, visit: Visit<'_>) -> Result<()> {
    let mut at = 0_u64;
    while let Some((mut record, start)) = header(content, at)? {
        if record.flags & SIZES_BEHIND != 0 && record.packed == 0 {
            let Some((packed, size)) = measure(content, &record, start) else {
                let rest = unmeasured(record, content.size().saturating_sub(start));
                return if is_wanted(at) { one(content, &rest, visit).map(drop) } else { Ok(()) };
            };
            (record.packed, record.size) = (packed, Some(size));
        }
        let left = content.size().saturating_sub(start);
        if record.packed > left {
            // The member at which the archive was cut.
            let rest = unmeasured(record, left);
            return if is_wanted(at) { one(content, &rest, visit).map(drop) } else { Ok(()) };
        }
        let is_wanted = is_wanted(at);
        at = start.saturating_add(record.packed);
        if record.flags & SIZES_BEHIND != 0 {
            at = at.saturating_add(descriptor(content, at));
        }
        if is_wanted && !record.is_folder() {
            one(content, &record, visit)?;
        }
    }
    Ok(())
}

/// The same member, with all that is left as its data.
fn unmeasured(record: Record, left: u64) -> Record {
    Record { packed: left, size: None, ..record }
}

/// The member whose header stands at `at`, and where its data starts.
fn header(content: &dyn ReadAt, at: u64) -> Result<Option<(Record, u64)>> {
    if content.size().saturating_sub(at) < HEADER {
        return Ok(None);
    }
    let fixed = read_vec(content, at, to_usize(HEADER))?;
    if !fixed.starts_with(b"PK\x03\x04") {
        return Ok(None);
    }
    let (name, extra) = (u64::from(u16_at(&fixed, 26)), u64::from(u16_at(&fixed, 28)));
    let start = at.saturating_add(HEADER).saturating_add(name).saturating_add(extra);
    if start > content.size() {
        return Ok(None);
    }
    let mut record = Record {
        name: read_vec(content, at.saturating_add(HEADER), to_usize(name))?,
        flags: u16_at(&fixed, 6),
        method: u16_at(&fixed, 8),
        packed: u64::from(u32_at(&fixed, 18)),
        size: None,
        local: at,
    };
    let extra = read_vec(content, start.saturating_sub(extra), to_usize(extra))?;
    let mut size = u64::from(u32_at(&fixed, 22));
    zip64(&extra, &mut [&mut size, &mut record.packed]);
    record.size = Some(size);
    Ok(Some((record, start)))
}

/// Packed and unpacked length of a member that was deflated, which says itself where it ends.
fn measure(content: &dyn ReadAt, record: &Record, start: u64) -> Option<(u64, u64)> {
    const DEFLATED: u16 = 8;
    if record.method != DEFLATED {
        return None;
    }
    let part = Part { content, at: start, left: content.size().saturating_sub(start) };
    let mut decoder = DeflateDecoder::new(BufReader::new(part));
    let length = std::io::copy(&mut (&mut decoder).take(MEASURED_MAX), &mut std::io::sink()).ok()?;
    (length < MEASURED_MAX).then(|| (decoder.total_in(), decoder.total_out()))
}

/// Length of the sizes behind the data at `at`: with or without a magic, in 32 or 64 bits. What follows them is
/// another header.
fn descriptor(content: &dyn ReadAt, at: u64) -> u64 {
    let length = content.size().saturating_sub(at).min(28);
    let seen = read_vec(content, at, to_usize(length)).unwrap_or_default();
    let lengths = [12_usize, 16, 20, 24];
    let found = lengths.into_iter().find(|&length| {
        let follows = seen.get(length..).unwrap_or_default();
        follows.starts_with(b"PK\x03\x04") || follows.starts_with(b"PK\x01\x02")
    });
    to_u64(found.unwrap_or(16))
}
