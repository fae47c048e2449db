//! A system as package databases see it: paths with symbolic links from its root on, over the file systems that
//! are mounted in it; files of bounded length.

use super::volumes::{Node, Volumes};
use super::wanted::Alias;
use crate::error::{Error, Kind, Result};
use crate::filesystem::{Entry, EntryKind, StreamName};
use crate::io::{ReadAt, read_vec};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Symbolic links followed on the way to one path.
const LINKS_MAX: usize = 40;
/// Names on the way to one path, links included.
const STEPS_MAX: usize = 1024;
/// Longest link target that is read.
const TARGET_MAX: u64 = 4096;
/// Longest file of a database that is read.
const FILE_MAX: u64 = 64 << 20;
/// Names of one directory that are looked at.
const NAMES_MAX: usize = 200_000;
/// Links in one directory that are followed.
const ALIASES_MAX: usize = 64;
/// Directories in which links to directories give files further names.
const ALIASED: &[&[u8]] = &[b"/", b"/usr/", b"/var/"];
/// Directories that are links into `/usr` on systems with a merged `/usr`.
const MERGED: &[&[u8]] = &[b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32"];

/// A name with the entry that it names.
pub(super) type Name = (Vec<u8>, Node);

/// A system below one directory.
#[derive(Debug)]
pub(super) struct Image<'v> {
    volumes: &'v Volumes<'v>,
    root: Node,
    /// Bytes of databases that may still be read.
    left: &'v Cell<u64>,
}

impl<'v> Image<'v> {
    /// The system whose root directory is `root`; `left` bytes of its databases, and of others, may be read.
    pub(super) fn new(volumes: &'v Volumes<'v>, root: Node, left: &'v Cell<u64>) -> Self {
        Self { volumes, root, left }
    }

    /// The root directory.
    pub(super) fn root(&self) -> Node {
        self.root
    }

    /// The entry at an absolute path with all links followed inside of the system; `None` when nothing is
    /// there.
    ///
    /// # Errors
    /// Links without an end, and what cannot be read on the way.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Option<Node>> {
        Ok(self.trail(path)?.map(|trail| trail.last().map_or(self.root, |(_, node)| *node)))
    }

    /// As [`resolve`](Self::resolve), with the real names from the root down.
    fn trail(&self, path: &[u8]) -> Result<Option<Vec<Name>>> {
        let mut todo: Vec<Vec<u8>> = Vec::new();
        push(&mut todo, path);
        let mut trail: Vec<Name> = Vec::new();
        let mut links = 0;
        for _ in 0..STEPS_MAX {
            let Some(name) = todo.pop() else { return Ok(Some(trail)) };
            if name == b".." {
                trail.pop();
                continue;
            }
            let at = trail.last().map_or(self.root, |(_, node)| *node);
            let Some(node) = self.volumes.child(at, &name)? else { return Ok(None) };
            let entry = self.volumes.entry(node)?;
            if entry.kind != EntryKind::Symlink {
                trail.push((name, node));
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                break;
            }
            let target = self.content(node, &entry, TARGET_MAX)?;
            if target.starts_with(b"/") {
                trail.clear();
            }
            push(&mut todo, &target);
        }
        Err(Error::new(Kind::LimitExceeded, "symbolic links without an end"))
    }

    /// Content of the database file at an absolute path; `None` when nothing is there.
    ///
    /// # Errors
    /// As [`read_entry`](Self::read_entry).
    pub(super) fn read(&self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        self.resolve(path)?.map(|node| self.read_entry(node)).transpose()
    }

    /// The database file at an absolute path, to be read in pieces; `None` when no file is there.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), and when it cannot be opened.
    pub(super) fn open(&self, path: &[u8]) -> Result<Option<Arc<dyn ReadAt>>> {
        let Some(node) = self.resolve(path)? else { return Ok(None) };
        let entry = self.volumes.entry(node)?;
        if entry.kind != EntryKind::File {
            return Ok(None);
        }
        self.volumes.filesystem(node)?.open(&entry, &StreamName::Data).map(Some)
    }

    /// Content of a database file.
    ///
    /// # Errors
    /// When it cannot be read, and when it or all of them together are too long.
    pub(super) fn read_entry(&self, node: Node) -> Result<Vec<u8>> {
        let max = FILE_MAX.min(self.left.get());
        let bytes = self.content(node, &self.volumes.entry(node)?, max)?;
        self.left.set(self.left.get().saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        Ok(bytes)
    }

    fn content(&self, node: Node, entry: &Entry, max: u64) -> Result<Vec<u8>> {
        if !matches!(entry.kind, EntryKind::File | EntryKind::Symlink) {
            return Err(Error::new(Kind::NotFound, "no file"));
        }
        if entry.size() == 0 {
            return Ok(Vec::new());
        }
        if entry.size() > max {
            return Err(Error::new(Kind::LimitExceeded, "the package database is too long"));
        }
        let content = self.volumes.filesystem(node)?.open(entry, &StreamName::Data)?;
        read_vec(content.as_ref(), 0, usize::try_from(content.size().min(max)).unwrap_or(usize::MAX))
    }

    /// Names in the directory at an absolute path, sorted; none when nothing is there.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub(super) fn names(&self, directory: &[u8]) -> Result<Vec<Name>> {
        let Some(directory) = self.resolve(directory)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        let listed = self.volumes.list(directory, &mut |name, node| {
            names.push((name, node));
            if names.len() < NAMES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if names.is_empty() {
            listed?;
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Links that give the files of a directory further names: `/bin/` for `/usr/bin/` on systems with a merged
    /// `/usr`, `/usr/sbin/` for `/usr/bin/` where that is merged as well.
    pub(super) fn aliases(&self) -> Vec<Alias> {
        let mut aliases: Vec<Alias> = ALIASED.iter().flat_map(|directory| self.links(directory)).collect();
        // A layer of a container has files in `/usr/bin` that are recorded in `/bin`, and the link is in the
        // layer below.
        let names = self.names(b"/").unwrap_or_default();
        let is_there = |name: &[u8]| names.iter().any(|(other, _)| other == name);
        for name in MERGED.iter().filter(|name| is_there(b"usr") && !is_there(name)) {
            aliases.push(([b"/", *name, b"/"].concat(), [b"/usr/", *name, b"/"].concat()));
        }
        aliases
    }

    /// The links in a directory that lead to directories, with where they lead.
    fn links(&self, directory: &[u8]) -> Vec<Alias> {
        let names = self.names(directory).unwrap_or_default().into_iter();
        let links = names.filter(|(_, node)| {
            self.volumes.entry(*node).is_ok_and(|entry| entry.kind == EntryKind::Symlink)
        });
        let alias = |(name, _): Name| {
            let link = [directory, &name, b"/"].concat();
            let trail = self.trail(&link).ok()??;
            let target = trail.iter().fold(b"/".to_vec(), |mut path, (name, _)| {
                path.extend_from_slice(name);
                path.push(b'/');
                path
            });
            (!trail.is_empty() && target != link).then_some((link, target))
        };
        links.take(ALIASES_MAX).filter_map(alias).collect()
    }
}

/// Pushes the components of a path so that the first one is popped first.
fn push(todo: &mut Vec<Vec<u8>>, path: &[u8]) {
    let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    todo.extend(parts.rev().map(<[u8]>::to_vec));
}
