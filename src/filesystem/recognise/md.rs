//! Members of Linux software RAID arrays (`linux/raid/md_p.h`).
//!
//! Versions 0.90 and 1.0 keep their superblock near the end, so that the member of a mirror looks like the
//! file system in it: probe for file systems first.

use super::{bytes_at, text, unsupported, uuid};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "md-raid", probe };

const MAGIC: u32 = 0xa92b_4efc;

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let size = volume.size();
    // Version 1.0: at least 8 KiB from the end, on a multiple of 4 KiB.
    let near_end = (size / 512).checked_sub(16).map(|sector| (sector & !7).saturating_mul(512));
    let places = [(Some(0), "1.1"), (Some(4096), "1.2"), (near_end, "1.0")];
    let version_1 =
        places.into_iter().find_map(|(place, version)| version_1(volume.as_ref(), place?, version));
    // Version 0.90: the last whole 64 KiB.
    let last = (size & !0xffff).checked_sub(0x1_0000);
    version_1.or_else(|| version_0(volume.as_ref(), last?)).map(unsupported)
}

fn version_1(volume: &dyn ReadAt, at: u64, version: &str) -> Option<Facts> {
    let bytes: [u8; 160] = bytes_at(volume, at)?;
    let fields = Fields::new("RAID superblock", &bytes, at);
    // A superblock names its own sector; elsewhere it is a copy in a file.
    let place = fields.le_u64(144).ok()?.checked_mul(512)?;
    if fields.le_u32(0).ok()? != MAGIC || fields.le_u32(4).ok()? != 1 || place != at {
        return None;
    }
    let level = fields.le_i32(72).ok()?;
    Some(Facts {
        kind: KIND.name,
        label: text(fields.bytes(32, 32).ok()?),
        uuid: uuid(fields.bytes(16, 16).ok()?),
        block_size: 512,
        size: fields.le_u64(80).ok()?.saturating_mul(512),
        features: features(version, level, fields.le_u32(92).ok()?),
        ..Facts::default()
    })
}

fn version_0(volume: &dyn ReadAt, at: u64) -> Option<Facts> {
    let bytes: [u8; 64] = bytes_at(volume, at)?;
    let fields = Fields::new("RAID superblock", &bytes, at);
    if fields.le_u32(0).ok()? != MAGIC || (fields.le_u32(4).ok()?, fields.le_u32(8).ok()?) != (0, 90) {
        return None;
    }
    let words = [20, 52, 56, 60].map(|word| fields.le_u32(word).unwrap_or(0).to_be_bytes());
    Some(Facts {
        kind: KIND.name,
        uuid: uuid(words.as_flattened()),
        block_size: 512,
        size: u64::from(fields.le_u32(32).ok()?).saturating_mul(1024),
        features: features("0.90", fields.le_i32(28).ok()?, fields.le_u32(40).ok()?),
        ..Facts::default()
    })
}

fn features(version: &str, level: i32, devices: u32) -> Vec<String> {
    let level = match level {
        -1 => "linear".to_owned(),
        level => format!("raid{level}"),
    };
    vec![format!("metadata {version}"), level, format!("{devices} devices")]
}
