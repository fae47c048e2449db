//! Volumes that lie over others: arrays, logical volumes, and partition tables inside of either.

use super::{Reading, Tiling, Volume, VolumeKind, VolumeReader, flat, lvm2, md};
use crate::io::ReadAt;
use std::sync::Arc;

/// Layers over the partitions: an array, a group on it, a disk in a logical volume, and once more.
const DEPTH_MAX: usize = 6;
/// Volumes of one disk; a group of more would be no help to anybody.
const VOLUMES_MAX: usize = 4096;

/// Adds the volumes that lie over those of `tiling`, and marks their members.
pub(super) fn add(disk: &Arc<dyn ReadAt>, tiling: &mut Tiling) {
    let mut lower = std::mem::take(&mut tiling.volumes);
    let tiles = lower.len();
    let mut fresh = 0;
    for _ in 0..DEPTH_MAX {
        let notes = &mut tiling.notes;
        let mut found = md::assemble(disk, &mut lower, notes);
        lower.append(&mut found);
        found = lvm2::assemble(disk, &mut lower, notes);
        let tables = fresh.max(tiles)..lower.len();
        fresh = lower.len();
        lower.append(&mut found);
        for index in tables.start..lower.len() {
            found.extend(lower.get_mut(index).into_iter().flat_map(|volume| partitions(disk, volume, notes)));
        }
        lower.append(&mut found);
        if lower.len() == fresh {
            break;
        }
        if lower.len() > VOLUMES_MAX {
            notes.push(format!("more than {VOLUMES_MAX} volumes: the others are not looked at"));
            lower.truncate(VOLUMES_MAX);
            break;
        }
    }
    tiling.logical = lower.split_off(tiles.min(lower.len()));
    tiling.volumes = lower;
}

/// Whether a volume's content is to be looked at for what lies over it.
pub(super) fn is_open(volume: &Volume) -> bool {
    volume.reading == Reading::Content && !matches!(volume.kind, VolumeKind::Table | VolumeKind::Gap)
}

/// The volumes of a partition table inside of a logical volume or an array.
fn partitions(disk: &Arc<dyn ReadAt>, outer: &mut Volume, notes: &mut Vec<String>) -> Vec<Volume> {
    if !is_open(outer) || outer.kind != VolumeKind::Logical {
        return Vec::new();
    }
    let reader: Arc<dyn ReadAt> = Arc::new(VolumeReader::new(disk.clone(), outer.clone()));
    let Ok(tiling) = flat(&reader) else { return Vec::new() };
    if tiling.scheme == super::whole::SCHEME {
        return Vec::new();
    }
    notes.extend(tiling.notes.iter().map(|note| format!("{}: {note}", outer.name)));
    outer.reading = Reading::Member(tiling.scheme);
    tiling.volumes.into_iter().map(|inner| inside(outer, inner)).collect()
}

/// A volume of a disk that is itself the volume `outer`, in offsets of the outer disk. Its name is that of the
/// outer volume, `!/`, and its own.
pub fn inside(outer: &Volume, inner: Volume) -> Volume {
    let mut segments = Vec::new();
    for segment in &inner.segments {
        outer.carve(segment.disk_offset..segment.disk_end(), segment.volume_offset, &mut segments);
    }
    let named = |name: &str| format!("{}!/{name}", outer.name);
    let reading = match inner.reading {
        Reading::Copy { system, of, offset, note } => Reading::Copy { system, of: named(&of), offset, note },
        other => other,
    };
    Volume { name: named(&inner.name), segments, reading, ..inner }
}
