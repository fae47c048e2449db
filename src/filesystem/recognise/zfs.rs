//! ZFS pool members (OpenZFS, `sys/vdev_impl.h` and `sys/uberblock_impl.h`).

use super::{bytes_at, unsupported};
use crate::filesystem::{Facts, Kind, Recognised};
use crate::io::ReadAt;
use std::sync::Arc;

pub(in crate::filesystem) const KIND: Kind = Kind { name: "zfs", probe };

const MAGIC: u64 = 0x00ba_b10c;
/// The first label's ring of uberblocks: 128 KiB at 128 KiB, one every KiB at least.
const RING: u64 = 128 << 10;
const SLOTS: u64 = 128;

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let slots = (0..SLOTS).map(|slot| RING.saturating_add(slot.saturating_mul(1024)));
    let mut magics = slots.map_while(|at| bytes_at::<8>(volume.as_ref(), at));
    // In the byte order of the machine that wrote it.
    magics.find(|magic| u64::from_le_bytes(*magic) == MAGIC || u64::from_be_bytes(*magic) == MAGIC)?;
    Some(unsupported(Facts { kind: KIND.name, block_size: 512, size: volume.size(), ..Facts::default() }))
}
