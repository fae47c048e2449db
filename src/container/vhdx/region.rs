//! The region table ("Region Table", section 2.2.3).

use super::{guid, guid_text};
use crate::container::crc32c::crc32c;
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt, read_vec};
use std::ops::Range;

/// Where the two copies are.
const PLACES: [u64; 2] = [192 << 10, 256 << 10];
const LENGTH: usize = 64 << 10;
/// Most entries that the specification allows.
const ENTRIES_MAX: u32 = 2047;

const BLOCK_TABLE: [u8; 16] =
    guid(0x2dc2_7766, 0xf623, 0x4200, [0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08]);
const METADATA: [u8; 16] =
    guid(0x8b7c_a206, 0x4790, 0x4b9a, [0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e]);

/// The two regions that every image has.
#[derive(Debug)]
pub(super) struct Regions {
    pub(super) table: Range<u64>,
    pub(super) metadata: Range<u64>,
}

impl Regions {
    /// Reads the first copy that is valid.
    ///
    /// # Errors
    /// Where neither is, where a region is not there, and for required regions with unknown identifiers.
    pub(super) fn read(source: &dyn ReadAt, notes: &mut Vec<String>) -> Result<Self> {
        let mut first_error = None;
        for at in PLACES {
            match Self::read_at(source, at) {
                Ok(regions) => {
                    let note = |error: Error| format!("the first region table is not usable: {error}");
                    notes.extend(first_error.map(note));
                    return Ok(regions);
                }
                Err(error) if error.kind() == Kind::Unsupported => return Err(error),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| Error::new(Kind::Corrupt, "no region table")))
    }

    fn read_at(source: &dyn ReadAt, at: u64) -> Result<Self> {
        let bytes = read_vec(source, at, LENGTH)?;
        let fields = Fields::new("VHDX region table", &bytes, at);
        if fields.bytes(0, 4)? != b"regi" {
            return Err(Error::corrupt(at, "VHDX region table", "regi", "other bytes"));
        }
        let (expected, found) = (fields.le_u32(4)?, crc32c(&bytes, 4));
        if expected != found {
            let (expected, found) = (format!("{expected:#010x}"), format!("{found:#010x}"));
            return Err(Error::corrupt(at, "checksum of the VHDX region table", expected, found));
        }
        let count = fields.le_u32(8)?;
        if count > ENTRIES_MAX {
            return Err(Error::corrupt(at, "entries of the VHDX region table", "at most 2047", count));
        }
        let (mut table, mut metadata) = (None, None);
        for entry in (16usize..).step_by(32).take(usize::try_from(count).unwrap_or(0)) {
            let start = fields.le_u64(entry.saturating_add(16))?;
            let end = start.saturating_add(fields.le_u32(entry.saturating_add(24))?.into());
            let required = fields.le_u32(entry.saturating_add(28))? & 1 == 1;
            match fields.array(entry)? {
                BLOCK_TABLE => table = Some(start..end),
                METADATA => metadata = Some(start..end),
                other if required => {
                    return Err(Error::unsupported(format!("VHDX region {}", guid_text(other))).at(at));
                }
                _ => {}
            }
        }
        let missing = |what| Error::corrupt(at, "VHDX region table", what, "none");
        Ok(Self {
            table: table.ok_or_else(|| missing("a block allocation table"))?,
            metadata: metadata.ok_or_else(|| missing("a metadata region"))?,
        })
    }
}
