//! Which logical volumes are read, and what the others are for.

use super::SYSTEM;
use super::group::{Logical, Part};
use super::map::Mapper;
use crate::location::{State, escape};
use crate::volume::{Area, Reading, Segment, Volume, VolumeKind};
use std::collections::BTreeMap;

/// Types by the names that metadata uses, with the names for reports.
const KINDS: &[(&str, &str)] = &[
    ("cache", "lvm2-cache"),
    ("cache-pool", "lvm2-cache"),
    ("integrity", "lvm2-integrity"),
    ("mirror", "lvm2-mirror"),
    ("raid0", "lvm2-raid0"),
    ("raid0_meta", "lvm2-raid0"),
    ("raid1", "lvm2-raid1"),
    ("raid10", "lvm2-raid10"),
    ("raid10_near", "lvm2-raid10"),
    ("raid4", "lvm2-raid4"),
    ("raid5", "lvm2-raid5"),
    ("raid6", "lvm2-raid6"),
    ("snapshot", "lvm2-snapshot"),
    ("thin", "lvm2-thin"),
    ("thin-pool", "lvm2-thin-pool"),
    ("vdo", "lvm2-vdo"),
    ("vdo-pool", "lvm2-vdo"),
    ("writecache", "lvm2-writecache"),
];

/// The name for reports of a type of segments.
fn kind(part: &str) -> &'static str {
    let is =
        |name: &str| part.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    KINDS.iter().find(|(name, _)| is(name)).map_or(SYSTEM, |(_, shown)| shown)
}

/// What a volume is used for by another one.
struct Use<'a> {
    by: &'a Logical,
    part: &'a Part,
}

/// The volumes of a group in the order of its text.
pub(super) fn volumes(mapper: &Mapper<'_>, notes: &mut Vec<String>) -> Vec<Volume> {
    let group = mapper.group;
    let uses = uses(mapper);
    let mut out = Vec::new();
    for logical in &group.volumes {
        let name = full_name(mapper, logical);
        let Some(source) = source(mapper, logical) else {
            let what = logical.segments.iter().map(|part| part.kind.as_str()).find(|kind| !is_plain(kind));
            // The place of a snapshot is kept by a volume that nobody sees.
            if what != Some("snapshot") {
                let what = escape(what.unwrap_or("volume without segments").as_bytes());
                notes.push(format!("{name} is not read ({what})"));
            }
            continue;
        };
        let place = uses.get(logical.name.as_str());
        if place.is_some_and(|place| is_read_through(mapper, place, logical)) {
            continue;
        }
        match mapper.segments(source, 0) {
            Ok(segments) => {
                let length = mapper.length(source);
                out.push(volume(mapper, &name, (length, segments), place));
            }
            Err(error) => notes.push(format!("{name} is not read: {error}")),
        }
        if logical.segments.iter().any(|part| part.kind == "cache") {
            notes.push(format!("{name} is read as its origin holds it; newer blocks may be in its cache"));
        }
    }
    out
}

fn full_name(mapper: &Mapper<'_>, logical: &Logical) -> String {
    let escaped = |name: &str| escape(name.as_bytes());
    format!("lvm:{}/{}", escaped(&mapper.group.name), escaped(&logical.name))
}

fn is_plain(kind: &str) -> bool {
    matches!(kind, "striped" | "linear" | "mirror")
}

/// The volume whose segments are this one's content: itself where it is plain, the half of a mirror that is
/// read, the origin of a cached volume.
fn source<'a>(mapper: &Mapper<'a>, logical: &'a Logical) -> Option<&'a Logical> {
    let group = mapper.group;
    let find = |name: &str| group.find(name);
    match logical.segments.as_slice() {
        [part] if part.kind == "raid1" => {
            let images = part.mentions.iter().filter_map(|name| find(name));
            let mut images = images.filter(|image| image.name.contains("_rimage_"));
            images.find(|image| is_complete(mapper, image))
        }
        [part] if part.kind == "cache" => part.text("origin").and_then(find),
        // Halves of a mirror that are volumes themselves are followed by the mapper.
        parts if !parts.is_empty() && parts.iter().all(|part| is_plain(&part.kind)) => Some(logical),
        _ => None,
    }
}

fn is_complete(mapper: &Mapper<'_>, logical: &Logical) -> bool {
    let present = |segments: Vec<Segment>| segments.iter().map(|segment| segment.length).sum::<u64>();
    mapper.segments(logical, 0).is_ok_and(|segments| present(segments) == mapper.length(logical))
}

/// Which volumes are parts of others, by name.
fn uses<'a>(mapper: &Mapper<'a>) -> BTreeMap<&'a str, Use<'a>> {
    let mut uses = BTreeMap::new();
    for by in &mapper.group.volumes {
        for part in by.segments.iter().filter(|part| !matches!(part.kind.as_str(), "striped" | "linear")) {
            let parts: Vec<&str> = match part.kind.as_str() {
                // A thin volume does not own its pool, nor a snapshot its origin.
                "thin" => Vec::new(),
                "snapshot" => part.text("cow_store").into_iter().collect(),
                _ => part.mentions.iter().map(String::as_str).collect(),
            };
            for name in parts {
                if let Some(used) = mapper.group.find(name) {
                    uses.entry(used.name.as_str()).or_insert(Use { by, part });
                }
            }
        }
    }
    uses
}

/// Whether a part's bytes are read under the name of the volume that it is a part of.
fn is_read_through(mapper: &Mapper<'_>, place: &Use<'_>, logical: &Logical) -> bool {
    match place.part.kind.as_str() {
        "raid1" | "cache" => source(mapper, place.by).is_some_and(|source| source.name == logical.name),
        "mirror" => place.part.sources.first().is_some_and(|(name, _)| *name == logical.name),
        _ => false,
    }
}

fn volume(
    mapper: &Mapper<'_>,
    name: &str,
    (length, segments): (u64, Vec<Segment>),
    place: Option<&Use<'_>>,
) -> Volume {
    let mut volume = Volume::new(name, VolumeKind::Logical, length, segments);
    // Kept for the day on which a pool's metadata has to be repaired.
    let is_spare = name.ends_with("_pmspare");
    if is_spare {
        volume.areas = vec![Area { range: 0..length, state: State::Metadata }];
        volume.reading = Reading::Member(SYSTEM);
    }
    let Some(place) = place else { return volume };
    let by = full_name(mapper, place.by);
    let shown = |of: &str| format!("{of}: not read");
    let kind = kind(&place.part.kind);
    let is_metadata =
        ["_tmeta", "_cmeta", "_rmeta_", "_mlog", "_vmeta"].iter().any(|mark| name.contains(mark));
    volume.reading = match place.part.kind.as_str() {
        _ if is_metadata => {
            volume.areas = vec![Area { range: 0..length, state: State::Metadata }];
            Reading::Member(SYSTEM)
        }
        "raid1" | "mirror" => {
            let note = format!("the other half of the mirror {by}");
            Reading::Copy { system: kind, of: by, offset: 0, note }
        }
        "thin-pool" => Reading::Opaque { kind, reason: shown(&thin_pool(mapper, place.by, &by)) },
        "snapshot" => {
            let origin = escape(place.part.text("origin").unwrap_or_default().as_bytes());
            Reading::Opaque { kind, reason: shown(&format!("blocks kept for a snapshot of {origin}")) }
        }
        other => {
            let other = escape(other.as_bytes());
            Reading::Opaque { kind, reason: shown(&format!("a part of {by}, which is of the type {other}")) }
        }
    };
    volume
}

/// A pool, and what lies in it.
fn thin_pool(mapper: &Mapper<'_>, pool: &Logical, shown: &str) -> String {
    let in_pool = |part: &Part| part.kind == "thin" && part.text("thin_pool") == Some(&pool.name);
    let thin = mapper.group.volumes.iter().filter(|logical| logical.segments.iter().any(in_pool));
    let thin: Vec<_> = thin.map(|logical| escape(logical.name.as_bytes())).collect();
    match thin.as_slice() {
        [] => format!("data of the thin pool {shown}"),
        all => format!("data of the thin pool {shown} with the volumes {}", all.join(", ")),
    }
}
