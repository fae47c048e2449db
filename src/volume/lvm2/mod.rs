//! LVM2: physical volumes, the groups that they form, and the logical volumes in those (LVM2, `lib/label`,
//! `lib/format_text`; lvmsystemid(7), lvmraid(7), lvmthin(7), lvmcache(7) for the types).
//!
//! Linear and striped volumes, and one half of mirrors, become volumes that are made of disk ranges. What else
//! lies in a group is named, so that its bytes are swept raw under the name of what they are for.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)
)]

mod group;
mod map;
mod metadata;
mod parts;
mod text;

use super::{Area, Reading, Volume, VolumeReader};
use crate::io::ReadAt;
use crate::location::{State, escape};
use group::{Group, Member};
use map::Mapper;
use metadata::{Label, Text};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Name of the volume system.
pub(super) const SYSTEM: &str = "lvm2";

/// A physical volume of the image.
struct Physical {
    /// Index into the volumes.
    index: usize,
    label: Label,
    text: Option<Text>,
}

/// Finds the physical volumes among those of `volumes` that are to be looked at, marks them as what they are,
/// and returns the logical volumes.
pub(super) fn assemble(
    disk: &Arc<dyn ReadAt>,
    volumes: &mut [Volume],
    notes: &mut Vec<String>,
) -> Vec<Volume> {
    let physical: Vec<Physical> = volumes
        .iter()
        .enumerate()
        .filter(|(_, volume)| super::layers::is_open(volume))
        .filter_map(|(index, volume)| look(disk, index, volume, notes))
        .collect();
    let mut logical = Vec::new();
    let mut claimed = Vec::new();
    let pieces = Cell::new(map::PIECES_MAX);
    for group in groups(&physical, notes) {
        let members = members(&group, &physical, volumes, notes);
        claimed.extend(members.iter().map(|(_, at)| *at));
        logical.extend(of_group((&group, &pieces), &members, &physical, volumes, notes));
        for (name, at) in &members {
            if let (Some(member), Some(physical)) = (group.members.get(name), physical.get(*at))
                && let Some(volume) = volumes.get_mut(physical.index)
            {
                volume.areas = areas(&group, name, member, &physical.label, volume.size());
                volume.reading = Reading::Member(SYSTEM);
            }
        }
    }
    for (at, physical) in physical.iter().enumerate() {
        if let Some(volume) = volumes.get_mut(physical.index).filter(|_| !claimed.contains(&at)) {
            let reason = "a physical volume of LVM2 whose volume group is not known".to_owned();
            volume.reading = Reading::Opaque { kind: SYSTEM, reason };
        }
    }
    logical
}

fn look(disk: &Arc<dyn ReadAt>, index: usize, volume: &Volume, notes: &mut Vec<String>) -> Option<Physical> {
    let reader = VolumeReader::new(disk.clone(), volume.clone());
    let label = metadata::label(&reader)?;
    // Labels stay behind when a file system is made over them.
    if super::sniff::file_system(&reader) {
        notes.push(format!("{} was a physical volume of LVM2 before it got its file system", volume.name));
        return None;
    }
    notes.extend(label.notes.iter().map(|note| format!("{}: {note}", volume.name)));
    let mut own = Vec::new();
    let text = metadata::newest(&reader, &label, &mut own);
    notes.extend(own.into_iter().map(|note| format!("{}: {note}", volume.name)));
    Some(Physical { index, label, text })
}

/// The groups that the texts describe, each as its newest text does.
fn groups(physical: &[Physical], notes: &mut Vec<String>) -> Vec<Group> {
    let mut newest: BTreeMap<(String, String), (u64, Group)> = BTreeMap::new();
    for text in physical.iter().filter_map(|physical| physical.text.as_ref()) {
        match group::read(&text.root) {
            Ok(group) => {
                let key = (group.name.clone(), group.id.clone());
                if newest.get(&key).is_none_or(|(sequence, _)| *sequence < text.sequence) {
                    newest.insert(key, (text.sequence, group));
                }
            }
            Err(error) => notes.push(format!("a volume group cannot be read: {error}")),
        }
    }
    newest.into_values().map(|(_, group)| group).collect()
}

/// The members of a group that are in the image: their names in the group, and which of `physical` they are.
fn members(
    group: &Group,
    physical: &[Physical],
    volumes: &[Volume],
    notes: &mut Vec<String>,
) -> Vec<(String, usize)> {
    let shown = escape(group.name.as_bytes());
    let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
    for (name, member) in &group.members {
        if !seen.insert(&member.id) {
            notes.push(format!("group {shown} names a physical volume twice: {}", escape(name.as_bytes())));
            continue;
        }
        let mut same = physical.iter().enumerate().filter(|(_, physical)| physical.label.id == member.id);
        match same.next() {
            Some((at, _)) => out.push((name.clone(), at)),
            None => notes.push(format!(
                "the physical volume {} of group {shown} is not in this image",
                escape(name.as_bytes())
            )),
        }
        for (_, twin) in same {
            let twin = volumes.get(twin.index).map_or("", |volume| volume.name.as_str());
            notes.push(format!("{twin} has the identifier of another member of group {shown}"));
        }
    }
    out
}

fn of_group(
    (group, pieces): (&Group, &Cell<usize>),
    members: &[(String, usize)],
    physical: &[Physical],
    volumes: &[Volume],
    notes: &mut Vec<String>,
) -> Vec<Volume> {
    let volume = |at: &usize| volumes.get(physical.get(*at)?.index);
    let present = members.iter().filter_map(|(name, at)| Some((name.as_str(), volume(at)?))).collect();
    parts::volumes(&Mapper { group, present, pieces }, notes)
}

/// What the bytes of a physical volume are that no logical volume holds.
fn areas(group: &Group, name: &str, member: &Member, label: &Label, size: u64) -> Vec<Area> {
    let end = member.start.saturating_add(member.extents.saturating_mul(group.extent)).min(size);
    let mut areas = vec![(0..member.start.min(size), State::Metadata)];
    let mut free = member.start;
    for used in used(group, name, member) {
        if free < used.start {
            areas.push((free..used.start, State::Unallocated));
        }
        free = free.max(used.end);
    }
    if free < end {
        areas.push((free..end, State::Unallocated));
    }
    let mut rest = end;
    for &(start, length) in label.areas.iter().filter(|(start, _)| *start >= end) {
        let until = start.saturating_add(length).min(size);
        if rest < start.min(size) {
            areas.push((rest..start.min(size), State::Slack));
        }
        if start < until {
            areas.push((start..until, State::Metadata));
        }
        rest = rest.max(until);
    }
    if rest < size {
        areas.push((rest..size, State::Slack));
    }
    areas.retain(|(range, _)| range.start < range.end);
    areas.into_iter().map(|(range, state)| Area { range, state }).collect()
}

/// The ranges of a physical volume that segments use, in order.
fn used(group: &Group, name: &str, member: &Member) -> Vec<Range<u64>> {
    let mut used = Vec::new();
    for part in group.volumes.iter().flat_map(|logical| &logical.segments) {
        let columns = match part.kind.as_str() {
            "mirror" => 1,
            _ => u64::try_from(part.sources.len()).unwrap_or(1).max(1),
        };
        let length = part.extents.div_ceil(columns).saturating_mul(group.extent);
        for (_, extent) in part.sources.iter().filter(|(source, _)| source == name) {
            let start = member.start.saturating_add(extent.saturating_mul(group.extent));
            used.push(start..start.saturating_add(length));
        }
    }
    used.sort_by_key(|range| range.start);
    used
}
