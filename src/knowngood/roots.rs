//! Systems in systems: the directories that have package databases of their own. Layers of containers, chroots,
//! images that were unpacked.

use super::image::Image;
use super::volumes::{Node, Volumes};
use super::{DATABASES, subject};
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Directories that are looked at.
const DIRECTORIES_MAX: usize = 200_000;
/// Names of one directory that are looked at.
const NAMES_MAX: usize = 100_000;

/// A path's systems: length of the root's path, and the root directory; the innermost first.
pub(super) type Above = Vec<(usize, Node)>;

/// A file system, and a path seen from there.
type Seen = (usize, Vec<u8>);
/// A directory, and whether it has a database.
type Directory = (Node, bool);

/// What is known of the directories above the files.
#[derive(Debug)]
pub(super) struct Roots<'v> {
    volumes: &'v Volumes<'v>,
    left: &'v Cell<u64>,
    directories: HashMap<Seen, Option<Directory>>,
}

impl<'v> Roots<'v> {
    pub(super) fn new(volumes: &'v Volumes<'v>, left: &'v Cell<u64>) -> Self {
        Self { volumes, left, directories: HashMap::new() }
    }

    /// The systems that a path belongs to, as the system with the root file system `top` sees it. The last one is
    /// that system itself.
    pub(super) fn above(&mut self, top: usize, path: &[u8]) -> Above {
        let Some(root) = self.volumes.root(top) else { return Above::new() };
        let mut above = vec![(0, root)];
        let mut at = root;
        let ends = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        for end in ends {
            let prefix = path.get(..end).unwrap_or_default();
            let Some((node, has_database)) = self.directory(top, prefix, at) else { break };
            at = node;
            let outer = above.last().and_then(|(outer, _)| prefix.get(*outer..)).unwrap_or_default();
            // A home may hold anything, and is no system.
            if has_database && !subject::is_home(outer) {
                above.push((end, node));
            }
        }
        above.reverse();
        above
    }

    /// The directory at a path whose last name stands in `parent`.
    fn directory(&mut self, top: usize, path: &[u8], parent: Node) -> Option<(Node, bool)> {
        let key = (top, path.to_vec());
        if let Some(known) = self.directories.get(&key) {
            return *known;
        }
        if self.directories.len() >= DIRECTORIES_MAX {
            return None;
        }
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let node = self.volumes.child(parent, name).ok().flatten();
        let found = node.map(|node| (node, self.has_database(node)));
        self.directories.insert(key, found);
        found
    }

    fn has_database(&self, directory: Node) -> bool {
        let first = |mark: &'static [u8]| mark.split(|&byte| byte == b'/').nth(1).unwrap_or_default();
        let marks = || DATABASES.iter().flat_map(|database| database.marks).copied();
        let (mut may_have, mut count) = (false, 0_usize);
        let _ = self.volumes.list(directory, &mut |name, _| {
            may_have |= marks().any(|mark| first(mark) == name);
            count = count.saturating_add(1);
            if may_have || count > NAMES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let image = Image::new(self.volumes, directory, self.left);
        may_have && marks().any(|mark| matches!(image.resolve(mark), Ok(Some(_))))
    }
}
