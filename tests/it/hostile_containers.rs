//! Hostile containers: whatever stands in headers and tables, a disk is right, has gaps, or does not open.

use crate::support::{Random, fixture};
use residue::container::{Image, OpenOptions, Spool, Unresolved, open_with};
use residue::error::Result;
use residue::io::{Backing, ReadAt};
use std::sync::Arc;

/// Images in one file, and where their headers and tables are.
const IMAGES: [(&str, &[std::ops::Range<usize>]); 12] = [
    ("v3.qcow2", &[0..112, 0x1_0000..0x1_0040, 0x3_0000..0x3_0040, 0x4_0000..0x4_0080]),
    ("zlib.qcow2", &[0..112, 0x3_0000..0x3_0040, 0x4_0000..0x4_0080]),
    ("extended-l2.qcow2", &[0..112, 0x6_0000..0x6_0040, 0x8_0000..0x8_0080]),
    ("overlay.qcow2", &[0..112, 0x3_0000..0x3_0040, 0x4_0000..0x4_0040]),
    ("monolithic-sparse.vmdk", &[0..80, 512..700, 21 * 512..21 * 512 + 64]),
    ("stream-optimized.vmdk", &[0..80, 512..700, 0x1_0000..0x1_0080]),
    ("dynamic.vhd", &[0..96, 512..1200, 1536..1600]),
    ("fixed.vhd", &[0x90_0600..0x90_0640, 0x90_0640..0x90_0680]),
    ("dynamic.vhdx", &[0x1_0000..0x1_0060, 0x3_0000..0x3_0060, 0x20_0000..0x20_0040, 0x30_0000..0x30_0100]),
    ("log.vhdx", &[0x10_0000..0x10_0080, 0x10_1000..0x10_1010, 0x1_0000..0x1_0060]),
    ("dynamic.vdi", &[64..460, 512..580]),
    ("deflated.E01", &[0..200, 0x500..0x700]),
];

/// A file with some bytes changed, without a copy of it.
#[derive(Debug)]
struct Damaged {
    sound: Arc<Vec<u8>>,
    at: u64,
    bytes: Vec<u8>,
}

impl ReadAt for Damaged {
    fn size(&self) -> u64 {
        self.sound.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.sound.read_at(offset, buffer)?;
        for (at, byte) in (self.at..).zip(&self.bytes) {
            if let Some(inside) = at.checked_sub(offset).filter(|&inside| inside < buffer.len() as u64) {
                buffer[usize::try_from(inside).unwrap()] = *byte;
            }
        }
        Ok(())
    }
}

/// Opens as permissively as can be, so that more code sees the damage.
fn open_any(file: Damaged) -> Option<Arc<dyn Image>> {
    let options = OpenOptions { unresolved: Unresolved::Gap, ..OpenOptions::default() };
    open_with(Arc::new(file), &options).ok()
}

/// Uses an image as a scan would, without more than a little work.
fn use_image(image: &dyn Image, file_size: u64) {
    let size = image.size();
    let mut at = 0;
    for _ in 0..24 {
        if at >= size {
            break;
        }
        let Ok(extent) = image.map(at, 1 << 20) else { break };
        assert!(extent.length > 0 && extent.length <= 1 << 20 && extent.length <= size - at);
        match extent.backing {
            Backing::Stored { host } => assert!(host + extent.length <= file_size, "past the end"),
            Backing::Encoded { host, host_length } => {
                assert!(host + host_length <= file_size, "past the end")
            }
            Backing::Hole | Backing::Missing { .. } => {}
        }
        let length = usize::try_from(extent.length.min(4096)).unwrap();
        let read = image.read_at(at, &mut vec![0; length]);
        assert!(read.is_err() || !matches!(extent.backing, Backing::Missing { .. }), "bytes of a gap");
        if let Some(slice) = image.slice(at, extent.length) {
            assert!(!slice.is_empty() && slice.len() as u64 <= extent.length);
        }
        at += extent.length;
    }
    for at in [0, size / 2, size.saturating_sub(1), size, u64::MAX] {
        let _ = image.read_at(at, &mut [0; 3]);
        let _ = image.slice(at, 10);
    }
}

#[test]
fn extremes_in_every_field_end_in_errors_and_gaps() {
    let values: [&[u8]; 6] = [
        &[0xff; 8],
        &[0; 8],
        &[0x80, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0, 0x80],
        &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0],
    ];
    for (name, places) in IMAGES {
        let sound = Arc::new(fixture(&format!("containers/{name}")));
        let size = sound.len();
        let fields = places.iter().flat_map(|place| place.clone().step_by(4)).filter(|at| at + 8 <= size);
        for at in fields {
            for (value, width) in values.iter().map(|value| (value, if at % 8 == 0 { 8 } else { 4 })) {
                let bytes = value[..width].to_vec();
                let file = Damaged { sound: sound.clone(), at: at as u64, bytes };
                if let Some(image) = open_any(file) {
                    use_image(image.as_ref(), size as u64);
                }
            }
        }
    }
}

/// Values that tables trip over, or bits at random.
fn value(numbers: &mut Random, old: u64) -> u64 {
    match numbers.below(9) {
        0 => u64::MAX,
        1 => 1 << 63,
        2 => i64::MAX as u64,
        3 => 0,
        4 => old ^ 1 << numbers.below(64),
        5 => old.wrapping_add(1),
        6 => old.wrapping_sub(1),
        7 => old.swap_bytes(),
        _ => numbers.next() >> numbers.below(64),
    }
}

/// Changes a few fields of the file's structures, or cuts the file.
fn damage(numbers: &mut Random, sound: &[u8], places: &[std::ops::Range<usize>]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for _ in 0..=numbers.below(3) {
        let place = &places[numbers.below(places.len())];
        let end = place.end.min(bytes.len().saturating_sub(8));
        if place.start >= end {
            continue;
        }
        let at = place.start + numbers.below(end - place.start);
        let width = 1 << numbers.below(4);
        let at = at - at % width;
        let mut field = [0; 8];
        field.copy_from_slice(&bytes[at..at + 8]);
        let new = value(numbers, u64::from_be_bytes(field)).to_be_bytes();
        bytes[at..at + width].copy_from_slice(&new[8 - width..]);
    }
    if numbers.below(8) == 0 {
        let length = numbers.below(bytes.len());
        bytes.truncate(length);
    }
    bytes
}

/// Goes over the whole disk as a scan does: every extent, remains, snapshots.
fn go_over(image: &dyn Image) {
    const STEPS_MAX: usize = 1 << 20;
    let mut at = 0;
    for step in 0.. {
        if at >= image.size() {
            break;
        }
        assert!(step < STEPS_MAX, "more extents than the file has entries for");
        let Ok(extent) = image.map(at, image.size() - at) else { break };
        at += extent.length.max(1);
    }
    for residual in image.residual().unwrap_or_default() {
        let mut end = 0;
        for remains in residual.remains {
            assert!(end <= remains.range.start && remains.range.end <= residual.file.size());
            assert!(remains.range.start < remains.range.end);
            end = remains.range.end;
        }
    }
    for snapshot in image.snapshots().into_iter().take(4).flatten() {
        let mut at = 0;
        for _ in 0..4096 {
            if at >= snapshot.unshown.size() {
                break;
            }
            let Ok(extent) = snapshot.unshown.map(at, u64::MAX) else { break };
            let _ = snapshot.unshown.read_at(at, &mut [0; 16]);
            at += extent.length.max(1);
        }
    }
}

/// Damages every image in many ways. `RESIDUE_FUZZ_SECONDS` gives each image that long instead of a few rounds.
#[test]
fn damage_at_random_ends_in_errors_and_gaps_within_bounded_time() {
    let seconds = std::env::var("RESIDUE_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let further: [(&str, &[std::ops::Range<usize>]); 6] = [
        ("snapshots.qcow2", &[0..112, 0x3_0000..0x3_0040, 0x4_0000..0x4_0080, 0x10_0000..0x20_0000]),
        ("disk.ova", &[0..1024, 0x400..0x1000]),
        ("gnu-sparse.tar", &[0..512, 512..1536]),
        ("plain.E01", &[0..0x400, 0x400..0x800]),
        ("disk.raw.gz", &[0..20, 20..200]),
        ("disk.raw.zstd", &[0..20, 20..200]),
    ];
    for (name, places) in IMAGES.iter().chain(&further) {
        let sound = fixture(&format!("containers/{name}"));
        let start = std::time::Instant::now();
        let mut numbers = Random(0x5eed_0000_0000_0001);
        for round in 0u64.. {
            let enough = match seconds {
                Some(seconds) => start.elapsed().as_secs() >= seconds,
                None => round >= 12,
            };
            if enough {
                break;
            }
            let seed = numbers.next();
            let bytes = damage(&mut Random(seed | 1), &sound, places);
            let (size, case) = (bytes.len() as u64, std::time::Instant::now());
            let spool = Spool { bytes_max: 1 << 26, size_max: 1 << 40, ..Spool::default() };
            let options = OpenOptions { unresolved: Unresolved::Gap, spool, ..OpenOptions::default() };
            println!("{name}: seed {seed:#x}");
            if let Ok(image) = open_with(Arc::new(bytes), &options) {
                let is_unpacked = !image.facts().wrapping.is_empty();
                use_image(image.as_ref(), if is_unpacked { u64::MAX } else { size });
                go_over(image.as_ref());
            }
            assert!(case.elapsed().as_secs() < 20, "{name}: seed {seed:#x} took {:?}", case.elapsed());
        }
    }
}
