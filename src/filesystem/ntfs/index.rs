//! What one pass over the table says about how records hang together: which are in use, which extend which,
//! and which name which directory as their parent.
//!
//! Names themselves stay in the records: 12 bytes a name are kept here, 8 a record.

use super::attribute::{Form, code};
use super::mft::Mft;
use super::name::FileName;
use super::record::{Record, Reference};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// The record of `$Extend`.
const EXTEND: u32 = 11;
/// The directory below it that keeps files which were deleted while they were open.
const DELETED_OPEN: &[u8] = b"$Deleted";

/// A record as the pass saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    number: u32,
    /// Sequence number.
    pub(super) sequence: u16,
    /// Whether it is in use.
    pub(super) in_use: bool,
    /// Whether it is a directory.
    pub(super) directory: bool,
}

/// A record that extends another.
#[derive(Clone, Copy, Debug)]
struct Extension {
    base: u32,
    record: u32,
    /// Sequence number that the base had.
    sequence: u16,
    in_use: bool,
}

/// A name, as "this child has a name in this directory".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    parent: u32,
    child: u32,
    /// Sequence number that the parent had.
    sequence: u16,
}

/// The relations between records.
#[derive(Debug, Default)]
pub(super) struct Index {
    records: Vec<Known>,
    extensions: Vec<Extension>,
    links: Vec<Link>,
    metadata: HashSet<u32>,
    /// `$Extend\$Deleted`: files that were deleted while they were open.
    deleted_open: Option<u32>,
}

impl Index {
    /// Passes over the whole table. Records that cannot be read are left out; a walk reports them.
    pub(super) fn build(mft: &Mft) -> Self {
        let mut index = Self::default();
        mft.scan(0, &mut |number, place, bytes| {
            if let (Ok(number), Ok(bytes)) = (u32::try_from(number), bytes) {
                let parsed = Record::parse(u64::from(number), place, bytes);
                if let Ok(Some(record)) = parsed {
                    index.add(number, &record);
                } else if let Some(mut copy) = mft.read_mirrored(u64::from(number))
                    && let Ok(Some(record)) = copy.record()
                {
                    index.add(number, &record);
                }
            }
            ControlFlow::Continue(())
        });
        index.extensions.sort_unstable_by_key(|extension| (extension.base, extension.record));
        index.links.sort_unstable();
        index.links.dedup();
        index.metadata = index.below_extend();
        index
    }

    fn add(&mut self, number: u32, record: &Record<'_>) {
        let (sequence, in_use, directory) = (record.sequence, record.in_use, record.directory);
        let mut child = number;
        if let Some(reference) = record.extends() {
            let Ok(base) = u32::try_from(reference.number) else { return };
            self.extensions.push(Extension { base, record: number, sequence: reference.sequence, in_use });
            child = base;
        } else {
            self.records.push(Known { number, sequence, in_use, directory });
        }
        for attribute in record.attributes() {
            // The walk reports the damage.
            let Ok(attribute) = attribute else { return };
            let Form::Resident { value, .. } = attribute.form else { continue };
            if attribute.code != code::FILE_NAME {
                continue;
            }
            let Some(parent) = value.first_chunk().map(|raw| Reference::from_raw(u64::from_le_bytes(*raw)))
            else {
                continue;
            };
            if let Ok(number) = u32::try_from(parent.number) {
                if number == EXTEND
                    && directory
                    && FileName::parse(value, 0).is_ok_and(|n| n.name == DELETED_OPEN)
                {
                    self.deleted_open = Some(child);
                }
                self.links.push(Link { parent: number, child, sequence: parent.sequence });
            }
        }
    }

    /// The base record `number`, where it is one that was ever used.
    pub(super) fn record(&self, number: u64) -> Option<Known> {
        let number = u32::try_from(number).ok()?;
        let at = self.records.binary_search_by_key(&number, |record| record.number).ok()?;
        self.records.get(at).copied()
    }

    /// The records that extend the base record `number`.
    pub(super) fn extensions(
        &self,
        number: u64,
        sequence: u16,
        in_use: bool,
    ) -> impl Iterator<Item = u64> + '_ {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let start = self.extensions.partition_point(|extension| extension.base < number);
        let rest = self.extensions.get(start..).unwrap_or_default().iter();
        rest.take_while(move |extension| extension.base == number)
            .filter(move |extension| {
                let base = Reference { number: u64::from(number), sequence: extension.sequence };
                extension.in_use == in_use && base.means(sequence, in_use)
            })
            .map(|extension| u64::from(extension.record))
    }

    /// Whether the extension record whose base is `base` belongs to the record that has that number now.
    pub(super) fn is_joined(&self, base: Reference, in_use: bool) -> bool {
        self.record(base.number)
            .is_some_and(|known| known.in_use == in_use && base.means(known.sequence, in_use))
    }

    /// The records that have a name in the directory `number`, each once, in ascending order.
    pub(super) fn children(&self, number: u64, directory: Known) -> impl Iterator<Item = u64> + '_ {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let start = self.links.partition_point(|link| link.parent < number);
        let rest = self.links.get(start..).unwrap_or_default().iter();
        let mut last = None;
        rest.take_while(move |link| link.parent == number)
            .filter(move |link| {
                let parent = Reference { number: u64::from(number), sequence: link.sequence };
                parent.means(directory.sequence, directory.in_use)
                    && last.replace(link.child) != Some(link.child)
            })
            .map(|link| u64::from(link.child))
    }

    /// Whether the record is one of the file system's own below `$Extend`.
    pub(super) fn is_metadata(&self, number: u64) -> bool {
        u32::try_from(number).is_ok_and(|number| self.metadata.contains(&number))
    }

    /// All records below `$Extend`, as far as they are in use. What lies in `$Deleted` is content of users.
    fn below_extend(&self) -> HashSet<u32> {
        let mut below = HashSet::from([EXTEND]);
        let mut open = vec![EXTEND];
        while let Some(directory) = open.pop() {
            let Some(known) = self.record(u64::from(directory)).filter(|known| known.directory) else {
                continue;
            };
            for child in self.children(u64::from(directory), known) {
                let Ok(child) = u32::try_from(child) else { continue };
                if directory == EXTEND && self.deleted_open == Some(child) {
                    continue;
                }
                if self.record(u64::from(child)).is_some_and(|known| known.in_use) && below.insert(child) {
                    open.push(child);
                }
            }
        }
        below
    }
}
