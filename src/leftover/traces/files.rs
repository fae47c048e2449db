//! Small files of a system by their seen paths.

use super::Origin;
use crate::filesystem::{Entry, EntryKind};
use crate::leftover::survey::Site;
use crate::leftover::tree::{Spot, join};

/// Bytes of one file that are read.
pub(super) const FILE_MAX: u64 = 4 << 20;
/// Bytes of all files of one site that are read.
const BYTES_MAX: u64 = 1 << 30;
/// Names of all directories of one site that are looked at; a directory counts as one itself.
const NAMES_SUM_MAX: usize = 5_000_000;
/// Names of one directory that are looked at.
const NAMES_MAX: usize = 10_000;

/// Reads files of a site, as long as the budget lasts.
pub(super) struct Files<'s, 'a> {
    site: &'s Site<'a>,
    bytes_left: u64,
    names_left: usize,
    is_spent: bool,
    /// What could not be read.
    pub(super) problems: Vec<(usize, Vec<u8>, String)>,
}

/// A file that was read.
pub(super) struct Text {
    /// Where it is.
    pub(super) origin: Origin,
    /// Its first bytes.
    pub(super) bytes: Vec<u8>,
}

impl<'s, 'a> Files<'s, 'a> {
    pub(super) fn new(site: &'s Site<'a>) -> Self {
        Self { site, bytes_left: BYTES_MAX, names_left: NAMES_SUM_MAX, is_spent: false, problems: Vec::new() }
    }

    /// The file at a seen path, links followed; `None` where there is none.
    pub(super) fn read(&mut self, path: &[u8]) -> Option<Text> {
        let (spot, entry) = self.entry(path)?;
        if entry.kind != EntryKind::File || entry.size() == 0 {
            return None;
        }
        match self.bytes_left.checked_sub(entry.size().min(FILE_MAX)) {
            Some(left) => self.bytes_left = left,
            None => return self.spent(&spot),
        }
        match self.site.tree.head(spot.node, &entry, FILE_MAX) {
            Ok(bytes) => {
                if entry.size() > FILE_MAX {
                    self.problem(&spot, "only the first 4 MiB were looked at");
                }
                let origin =
                    Origin { source: spot.node.source, entry: spot.node.id, path: spot.path, line: None };
                Some(Text { origin, bytes })
            }
            Err(error) => {
                self.problem(&spot, &error.to_string());
                None
            }
        }
    }

    fn entry(&mut self, path: &[u8]) -> Option<(Spot, Entry)> {
        // Damage on the way to a place is reported by the checks that look there.
        let spot = self.site.tree.resolve(path).ok()??;
        let entry = self.site.tree.entry(spot.node).ok()?;
        Some((spot, entry))
    }

    /// Says once that the budget is spent.
    fn spent<T>(&mut self, spot: &Spot) -> Option<T> {
        if !std::mem::replace(&mut self.is_spent, true) {
            self.problem(spot, "too much to look for keys and histories in; the rest was left out");
        }
        None
    }

    fn problem(&mut self, spot: &Spot, what: &str) {
        self.problems.push((spot.node.source, spot.path.clone(), what.to_owned()));
    }

    /// Names in a seen directory, sorted; whether each may be a directory. None where it does not exist.
    pub(super) fn names(&mut self, directory: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let Some((spot, entry)) = self.entry(directory) else { return Vec::new() };
        if entry.kind != EntryKind::Directory {
            return Vec::new();
        }
        let tree = &self.site.tree;
        let mut names = Vec::new();
        let places = std::iter::once(spot.node).chain(tree.mounted(spot.node).map(|spot| spot.node));
        for place in places {
            let listed = tree.list(place, &mut |child| {
                let may_be_directory = matches!(child.kind, EntryKind::Directory | EntryKind::Unknown);
                if names.len() < NAMES_MAX && child.kind != EntryKind::Symlink {
                    names.push((child.name, may_be_directory));
                }
            });
            if listed.is_err() {
                break;
            }
        }
        match self.names_left.checked_sub(names.len().saturating_add(1)) {
            Some(left) => self.names_left = left,
            None => return self.spent(&spot).unwrap_or_default(),
        }
        names.sort();
        names.dedup();
        names
    }

    /// The files of a seen directory whose names fit.
    pub(super) fn within(&mut self, directory: &[u8], fits: impl Fn(&[u8]) -> bool) -> Vec<Text> {
        let names = self.names(directory);
        let fitting = names.into_iter().filter(|(name, _)| fits(name));
        fitting.filter_map(|(name, _)| self.read(&join(directory, &name))).collect()
    }
}
