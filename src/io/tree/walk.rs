//! The walk over a directory of this machine.

use super::beneath::Root;
use crate::error::{Error, Kind, Result};
use rustix::fs::{AtFlags, Dir, FileType, Statx, StatxFlags, StatxTimestamp};
use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// Nodes of one tree at most; each takes some 200 bytes.
const NODES_MAX: usize = 50_000_000;
/// Directories in one another at most.
const DEPTH_MAX: u32 = 4096;
/// Longest value of an extended attribute that the system allows, and longest list of names.
const ATTRIBUTE_MAX: usize = 64 << 10;
/// Bytes of extended attributes that are kept of one tree.
const ATTRIBUTES_MAX: usize = 256 << 20;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, which is never followed.
    Symlink,
    /// A device, socket or pipe, which is never opened.
    Special,
}

/// A time as seconds and nanoseconds since 1970.
pub type Time = (i64, u32);

/// Name and value of an extended attribute.
pub type Attribute = (Box<[u8]>, Box<[u8]>);

/// A name in a tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// Index of the directory that it lies in; the first node lies in itself.
    pub parent: u32,
    /// Its name; empty for the first node.
    pub name: Box<[u8]>,
    /// What it is.
    pub kind: NodeKind,
    /// Device of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Length of the content in bytes.
    pub size: u64,
    /// Permission bits, set-id and sticky.
    pub mode: u16,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names that point to the inode, in this tree or not.
    pub links: u32,
    /// Content last modified.
    pub modified: Time,
    /// Content last read.
    pub accessed: Time,
    /// Inode last changed.
    pub changed: Time,
    /// Created, where the file system says so.
    pub created: Option<Time>,
    /// Names in it, as indices.
    pub children: Range<u32>,
    /// The node that has the same inode and came before this one.
    pub first: Option<u32>,
    /// Where its content starts in the tree's run of bytes.
    pub place: Option<u64>,
    /// Whether it takes less space than its size asks for.
    pub sparse: bool,
    /// Why its content cannot be read.
    pub unreadable: Option<Arc<str>>,
    /// Where a symbolic link points to.
    pub target: Option<Box<[u8]>>,
    /// Extended attributes with their name spaces.
    pub attributes: Vec<Attribute>,
}

/// What a walk came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) nodes: Vec<Node>,
    pub(super) unread: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Full name of a node, from the tree's directory on.
pub(super) fn path(nodes: &[Node], index: u32) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    let mut at = index;
    for _ in 0..=DEPTH_MAX {
        let Some(node) = usize::try_from(at).ok().and_then(|at| nodes.get(at)).filter(|_| at > 0) else {
            break;
        };
        names.push(&node.name);
        at = node.parent;
    }
    let mut path = Vec::new();
    for name in names.into_iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() { b"/".to_vec() } else { path }
}

/// Walks breadth first, so that the names of one directory lie behind each other.
pub(super) fn walk(root: &Root) -> Result<Found> {
    let mut walk = Walk { root, found: Found::default(), seen: HashMap::new(), special: 0, attributes: 0 };
    let directory = root
        .directory(b"/")
        .map_err(|errno| Error::io("cannot read the directory", errno.into()).in_file(&root.shown(b"")))?;
    let status = status(&directory, b"")
        .map_err(|errno| Error::io("cannot look at the directory", errno.into()).in_file(&root.shown(b"")))?;
    let node = walk.node(0, Box::default(), &status);
    walk.found.nodes.push(node);
    let (device, mut depths, mut at) = (device(&status), vec![0u32], 0usize);
    while let Some(node) = walk.found.nodes.get(at) {
        let depth = depths.get(at).copied().unwrap_or(0);
        if node.kind == NodeKind::Directory {
            walk.directory(at, depth, device)?;
            depths.resize(walk.found.nodes.len(), depth.saturating_add(1));
        }
        at = at.saturating_add(1);
    }
    if walk.special > 0 {
        let special = walk.special;
        walk.found.notes.push(format!("{special} devices, sockets and pipes are listed and not opened"));
    }
    Ok(walk.found)
}

struct Walk<'a> {
    root: &'a Root,
    found: Found,
    /// Files with several names, by device and inode.
    seen: HashMap<(u64, u64), u32>,
    special: u64,
    attributes: usize,
}

impl Walk<'_> {
    /// Reads the names of the directory with index `at`.
    fn directory(&mut self, at: usize, depth: u32, device_wanted: u64) -> Result<()> {
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        let path = path(&self.found.nodes, index);
        let Some(node) = self.found.nodes.get(at) else { return Ok(()) };
        if node.device != device_wanted {
            self.unread(&path, "another file system is mounted here, and is not entered");
            return Ok(());
        }
        if depth >= DEPTH_MAX {
            self.unread(&path, &format!("lies more than {DEPTH_MAX} directories deep"));
            return Ok(());
        }
        let directory = match self.root.directory(&path) {
            Ok(directory) => directory,
            Err(errno) => {
                self.failed(&path, "cannot read the directory", errno);
                return Ok(());
            }
        };
        self.keep_attributes(at, &directory);
        let names = self.names(&directory, &path);
        let start = u32::try_from(self.found.nodes.len()).unwrap_or(u32::MAX);
        for name in names {
            if self.found.nodes.len() >= NODES_MAX {
                return Err(Error::new(Kind::LimitExceeded, format!("more than {NODES_MAX} names")));
            }
            self.name(index, &directory, &path, name);
        }
        let end = u32::try_from(self.found.nodes.len()).unwrap_or(u32::MAX);
        if let Some(node) = self.found.nodes.get_mut(at) {
            node.children = start..end;
        }
        Ok(())
    }

    /// The names in a directory, bytewise sorted.
    fn names(&mut self, directory: &File, path: &[u8]) -> Vec<Box<[u8]>> {
        let mut names = Vec::new();
        let entries = match Dir::read_from(directory) {
            Ok(entries) => entries,
            Err(errno) => {
                self.failed(path, "cannot read the directory", errno);
                return names;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) => {
                    let name = entry.file_name().to_bytes();
                    if !matches!(name, b"." | b"..") {
                        names.push(Box::from(name));
                    }
                }
                Err(errno) => {
                    self.failed(path, "cannot read the directory to its end", errno);
                    break;
                }
            }
        }
        names.sort_unstable();
        names
    }

    /// Adds what `name` in the directory with index `parent` names.
    fn name(&mut self, parent: u32, directory: &File, path: &[u8], name: Box<[u8]>) {
        let full = [path.strip_suffix(b"/").unwrap_or(path), b"/", &name].concat();
        let status = match status(directory, &name) {
            Ok(status) => status,
            Err(errno) => return self.failed(&full, "cannot look at", errno),
        };
        let mut node = self.node(parent, name, &status);
        let index = u32::try_from(self.found.nodes.len()).unwrap_or(u32::MAX);
        match node.kind {
            NodeKind::Symlink => {
                let os = std::os::unix::ffi::OsStrExt::from_bytes;
                let name: &std::ffi::OsStr = os(&node.name);
                match rustix::fs::readlinkat(directory, name, Vec::new()) {
                    Ok(target) => node.target = Some(target.into_bytes().into()),
                    Err(errno) => self.failed(&full, "cannot read the link", errno),
                }
            }
            NodeKind::Special => self.special = self.special.saturating_add(1),
            NodeKind::File if node.links > 1 => {
                node.first = self.seen.get(&(node.device, node.inode)).copied();
                self.seen.entry((node.device, node.inode)).or_insert(index);
            }
            NodeKind::File | NodeKind::Directory => {}
        }
        let is_file = node.kind == NodeKind::File && node.first.is_none();
        self.found.nodes.push(node);
        if is_file {
            self.look_into(usize::try_from(index).unwrap_or(usize::MAX), &full);
        }
    }

    /// Finds out whether a file can be read, and which attributes it has.
    fn look_into(&mut self, at: usize, path: &[u8]) {
        match self.root.file(path) {
            Ok(file) => self.keep_attributes(at, &file),
            Err(errno) => {
                let shown = self.root.shown(path);
                let reason = Error::io("cannot open", errno.into()).in_file(&shown).to_string();
                if let Some(node) = self.found.nodes.get_mut(at) {
                    node.unreadable = Some(reason.into());
                }
            }
        }
    }

    fn keep_attributes(&mut self, at: usize, file: &File) {
        // File systems without attributes say so by an error.
        let Ok(length @ 1..) = rustix::fs::flistxattr_query(file) else { return };
        let mut names = vec![0u8; length.clamp(1, ATTRIBUTE_MAX)];
        let Ok(length) = rustix::fs::flistxattr(file, names.as_mut_slice()) else { return };
        let mut value = vec![0u8; ATTRIBUTE_MAX];
        for name in names.get(..length).unwrap_or_default().split(|&byte| byte == 0) {
            let Ok(length) = rustix::fs::fgetxattr(file, name, value.as_mut_slice()) else { continue };
            let value = value.get(..length).unwrap_or_default();
            self.attributes = self.attributes.saturating_add(value.len());
            let node = self.found.nodes.get_mut(at);
            if let Some(node) = node.filter(|_| !name.is_empty() && self.attributes <= ATTRIBUTES_MAX) {
                node.attributes.push((Box::from(name), Box::from(value)));
            }
        }
    }

    fn node(&self, parent: u32, name: Box<[u8]>, status: &Statx) -> Node {
        let time = |time: &StatxTimestamp| (time.tv_sec, time.tv_nsec);
        let kind = match FileType::from_raw_mode(status.stx_mode.into()) {
            FileType::RegularFile => NodeKind::File,
            FileType::Directory => NodeKind::Directory,
            FileType::Symlink => NodeKind::Symlink,
            _ => NodeKind::Special,
        };
        let has_birth = StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::BTIME);
        Node {
            parent,
            name,
            kind,
            device: device(status),
            inode: status.stx_ino,
            size: status.stx_size,
            mode: status.stx_mode & 0o7777,
            uid: status.stx_uid,
            gid: status.stx_gid,
            links: status.stx_nlink,
            modified: time(&status.stx_mtime),
            accessed: time(&status.stx_atime),
            changed: time(&status.stx_ctime),
            created: has_birth.then(|| time(&status.stx_btime)),
            children: 0..0,
            first: None,
            place: None,
            sparse: status.stx_blocks.saturating_mul(512) < status.stx_size,
            unreadable: None,
            target: None,
            attributes: Vec::new(),
        }
    }

    fn unread(&mut self, path: &[u8], reason: &str) {
        let error = Error::new(Kind::Io, reason).in_file(&self.root.shown(path));
        self.found.unread.push(error.to_string());
    }

    fn failed(&mut self, path: &[u8], what: &str, errno: rustix::io::Errno) {
        let error = Error::io(what, errno.into()).in_file(&self.root.shown(path));
        self.found.unread.push(error.to_string());
    }
}

fn status(directory: &File, name: &[u8]) -> rustix::io::Result<Statx> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH;
    rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)
}

/// The number that `stat` gives for a device.
fn device(status: &Statx) -> u64 {
    rustix::fs::makedev(status.stx_dev_major, status.stx_dev_minor)
}
