//! Write-ahead logs of SQLite databases (section 4 of the format): records over overflow pages, put together
//! out of the frames of their own transaction and those before it.

use super::record::{self, Page, Pages};
use crate::content::{Decoder, Form, Visit, to_u64, to_usize};
use crate::error::{Error, Result};
use crate::format::be32;
use crate::io::{ReadAt, read_vec};
use std::collections::HashMap;

const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// Frames that are looked at.
const FRAMES_MAX: usize = 4 << 20;

pub(in crate::content) const DECODER: Decoder =
    Decoder { name: "sqlite-wal", probe: starts, form: Form::Partial(decode) };

fn starts(head: &[u8]) -> bool {
    matches!(head, [0x37, 0x7f, 0x06, 0x82 | 0x83, 0x00, 0x2d, 0xe2, 0x18, ..])
}

/// A frame: a page as one transaction left it.
struct Frame {
    page: u32,
    source: u64,
    /// Number of the last frame of its transaction.
    commit: usize,
}

fn decode(content: &dyn ReadAt, visit: Visit<'_>) -> Result<()> {
    let header = read_vec(content, 0, 32)?;
    let page_size = be32(&header, 8).unwrap_or(0);
    if !(512..=65_536).contains(&page_size) || !page_size.is_power_of_two() {
        return Err(Error::corrupt(8, "page size", "a power of two from 512 to 65,536", page_size));
    }
    let frames = frames(content, u64::from(page_size))?;
    // The frames of each page, in order.
    let mut by_page: HashMap<u32, Vec<usize>> = HashMap::new();
    for (index, frame) in frames.iter().enumerate() {
        by_page.entry(frame.page).or_default().push(index);
    }
    for frame in &frames {
        let log = Log { content, frames: &frames, by_page: &by_page, commit: frame.commit };
        let mut kind = [0];
        content.read_at(frame.source, &mut kind)?;
        if !matches!(kind, [2 | 10 | 13]) {
            continue;
        }
        let bytes = read_vec(content, frame.source, to_usize(u64::from(page_size)))?;
        let usable = bytes.len();
        let page = Page { number: frame.page, source: frame.source, header: 0, bytes };
        record::page(&log, usable, &format!("page {} at {}", frame.page, frame.source), &page, visit)?;
    }
    Ok(())
}

/// Reads the headers of all frames, those of earlier uses of the log included: they are behind the last valid
/// one, and other salts begin with them.
fn frames(content: &dyn ReadAt, page_size: u64) -> Result<Vec<Frame>> {
    let mut frames: Vec<Frame> = Vec::new();
    let step = FRAME_HEADER.saturating_add(page_size);
    let mut at = HEADER;
    let mut open = 0;
    let mut salts = Vec::new();
    while at.saturating_add(step) <= content.size() && frames.len() < FRAMES_MAX {
        let header = read_vec(content, at, 24)?;
        let own = header.get(8..16).unwrap_or_default().to_vec();
        let is_commit = be32(&header, 4).unwrap_or(0) != 0;
        if own != salts {
            close(&mut frames, &mut open);
            salts = own;
        }
        let source = at.saturating_add(FRAME_HEADER);
        frames.push(Frame { page: be32(&header, 0).unwrap_or(0), source, commit: usize::MAX });
        if is_commit {
            close(&mut frames, &mut open);
        }
        at = at.saturating_add(step);
    }
    close(&mut frames, &mut open);
    Ok(frames)
}

/// Ends the transaction whose frames begin with number `open`.
fn close(frames: &mut [Frame], open: &mut usize) {
    let last = frames.len().saturating_sub(1);
    for frame in frames.get_mut(*open..).unwrap_or_default() {
        frame.commit = last;
    }
    *open = frames.len();
}

/// The pages as one transaction saw them, as far as the log has them.
struct Log<'a> {
    content: &'a dyn ReadAt,
    frames: &'a [Frame],
    by_page: &'a HashMap<u32, Vec<usize>>,
    commit: usize,
}

impl Pages for Log<'_> {
    fn content(&self) -> &dyn ReadAt {
        self.content
    }

    fn place(&self, number: u32) -> Option<u64> {
        let own = self.by_page.get(&number)?;
        let next = own.partition_point(|&index| index <= self.commit);
        self.frames.get(*own.get(next.checked_sub(1)?)?).map(|frame| frame.source)
    }

    fn count(&self) -> u32 {
        u32::try_from(to_u64(self.frames.len())).unwrap_or(u32::MAX)
    }
}
