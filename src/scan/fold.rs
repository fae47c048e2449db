//! Candidates that are one finding become one: seen twice, seen raw and decoded, generic under specific,
//! and physical copies of one place in a journal or mirror.

use crate::content::escaped::Form;
use crate::coverage::{Gap, GapKind};
use crate::detect::{Rank, RuleFacts};
use crate::filesystem::EntryId;
use crate::location::State;
use crate::rules::{Category, Verdict};
use crate::sweep::{Candidate, Ground};
use crate::volume::Reading;
use std::collections::{HashMap, HashSet};

/// A candidate that becomes a finding, with its other physical places.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) candidate: Candidate,
    /// Disk offsets of copies.
    pub(super) copies: Vec<u64>,
}

/// What is left after folding.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) places: Vec<Place>,
    pub(super) counted_only: u64,
    pub(super) gaps: Vec<Gap>,
}

/// Folds; of one rule in one file (or in what has no file) at most `per_file_max` findings remain.
pub(super) fn fold(
    mut candidates: Vec<Candidate>,
    rules: &[RuleFacts],
    ground: &Ground,
    per_file_max: u64,
) -> Folded {
    candidates
        .sort_by(|one, other| order(one).cmp(&order(other)).then_with(|| other.verdict.cmp(&one.verdict)));
    candidates.dedup_by(|one, other| order(one) == order(other));
    let candidates = drop_escaped_twins(candidates, rules);
    let candidates = drop_raw_twins(candidates);
    let candidates = drop_coded_twins(candidates, rules);
    let candidates = drop_twins(candidates, rules);
    let places = fold_mirrors(fold_copies(candidates, ground), ground);
    limit(places, rules, ground, per_file_max)
}

type Order<'a> = (usize, Option<u64>, Option<(EntryId, u16)>, Option<&'a str>, Option<u64>, usize, u64);

/// Place and rule: equal for one and the same match.
fn order(candidate: &Candidate) -> Order<'_> {
    (
        candidate.land,
        candidate.disk_offset,
        candidate.entry,
        candidate.member.as_deref(),
        candidate.file_offset,
        candidate.rule,
        candidate.length,
    )
}

/// A record's raw bytes and its content after fixup are one place; the content counts. So are a member's bytes
/// and the same bytes seen in its container; the member counts.
fn drop_raw_twins(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let decoded = candidates.iter().filter(|candidate| candidate.decoded);
    let on_disk: HashSet<(usize, u64)> =
        decoded.filter_map(|candidate| Some((candidate.rule, candidate.disk_offset?))).collect();
    let place = |one: &Candidate, at: u64| (one.rule, one.land, one.entry, at);
    // The paths stand apart from the places: a look-up borrows them.
    let mut in_content: HashMap<_, Vec<String>> = HashMap::new();
    for (one, (path, at)) in candidates.iter().filter_map(|one| Some((one, one.container.as_ref()?))) {
        in_content.entry(place(one, *at)).or_default().push(path.clone());
    }
    let is_twin = |one: &Candidate| {
        // Text in UTF-16 at an odd offset was read in the other byte order, from one byte before.
        let is_wide = one.length > to_u64(one.secret.expose().len());
        let raw = !one.decoded
            && one.disk_offset.is_some_and(|at| {
                on_disk.contains(&(one.rule, at))
                    || (is_wide && on_disk.contains(&(one.rule, at.saturating_add(1))))
            });
        let paths = one.file_offset.and_then(|at| in_content.get(&place(one, at)));
        let own = one.member.as_deref().unwrap_or_default();
        raw || paths.is_some_and(|paths| paths.iter().any(|path| path == own))
    };
    candidates.into_iter().filter(|candidate| !is_twin(candidate)).collect()
}

/// What is found in text without its escapes is mostly found in the text as it is, too: of two that start at one
/// place the one counts that knows more, and of those that know as much the one as it is.
fn drop_escaped_twins(candidates: Vec<Candidate>, rules: &[RuleFacts]) -> Vec<Candidate> {
    // How deep in escapes a candidate was found, and its path without them.
    let outer = |one: &Candidate| -> (usize, String) {
        let parts = one.member.as_deref().unwrap_or_default().split("!/");
        let (escapes, kept): (Vec<&str>, Vec<&str>) = parts.partition(|part| Form::named(part).is_some());
        (escapes.len(), kept.join("!/"))
    };
    let outers: Vec<_> = candidates.iter().map(outer).collect();
    if outers.iter().all(|(depth, _)| *depth == 0) {
        return candidates;
    }
    let knows = |one: &Candidate| {
        let rank = rules.get(one.rule).map_or(Rank::Form, |rule| rule.rank);
        (one.verdict > Verdict::Possible, rank)
    };
    // A place, and for what was found there: what it knows, how few escapes deep, and which one it is.
    let mut places: HashMap<_, Vec<_>> = HashMap::new();
    for (index, (one, (depth, path))) in candidates.iter().zip(&outers).enumerate() {
        let place = (one.land, one.entry, one.file_offset.or(one.disk_offset), path.as_str());
        places.entry(place).or_default().push((
            knows(one),
            std::cmp::Reverse(*depth),
            std::cmp::Reverse(index),
        ));
    }
    let mut dropped = vec![false; candidates.len()];
    #[allow(clippy::iter_over_hash_type, reason = "groups are independent of each other")]
    for group in places.values() {
        let Some(best) = group.iter().max() else { continue };
        for one in group.iter().filter(|one| one.1 != best.1) {
            if let Some(mark) = dropped.get_mut(one.2.0) {
                *mark = true;
            }
        }
    }
    drop(places);
    let mut dropped = dropped.into_iter();
    candidates.into_iter().filter(|_| !dropped.next().unwrap_or(false)).collect()
}

/// Drops what was found in text that encodes bytes where a specific rule knows that very text as a secret, as
/// it does keys in Base64: what it says of the text counts.
fn drop_coded_twins(candidates: Vec<Candidate>, rules: &[RuleFacts]) -> Vec<Candidate> {
    let is_specific = |one: &Candidate| rules.get(one.rule).is_some_and(|rule| rule.rank > Rank::Name);
    let place = |one: &Candidate| (one.land, one.entry, one.file_offset.or(one.disk_offset));
    // The content around the text, by its path; none where the candidate does not come out of such text.
    let outer = |one: &Candidate| {
        let member = one.member.as_deref()?;
        let (outer, form) = member.rsplit_once("!/").unwrap_or(("", member));
        matches!(form, "base64" | "hex").then(|| outer.to_owned())
    };
    let mut known: HashMap<_, Vec<String>> = HashMap::new();
    for one in candidates.iter().filter(|one| is_specific(one) && outer(one).is_none()) {
        known.entry(place(one)).or_default().push(one.member.clone().unwrap_or_default());
    }
    let is_twin = |one: &Candidate| {
        let Some(outer) = outer(one) else { return false };
        known.get(&place(one)).is_some_and(|paths| paths.contains(&outer))
    };
    candidates.into_iter().filter(|one| !is_twin(one)).collect()
}

fn to_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// Which content a candidate lies in, and where.
fn content_key(candidate: &Candidate) -> (usize, Option<(EntryId, u16)>, Option<String>, bool) {
    (candidate.land, candidate.entry, candidate.member.clone(), candidate.file_offset.is_some())
}

fn range(candidate: &Candidate) -> std::ops::Range<u64> {
    let start = candidate.file_offset.or(candidate.disk_offset).unwrap_or(0);
    start..start.saturating_add(candidate.length)
}

/// Drops a candidate where a rule that knows more of the form, or an earlier one that knows as much, has the
/// same bytes. Rules that know the form lose only to one that has exactly their bytes.
fn drop_twins(candidates: Vec<Candidate>, rules: &[RuleFacts]) -> Vec<Candidate> {
    let rank = |candidate: &Candidate| rules.get(candidate.rule).map_or(Rank::Form, |rule| rule.rank);
    let mut by_content: HashMap<_, Vec<Ranked>> = HashMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let ranked =
            Ranked { range: range(candidate), rank: rank(candidate), verdict: candidate.verdict, index };
        by_content.entry(content_key(candidate)).or_default().push(ranked);
    }
    let mut dropped = vec![false; candidates.len()];
    // The order of the groups does not matter: each one only decides about its own candidates.
    #[allow(clippy::iter_over_hash_type, reason = "groups are independent of each other")]
    for group in by_content.values_mut() {
        group.sort_by_key(|one| (one.range.start, one.range.end, one.index));
        mark_twins(group, &mut dropped);
    }
    let mut dropped = dropped.into_iter();
    candidates.into_iter().filter(|_| !dropped.next().unwrap_or(false)).collect()
}

/// A candidate among those of one content.
#[derive(Debug)]
struct Ranked {
    range: std::ops::Range<u64>,
    rank: Rank,
    verdict: Verdict,
    index: usize,
}

impl Ranked {
    /// Whether `self` stays and `other` goes. Of what is only possible nothing hides what is likely.
    fn replaces(&self, other: &Self) -> bool {
        let overlaps = self.range.start < other.range.end && other.range.start < self.range.end;
        let is_same = self.range == other.range;
        let mine = (self.verdict > Verdict::Possible, self.rank);
        let others = (other.verdict > Verdict::Possible, other.rank);
        let is_first = (self.range.start, self.index) < (other.range.start, other.index);
        overlaps && (is_same || other.rank <= Rank::Vendor) && (mine > others || (mine == others && is_first))
    }
}

fn mark_twins(group: &[Ranked], dropped: &mut [bool]) {
    for (at, one) in group.iter().enumerate() {
        // Secrets are short and sorted: neighbours that may overlap stand close by.
        let around = at.saturating_sub(16)..at.saturating_add(17).min(group.len());
        let near = group.get(around).unwrap_or_default();
        let has_twin = near.iter().any(|other| other.index != one.index && other.replaces(one));
        if let (true, Some(mark)) = (has_twin, dropped.get_mut(one.index)) {
            *mark = true;
        }
    }
}

/// Copies of a place in the journal or in a mirror of the file system's tables become part of the finding.
fn fold_copies(candidates: Vec<Candidate>, ground: &Ground) -> Vec<Place> {
    let is_copy_place = |candidate: &Candidate| {
        matches!(candidate.state, Some(State::Journal | State::Metadata)) && !candidate.decoded
    };
    let mut homes: HashMap<(usize, usize, Vec<u8>, u64), usize> = HashMap::new();
    let mut places: Vec<Place> = Vec::with_capacity(candidates.len());
    let (copies, rest): (Vec<_>, Vec<_>) = candidates.into_iter().partition(is_copy_place);
    let key = |candidate: &Candidate| {
        (candidate.land, candidate.rule, candidate.secret.expose().to_vec(), phase(candidate, ground))
    };
    for candidate in rest {
        // What was put together out of more than one place of a record has no place of its own.
        let is_resident = candidate.decoded && candidate.entry.is_some() && candidate.member.is_none();
        if candidate.disk_offset.is_some() || is_resident {
            homes.entry(key(&candidate)).or_insert(places.len());
        }
        places.push(Place { candidate, copies: Vec::new() });
    }
    for candidate in copies {
        let key = key(&candidate);
        let home = homes.get(&key).and_then(|&home| places.get_mut(home));
        match (home, candidate.disk_offset) {
            (Some(home), Some(offset)) => home.copies.push(offset),
            _ => {
                homes.entry(key).or_insert(places.len());
                places.push(Place { candidate, copies: Vec::new() });
            }
        }
    }
    places.sort_by(|one, other| order(&one.candidate).cmp(&order(&other.candidate)));
    places
}

/// What a mirror's other half holds at the very same place becomes part of the finding.
fn fold_mirrors(places: Vec<Place>, ground: &Ground) -> Vec<Place> {
    let original = |place: &Place| {
        let candidate = &place.candidate;
        let offset = original(candidate, ground)?;
        Some((candidate.rule, offset, candidate.secret.expose().to_vec()))
    };
    let originals: Vec<_> = places.iter().map(original).collect();
    if originals.iter().all(Option::is_none) {
        return places;
    }
    let key = |place: &Place| {
        let candidate = &place.candidate;
        Some((candidate.rule, candidate.disk_offset?, candidate.secret.expose().to_vec()))
    };
    let homes: HashMap<_, _> =
        places.iter().enumerate().filter_map(|(index, place)| Some((key(place)?, index))).collect();
    let homes: Vec<Option<usize>> =
        originals.into_iter().map(|original| homes.get(&original?).copied()).collect();
    let mut places: Vec<Option<Place>> = places.into_iter().map(Some).collect();
    for (index, home) in homes.into_iter().enumerate() {
        let Some(home) = home.filter(|&home| home != index) else { continue };
        if !matches!(places.get(home), Some(Some(_))) {
            continue;
        }
        let copy = places.get_mut(index).and_then(Option::take);
        if let (Some(copy), Some(Some(home))) = (copy, places.get_mut(home)) {
            home.copies.extend(copy.candidate.disk_offset.into_iter().chain(copy.copies));
        }
    }
    places.into_iter().flatten().collect()
}

/// Where the half of a mirror that is read has the bytes of a candidate in another half.
fn original(candidate: &Candidate, ground: &Ground) -> Option<u64> {
    let (land, at) = ground.to_volume(candidate.disk_offset?)?;
    let Reading::Copy { of, offset, .. } = &ground.lands.get(land)?.volume.reading else { return None };
    ground.land(of)?.volume.to_disk(at.checked_sub(*offset)?)
}

/// The offset within the unit in which a journal or mirror copies: file-system blocks on ext, anything on
/// NTFS, whose log keeps parts of records.
fn phase(candidate: &Candidate, ground: &Ground) -> u64 {
    let Some(land) = ground.lands.get(candidate.land) else { return 0 };
    let Some(facts) = land.filesystem.as_ref().map(|filesystem| filesystem.facts()) else { return 0 };
    if facts.kind == "ntfs" {
        return 0;
    }
    let volume_offset = candidate.disk_offset.and_then(|offset| Some(ground.to_volume(offset)?.1));
    volume_offset.and_then(|offset| offset.checked_rem(facts.block_size)).unwrap_or(0)
}

/// A rule, and what its findings are counted by: volume, file, state.
type Key = (usize, usize, Option<EntryId>, Option<State>);

/// Keeps the first findings of a rule in a file and counts the rest.
fn limit(places: Vec<Place>, rules: &[RuleFacts], ground: &Ground, per_file_max: u64) -> Folded {
    let mut folded = Folded::default();
    let mut counts: HashMap<Key, u64> = HashMap::new();
    // Of personal data the first place stands for all in its file.
    let mut counted: Vec<(usize, Key)> = Vec::new();
    let mut ends: HashMap<Key, (Option<String>, u64)> = HashMap::new();
    for place in places {
        let candidate = &place.candidate;
        let key = (candidate.rule, candidate.land, candidate.entry.map(|entry| entry.0), candidate.state);
        let is_personal = rules.get(candidate.rule).is_some_and(|rule| rule.category == Category::Pii);
        // A rule also matches from the middle of an address or a number on.
        if is_personal && let Some(start) = candidate.file_offset.or(candidate.disk_offset) {
            let end = (candidate.member.clone(), start.saturating_add(candidate.length));
            if ends.get(&key).is_some_and(|last| last.0 == end.0 && start < last.1) {
                continue;
            }
            ends.insert(key, end);
        }
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
        if candidate.cut {
            folded.gaps.push(cut_gap(candidate, rules, ground));
        }
        if is_personal && *count > 1 {
            continue;
        }
        if is_personal {
            counted.push((folded.places.len(), key));
        }
        if *count <= per_file_max {
            folded.places.push(place);
        } else {
            folded.counted_only = folded.counted_only.saturating_add(1);
        }
    }
    for (at, key) in counted {
        if let Some(place) = folded.places.get_mut(at) {
            let count = counts.get(&key).copied().unwrap_or(1);
            place.candidate.evidence.push(format!("in this file: {count}, this is the first"));
        }
    }
    folded
}

fn cut_gap(candidate: &Candidate, rules: &[RuleFacts], ground: &Ground) -> Gap {
    let rule = rules.get(candidate.rule).map_or("", |rule| rule.id.as_str());
    let land = ground.lands.get(candidate.land);
    Gap {
        kind: GapKind::Limited,
        volume: land.map(|land| land.volume.name.clone()).unwrap_or_default(),
        disk_offset: land.and_then(|land| land.shown_place(candidate.disk_offset).0),
        length: None,
        path: candidate.entry.map(|(entry, _)| ground.shown(candidate.land, entry)),
        reason: format!("a match of {rule} is longer than its window and was cut"),
    }
}
