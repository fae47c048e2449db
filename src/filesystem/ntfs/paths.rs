//! Names of entries: full paths through parent references, listings through the index, look-ups by path.

use super::assemble::Assembled;
use super::name::{FileName, Space};
use super::record::Reference;
use super::{Ntfs, ROOT};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{EntryId, EntryKind, EntryState, Paths};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

/// Directories of one path; Windows' longest path has fewer.
const DEPTH_MAX: usize = 1024;
/// Names of directories that are kept.
const KEPT_MAX: usize = 1 << 16;
/// Where entries are shown whose directory is gone.
const ORPHANS: &[u8] = b"/$OrphanFiles";

/// Names of directories by record, as far as they have been needed.
#[derive(Debug, Default)]
pub(super) struct Directories(Mutex<HashMap<u64, Arc<Directory>>>);

/// A directory on the way to the root.
#[derive(Debug)]
struct Directory {
    sequence: u16,
    in_use: bool,
    /// Its first long name; `None` where it is no directory or has none.
    name: Option<FileName>,
}

/// A name in a directory.
#[derive(Debug)]
pub(super) struct Listed {
    /// WTF-8.
    pub(super) name: Vec<u8>,
    /// Whether it is the 8.3 name beside a long one.
    pub(super) short: bool,
}

impl Ntfs {
    /// Whether `reference` means a directory that is in use.
    pub(super) fn is_live_directory(&self, reference: Reference) -> bool {
        let known = self.index().record(reference.number);
        known.is_some_and(|known| known.in_use && known.directory && reference.means(known.sequence, true))
    }

    /// All full names of an entry.
    pub(super) fn paths_of(&self, id: EntryId) -> Result<Paths> {
        if id.0 == ROOT {
            return Ok(Paths { all: vec![b"/".to_vec()] });
        }
        let assembled = self.assembled(id.0)?;
        let in_use = assembled.entry.state != EntryState::Deleted;
        let mut all = Vec::new();
        for name in long_names(&assembled.names) {
            let mut path = self.directory_path(name.parent, in_use).unwrap_or_else(|| ORPHANS.to_vec());
            path.push(b'/');
            path.extend_from_slice(&name.name);
            all.push(path);
        }
        all.sort();
        all.dedup();
        Ok(Paths { all })
    }

    /// The path of a directory, empty for the root; `None` where the way to the root is broken. A deleted
    /// entry's way may lead through directories that were deleted with it.
    fn directory_path(&self, reference: Reference, in_use: bool) -> Option<Vec<u8>> {
        let mut names: Vec<Arc<Directory>> = Vec::new();
        let mut seen = HashSet::new();
        let (mut at, mut in_use) = (reference, in_use);
        while at.number != ROOT {
            if names.len() >= DEPTH_MAX || !seen.insert(at.number) {
                return None;
            }
            let means = |directory: &Arc<Directory>| {
                at.means(directory.sequence, directory.in_use) && (directory.in_use || !in_use)
            };
            // The log may remember a directory whose record is another's by now.
            let gone = || self.former_directory(at).filter(|_| !in_use);
            let directory = self.directory(at.number).filter(means).or_else(gone)?;
            (at, in_use) = (directory.name.as_ref()?.parent, directory.in_use);
            names.push(directory);
        }
        let mut path = Vec::new();
        for name in names.iter().rev().filter_map(|directory| directory.name.as_ref()) {
            path.push(b'/');
            path.extend_from_slice(&name.name);
        }
        Some(path)
    }

    /// A directory that is gone, as far as the log remembers it.
    fn former_directory(&self, reference: Reference) -> Option<Arc<Directory>> {
        let name = self.history().directory(self, reference)?;
        Some(Arc::new(Directory { sequence: reference.sequence, in_use: false, name: Some(name) }))
    }

    /// A directory's own name, kept for the next time.
    fn directory(&self, number: u64) -> Option<Arc<Directory>> {
        let kept = |lock: &Mutex<HashMap<u64, Arc<Directory>>>| {
            lock.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
        };
        if let Some(directory) = kept(&self.directories.0) {
            return Some(directory);
        }
        let known = self.index().record(number)?;
        let name = if known.directory {
            let assembled = self.assembled(number).ok()?;
            long_names(&assembled.names).next().cloned()
        } else {
            None
        };
        let directory = Arc::new(Directory { sequence: known.sequence, in_use: known.in_use, name });
        let mut all = self.directories.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT_MAX {
            all.clear();
        }
        all.insert(number, Arc::clone(&directory));
        Some(directory)
    }

    /// Visits all names in a directory, 8.3 names included: of entries in use, or of deleted ones where the
    /// directory itself is deleted.
    pub(super) fn list_names(
        &self,
        directory: EntryId,
        visit: &mut dyn FnMut(Listed, EntryId, EntryKind) -> ControlFlow<()>,
    ) -> Result<()> {
        let index = self.index();
        let known = index.record(directory.0).filter(|known| known.directory).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("record {} is not a directory", directory.0))
        })?;
        let mut outcome = Ok(());
        for child in index.children(directory.0, known) {
            if index.record(child).is_none_or(|child| child.in_use != known.in_use) || child == directory.0 {
                continue;
            }
            let assembled = match self.assembled(child) {
                Ok(assembled) => assembled,
                Err(error) => {
                    outcome = Err(error);
                    continue;
                }
            };
            for (name, short) in with_shortness(&assembled) {
                let here =
                    name.parent.number == directory.0 && name.parent.means(known.sequence, known.in_use);
                let listed = Listed { name: name.name.clone(), short };
                if here && visit(listed, EntryId(child), assembled.entry.kind).is_break() {
                    return Ok(());
                }
            }
        }
        outcome
    }

    /// The entry at `path`. The exact name is preferred, then one that differs in case, then an 8.3 name.
    pub(super) fn find_path(&self, path: &[u8]) -> Result<EntryId> {
        let mut at = EntryId(ROOT);
        for wanted in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            let folded = self.upcase().fold(wanted);
            let mut best: Option<(u8, EntryId)> = None;
            let listed = self.list_names(at, &mut |name, id, _| {
                let rank = match (name.short, name.name == wanted) {
                    (false, true) => 0,
                    (short, exact) if exact || self.upcase().fold(&name.name) == folded => {
                        1 + u8::from(short)
                    }
                    _ => return ControlFlow::Continue(()),
                };
                if best.is_none_or(|(before, _)| rank < before) {
                    best = Some((rank, id));
                }
                if rank == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            at = match (best, listed) {
                (Some((_, id)), _) => id,
                (None, Err(error)) => return Err(error),
                (None, Ok(())) => {
                    let shown = crate::location::escape(path);
                    return Err(Error::new(Kind::NotFound, format!("no such path: {shown}")));
                }
            };
        }
        Ok(at)
    }
}

/// The names to show: all long ones, and a short one only where no long one is beside it. The root's own
/// name, a dot, is no name.
pub(super) fn long_names(names: &[FileName]) -> impl Iterator<Item = &FileName> {
    names.iter().filter(move |name| {
        let beside = || names.iter().any(|other| other.space == Space::Long && other.parent == name.parent);
        is_name(&name.name) && (name.space == Space::Long || !beside())
    })
}

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"." | b"..")
}

/// All names with whether each is the 8.3 one beside a long one.
fn with_shortness(assembled: &Assembled) -> impl Iterator<Item = (&FileName, bool)> {
    let names = &assembled.names;
    names.iter().filter(|name| is_name(&name.name)).map(move |name| {
        let beside = names.iter().any(|other| other.space == Space::Long && other.parent == name.parent);
        (name, name.space == Space::Dos && beside)
    })
}
