//! File records: the header of an MFT record and its fixups (`MULTI_SECTOR_HEADER`, `FILE_RECORD_SEGMENT_HEADER`).

use super::attribute::Attributes;
use crate::error::{Error, Result};
use crate::io::Fields;

/// Stride that one update sequence word protects, on volumes of any sector size.
const STRIDE: usize = 512;
/// Offset from which record numbers are stored: an update sequence array at or behind it (version 3.1).
const NUMBERED_ARRAY: u16 = 0x30;

/// A reference to a file record: its number with the sequence number that it had when referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// Record number, 48 bits.
    pub(super) number: u64,
    /// Sequence number; zero matches any.
    pub(super) sequence: u16,
}

impl Reference {
    /// The reference in its stored form.
    pub(super) fn from_raw(raw: u64) -> Self {
        let sequence = u16::try_from(raw >> 48).unwrap_or(0);
        Self { number: raw & 0xffff_ffff_ffff, sequence }
    }

    /// Whether it means the record that has `sequence`: freeing a record adds one to its sequence number.
    pub(super) fn means(self, sequence: u16, in_use: bool) -> bool {
        let before = if sequence == 1 { u16::MAX } else { sequence.wrapping_sub(1) };
        self.sequence == 0 || self.sequence == sequence || (!in_use && self.sequence == before)
    }
}

/// A file record after fixup.
#[derive(Clone, Debug)]
pub(super) struct Record<'a> {
    /// Record number.
    pub(super) number: u64,
    /// Volume offset of the record, where it lies in one piece.
    pub(super) place: Option<u64>,
    /// The whole record.
    pub(super) bytes: &'a [u8],
    /// `$LogFile` sequence number of the last change.
    pub(super) lsn: u64,
    /// Sequence number.
    pub(super) sequence: u16,
    /// Names that the record says it has.
    pub(super) links: u16,
    /// Whether it is in use.
    pub(super) in_use: bool,
    /// Whether it is a directory.
    pub(super) directory: bool,
    /// The record that this one extends.
    pub(super) base: Option<Reference>,
    /// Offset of the first attribute.
    pub(super) attributes_at: usize,
    /// Offset behind the last attribute.
    pub(super) used: usize,
    /// The record number that it carries itself (version 3.1).
    pub(super) stored_number: Option<u32>,
}

impl<'a> Record<'a> {
    /// Parses the record `number`, undoing the fixups in `bytes`. `None` for a record that was never used
    /// (zeros).
    ///
    /// # Errors
    /// Corrupt: a foreign signature, a record marked bad, a fixup that does not match, sizes beyond the record.
    pub(super) fn parse(number: u64, place: Option<u64>, bytes: &'a mut [u8]) -> Result<Option<Self>> {
        let at = place.unwrap_or(0);
        match bytes.get(..4) {
            Some(b"FILE") => {}
            Some(b"BAAD") => {
                return Err(Error::corrupt(
                    at,
                    "file record",
                    "FILE",
                    "BAAD: marked as torn by a consistency check",
                ));
            }
            Some([0, 0, 0, 0]) => return Ok(None),
            other => {
                let found = crate::location::escape(other.unwrap_or_default());
                return Err(Error::corrupt(at, "signature of file record", "FILE", found));
            }
        }
        undo_fixups(bytes, at)?;
        Self::fields(number, place, bytes).map(Some)
    }

    /// The record `number` out of bytes that hold no fixups, as the log has them. Places are offsets in them.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub(super) fn image(number: u64, bytes: &'a [u8]) -> Result<Self> {
        Self::fields(number, Some(0), bytes)
    }

    fn fields(number: u64, place: Option<u64>, bytes: &'a [u8]) -> Result<Self> {
        let at = place.unwrap_or(0);
        let fields = Fields::new("file record", bytes, at);
        let used = usize::try_from(fields.le_u32(0x18)?).unwrap_or(usize::MAX);
        let attributes_at = usize::from(fields.le_u16(0x14)?);
        if used > bytes.len() || attributes_at > used {
            let expected = format!("{attributes_at} to {}", bytes.len());
            return Err(Error::corrupt(fields.offset(0x18), "used bytes of file record", expected, used));
        }
        let flags = fields.le_u16(0x16)?;
        let base = fields.le_u64(0x20)?;
        let numbered = fields.le_u16(4)? >= NUMBERED_ARRAY;
        Ok(Self {
            number,
            place,
            bytes,
            lsn: fields.le_u64(0x08)?,
            sequence: fields.le_u16(0x10)?,
            links: fields.le_u16(0x12)?,
            in_use: flags & 1 != 0,
            directory: flags & 2 != 0,
            base: (base != 0).then(|| Reference::from_raw(base)),
            attributes_at,
            used,
            stored_number: if numbered { Some(fields.le_u32(0x2c)?) } else { None },
        })
    }

    /// The attributes, in stored order.
    pub(super) fn attributes(&self) -> Attributes<'a> {
        let bytes = self.bytes.get(..self.used).unwrap_or_default();
        Attributes::new(bytes, self.attributes_at, self.place)
    }

    /// Whether the record extends another than itself.
    pub(super) fn extends(&self) -> Option<Reference> {
        self.base.filter(|base| base.number != self.number)
    }

    /// The record as the target of references.
    pub(super) fn is_meant_by(&self, reference: Reference) -> bool {
        reference.number == self.number && reference.means(self.sequence, self.in_use)
    }
}

/// Puts the words that the update sequence array keeps back at the end of each stride.
///
/// # Errors
/// Corrupt where a stride does not end in the sequence number: a write was torn, the record is not whole.
pub(super) fn undo_fixups(bytes: &mut [u8], at: u64) -> Result<()> {
    let fields = Fields::new("update sequence array", bytes, at);
    let start = usize::from(fields.le_u16(4)?);
    let count = usize::from(fields.le_u16(6)?);
    // The array holds the sequence number itself and one word a stride.
    let strides = bytes.len() / STRIDE;
    if count != strides.saturating_add(1) {
        return Err(Error::corrupt(
            fields.offset(6),
            "update sequence array's count",
            strides.saturating_add(1),
            count,
        ));
    }
    let length = count.saturating_mul(2);
    // It lies in front of the first word that it replaces.
    if start.saturating_add(length) > STRIDE.saturating_sub(2) {
        return Err(Error::corrupt(
            fields.offset(4),
            "update sequence array",
            "within the first stride",
            start,
        ));
    }
    let array = fields.bytes(start, length)?.to_vec();
    let (number, words) = array.split_at_checked(2).unwrap_or_default();
    for (index, (stride, word)) in bytes.chunks_exact_mut(STRIDE).zip(words.chunks_exact(2)).enumerate() {
        let Some(end) = stride.last_chunk_mut::<2>() else { continue };
        if end.as_slice() != number {
            let offset = at.saturating_add(u64::try_from(index.saturating_mul(STRIDE)).unwrap_or(u64::MAX));
            let expected = format!("sequence number {number:02x?} at the stride's end");
            return Err(Error::corrupt(offset, "fixup", expected, format!("{end:02x?}: torn write")));
        }
        end.copy_from_slice(word);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[..4].copy_from_slice(b"FILE");
        bytes[4] = 0x30;
        bytes[6] = 3;
        bytes[0x14] = 0x38;
        bytes[0x18] = 0x40;
        bytes[0x30..0x36].copy_from_slice(&[7, 9, 0xaa, 0xbb, 0xcc, 0xdd]);
        bytes[510..512].copy_from_slice(&[7, 9]);
        bytes[1022..1024].copy_from_slice(&[7, 9]);
        bytes
    }

    #[test]
    fn fixups_put_the_original_words_back() {
        let mut bytes = record();
        let record = Record::parse(5, Some(0), &mut bytes).unwrap().unwrap();
        assert_eq!((&record.bytes[510..512], &record.bytes[1022..]), (&[0xaa, 0xbb][..], &[0xcc, 0xdd][..]));
    }

    #[test]
    fn a_torn_or_senseless_record_is_an_error_and_a_blank_one_is_none() {
        type Break = fn(&mut Vec<u8>);
        let cases: [(Break, &str); 6] = [
            (|b| b[1022] = 0, "torn write"),
            (|b| b[6] = 9, "count: expected 3, found 9"),
            (|b| b[5] = 0xff, "within the first stride"),
            (|b| b[..4].copy_from_slice(b"BAAD"), "marked as torn"),
            (|b| b[..4].copy_from_slice(b"\x1b[2J"), "expected FILE, found %1B[2J"),
            (|b| b[0x19] = 0xff, "used bytes"),
        ];
        for (change, message) in cases {
            let mut bytes = record();
            change(&mut bytes);
            let error = Record::parse(5, Some(0), &mut bytes).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
        assert!(Record::parse(5, Some(0), &mut [0; 1024]).unwrap().is_none());
    }

    #[test]
    fn a_reference_means_a_record_until_it_is_used_again() {
        let of = |sequence| Reference { number: 40, sequence };
        for (reference, sequence, in_use, expected) in [
            (of(3), 3, true, true),
            (of(3), 4, false, true),
            (of(3), 4, true, false),
            (of(u16::MAX), 1, false, true),
            (of(0), 9, true, true),
            (of(3), 5, false, false),
        ] {
            assert_eq!(reference.means(sequence, in_use), expected, "{reference:?} {sequence} {in_use}");
        }
    }
}
