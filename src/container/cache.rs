//! Decoded units of one disk, kept while they are likely to be read again.
//!
//! A file system reads its metadata in blocks far smaller than a compressed cluster. Without a cache each of
//! those reads would decode the cluster anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that the cache of one disk holds at most.
pub(super) const CACHE_BYTES: usize = 64 << 20;

/// Locks, so that threads on different units rarely wait for each other.
const SHARDS: usize = 16;

/// Decoded units by the guest offset they start at; the oldest leave first.
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    shard_bytes: usize,
}

#[derive(Default)]
struct Shard {
    units: HashMap<u64, Arc<[u8]>>,
    order: VecDeque<u64>,
    bytes: usize,
}

impl Cache {
    /// A cache of at most `bytes`; units larger than a sixteenth of it are not kept.
    pub(super) fn new(bytes: usize) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), shard_bytes: bytes / SHARDS }
    }

    /// The unit that starts at guest offset `start`, if it is there.
    pub(super) fn get(&self, start: u64) -> Option<Arc<[u8]>> {
        self.shard(start)?.lock().unwrap_or_else(PoisonError::into_inner).units.get(&start).cloned()
    }

    /// Keeps `unit`, which starts at guest offset `start`.
    pub(super) fn insert(&self, start: u64, unit: &Arc<[u8]>) {
        let Some(shard) = self.shard(start).filter(|_| unit.len() <= self.shard_bytes) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.units.insert(start, Arc::clone(unit)).is_some() {
            return;
        }
        shard.order.push_back(start);
        shard.bytes = shard.bytes.saturating_add(unit.len());
        while shard.bytes > self.shard_bytes {
            let Some(oldest) = shard.order.pop_front() else { break };
            let freed = shard.units.remove(&oldest).map_or(0, |unit| unit.len());
            shard.bytes = shard.bytes.saturating_sub(freed);
        }
    }

    fn shard(&self, start: u64) -> Option<&Mutex<Shard>> {
        // Starts are multiples of the unit's size: mix, so that low zero bits do not pick one shard only.
        let mixed = start.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
        self.shards.get(usize::try_from(mixed).ok()?)
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
        let cache = Cache::new(16 << 10);
        for start in 0..1000u64 {
            cache.insert(start * 512, &Arc::from(vec![1; 512]));
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().unwrap().bytes).sum();
        assert!(held <= 16 << 10, "{held}");
        assert!(held >= 8 << 10, "shards are used unevenly: {held}");
    }

    #[test]
    fn a_unit_larger_than_a_shard_is_not_kept() {
        let cache = Cache::new(16 << 10);
        cache.insert(0, &Arc::from(vec![1; 2048]));
        assert!(cache.get(0).is_none());
    }
}
