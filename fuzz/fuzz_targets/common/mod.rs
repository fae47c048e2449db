//! What targets share: images that other programs made, damage to them, and going over what they hold.
#![allow(dead_code, reason = "no target needs all of it")]

use residue::container::{Image, OpenOptions, Spool, Unresolved, open_with};
use residue::error::Result;
use residue::filesystem::{FileSystem, Walked};
use residue::io::{Backing, ReadAt, check_range};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Extents that are looked at, and entries of a file system, so that an input takes milliseconds.
const EXTENTS_MAX: usize = 512;
const ENTRIES_MAX: usize = 128;
/// Length of the pieces of a seed of which those that hold something are known.
const PIECE: usize = 64;

/// A file of `testdata`, decompressed, and where it holds something other than zeros.
pub struct Seed {
    bytes: Vec<u8>,
    filled: Vec<usize>,
}

/// The file `testdata/NAME.zst`.
pub fn seed(name: &str) -> Seed {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let packed = std::fs::File::open(folder.join(format!("{name}.zst"))).expect("a fixture");
    let bytes = zstd::decode_all(packed).expect("zstd");
    let pieces = bytes.chunks(PIECE).zip((0..).step_by(PIECE));
    // Without a comparison a byte, each of which would be traced.
    let is_filled = |piece: &[u8]| piece.iter().fold(0, |all, byte| all | byte) != 0;
    let filled = pieces.filter(|(piece, _)| is_filled(piece)).map(|(_, at)| at).collect();
    Seed { bytes, filled }
}

/// A seed with some bytes replaced, or cut off.
#[derive(Debug)]
struct Damaged {
    bytes: &'static [u8],
    changes: BTreeMap<u64, u8>,
}

impl ReadAt for Damaged {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size(), offset, buffer.len() as u64)?;
        let start = offset as usize;
        buffer.copy_from_slice(&self.bytes[start..start + buffer.len()]);
        for (at, value) in self.changes.range(offset..offset + buffer.len() as u64) {
            buffer[(at - offset) as usize] = *value;
        }
        Ok(())
    }
}

/// The first byte chooses a seed, or none. What follows are changes of five to thirteen bytes: a place, a length
/// (255 cuts the file off there), the bytes. A place below 2^31 counts in the pieces that hold something, any
/// other in the whole file. Without a seed, the rest of the input is the file.
pub fn damaged(seeds: &'static [Seed], input: &[u8]) -> Option<Arc<dyn ReadAt>> {
    let (&first, mut rest) = input.split_first()?;
    let Some(seed) = seeds.get(usize::from(first) % (seeds.len() + 1)) else {
        return Some(Arc::new(rest.to_vec()));
    };
    let (mut bytes, mut changes) = (seed.bytes.as_slice(), BTreeMap::new());
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let Some((&length, tail)) = tail.split_first() else { break };
        let (values, tail) = tail.split_at(usize::from(length % 9).min(tail.len()));
        let place = u32::from_le_bytes(*head) as usize;
        let at = match seed.filled.get(place / PIECE % seed.filled.len().max(1)) {
            Some(piece) if place < 1 << 31 => piece + place % PIECE,
            _ => (place - (1 << 31)) % seed.bytes.len(),
        };
        match length {
            255 => bytes = &bytes[..at.min(bytes.len())],
            _ => changes.extend((at as u64..).zip(values.iter().copied())),
        }
        rest = tail;
    }
    Some(Arc::new(Damaged { bytes, changes }))
}

/// Damages an image of a container format and goes over its disk as a scan does.
pub fn run(format: &str, seeds: &'static [Seed], input: &[u8]) {
    if let Some(file) = damaged(seeds, input) {
        open(Some(format), file);
    }
}

/// Opens a file as an image of the format, or of any, and goes over the disk.
pub fn open(format: Option<&str>, file: Arc<dyn ReadAt>) {
    let spool = Spool { bytes_max: 1 << 20, size_max: 1 << 22, ..Spool::default() };
    let format = format.map(str::to_owned);
    let options = OpenOptions { format, unresolved: Unresolved::Gap, spool, ..OpenOptions::default() };
    if let Ok(image) = open_with(file, &options) {
        go_over(image.as_ref());
    }
}

fn go_over(image: &dyn Image) {
    let size = image.size();
    let mut at = 0;
    for _ in 0..EXTENTS_MAX {
        if at >= size {
            break;
        }
        let Ok(extent) = image.map(at, size - at) else { break };
        assert!(extent.length > 0 && extent.length <= size - at);
        let length = usize::try_from(extent.length.min(4096)).unwrap_or(1);
        let mut buffer = vec![0xee; length];
        let read = image.read_at(at, &mut buffer);
        match extent.backing {
            Backing::Hole => assert!(read.is_ok() && buffer.iter().all(|&byte| byte == 0)),
            Backing::Missing { .. } => assert!(read.is_err()),
            Backing::Stored { .. } => {
                if let Some(slice) = image.slice(at, 4096) {
                    let common = slice.len().min(length);
                    assert!(read.is_err() || slice[..common] == buffer[..common]);
                }
            }
            Backing::Encoded { .. } => {}
        }
        at += extent.length;
    }
    for residual in image.residual().unwrap_or_default() {
        let mut end = 0;
        for remains in residual.remains {
            assert!(end <= remains.range.start && remains.range.start < remains.range.end);
            end = remains.range.end;
        }
        assert!(end <= residual.file.size());
    }
    for snapshot in image.snapshots().into_iter().take(2).flatten() {
        let mut at = 0;
        for _ in 0..64 {
            if at >= snapshot.unshown.size() {
                break;
            }
            let Ok(extent) = snapshot.unshown.map(at, u64::MAX) else { break };
            let _ = snapshot.unshown.read_at(at, &mut [0; 64]);
            at += extent.length.max(1);
        }
    }
}

/// Calls everything that a file system offers.
pub fn exercise(filesystem: &dyn FileSystem) {
    let mut entries = Vec::new();
    let _ = filesystem.walk(&mut |walked| {
        if let Walked::Entry(entry) = walked {
            entries.push(entry);
        }
        ControlFlow::Continue(())
    });
    let mut buffer = [0; 4096];
    for entry in entries.iter().step_by(entries.len().div_ceil(ENTRIES_MAX).max(1)) {
        let _ = filesystem.paths(entry.id);
        let _ = filesystem.list(entry.id, &mut |_| ControlFlow::Continue(()));
        for stream in &entry.streams {
            let Ok(content) = filesystem.open(entry, &stream.name) else { continue };
            let length = content.size().min(4096);
            let _ = content.read_at(0, &mut buffer[..length as usize]);
            let _ = content.read_at(content.size() - length, &mut buffer[..length as usize]);
            let _ = content.map(content.size().saturating_sub(1), u64::MAX);
        }
    }
    let mut before = 0;
    let _ = filesystem.unallocated(&mut |range| {
        assert!(before <= range.start && range.start < range.end, "{range:?}");
        before = range.end;
    });
}
