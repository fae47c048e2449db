//! Which attribute an operation outside of file records is about: the log numbers the attributes that are open, and
//! says of each whose it is when it is opened and again in the dumps of its checkpoints (`OPEN_ATTRIBUTE_ENTRY`, in
//! the forms of 44 bytes of client version 0 and of 40 bytes of client version 1).

use super::super::record::Reference;
use super::Log;
use super::operation::{Operation, code};
use crate::io::Fields;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Attributes that are kept of one log.
const OPENED_MAX: usize = 1 << 18;
/// Length of an entry of client version 0.
const LENGTH_0: usize = 44;
/// Length of an entry of client version 1.
const LENGTH_1: usize = 40;
/// Length of the header of a table of entries (`RESTART_TABLE`).
const TABLE_HEADER: usize = 0x18;
/// First field of an entry that is in use.
const IN_USE: u32 = u32::MAX;

/// Attributes by their number in the table and the sequence number of the record that opened them.
#[derive(Debug, Default)]
pub(super) struct Opened(BTreeMap<(u16, u64), Reference>);

impl Opened {
    /// Goes through the log.
    pub(super) fn read(log: &Log) -> Self {
        let mut opened = Self::default();
        log.pages(&mut |at, page| {
            log.in_page(at, page, &mut |_, offset, length| {
                if opened.0.len() >= OPENED_MAX {
                    return ControlFlow::Break(());
                }
                match log.any_operation(at, page, offset, length) {
                    Some(operation) if operation.redo.0 == code::OPEN_ATTRIBUTE => {
                        opened.add(operation.target, Some(operation.lsn), &operation.redo.1.bytes);
                    }
                    Some(operation) if operation.redo.0 == code::DUMP_OF_OPEN_ATTRIBUTES => {
                        opened.add_table(&operation.redo.1.bytes);
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            });
        });
        opened
    }

    /// Takes a dump of the table: a header with the length of entries, then the entries, numbered by their offset.
    fn add_table(&mut self, table: &[u8]) {
        let length = Fields::new("table of open attributes", table, 0).le_u16(0).map_or(0, usize::from);
        if !matches!(length, LENGTH_0 | LENGTH_1) {
            return;
        }
        let offsets = (TABLE_HEADER..=usize::from(u16::MAX)).step_by(length);
        for (entry, offset) in table.get(TABLE_HEADER..).unwrap_or_default().chunks_exact(length).zip(offsets)
        {
            if let Ok(target) = u16::try_from(offset) {
                self.add(target, None, entry);
            }
        }
    }

    /// Takes an entry that the record `lsn` opened; dumps say that in the entry.
    fn add(&mut self, target: u16, lsn: Option<u64>, entry: &[u8]) {
        let fields = Fields::new("open attribute", entry, 0);
        let (reference, opened) = if entry.len() == LENGTH_0 { (0x08, 0x10) } else { (0x10, 0x18) };
        let (Ok(IN_USE), Ok(reference), Ok(opened)) =
            (fields.le_u32(0), fields.le_u64(reference), fields.le_u64(opened))
        else {
            return;
        };
        if self.0.len() < OPENED_MAX {
            self.0.insert((target, lsn.unwrap_or(opened)), Reference::from_raw(reference));
        }
    }

    /// The file whose attribute an operation is on.
    pub(super) fn file(&self, operation: &Operation) -> Option<Reference> {
        let before = self.0.range((operation.target, 0)..=(operation.target, operation.lsn));
        before.last().map(|(_, reference)| *reference)
    }
}
