//! Taking operations back: from a file record as it is to what it was before.
//!
//! Each step is made only where the record holds what the operation wrote there; otherwise something between
//! is missing, and nothing is known from there on back.

use super::super::attribute::{Attributes, code as kinds};
use super::super::record::Record;
use super::super::run_list;
use super::operation::{Operation, Payload, code};
use crate::io::Fields;
use std::ops::Range;

/// A file record at some time, without fixups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) bytes: Vec<u8>,
    /// Parts of it that lie in the log in this form, and where; later ones count.
    pub(super) origins: Vec<(Range<usize>, u64)>,
}

impl Image {
    /// A record as the table holds it.
    pub(super) fn of(record: &Record<'_>) -> Self {
        Self { bytes: record.bytes.to_vec(), origins: Vec::new() }
    }

    /// A record that the log holds as a whole; records have `size` bytes.
    fn whole(payload: &Payload, size: usize) -> Option<Self> {
        if payload.bytes.len() > size || !payload.bytes.starts_with(b"FILE") {
            return None;
        }
        let mut bytes = payload.bytes.clone();
        let origins = payload.place.map(|place| (0..bytes.len(), place)).into_iter().collect();
        bytes.resize(size, 0);
        Some(Self { bytes, origins })
    }

    /// The record; `None` where its header makes no sense.
    pub(super) fn record(&self, number: u64) -> Option<Record<'_>> {
        Record::image(number, &self.bytes).ok()
    }

    /// Where in the log the bytes `range` of the record lie as they are.
    pub(super) fn origin(&self, range: &Range<usize>) -> Option<u64> {
        let touches = |part: &Range<usize>| part.start < range.end && range.start < part.end;
        let (part, place) = self.origins.iter().rev().find(|(part, _)| touches(part))?;
        if part.start > range.start || range.end > part.end {
            return None;
        }
        place.checked_add(u64::try_from(range.start.checked_sub(part.start)?).ok()?)
    }

    /// Whether the record may have lost content with `operation`: times and names are none.
    pub(super) fn loses_content(&self, operation: &Operation) -> bool {
        let kind = || self.fields().le_u32(operation.record_offset).unwrap_or(0);
        match operation.undo.0 {
            code::DELETE_ATTRIBUTE | code::SET_NEW_ATTRIBUTE_SIZES => false,
            code::UPDATE_RESIDENT_VALUE | code::UPDATE_MAPPING_PAIRS => kind() == kinds::DATA,
            _ => true,
        }
    }

    /// The record before `operation`; `None` where that cannot be told. `clusters` bounds runs.
    pub(super) fn before(self, operation: &Operation, clusters: u64) -> Option<Self> {
        let size = self.bytes.len();
        let (undo, payload) = (operation.undo.0, &operation.undo.1);
        match undo {
            // What was there before was nothing, or another file's.
            code::DEALLOCATE_FILE_RECORD => None,
            code::INITIALIZE_FILE_RECORD => Self::whole(payload, size),
            _ => self.changed(operation, clusters),
        }
        .filter(Self::is_sound)
    }

    /// The record that an operation replaced as a whole, whatever came after it.
    pub(super) fn replaced(operation: &Operation, size: usize) -> Option<Self> {
        let (undo, payload) = &operation.undo;
        let image = (*undo == code::INITIALIZE_FILE_RECORD).then(|| Self::whole(payload, size))?;
        image.filter(Self::is_sound)
    }

    /// The record that an operation wrote as a whole.
    pub(super) fn written(operation: &Operation, size: usize) -> Option<Self> {
        let (redo, payload) = &operation.redo;
        let image = (*redo == code::INITIALIZE_FILE_RECORD).then(|| Self::whole(payload, size))?;
        image.filter(Self::is_sound)
    }

    fn changed(mut self, operation: &Operation, clusters: u64) -> Option<Self> {
        let at = operation.record_offset;
        let (redo, undo) = (&operation.redo.1, &operation.undo.1);
        match operation.undo.0 {
            code::DELETE_ATTRIBUTE => {
                self.has(at, &redo.bytes)?;
                self.splice(at, redo.bytes.len(), &Payload::default())?;
            }
            code::CREATE_ATTRIBUTE => self.splice(at, 0, undo)?,
            code::WRITE_END_OF_FILE_RECORD => {
                let used = self.used()?;
                self.splice(at, used.checked_sub(at)?, undo)?;
            }
            code::UPDATE_RESIDENT_VALUE => self.value(operation)?,
            code::UPDATE_MAPPING_PAIRS => self.pairs(operation, clusters)?,
            code::SET_NEW_ATTRIBUTE_SIZES => self.sizes(at, &undo.bytes)?,
            _ => return None,
        }
        Some(self)
    }

    /// Puts an attribute's former value back.
    fn value(&mut self, operation: &Operation) -> Option<()> {
        let (redo, undo) = (&operation.redo.1, &operation.undo.1);
        let (attribute, inside) = (operation.record_offset, operation.attribute_offset);
        let at = attribute.checked_add(inside)?;
        self.has(at, &redo.bytes)?;
        if redo.bytes.len() == undo.bytes.len() {
            return self.put(at, undo);
        }
        let value_at = usize::from(self.fields().le_u16(attribute.checked_add(0x14)?).ok()?);
        let end = inside.checked_add(undo.bytes.len())?;
        self.resize(attribute, inside, undo)?;
        let length = u32::try_from(end.checked_sub(value_at)?).ok()?;
        self.write(attribute.checked_add(0x10)?, &length.to_le_bytes())
    }

    /// Puts an attribute's former runs back.
    fn pairs(&mut self, operation: &Operation, clusters: u64) -> Option<()> {
        let (attribute, inside) = (operation.record_offset, operation.attribute_offset);
        self.has(attribute.checked_add(inside)?, &operation.redo.1.bytes)?;
        self.resize(attribute, inside, &operation.undo.1)?;
        let fields = self.fields();
        let lowest = fields.le_u64(attribute.checked_add(0x10)?).ok()?;
        let pairs_at = usize::from(fields.le_u16(attribute.checked_add(0x20)?).ok()?);
        let length = self.attribute_length(attribute)?;
        let pairs = self.bytes.get(attribute.checked_add(pairs_at)?..attribute.checked_add(length)?)?;
        let mut runs = Vec::new();
        run_list::decode(pairs, lowest, clusters, 0, &mut runs).ok()?;
        let end = runs.last().map_or(lowest, |run| run.vcn.saturating_add(run.clusters));
        self.write(attribute.checked_add(0x18)?, &end.wrapping_sub(1).to_le_bytes())
    }

    /// Puts an attribute's former sizes back: allocated, initialised, content.
    fn sizes(&mut self, attribute: usize, sizes: &[u8]) -> Option<()> {
        let size = |number: usize| sizes.get(number.checked_mul(8)?..)?.first_chunk::<8>().copied();
        self.write(attribute.checked_add(0x28)?, &size(0)?)?;
        self.write(attribute.checked_add(0x30)?, &size(2)?)?;
        self.write(attribute.checked_add(0x38)?, &size(1)?)
    }

    /// Replaces what an attribute holds from its offset `inside` on, and its length with it.
    fn resize(&mut self, attribute: usize, inside: usize, new: &Payload) -> Option<()> {
        let before = self.attribute_length(attribute)?;
        let length = inside.checked_add(new.bytes.len())?.next_multiple_of(8);
        let mut padded = new.clone();
        padded.bytes.resize(length.checked_sub(inside)?, 0);
        self.splice(attribute.checked_add(inside)?, before.checked_sub(inside)?, &padded)?;
        self.write(attribute.checked_add(4)?, &u32::try_from(length).ok()?.to_le_bytes())
    }

    fn attribute_length(&self, attribute: usize) -> Option<usize> {
        usize::try_from(self.fields().le_u32(attribute.checked_add(4)?).ok()?).ok()
    }

    /// Replaces `remove` bytes at `at` of the used part by others; what is behind them moves.
    fn splice(&mut self, at: usize, remove: usize, new: &Payload) -> Option<()> {
        let (size, used) = (self.bytes.len(), self.used()?);
        let tail_at = at.checked_add(remove).filter(|&end| end <= used)?;
        let tail = self.bytes.get(tail_at..used)?.to_vec();
        let end = at.checked_add(new.bytes.len())?;
        let new_used = end.checked_add(tail.len()).filter(|&used| used <= size)?;
        self.origins = moved(&self.origins, at..tail_at, end);
        self.origins.extend(new.place.map(|place| (at..end, place)));
        self.bytes.truncate(at);
        self.bytes.extend_from_slice(&new.bytes);
        self.bytes.extend_from_slice(&tail);
        self.bytes.resize(size, 0);
        self.write(0x18, &u32::try_from(new_used).ok()?.to_le_bytes())
    }

    /// Overwrites bytes with others that the log holds.
    fn put(&mut self, at: usize, new: &Payload) -> Option<()> {
        self.write(at, &new.bytes)?;
        let end = at.checked_add(new.bytes.len())?;
        // Without a place of their own these bytes lie nowhere in this form.
        self.origins = moved(&self.origins, at..end, end);
        self.origins.extend(new.place.map(|place| (at..end, place)));
        Some(())
    }

    fn write(&mut self, at: usize, new: &[u8]) -> Option<()> {
        self.bytes.get_mut(at..at.checked_add(new.len())?)?.copy_from_slice(new);
        Some(())
    }

    /// Whether the record holds these bytes there.
    fn has(&self, at: usize, bytes: &[u8]) -> Option<()> {
        (self.bytes.get(at..at.checked_add(bytes.len())?)? == bytes).then_some(())
    }

    fn used(&self) -> Option<usize> {
        usize::try_from(self.fields().le_u32(0x18).ok()?).ok()
    }

    fn fields(&self) -> Fields<'_> {
        Fields::new("file record", &self.bytes, 0)
    }

    /// Whether all of its attributes can be read up to their end mark.
    fn is_sound(&self) -> bool {
        let Some(record) = self.record(0) else { return false };
        let mut at = record.attributes_at;
        let whole = Attributes::new(record.bytes, record.attributes_at, None).all(|attribute| {
            at = at.saturating_add(attribute.as_ref().map_or(0, |_| self.attribute_length(at).unwrap_or(0)));
            attribute.is_ok()
        });
        let end = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
        whole
            && (end.is_none()
                || end.is_some_and(|end| u32::from_le_bytes(*end) == kinds::END || end == &[0; 4]))
    }
}

/// Origins after the bytes `cut` were replaced by others that end at `end`: those before stay, those behind
/// move, those that were touched are gone.
fn moved(origins: &[(Range<usize>, u64)], cut: Range<usize>, end: usize) -> Vec<(Range<usize>, u64)> {
    let mut out = Vec::new();
    for (range, place) in origins {
        let front = range.start..range.end.min(cut.start);
        if front.start < front.end {
            out.push((front, *place));
        }
        let from = range.start.max(cut.end);
        let skipped = u64::try_from(from.saturating_sub(range.start)).unwrap_or(u64::MAX);
        if let Some(place) = place.checked_add(skipped).filter(|_| from < range.end) {
            let start = end.saturating_add(from.saturating_sub(cut.end));
            out.push((start..start.saturating_add(range.end.saturating_sub(from)), place));
        }
    }
    out
}
