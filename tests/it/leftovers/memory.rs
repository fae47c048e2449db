//! A file system in memory, built from a table of paths.

use jiff::Timestamp;
use residue::error::{Error, Kind, Result};
use residue::filesystem::{
    DirEntry, Entry, EntryId, EntryKind, Facts, FileSystem, Layout, Owner, Paths, Stream, StreamName, Times,
    Walked,
};
use residue::io::ReadAt;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

#[derive(Debug)]
struct Inode {
    kind: EntryKind,
    content: Arc<Vec<u8>>,
    names: BTreeMap<Vec<u8>, u64>,
    uid: u32,
    mode: u16,
    /// Seconds since 1970: content modified, entry changed.
    times: Option<(i64, i64)>,
    damaged: bool,
}

/// The file system; the root is entry 2.
#[derive(Debug)]
pub(super) struct Memory {
    facts: Facts,
    folds: bool,
    inodes: BTreeMap<u64, Inode>,
}

impl Memory {
    /// An empty one of this kind.
    pub(super) fn new(kind: &'static str, uuid: &str) -> Self {
        let facts = Facts { kind, uuid: Some(uuid.to_owned()), ..Facts::default() };
        let root = Inode::new(EntryKind::Directory, Vec::new());
        Self { facts, folds: kind == "ntfs", inodes: BTreeMap::from([(2, root)]) }
    }

    /// Puts a file there; directories on the way are made.
    pub(super) fn file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> u64 {
        self.put(path, Inode::new(EntryKind::File, content.into()))
    }

    /// Puts a file there, in place of what is there.
    pub(super) fn replace(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        let id = self.file(path, Vec::new());
        self.inodes.get_mut(&id).unwrap().content = Arc::new(content.into());
    }

    /// Puts a symbolic link there.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.put(path, Inode::new(EntryKind::Symlink, target.as_bytes().to_vec()));
    }

    /// Puts a device there.
    pub(super) fn device(&mut self, path: &str) {
        self.put(path, Inode::new(EntryKind::Special, Vec::new()));
    }

    /// Makes a directory.
    pub(super) fn directory(&mut self, path: &str) -> u64 {
        self.put(path, Inode::new(EntryKind::Directory, Vec::new()))
    }

    /// Makes an entry unreadable.
    pub(super) fn damage(&mut self, path: &str) {
        let id = self.find(path.as_bytes()).unwrap();
        self.inodes.get_mut(&id.0).unwrap().damaged = true;
    }

    /// Gives an entry to a user.
    pub(super) fn chown(&mut self, path: &str, uid: u32) {
        let id = self.find(path.as_bytes()).unwrap();
        self.inodes.get_mut(&id.0).unwrap().uid = uid;
    }

    /// Gives an entry a mode.
    pub(super) fn chmod(&mut self, path: &str, mode: u16) {
        let id = self.find(path.as_bytes()).unwrap();
        self.inodes.get_mut(&id.0).unwrap().mode = mode;
    }

    /// Gives an entry times: modified and changed, in seconds since 1970.
    pub(super) fn touch(&mut self, path: &str, modified: i64, changed: i64) {
        let id = self.find(path.as_bytes()).unwrap();
        self.inodes.get_mut(&id.0).unwrap().times = Some((modified, changed));
    }

    /// Gives an entry a second name.
    pub(super) fn hard_link(&mut self, path: &str, id: u64) {
        let (directory, name) = path.rsplit_once('/').unwrap();
        let directory = self.directory(directory);
        self.inodes.get_mut(&directory).unwrap().names.insert(name.as_bytes().to_vec(), id);
    }

    fn put(&mut self, path: &str, inode: Inode) -> u64 {
        let mut at = 2;
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let Some((last, directories)) = names.split_last() else { return at };
        for name in directories {
            at = self.child(at, name, || Inode::new(EntryKind::Directory, Vec::new()));
        }
        self.child(at, last, || inode)
    }

    fn child(&mut self, at: u64, name: &str, make: impl FnOnce() -> Inode) -> u64 {
        if let Some(id) = self.inodes[&at].names.get(name.as_bytes()) {
            return *id;
        }
        let id = self.inodes.keys().max().unwrap() + 1;
        self.inodes.insert(id, make());
        self.inodes.get_mut(&at).unwrap().names.insert(name.as_bytes().to_vec(), id);
        id
    }

    fn inode(&self, id: EntryId) -> Result<&Inode> {
        match self.inodes.get(&id.0) {
            Some(inode) if inode.damaged => Err(Error::corrupt(0, "inode", "a good one", "a damaged one")),
            Some(inode) => Ok(inode),
            None => Err(Error::new(Kind::NotFound, "no such inode")),
        }
    }
}

impl Inode {
    fn new(kind: EntryKind, content: Vec<u8>) -> Self {
        Self {
            kind,
            content: Arc::new(content),
            names: BTreeMap::new(),
            uid: 0,
            mode: 0o644,
            times: None,
            damaged: false,
        }
    }
}

impl FileSystem for Memory {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn walk(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> Result<()> {
        for id in self.inodes.keys() {
            if visit(Walked::Entry(self.entry(EntryId(*id))?)).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn entry(&self, id: EntryId) -> Result<Entry> {
        let inode = self.inode(id)?;
        let size = inode.content.len() as u64;
        let stream = Stream {
            name: StreamName::Data,
            size,
            initialised: size,
            // Large content stands elsewhere; only `open` gives it.
            layout: match inode.content.len() {
                0..65_536 => Layout::Resident { bytes: inode.content.to_vec(), place: None },
                _ => Layout::Runs(Vec::new()),
            },
        };
        let usual = 1_700_000_000 + id.0 as i64;
        let (modified, changed) = inode.times.unwrap_or((usual, usual));
        let [modified, changed] = [modified, changed].map(|time| Timestamp::from_second(time).ok());
        Ok(Entry {
            id,
            kind: inode.kind,
            times: Times { modified, changed, ..Times::default() },
            owner: Owner { uid: Some(inode.uid), gid: Some(0), mode: Some(inode.mode) },
            streams: if inode.kind == EntryKind::Directory { Vec::new() } else { vec![stream] },
            ..Entry::default()
        })
    }

    fn root(&self) -> EntryId {
        EntryId(2)
    }

    fn list(&self, directory: EntryId, visit: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<()> {
        for (name, id) in &self.inode(directory)?.names {
            let entry = DirEntry { name: name.clone(), id: EntryId(*id), kind: self.inodes[id].kind };
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn paths(&self, id: EntryId) -> Result<Paths> {
        let (mut all, mut todo) = (Vec::new(), vec![(2, Vec::new())]);
        while let Some((at, path)) = todo.pop() {
            for (name, child) in self.inodes[&at].names.iter().filter(|_| path.len() < 4096) {
                let path = [path.as_slice(), b"/", name].concat();
                if *child == id.0 {
                    all.push(path.clone());
                }
                todo.push((*child, path));
            }
        }
        all.sort();
        Ok(Paths { all })
    }

    fn open(&self, entry: &Entry, _: &StreamName) -> Result<Arc<dyn ReadAt>> {
        let content: Arc<dyn ReadAt> = self.inode(entry.id)?.content.clone();
        Ok(content)
    }

    fn unallocated(&self, _: &mut dyn FnMut(Range<u64>)) -> Result<()> {
        Ok(())
    }

    fn same_name(&self, one: &[u8], other: &[u8]) -> bool {
        if self.folds { one.eq_ignore_ascii_case(other) } else { one == other }
    }
}
