//! Volumes: every byte of the disk belongs to exactly one, whatever the tables say.
//!
//! `testdata/volumes/make.sh` makes the disks with other programs.

use crate::support::{Random, fixture};
use residue::io::ReadAt;
use residue::volume::{Tiling, VolumeKind, tile};
use std::sync::Arc;

fn disk(name: &str) -> Vec<u8> {
    fixture(&format!("volumes/{name}"))
}

fn tiled(disk: Vec<u8>) -> Tiling {
    let size = disk.len() as u64;
    let disk: Arc<dyn ReadAt> = Arc::new(disk);
    let tiling = tile(&disk).unwrap();
    let mut cursor = 0;
    for volume in &tiling.volumes {
        assert_eq!(volume.disk_start(), cursor, "{}", volume.name);
        cursor += volume.size();
    }
    assert_eq!(cursor, size, "the volumes do not cover the disk");
    tiling
}

/// Names with first and past-the-last sector of 512 bytes.
fn shape(tiling: &Tiling) -> Vec<(&str, u64, u64)> {
    let range = |v: &residue::volume::Volume| (v.disk_start() / 512, (v.disk_start() + v.size()) / 512);
    tiling.volumes.iter().map(|v| (v.name.as_str(), range(v).0, range(v).1)).collect()
}

const GPT: [(&str, u64, u64); 8] = [
    ("table", 0, 34),
    ("unpartitioned", 34, 64),
    ("p1", 64, 2112),
    ("unpartitioned", 2112, 4096),
    ("p3", 4096, 8192),
    ("p9", 8192, 16001),
    ("unpartitioned", 16001, 16351),
    ("table", 16351, 16384),
];

/// The partitions of [`GPT`].
fn partitions(tiling: &Tiling) -> Vec<(&str, u64, u64)> {
    shape(tiling).into_iter().filter(|(name, ..)| name.starts_with('p')).collect()
}

/// The start of the disk with a boot record.
const MBR: [(&str, u64, u64); 7] = [
    ("table", 0, 1),
    ("unpartitioned", 1, 64),
    ("p1", 64, 2064),
    ("unpartitioned", 2064, 4096),
    ("table", 4096, 4097),
    ("unpartitioned", 4097, 4160),
    ("p5", 4160, 6160),
];

#[test]
fn a_gpt_disk_is_cut_into_partitions_tables_and_gaps() {
    let tiling = tiled(disk("gpt.raw"));
    assert_eq!((tiling.scheme, tiling.sector_size), ("gpt", 512));
    assert_eq!(shape(&tiling), GPT);
    assert!(tiling.notes.is_empty(), "{:?}", tiling.notes);
    let root = tiling.volumes.iter().find(|v| v.name == "p3").unwrap();
    assert_eq!(root.label.as_deref(), Some("Wurzel ä"));
    let type_id = "0FC63DAF-8483-4772-8E79-3D69D8477DE4".to_owned();
    assert_eq!(root.kind, VolumeKind::Partition { type_id, type_name: Some("Linux file system") });
}

#[test]
fn a_gpt_with_sectors_of_4096_bytes_is_read() {
    let tiling = tiled(disk("gpt-4096.raw"));
    assert_eq!((tiling.scheme, tiling.sector_size), ("gpt", 4096));
    assert_eq!(partitions(&tiling), [("p1", 512, 8512), ("p2", 16384, 32384)]);
}

/// Overwrites bytes.
fn with(mut disk: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
    disk
}

fn padded(mut disk: Vec<u8>, by: usize) -> Vec<u8> {
    disk.resize(disk.len() + by, 0);
    disk
}

#[test]
fn a_damaged_gpt_is_read_from_whatever_copy_is_left() {
    let sound = disk("gpt.raw");
    let last = sound.len() - 512;
    let cases = [
        ("primary header", with(sound.clone(), 512 + 40, &[9]), "primary GPT header"),
        ("primary header gone", with(sound.clone(), 512, &[0; 512]), "backup at 0x7ffe00"),
        ("primary table", with(sound.clone(), 1024 + 32, &[0xff; 8]), "checksum of the entries"),
        ("backup header", with(sound.clone(), last, &[0; 512]), "no usable backup"),
        ("padded", padded(sound.clone(), 1 << 20), "made for a disk of 8388608 bytes"),
        (
            "padded, primary header",
            padded(with(sound.clone(), 512, &[0; 512]), 1 << 20),
            "backup at 0x7ffe00",
        ),
        (
            "padded, primary table",
            padded(with(sound.clone(), 1056, &[0xff; 8]), 4096),
            "checksum of the entries",
        ),
        ("first sectors gone", with(sound.clone(), 0, &[0; 17408]), "backup at 0x7ffe00"),
        (
            "padded, protective entry without a size",
            padded(with(with(sound.clone(), 512, &[0; 512]), 446 + 12, &[0xff; 4]), 1 << 20),
            "backup at 0x7ffe00",
        ),
    ];
    for (what, disk, note) in cases {
        let tiling = tiled(disk);
        assert_eq!(
            partitions(&tiling),
            GPT.into_iter().filter(|p| p.0.starts_with('p')).collect::<Vec<_>>(),
            "{what}"
        );
        assert!(tiling.notes.iter().any(|n| n.contains(note)), "{what}: {:?}", tiling.notes);
    }
}

#[test]
fn a_truncated_gpt_disk_keeps_what_is_left_and_says_what_is_not() {
    let mut cut = disk("gpt.raw");
    cut.truncate(6000 * 512);
    let tiling = tiled(cut);
    assert_eq!(partitions(&tiling), [("p1", 64, 2112), ("p3", 4096, 6000)]);
    let notes = tiling.notes.join("\n");
    assert!(notes.contains("p3 ends at byte") && notes.contains("p9 (0x400000"), "{notes}");
}

/// Writes a header field and makes the checksum right again.
fn resealed(disk: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut disk = with(with(disk, 512 + at, bytes), 512 + 16, &[0; 4]);
    let sum = crc32fast::hash(&disk[512..512 + 92]);
    disk[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
    disk
}

#[test]
fn absurd_gpt_headers_with_right_checksums_do_no_harm() {
    let sound = disk("gpt.raw");
    let cases: [(&str, usize, &[u8]); 6] = [
        ("entries of 256 bytes", 84, &256u32.to_le_bytes()),
        ("entries of one byte", 84, &1u32.to_le_bytes()),
        ("4 billion entries", 80, &[0xff; 4]),
        ("no entries", 80, &[0; 4]),
        ("table past the end", 72, &[0xff; 8]),
        ("backup past the end", 32, &[0xff; 8]),
    ];
    for (what, at, bytes) in cases {
        let tiling = tiled(resealed(sound.clone(), at, bytes));
        assert_eq!(tiling.scheme, "gpt", "{what}");
        assert!(!tiling.notes.is_empty() || at == 80, "{what}");
    }
}

#[test]
fn a_hybrid_record_adds_nothing_that_the_gpt_has() {
    let tiling = tiled(disk("hybrid.raw"));
    assert_eq!(shape(&tiling), GPT);
    assert!(tiling.notes.iter().any(|note| note.contains("hybrid")), "{:?}", tiling.notes);
}

#[test]
fn logical_partitions_are_numbered_from_five_and_their_tables_are_tables() {
    let tiling = tiled(disk("mbr.raw"));
    assert_eq!(tiling.scheme, "mbr");
    assert_eq!(
        partitions(&tiling),
        [
            ("p1", 64, 2064),
            ("p5", 4160, 6160),
            ("p6", 8192, 10192),
            ("p7", 12288, 14288),
            ("p3", 30000, 32000)
        ]
    );
    assert_eq!(tiling.volumes.iter().filter(|v| v.kind == VolumeKind::Table).count(), 4);
    assert_eq!(shape(&tiling)[..7], MBR);
    assert!(tiling.notes.is_empty(), "{:?}", tiling.notes);
}

/// Where the extended boot record of each logical partition lies.
fn extended_records(disk: &[u8]) -> Vec<usize> {
    let word = |at: usize| u32::from_le_bytes(disk[at..at + 4].try_into().unwrap()) as usize;
    let mut records = vec![4096 * 512];
    while disk[records[records.len() - 1] + 446 + 16 + 4] != 0 {
        records.push((4096 + word(records[records.len() - 1] + 446 + 16 + 8)) * 512);
    }
    records
}

#[test]
fn a_damaged_chain_of_extended_records_keeps_the_partitions_before_the_damage() {
    let sound = disk("mbr.raw");
    let records = extended_records(&sound);
    assert_eq!(records.len(), 3);
    let link =
        |record: usize, to: u32| with(sound.clone(), records[record] + 446 + 16 + 8, &to.to_le_bytes());
    let far = with(link(1, u32::MAX), records[1] + 446 + 16 + 12, &[0xff; 4]);
    let cases = [
        ("signature gone", with(sound.clone(), records[2] + 510, &[0, 0]), "p7 on cannot be read"),
        ("link to itself", link(1, u32::try_from(records[1] / 512 - 4096).unwrap()), "comes back"),
        ("link past the end", far, "p7 on cannot be read"),
    ];
    for (what, disk, note) in cases {
        let tiling = tiled(disk);
        let names: Vec<_> = partitions(&tiling).iter().map(|p| p.0).collect();
        assert_eq!(names, ["p1", "p5", "p6", "p3"], "{what}");
        assert!(tiling.notes.iter().any(|n| n.contains(note)), "{what}: {:?}", tiling.notes);
    }
}

#[test]
fn a_file_system_in_the_first_sector_is_not_taken_for_a_table() {
    let mut ntfs = disk("mbr.raw");
    ntfs[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
    let mut ext = disk("gpt.raw");
    ext[..1024].fill(0);
    ext[1080..1082].copy_from_slice(&[0x53, 0xef]);
    for disk in [ntfs, ext, vec![0; 4096], b"just text".repeat(1000), vec![1]] {
        let tiling = tiled(disk);
        assert_eq!((tiling.scheme, tiling.volumes.len()), ("none", 1));
        assert_eq!(tiling.volumes[0].kind, VolumeKind::Whole);
    }
}

#[test]
fn a_protective_record_without_a_gpt_is_said() {
    let mut lost = disk("gpt.raw");
    lost.truncate(512);
    lost.resize(1 << 20, 0);
    let tiling = tiled(lost);
    assert_eq!(tiling.scheme, "none");
    assert!(tiling.notes.iter().any(|note| note.contains("no usable GPT")), "{:?}", tiling.notes);
}

#[test]
fn any_bytes_at_any_place_of_a_table_leave_the_disk_covered() {
    // A fixed sequence, so that a failure can be repeated.
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut random = move || random.next();
    for name in ["gpt.raw", "mbr.raw", "hybrid.raw"] {
        let sound = disk(name);
        for _ in 0..60 {
            let at = match random() % 4 {
                0 => 4096 * 512 + (random() % 512) as usize,
                1 => sound.len() - 1 - (random() % 4096) as usize,
                _ => (random() % 2048) as usize,
            };
            let length = (random() % 12) as usize;
            let bytes = random().to_le_bytes().repeat(2);
            let end = (at + length).min(sound.len());
            tiled(with(sound.clone(), at, &bytes[..end - at]));
        }
    }
}
