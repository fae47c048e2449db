//! From an inode's record to an [`Entry`].

use super::Ext4;
use super::directory;
use super::inode::{BLOCK_AREA, BLOCK_AREA_AT, Inode, flags};
use super::listing;
use super::map::{BlockMap, Budget};
use super::names::{Builder, is_name};
use super::scan;
use super::xattr::{self, Attribute, Attributes, Value};
use crate::error::{Error, Result};
use crate::filesystem::{
    DataRun, Entry, EntryId, EntryKind, EntryState, Layout, Place, Role, Stream, StreamName,
};
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

/// An entry, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) entry: Entry,
    pub(super) errors: Vec<Error>,
    /// Byte ranges of the content whose place is not known.
    pub(super) missing: Vec<Range<u64>>,
}

/// How much of an entry is looked at.
#[derive(Debug)]
pub(super) enum Check<'a> {
    /// The entry.
    Entry,
    /// The entry, and the content of directories, whose names someone may want to have.
    Content(Option<&'a mut Builder>),
}

/// Describes an inode; `None` for a record that is not in use and does not look like an inode.
pub(super) fn describe(
    fs: &Ext4,
    inode: &Inode<'_>,
    allocated: Option<bool>,
    check: Check<'_>,
    budget: &mut Budget,
) -> Option<Described> {
    let state = state(fs, inode, allocated);
    let reserved = inode.number < fs.superblock.first_inode && inode.number != Ext4::ROOT;
    let kind = inode.kind();
    if kind == EntryKind::Unknown && (state == EntryState::Deleted || reserved && inode.is_blank()) {
        return None;
    }
    let mut times = inode.times();
    if state == EntryState::Deleted {
        times.deleted = inode.deletion_time();
    }
    let entry = Entry {
        id: EntryId(inode.number.into()),
        generation: inode.generation().into(),
        kind,
        state,
        role: role(fs, inode.number, reserved),
        links: inode.links().into(),
        times,
        owner: inode.owner(),
        streams: Vec::new(),
        notes: notes(fs, inode),
    };
    let mut described = Described { entry, errors: Vec::new(), missing: Vec::new() };
    if kind == EntryKind::Unknown && !reserved {
        let error =
            Error::corrupt(inode.place, "inode mode", "a file type", format_args!("{:#o}", inode.mode()));
        described.errors.push(error);
    }
    let attributes = xattr::read(fs, inode);
    let mut map = if has_map(fs, inode) { fs.map(inode, budget) } else { BlockMap::default() };
    let wrong_checksums = map.wrong_checksums();
    if state == EntryState::Deleted && !map.runs.is_empty() {
        remains(fs, inode.number, &mut map, &mut described);
    }
    content(fs, inode, &map, &attributes, &mut described);
    if let Check::Content(names) = check
        && kind == EntryKind::Directory
        && state != EntryState::Deleted
    {
        names_inside(fs, (inode, &map), budget, names, &mut described);
    }
    note_checksums(&mut described.entry, wrong_checksums, "extent tree nodes");
    note_checksums(&mut described.entry, attributes.wrong_checksum.into(), "attribute blocks");
    for damage in map.damage {
        let bytes = fs.blocks.to_bytes(damage.blocks.start)..fs.blocks.to_bytes(damage.blocks.end);
        described.missing.push(bytes);
        described.errors.push(damage.error);
    }
    for attribute in attributes.all.into_iter().filter(|attribute| !attribute.is_inline_data()) {
        match attribute_stream(fs, attribute, budget) {
            Ok(stream) => described.entry.streams.push(stream),
            Err(error) => described.errors.push(error.context("extended attribute")),
        }
    }
    described.errors.extend(attributes.errors);
    if let Some(error) = described.errors.first() {
        described.entry.notes.push(format!("damaged: {error}"));
    }
    Some(described)
}

/// Leaves in the map of a deleted inode what nobody else has by now.
fn remains(fs: &Ext4, number: u32, map: &mut BlockMap, described: &mut Described) {
    map.runs.clear();
    let Some(remains) = fs.claims().of(number) else { return };
    map.runs.clone_from(&remains.runs);
    described.entry.notes.extend(remains.note());
    let missing = remains.missing.iter();
    described.missing.extend(missing.map(|r| fs.blocks.to_bytes(r.start)..fs.blocks.to_bytes(r.end)));
}

/// Reads a directory for damage, and for removed names whose inode is another file's by now: the only place
/// that still knows them.
fn names_inside(
    fs: &Ext4,
    (inode, map): (&Inode<'_>, &BlockMap),
    budget: &mut Budget,
    mut names: Option<&mut Builder>,
    into: &mut Described,
) {
    /// Names shown of one directory.
    const NAMES_MAX: usize = 1000;
    let encrypted = inode.has(flags::ENCRYPT);
    let mut gone = BTreeSet::new();
    if let Some(names) = names.as_deref_mut() {
        names.directory(fs, inode.number, map);
    }
    let listed = listing::visit(fs, inode, map, budget, &mut |record, place| {
        if let Some(names) = names.as_deref_mut() {
            names.record((inode.number, encrypted), &record, place);
        }
        if record.removed && is_name(&record, encrypted) && gone.len() < NAMES_MAX {
            gone.insert((record.inode, directory::shown(record.name, encrypted)));
        }
        ControlFlow::Continue(())
    });
    for (number, name) in gone {
        if number == 0 {
            let name = crate::location::escape(&name);
            into.entry.notes.push(format!("once held {name} (its inode has been wiped)"));
            continue;
        }
        // A look at an inode reads a block, too.
        let record = budget.spend(1).and_then(|()| scan::record(fs, number.into()));
        if record.is_ok_and(|record| fs.in_use(&record.inode(), record.allocated)) {
            let name = crate::location::escape(&name);
            into.entry.notes.push(format!("once held {name} (inode {number}, in use again)"));
        }
    }
    note_checksums(&mut into.entry, listed.wrong_checksums, "directory blocks");
    into.errors.extend(listed.errors);
}

fn note_checksums(entry: &mut Entry, count: u64, what: &str) {
    if count > 0 {
        entry.notes.push(format!("checksum mismatch: {count} {what}"));
    }
}

fn state(fs: &Ext4, inode: &Inode<'_>, allocated: Option<bool>) -> EntryState {
    if !fs.in_use(inode, allocated) {
        EntryState::Deleted
    } else if inode.links() == 0 && inode.number >= fs.superblock.first_inode {
        EntryState::Orphan
    } else {
        EntryState::Allocated
    }
}

fn role(fs: &Ext4, number: u32, reserved: bool) -> Role {
    if number == fs.superblock.journal_inode {
        Role::Journal
    } else if reserved || fs.superblock.own_inodes.contains(&number) {
        Role::Metadata
    } else {
        Role::Content
    }
}

fn notes(fs: &Ext4, inode: &Inode<'_>) -> Vec<String> {
    let directory = inode.kind() == EntryKind::Directory;
    let mut notes = Vec::new();
    let mut note = |when: bool, text: &str| {
        if when {
            notes.push(text.to_string());
        }
    };
    note(!inode.checksum_ok(&fs.superblock), "checksum mismatch: inode");
    let encrypted = inode.has(flags::ENCRYPT);
    note(encrypted && directory, "encrypted directory (fscrypt): its names are ciphertext");
    note(encrypted && !directory, "encrypted (fscrypt)");
    note(inode.has(flags::CASEFOLD) && directory, "casefold directory: its names are found in any case");
    note(inode.has(flags::VERITY), "fs-verity");
    note(inode.has(flags::EA_INODE), "holds the value of an extended attribute");
    let orphan = fs.orphans().contains(&inode.number);
    note(orphan && inode.links() == 0, "on the orphan list: removed while it was open");
    note(orphan && inode.links() > 0, "on the orphan list: its truncation was not finished");
    notes
}

/// Whether `i_block` is a block map: not for devices, inline content and links that are kept in it.
pub(super) fn has_map(fs: &Ext4, inode: &Inode<'_>) -> bool {
    match inode.kind() {
        EntryKind::Special => false,
        EntryKind::Symlink if is_fast_link(fs, inode) => false,
        _ => !inode.has(flags::INLINE_DATA),
    }
}

/// Whether a symbolic link's target is kept in `i_block`: it fits, and the inode has no blocks apart from
/// that of its attributes. `i_blocks` counts sectors of 512 bytes.
fn is_fast_link(fs: &Ext4, inode: &Inode<'_>) -> bool {
    let cluster = fs.superblock.block_size() << fs.superblock.cluster_bits;
    let attributes = if inode.attribute_block() == 0 { 0 } else { cluster / 512 };
    !inode.has(flags::EXTENTS)
        && inode.link_size() < u64::try_from(BLOCK_AREA).unwrap_or(0)
        && inode.blocks().saturating_sub(attributes) == 0
}

/// Adds the unnamed stream.
fn content(fs: &Ext4, inode: &Inode<'_>, map: &BlockMap, attributes: &Attributes, into: &mut Described) {
    let size = inode.size(&fs.superblock);
    let (kind, reserved) = (inode.kind(), into.entry.role == Role::Metadata);
    if kind == EntryKind::Special || (kind == EntryKind::Unknown && !reserved) {
        return;
    }
    let layout = if inode.has(flags::INLINE_DATA) {
        let (bytes, place) = inline(fs, inode, attributes, size);
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if found < size && bytes.iter().all(|byte| *byte == 0) {
            // mke2fs leaves a file that is nothing but a hole like this.
            let name = StreamName::Data;
            into.entry.streams.push(Stream {
                name,
                size,
                initialised: size,
                layout: Layout::Runs(Vec::new()),
            });
            return;
        }
        if found < size {
            into.errors.push(Error::corrupt(inode.place, "inline content", format!("{size} bytes"), found));
        }
        Layout::Resident { bytes, place }
    } else if !has_map(fs, inode) {
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes = inode.block_area().get(..length).unwrap_or_default().to_vec();
        Layout::Resident { bytes, place: Some(area_place(fs, inode)) }
    } else {
        let runs = data_runs(fs, map);
        let encrypted = inode.has(flags::ENCRYPT) && kind != EntryKind::Directory;
        if encrypted { Layout::Encrypted(runs) } else { Layout::Runs(runs) }
    };
    let size = match &layout {
        Layout::Resident { bytes, .. } => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        _ => size,
    };
    into.entry.streams.push(Stream { name: StreamName::Data, size, initialised: size, layout });
}

/// Volume offset of the current bytes of `i_block`.
fn area_place(fs: &Ext4, inode: &Inode<'_>) -> u64 {
    let at = inode.place.saturating_add(u64::try_from(BLOCK_AREA_AT).unwrap_or(0));
    fs.blocks.current_place(at)
}

/// Inline content: `i_block`, continued in the value of `system.data`.
pub(super) fn inline(
    fs: &Ext4,
    inode: &Inode<'_>,
    attributes: &Attributes,
    size: u64,
) -> (Vec<u8>, Option<u64>) {
    let mut bytes = inode.block_area().to_vec();
    let rest = attributes.all.iter().find(|attribute| attribute.is_inline_data());
    if let Some(Attribute { value: Value::Here { bytes: rest, .. }, .. }) = rest {
        bytes.extend(rest);
    }
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    bytes.truncate(length);
    let place = (length <= BLOCK_AREA).then(|| area_place(fs, inode));
    (bytes, place)
}

/// The stream of an attribute.
pub(super) fn attribute_stream(fs: &Ext4, attribute: Attribute, budget: &mut Budget) -> Result<Stream> {
    let (size, layout) = match attribute.value {
        Value::Here { bytes, place } => {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            (size, Layout::Resident { bytes, place: Some(place) })
        }
        Value::Inode { number, size } => {
            let record = scan::record(fs, number.into())?;
            let inode = record.inode();
            if !inode.has(flags::EA_INODE) {
                return Err(Error::corrupt(
                    inode.place,
                    "inode of an attribute's value",
                    "flag 0x200000",
                    "none",
                ));
            }
            let map = fs.map(&inode, budget);
            let runs = data_runs(fs, &map);
            match map.damage.into_iter().next() {
                Some(damage) => return Err(damage.error),
                None => (size, Layout::Runs(runs)),
            }
        }
    };
    Ok(Stream { name: StreamName::Xattr(attribute.name), size, initialised: size, layout })
}

/// Runs in bytes. Where the journal holds the current bytes of a block, its run is cut there: the journal's
/// block comes first, then the home block as superseded.
pub(super) fn data_runs(fs: &Ext4, map: &BlockMap) -> Vec<DataRun> {
    let bytes = |blocks: u64| fs.blocks.to_bytes(blocks);
    let mut runs = Vec::with_capacity(map.runs.len());
    for run in &map.runs {
        let mut push = |from: u64, count: u64, place: Place| {
            let logical = bytes(run.logical.saturating_add(from));
            runs.push(DataRun { logical, length: bytes(count), place });
        };
        if run.unwritten {
            push(0, run.count, Place::Unwritten(bytes(run.physical)));
            continue;
        }
        let mut done = 0;
        let end = run.physical.saturating_add(run.count);
        for (home, copy) in fs.blocks.overlay().range(run.physical..end) {
            let inside = home.saturating_sub(run.physical);
            if inside > done {
                let place = Place::At(bytes(run.physical.saturating_add(done)));
                push(done, inside.saturating_sub(done), place);
            }
            push(inside, 1, Place::At(bytes(copy.block)));
            push(inside, 1, Place::Superseded(bytes(*home)));
            done = inside.saturating_add(1);
        }
        if done < run.count {
            let place = Place::At(bytes(run.physical.saturating_add(done)));
            push(done, run.count.saturating_sub(done), place);
        }
    }
    runs
}
