//! Squashfs 4.0, as snap packages and live systems are packed (Linux, `Documentation/filesystems/squashfs.rst`).
//!
//! Inodes are read one after the other as the table holds them, never along directories, so that damage in a
//! directory costs names only and no directory can lead in circles.

mod inodes;
mod names;
mod packed;

use super::{Decoder, Form, Member, Visit, decode_error, to_u64, to_usize};
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt, read_vec};
use inodes::{File, Inode};
use names::Names;
use packed::{Compression, Packed};
use std::io::Read;

pub(super) const DECODER: Decoder = Decoder { name: "squashfs", probe: starts, form: Form::Random(decode) };

/// Length of the superblock.
const SUPERBLOCK: usize = 96;
/// Bytes that the tables of inodes and of directories may have unpacked, each.
const TABLE_MAX: usize = 64 << 20;
/// Entries of the fragment table in one of its blocks.
const FRAGMENTS_IN_BLOCK: u64 = 512;
/// Marks a file that has no fragment.
const NO_FRAGMENT: u32 = u32::MAX;
/// In the length of a block: it is stored as it is.
const STORED: u32 = 1 << 24;

/// The signature, and the major version: earlier ones are laid out otherwise.
fn starts(head: &[u8]) -> bool {
    head.starts_with(b"hsqs") && head.get(28..30) == Some(&[4, 0]) && head.len() >= SUPERBLOCK
}

/// What the superblock says.
#[derive(Debug)]
struct Superblock {
    block_size: u32,
    fragments: u32,
    inode_table: u64,
    directory_table: u64,
    fragment_table: u64,
}

/// The file system.
struct Squashfs<'a> {
    packed: Packed<'a>,
    superblock: Superblock,
    /// The fragment block used last.
    fragment: Option<(u32, Vec<u8>)>,
}

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let head = read_vec(content, 0, SUPERBLOCK)?;
    let fields = Fields::new("squashfs superblock", &head, 0);
    let block_size = fields.le_u32(12)?;
    if !block_size.is_power_of_two() || !(4096..=1 << 20).contains(&block_size) {
        return Err(Error::corrupt(
            12,
            "block size of squashfs",
            "a power of two from 4096 to 1 MiB",
            block_size,
        ));
    }
    let superblock = Superblock {
        block_size,
        fragments: fields.le_u32(16)?,
        inode_table: fields.le_u64(64)?,
        directory_table: fields.le_u64(72)?,
        fragment_table: fields.le_u64(80)?,
    };
    let packed = Packed { content, compression: Compression::new(fields.le_u16(20)?)? };
    Squashfs { packed, superblock, fragment: None }.visit_files(visit)
}

impl Squashfs<'_> {
    /// Hands on each file; what is damaged costs what hangs on it, and is said at the end.
    fn visit_files(&mut self, visit: Visit<'_>) -> Result<()> {
        let superblock = &self.superblock;
        let inodes = self.packed.table(superblock.inode_table, superblock.directory_table, TABLE_MAX)?;
        let mut trouble = inodes.trouble;
        let (all, end) = inodes::all(&inodes.bytes, superblock.block_size);
        trouble = trouble.or(end.err());
        let directories =
            self.packed.table(superblock.directory_table, self.packed.content.size(), TABLE_MAX)?;
        let names = Names::read(&all, &directories);
        for inode in &all {
            let Inode::File(number, file) = inode else { continue };
            let mut content = Content {
                file,
                block: 0,
                at: file.start,
                left: file.size,
                ready: Vec::new(),
                taken: 0,
                squashfs: self,
            };
            let name = names.path(*number);
            visit(Member { name: &name, stored: None, pieces: &[], content: &mut content })?;
        }
        trouble.map_or(Ok(()), Err)
    }

    /// The fragment block with this number.
    fn fragment(&mut self, number: u32) -> Result<&[u8]> {
        if self.fragment.as_ref().is_none_or(|(kept, _)| *kept != number) {
            let (start, length) = self.fragment_place(number)?;
            let bytes = self.packed.block(start, length, to_usize(self.superblock.block_size.into()))?;
            self.fragment = Some((number, bytes));
        }
        Ok(self.fragment.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default())
    }

    /// Where a fragment block lies, and its length as stored.
    fn fragment_place(&self, number: u32) -> Result<(u64, u32)> {
        if number >= self.superblock.fragments {
            let expected = format!("below {}", self.superblock.fragments);
            return Err(Error::corrupt(self.superblock.fragment_table, "fragment", expected, number));
        }
        let (block, entry) = (u64::from(number) / FRAGMENTS_IN_BLOCK, u64::from(number) % FRAGMENTS_IN_BLOCK);
        let index = self.superblock.fragment_table.saturating_add(block.saturating_mul(8));
        let place = read_vec(self.packed.content, index, 8)?;
        let place = Fields::new("fragment index", &place, index).le_u64(0)?;
        let (bytes, _) = self.packed.metadata(place)?;
        let fields = Fields::new("fragment table", &bytes, place);
        let at = to_usize(entry).saturating_mul(16);
        Ok((fields.le_u64(at)?, fields.le_u32(at.saturating_add(8))?))
    }
}

/// A file's content, block after block.
struct Content<'a, 'b> {
    squashfs: &'a mut Squashfs<'b>,
    file: &'a File,
    /// Number of the next block.
    block: usize,
    /// Where it lies.
    at: u64,
    /// Bytes of the file that are not unpacked yet.
    left: u64,
    ready: Vec<u8>,
    taken: usize,
}

impl Content<'_, '_> {
    /// Unpacks the next part of the file.
    fn advance(&mut self) -> Result<()> {
        let size = to_usize(self.left.min(self.squashfs.superblock.block_size.into()));
        self.taken = 0;
        self.ready = match self.file.blocks.get(self.block) {
            // A block of zeros has no length.
            Some(0) => vec![0; size],
            Some(&length) => {
                let bytes = self.squashfs.packed.block(self.at, length, size)?;
                self.at = self.at.saturating_add(u64::from(length & !STORED));
                bytes
            }
            None if self.file.fragment == NO_FRAGMENT => {
                return Err(Error::corrupt(self.at, "blocks of a file", "one more", "the end of the list"));
            }
            None => {
                let start = to_usize(self.file.fragment_offset.into());
                let block = self.squashfs.fragment(self.file.fragment)?;
                block.get(start..start.saturating_add(size)).unwrap_or_default().to_vec()
            }
        };
        if self.ready.len() != size {
            let found = self.ready.len();
            return Err(Error::corrupt(self.at, "unpacked bytes of a block", size, found));
        }
        self.block = self.block.saturating_add(1);
        self.left = self.left.saturating_sub(to_u64(size));
        Ok(())
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.taken >= self.ready.len() && self.left > 0 {
            self.advance().map_err(std::io::Error::other)?;
        }
        let length = self.ready.get(self.taken..).unwrap_or_default().read(buffer)?;
        self.taken = self.taken.saturating_add(length);
        Ok(length)
    }
}

/// The error for a form of packing that no decoder here knows.
fn unknown(compression: u16) -> Error {
    Error::new(Kind::Unsupported, format!("packed with {}", packed::name(compression)))
}
