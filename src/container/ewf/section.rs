//! Segment files and their sections.

use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use crate::location::escape;
use libdeflater::adler32;
use std::ops::Range;

/// First bytes of a segment.
pub(super) const SIGNATURE: &[u8] = b"EVF\x09\x0d\x0a\xff\x00";
/// Length of the header of a segment file.
const FILE_HEADER: u64 = 13;
/// Length of a section descriptor.
const DESCRIPTOR: u64 = 76;
/// Sections of one segment at most; a segment of 2 GB has some hundred.
const SECTIONS_MAX: usize = 65_536;

/// A section of a segment file.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// Its type: `volume`, `table` …
    pub(super) kind: String,
    /// Its data, behind the descriptor.
    pub(super) data: Range<u64>,
}

/// The sections of a segment, and what ended them before the last one.
pub(super) struct Sections {
    pub(super) list: Vec<Section>,
    pub(super) error: Option<Error>,
}

/// The number of a segment.
///
/// # Errors
/// Where the file is none.
pub(super) fn segment_number(file: &dyn ReadAt) -> Result<u16> {
    let bytes = read_vec(file, 0, 13)?;
    if !bytes.starts_with(SIGNATURE) {
        return Err(Error::corrupt(0, "EWF segment", "EVF", escape(bytes.get(..3).unwrap_or_default())));
    }
    Fields::new("EWF segment", &bytes, 0).le_u16(9)
}

/// Follows the chain of sections; it ends with `next` or `done`.
pub(super) fn sections(file: &dyn ReadAt) -> Sections {
    let mut list = Vec::new();
    let mut at = FILE_HEADER;
    for _ in 0..SECTIONS_MAX {
        match descriptor(file, at) {
            Ok((section, next)) => {
                let last = matches!(section.kind.as_str(), "next" | "done");
                list.push(section);
                if last {
                    return Sections { list, error: None };
                }
                at = next;
            }
            Err(error) => return Sections { list, error: Some(error) },
        }
    }
    let error = Error::corrupt(at, "EWF sections", format!("at most {SECTIONS_MAX}"), "more");
    Sections { list, error: Some(error) }
}

fn descriptor(file: &dyn ReadAt, at: u64) -> Result<(Section, u64)> {
    let bytes = read_vec(file, at, 76)?;
    let fields = Fields::new("EWF section", &bytes, at);
    let (expected, found) = (fields.le_u32(72)?, adler32(fields.bytes(0, 72)?));
    if expected != found {
        let (expected, found) = (format!("{expected:#010x}"), format!("{found:#010x}"));
        return Err(Error::corrupt(at, "checksum of an EWF section", expected, found));
    }
    let kind = fields.bytes(0, 16)?.split(|&byte| byte == 0).next().unwrap_or_default();
    let (next, size) = (fields.le_u64(16)?, fields.le_u64(24)?);
    let last = matches!(kind, b"next" | b"done");
    if !last && next <= at {
        return Err(Error::corrupt(at, "place of the next EWF section", "one further on", next));
    }
    let start = at.saturating_add(DESCRIPTOR);
    // Some writers leave the size of the sectors section out: the next section bounds it.
    let end = if size >= DESCRIPTOR && !last { at.saturating_add(size) } else { next };
    Ok((Section { kind: escape(kind), data: start..end.max(start) }, next))
}
