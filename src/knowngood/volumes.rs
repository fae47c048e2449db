//! The file systems of a disk, and how they are mounted on each other.

use crate::error::{Error, Kind, Result};
use crate::filesystem::{Entry, EntryId, FileSystem};
use std::ops::ControlFlow;

/// Mounts on the way from a file to the root of its system.
const MOUNTS_MAX: usize = 16;

/// An entry of one of the file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Index of the file system.
    pub volume: usize,
    /// The entry in it.
    pub entry: EntryId,
}

/// A file system that a system sees on top of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The directory.
    pub on: Node,
    /// Index of the file system that is mounted there.
    pub volume: usize,
}

/// File systems and mounts.
#[derive(Debug, Default)]
pub struct Volumes<'f> {
    /// The file systems, by index.
    pub filesystems: Vec<&'f dyn FileSystem>,
    /// What is mounted where; each file system at most once.
    pub mounts: Vec<Mount>,
}

impl<'f> Volumes<'f> {
    /// One file system for itself.
    pub fn one(filesystem: &'f dyn FileSystem) -> Self {
        Self { filesystems: vec![filesystem], mounts: Vec::new() }
    }

    /// The file system of a node.
    pub(super) fn filesystem(&self, node: Node) -> Result<&'f dyn FileSystem> {
        let filesystem = self.filesystems.get(node.volume).copied();
        filesystem.ok_or_else(|| Error::new(Kind::NotFound, "no such volume"))
    }

    /// Reads an entry.
    pub(super) fn entry(&self, node: Node) -> Result<Entry> {
        self.filesystem(node)?.entry(node.entry)
    }

    /// The entry of a name in a directory, first in what is mounted there; `None` where it has no such name.
    pub(super) fn child(&self, directory: Node, name: &[u8]) -> Result<Option<Node>> {
        for place in self.places(directory) {
            let filesystem = self.filesystem(place)?;
            let mut found = None;
            let listed = filesystem.list(place.entry, &mut |entry| {
                if filesystem.same_name(&entry.name, name) {
                    found = Some(Node { volume: place.volume, entry: entry.id });
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            match listed {
                _ if found.is_some() => return Ok(found),
                Err(error) if error.kind() != Kind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Visits the names of a directory, those of what is mounted there first.
    pub(super) fn list(
        &self,
        directory: Node,
        visit: &mut dyn FnMut(Vec<u8>, Node) -> ControlFlow<()>,
    ) -> Result<()> {
        for place in self.places(directory) {
            let filesystem = self.filesystem(place)?;
            filesystem.list(place.entry, &mut |entry| {
                visit(entry.name, Node { volume: place.volume, entry: entry.id })
            })?;
        }
        Ok(())
    }

    /// A directory, behind the root of the file system that is mounted on it.
    fn places(&self, directory: Node) -> impl Iterator<Item = Node> {
        let mounted = self.mounts.iter().find(|mount| mount.on == directory);
        let root = mounted.and_then(|mount| {
            let entry = self.filesystems.get(mount.volume)?.root();
            Some(Node { volume: mount.volume, entry })
        });
        root.into_iter().chain([directory])
    }

    /// The file system at whose root a system sees this one, and the path that it sees its root at.
    pub(super) fn top(&self, volume: usize) -> (usize, Vec<u8>) {
        let (mut volume, mut path) = (volume, Vec::new());
        for _ in 0..MOUNTS_MAX {
            let Some(mount) = self.mounts.iter().find(|mount| mount.volume == volume) else { break };
            let paths = self.filesystem(mount.on).and_then(|filesystem| filesystem.paths(mount.on.entry));
            let Some(on) = paths.ok().and_then(|paths| paths.all.into_iter().next()) else { break };
            path = [on, path].concat();
            volume = mount.on.volume;
        }
        (volume, path)
    }

    /// The root directory of a file system.
    pub(super) fn root(&self, volume: usize) -> Option<Node> {
        Some(Node { volume, entry: self.filesystems.get(volume)?.root() })
    }
}
