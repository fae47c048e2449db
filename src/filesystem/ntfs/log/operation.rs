//! One operation of the log: what was done to which file record or attribute, and how to undo it
//! (`NTFS_LOG_RECORD_HEADER`).

use crate::io::Fields;

/// Length of a log record's header, which what the client has follows.
pub(super) const HEADER: usize = 0x30;
/// Length of the fixed part of what the client has.
const CLIENT_HEADER: usize = 0x20;
/// Unit of the offset in a cluster.
const SECTOR: u64 = 512;

/// Codes of operations.
pub(super) mod code {
    pub(in super::super) const NOOP: u16 = 0x00;
    pub(in super::super) const INITIALIZE_FILE_RECORD: u16 = 0x02;
    pub(in super::super) const DEALLOCATE_FILE_RECORD: u16 = 0x03;
    pub(in super::super) const WRITE_END_OF_FILE_RECORD: u16 = 0x04;
    pub(in super::super) const CREATE_ATTRIBUTE: u16 = 0x05;
    pub(in super::super) const DELETE_ATTRIBUTE: u16 = 0x06;
    pub(in super::super) const UPDATE_RESIDENT_VALUE: u16 = 0x07;
    pub(in super::super) const UPDATE_NONRESIDENT_VALUE: u16 = 0x08;
    pub(in super::super) const UPDATE_MAPPING_PAIRS: u16 = 0x09;
    pub(in super::super) const SET_NEW_ATTRIBUTE_SIZES: u16 = 0x0b;
    /// Those that change the index of a directory inside of its record.
    pub(in super::super) const IN_ROOT: [u16; 5] = [0x0c, 0x0d, 0x11, 0x13, 0x21];
    /// Those that change the index of a directory in blocks of its own.
    pub(in super::super) const IN_BLOCKS: [u16; 6] = [0x0e, 0x0f, 0x10, 0x12, 0x14, 0x22];
    pub(in super::super) const OPEN_ATTRIBUTE: u16 = 0x1c;
    pub(in super::super) const DUMP_OF_OPEN_ATTRIBUTES: u16 = 0x1d;
}

/// Names of the operations on file records and attributes, as Windows' documents give them.
fn name(code: u16) -> &'static str {
    match code {
        code::INITIALIZE_FILE_RECORD => "InitializeFileRecordSegment",
        code::DEALLOCATE_FILE_RECORD => "DeallocateFileRecordSegment",
        code::WRITE_END_OF_FILE_RECORD => "WriteEndOfFileRecordSegment",
        code::CREATE_ATTRIBUTE => "CreateAttribute",
        code::DELETE_ATTRIBUTE => "DeleteAttribute",
        code::UPDATE_RESIDENT_VALUE => "UpdateResidentValue",
        code::UPDATE_NONRESIDENT_VALUE => "UpdateNonresidentValue",
        code::UPDATE_MAPPING_PAIRS => "UpdateMappingPairs",
        code::SET_NEW_ATTRIBUTE_SIZES => "SetNewAttributeSizes",
        _ => "update of its index",
    }
}

/// Whether an operation is one on a file record.
fn is_on_record(code: u16) -> bool {
    matches!(
        code,
        code::INITIALIZE_FILE_RECORD
            ..=code::UPDATE_RESIDENT_VALUE | code::UPDATE_MAPPING_PAIRS | code::SET_NEW_ATTRIBUTE_SIZES
    ) || code::IN_ROOT.contains(&code)
}

/// Whether an operation is one on the clusters of an attribute.
fn is_on_attribute(code: u16) -> bool {
    code == code::UPDATE_NONRESIDENT_VALUE || code::IN_BLOCKS.contains(&code)
}

/// Bytes that an operation writes, and where they lie in the file of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) bytes: Vec<u8>,
    /// Offset in the log of the first byte, where all of them lie in one piece.
    pub(super) place: Option<u64>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) lsn: u64,
    /// What was done, and the bytes that it wrote.
    pub(super) redo: (u16, Payload),
    /// What takes it back, and the bytes that were there before.
    pub(super) undo: (u16, Payload),
    /// Number of the attribute concerned among those that are open.
    pub(super) target: u16,
    /// Offset in the file record of the attribute concerned.
    pub(super) record_offset: usize,
    /// Offset in that attribute.
    pub(super) attribute_offset: usize,
    /// First cluster of the table that was written.
    vcn: u64,
    /// Offset in the cluster in units of 512 bytes.
    sector: u64,
}

impl Operation {
    /// Parses what the client has of the record `lsn`. `client` lies at `place` of the log's file, its first `in_page` bytes in one piece.
    pub(super) fn parse(lsn: u64, client: &[u8], place: u64, in_page: usize) -> Option<Self> {
        let fields = Fields::new("log record", client, place);
        let half = |at: usize| fields.le_u16(at).ok();
        let payload = |at: usize| {
            let (offset, length) = (usize::from(half(at)?), usize::from(half(at.checked_add(2)?)?));
            let bytes = fields.bytes(offset, length).ok()?.to_vec();
            let is_whole = length > 0 && offset >= CLIENT_HEADER && offset.saturating_add(length) <= in_page;
            let place = is_whole.then(|| fields.offset(offset));
            Some(Payload { bytes, place })
        };
        Some(Self {
            lsn,
            redo: (half(0)?, payload(4)?),
            undo: (half(2)?, payload(8)?),
            target: half(0x0c)?,
            record_offset: usize::from(half(0x10)?),
            attribute_offset: usize::from(half(0x12)?),
            vcn: fields.le_u64(0x18).ok()?,
            sector: u64::from(half(0x14)?),
        })
    }

    /// Whether it is one on a file record.
    pub(super) fn is_on_record(&self) -> bool {
        is_on_record(self.code())
    }

    /// Whether it is one on the clusters of an attribute.
    pub(super) fn is_on_attribute(&self) -> bool {
        is_on_attribute(self.code())
    }

    /// What was done, or what taking it back would do where that is all there is.
    fn code(&self) -> u16 {
        if self.redo.0 == code::NOOP { self.undo.0 } else { self.redo.0 }
    }

    /// The file record that was changed, on a volume with these lengths.
    pub(super) fn number(&self, cluster_size: u64, record_size: u64) -> Option<u64> {
        let offset = self.vcn.checked_mul(cluster_size)?.checked_add(self.sector.checked_mul(SECTOR)?)?;
        offset.checked_div(record_size).filter(|&number| u32::try_from(number).is_ok())
    }

    /// The operation's name for a reader of a report.
    pub(super) fn name(&self) -> &'static str {
        name(self.code())
    }
}
