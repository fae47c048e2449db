//! Decoded units of one disk, kept while they are likely to be read again.
//!
//! A file system reads its metadata in blocks far smaller than a compressed cluster. Without a cache each of
//! those reads would decode the cluster anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that the cache of one disk holds at most.
pub(super) const CACHE_BYTES: usize = 64 << 20;

/// Locks at most, so that threads on different units rarely wait for each other.
const SHARDS_MAX: usize = 16;
/// Largest units that each shard has room for.
const UNITS_MIN: usize = 4;

/// Decoded units by the guest offset they start at. The oldest leave first, but a unit that was asked for since
/// it came, or since its last turn, stays for another turn: the sweep, which passes each unit once, does not push
/// out what the file system reads again and again.
pub(super) struct Cache {
    shards: Box<[Mutex<Shard>]>,
    shard_bytes: usize,
}

#[derive(Default)]
struct Shard {
    units: HashMap<u64, Kept>,
    order: VecDeque<u64>,
    bytes: usize,
    /// Memory of a unit that has left, for the next one.
    spare: Option<Vec<u8>>,
}

struct Kept {
    bytes: Arc<Vec<u8>>,
    asked: bool,
}

impl Cache {
    /// A cache of at most `bytes` for units of at most `unit_max` bytes, above zero.
    pub(super) fn new(bytes: usize, unit_max: usize) -> Self {
        let shards = (bytes / UNITS_MIN / unit_max.max(1)).clamp(1, SHARDS_MAX);
        Self { shards: (0..shards).map(|_| Mutex::default()).collect(), shard_bytes: bytes / shards }
    }

    /// The unit that starts at guest offset `start`, if it is there.
    pub(super) fn get(&self, start: u64) -> Option<Arc<Vec<u8>>> {
        let mut shard = self.shard(start)?.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = shard.units.get_mut(&start)?;
        kept.asked = true;
        Some(Arc::clone(&kept.bytes))
    }

    /// As [`get`](Self::get), for a reader that passes each unit once.
    pub(super) fn glance(&self, start: u64) -> Option<Arc<Vec<u8>>> {
        let shard = self.shard(start)?.lock().unwrap_or_else(PoisonError::into_inner);
        shard.units.get(&start).map(|kept| Arc::clone(&kept.bytes))
    }

    /// Keeps a copy of `unit`, which starts at guest offset `start`.
    pub(super) fn insert_copy(&self, start: u64, unit: &[u8]) {
        let mut bytes = self.spare(start);
        bytes.clear();
        bytes.extend_from_slice(unit);
        self.insert(start, Arc::new(bytes));
    }

    /// Memory for the unit that starts at guest offset `start`, with whatever was in it.
    pub(super) fn spare(&self, start: u64) -> Vec<u8> {
        let shard = self.shard(start);
        let spare = shard.and_then(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).spare.take());
        spare.unwrap_or_default()
    }

    /// Keeps `unit`, which starts at guest offset `start`.
    pub(super) fn insert(&self, start: u64, unit: Arc<Vec<u8>>) {
        let Some(shard) = self.shard(start).filter(|_| unit.len() <= self.shard_bytes) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let length = unit.len();
        if shard.units.insert(start, Kept { bytes: unit, asked: false }).is_some() {
            return;
        }
        shard.order.push_back(start);
        shard.bytes = shard.bytes.saturating_add(length);
        shard.shrink(self.shard_bytes);
    }

    fn shard(&self, start: u64) -> Option<&Mutex<Shard>> {
        // Starts are multiples of the unit's size: mix, so that low zero bits do not pick one shard only.
        let mixed = usize::try_from(start.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48).ok()?;
        self.shards.get(mixed.checked_rem(self.shards.len())?)
    }
}

impl Shard {
    fn shrink(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(kept) = self.units.get_mut(&oldest).filter(|kept| kept.asked) {
                kept.asked = false;
                self.order.push_back(oldest);
                continue;
            }
            let Some(kept) = self.units.remove(&oldest) else { continue };
            self.bytes = self.bytes.saturating_sub(kept.bytes.len());
            self.spare = Arc::into_inner(kept.bytes);
        }
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("shard_bytes", &self.shard_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_never_holds_more_than_it_may() {
        let cache = Cache::new(16 << 10, 256);
        for start in 0..1000u64 {
            cache.insert_copy(start * 512, &[1; 512]);
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().unwrap().bytes).sum();
        assert!(held <= 16 << 10, "{held}");
        assert!(held >= 8 << 10, "shards are used unevenly: {held}");
    }

    #[test]
    fn a_unit_larger_than_a_shard_is_not_kept() {
        let cache = Cache::new(16 << 10, 16);
        cache.insert_copy(0, &[1; 2048]);
        assert!(cache.get(0).is_none());
    }

    #[test]
    fn large_units_have_room_for_several() {
        let cache = Cache::new(64 << 10, 16 << 10);
        (0..4).for_each(|unit| cache.insert_copy(unit << 14, &[1; 16 << 10]));
        assert!((0..4).all(|unit| cache.get(unit << 14).is_some()));
    }

    #[test]
    fn what_is_asked_for_outlives_what_passes_once() {
        let cache = Cache::new(64 << 10, 16 << 10);
        cache.insert_copy(0, &[7; 1024]);
        for passing in 1..1000u64 {
            cache.insert_copy(passing << 10, &[1; 1024]);
            assert_eq!(cache.get(0).map(|unit| unit[0]), Some(7), "{passing}");
        }
        assert!(cache.get(1 << 10).is_none());
    }
}
