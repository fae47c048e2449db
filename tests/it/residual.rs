//! Bytes that only the container knows: what the disk no longer shows and the file still ships.

use crate::support::fixture;
use residue::container::{Image, open};
use residue::io::Backing;
use std::sync::Arc;

fn image_of(name: &str, file: &[u8]) -> Arc<dyn Image> {
    open(Arc::new(file.to_vec()), None).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The residual bytes of an image in one file.
fn residual(name: &str, file: &[u8]) -> Vec<u8> {
    let image = image_of(name, file);
    let mut bytes = Vec::new();
    for residual in image.residual().unwrap() {
        assert_eq!(residual.file.size(), file.len() as u64, "{name}");
        for remains in residual.remains {
            let range = remains.range;
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert!(range.start < range.end, "{name}: {range:?}");
            bytes.extend_from_slice(&file[range]);
        }
    }
    bytes
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// A table entry by the place of the data it points to.
type Entry = fn(u64) -> Vec<u8>;

/// How each format points to a unit whose data is at a place of the file, and what an unused entry is.
const FORMATS: [(&str, Entry, &[u8]); 5] = [
    ("v3.qcow2", |at| (at | 1 << 63).to_be_bytes().to_vec(), &[0; 8]),
    ("monolithic-sparse.vmdk", |at| u32::try_from(at / 512).unwrap().to_le_bytes().to_vec(), &[0; 4]),
    ("dynamic.vhd", |at| u32::try_from(at / 512 - 1).unwrap().to_be_bytes().to_vec(), &[0xff; 4]),
    ("dynamic.vhdx", |at| (at | 6).to_le_bytes().to_vec(), &[0; 8]),
    ("dynamic.vdi", |_| 2u32.to_le_bytes().to_vec(), &[0xff; 4]),
];

#[test]
fn a_unit_that_no_table_refers_to_any_more_is_residual() {
    // The start of a unit in every format.
    let guest = 3 << 20;
    let text = b"middle line 000000 of a small disk";
    for (name, entry, unused) in FORMATS {
        let mut file = fixture(&format!("containers/{name}"));
        assert!(!holds(&residual(name, &file), text), "{name}: referred to, yet residual");
        let Backing::Stored { host } = image_of(name, &file).map(guest, 1).unwrap().backing else { panic!() };
        let block = if name.ends_with("vhd") { host - (1 << 20) } else { host };
        let pattern = entry(block);
        let after = if name.ends_with("vdi") { 340 + 172 } else { 0 };
        // Some formats keep their tables twice.
        for at in after..file.len() - 8 {
            if file[at..].starts_with(&pattern) {
                file[at..at + unused.len()].copy_from_slice(unused);
            }
        }
        let image = image_of(name, &file);
        assert_eq!(image.map(guest, 1).unwrap().backing, Backing::Hole, "{name}");
        assert!(holds(&residual(name, &file), text), "{name}: not residual");
    }
}

#[test]
fn clusters_of_internal_snapshots_are_residual() {
    let bytes = residual("snapshots.qcow2", &fixture("containers/snapshots.qcow2"));
    assert!(holds(&bytes, &[0x5a; 65_536]), "{} bytes", bytes.len());
}

#[test]
fn residual_bytes_and_the_disk_do_not_meet() {
    let names = [
        "v3.qcow2",
        "zlib.qcow2",
        "zstd.qcow2",
        "extended-l2.qcow2",
        "cluster-512.qcow2",
        "snapshots.qcow2",
        "monolithic-sparse.vmdk",
        "stream-optimized.vmdk",
        "dynamic.vhd",
        "fixed.vhd",
        "dynamic.vhdx",
        "fixed.vhdx",
        "dynamic.vdi",
        "fixed.vdi",
    ];
    for name in names {
        let file = fixture(&format!("containers/{name}"));
        let image = image_of(name, &file);
        let ranges: Vec<_> =
            image.residual().unwrap().into_iter().flat_map(|r| r.remains).map(|r| r.range).collect();
        let mut at = 0;
        while at < image.size() {
            let extent = image.map(at, u64::MAX).unwrap();
            let place = match extent.backing {
                Backing::Stored { host } => host..host + extent.length,
                // The length counts whole sectors; the data ends within the last one.
                Backing::Encoded { host, host_length } => host..host + host_length.saturating_sub(511),
                _ => 0..0,
            };
            let meets = ranges.iter().any(|range| range.start < place.end && place.start < range.end);
            assert!(!meets, "{name}: {place:?} is both");
            at += extent.length;
        }
        // A fresh image ships nothing but the disk.
        let bytes = residual(name, &file);
        assert!(name == "snapshots.qcow2" || !holds(&bytes, b"small disk"), "{name}: {} bytes", bytes.len());
    }
}
