//! The metadata region ("Metadata Region", section 2.6).

use super::{guid, guid_text, utf16};
use crate::container::Facts;
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};
use std::ops::Range;

/// Length of the table at the region's start, and most entries in it.
const TABLE_LENGTH: usize = 64 << 10;
const ENTRIES_MAX: u16 = 2047;
/// Longest item that is read; the specification allows 1 MiB.
const ITEM_MAX: u32 = 1 << 20;
/// Largest disk that the specification allows.
const SIZE_MAX: u64 = 64 << 40;

const FILE_PARAMETERS: [u8; 16] =
    guid(0xcaa1_6737, 0xfa36, 0x4d43, [0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b]);
const DISK_SIZE: [u8; 16] =
    guid(0x2fa5_4224, 0xcd1b, 0x4876, [0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8]);
const DISK_IDENTIFIER: [u8; 16] =
    guid(0xbeca_12ab, 0xb2e6, 0x4523, [0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46]);
const LOGICAL_SECTOR: [u8; 16] =
    guid(0x8141_bf1d, 0xa96f, 0x4709, [0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f]);
const PHYSICAL_SECTOR: [u8; 16] =
    guid(0xcda3_48c7, 0x445d, 0x4471, [0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56]);
const PARENT_LOCATOR: [u8; 16] =
    guid(0xa8d3_5f2d, 0xb30b, 0x454d, [0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c]);

/// What the metadata say.
#[derive(Debug)]
pub(super) struct Metadata {
    /// Size of a payload block in bytes: a power of two from 1 to 256 MiB.
    pub(super) block: u64,
    /// Size of the disk in bytes.
    pub(super) size: u64,
    /// Size of a sector in bytes: 512 or 4096.
    pub(super) sector: u64,
    pub(super) identifier: Option<String>,
    pub(super) parent: Option<ParentLocator>,
    fixed: bool,
}

/// Keys and values that lead to a parent.
#[derive(Debug, Default)]
pub(super) struct ParentLocator {
    entries: Vec<(String, String)>,
}

impl Metadata {
    /// Reads the items of the region.
    ///
    /// # Errors
    /// Where an item is not there or has an impossible value, and for required items that are not known.
    pub(super) fn read(source: &dyn ReadAt, region: &Range<u64>) -> Result<Self> {
        let bytes = read_vec(source, region.start, TABLE_LENGTH)?;
        let table = Fields::new("VHDX metadata table", &bytes, region.start);
        if table.bytes(0, 8)? != b"metadata" {
            return Err(Error::corrupt(region.start, "VHDX metadata table", "metadata", "other bytes"));
        }
        let (mut parameters, mut size, mut sector) = (None, None, None);
        let (mut identifier, mut locator) = (None, None);
        for entry in (32usize..).step_by(32).take(table.le_u16(10)?.min(ENTRIES_MAX).into()) {
            let at = region.start.saturating_add(table.le_u32(entry.saturating_add(16))?.into());
            let length = table.le_u32(entry.saturating_add(20))?.min(ITEM_MAX);
            let required = table.le_u32(entry.saturating_add(24))? & 4 != 0;
            let item = || read_vec(source, at, usize::try_from(length).unwrap_or(0));
            match table.array(entry)? {
                FILE_PARAMETERS => {
                    parameters = Some(parse(&item()?, at, |f| Ok((f.le_u32(0)?, f.le_u32(4)?)))?)
                }
                DISK_SIZE => size = Some(parse(&item()?, at, |f| f.le_u64(0))?),
                LOGICAL_SECTOR => sector = Some(parse(&item()?, at, |f| f.le_u32(0))?),
                DISK_IDENTIFIER => identifier = Some(parse(&item()?, at, |f| f.array(0).map(guid_text))?),
                PARENT_LOCATOR => locator = Some(parse(&item()?, at, ParentLocator::read)?),
                PHYSICAL_SECTOR => {}
                other if required => {
                    return Err(Error::unsupported(format!("VHDX metadata item {}", guid_text(other))).at(at));
                }
                _ => {}
            }
        }
        let missing = |what| Error::corrupt(region.start, "VHDX metadata", what, "none");
        let (block, flags) = parameters.ok_or_else(|| missing("file parameters"))?;
        let (has_parent, fixed) = (flags & 2 != 0, flags & 1 != 0);
        let metadata = Self {
            block: block.into(),
            size: size.ok_or_else(|| missing("a disk size"))?,
            sector: sector.ok_or_else(|| missing("a sector size"))?.into(),
            identifier,
            parent: has_parent.then(|| locator.unwrap_or_default()),
            fixed,
        };
        metadata.check(region.start)
    }

    fn check(self, at: u64) -> Result<Self> {
        if !self.block.is_power_of_two() || !(1 << 20..=256 << 20).contains(&self.block) {
            return Err(Error::corrupt(at, "VHDX block size", "1 to 256 MiB, a power of two", self.block));
        }
        if self.sector != 512 && self.sector != 4096 {
            return Err(Error::corrupt(at, "VHDX sector size", "512 or 4096", self.sector));
        }
        if self.size > SIZE_MAX {
            return Err(Error::corrupt(at, "VHDX disk size", "at most 64 TiB", self.size));
        }
        Ok(self)
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match (&self.parent, self.fixed) {
            (Some(_), _) => "differencing",
            (None, true) => "fixed",
            (None, false) => "dynamic",
        }
    }
}

fn parse<T>(bytes: &[u8], at: u64, read: impl FnOnce(&Fields<'_>) -> Result<T>) -> Result<T> {
    read(&Fields::new("VHDX metadata item", bytes, at))
}

impl ParentLocator {
    /// "Parent Locator", section 2.6.2.6.
    fn read(fields: &Fields<'_>) -> Result<Self> {
        let mut entries = Vec::new();
        for entry in (20usize..).step_by(12).take(fields.le_u16(18)?.into()) {
            let part = |place: usize, length: usize| {
                let start =
                    usize::try_from(fields.le_u32(entry.saturating_add(place))?).unwrap_or(usize::MAX);
                fields.bytes(start, fields.le_u16(entry.saturating_add(length))?.into()).map(utf16)
            };
            entries.push((part(0, 8)?, part(4, 10)?));
        }
        Ok(Self { entries })
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// The relative path, without the "in this folder" in front of it, or else the absolute one.
    pub(super) fn name(&self) -> Vec<u8> {
        let path = self.value("relative_path").or_else(|| self.value("absolute_win32_path"));
        let path = path.or_else(|| self.value("volume_path")).unwrap_or_default();
        path.strip_prefix(".\\").or_else(|| path.strip_prefix("./")).unwrap_or(path).as_bytes().to_vec()
    }

    /// A note where the parent that was opened is not the one the image was made over.
    pub(super) fn check(&self, parent: &Facts) -> Option<String> {
        let linked: Vec<_> =
            ["parent_linkage", "parent_linkage2"].iter().filter_map(|key| self.value(key)).collect();
        let plain = |text: &str| text.trim_matches(['{', '}']).to_ascii_lowercase();
        let found = parent.identifiers.iter().find(|(name, _)| name == "data write").map(|(_, id)| plain(id));
        if found.is_some_and(|found| linked.iter().any(|linked| plain(linked) == found)) {
            return None;
        }
        Some(format!("the parent is not in the state {} that this image was made over", linked.join(" or ")))
    }
}
