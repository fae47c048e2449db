//! Names of inodes, out of the directory table.

use super::inodes::{Directory, Inode};
use super::packed::Table;
use crate::error::Result;
use crate::io::Fields;
use std::collections::HashMap;

/// Directories of one path.
const DEPTH_MAX: usize = 256;
/// Names in all directories together.
const NAMES_MAX: usize = 1 << 20;
/// Bytes that a directory's size counts beside its names.
const EXTRA: usize = 3;

/// Which directory names an inode, and how: by inode number, the first one that does.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<u32, (u32, Vec<u8>)>);

impl Names {
    /// Reads the names of all directories.
    pub(super) fn read(inodes: &[Inode], table: &Table) -> Self {
        let mut names = Self::default();
        for inode in inodes {
            if let Inode::Directory(number, directory) = inode {
                // What follows damage in a directory has no names.
                let _rest = names.add(*number, directory, table);
            }
        }
        names
    }

    fn add(&mut self, own: u32, directory: &Directory, table: &Table) -> Result<()> {
        let bytes = table.from(directory.block, directory.offset);
        let bytes = bytes.get(..directory.size.saturating_sub(EXTRA).min(bytes.len())).unwrap_or_default();
        let fields = Fields::new("squashfs directory", bytes, 0);
        let mut at = 0_usize;
        while at < bytes.len() {
            // The number of names is stored as one less.
            let count = fields.le_u32(at)?;
            let first = fields.le_u32(at.saturating_add(8))?;
            at = at.saturating_add(12);
            for _ in 0..=count {
                if self.0.len() >= NAMES_MAX {
                    return Ok(());
                }
                let difference = fields.le_u16(at.saturating_add(2))?.cast_signed();
                let length = usize::from(fields.le_u16(at.saturating_add(6))?).saturating_add(1);
                let name = fields.bytes(at.saturating_add(8), length)?;
                let child = first.wrapping_add_signed(difference.into());
                self.0.entry(child).or_insert_with(|| (own, name.to_vec()));
                at = at.saturating_add(8).saturating_add(length);
            }
        }
        Ok(())
    }

    /// The path of an inode; its number stands for what is not known.
    pub(super) fn path(&self, number: u32) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = number;
        while let Some((parent, name)) = self.0.get(&at).filter(|_| names.len() < DEPTH_MAX) {
            names.push(name.as_slice());
            at = *parent;
        }
        names.reverse();
        let path = names.join(&b'/');
        if path.is_empty() { format!("#{number}").into_bytes() } else { path }
    }
}
