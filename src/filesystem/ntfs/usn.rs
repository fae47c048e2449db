//! The change journal (`$Extend\$UsnJrnl:$J`): names of records that are gone.
//!
//! `USN_RECORD_V2` and `USN_RECORD_V3` of Windows' headers: records of whole multiples of 8 bytes, none across
//! the border of a page. The front of the journal is given back as it grows, and is a hole.

use super::name;
use super::record::Reference;
use super::standard_information::time;
use crate::error::Result;
use crate::io::{Backing, Fields, ReadAt};
use std::collections::BTreeMap;

/// No record crosses a border of this many bytes.
const PAGE: u64 = 4096;
/// Bytes of the journal that are read; Windows makes it 32 MiB and lets it grow to 512 MiB on servers.
const BYTES_MAX: u64 = 1 << 30;
/// Names that are kept of one volume.
const NAMES_MAX: usize = 1 << 18;

/// `USN_REASON_FILE_DELETE`.
const DELETED: u32 = 0x200;
/// `USN_REASON_RENAME_OLD_NAME`.
const RENAMED: u32 = 0x1000;

/// A name that the journal has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The file's record.
    pub(super) file: Reference,
    /// The directory in which it had the name.
    pub(super) parent: Reference,
    /// WTF-8.
    pub(super) name: Vec<u8>,
    /// When, in units of 100 ns since 1601.
    time: u64,
    reasons: u32,
}

impl Change {
    /// The name for a reader of a report.
    pub(super) fn note(&self, known: Parent) -> String {
        let name = crate::location::escape(&self.name);
        let what = match self.reasons {
            reasons if reasons & DELETED != 0 => "deleted",
            reasons if reasons & RENAMED != 0 => "renamed",
            _ => "changed",
        };
        let when = time(self.time).map(|time| format!(" {time}")).unwrap_or_default();
        let number = self.file.number;
        match known {
            Parent::Live => {
                format!("once held {name} (record {number}, {what}{when}, says the change journal)")
            }
            Parent::Gone => {
                let parent = self.parent.number;
                format!(
                    "knows {name} (record {number}, {what}{when}) in a directory that is gone (record {parent})"
                )
            }
        }
    }
}

/// Whether the directory of a name still is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// It is, and is told of the name.
    Live,
    /// It is not: the journal itself tells of the name.
    Gone,
}

/// Names by the record that tells of them, each of the latest change to it.
#[derive(Debug, Default)]
pub(super) struct Changes {
    by_record: BTreeMap<u64, Vec<(Change, Parent)>>,
}

impl Changes {
    /// Reads the journal, the content of the record `own`; keeps names of files that `is_gone` says are gone,
    /// for the directories that `is_live` says are there.
    pub(super) fn read(
        journal: &dyn ReadAt,
        own: u64,
        is_gone: &dyn Fn(Reference) -> bool,
        is_live: &dyn Fn(Reference) -> bool,
    ) -> Self {
        let mut latest: BTreeMap<(u64, u16, Vec<u8>), Change> = BTreeMap::new();
        visit(journal, &mut |change| {
            if !is_gone(change.file) {
                return;
            }
            let key = (change.file.number, change.file.sequence, change.name.clone());
            if latest.len() < NAMES_MAX || latest.contains_key(&key) {
                let reasons = latest.get(&key).map_or(0, |before| before.reasons) | change.reasons;
                latest.insert(key, Change { reasons, ..change });
            }
        });
        let mut by_record: BTreeMap<u64, Vec<(Change, Parent)>> = BTreeMap::new();
        for change in latest.into_values() {
            let live = is_live(change.parent);
            let (teller, parent) =
                if live { (change.parent.number, Parent::Live) } else { (own, Parent::Gone) };
            by_record.entry(teller).or_default().push((change, parent));
        }
        Self { by_record }
    }

    /// The names that the record `number` tells of.
    pub(super) fn of(&self, number: u64) -> &[(Change, Parent)] {
        self.by_record.get(&number).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Visits the records in stored order. Pages that cannot be read, and what makes no sense in one up to its end,
/// are passed over.
fn visit(journal: &dyn ReadAt, change: &mut dyn FnMut(Change)) {
    let (mut at, mut left) = (0_u64, BYTES_MAX);
    let mut page = vec![0; usize::try_from(PAGE).unwrap_or(0)];
    while at < journal.size() && left > 0 {
        let rest = journal.size().saturating_sub(at);
        if let Ok(extent) = journal.map(at, rest)
            && extent.backing == Backing::Hole
        {
            // The hole may end within a page.
            at = at.saturating_add(extent.length.max(1) / PAGE * PAGE);
            if extent.length >= PAGE {
                continue;
            }
        }
        let length = usize::try_from(rest.min(PAGE)).unwrap_or(0);
        let bytes = page.get_mut(..length).unwrap_or_default();
        if journal.read_at(at, bytes).is_ok() {
            in_page(bytes, at, change);
        }
        at = at.saturating_add(PAGE);
        left = left.saturating_sub(PAGE);
    }
}

fn in_page(page: &[u8], place: u64, change: &mut dyn FnMut(Change)) {
    let mut at = 0;
    while at < page.len() {
        let fields = Fields::new("change journal", page.get(at..).unwrap_or_default(), place);
        let Ok(length) = fields.le_u32(0).map(|length| usize::try_from(length).unwrap_or(usize::MAX)) else {
            return;
        };
        if length == 0 {
            // Nothing up to the page's end, or a record that has been cut out: the next may start anywhere.
            at = at.saturating_add(8);
            continue;
        }
        if length % 8 != 0 || length > page.len().saturating_sub(at) {
            return;
        }
        if let Ok(Some(found)) = record(&fields, length) {
            change(found);
        }
        at = at.saturating_add(length);
    }
}

/// The record at the start of `fields`; `None` for a version that holds no name here.
fn record(fields: &Fields<'_>, length: usize) -> Result<Option<Change>> {
    let record = Fields::new("change record", fields.bytes(0, length)?, fields.offset(0));
    // References of version 3 take 16 bytes, of which NTFS uses the first half.
    let (parent, time, reasons, name) = match record.le_u16(4)? {
        2 => (16, 32, 40, 56),
        3 => (24, 48, 56, 72),
        _ => return Ok(None),
    };
    let name_length = usize::from(record.le_u16(name)?);
    let name_at = usize::from(record.le_u16(name.saturating_add(2))?);
    let units = name::units(record.bytes(name_at, name_length)?);
    let file = Reference::from_raw(record.le_u64(8)?);
    if !name::is_name(units) || name_length % 2 != 0 || file.sequence == 0 {
        return Ok(None);
    }
    Ok(Some(Change {
        file,
        parent: Reference::from_raw(record.le_u64(parent)?),
        name: name::wtf8(units),
        time: record.le_u64(time)?,
        reasons: record.le_u32(reasons)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
        bytes[at..at + value.len()].copy_from_slice(value);
    }

    /// A record of `version` for `file` in `parent`, whole up to the next multiple of 8.
    fn usn(version: u16, (file, parent): (u64, u64), name: &str, reasons: u32) -> Vec<u8> {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let head = if version == 2 { 60 } else { 76 };
        let mut bytes = vec![0; (head + units.len()).next_multiple_of(8)];
        let length = u32::try_from(bytes.len()).unwrap();
        put(&mut bytes, 0, &length.to_le_bytes());
        put(&mut bytes, 4, &version.to_le_bytes());
        put(&mut bytes, 8, &file.to_le_bytes());
        put(&mut bytes, if version == 2 { 16 } else { 24 }, &parent.to_le_bytes());
        put(&mut bytes, head - 28, &116_444_736_000_000_000_u64.to_le_bytes());
        put(&mut bytes, head - 20, &reasons.to_le_bytes());
        put(&mut bytes, head - 4, &u16::try_from(units.len()).unwrap().to_le_bytes());
        put(&mut bytes, head - 2, &u16::try_from(head).unwrap().to_le_bytes());
        put(&mut bytes, head, &units);
        bytes
    }

    fn reference(number: u64, sequence: u64) -> u64 {
        sequence << 48 | number
    }

    fn names(journal: &[u8]) -> Vec<String> {
        let changes = Changes::read(&journal.to_vec(), 38, &|_| true, &|parent| parent.number == 5);
        let all = changes.by_record.iter().flat_map(|(teller, all)| all.iter().map(move |one| (teller, one)));
        all.map(|(teller, (change, parent))| format!("{teller}: {}", change.note(*parent))).collect()
    }

    #[test]
    fn names_of_both_versions_are_told_by_their_directory_or_by_the_journal() {
        let mut journal = usn(2, (reference(40, 3), reference(5, 5)), "plan.txt", 0x8000_0100);
        journal.extend(usn(2, (reference(40, 3), reference(5, 5)), "plan.txt", 0x8000_0200));
        journal.resize(4096, 0);
        journal.extend(usn(3, (reference(41, 2), reference(90, 1)), "later.txt", RENAMED));
        assert_eq!(
            names(&journal),
            [
                "5: once held plan.txt (record 40, deleted 1970-01-01T00:00:00Z, says the change journal)",
                "38: knows later.txt (record 41, renamed 1970-01-01T00:00:00Z) in a directory that is gone \
                 (record 90)",
            ]
        );
    }

    #[test]
    fn senseless_records_end_their_page_only() {
        let good = usn(2, (reference(40, 3), reference(5, 5)), "kept", DELETED);
        type Break = fn(&mut Vec<u8>);
        let cases: [(Break, usize); 6] = [
            (|b| b[0] = 9, 1),
            (|b| b[3] = 0xff, 1),
            (|b| b[4] = 7, 2),
            (|b| b[56] = 0xff, 2),
            (|b| b[58] = 0xff, 2),
            (|b| b[60] = b'/', 2),
        ];
        for (change, expected) in cases {
            let mut journal = usn(2, (reference(42, 3), reference(5, 5)), "broken", DELETED);
            change(&mut journal);
            journal.extend(usn(2, (reference(43, 3), reference(5, 5)), "behind", DELETED));
            journal.resize(4096, 0);
            journal.extend(&good);
            assert_eq!(names(&journal).len(), expected, "{:?}", names(&journal));
        }
    }
}
