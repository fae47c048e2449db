//! The footer, and its copy at the start of images that grow ("Hard Disk Footer Format").

use super::{checksum, identifier, mismatch};
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt, read_vec};
use crate::location::escape;

const COOKIE: &[u8] = b"conectix";
const LENGTH: u64 = 512;

/// Disk types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiskType {
    Fixed,
    Dynamic,
    Differencing,
}

impl DiskType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Dynamic => "dynamic",
            Self::Differencing => "differencing",
        }
    }
}

/// A footer.
#[derive(Debug)]
pub(super) struct Footer {
    /// Where it was found.
    pub(super) at: u64,
    pub(super) kind: DiskType,
    /// Size of the disk in bytes ("Current Size").
    pub(super) size: u64,
    /// Where the dynamic header is ("Data Offset").
    pub(super) data_at: u64,
    pub(super) identifier: String,
    creator: [u8; 4],
    creator_version: u32,
}

/// Where a footer can be: at the end, one byte short of a sector in images of old programs, and as a copy.
fn places(size: u64) -> [Option<u64>; 3] {
    [size.checked_sub(LENGTH), size.checked_sub(LENGTH - 1), Some(0)]
}

/// Whether a footer's cookie is at one of the places.
pub(super) fn is_there(source: &dyn ReadAt) -> bool {
    let mut cookie = [0; 8];
    let mut places = places(source.size()).into_iter().flatten();
    places.any(|at| source.read_at(at, &mut cookie).is_ok() && cookie == *COOKIE)
}

impl Footer {
    /// The first footer with a right checksum, or else the first one; with notes about those that are not.
    ///
    /// # Errors
    /// Where none can be read.
    pub(super) fn read(source: &dyn ReadAt) -> Result<(Self, Vec<String>)> {
        let mut notes = Vec::new();
        let mut usable = None;
        for at in places(source.size()).into_iter().flatten() {
            match Self::read_at(source, at) {
                Ok((footer, None)) => {
                    if notes.is_empty() && at == 0 {
                        notes.push("the footer at the end is not there; its copy is used".to_owned());
                    }
                    return Ok((footer, notes));
                }
                Ok((footer, Some(error))) => {
                    notes.push(error.to_string());
                    usable = usable.or(Some(footer));
                }
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => notes.push(error.to_string()),
            }
        }
        let error = || Error::corrupt(0, "VHD", "a usable footer", notes.join("; "));
        usable.map(|footer| (footer, notes.clone())).ok_or_else(error)
    }

    /// The footer at `at`, and what is wrong with its checksum.
    fn read_at(source: &dyn ReadAt, at: u64) -> Result<(Self, Option<Error>)> {
        let length = source.size().saturating_sub(at).min(LENGTH);
        let mut bytes = read_vec(source, at, usize::try_from(length).unwrap_or(0))?;
        if !bytes.starts_with(COOKIE) {
            return Err(Error::new(Kind::NotFound, "no VHD footer").at(at));
        }
        bytes.resize(512, 0);
        let fields = Fields::new("VHD footer", &bytes, at);
        let kind = match fields.be_u32(60)? {
            2 => DiskType::Fixed,
            3 => DiskType::Dynamic,
            4 => DiskType::Differencing,
            other => return Err(Error::corrupt(at, "VHD disk type", "2, 3 or 4", other)),
        };
        let (expected, found) = (fields.be_u32(64)?, checksum(&bytes, 64));
        let wrong = (expected != found).then(|| mismatch("VHD footer", at, expected, found));
        let footer = Self {
            at,
            kind,
            size: fields.be_u64(48)?,
            data_at: fields.be_u64(16)?,
            identifier: identifier(fields.array(68)?),
            creator: fields.array(28)?,
            creator_version: fields.be_u32(32)?,
        };
        Ok((footer, wrong))
    }

    /// The program that wrote it: `win 6.1`.
    pub(super) fn creator(&self) -> String {
        let version = self.creator_version;
        format!("{} {}.{}", escape(self.creator.trim_ascii()), version >> 16, version & 0xffff)
    }
}
