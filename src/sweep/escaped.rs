//! Text with escapes inside any content, swept without them.

use super::confirm::{Bench, Content, Tools, to_u64, to_usize};
use super::prefilter::Hit;
use super::within::{Meaning, Within};
use super::{coded, stream::chunk};
use crate::content::escaped::{self, AHEAD, BEHIND, Form, Unescaped};
use crate::content::mime::{self, Encoding as Part};
use crate::detect::Detector;
use crate::rules::{Encoding, Literal};
use std::ops::Range;

/// Bytes around a place that are read without escapes.
const REACH: u64 = 16 << 10;
/// Bytes around a header of a mail in which the part behind it is read: most parts are short.
const PARTS: [u64; 3] = [2 * REACH, 1 << 20, 16 << 20];
/// Bytes at an end of them, where the text goes on, in which nothing is looked for: a match might be cut there.
const MARGIN: usize = 4 << 10;
/// A place beside which there is an escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sight {
    at: usize,
    /// Length of the word that was seen.
    length: usize,
    /// How it is escaped; `None` where too little of its surroundings was seen to tell.
    form: Option<Form>,
    /// What it says of the part behind it, where it stands in a header of a mail.
    part: Option<Part>,
}

impl Sight {
    /// The word that was seen.
    pub(super) fn word(self) -> Range<usize> {
        self.at..self.at.saturating_add(self.length)
    }

    /// Bytes around it that are looked at: those that follow are tried where it goes on. The second value says
    /// which are the last.
    fn reaches(self) -> impl Iterator<Item = (u64, bool)> {
        let count = match self.part {
            None => 1,
            Some(Part::Quoted) => 2,
            Some(Part::Base64) => PARTS.len(),
        };
        PARTS
            .into_iter()
            .take(count)
            .enumerate()
            .map(move |(at, reach)| (reach, at.saturating_add(1) == count))
    }

    /// The same place, counted from `start`.
    pub(super) fn from(self, start: usize) -> Self {
        Self { at: self.at.saturating_sub(start), ..self }
    }
}

/// Up to where sights are done.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    /// All of them.
    all: usize,
    /// Those that announce a part in quoted-printable, of which the next ones mostly lie in what was read.
    quoted: usize,
    /// Those that announce a part in Base64. Text in quoted-printable may seem to go on over such a part, which is
    /// met from its own header; headers before one part share it.
    base64: usize,
}

impl Done {
    fn holds(self, sight: Sight) -> bool {
        sight.at
            < match sight.part {
                None => self.all,
                Some(Part::Quoted) => self.all.max(self.quoted),
                Some(Part::Base64) => self.base64,
            }
    }

    /// The same in offsets that count from `base` of these on, from `from` there.
    fn moved(self, from: usize, base: usize) -> Self {
        let moved = |at: usize| if at == 0 { 0 } else { at.saturating_sub(from).saturating_add(base) };
        Self { all: moved(self.all), quoted: moved(self.quoted), base64: moved(self.base64) }
    }

    fn and(self, other: Self) -> Self {
        Self {
            all: self.all.max(other.all),
            quoted: self.quoted.max(other.quoted),
            base64: self.base64.max(other.base64),
        }
    }
}

/// The literals to search for: those of the rules, then their spellings in text with escapes.
pub fn literals(detector: &Detector) -> Vec<Literal> {
    // In order, as a detector keeps them.
    let own = detector.literals();
    let mut spelled: Vec<Literal> = own
        .iter()
        .flat_map(|literal| {
            let ignore_case = literal.ignore_case;
            let spellings = escaped::spellings(&literal.bytes, ignore_case);
            spellings.into_iter().map(move |bytes| Literal { bytes, ignore_case })
        })
        .filter(|literal| own.binary_search(literal).is_err())
        .collect();
    let headers = [mime::QUOTED, mime::BASE64];
    spelled.extend(headers.map(|header| Literal { bytes: header.to_vec(), ignore_case: true }));
    spelled.sort();
    spelled.dedup();
    own.iter().cloned().chain(spelled).collect()
}

/// Takes the hits of spellings out of `hits`, and notes where text with escapes is: `bytes` was searched. `is_all`
/// says whether it is all of its content, so that nothing stands beside it.
pub(super) fn sights(
    tools: &Tools<'_>,
    bytes: &[u8],
    is_all: bool,
    hits: &mut Vec<Hit>,
    found: &mut Vec<Sight>,
) {
    let own = tools.detector.literals().len();
    hits.retain(|hit| {
        let length = tools.hit_length(hit);
        let is_own = hit.literal < own;
        if hit.encoding == Encoding::Narrow {
            let end = hit.offset.saturating_add(length);
            let spelling = tools.prefilter.literals().get(hit.literal).filter(|_| !is_own);
            let form = match spelling {
                Some(literal) => escaped::form_of(&literal.bytes),
                None => escaped::beside(bytes, hit.offset..end),
            };
            let part = spelling.and_then(|literal| Part::of(&literal.bytes));
            let is_near_border = hit.offset < BEHIND || end.saturating_add(AHEAD) > bytes.len();
            if form.is_some() || part.is_some() || (is_near_border && !is_all) {
                found.push(Sight { at: hit.offset, length, form, part });
            }
        }
        is_own
    });
    found.sort_unstable();
}

/// Handles the places seen in a piece of the disk, whose first byte lies at `disk`.
pub(super) fn physical(tools: &Tools<'_>, bench: &mut Bench, disk: u64, bytes: &[u8], seen: &[Sight]) {
    let mut done = Done::default();
    for sight in seen {
        if done.holds(*sight) {
            continue;
        }
        let place = (disk, bytes, sight.at);
        let mut end = None;
        for (reach, is_last) in sight.reaches() {
            bench.around(tools, place, reach, &mut |bench, content, position| {
                let here = Sight { at: position, ..*sight };
                end = at_sight(tools, bench, content, here, is_last).map(|end| end.moved(position, sight.at));
            });
            if end.is_some() {
                break;
            }
        }
        done = done.and(end.unwrap_or_default());
    }
}

/// Handles the places seen in content in memory.
pub(super) fn inside(tools: &Tools<'_>, bench: &mut Bench, content: &Content<'_>, seen: &[Sight]) {
    if bench.coded_depth >= coded::DEPTH_MAX {
        return;
    }
    let mut done = Done::default();
    for &sight in seen {
        if done.holds(sight) {
            continue;
        }
        let reach = if sight.part.is_some() { content.bytes.len() } else { to_usize(REACH) };
        let from = sight.at.saturating_sub(reach);
        let to = sight.at.saturating_add(reach).min(content.bytes.len());
        let near = Content {
            bytes: content.bytes.get(from..to).unwrap_or_default(),
            logical: content.logical.saturating_add(to_u64(from)),
            at_start: content.at_start && from == 0,
            at_end: content.at_end && to == content.bytes.len(),
            ..*content
        };
        let here = Sight { at: sight.at.saturating_sub(from), ..sight };
        let end = at_sight(tools, bench, &near, here, true).unwrap_or_default();
        done = done.and(end.moved(0, from));
    }
}

/// Reads the text at a sight without its escapes, or the part behind it; returns up to where that is done, and
/// nothing where it goes on behind the content that is seen and that is not the last attempt.
fn at_sight(
    tools: &Tools<'_>,
    bench: &mut Bench,
    content: &Content<'_>,
    sight: Sight,
    is_last: bool,
) -> Option<Done> {
    let word = sight.word();
    if sight.part == Some(Part::Base64) {
        let base64 = coded::part(tools, bench, content, word.end, is_last)?;
        return Some(Done { base64, ..Done::default() });
    }
    let up_to = |all: usize| Some(Done { all, ..Done::default() });
    let form = sight.form.or_else(|| escaped::beside(content.bytes, word.clone()));
    let Some(form) = form else { return up_to(word.start) };
    let place = if sight.part.is_some() { mime::body(content.bytes, word.end) } else { Some(word.start) };
    let Some(place) = place else { return up_to(word.start) };
    let range = escaped::stretch(content.bytes, place, form);
    let is_cut_before = range.start == 0 && !content.at_start;
    let is_cut_behind = range.end == content.bytes.len() && !content.at_end;
    if is_cut_behind && !is_last {
        return None;
    }
    let Some(text) = escaped::decode(content.bytes, range.clone(), form) else {
        return Some(Done { all: word.end, quoted: range.end, base64: 0 });
    };
    let first = if is_cut_before { range.start.saturating_add(MARGIN).min(place) } else { range.start };
    let last = if is_cut_behind { range.end.saturating_sub(MARGIN).max(place) } else { range.end };
    bench.coded_depth = bench.coded_depth.saturating_add(1);
    unescaped(tools, bench, (content, form), &text, first..last);
    bench.coded_depth = bench.coded_depth.saturating_sub(1);
    up_to(last)
}

/// Matches text without escapes, of which `range` counts, in offsets of the content around it.
fn unescaped(
    tools: &Tools<'_>,
    bench: &mut Bench,
    (outer, form): (&Content<'_>, Form),
    text: &Unescaped,
    range: Range<usize>,
) {
    let name = form.name();
    let path = outer.member.map_or_else(|| name.to_owned(), |member| format!("{member}!/{name}"));
    let to_disk = Within { outer, meaning: Meaning::Unescaped(text) };
    let content = Content {
        bytes: &text.bytes,
        logical: 0,
        is_stream: outer.is_stream,
        at_start: true,
        at_end: true,
        member: Some(&path),
        decoded: true,
        to_disk: &to_disk,
        ..*outer
    };
    let search = text.position(range.start)..text.position(range.end);
    chunk(tools, bench, &content, search, 0);
}
