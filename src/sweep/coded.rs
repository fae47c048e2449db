//! Bytes that are written as text inside any content, swept in decoded form.

use super::confirm::{Bench, Content, Nowhere, Tools, to_u64, to_usize};
use super::stream::chunk;
use super::within::{Meaning, Within};
use crate::content::coded::{self, Run};
use crate::content::{self, Cut, HEAD, Limits, mime};
use crate::coverage::{Gap, GapKind};
use crate::error::{Error, Kind, Result};
use std::io::Read as _;
use std::ops::Range;

/// Text in text: a password in Base64 in the manifest of a release, which is packed and written as Base64 twice,
/// lies three deep, with escapes between. Escapes count as well.
pub(super) const DEPTH_MAX: usize = 4;
/// Bytes around a place in which a run is looked for first, and then if it goes on.
const NEAR: u64 = 64 << 10;
const FAR: u64 = 1 << 20;
/// A run that comes so close to the end of what is seen may go on there: a line that is cut is too short to
/// count as one, in UTF-16 as well.
const EDGE: usize = 256;
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
        let (range, run) = coded::look(bytes, place, disk);
        done = range.end;
        // What runs over the border of the piece shows all of itself only in its owner's content.
        if run.is_none() && range.start > 0 && range.end < bytes.len() {
            continue;
        }
        let at = (disk, bytes, place);
        let mut goes_on = false;
        bench.around(tools, at, NEAR, &mut |bench, content, position| {
            goes_on = is_cut(content, &coded::look(content.bytes, position, content.logical).0);
            if !goes_on {
                at_position(tools, bench, content, position);
            }
        });
        if goes_on {
            bench.around(tools, at, FAR, &mut |bench, content, position| {
                at_position(tools, bench, content, position);
            });
            // What lies further on in the piece gets a window of its own, with much of this one in it.
            done = done.min(place.saturating_add(to_usize(FAR - NEAR)));
        }
    }
}

/// Whether a run may go on outside of what is seen of its content.
fn is_cut(content: &Content<'_>, range: &Range<usize>) -> bool {
    let near_end = content.bytes.len().saturating_sub(range.end) < EDGE;
    (range.start < EDGE && !content.at_start) || (near_end && !content.at_end)
}

/// Handles the runs that touch `search` of content in memory.
pub(super) fn inside(tools: &Tools<'_>, bench: &mut Bench, content: &Content<'_>, search: Range<usize>) {
    let mut found = Vec::new();
    places(content.bytes, search, &mut found);
    if bench.coded_depth >= DEPTH_MAX {
        let run = found.iter().find_map(|&place| coded::look(content.bytes, place, content.logical).1);
        if let Some(run) = run {
            let error = Error::new(Kind::LimitExceeded, "text in text, not read any deeper");
            let cut = Cut { member: run.form.name().to_owned(), error };
            bench.cuts.extend(gap(tools, content, &cut));
        }
        return;
    }
    let mut done = 0;
    for place in found {
        if place >= done {
            done = at_position(tools, bench, content, place);
        }
    }
}

/// Handles the run at a position, if there is one; returns where it ends.
fn at_position(tools: &Tools<'_>, bench: &mut Bench, content: &Content<'_>, position: usize) -> usize {
    let (range, run) = coded::look(content.bytes, position, content.logical);
    if let Some(run) = run.filter(|_| !mime::is_announced(content.bytes, range.start)) {
        decoded(tools, bench, content, &run);
    }
    range.end
}

/// Handles the part of a mail that a header announces, which ends at `header`; returns up to where no other header
/// announces anything else, and nothing where the part goes on behind the content that is seen and that is not the
/// last attempt.
pub(super) fn part(
    tools: &Tools<'_>,
    bench: &mut Bench,
    content: &Content<'_>,
    header: usize,
    is_last: bool,
) -> Option<usize> {
    let left = |at: usize| content.bytes.len().saturating_sub(at);
    let Some(body) = mime::body(content.bytes, header) else {
        let goes_on = !content.at_end && left(header) < mime::HEADERS_MAX;
        // Nothing is announced there; nor is it by headers that stand in the same text.
        return (is_last || !goes_on).then_some(header.saturating_add(mime::HEADERS_MAX / 2));
    };
    let Some(run) = coded::announced(content.bytes, body) else {
        let goes_on = !content.at_end && left(body) < EDGE;
        return (is_last || !goes_on).then_some(body);
    };
    let is_cut = !content.at_end && left(run.range.end) < EDGE;
    if is_cut && !is_last {
        return None;
    }
    decoded(tools, bench, content, &run);
    if is_cut {
        let error =
            Error::new(Kind::LimitExceeded, "a part of a mail that is longer than is decoded at a time");
        let cut = Cut { member: coded::Form::Base64.name().to_owned(), error };
        bench.cuts.extend(gap(tools, content, &cut));
    }
    Some(run.range.end)
}

fn decoded(tools: &Tools<'_>, bench: &mut Bench, outer: &Content<'_>, run: &Run) {
    bench.coded_depth = bench.coded_depth.saturating_add(1);
    bytes_of(tools, bench, outer, run);
    bench.coded_depth = bench.coded_depth.saturating_sub(1);
}

fn bytes_of(tools: &Tools<'_>, bench: &mut Bench, outer: &Content<'_>, run: &Run) {
    let decoded = coded::decode(outer.bytes, run);
    let name = run.form.name();
    let path = outer.member.map_or_else(|| name.to_owned(), |member| format!("{member}!/{name}"));
    let to_disk = Within { outer, meaning: Meaning::Decoded(&decoded) };
    let content = Content {
        bytes: &decoded.bytes,
        logical: 0,
        is_stream: outer.is_stream,
        at_start: true,
        at_end: true,
        member: Some(&path),
        decoded: true,
        to_disk: &to_disk,
        ..*outer
    };
    let head = decoded.bytes.get(..HEAD.min(decoded.bytes.len())).unwrap_or_default();
    let decoder = content::recognise(head);
    // What a decoder only adds to is matched as it is, too.
    if decoder.is_none_or(|decoder| matches!(decoder.form, content::Form::Partial(_))) {
        chunk(tools, bench, &content, 0..decoded.bytes.len(), 0);
    }
    let Some(decoder) = decoder else { return };
    // Several runs of one content may hold members of one name.
    let path = format!("{path}@{}", outer.logical.saturating_add(to_u64(run.range.start)));
    let content = Content { member: Some(&path), ..content };
    let limits = Limits { bytes_free: MEMBER_MAX, held_max: MEMBER_MAX, ..Limits::default() };
    let cuts = content::decode(&decoded.bytes, decoder, &limits, &mut |inner, reader| -> Result<()> {
        let mut bytes = Vec::new();
        let read = reader.take(MEMBER_MAX).read_to_end(&mut bytes);
        let path = format!("{path}!/{}", inner.path);
        let member = Content { bytes: &bytes, member: Some(&path), to_disk: &Nowhere, ..content };
        chunk(tools, bench, &member, 0..bytes.len(), 0);
        read.map(drop).map_err(content::decode_error)
    });
    bench.cuts.extend(cuts.iter().filter_map(|cut| gap(tools, &content, cut)));
}

/// The gap that a cut leaves.
fn gap(tools: &Tools<'_>, content: &Content<'_>, cut: &Cut) -> Option<Gap> {
    let land = tools.ground.lands.get(content.land)?;
    let outer = content.member.unwrap_or_default();
    let member = match (outer, cut.member.as_str()) {
        (outer, "") => outer.to_owned(),
        ("", member) => member.to_owned(),
        (outer, member) => format!("{outer}!/{member}"),
    };
    let path = match content.entry {
        Some((entry, _)) => super::inner::member_path(land, entry, Some(&member)),
        None => member,
    };
    Some(Gap {
        kind: GapKind::Limited,
        volume: land.volume.name.clone(),
        disk_offset: content.to_disk.to_disk(0),
        length: None,
        path: Some(path),
        reason: cut.error.to_string(),
    })
}
