//! A directory of this machine as a file system: what an extracted tree or a mounted volume shows.
//!
//! There are no raw bytes: nothing deleted, no slack, no free space. Entries carry the numbers of the inodes
//! they have on this machine; a number that two files share (overlays) is replaced by one that none has.

use super::{
    DataRun, DirEntry, Entry, EntryId, EntryKind, EntryState, Facts, FileSystem, Layout, Owner, Paths, Place,
    Role, Stream, StreamName, Times, Walked,
};
use crate::error::{Error, Kind, Result};
use crate::io::tree::{Node, NodeKind, Tree, UNIT};
use crate::io::{ReadAt, Window};
use jiff::Timestamp;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Numbers from here on stand for files whose inode number another file has, too.
const SHARED_NUMBERS: u64 = 1 << 63;

/// A tree, by its entries.
#[derive(Debug)]
pub struct Directory {
    tree: Arc<Tree>,
    facts: Facts,
    /// Nodes by the number of their entry, sorted.
    numbers: Vec<(u64, u32)>,
    /// Further names by the node that has the inode first, sorted.
    names: Vec<(u32, u32)>,
}

impl Directory {
    /// The entries of `tree`.
    pub fn new(tree: Arc<Tree>) -> Self {
        let mut numbers: Vec<(u64, u32)> = Vec::with_capacity(tree.nodes().len());
        let mut names = Vec::new();
        for (index, node) in (0u32..).zip(tree.nodes()) {
            match node.first {
                Some(first) => names.push((first, index)),
                None => numbers.push((node.inode, index)),
            }
        }
        names.sort_unstable();
        numbers.sort_unstable();
        let mut last = None;
        for (number, index) in &mut numbers {
            if last == Some(*number) {
                *number = SHARED_NUMBERS | u64::from(*index);
            } else {
                last = Some(*number);
            }
        }
        numbers.sort_unstable();
        let facts = Facts {
            kind: "directory",
            block_size: UNIT,
            size: tree.size(),
            notes: tree.notes().to_vec(),
            ..Facts::default()
        };
        Self { tree, facts, numbers, names }
    }

    fn index(&self, id: EntryId) -> Result<u32> {
        let at = self.numbers.binary_search_by_key(&id.0, |(number, _)| *number);
        let found = at.ok().and_then(|at| self.numbers.get(at)).map(|(_, index)| *index);
        found.ok_or_else(|| Error::new(Kind::NotFound, format!("no such inode: {}", id.0)))
    }

    fn node(&self, index: u32) -> Result<&Node> {
        self.tree.node(index).ok_or_else(|| Error::new(Kind::NotFound, "no such entry"))
    }

    /// The number of the entry that a node names.
    fn id(&self, index: u32) -> Result<EntryId> {
        let node = self.node(index)?;
        let index = node.first.unwrap_or(index);
        let shared = SHARED_NUMBERS | u64::from(index);
        let number = if self.index(EntryId(shared)).is_ok() { shared } else { node.inode };
        Ok(EntryId(number))
    }

    fn describe(&self, index: u32, node: &Node) -> Result<Entry> {
        let time = |(seconds, nanoseconds): (i64, u32)| {
            Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
        };
        Ok(Entry {
            id: self.id(index)?,
            generation: 0,
            kind: kind(node.kind),
            state: EntryState::Allocated,
            role: Role::Content,
            links: node.links,
            times: Times {
                modified: time(node.modified),
                accessed: time(node.accessed),
                changed: time(node.changed),
                created: node.created.and_then(time),
                deleted: None,
            },
            owner: Owner { uid: Some(node.uid), gid: Some(node.gid), mode: Some(node.mode) },
            streams: streams(node),
            notes: node.unreadable.iter().map(ToString::to_string).collect(),
        })
    }
}

fn kind(kind: NodeKind) -> EntryKind {
    match kind {
        NodeKind::File => EntryKind::File,
        NodeKind::Directory => EntryKind::Directory,
        NodeKind::Symlink => EntryKind::Symlink,
        NodeKind::Special => EntryKind::Special,
    }
}

fn streams(node: &Node) -> Vec<Stream> {
    let resident = |name, bytes: &[u8]| {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let layout = Layout::Resident { bytes: bytes.to_vec(), place: None };
        Stream { name, size, initialised: size, layout }
    };
    let mut streams = Vec::new();
    match (&node.target, node.kind) {
        (Some(target), _) => streams.push(resident(StreamName::Data, target)),
        (None, NodeKind::File) => {
            let run = |at| DataRun { logical: 0, length: node.size, place: Place::At(at) };
            let runs = node.place.map(run).into_iter().collect();
            let layout = Layout::Runs(runs);
            streams.push(Stream { name: StreamName::Data, size: node.size, initialised: node.size, layout });
        }
        _ => {}
    }
    streams.extend(
        node.attributes.iter().map(|(name, value)| resident(StreamName::Xattr(name.to_vec()), value)),
    );
    streams
}

impl FileSystem for Directory {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn walk(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> Result<()> {
        for (index, node) in (0u32..).zip(self.tree.nodes()) {
            if node.first.is_none() && visit(Walked::Entry(self.describe(index, node)?)).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn entry(&self, id: EntryId) -> Result<Entry> {
        let index = self.index(id)?;
        self.describe(index, self.node(index)?)
    }

    fn root(&self) -> EntryId {
        self.id(0).unwrap_or_default()
    }

    fn list(&self, directory: EntryId, visit: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<()> {
        for index in self.node(self.index(directory)?)?.children.clone() {
            let node = self.node(index)?;
            let entry = DirEntry { name: node.name.to_vec(), id: self.id(index)?, kind: kind(node.kind) };
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn paths(&self, id: EntryId) -> Result<Paths> {
        let index = self.index(id)?;
        let from = self.names.partition_point(|(first, _)| *first < index);
        let to = self.names.partition_point(|(first, _)| *first <= index);
        let others = self.names.get(from..to).unwrap_or_default().iter().map(|(_, other)| *other);
        let mut all: Vec<_> =
            std::iter::once(index).chain(others).map(|index| self.tree.path(index)).collect();
        all.sort_unstable();
        Ok(Paths { all })
    }

    fn open(&self, entry: &Entry, stream: &StreamName) -> Result<Arc<dyn ReadAt>> {
        let node = self.node(self.index(entry.id)?)?;
        let found = entry.stream(stream).ok_or_else(|| Error::new(Kind::NotFound, "no such stream"))?;
        match (&found.layout, node.place) {
            (Layout::Resident { bytes, .. }, _) => Ok(Arc::new(bytes.clone())),
            (_, Some(place)) => {
                let tree: Arc<dyn ReadAt> = self.tree.clone();
                Ok(Arc::new(Window::new(tree, place, node.size)?))
            }
            (_, None) => Ok(Arc::new(Vec::new())),
        }
    }

    fn unallocated(&self, _visit: &mut dyn FnMut(Range<u64>)) -> Result<()> {
        Ok(())
    }

    fn find(&self, path: &[u8]) -> Result<EntryId> {
        let missing = || {
            let shown = crate::location::escape(path);
            Error::new(Kind::NotFound, format!("no such path: {shown}"))
        };
        let mut at = 0u32;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            let children = self.node(at)?.children.clone();
            let range = usize::try_from(children.start).ok().zip(usize::try_from(children.end).ok());
            let nodes = range.and_then(|(start, end)| self.tree.nodes().get(start..end)).unwrap_or_default();
            let found = nodes.binary_search_by(|node| node.name.as_ref().cmp(name));
            let inside = found.ok().and_then(|found| u32::try_from(found).ok()).ok_or_else(missing)?;
            at = children.start.saturating_add(inside);
        }
        self.id(at)
    }
}
