//! Names of inodes: which directories name an inode, and where on the volume each name stands.
//!
//! The index holds numbers only, 16 bytes a name; the names themselves are read again when a path is asked
//! for.

use super::Ext4;
use super::directory::{self, Format, HEADER, Record};
use super::former::{Former, OldCopy};
use super::inode::{Inode, flags};
use super::listing;
use super::map::{BlockMap, Budget};
use super::scan::{self, Scanned};
use crate::error::{Error, Result};
use crate::filesystem::{EntryId, EntryKind};
use crate::io::Fields;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{ControlFlow, Range};

/// Directories above each other that a path is followed through.
const DEPTH_MAX: usize = 4096;

/// Names of one inode that are looked at; ext allows 65,000 hard links.
const NAMES_MAX: usize = 65_536;

/// Longest name in bytes.
const NAME_MAX: usize = 255;

/// Marks the place of a name that has been removed, or that stands in a deleted directory.
const REMOVED: u64 = 1 << 63;

/// A name: who is named, by whom, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    child: u32,
    parent: u32,
    /// Home volume offset of the directory record, with [`REMOVED`].
    place: u64,
}

/// A name that an old copy of a directory's block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FormerLink {
    /// Id of the directory, which may itself be a former one.
    parent: u64,
    /// Volume offset of the directory record.
    place: u64,
}

/// All names of the file system, sorted by the inode that they name.
#[derive(Debug, Default)]
pub(super) struct Names {
    links: Vec<Link>,
    /// By the id of the entry that has no name any more.
    former: BTreeMap<u64, Vec<FormerLink>>,
}

impl Names {
    /// Reads all directories. What cannot be read has no names; the walk reports it.
    pub(super) fn build(fs: &Ext4) -> Self {
        let mut budget = Budget::new(&fs.blocks, 4);
        let mut builder = Builder::new(fs);
        let _ = scan::tables(fs, &mut |scanned| {
            let Scanned::Inode(inode, allocated) = scanned else { return ControlFlow::Continue(()) };
            builder.inode(fs, (&inode, allocated), &mut budget);
            if inode.kind() == EntryKind::Directory && fs.in_use(&inode, allocated) {
                let map = fs.map(&inode, &mut budget);
                builder.directory(fs, inode.number, &map);
                let encrypted = inode.has(flags::ENCRYPT);
                listing::visit(fs, &inode, &map, &mut budget, &mut |record, place| {
                    builder.record((inode.number, encrypted), &record, place);
                    ControlFlow::Continue(())
                });
            }
            ControlFlow::Continue(())
        });
        builder.finish(fs)
    }

    fn of(&self, child: u32) -> &[Link] {
        let first = self.links.partition_point(|link| link.child < child);
        let rest = self.links.get(first..).unwrap_or_default();
        let count = rest.partition_point(|link| link.child == child).min(NAMES_MAX);
        rest.get(..count).unwrap_or_default()
    }

    /// Names that directories hold for an inode, or those that were removed and still say that they belong to
    /// it.
    fn stored(&self, child: u32, removed: bool) -> impl Iterator<Item = FormerLink> + '_ {
        let links = self.of(child).iter().filter(move |link| (link.place & REMOVED != 0) == removed);
        links.map(|link| FormerLink { parent: link.parent.into(), place: link.place & !REMOVED })
    }

    /// Absolute paths of an inode that is in use, sorted.
    ///
    /// # Errors
    /// Where a name cannot be read again.
    pub(super) fn paths(&self, fs: &Ext4, number: u32) -> Result<Vec<Vec<u8>>> {
        self.full(fs, number, self.stored(number, false), EntryKind::Unknown)
    }

    /// Absolute paths under which an entry of type `kind` that is gone was known, sorted: those of its own time
    /// that the journal remembers; without any, those that the space behind other names still holds, which
    /// do not say of when they are.
    ///
    /// # Errors
    /// Where a name cannot be read again.
    pub(super) fn former_paths(&self, fs: &Ext4, id: EntryId, kind: EntryKind) -> Result<Vec<Vec<u8>>> {
        let number = Former::number(id);
        let remembered = self.former.get(&id.0).map(Vec::as_slice).unwrap_or_default();
        let all = self.full(fs, number, remembered.iter().copied(), kind)?;
        if !all.is_empty() {
            return Ok(all);
        }
        self.full(fs, number, self.stored(number, true), kind)
    }

    fn full(
        &self,
        fs: &Ext4,
        number: u32,
        links: impl Iterator<Item = FormerLink>,
        kind: EntryKind,
    ) -> Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        for link in links {
            let (name, named_kind) = name_at(fs, number, link)?;
            let agree = kind == named_kind || kind == EntryKind::Unknown || named_kind == EntryKind::Unknown;
            if agree {
                let mut path = self.prefix(fs, link.parent)?;
                path.push(b'/');
                path.extend(name);
                all.push(path);
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// The link that a path follows upwards from a directory: that of its own time for a former one.
    fn upwards(&self, id: u64) -> Option<FormerLink> {
        let number = Former::number(EntryId(id));
        let live = || self.stored(number, false).next().filter(|_| id == u64::from(number));
        let remembered = || self.former.get(&id).and_then(|links| links.first().copied());
        live().or_else(remembered).or_else(|| self.stored(number, true).next())
    }

    /// The path of a directory, empty for the root. A directory without a name, or one that is its own
    /// ancestor, appears as `#` and its number, the name that `e2fsck` gives in such cases.
    fn prefix(&self, fs: &Ext4, directory: u64) -> Result<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut seen = HashSet::new();
        let mut at = directory;
        while at != u64::from(Ext4::ROOT) {
            let number = Former::number(EntryId(at));
            match self.upwards(at) {
                Some(link) if seen.insert(at) && names.len() < DEPTH_MAX => {
                    names.push(name_at(fs, number, link)?.0);
                    at = link.parent;
                }
                _ => {
                    names.push(format!("#{number}").into_bytes());
                    break;
                }
            }
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend(name);
        }
        Ok(path)
    }
}

/// Collects names while the inode tables are gone through: of each inode first [`inode`](Self::inode), then,
/// if it is a directory in use, [`directory`](Self::directory) and its records.
#[derive(Debug)]
pub(super) struct Builder {
    links: Vec<Link>,
    old: OldBlocks,
    /// Highest inode number.
    inodes: u32,
}

impl Builder {
    /// Starts with what the journal remembers.
    pub(super) fn new(fs: &Ext4) -> Self {
        let mut old = OldBlocks::default();
        old.note_former(fs.former());
        Self { links: Vec::new(), old, inodes: fs.superblock.inodes }
    }

    /// Takes in an inode, and the names in it if it is a deleted directory that is still whole.
    pub(super) fn inode(
        &mut self,
        fs: &Ext4,
        (inode, allocated): (&Inode<'_>, Option<bool>),
        budget: &mut Budget,
    ) {
        let id = u64::from(inode.number);
        let in_use = fs.in_use(inode, allocated);
        if (inode.links() == 0 || !in_use) && fs.former().get(EntryId(id)).is_none() {
            self.old.want(id, u32::MAX);
        }
        if in_use || inode.kind() != EntryKind::Directory {
            return;
        }
        let map = fs.map(inode, budget);
        if is_intact(fs, inode, &map) {
            let from = self.links.len();
            let encrypted = inode.has(flags::ENCRYPT);
            listing::visit(fs, inode, &map, budget, &mut |record, place| {
                self.record((inode.number, encrypted), &record, place);
                ControlFlow::Continue(())
            });
            self.links.iter_mut().skip(from).for_each(|link| link.place |= REMOVED);
        }
    }

    /// Takes in where a directory in use lies.
    pub(super) fn directory(&mut self, fs: &Ext4, number: u32, map: &BlockMap) {
        self.old.note(number, map, fs.former());
    }

    /// Takes in a record of the directory `parent`, which stands at home volume offset `place`.
    pub(super) fn record(&mut self, (parent, encrypted): (u32, bool), record: &Record<'_>, place: u64) {
        if is_name(record, encrypted) && (1..=self.inodes).contains(&record.inode) {
            let mark = if record.removed { REMOVED } else { 0 };
            self.links.push(Link { child: record.inode, parent, place: place | mark });
        }
    }

    /// Puts the names in order.
    pub(super) fn finish(mut self, fs: &Ext4) -> Names {
        self.links.sort_unstable();
        self.links.dedup();
        self.links.shrink_to_fit();
        Names { links: self.links, former: self.old.read(fs) }
    }
}

/// Old copies of directory blocks in the journal: the kernel wipes a name when it removes it, so that these
/// copies are often the last place where it stands.
#[derive(Debug, Default)]
struct OldBlocks {
    /// By inode number, those that need a former name: their id, and the age up to which copies may speak of
    /// them.
    nameless: HashMap<u32, Vec<(u64, u32)>>,
    /// Copies with the id of the directory that their block belonged to.
    copies: Vec<(OldCopy, u64)>,
    /// What directories that are gone kept in their inodes.
    inline: Vec<Inline>,
}

/// Names that an old copy of an inode holds.
#[derive(Debug)]
struct Inline {
    age: u32,
    directory: u64,
    bytes: Vec<u8>,
    place: u64,
}

impl OldBlocks {
    /// Notes that an entry needs a name, of `limit` or before.
    fn want(&mut self, id: u64, limit: u32) {
        /// Former states of one inode that get names; those of ever new generations are a hostile journal's.
        const STATES_MAX: usize = 64;
        let states = self.nameless.entry(Former::number(EntryId(id))).or_default();
        if states.len() < STATES_MAX {
            states.push((id, limit));
        }
    }

    /// Notes the copies of a directory's blocks.
    fn note(&mut self, directory: u32, map: &BlockMap, former: &Former) {
        for run in &map.runs {
            let home = run.physical..run.physical.saturating_add(run.count);
            self.take(home, (directory.into(), u32::MAX), former);
        }
    }

    /// Takes the copies of blocks of a directory, of `limit` or before. In a sound file system a copy belongs to
    /// one directory and a few of its former states; in a hostile one, any number can claim all of them.
    fn take(&mut self, home: Range<u64>, (directory, limit): (u64, u32), former: &Former) {
        const SHARED: usize = 8;
        let most = former.copies(0..u64::MAX).len().saturating_mul(SHARED);
        let copies = former.copies(home).iter().filter(|copy| copy.age <= limit);
        let room = most.saturating_sub(self.copies.len());
        self.copies.extend(copies.take(room).map(|copy| (*copy, directory)));
    }

    /// Notes what the journal remembers, and the copies of former directories' blocks.
    fn note_former(&mut self, former: &Former) {
        for found in former.all().filter(|found| !found.is_live) {
            let id = found.entry.id.0;
            self.want(id, found.age);
            let pieces = found.inline.iter().cloned();
            self.inline.extend(pieces.map(|(bytes, place)| Inline {
                age: found.age,
                directory: id,
                bytes,
                place,
            }));
            let is_directory = found.entry.kind == EntryKind::Directory;
            for home in found.home.iter().filter(|_| is_directory) {
                // Later copies are those of whoever had the block then.
                self.take(home.clone(), (id, found.age), former);
            }
        }
    }

    /// For each entry that needs a name, those of the latest copy that names it.
    fn read(mut self, fs: &Ext4) -> BTreeMap<u64, Vec<FormerLink>> {
        let format = Format::new(&fs.superblock, false);
        self.copies.sort_unstable_by_key(|(copy, parent)| (copy.age, copy.block, *parent));
        self.inline.sort_by_key(|inline| inline.age);
        let (mut latest, mut removed) = (Latest::default(), Latest::default());
        let mut add = |age: u32, parent: u64, block: &Fields<'_>| {
            // What follows a damaged record of an old copy is lost with it.
            let _rest = directory::records(block, format, &mut |record| {
                // A name in the space behind others was removed before this copy was made: the second best.
                let known = if record.removed { &mut removed } else { &mut latest };
                let wanted = self.nameless.get(&record.inode).map(Vec::as_slice).unwrap_or_default();
                let is_name = is_name(&record, false);
                for (id, _) in wanted.iter().filter(|(_, limit)| is_name && age <= *limit) {
                    let link = FormerLink { parent, place: block.offset(record.at) };
                    known.add(*id, age, link);
                }
                ControlFlow::Continue(())
            });
        };
        let mut inline = self.inline.iter().peekable();
        for (copy, parent) in &self.copies {
            // Ages have to come in ascending order.
            while let Some(next) = inline.next_if(|next| next.age <= copy.age) {
                add(next.age, next.directory, &Fields::new("inline directory", &next.bytes, next.place));
            }
            let Ok(bytes) = fs.blocks.read(copy.block) else { continue };
            add(copy.age, *parent, &Fields::new("directory block", &bytes, fs.blocks.to_bytes(copy.block)));
        }
        for next in inline {
            add(next.age, next.directory, &Fields::new("inline directory", &next.bytes, next.place));
        }
        removed.0.extend(latest.0);
        removed.0.into_iter().map(|(id, (_, links))| (id, links)).collect()
    }
}

/// By the id of an entry, the names of the latest age that has any.
#[derive(Default)]
struct Latest(BTreeMap<u64, (u32, Vec<FormerLink>)>);

impl Latest {
    /// Adds a name; ages come in ascending order.
    fn add(&mut self, id: u64, age: u32, link: FormerLink) {
        let known = self.0.entry(id).or_default();
        if known.0 != age {
            *known = (age, Vec::new());
        }
        if known.1.len() < NAMES_MAX {
            known.1.push(link);
        }
    }
}

/// Whether a record holds a name that can be part of a path.
pub(super) fn is_name(record: &Record<'_>, encrypted: bool) -> bool {
    let fits = (1..=NAME_MAX).contains(&record.name.len()) && !matches!(record.name, b"." | b"..");
    fits && (encrypted || !record.name.iter().any(|byte| matches!(byte, 0 | b'/')))
}

/// Whether a deleted directory's first block still is that of this directory: its `.` names it.
fn is_intact(fs: &Ext4, inode: &Inode<'_>, map: &BlockMap) -> bool {
    let Some(Ok(block)) = map.physical(0).map(|block| fs.blocks.read(block)) else { return false };
    let fields = Fields::new("directory block", &block, 0);
    let format = Format::new(&fs.superblock, false);
    format.record(&fields, 0).is_ok_and(|(record, _)| record.inode == inode.number && record.name == b".")
}

/// Reads a name of inode `number` again, with the type that stands beside it.
fn name_at(fs: &Ext4, number: u32, link: FormerLink) -> Result<(Vec<u8>, EntryKind)> {
    let place = link.place;
    let header = fs.blocks.look_up_bytes(place, HEADER)?;
    let format = Format::new(&fs.superblock, false);
    let length = format.name_length(&Fields::new("directory record", &header, place))?;
    let bytes = fs.blocks.look_up_bytes(place, HEADER.saturating_add(length.min(NAME_MAX)))?;
    let (record, _) = format.record(&Fields::new("directory record", &bytes, place), 0)?;
    if record.inode != number {
        return Err(Error::corrupt(place, "inode of a directory record", number, record.inode));
    }
    let encrypted = fs.is_encrypted(Former::number(EntryId(link.parent)));
    Ok((directory::shown(record.name, encrypted), record.kind))
}
