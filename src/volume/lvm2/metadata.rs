//! Physical volumes: the label, and the volume group's text out of the metadata areas (LVM2,
//! `lib/label/label.h`, `lib/format_text/layout.h`).

use super::text::{self, Section};
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt, read_vec};

const SECTOR: u64 = 512;
/// The label is in one of the first four sectors.
const LABEL_SECTORS: u64 = 4;
/// Entries in a list of areas; LVM2 writes two metadata areas at most.
const AREAS_MAX: usize = 16;
/// Header of a metadata area; the text goes round behind it.
const HEADER: u64 = 512;
/// Texts in a metadata area: the one in force, and the one that a command was about to write.
const SLOTS: usize = 4;
/// Length of a text. A group with thousands of volumes stays below.
const TEXT_MAX: u64 = 16 << 20;
/// Length of a metadata area that is searched for texts that no header points to.
const SEARCH_MAX: u64 = 16 << 20;
/// Longest first line of a text: a name of at most 127 characters, and an opening brace.
const LINE_MAX: usize = 130;
/// Bytes of such texts that are parsed at most, as each may reach to the end of the area.
const PARSED_MAX: usize = 32 << 20;
/// Start value of LVM2's checksums (CRC-32, reflected, not inverted at the end).
const CHECKSUM_START: u32 = 0xf597_a6cf;
const MAGIC: &[u8; 16] = b" LVM2 x[5A%r0N*>";

/// A physical volume as its own label describes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Label {
    /// Identifier, 32 characters without dashes.
    pub(super) id: String,
    /// Start and length of the metadata areas in bytes.
    pub(super) areas: Vec<(u64, u64)>,
    pub(super) notes: Vec<String>,
}

/// A volume group's text.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// Counts the changes of the group.
    pub(super) sequence: u64,
    pub(super) root: Section,
}

/// The label of a physical volume, where `volume` is one.
pub(super) fn label(volume: &dyn ReadAt) -> Option<Label> {
    (0..LABEL_SECTORS).find_map(|sector| label_at(volume, sector).ok().flatten())
}

fn label_at(volume: &dyn ReadAt, number: u64) -> Result<Option<Label>> {
    let at = number.saturating_mul(SECTOR);
    let sector = read_vec(volume, at, 512)?;
    let fields = Fields::new("LVM label", &sector, at);
    if fields.array(0)? != *b"LABELONE" || fields.array(24)? != *b"LVM2 001" {
        return Ok(None);
    }
    let mut label = Label::default();
    let sum = checksum(fields.bytes(20, 492)?);
    if fields.le_u32(16)? != sum {
        label.notes.push("the label of a physical volume has a wrong checksum".to_owned());
    }
    let header = usize::try_from(fields.le_u32(20)?).unwrap_or(usize::MAX);
    label.id = String::from_utf8_lossy(fields.bytes(header, 32)?).into_owned();
    let lists = header.saturating_add(40);
    let (_, after_data) = areas(&fields, lists)?;
    label.areas = areas(&fields, after_data)?.0;
    Ok(Some(label))
}

/// A list of areas that ends in zeros; and where it ends.
fn areas(fields: &Fields<'_>, start: usize) -> Result<(Vec<(u64, u64)>, usize)> {
    let (mut found, mut at) = (Vec::new(), start);
    for _ in 0..AREAS_MAX {
        let area = (fields.le_u64(at)?, fields.le_u64(at.saturating_add(8))?);
        at = at.saturating_add(16);
        if area.0 == 0 {
            break;
        }
        found.push(area);
    }
    Ok((found, at))
}

/// The newest text of all metadata areas. What is wrong with an area is noted; where no area has a sound text
/// in force, the newest of those that commands left behind is taken.
pub(super) fn newest(volume: &dyn ReadAt, label: &Label, notes: &mut Vec<String>) -> Option<Text> {
    let mut best: Option<Text> = None;
    let mut take = |text: Text| {
        if best.as_ref().is_none_or(|best| best.sequence < text.sequence) {
            best = Some(text);
        }
    };
    for &(start, size) in &label.areas {
        match in_force(volume, start, size) {
            Ok(text) => text.into_iter().for_each(&mut take),
            Err(error) => {
                notes.push(format!("a metadata area of a physical volume is not sound: {error}"));
                left_behind(volume, start, size).into_iter().for_each(&mut take);
            }
        }
    }
    best
}

/// The text that the header of a metadata area points to; `None` where the area is empty or not in use.
fn in_force(volume: &dyn ReadAt, start: u64, size: u64) -> Result<Option<Text>> {
    let header = read_vec(volume, start, 512)?;
    let fields = Fields::new("LVM metadata area", &header, start);
    if fields.array(4)? != *MAGIC {
        return Err(Error::corrupt(start, "metadata area", "the magic of LVM2", "other bytes"));
    }
    let (found, sum) = (fields.le_u32(0)?, checksum(fields.bytes(4, 508)?));
    if found != sum {
        return Err(Error::corrupt(
            start,
            "metadata area checksum",
            format!("{sum:#x}"),
            format!("{found:#x}"),
        ));
    }
    let size = fields.le_u64(32)?.min(size);
    for slot in (40_usize..).step_by(24).take(SLOTS) {
        let (offset, length) = (fields.le_u64(slot)?, fields.le_u64(slot.saturating_add(8))?);
        let (sum, flags) = (fields.le_u32(slot.saturating_add(16))?, fields.le_u32(slot.saturating_add(20))?);
        // The first slot that is not marked as ignored is the one in force.
        if offset == 0 || flags & 1 != 0 {
            continue;
        }
        let bytes = ring(volume, start, size, offset, length)?;
        let found = checksum(&bytes);
        if found != sum {
            let at = start.saturating_add(offset);
            return Err(Error::corrupt(at, "text checksum", format!("{sum:#x}"), format!("{found:#x}")));
        }
        return parsed(&bytes).map(Some);
    }
    Ok(None)
}

/// `length` bytes of the ring from `offset` on; behind its end it goes on behind the header.
fn ring(volume: &dyn ReadAt, start: u64, size: u64, offset: u64, length: u64) -> Result<Vec<u8>> {
    let room = size.saturating_sub(HEADER);
    if offset < HEADER || offset >= size || length > room || length > TEXT_MAX {
        let expected = format!("a text within {HEADER} to {size}");
        return Err(Error::corrupt(start, "metadata area", expected, format!("{length} bytes at {offset}")));
    }
    let first = length.min(size.saturating_sub(offset));
    let read = |at: u64, length: u64| {
        read_vec(volume, start.saturating_add(at), usize::try_from(length).unwrap_or(usize::MAX))
    };
    let mut bytes = read(offset, first)?;
    bytes.extend(read(HEADER, length.saturating_sub(first))?);
    Ok(bytes)
}

/// Texts that stand in the ring without a header that points to them: the newest.
fn left_behind(volume: &dyn ReadAt, start: u64, size: u64) -> Option<Text> {
    let length = size.min(SEARCH_MAX).min(volume.size().saturating_sub(start));
    let bytes = read_vec(volume, start, usize::try_from(length).ok()?).ok()?;
    // Each text starts in a sector of its own, with the group's name and an opening brace, and ends at a NUL.
    let starts = (512..bytes.len()).step_by(512).filter_map(|at| {
        let rest = bytes.get(at..)?;
        let line = rest.get(..LINE_MAX.min(rest.len()))?.split(|&byte| byte == b'\n').next()?;
        (line.len() < LINE_MAX && line.ends_with(b" {") && line.is_ascii()).then_some(rest)
    });
    let mut left = PARSED_MAX;
    let texts = starts.map_while(|rest| {
        let text = rest.split(|&byte| byte == 0).next()?;
        left = left.checked_sub(text.len())?;
        Some(parsed(text).ok())
    });
    texts.flatten().max_by_key(|text| text.sequence)
}

fn parsed(bytes: &[u8]) -> Result<Text> {
    let root = text::parse(bytes)?;
    let sequence = root.sections().next().and_then(|(_, group)| group.number("seqno"));
    let sequence =
        sequence.ok_or_else(|| Error::corrupt(0, "volume group text", "a sequence number", "none"))?;
    Ok(Text { sequence, root })
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(!CHECKSUM_START);
    hasher.update(bytes);
    !hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_texts_without_a_header_the_newest_is_found() {
        let mut area = vec![0; 16 << 10];
        for (at, text) in [
            (512, "vg {\n seqno = 1\n}\n"),
            (1024, "vg {\n seqno = 3\n}\n"),
            (2048, "vg {\n seqno = 2\n}\n"),
            (4096, "vg {\n seqno = 9\n"),
        ] {
            area[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        assert_eq!(left_behind(&area, 0, 16 << 10).unwrap().sequence, 3);
    }

    #[test]
    fn an_area_without_ends_of_lines_or_of_texts_is_searched_in_no_time() {
        // For each of the sectors of either, all the rest would be looked through.
        let blank = vec![b' '; 16 << 20];
        assert!(left_behind(&blank, 0, 16 << 20).is_none());
        let mut texts = vec![b' '; 16 << 20];
        for sector in texts.chunks_mut(512) {
            sector[..16].copy_from_slice(b"vg {\n seqno=1\n}\n");
        }
        assert_eq!(left_behind(&texts, 0, 16 << 20).unwrap().sequence, 1);
    }
}
