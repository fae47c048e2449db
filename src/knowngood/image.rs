//! A file system as package databases see it: paths with symbolic links, files of bounded length.

use super::wanted::Alias;
use crate::error::{Error, Kind, Result};
use crate::filesystem::{EntryId, EntryKind, FileSystem, StreamName};
use crate::io::read_vec;
use std::cell::Cell;
use std::ops::ControlFlow;

/// Symbolic links followed on the way to one path.
const LINKS_MAX: usize = 40;
/// Names on the way to one path, links included.
const STEPS_MAX: usize = 1024;
/// Longest link target that is read.
const TARGET_MAX: u64 = 4096;
/// Longest file of a database that is read.
const FILE_MAX: u64 = 64 << 20;
/// Bytes of all files of all databases that are read.
const TOTAL_MAX: u64 = 100 << 20;
/// Names of one directory that are looked at.
const NAMES_MAX: usize = 200_000;
/// Links in the root directory that are followed.
const ALIASES_MAX: usize = 64;

/// A name with the entry that it names.
pub(super) type Name = (Vec<u8>, EntryId);

/// A file system and how much of its databases may still be read.
#[derive(Debug)]
pub(super) struct Image<'f> {
    filesystem: &'f dyn FileSystem,
    left: Cell<u64>,
}

impl<'f> Image<'f> {
    pub(super) fn new(filesystem: &'f dyn FileSystem) -> Self {
        Self { filesystem, left: Cell::new(TOTAL_MAX) }
    }

    pub(super) fn filesystem(&self) -> &'f dyn FileSystem {
        self.filesystem
    }

    /// The entry at an absolute path with all links followed inside of the file system; `None` when nothing
    /// is there.
    ///
    /// # Errors
    /// Links without an end, and what cannot be read on the way.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Option<EntryId>> {
        Ok(self.trail(path)?.map(|trail| trail.last().map_or(self.filesystem.root(), |(_, id)| *id)))
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
            let at = trail.last().map_or(self.filesystem.root(), |(_, id)| *id);
            let Some(id) = self.child(at, &name)? else { return Ok(None) };
            let entry = self.filesystem.entry(id)?;
            if entry.kind != EntryKind::Symlink {
                trail.push((name, id));
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                break;
            }
            let target = self.content(id, TARGET_MAX)?;
            if target.starts_with(b"/") {
                trail.clear();
            }
            push(&mut todo, &target);
        }
        Err(Error::new(Kind::LimitExceeded, "symbolic links without an end"))
    }

    fn child(&self, directory: EntryId, name: &[u8]) -> Result<Option<EntryId>> {
        let mut found = None;
        let listed = self.filesystem.list(directory, &mut |entry| {
            if self.filesystem.same_name(&entry.name, name) {
                found = Some(entry.id);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match listed {
            Err(error) if found.is_none() && error.kind() != Kind::NotFound => Err(error),
            _ => Ok(found),
        }
    }

    /// Content of the database file at an absolute path; `None` when nothing is there.
    ///
    /// # Errors
    /// As [`read_entry`](Self::read_entry).
    pub(super) fn read(&self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        self.resolve(path)?.map(|id| self.read_entry(id)).transpose()
    }

    /// Content of a database file.
    ///
    /// # Errors
    /// When it cannot be read, and when it or all of them together are too long.
    pub(super) fn read_entry(&self, id: EntryId) -> Result<Vec<u8>> {
        let max = FILE_MAX.min(self.left.get());
        let bytes = self.content(id, max)?;
        self.left.set(self.left.get().saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        Ok(bytes)
    }

    fn content(&self, id: EntryId, max: u64) -> Result<Vec<u8>> {
        let entry = self.filesystem.entry(id)?;
        if !matches!(entry.kind, EntryKind::File | EntryKind::Symlink) {
            return Err(Error::new(Kind::NotFound, "no file"));
        }
        if entry.size() == 0 {
            return Ok(Vec::new());
        }
        if entry.size() > max {
            return Err(Error::new(Kind::LimitExceeded, "the package database is too long"));
        }
        let content = self.filesystem.open(&entry, &StreamName::Data)?;
        read_vec(content.as_ref(), 0, usize::try_from(content.size().min(max)).unwrap_or(usize::MAX))
    }

    /// Names in the directory at an absolute path, sorted; none when nothing is there.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub(super) fn names(&self, directory: &[u8]) -> Result<Vec<Name>> {
        let Some(directory) = self.resolve(directory)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        let listed = self.filesystem.list(directory, &mut |entry| {
            names.push((entry.name, entry.id));
            if names.len() < NAMES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if names.is_empty() {
            listed?;
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Links in the root directory to directories: `/bin/` for `/usr/bin/` on systems with a merged `/usr`.
    pub(super) fn aliases(&self) -> Vec<Alias> {
        let names = self.names(b"/").unwrap_or_default().into_iter();
        let links = names
            .filter(|(_, id)| self.filesystem.entry(*id).is_ok_and(|entry| entry.kind == EntryKind::Symlink));
        let alias = |(name, _): Name| {
            let link = [b"/".as_slice(), &name, b"/"].concat();
            let trail = self.trail(&link).ok()??;
            let target = trail.iter().fold(b"/".to_vec(), |mut path, (name, _)| {
                path.extend_from_slice(name);
                path.push(b'/');
                path
            });
            (!trail.is_empty()).then_some((link, target))
        };
        links.take(ALIASES_MAX).filter_map(alias).collect()
    }
}

/// Pushes the components of a path so that the first one is popped first.
fn push(todo: &mut Vec<Vec<u8>>, path: &[u8]) {
    let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    todo.extend(parts.rev().map(<[u8]>::to_vec));
}
