//! A directory of this machine and everything below it, as one run of bytes.
//!
//! The contents of all files lie behind each other, each from a multiple of [`UNIT`] on, as if the tree were a
//! disk; so whoever sweeps a disk can sweep a tree. Nothing outside of the directory is ever opened: symbolic
//! links are not followed, and no other file system is entered. Files are opened when they are read, and closed
//! again.

mod beneath;
mod walk;

pub use walk::{Attribute, Node, NodeKind, Time};

use super::{Backing, Extent, ReadAt, check_range};
use crate::error::{Error, Result};
use beneath::Root;
use rustix::fs::SeekFrom;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Files start at multiples of this.
pub const UNIT: u64 = 4096;

/// A directory and everything below it, as it was when it was opened.
#[derive(Debug)]
pub struct Tree {
    root: Root,
    nodes: Vec<Node>,
    /// Files with content, by their place: first byte and node.
    placed: Vec<(u64, u32)>,
    size: u64,
    content: u64,
    unread: Vec<String>,
    notes: Vec<String>,
    /// Files that changed while they were read, and how.
    changed: Mutex<BTreeMap<u32, String>>,
}

impl Tree {
    /// Walks the directory at `path` and looks at everything below it.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) where the directory itself cannot be read; what cannot be read below
    /// it is in [`unread`](Self::unread).
    pub fn open(path: &Path) -> Result<Arc<Self>> {
        let root = Root::open(path)?;
        let mut found = walk::walk(&root)?;
        let (mut placed, mut at, mut content) = (Vec::new(), 0u64, 0u64);
        for (index, node) in (0u32..).zip(&mut found.nodes) {
            if node.kind != NodeKind::File || node.first.is_some() || node.size == 0 {
                continue;
            }
            let next = at.checked_add(node.size).and_then(|end| end.checked_next_multiple_of(UNIT));
            let Some(next) = next else {
                found.unread.push("the files are longer than 64 bits can count".to_owned());
                break;
            };
            node.place = Some(at);
            placed.push((at, index));
            content = content.saturating_add(node.size);
            at = next;
        }
        let (nodes, unread, notes) = (found.nodes, found.unread, found.notes);
        Ok(Arc::new(Self {
            root,
            nodes,
            placed,
            size: at,
            content,
            unread,
            notes,
            changed: Mutex::default(),
        }))
    }

    /// Everything in the tree: the directory itself first, then each directory's names behind each other,
    /// bytewise sorted.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node with an index.
    pub fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(index).ok()?)
    }

    /// Bytes of all files together, without what lies between them.
    pub fn content(&self) -> u64 {
        self.content
    }

    /// What could not be read when the tree was walked.
    pub fn unread(&self) -> &[String] {
        &self.unread
    }

    /// What was left out on purpose.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Files that changed while they were read, so that what was read may be neither the old nor the new content.
    pub fn changed(&self) -> Vec<String> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The full name of a node, from the directory on: `/etc/passwd`.
    pub fn path(&self, index: u32) -> Vec<u8> {
        walk::path(&self.nodes, index)
    }

    /// The node at `offset` of the run, its first byte, and where the next one starts.
    fn at(&self, offset: u64) -> Option<(u32, u64, u64)> {
        let next = self.placed.partition_point(|(start, _)| *start <= offset);
        let (start, index) = *self.placed.get(next.checked_sub(1)?)?;
        Some((index, start, self.placed.get(next).map_or(self.size, |(start, _)| *start)))
    }

    fn shown(&self, index: u32) -> PathBuf {
        self.root.shown(&self.path(index))
    }

    /// Opens a file and makes sure that it is the one that was found.
    fn file(&self, index: u32, node: &Node) -> Result<File> {
        let failed = |source| Error::io("cannot open", source).in_file(&self.shown(index));
        let file = self.root.file(&self.path(index)).map_err(|errno| failed(errno.into()))?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() || (metadata.dev(), metadata.ino()) != (node.device, node.inode) {
            return Err(failed(std::io::Error::other("another file has taken its place")));
        }
        Ok(file)
    }

    fn read_file(&self, index: u32, node: &Node, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if let Some(reason) = &node.unreadable {
            return Err(Error::new(crate::error::Kind::Io, reason.as_ref()));
        }
        let file = self.file(index, node)?;
        let read = file.read_exact_at(buffer, offset);
        let size = file.metadata().map_or(node.size, |metadata| metadata.len());
        if size != node.size {
            let change = format!("its size went from {} to {size} bytes while it was read", node.size);
            let change = Error::new(crate::error::Kind::Io, change).in_file(&self.shown(index)).to_string();
            self.changed.lock().unwrap_or_else(PoisonError::into_inner).entry(index).or_insert(change);
        }
        read.map_err(|source| Error::io("cannot read", source).at(offset).in_file(&self.shown(index)))
    }

    /// Holes of a sparse file.
    fn map_file(&self, index: u32, node: &Node, offset: u64, rest: u64) -> Extent {
        // Places mean nothing outside of this run of bytes.
        let stored =
            |length| Extent { length, backing: Backing::Encoded { host: offset, host_length: length } };
        if !node.sparse {
            return stored(rest);
        }
        let Ok(file) = self.file(index, node) else { return stored(rest) };
        let clip = |next: u64| next.saturating_sub(offset).clamp(1, rest);
        match rustix::fs::seek(&file, SeekFrom::Data(offset)) {
            Ok(data) if data > offset => Extent { length: clip(data), backing: Backing::Hole },
            Ok(_) => stored(rustix::fs::seek(&file, SeekFrom::Hole(offset)).map_or(rest, clip)),
            Err(rustix::io::Errno::NXIO) => Extent { length: rest, backing: Backing::Hole },
            Err(_) => stored(rest),
        }
    }
}

impl ReadAt for Tree {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let missing = || Error::truncated("tree", at, 1, self.size);
            let (index, start, next) = self.at(at).ok_or_else(missing)?;
            let node = self.node(index).ok_or_else(missing)?;
            let inside = at.saturating_sub(start);
            let held = node.size.saturating_sub(inside);
            let step = if held > 0 { held } else { next.saturating_sub(at).max(1) };
            let length = usize::try_from(step).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(length);
            if held > 0 {
                self.read_file(index, node, inside, now)?
            } else {
                now.fill(0)
            }
            at = at.saturating_add(u64::try_from(length).unwrap_or(0));
            rest = later;
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        let missing = || Error::truncated("tree", offset, max, self.size);
        let (index, start, next) = self.at(offset).ok_or_else(missing)?;
        let node = self.node(index).ok_or_else(missing)?;
        let inside = offset.saturating_sub(start);
        let held = node.size.saturating_sub(inside);
        if held == 0 {
            let length = next.saturating_sub(offset).min(max).max(1);
            return Ok(Extent { length, backing: Backing::Hole });
        }
        let rest = held.min(max).max(1);
        Ok(match &node.unreadable {
            Some(reason) => Extent { length: rest, backing: Backing::Missing { reason: Arc::clone(reason) } },
            None => self.map_file(index, node, inside, rest),
        })
    }
}
