//! Windows event logs (Windows XML Event Log, EVTX): each record as lines of `name=value`, the names from the
//! template and the values from the record. PowerShell script blocks that were logged in parts are joined.

mod binxml;

use super::gather::Text;
use super::{Decoder, Form, Visit, to_u64};
use crate::error::{Error, Result};
use crate::format::{le32, le64};
use crate::io::{ReadAt, read_vec};
use binxml::Event;
use std::collections::BTreeMap;

/// The file header.
const HEADER: u64 = 4096;
const CHUNK: usize = 64 << 10;
/// Where records start in a chunk.
const RECORDS: usize = 512;
/// Size, number, time and the size again.
const RECORD_MIN: usize = 28;
/// Script blocks of which parts are awaited at a time.
const BLOCKS_MAX: usize = 64;
/// Bytes of parts that are held.
const HELD_MAX: usize = 32 << 20;

pub(super) const DECODER: Decoder =
    Decoder { name: "evtx", probe: |head| head.starts_with(b"ElfFile\0"), form: Form::Partial(decode) };

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let mut at = HEADER;
    let mut blocks = Blocks::default();
    let mut trouble = None;
    // By the file's length: the header's count is only brought up to date when the log is closed.
    while at < content.size() {
        let length = usize::try_from(content.size().saturating_sub(at)).unwrap_or(CHUNK).min(CHUNK);
        let chunk = read_vec(content, at, length)?;
        if chunk.starts_with(b"ElfChnk\0") {
            if let Some(wrong) = records(&chunk, at, &mut blocks, visit)? {
                trouble.get_or_insert(wrong);
            }
        } else if chunk.iter().any(|&byte| byte != 0) {
            trouble.get_or_insert_with(|| Error::corrupt(at, "chunk", "ElfChnk", "another magic"));
        }
        at = at.saturating_add(to_u64(CHUNK));
    }
    blocks.finish(visit)?;
    trouble.map_or(Ok(()), Err)
}

/// Hands on the records of a chunk; returns the first thing in it that is wrong.
fn records(chunk: &[u8], base: u64, blocks: &mut Blocks, visit: Visit<'_>) -> Result<Option<Error>> {
    let mut trouble = None;
    let mut at = RECORDS;
    let free = le32(chunk, 48).and_then(|end| usize::try_from(end).ok()).unwrap_or(CHUNK);
    // Records behind the end of the last use of the chunk are of an earlier one, and their templates are gone.
    while at.saturating_add(RECORD_MIN) <= free.min(chunk.len()) {
        let Some(record) = chunk.get(at..).filter(|record| record.starts_with(b"**\0\0")) else { break };
        let length = le32(record, 4).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        if length < RECORD_MIN || length > record.len() {
            let place = base.saturating_add(to_u64(at));
            trouble = Some(Error::corrupt(place, "record size", "one that fits into the chunk", length));
            break;
        }
        let number = le64(record, 8).unwrap_or(0);
        let range = at.saturating_add(24)..at.saturating_add(length).saturating_sub(4);
        let (event, wrong) = binxml::event(chunk, range, base);
        trouble = trouble.or(wrong);
        at = at.saturating_add(length);
        let name = match &event.id {
            Some(id) => format!("record {number}, event {id}"),
            None => format!("record {number}"),
        };
        if let Some(event) = blocks.take(event, visit)? {
            event.text.visit(&name, visit)?;
        }
    }
    Ok(trouble)
}

/// Script blocks that were logged in several records, by their id.
#[derive(Default)]
struct Blocks {
    parts: BTreeMap<Vec<u8>, BTreeMap<u64, Text>>,
    held: usize,
}

impl Blocks {
    /// Takes an event that is a part of a script block, and hands on the block with its last part; gives back
    /// any other event.
    fn take(&mut self, event: Event, visit: Visit<'_>) -> Result<Option<Event>> {
        let Event { part: Some(number), parts: Some(total), block: Some(script), .. } = &event else {
            return Ok(Some(event));
        };
        if *total < 2 || event.block_id.is_empty() {
            return Ok(Some(event));
        }
        let parts = self.parts.entry(event.block_id.clone()).or_default();
        parts.insert(*number, script.clone());
        self.held = self.held.saturating_add(script.bytes.len());
        if to_u64(parts.len()) >= *total {
            self.end(&event.block_id.clone(), visit)?;
        } else if (self.parts.len() > BLOCKS_MAX || self.held > HELD_MAX)
            && let Some(first) = self.parts.keys().next().cloned()
        {
            self.end(&first, visit)?;
        }
        Ok(None)
    }

    fn end(&mut self, id: &[u8], visit: Visit<'_>) -> Result<()> {
        let mut text = Text::default();
        let parts = self.parts.remove(id).unwrap_or_default();
        for part in parts.values() {
            self.held = self.held.saturating_sub(part.bytes.len());
            text.append(part);
        }
        text.visit(&format!("script block {}", crate::location::escape(id)), visit)
    }

    /// Hands on what is left, of which parts are missing.
    fn finish(mut self, visit: Visit<'_>) -> Result<()> {
        while let Some(id) = self.parts.keys().next().cloned() {
            self.end(&id, visit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part of a script block, as if it lay at `source` in UTF-16.
    fn part(number: u64, total: u64, source: u64, script: &str) -> Event {
        let wide: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut text = Text::default();
        text.wide(source, &wide);
        let (part, parts) = (Some(number), Some(total));
        Event { part, parts, block: Some(text), block_id: b"1f".to_vec(), ..Event::default() }
    }

    #[test]
    fn a_script_block_in_parts_is_handed_on_as_one_with_the_places_of_its_parts() {
        let mut blocks = Blocks::default();
        let mut seen = Vec::new();
        let mut visit = |member: super::super::Member<'_>| {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(member.content, &mut bytes).unwrap();
            seen.push((member.name.to_vec(), bytes, member.pieces.to_vec()));
            Ok(())
        };
        // The parts come in any order; whatever is no part comes back.
        assert!(blocks.take(part(2, 2, 9000, "IAQ3EG"), &mut visit).unwrap().is_none());
        assert!(blocks.take(Event::default(), &mut visit).unwrap().is_some());
        assert!(blocks.take(part(1, 1, 0, "whole"), &mut visit).unwrap().is_some());
        assert!(blocks.take(part(1, 2, 5000, "key = AK"), &mut visit).unwrap().is_none());
        blocks.take(part(1, 3, 100, "rest"), &mut visit).unwrap();
        blocks.finish(&mut visit).unwrap();
        let [(name, text, pieces), (_, rest, _)] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((name.as_slice(), text.as_slice()), (&b"script block 1f"[..], &b"key = AKIAQ3EG"[..]));
        let places: Vec<_> = pieces.iter().map(|piece| (piece.at, piece.source, piece.width)).collect();
        assert_eq!(places, [(0, 5000, 2), (8, 9000, 2)]);
        assert_eq!(rest, b"rest");
    }
}
