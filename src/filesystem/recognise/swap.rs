//! Linux swap (`union swap_header` of `linux/swap.h`; hibernation signatures of `kernel/power/swap.c`).

use super::{bytes_at, text, uuid};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::{Fields, ReadAt};
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "swap", probe };

/// The signature stands in the last ten bytes of the first page, whose size depends on the machine.
const PAGE_SIZES: [u64; 5] = [4096, 8192, 16_384, 32_768, 65_536];

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    PAGE_SIZES.iter().find_map(|&page| {
        let signature: [u8; 10] = bytes_at(volume.as_ref(), page.saturating_sub(10))?;
        let note = match &signature {
            b"SWAPSPACE2" => None,
            b"SWAP-SPACE" => Some("old swap format without a header"),
            other if is_hibernated(other) => Some("holds the memory of a hibernated system"),
            _ => return None,
        };
        facts(volume.as_ref(), page, note).map(Recognised::Plain)
    })
}

fn is_hibernated(signature: &[u8; 10]) -> bool {
    [&b"S1SUSPEND"[..], b"S2SUSPEND", b"ULSUSPEND", b"LINHIB0001"].iter().any(|s| signature.starts_with(s))
}

fn facts(volume: &dyn ReadAt, page: u64, note: Option<&str>) -> Option<Facts> {
    // Version, last page, bad pages, UUID and label follow 1024 bytes for boot code.
    let header: [u8; 44] = bytes_at(volume, 1024)?;
    let fields = Fields::new("swap header", &header, 1024);
    let last_page = match fields.le_u32(0).ok()? {
        1 => fields.le_u32(4).ok()?,
        _ => fields.be_u32(4).ok()?,
    };
    Some(Facts {
        kind: KIND.name,
        label: text(fields.bytes(28, 16).ok()?),
        uuid: uuid(fields.bytes(12, 16).ok()?),
        block_size: page,
        size: u64::from(last_page).saturating_add(1).saturating_mul(page),
        notes: note.map(str::to_owned).into_iter().collect(),
        ..Facts::default()
    })
}
