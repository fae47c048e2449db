//! A disk without a partition table.

use super::{Tiling, Volume, VolumeKind};
use crate::io::ReadAt;
use std::sync::Arc;

/// The scheme's name.
pub(super) const SCHEME: &str = "none";

/// One volume over everything.
pub(super) fn tile(disk: &Arc<dyn ReadAt>, notes: Vec<String>) -> Tiling {
    let volumes = vec![Volume::contiguous("whole", VolumeKind::Whole, 0..disk.size())];
    Tiling { scheme: SCHEME, sector_size: 512, volumes, notes, ..Tiling::default() }
}
