//! Bytes that are written as text inside any content, swept in decoded form.

use super::confirm::{Bench, Content, ToDisk, Tools, to_u64, to_usize};
use super::stream::chunk;
use crate::content::coded::{self, Decoded, Run};
use crate::content::{self, HEAD, Limits};
use crate::error::Result;
use std::io::Read as _;
use std::ops::Range;

/// Text in text in text.
const DEPTH_MAX: usize = 2;
/// Bytes around a place in which a run is looked for first, and then if it goes on.
const NEAR: u64 = 64 << 10;
const FAR: u64 = 4 << 20;
/// Bytes of a member in a run that are matched.
const MEMBER_MAX: u64 = 16 << 20;

/// Places in `range` of a piece where a run may be.
pub(super) fn places(bytes: &[u8], range: Range<usize>, found: &mut Vec<usize>) {
    let (first, base) = (found.len(), range.start);
    coded::places(bytes.get(range).unwrap_or_default(), found);
    for place in found.get_mut(first..).unwrap_or_default() {
        *place = place.saturating_add(base);
    }
}

/// Handles the places of a piece of the disk, whose first byte lies at `disk`: runs are decoded in their
/// owner's content, from their first byte to their last.
pub(super) fn physical(tools: &Tools<'_>, bench: &mut Bench, disk: u64, bytes: &[u8], places: &[usize]) {
    let mut done = 0;
    for &place in places.iter() {
        if place < done {
            continue;
        }
        let (range, run) = coded::look(bytes, place);
        done = range.end;
        // What runs over the border of the piece shows all of itself only in its owner's content.
        if run.is_none() && range.start > 0 && range.end < bytes.len() {
            continue;
        }
        let at = disk.saturating_add(to_u64(place));
        let mut goes_on = false;
        bench.around(tools, at, NEAR, &mut |bench, content, position| {
            goes_on = is_cut(content, &coded::look(content.bytes, position).0);
            if !goes_on {
                at_position(tools, bench, content, position);
            }
        });
        if goes_on {
            bench.around(tools, at, FAR, &mut |bench, content, position| {
                at_position(tools, bench, content, position);
            });
        }
    }
}

/// Whether a run goes on outside of what is seen of its content.
fn is_cut(content: &Content<'_>, range: &Range<usize>) -> bool {
    (range.start == 0 && !content.at_start) || (range.end == content.bytes.len() && !content.at_end)
}

/// Handles the runs that touch `search` of content in memory.
pub(super) fn inside(tools: &Tools<'_>, bench: &mut Bench, content: &Content<'_>, search: Range<usize>) {
    if bench.coded_depth >= DEPTH_MAX {
        return;
    }
    let mut found = Vec::new();
    places(content.bytes, search, &mut found);
    let mut done = 0;
    for place in found {
        if place >= done {
            done = at_position(tools, bench, content, place);
        }
    }
}

/// Handles the run at a position, if there is one; returns where it ends.
fn at_position(tools: &Tools<'_>, bench: &mut Bench, content: &Content<'_>, position: usize) -> usize {
    let (range, run) = coded::look(content.bytes, position);
    if let Some(run) = run {
        bench.coded_depth = bench.coded_depth.saturating_add(1);
        decoded(tools, bench, content, &run);
        bench.coded_depth = bench.coded_depth.saturating_sub(1);
    }
    range.end
}

fn decoded(tools: &Tools<'_>, bench: &mut Bench, outer: &Content<'_>, run: &Run) {
    let decoded = coded::decode(outer.bytes, run);
    let place = outer.logical.saturating_add(to_u64(run.range.start));
    let name = format!("{}@{place}", run.form.name());
    let path = outer.member.map_or_else(|| name.clone(), |member| format!("{member}!/{name}"));
    let to_disk = Within { outer, decoded: &decoded };
    let content = Content {
        bytes: &decoded.bytes,
        logical: 0,
        is_stream: true,
        at_start: true,
        at_end: true,
        member: Some(&path),
        decoded: true,
        to_disk: &to_disk,
        ..*outer
    };
    let head = decoded.bytes.get(..HEAD.min(decoded.bytes.len())).unwrap_or_default();
    let Some(decoder) = content::recognise(head) else {
        chunk(tools, bench, &content, 0..decoded.bytes.len(), 0);
        return;
    };
    let limits = Limits { bytes_free: MEMBER_MAX, held_max: MEMBER_MAX, ..Limits::default() };
    // What is cut here is a part of a run that is matched as it is as well.
    drop(content::decode(&decoded.bytes, decoder, &limits, &mut |inner, reader| -> Result<()> {
        let mut bytes = Vec::new();
        let read = reader.take(MEMBER_MAX).read_to_end(&mut bytes);
        let path = format!("{path}!/{}", inner.path);
        let member =
            Content { bytes: &bytes, member: Some(&path), to_disk: &super::confirm::Nowhere, ..content };
        chunk(tools, bench, &member, 0..bytes.len(), 0);
        read.map(drop).map_err(content::decode_error)
    }));
}

/// The text in which decoded bytes are written.
#[derive(Debug)]
struct Within<'a> {
    outer: &'a Content<'a>,
    decoded: &'a Decoded,
}

impl ToDisk for Within<'_> {
    fn to_disk(&self, logical: u64) -> Option<u64> {
        let at = self.decoded.source(to_usize(logical))?;
        self.outer.to_disk.to_disk(self.outer.logical.saturating_add(to_u64(at)))
    }
}
