//! One directory tree over several file systems, as a running system would see it.
//!
//! Paths in here are *seen* paths: bytes, absolute, `/` between names, from the root of the system that is
//! looked at. Symbolic links resolve inside of the image, absolute targets from that root.

use super::Source;
use crate::error::{Error, Kind, Result};
use crate::filesystem::{DirEntry, Entry, EntryId, EntryKind, FileSystem, StreamName};
use crate::io::ReadAt;
use crate::knowngood::{self, Mount, Volumes};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Symbolic links followed on the way to one path.
const LINKS_MAX: usize = 40;
/// Longest link target that is read.
const TARGET_MAX: u64 = 4096;
/// Longest path that is built.
const PATH_MAX: usize = 16 * 1024;

/// An entry of one of the file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Node {
    /// Index of the source.
    pub(crate) source: usize,
    /// The entry.
    pub(crate) id: EntryId,
}

/// An entry with the name it has in its own file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The entry.
    pub(crate) node: Node,
    /// Its path in its own file system.
    pub(crate) path: Vec<u8>,
}

impl Spot {
    /// The spot of a name in this directory.
    pub(crate) fn child(&self, name: &[u8], id: EntryId) -> Self {
        Self { node: Node { source: self.node.source, id }, path: join(&self.path, name) }
    }
}

/// `directory` and `name` with one `/` between them.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if !directory.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The tree of a system.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    sources: &'a [Source],
    root: Spot,
    /// File systems on top of directories.
    mounts: HashMap<Node, usize>,
}

impl<'a> Tree<'a> {
    /// The tree below `root`.
    pub(crate) fn new(sources: &'a [Source], root: Spot) -> Self {
        Self { sources, root, mounts: HashMap::new() }
    }

    /// The root directory.
    pub(crate) fn root(&self) -> &Spot {
        &self.root
    }

    /// Puts a whole file system on top of a directory.
    pub(crate) fn mount(&mut self, on: Node, source: usize) {
        self.mounts.insert(on, source);
    }

    /// What is mounted where, in a stable order.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let known = |node: &Node| knowngood::Node { volume: node.source, entry: node.id };
        let mut mounts: Vec<(Node, usize)> = self.mounts.iter().map(|(on, source)| (*on, *source)).collect();
        mounts.sort_unstable();
        mounts.iter().map(|(on, source)| Mount { on: known(on), volume: *source }).collect()
    }

    /// The file systems, and what is mounted where.
    pub(crate) fn volumes(&self) -> Volumes<'a> {
        let filesystems = self.sources.iter().map(|source| source.filesystem.as_ref()).collect();
        Volumes { filesystems, mounts: self.mounts() }
    }

    /// The file system mounted on a directory.
    pub(crate) fn mounted(&self, on: Node) -> Option<Spot> {
        let source = *self.mounts.get(&on)?;
        let id = self.sources.get(source)?.filesystem.root();
        Some(Spot { node: Node { source, id }, path: b"/".to_vec() })
    }

    /// The file system of a node.
    pub(crate) fn filesystem(&self, node: Node) -> Result<&'a Arc<dyn FileSystem>> {
        let source = self.sources.get(node.source);
        source.map(|source| &source.filesystem).ok_or_else(|| Error::new(Kind::NotFound, "no such volume"))
    }

    /// What the decoders met inside of a file; `None` when none took it.
    pub(crate) fn members(&self, node: Node) -> Option<&'a super::members::Content> {
        self.sources.get(node.source)?.members.of(node.id)
    }

    /// Reads an entry.
    pub(crate) fn entry(&self, node: Node) -> Result<Entry> {
        self.filesystem(node)?.entry(node.id)
    }

    /// Visits the names of a directory, without what is mounted on it.
    pub(crate) fn list(&self, node: Node, visit: &mut dyn FnMut(DirEntry)) -> Result<()> {
        self.filesystem(node)?.list(node.id, &mut |entry| {
            visit(entry);
            ControlFlow::Continue(())
        })
    }

    /// Opens the content of an entry.
    pub(crate) fn open(&self, node: Node, entry: &Entry) -> Result<Arc<dyn ReadAt>> {
        self.filesystem(node)?.open(entry, &StreamName::Data)
    }

    /// The first `max` bytes of an entry's content.
    pub(crate) fn head(&self, node: Node, entry: &Entry, max: u64) -> Result<Vec<u8>> {
        let size = entry.size().min(max);
        if size == 0 {
            return Ok(Vec::new());
        }
        let content = self.open(node, entry)?;
        let size = size.min(content.size());
        crate::io::read_vec(content.as_ref(), 0, usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// The content of the file at a seen path, at most `max` bytes of it; `None` when nothing is there.
    ///
    /// # Errors
    /// When something is there, or on the way, that cannot be read.
    pub(crate) fn read(&self, path: &[u8], max: u64) -> Result<Option<Vec<u8>>> {
        let Some(spot) = self.resolve(path)? else { return Ok(None) };
        let entry = self.entry(spot.node)?;
        if entry.kind == EntryKind::Directory {
            return Ok(None);
        }
        self.head(spot.node, &entry, max).map(Some)
    }

    /// Target of a symbolic link; empty where the link holds none.
    pub(crate) fn target(&self, node: Node, entry: &Entry) -> Result<Vec<u8>> {
        self.head(node, entry, TARGET_MAX)
    }

    /// The entry at a seen path with all links followed; `None` when nothing is there.
    ///
    /// # Errors
    /// Link loops, and directories or links that cannot be read.
    pub(crate) fn resolve(&self, path: &[u8]) -> Result<Option<Spot>> {
        self.resolve_from(&[], path)
    }

    /// As [`resolve`](Self::resolve), for a path that may be relative to the seen directory `base`.
    pub(crate) fn resolve_from(&self, base: &[u8], path: &[u8]) -> Result<Option<Spot>> {
        let mut todo: Vec<Vec<u8>> = Vec::new();
        push_components(&mut todo, path);
        if !path.starts_with(b"/") {
            push_components(&mut todo, base);
        }
        let mut trail = vec![self.root.clone()];
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == b".." {
                if trail.len() > 1 {
                    trail.pop();
                }
                continue;
            }
            let Some(at) = trail.last() else { return Ok(None) };
            let Some(next) = self.step(at, &name)? else { return Ok(None) };
            let entry = self.entry(next.node)?;
            if entry.kind != EntryKind::Symlink {
                trail.push(next);
                continue;
            }
            links += 1;
            let target = self.target(next.node, &entry)?;
            let length: usize = todo.iter().map(Vec::len).sum::<usize>() + target.len();
            if links > LINKS_MAX || length > PATH_MAX {
                let shown = crate::location::escape(path);
                return Err(Error::new(Kind::Corrupt, format!("{shown}: symbolic links without an end")));
            }
            if target.is_empty() {
                return Ok(None);
            }
            if target.starts_with(b"/") {
                trail.truncate(1);
            }
            push_components(&mut todo, &target);
        }
        Ok(trail.pop())
    }

    /// One name out of a directory, first in what is mounted there.
    fn step(&self, at: &Spot, name: &[u8]) -> Result<Option<Spot>> {
        if let Some(mounted) = self.mounted(at.node)
            && let Some(found) = self.child(&mounted, name)?
        {
            return Ok(Some(found));
        }
        self.child(at, name)
    }

    /// One name out of a directory of one file system.
    fn child(&self, at: &Spot, name: &[u8]) -> Result<Option<Spot>> {
        let filesystem = self.filesystem(at.node)?;
        let mut found = None;
        let listed = filesystem.list(at.node.id, &mut |entry| {
            if filesystem.same_name(&entry.name, name) {
                found = Some(at.child(&entry.name, entry.id));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match (found, listed) {
            (Some(spot), _) => Ok(Some(spot)),
            (None, Ok(())) => Ok(None),
            (None, Err(error)) if error.kind() == Kind::NotFound => Ok(None),
            (None, Err(error)) => Err(error),
        }
    }
}

/// Pushes the components of a path so that the first one is popped first.
fn push_components(todo: &mut Vec<Vec<u8>>, path: &[u8]) {
    let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    todo.extend(parts.rev().map(<[u8]>::to_vec));
}
