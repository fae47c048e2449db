//! Extended attributes (ext4 on-disk format, "Extended Attributes"): behind the fields of the inode, in a
//! block of their own, or as the content of another inode.

use super::Ext4;
use super::checksum::crc32c;
use super::inode::{Inode, ORIGINAL};
use crate::error::{Error, Result};
use crate::io::Fields;

/// `h_magic`, at the start of either place.
const MAGIC: u32 = 0xea02_0000;

/// Bytes in front of each name.
const ENTRY: usize = 16;

/// Bytes in front of the first entry of an attribute block.
const BLOCK_HEADER: usize = 32;

/// `e_name_index` of `system.`, under which inline content is stored.
const INDEX_SYSTEM: u8 = 7;

/// Where an attribute's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Here, found at this volume offset.
    Here { bytes: Vec<u8>, place: u64 },
    /// The content of another inode.
    Inode { number: u32, size: u64 },
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// Name with its name space.
    pub(super) name: Vec<u8>,
    pub(super) value: Value,
}

impl Attribute {
    /// Whether it is the second part of inline content.
    pub(super) fn is_inline_data(&self) -> bool {
        self.name == b"system.data"
    }
}

/// An inode's attributes.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) all: Vec<Attribute>,
    pub(super) errors: Vec<Error>,
    /// Whether the checksum of the attribute block is wrong.
    pub(super) wrong_checksum: bool,
}

/// Reads the attributes of `inode`. Damage ends one place, not the other.
pub(super) fn read(fs: &Ext4, inode: &Inode<'_>) -> Attributes {
    let mut found = in_record(fs, inode);
    let block = inode.attribute_block();
    if block != 0
        && let Err(error) = in_block(fs, block, &mut found)
    {
        found.errors.push(error);
    }
    found
}

/// Reads the attributes that stand in the inode's own record.
pub(super) fn in_record(fs: &Ext4, inode: &Inode<'_>) -> Attributes {
    let mut found = Attributes::default();
    let start = inode.used();
    let tail = if start > ORIGINAL { inode.bytes.get(start..).unwrap_or_default() } else { &[] };
    let place = inode.place.saturating_add(u64::try_from(start).unwrap_or(0));
    let fields = Fields::new("extended attributes of an inode", tail, fs.blocks.current_place(place));
    // Without the magic number the room has never been used.
    if fields.le_u32(0).is_ok_and(|magic| magic == MAGIC)
        && let Err(error) = entries(&fields, 4, 4, &mut found.all)
    {
        found.errors.push(error);
    }
    found
}

fn in_block(fs: &Ext4, block: u64, found: &mut Attributes) -> Result<()> {
    let bytes = fs.blocks.read(block)?;
    in_bytes(fs, block, (&bytes, fs.blocks.current_place(fs.blocks.to_bytes(block))), found)
}

/// Reads the attributes of a block that is gone, out of the block `copy`, where that still holds it.
pub(super) fn in_copy(fs: &Ext4, block: u64, copy: u64) -> Vec<Attribute> {
    let mut found = Attributes::default();
    let Ok(bytes) = fs.blocks.read(copy) else { return Vec::new() };
    let read = in_bytes(fs, block, (&bytes, fs.blocks.to_bytes(copy)), &mut found);
    if read.is_ok() && !found.wrong_checksum { found.all } else { Vec::new() }
}

/// Reads the attributes of a block, whose bytes lie at `place`.
fn in_bytes(fs: &Ext4, block: u64, (bytes, place): (&[u8], u64), found: &mut Attributes) -> Result<()> {
    let fields = Fields::new("block of extended attributes", bytes, place);
    let magic = fields.le_u32(0)?;
    if magic != MAGIC {
        let shown = format_args!("{magic:#x}");
        return Err(Error::corrupt(place, "magic of extended attributes", "0xea020000", shown));
    }
    if fs.superblock.has_checksums() {
        let stored = fields.le_u32(0x10)?;
        let rest = bytes.get(0x14..).unwrap_or_default();
        let parts = [&block.to_le_bytes()[..], fields.bytes(0, 0x10)?, &[0; 4], rest];
        found.wrong_checksum = parts.into_iter().fold(fs.superblock.checksum_seed, crc32c) != stored;
    }
    entries(&fields, BLOCK_HEADER, 0, &mut found.all)
}

/// Reads entries from `first` on; their values lie relative to `base`. Entries take 16 bytes at least, so
/// that there are never more than the room has bytes for.
fn entries(fields: &Fields<'_>, first: usize, base: usize, into: &mut Vec<Attribute>) -> Result<()> {
    let mut at = first;
    let end = fields.all().len();
    // Four zero bytes, or the end of the room, end the list.
    while at.saturating_add(4) <= end && fields.le_u32(at)? != 0 {
        let length = usize::from(fields.u8(at)?);
        let index = fields.u8(at.saturating_add(1))?;
        let offset = usize::from(fields.le_u16(at.saturating_add(2))?);
        let inode = fields.le_u32(at.saturating_add(4))?;
        let size = fields.le_u32(at.saturating_add(8))?;
        let suffix = fields.bytes(at.saturating_add(ENTRY), length)?;
        let value = if inode == 0 {
            let start = base.saturating_add(offset);
            let length = usize::try_from(size).unwrap_or(usize::MAX);
            Value::Here { bytes: fields.bytes(start, length)?.to_vec(), place: fields.offset(start) }
        } else {
            Value::Inode { number: inode, size: size.into() }
        };
        into.push(Attribute { name: full_name(index, suffix), value });
        at = at.saturating_add(ENTRY).saturating_add(length).next_multiple_of(4);
    }
    Ok(())
}

/// The name space that `index` stands for, in front of `suffix`.
fn full_name(index: u8, suffix: &[u8]) -> Vec<u8> {
    let prefix = match index {
        0 => "",
        1 => "user.",
        2 => "system.posix_acl_access",
        3 => "system.posix_acl_default",
        4 => "trusted.",
        5 => "lustre.",
        6 => "security.",
        INDEX_SYSTEM => "system.",
        8 => "system.richacl",
        9 => "encryption.",
        10 => "gnu.",
        other => return [format!("unknown-{other}.").as_bytes(), suffix].concat(),
    };
    [prefix.as_bytes(), suffix].concat()
}
