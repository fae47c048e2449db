//! L1 and L2 tables ("Cluster mapping", "Extended L2 Entries").
//!
//! Nothing is kept in memory: each look-up reads the two entries it needs.

use super::header::{ClusterSize, Entries, Header, L1_BYTES_MAX};
use super::snapshots::SnapshotEntry;
use crate::container::RemainsKind;
use crate::container::codec::Codec;
use crate::container::residual::Used;
use crate::container::sparse::{Layout, OlderState, Piece, Place, peek};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use std::collections::HashSet;
use std::sync::Arc;

/// Bits 9 to 55: an offset in the file.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// Bit 62 of an L2 entry: a compressed cluster.
const COMPRESSED: u64 = 1 << 62;
/// Bit 0 of a standard descriptor: the cluster reads as zeros.
const ZERO: u64 = 1;
/// Subclusters of a cluster.
const SUBCLUSTERS: u64 = 32;

/// One L1 table and what hangs on it.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    file: Arc<dyn ReadAt>,
    size: u64,
    version: u32,
    cluster: ClusterSize,
    entries: Entries,
    clusters_per_table: u64,
    codec: Codec,
    l1_at: u64,
    l1_entries: u64,
    refcounts_at: u64,
    refcount_clusters: u64,
    /// Where clusters lie that no entry places.
    unallocated: Place,
    /// Older states, where this is the active one.
    snapshots: Arc<[SnapshotEntry]>,
}

/// An L2 entry and where it was found.
struct Entry {
    descriptor: u64,
    /// Subcluster bitmap of an extended entry.
    bitmap: Option<u64>,
    at: u64,
}

impl Tables {
    /// The active state.
    ///
    /// # Errors
    /// [`Kind::Corrupt`](crate::error::Kind::Corrupt) where the L1 table refers to more L2 tables than the file has
    /// room for.
    pub(super) fn new(header: &Header, file: Arc<dyn ReadAt>, snapshots: Vec<SnapshotEntry>) -> Result<Self> {
        let unallocated = if header.backing_file.is_some() { Place::Parent } else { Place::Hole };
        let tables = Self {
            file,
            size: header.size,
            version: header.version,
            cluster: header.cluster,
            entries: header.entries,
            clusters_per_table: header.clusters_per_table(),
            codec: header.codec,
            l1_at: header.l1_at,
            l1_entries: header.l1_entries,
            refcounts_at: header.refcounts_at,
            refcount_clusters: header.refcount_clusters,
            unallocated,
            snapshots: snapshots.into(),
        };
        tables.check_room()?;
        Ok(tables)
    }

    /// The state that `snapshot` keeps.
    fn of_snapshot(&self, snapshot: &SnapshotEntry) -> Result<Self> {
        let (size, l1_at) = (snapshot.size.unwrap_or(self.size), snapshot.l1_at);
        let needed = size.div_ceil(self.cluster.bytes()).div_ceil(self.clusters_per_table);
        let expected = |what: &str, expected: u64, found: u64| {
            Error::corrupt(l1_at, &format!("snapshot {}: {what}", snapshot.name), expected, found)
        };
        if snapshot.l1_entries < needed {
            return Err(expected("L1 table entries", needed, snapshot.l1_entries));
        }
        if snapshot.l1_entries.saturating_mul(8) > L1_BYTES_MAX {
            return Err(expected("most L1 table bytes", L1_BYTES_MAX, snapshot.l1_entries.saturating_mul(8)));
        }
        self.check_alignment("L1 table of a snapshot", l1_at, l1_at)?;
        let tables =
            Self { size, l1_at, l1_entries: snapshot.l1_entries, snapshots: Arc::default(), ..self.clone() };
        tables.check_room()?;
        Ok(tables)
    }

    /// Bounds what a walk over all tables costs by the file's own length: entries that share a table are damage
    /// at best, and each further one would cost the walk over that table again.
    fn check_room(&self) -> Result<()> {
        let size = self.file.size();
        let mut held = 0u64;
        for index in 0..self.l1_entries {
            let table = self.l2_table(index).ok().flatten().filter(|&table| table < size);
            held = held.saturating_add(table.map_or(0, |_| self.cluster.bytes()));
        }
        if held > size {
            let found = held / self.cluster.bytes();
            let expected = format!("at most {} L2 tables", size / self.cluster.bytes());
            return Err(Error::corrupt(self.l1_at, "L1 table", expected, found));
        }
        Ok(())
    }

    /// Adds an L2 table, and what its entries refer to: the disk's clusters, and those behind its end.
    fn add_table(&self, index: u64, table: u64, disk: &mut Used, behind: &mut Used) -> Result<()> {
        let cluster = self.cluster.bytes();
        disk.add(0, table, cluster)?;
        for number in 0..self.clusters_per_table {
            let Ok(entry) = self.l2_entry(table, number) else { break };
            let guest = index.saturating_mul(self.clusters_per_table).saturating_add(number);
            let is_disk = guest.saturating_mul(cluster) < self.size;
            let into = if is_disk { &mut *disk } else { &mut *behind };
            let host = entry.descriptor & OFFSET;
            match self.compressed(entry.descriptor, guest) {
                Place::Encoded { at, length, .. } if entry.descriptor & COMPRESSED != 0 => {
                    into.add(0, at, length)?;
                }
                _ if host != 0 => into.add(0, host, cluster)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_u64(&self, what: &str, at: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        peek(self.file.as_ref(), at, &mut bytes).map_err(|error| error.context(what))?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// The L2 table that L1 entry `index` points to; `None` where there is none.
    fn l2_table(&self, index: u64) -> Result<Option<u64>> {
        let at = self.l1_at.saturating_add(index.saturating_mul(8));
        let table = self.read_u64("L1 entry", at)? & OFFSET;
        self.check_alignment("L2 table", table, at)?;
        Ok((table != 0).then_some(table))
    }

    fn l2_entry(&self, table: u64, index: u64) -> Result<Entry> {
        let width = if self.entries == Entries::Extended { 16 } else { 8 };
        let at = table.saturating_add(index.saturating_mul(width));
        let descriptor = self.read_u64("L2 entry", at)?;
        let bitmap = match self.entries {
            Entries::Standard => None,
            Entries::Extended => Some(self.read_u64("L2 entry", at.saturating_add(8))?),
        };
        Ok(Entry { descriptor, bitmap, at })
    }

    fn check_alignment(&self, what: &str, offset: u64, at: u64) -> Result<()> {
        let mask = self.cluster.bytes().saturating_sub(1);
        if offset & mask == 0 {
            return Ok(());
        }
        Err(Error::corrupt(at, what, "a multiple of the cluster size", format!("{offset:#x}")))
    }

    /// The place of the byte `inside` of cluster number `cluster`, and how many bytes it holds for.
    fn place(&self, entry: &Entry, cluster: u64, inside: u64) -> Result<Piece> {
        let rest = self.cluster.bytes().saturating_sub(inside);
        if entry.descriptor & COMPRESSED != 0 {
            return Ok(Piece { length: rest, place: self.compressed(entry.descriptor, cluster) });
        }
        let host = entry.descriptor & OFFSET;
        self.check_alignment("cluster", host, entry.at)?;
        if let Some(bitmap) = entry.bitmap {
            return self.subclusters(host, bitmap, inside, entry.at);
        }
        let place = match entry.descriptor & ZERO != 0 {
            true if self.version < 3 => {
                return Err(Error::corrupt(entry.at, "zero flag", "none in version 2", "one"));
            }
            true => Place::Hole,
            false if host == 0 => self.unallocated.clone(),
            false => Place::Stored { file: 0, at: host.saturating_add(inside) },
        };
        Ok(Piece { length: rest, place })
    }

    /// "Compressed Clusters Descriptor": the offset has `x` bits, the rest counts further sectors.
    fn compressed(&self, descriptor: u64, cluster: u64) -> Place {
        let x = 62u32.saturating_sub(self.cluster.bits().saturating_sub(8));
        let offset_mask = (1u64 << x).saturating_sub(1);
        let at = descriptor & offset_mask & 0x00ff_ffff_ffff_ffff;
        let sectors = (descriptor & (COMPRESSED - 1)) >> x;
        let length = sectors.saturating_add(1).saturating_mul(512).saturating_sub(at % 512);
        let start = cluster.saturating_mul(self.cluster.bytes());
        let unit = start..start.saturating_add(self.cluster.bytes());
        Place::Encoded { file: 0, at, length, unit, codec: self.codec }
    }

    /// "Subcluster Allocation Bitmap": subclusters of one state from `inside` on.
    fn subclusters(&self, host: u64, bitmap: u64, inside: u64, at: u64) -> Result<Piece> {
        let size = self.cluster.bytes() / SUBCLUSTERS;
        let first = inside / size;
        let state = |number: u64| (bitmap >> number & 1, bitmap >> number.saturating_add(SUBCLUSTERS) & 1);
        let same = (first..SUBCLUSTERS).take_while(|&number| state(number) == state(first)).count();
        let end = first.saturating_add(u64::try_from(same).unwrap_or(0)).saturating_mul(size);
        let place = match state(first) {
            (0, 0) => self.unallocated.clone(),
            (0, _) => Place::Hole,
            (_, 0) if host != 0 => Place::Stored { file: 0, at: host.saturating_add(inside) },
            (_, 0) => return Err(Error::corrupt(at, "cluster offset", "one, subclusters are allocated", 0)),
            _ => return Err(Error::corrupt(at, "subcluster", "allocated or zero", "both")),
        };
        Ok(Piece { length: end.saturating_sub(inside), place })
    }
}

impl Layout for Tables {
    fn size(&self) -> u64 {
        self.size
    }

    fn locate(&self, offset: u64) -> Piece {
        let bytes = self.cluster.bytes();
        let (cluster, inside) = (offset / bytes, offset % bytes);
        let (table, index) = (cluster / self.clusters_per_table, cluster % self.clusters_per_table);
        let clusters_left = self.clusters_per_table.saturating_sub(index);
        let table_rest = clusters_left.saturating_mul(bytes).saturating_sub(inside);
        let table = match self.l2_table(table) {
            Ok(Some(table)) => table,
            Ok(None) => return Piece { length: table_rest, place: self.unallocated.clone() },
            Err(error) => return Piece::missing(table_rest, &error),
        };
        let found = self.l2_entry(table, index).and_then(|entry| self.place(&entry, cluster, inside));
        found.unwrap_or_else(|error| Piece::missing(bytes.saturating_sub(inside), &error))
    }

    /// The header, the active L1 and L2 tables, and the refcounts. What internal snapshots refer to is no part
    /// of the active state.
    fn add_metadata(&self, used: &mut Used) -> Result<bool> {
        let cluster = self.cluster.bytes();
        used.add(0, 0, cluster)?;
        let l1_length = self.l1_entries.saturating_mul(8);
        used.add(0, self.l1_at, l1_length.div_ceil(cluster).saturating_mul(cluster))?;
        for index in 0..self.l1_entries {
            if let Ok(Some(table)) = self.l2_table(index) {
                used.add(0, table, cluster)?;
            }
        }
        let length = self.refcount_clusters.saturating_mul(cluster);
        used.add(0, self.refcounts_at, length)?;
        let held = self.file.size().saturating_sub(self.refcounts_at);
        for index in 0..length.min(held) / 8 {
            let at = self.refcounts_at.saturating_add(index.saturating_mul(8));
            match self.read_u64("refcount table entry", at) {
                Ok(0) | Err(_) => {}
                Ok(block) => used.add(0, block & !0x1ff, cluster)?,
            }
        }
        Ok(true)
    }

    /// Lengths are counted in sectors; the data ends somewhere in the last one.
    fn tail(&self) -> u64 {
        511
    }

    /// What internal snapshots refer to. Each table is walked once, however many snapshots share it.
    fn marks(&self) -> Result<Vec<(RemainsKind, Used)>> {
        let (mut disk, mut behind) = (Used::new(1), Used::new(1));
        let (mut seen, mut l1_bytes) = (HashSet::new(), 0u64);
        for snapshot in self.snapshots.iter() {
            // Damage in one is reported where the snapshot itself is opened.
            let Ok(tables) = self.of_snapshot(snapshot) else { continue };
            l1_bytes = l1_bytes.saturating_add(tables.l1_entries.saturating_mul(8));
            if l1_bytes > self.file.size() {
                break;
            }
            disk.add(0, tables.l1_at, tables.l1_entries.saturating_mul(8))?;
            for index in 0..tables.l1_entries {
                match tables.l2_table(index) {
                    Ok(Some(table)) if seen.insert(table) => {
                        tables.add_table(index, table, &mut disk, &mut behind)?;
                    }
                    _ => {}
                }
            }
        }
        Ok(vec![(RemainsKind::Snapshot, disk), (RemainsKind::MachineState, behind)])
    }

    fn older_states(&self) -> Vec<Result<OlderState<Self>>> {
        let mut before: Option<Self> = None;
        let state = |snapshot: &SnapshotEntry| {
            let layout = self.of_snapshot(snapshot)?;
            let shown = std::iter::once(self.clone()).chain(before.take()).collect();
            before = Some(layout.clone());
            Ok(OlderState { name: snapshot.name.clone(), layout, shown })
        };
        self.snapshots.iter().map(state).collect()
    }

    fn rewrite(&self) -> &'static str {
        "qemu-img convert -O qcow2 OLD NEW"
    }
}
