//! Volume shadow copies: the header at byte 0x1e00 and the catalog of stores.
//!
//! Structures as in "Volume Shadow Snapshot (VSS) format" of the libvshadow project. The stores themselves
//! are files below `System Volume Information`; what they hold is swept with all other clusters.

use super::standard_information::time;
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};

/// Where the volume header lies.
const HEADER: u64 = 0x1e00;
/// 3808876b-c176-4e48-b7ae-04046e6cc752 as stored.
const IDENTIFIER: [u8; 16] =
    [0x6b, 0x87, 0x08, 0x38, 0x76, 0xc1, 0x48, 0x4e, 0xb7, 0xae, 0x04, 0x04, 0x6e, 0x6c, 0xc7, 0x52];
/// Bytes of a catalog block, and of its header and each entry.
const BLOCK: usize = 16 << 10;
const ENTRY: usize = 128;
/// Blocks of a catalog; 64 stores of at most 3 entries each need two.
const BLOCKS_MAX: usize = 64;

/// A sentence on each shadow copy, or on why the catalog could not be read. Nothing where there is none.
pub(super) fn describe(volume: &dyn ReadAt) -> Vec<String> {
    let Ok(header) = read_vec(volume, HEADER, ENTRY) else { return Vec::new() };
    if header.get(..16) != Some(&IDENTIFIER) {
        return Vec::new();
    }
    let mut notes = Vec::new();
    if let Err(error) = walk(volume, &header, &mut notes) {
        notes.push(format!("the catalog of shadow copies is not readable to its end: {error}"));
    }
    notes
}

fn walk(volume: &dyn ReadAt, header: &[u8], notes: &mut Vec<String>) -> Result<()> {
    let mut next = Fields::new("shadow copy header", header, HEADER).le_u64(0x30)?;
    for _ in 0..BLOCKS_MAX {
        if next == 0 {
            return Ok(());
        }
        let block = read_vec(volume, next, BLOCK)?;
        let fields = Fields::new("shadow copy catalog", &block, next);
        if fields.bytes(0, 16)? != IDENTIFIER || fields.le_u32(0x14)? != 2 {
            return Err(Error::corrupt(next, "shadow copy catalog", "a catalog block", "another"));
        }
        for entry in (ENTRY..BLOCK).step_by(ENTRY) {
            match fields.le_u64(entry)? {
                0 => break,
                2 => notes.push(store(&fields, entry)?),
                _ => {}
            }
        }
        next = fields.le_u64(0x28)?;
    }
    Err(Error::corrupt(next, "shadow copy catalog", format!("up to {BLOCKS_MAX} blocks"), "more"))
}

/// A store by its identifier, as in the name of its file, and when it was made.
fn store(fields: &Fields<'_>, entry: usize) -> Result<String> {
    let at = |offset: usize| entry.saturating_add(offset);
    let made = match time(fields.le_u64(at(0x30))?) {
        Some(time) => format!("of {time}"),
        None => "of an unknown time".to_owned(),
    };
    Ok(format!("shadow copy {} {made}, its store is swept as data", guid(&fields.array(at(0x10))?)))
}

/// A GUID in its usual notation: the first three fields are little-endian.
fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
    let (one, two, three) =
        (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
    let [i, j, k, l, m, n, o, p] = rest;
    format!("{one:08x}-{two:04x}-{three:04x}-{i:02x}{j:02x}-{k:02x}{l:02x}{m:02x}{n:02x}{o:02x}{p:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A volume with a catalog block at 0x4000 that goes on at `next`.
    fn volume(next: u64) -> Vec<u8> {
        let mut volume = vec![0; 0x4000 + BLOCK];
        let base = 0x1e00;
        volume[base..base + 16].copy_from_slice(&IDENTIFIER);
        volume[base + 0x30..base + 0x38].copy_from_slice(&0x4000_u64.to_le_bytes());
        let block = &mut volume[0x4000..];
        block[..16].copy_from_slice(&IDENTIFIER);
        block[0x14] = 2;
        block[0x28..0x30].copy_from_slice(&next.to_le_bytes());
        block[128] = 2;
        block[128 + 0x10..128 + 0x20].copy_from_slice(&IDENTIFIER);
        block[128 + 0x30..128 + 0x38].copy_from_slice(&116_444_736_000_000_000_u64.to_le_bytes());
        block[256] = 3;
        volume
    }

    #[test]
    fn stores_are_listed_with_identifier_and_time() {
        let expected = "shadow copy 3808876b-c176-4e48-b7ae-04046e6cc752 of 1970-01-01T00:00:00Z, its store is swept as data";
        assert_eq!(describe(&volume(0)), [expected]);
        assert_eq!(describe(&vec![0; 0x4000]), Vec::<String>::new());
    }

    #[test]
    fn a_catalog_that_refers_to_itself_or_beyond_the_volume_ends() {
        let looped = describe(&volume(0x4000));
        assert_eq!(looped.len(), BLOCKS_MAX + 1);
        assert!(looped.last().unwrap().contains("more"), "{looped:?}");
        let beyond = describe(&volume(1 << 60));
        assert!(beyond.last().unwrap().contains("not readable to its end"), "{beyond:?}");
    }
}
