//! Containers: the virtual disk is byte for byte the one that went in, and damage never invents bytes.
//!
//! `testdata/containers/make.sh` makes the images with other programs.

use crate::support::real_image;
use residue::container::{Image, OpenOptions, Unresolved, open, open_with};
use residue::error::{Kind, Result};
use residue::io::{Access, Backing};
use std::path::Path;
use std::sync::Arc;

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    crate::support::fixture(&format!("containers/{name}"))
}

pub(crate) fn open_bytes(bytes: Vec<u8>) -> Result<Arc<dyn Image>> {
    open(Arc::new(bytes), None)
}

pub(crate) fn open_delta(bytes: Vec<u8>) -> Result<Arc<dyn Image>> {
    let options = OpenOptions { unresolved: Unresolved::Gap, ..OpenOptions::default() };
    open_with(Arc::new(bytes), &options)
}

/// The message of an image that does not open.
pub(crate) fn refused(opened: Result<Arc<dyn Image>>) -> (Kind, String) {
    let error = opened.map(|image| image.facts().clone()).expect_err("the image opened");
    (error.kind(), error.to_string())
}

fn is_zero(bytes: &[u8]) -> bool {
    // Comparing a slice with itself, one byte on, is one fast call where a loop is slow unoptimised.
    bytes.first().is_none_or(|&first| first == 0)
        && bytes[..bytes.len().saturating_sub(1)] == bytes[bytes.len().min(1)..]
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
                assert!(is_zero(part), "the hole at {at:#x} has bytes");
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
pub(crate) fn read_in_odd_steps(image: &dyn Image) -> Vec<u8> {
    let size = usize::try_from(image.size()).unwrap();
    let mut bytes = vec![0xee; size];
    for start in (0..size).step_by(50_021) {
        let end = size.min(start + 50_021);
        image.read_at(start as u64, &mut bytes[start..end]).unwrap();
    }
    bytes
}

/// Images of one disk in one file each: name, format, version.
const IMAGES: [(&str, &str, &str); 19] = [
    ("deflated.E01", "ewf", "1 segments"),
    ("monolithic-sparse.vmdk", "vmdk", "monolithicSparse"),
    ("stream-optimized.vmdk", "vmdk", "streamOptimized"),
    ("dynamic.vhd", "vhd", "dynamic"),
    ("fixed.vhd", "vhd", "fixed"),
    ("dynamic.vhdx", "vhdx", "dynamic"),
    ("fixed.vhdx", "vhdx", "fixed"),
    ("dynamic.vdi", "vdi", "1.1 dynamic"),
    ("fixed.vdi", "vdi", "1.1 fixed"),
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

/// Formats in which every byte is part of a unit with a checksum.
const ENCODED: [&str; 1] = ["ewf"];

/// The disk that an image of `size` bytes holds: some formats round sizes up.
pub(crate) fn disk_of(size: u64) -> Vec<u8> {
    let mut disk = fixture("disk.raw");
    let size = usize::try_from(size).unwrap();
    assert!(size >= disk.len() && size - disk.len() < 2 << 20, "{size} bytes");
    disk.resize(size, 0);
    disk
}

#[test]
fn every_container_of_one_disk_holds_the_same_bytes() {
    for (name, format, version) in IMAGES {
        let file = fixture(name);
        let image = open_bytes(file.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let facts = image.facts();
        assert_eq!((facts.format, facts.version.as_deref()), (format, Some(version)), "{name}");
        assert_eq!((facts.virtual_size, facts.stored_size), (image.size(), file.len() as u64), "{name}");
        assert!(facts.notes.is_empty() || name == "snapshots.qcow2", "{name}: {:?}", facts.notes);
        assert!(facts.unread.is_empty(), "{name}: {:?}", facts.unread);
        let disk = disk_of(image.size());
        let [_, encoded, holes, missing] = compare(image.as_ref(), &file, &disk);
        assert_eq!(missing, 0, "{name}");
        let full = name.starts_with("fixed") || name == "preallocated.qcow2" || ENCODED.contains(&format);
        assert!(holes > 0 || full, "{name}: no holes");
        assert_eq!(
            encoded > 0,
            ENCODED.contains(&format) || name.starts_with('z') || name.starts_with("stream"),
            "{name}"
        );
        assert!(read_in_odd_steps(image.as_ref()) == disk, "{name}: odd steps");
    }
}

/// Fixtures in a folder of their own, under their names.
pub(crate) fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        std::fs::write(folder.path().join(name), fixture(name)).unwrap();
    }
    folder
}

/// Opens a file with the options, which get its path.
pub(crate) fn open_path(path: &Path, options: OpenOptions) -> Result<Arc<dyn Image>> {
    let source = residue::io::open(path, Access::Auto)?;
    open_with(source, &OpenOptions { path: Some(path.to_path_buf()), ..options })
}

/// Compares the disk with what it must be, apart from where it is stored.
pub(crate) fn same_disk(image: &dyn Image, expected: &[u8], what: &str) {
    assert_eq!(image.size(), expected.len() as u64, "{what}");
    assert!(read_in_odd_steps(image) == expected, "{what}: other bytes");
    let mut at = 0;
    while at < image.size() {
        let extent = image.map(at, u64::MAX).unwrap();
        let range = usize::try_from(at).unwrap()..usize::try_from(at + extent.length).unwrap();
        match extent.backing {
            Backing::Hole => {
                assert!(is_zero(&expected[range]), "{what}: no hole at {at:#x}")
            }
            Backing::Stored { .. } => {
                let slice = image.slice(at, extent.length).unwrap();
                assert!(*slice == expected[range][..slice.len()], "{what}: other slice at {at:#x}");
            }
            Backing::Encoded { .. } => {}
            Backing::Missing { reason } => panic!("{what}: missing at {at:#x}: {reason}"),
        }
        at += extent.length;
    }
}

#[test]
fn the_log_of_a_vhdx_is_replayed_in_memory() {
    let file = fixture("log.vhdx");
    let image = open_bytes(file).unwrap();
    same_disk(image.as_ref(), &fixture("log.raw"), "log.vhdx");
    let notes = image.facts().notes.join("\n");
    assert!(notes.contains("replayed in memory"), "{notes}");
}

#[test]
fn a_vhdx_log_without_a_complete_sequence_is_an_error() {
    let file = fixture("log.vhdx");
    let broken = patched(&file, (1 << 20) + 4200, &[0xff; 4]);
    let (kind, message) = refused(open_bytes(broken));
    assert_eq!(kind, Kind::Corrupt, "{message}");
    assert!(message.contains("complete sequence"), "{message}");
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
pub(crate) fn patched(file: &[u8], at: usize, value: &[u8]) -> Vec<u8> {
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
    for (name, ..) in IMAGES {
        let file = fixture(name);
        let disk = disk_of(open_bytes(file.clone()).unwrap().size());
        // Structure boundaries and places within structures.
        let step = file.len() / 9 + 1;
        for keep in (0..file.len()).step_by(step).chain([71, 72, 103, 104, 111, 112, 65536, file.len() - 1]) {
            let Ok(image) = open_bytes(file[..keep].to_vec()) else { continue };
            if image.facts().format == "raw" {
                // The only sign of a fixed VHD is at its end.
                assert!(keep < 68 || name == "fixed.vhd", "{name} cut to {keep} bytes passes as raw");
                continue;
            }
            agree_or_fail(image.as_ref(), &disk, &format!("{name} cut to {keep} bytes"));
        }
    }
}

/// Each range of the disk is right or an error.
pub(crate) fn agree_or_fail(image: &dyn Image, disk: &[u8], what: &str) {
    assert_eq!(image.size(), disk.len() as u64, "{what}");
    let mut buffer = vec![0; 16_384];
    for start in (0..disk.len()).step_by(16_384) {
        let expected = &disk[start..disk.len().min(start + 16_384)];
        let buffer = &mut buffer[..expected.len()];
        if image.read_at(start as u64, buffer).is_ok() {
            assert!(buffer == expected, "{what}: wrong bytes at {start:#x}");
        }
        if let Ok(extent) = image.map(start as u64, 16_384)
            && extent.backing == Backing::Hole
        {
            let length = usize::try_from(extent.length).unwrap();
            assert!(is_zero(&expected[..length]), "{what}: no hole at {start:#x}");
        }
    }
}

#[test]
fn images_that_other_projects_test_with_hold_one_disk() {
    let Some(vmdk) = real_image("ext2.vmdk") else { return };
    let disk = open_bytes(vmdk).unwrap();
    let disk = read_in_odd_steps(disk.as_ref());
    assert_eq!(disk[1080..1082], [0x53, 0xef], "no ext2 in it");
    for name in ["ext2.qcow2", "ext2.vhd"] {
        let image = open_bytes(real_image(name).unwrap()).unwrap();
        let read = read_in_odd_steps(image.as_ref());
        assert!(read.starts_with(&disk), "{name}");
        assert!(read[disk.len()..].iter().all(|&byte| byte == 0), "{name}");
    }
}

#[test]
fn the_facts_of_an_expert_witness_image_name_its_program_and_digests() {
    let image = open_bytes(fixture("deflated.E01")).unwrap();
    let facts = image.facts();
    assert_eq!(
        facts.creator.as_deref().map(|text| text.contains("Linux")),
        Some(true),
        "{:?}",
        facts.creator
    );
    assert!(facts.identifiers.iter().any(|(name, value)| name == "md5" && value.len() == 32));
    assert!(facts.unread.is_empty(), "{:?}", facts.unread);
}

#[test]
fn formats_without_a_reader_are_refused_by_name() {
    let cases: [(&[u8], &str); 7] = [
        (b"EVF2\r\n\x81\0", "Ex01"),
        (b"LVF\x09\x0d\x0a\xff\0", "L01"),
        (b"VMA\0", "vma"),
        (b"QFI\xfb\0\0\0\x01", "qcow version 1"),
        (b"COWD", "COWD"),
        (&[0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0], "seSparse"),
        (b"PK\x03\x04..........................container.description", "AFF4"),
    ];
    for (start, name) in cases {
        let mut file = start.to_vec();
        file.resize(4096, 0);
        let (kind, message) = refused(open_bytes(file));
        assert_eq!(kind, Kind::Unsupported, "{message}");
        assert!(message.contains(name), "{message}");
    }
}
