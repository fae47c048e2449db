//! Directories of FAT: short entries, and the long names before them (Microsoft, FAT 1.03, "FAT Directory
//! Structure" and "FAT Long Directory Entries").

use super::time::time;
use crate::error::Result;
use crate::filesystem::{EntryKind, Times};
use crate::io::Fields;

/// Bytes of a slot, in all directories of the family.
pub(super) const SLOT: usize = 32;
/// Parts of a long name: 255 characters, 13 in each.
const PARTS_MAX: usize = 20;
const DELETED: u8 = 0xe5;

/// What a slot describes, as far as one reading of it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) kind: EntryKind,
    pub(super) first: u32,
    pub(super) size: u64,
    /// Bytes that have been written, where that is kept.
    pub(super) written: u64,
    /// Whether the clusters follow each other and the table has no chain for them.
    pub(super) contiguous: bool,
    pub(super) times: Times,
}

/// An entry of a directory with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Number of the slot that describes it, in the order of the directory.
    pub(super) slot: usize,
    /// Number of the slot that exFAT keeps the place of the content in; the same one on FAT.
    pub(super) stream: usize,
    pub(super) name: Vec<u8>,
    pub(super) deleted: bool,
    pub(super) described: Described,
}

/// The label of the volume, where the directory holds one.
pub(super) type Label = Option<Vec<u8>>;

/// The entries of a directory whose slots are `bytes`; names of entries that were removed lack their first
/// character where there is no long one.
pub(super) fn entries(bytes: &[u8]) -> (Vec<Found>, Label) {
    let (mut found, mut label) = (Vec::new(), None);
    let mut long = Long::default();
    for (slot, bytes) in bytes.as_chunks::<SLOT>().0.iter().enumerate() {
        let fields = Fields::new("directory entry", bytes, 0);
        let (Ok(first), Ok(attributes)) = (fields.u8(0), fields.u8(11)) else { break };
        // Nothing was ever written behind the first slot that starts with zero.
        if first == 0 {
            break;
        }
        if attributes & 0x3f == 0x0f {
            long.add(bytes, first == DELETED);
            continue;
        }
        let parts = std::mem::take(&mut long);
        if attributes & 0x08 != 0 {
            if first != DELETED {
                label = fields.bytes(0, 11).ok().map(|name| name.trim_ascii_end().to_vec());
            }
            continue;
        }
        let deleted = first == DELETED;
        let Ok(described) = describe(&fields) else { break };
        let short = short_name(bytes, deleted);
        if first == b'.' || !is_plausible(bytes, &described, deleted) {
            continue;
        }
        let name = parts.name(bytes, deleted).unwrap_or(short);
        found.push(Found { slot, stream: slot, name, deleted, described });
    }
    (found, label)
}

/// What a short entry says apart from the name.
pub(super) fn describe(fields: &Fields<'_>) -> Result<Described> {
    let kind = if fields.u8(11)? & 0x10 == 0 { EntryKind::File } else { EntryKind::Directory };
    let size = u64::from(fields.le_u32(28)?);
    Ok(Described {
        kind,
        first: u32::from(fields.le_u16(20)?) << 16 | u32::from(fields.le_u16(26)?),
        size,
        written: size,
        contiguous: false,
        times: Times {
            modified: time(fields.le_u16(24)?, fields.le_u16(22)?, 0, 0),
            accessed: time(fields.le_u16(18)?, 0, 0, 0),
            created: time(fields.le_u16(16)?, fields.le_u16(14)?, fields.u8(13)?, 0),
            ..Times::default()
        },
    })
}

/// Whether a slot can be an entry at all; what a directory's cluster held before it may look like anything.
fn is_plausible(slot: &[u8; SLOT], described: &Described, deleted: bool) -> bool {
    let Some((name, [attributes, ..])) = slot.split_at_checked(11) else { return false };
    let name = if deleted { name.get(1..).unwrap_or_default() } else { name };
    let fits = |byte: &u8| {
        *byte >= 0x20 && !matches!(byte, b'"' | b'*' | b'/' | b':' | b'<' | b'>' | b'?' | b'|' | b'\\')
    };
    let name_fits = name.iter().all(|byte| fits(byte) || (*byte == 5 && !deleted));
    name_fits && attributes & 0xc0 == 0 && (described.kind == EntryKind::File || described.size == 0)
}

/// `NAME.EXT` with the case that the entry keeps apart.
fn short_name(slot: &[u8; SLOT], deleted: bool) -> Vec<u8> {
    let lower = slot.get(12).copied().unwrap_or(0);
    let part = |range: std::ops::Range<usize>, lower: bool| {
        let part = slot.get(range).unwrap_or_default().trim_ascii_end();
        if lower { part.to_ascii_lowercase() } else { part.to_vec() }
    };
    let mut name = part(0..8, lower & 0x08 != 0);
    match name.first_mut() {
        Some(first) if deleted => *first = b'_',
        // The mark of removed entries is also the first byte of names in Japanese.
        Some(first) if *first == 0x05 => *first = DELETED,
        _ => {}
    }
    let extension = part(8..11, lower & 0x10 != 0);
    if !extension.is_empty() {
        name.push(b'.');
        name.extend(extension);
    }
    name
}

/// The parts of a long name, as they come: the last one first.
#[derive(Debug, Default)]
struct Long {
    parts: Vec<[u16; 13]>,
    checksum: u8,
    /// Number of the part that came last, where they are numbered.
    order: u8,
    deleted: bool,
}

impl Long {
    fn add(&mut self, slot: &[u8; SLOT], deleted: bool) {
        let fields = Fields::new("long name", slot, 0);
        let (Ok(order), Ok(checksum)) = (fields.u8(0), fields.u8(13)) else { return };
        let number = order & 0x3f;
        let follows = !self.parts.is_empty()
            && self.checksum == checksum
            && self.deleted == deleted
            && (deleted || number.checked_add(1) == Some(self.order));
        if !follows {
            // Without its number nothing tells the last part of a removed name from any other.
            if !deleted && order & 0x40 == 0 {
                *self = Self::default();
                return;
            }
            *self = Self { checksum, deleted, ..Self::default() };
        }
        self.order = number;
        let mut part = [0xffff; 13];
        let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2));
        for (unit, at) in part.iter_mut().zip(places) {
            *unit = fields.le_u16(at).unwrap_or(0xffff);
        }
        if self.parts.len() < PARTS_MAX {
            self.parts.push(part);
        }
    }

    /// The name, where the parts belong to the short entry `slot`.
    fn name(&self, slot: &[u8; SLOT], deleted: bool) -> Option<Vec<u8>> {
        let complete = deleted || (self.order == 1 && checksum(slot) == self.checksum);
        if self.parts.is_empty() || self.deleted != deleted || !complete {
            return None;
        }
        let units = self.parts.iter().rev().flatten().copied();
        super::index::name(units.take_while(|&unit| unit != 0 && unit != 0xffff))
    }
}

/// The checksum of a short name that its long name's parts repeat.
fn checksum(slot: &[u8; SLOT]) -> u8 {
    slot.iter().take(11).fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}
