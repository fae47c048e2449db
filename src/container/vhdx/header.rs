//! The two headers ("Headers", section 2.2.2).

use super::guid_text;
use crate::container::crc32c::crc32c;
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use std::ops::Range;

/// Where the two headers are.
const PLACES: [u64; 2] = [64 << 10, 128 << 10];

/// The current header.
#[derive(Debug)]
pub(super) struct Header {
    sequence: u64,
    /// Identifier of the data's state; a child names it.
    pub(super) data_write: String,
    /// Identifier of the log's entries; zeros where the log is empty.
    pub(super) log_identifier: [u8; 16],
    pub(super) log: Range<u64>,
}

impl Header {
    /// The valid header with the larger sequence number.
    ///
    /// # Errors
    /// Where neither is valid, and [`Kind::Unsupported`](crate::error::Kind::Unsupported) versions.
    pub(super) fn read(source: &dyn ReadAt, notes: &mut Vec<String>) -> Result<Self> {
        let mut current: Option<Self> = None;
        let mut errors = Vec::new();
        for at in PLACES {
            match Self::read_at(source, at) {
                Ok(header) if current.as_ref().is_none_or(|other| header.sequence > other.sequence) => {
                    current = Some(header);
                }
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
        match (current, errors.into_iter().next()) {
            (Some(header), error) => {
                notes.extend(error.map(|error| format!("one of the two headers is not usable: {error}")));
                Ok(header)
            }
            (None, Some(error)) => Err(error.context("neither header is usable")),
            (None, None) => Err(Error::corrupt(64 << 10, "VHDX header", "one", "none")),
        }
    }

    fn read_at(source: &dyn ReadAt, at: u64) -> Result<Self> {
        let bytes = read_vec(source, at, 4096)?;
        let fields = Fields::new("VHDX header", &bytes, at);
        if fields.bytes(0, 4)? != b"head" {
            return Err(Error::corrupt(at, "VHDX header", "head", "other bytes"));
        }
        let (expected, found) = (fields.le_u32(4)?, crc32c(&bytes, 4));
        if expected != found {
            let (expected, found) = (format!("{expected:#010x}"), format!("{found:#010x}"));
            return Err(Error::corrupt(at, "checksum of the VHDX header", expected, found));
        }
        let version = fields.le_u16(66)?;
        if version != 1 {
            return Err(Error::unsupported(format!("VHDX version {version}; 1 is read")).at(at));
        }
        let log_identifier: [u8; 16] = fields.array(48)?;
        let log_version = fields.le_u16(64)?;
        if log_version != 0 && log_identifier != [0; 16] {
            return Err(Error::unsupported(format!("VHDX log version {log_version}; 0 is read")).at(at));
        }
        let log_at = fields.le_u64(72)?;
        Ok(Self {
            sequence: fields.le_u64(8)?,
            data_write: guid_text(fields.array(32)?),
            log_identifier,
            log: log_at..log_at.saturating_add(fields.le_u32(68)?.into()),
        })
    }
}
