//! Containers: the virtual disk is byte for byte the one that went in, and damage never invents bytes.
//!
//! `testdata/containers/make.sh` makes the images with other programs.

use residue::container::{Image, OpenOptions, WithoutParent, open, open_with};
use residue::error::{Kind, Result};
use residue::io::Backing;
use std::sync::Arc;

fn fixture(name: &str) -> Vec<u8> {
    crate::support::fixture(&format!("containers/{name}"))
}

fn open_bytes(bytes: Vec<u8>) -> Result<Arc<dyn Image>> {
    open(Arc::new(bytes), None)
}

fn open_delta(bytes: Vec<u8>) -> Result<Arc<dyn Image>> {
    let options = OpenOptions { without_parent: WithoutParent::DeltaOnly, ..OpenOptions::default() };
    open_with(Arc::new(bytes), &options)
}

/// The message of an image that does not open.
fn refused(opened: Result<Arc<dyn Image>>) -> (Kind, String) {
    let error = opened.map(|image| image.facts().clone()).expect_err("the image opened");
    (error.kind(), error.to_string())
}

/// Compares what the disk says of itself in every way with the bytes it must have: extents, slices, reads.
/// Returns how many bytes are stored, encoded, holes and missing.
fn compare(image: &dyn Image, file: &[u8], expected: &[u8]) -> [u64; 4] {
    let mut sums = [0; 4];
    let mut at = 0;
    while at < image.size() {
        let extent = image.map(at, u64::MAX).unwrap();
        assert!(extent.length > 0 && at + extent.length <= image.size(), "extent at {at:#x}: {extent:?}");
        let range = usize::try_from(at).unwrap()..usize::try_from(at + extent.length).unwrap();
        let part = &expected[range.clone()];
        let kind = match extent.backing {
            Backing::Stored { host } => {
                let host = usize::try_from(host).unwrap();
                assert!(file[host..host + part.len()] == *part, "stored bytes at {at:#x} differ");
                assert!(image.slice(at, extent.length).unwrap() == part, "slice at {at:#x} differs");
                0
            }
            Backing::Encoded { host, host_length } => {
                assert!(host_length > 0 && host + host_length <= file.len() as u64);
                assert_eq!(image.slice(at, 1), None);
                1
            }
            Backing::Hole => {
                assert!(part.iter().all(|&byte| byte == 0), "the hole at {at:#x} has bytes");
                2
            }
            Backing::Missing { .. } => {
                image.read_at(at, &mut [0]).unwrap_err();
                3
            }
        };
        if kind != 3 {
            let mut read = vec![0xee; part.len()];
            image.read_at(at, &mut read).unwrap();
            assert!(read == part, "read bytes at {at:#x} differ");
        }
        sums[kind] += extent.length;
        at += extent.length;
    }
    sums
}

/// Reads the whole disk in steps that fit no unit.
fn read_in_odd_steps(image: &dyn Image) -> Vec<u8> {
    let size = usize::try_from(image.size()).unwrap();
    let mut bytes = vec![0xee; size];
    for start in (0..size).step_by(50_021) {
        let end = size.min(start + 50_021);
        image.read_at(start as u64, &mut bytes[start..end]).unwrap();
    }
    bytes
}

#[test]
fn every_container_of_one_disk_holds_the_same_bytes() {
    let disk = fixture("disk.raw");
    let images = [
        ("v2.qcow2", "qcow2", "2"),
        ("v3.qcow2", "qcow2", "3"),
        ("cluster-512.qcow2", "qcow2", "3"),
        ("cluster-2m.qcow2", "qcow2", "3"),
        ("zlib.qcow2", "qcow2", "3"),
        ("zlib-v2.qcow2", "qcow2", "2"),
        ("zstd.qcow2", "qcow2", "3"),
        ("extended-l2.qcow2", "qcow2", "3"),
        ("preallocated.qcow2", "qcow2", "3"),
        ("snapshots.qcow2", "qcow2", "3"),
    ];
    for (name, format, version) in images {
        let file = fixture(name);
        let image = open_bytes(file.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let facts = image.facts();
        assert_eq!((facts.format, facts.version.as_deref()), (format, Some(version)), "{name}");
        assert_eq!(image.size(), disk.len() as u64, "{name}");
        let [_, encoded, holes, missing] = compare(image.as_ref(), &file, &disk);
        assert_eq!(missing, 0, "{name}");
        assert!(holes > 0 || name == "preallocated.qcow2", "{name}: no holes");
        assert_eq!(encoded > 0, name.starts_with('z'), "{name}");
        assert!(read_in_odd_steps(image.as_ref()) == disk, "{name}: odd steps");
    }
}

#[test]
fn a_read_past_the_end_is_an_error() {
    let image = open_bytes(fixture("v3.qcow2")).unwrap();
    let error = image.read_at(image.size() - 1, &mut [0; 2]).unwrap_err();
    assert_eq!(error.kind(), Kind::Truncated);
    assert!(image.map(image.size(), 1).is_err());
    assert_eq!(image.slice(image.size(), 1), None);
}

#[test]
fn internal_snapshots_are_named() {
    let image = open_bytes(fixture("snapshots.qcow2")).unwrap();
    assert_eq!(image.facts().snapshots, ["before", "after a write"]);
}

#[test]
fn references_and_encryption_are_refused_by_name() {
    let cases = [
        ("overlay.qcow2", Kind::MissingParent, "base.qcow2"),
        ("absolute-backing.qcow2", Kind::MissingParent, "/etc/passwd"),
        ("protocol-backing.qcow2", Kind::MissingParent, "nbd"),
        ("luks.qcow2", Kind::Encrypted, "LUKS"),
        ("data-file.qcow2", Kind::RefusedReference, "outside.raw"),
    ];
    for (name, kind, part) in cases {
        let (found, message) = refused(open_bytes(fixture(name)));
        assert_eq!(found, kind, "{name}: {message}");
        assert!(message.contains(part), "{name}: {message}");
    }
}

#[test]
fn a_delta_without_its_parent_has_gaps_and_never_zeros() {
    for name in ["overlay", "overlay-subclusters"] {
        let file = fixture(&format!("{name}.qcow2"));
        let image = open_delta(file.clone()).unwrap();
        let [stored, _, holes, missing] = compare(image.as_ref(), &file, &fixture(&format!("{name}.raw")));
        assert!(stored > 0 && missing > 0, "{name}");
        assert_eq!(holes, 65536, "{name}: the explicit zeros");
        let extent = image.map(0, u64::MAX).unwrap();
        let Backing::Missing { reason } = extent.backing else { panic!("{name}: {extent:?}") };
        assert!(reason.contains("base.qcow2"), "{name}: {reason}");
    }
}

/// Writes big-endian `value` into a copy of the fixture.
fn patched(file: &[u8], at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes
}

#[test]
fn a_damaged_qcow2_header_is_an_error_that_says_what_was_expected() {
    let file = fixture("v3.qcow2");
    let cases: [(usize, &[u8], Kind, &str); 12] = [
        (4, &[0, 0, 0, 4], Kind::Unsupported, "version 4"),
        (20, &[0, 0, 0, 8], Kind::Corrupt, "9 to 21"),
        (20, &[0, 0, 0, 63], Kind::Corrupt, "9 to 21"),
        (24, &[0x80, 0, 0, 0, 0, 0, 0, 0], Kind::Corrupt, "L1 table entries"),
        (24, &[0xff; 8], Kind::Corrupt, "L1 table entries"),
        (32, &[0, 0, 0, 1], Kind::Encrypted, "AES"),
        (36, &[0, 0, 0, 0], Kind::Corrupt, "L1 table entries"),
        (36, &[0xff; 4], Kind::Corrupt, "L1 table bytes"),
        (40, &[0, 0, 0, 0, 0, 3, 0, 1], Kind::Corrupt, "multiple of the cluster size"),
        (40, &[0x7f, 0xff, 0, 0, 0, 0, 0, 0], Kind::Truncated, "L1 table"),
        (72, &[0x80, 0, 0, 0, 0, 0, 0, 0], Kind::Unsupported, "bit 63"),
        (100, &[0, 0, 0, 0], Kind::Corrupt, "header length"),
    ];
    for (at, value, kind, part) in cases {
        let (found, message) = refused(open_bytes(patched(&file, at, value)));
        assert_eq!(found, kind, "byte {at}: {message}");
        assert!(message.contains(part), "byte {at}: {message}");
    }
}

#[test]
fn an_unknown_feature_is_named_as_the_image_names_it() {
    let file = fixture("v3.qcow2");
    // Entry 0 of the feature name table: incompatible bit 0. Make it bit 40 and set that bit.
    let table = file.windows(4).position(|w| w == 0x6803_f857u32.to_be_bytes()).unwrap() + 8;
    let mut bytes = patched(&file, table + 1, &[40]);
    bytes = patched(&bytes, table + 2, b"quantum\x1b[31m\0");
    bytes = patched(&bytes, 72, &(1u64 << 40).to_be_bytes());
    let (kind, message) = refused(open_bytes(bytes));
    assert_eq!(kind, Kind::Unsupported);
    assert!(message.contains("bit 40 (quantum%1B[31m)"), "{message}");
}

#[test]
fn dirty_and_corrupt_bits_are_read_and_noted() {
    let file = fixture("v3.qcow2");
    let image = open_bytes(patched(&file, 79, &[3])).unwrap();
    compare(image.as_ref(), &file, &fixture("disk.raw"));
    let notes = image.facts().notes.join("\n");
    assert!(notes.contains("dirty bit") && notes.contains("corrupt bit"), "{notes}");
}

/// Where the active L1 table starts.
fn l1_at(file: &[u8]) -> usize {
    usize::try_from(u64::from_be_bytes(file[40..48].try_into().unwrap())).unwrap()
}

#[test]
fn table_entries_that_point_nowhere_become_gaps_with_the_reason() {
    let disk = fixture("disk.raw");
    let file = fixture("v3.qcow2");
    let l1 = l1_at(&file);
    let l2 =
        usize::try_from(u64::from_be_bytes(file[l1..l1 + 8].try_into().unwrap()) & 0x00ff_ffff_ffff_fe00)
            .unwrap();
    let past = 0x8000_7fff_ffff_0000u64;
    let cases = [
        ("L2 table past the end", l1, past, "L2 entry"),
        ("L2 table not aligned", l1, 0x8000_0000_0003_0200, "multiple of the cluster size"),
        ("cluster past the end", l2, past, "stored data"),
        ("cluster not aligned", l2, 0x8000_0000_0003_0200, "multiple of the cluster size"),
        ("compressed cluster past the end", l2, 0x7fff_ffff_ffff_ffff, "stored data"),
    ];
    for (what, at, value, part) in cases {
        let bytes = patched(&file, at, &value.to_be_bytes());
        let image = open_bytes(bytes.clone()).unwrap();
        let [.., missing] = compare(image.as_ref(), &bytes, &disk);
        assert!(missing > 0, "{what}");
        let Backing::Missing { reason } = image.map(0, 65536).unwrap().backing else { panic!("{what}") };
        assert!(reason.contains(part), "{what}: {reason}");
    }
}

#[test]
fn a_compressed_cluster_that_does_not_decode_is_an_error() {
    let file = fixture("zlib.qcow2");
    let image = open_bytes(file.clone()).unwrap();
    let Backing::Encoded { host, .. } = image.map(0, 1).unwrap().backing else { panic!() };
    let broken = open_bytes(patched(&file, usize::try_from(host).unwrap(), &[0xff; 16])).unwrap();
    for length in [512, 65536] {
        assert_eq!(broken.read_at(0, &mut vec![0; length]).unwrap_err().kind(), Kind::Corrupt);
    }
}

#[test]
fn a_truncated_image_fails_or_has_gaps_and_is_never_wrong() {
    let disk = fixture("disk.raw");
    for name in ["v2.qcow2", "v3.qcow2", "zlib.qcow2", "zstd.qcow2", "extended-l2.qcow2", "cluster-512.qcow2"]
    {
        let file = fixture(name);
        // Structure boundaries and places within structures.
        let step = file.len() / 24 + 1;
        for keep in (0..file.len()).step_by(step).chain([71, 72, 103, 104, 111, 112, 65536, file.len() - 1]) {
            let cut = file[..keep].to_vec();
            let Ok(image) = open_bytes(cut) else { continue };
            if image.facts().format == "raw" {
                assert!(keep < 8, "{name} cut to {keep} bytes passes as raw");
                continue;
            }
            agree_or_fail(image.as_ref(), &disk, &format!("{name} cut to {keep} bytes"));
        }
    }
}

/// Each range of the disk is right or an error.
fn agree_or_fail(image: &dyn Image, disk: &[u8], what: &str) {
    assert_eq!(image.size(), disk.len() as u64, "{what}");
    let mut buffer = vec![0; 4096];
    for start in (0..disk.len()).step_by(4096) {
        let expected = &disk[start..disk.len().min(start + 4096)];
        let buffer = &mut buffer[..expected.len()];
        if image.read_at(start as u64, buffer).is_ok() {
            assert!(buffer == expected, "{what}: wrong bytes at {start:#x}");
        }
        if let Ok(extent) = image.map(start as u64, 4096)
            && extent.backing == Backing::Hole
        {
            let length = usize::try_from(extent.length).unwrap();
            assert!(expected[..length].iter().all(|&byte| byte == 0), "{what}: no hole at {start:#x}");
        }
    }
}
