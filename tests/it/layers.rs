//! Volumes over volumes: logical volumes, arrays, disks inside of them.
//!
//! `testdata/volumes/make-layers.sh` makes the disks with LVM2, mdadm and the kernel, which says in
//! `layers.truth` what it reads from each volume.

use crate::support::{Random, Scanned, fixture, scan, sparse_image as image, testdata, token};
use residue::coverage::GapKind;
use residue::filesystem::Recognised;
use residue::io::{ReadAt, read_vec};
use residue::location::State;
use residue::scan::{Disk, Options};
use residue::volume::{Reading, Volume, VolumeKind, VolumeReader, tile};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

const DISKS: [&str; 9] =
    ["lvm", "lvm-mixed", "md-0.90", "md-1.0", "md-1.1", "md-1.2", "md-lvm", "md-raid5", "md-stale"];

fn disk(name: &str) -> Vec<u8> {
    fixture(&format!("volumes/{name}.disk"))
}

/// What the kernel read: disk, volume, length, digest.
fn truth() -> Vec<(String, String, u64, String)> {
    let text = std::fs::read_to_string(testdata("volumes/layers.truth")).unwrap();
    let line = |line: &str| {
        let [disk, volume, length, digest] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let disk = disk.trim_end_matches(".disk").to_owned();
        (disk, volume.to_owned(), length.parse().unwrap(), digest.to_owned())
    };
    text.lines().map(line).collect()
}

/// Volumes by name, in the disk's order, and all notes.
fn volumes(bytes: &Arc<dyn ReadAt>) -> (Vec<Volume>, String) {
    let tiling = tile(bytes).unwrap();
    let mut cursor = 0;
    for volume in &tiling.volumes {
        assert_eq!(volume.disk_start(), cursor, "{}", volume.name);
        cursor += volume.size();
    }
    assert_eq!(cursor, bytes.size(), "the volumes do not cover the disk");
    (tiling.volumes.into_iter().chain(tiling.logical).collect(), tiling.notes.join("\n"))
}

fn named<'a>(volumes: &'a [Volume], name: &str) -> &'a Volume {
    let all: Vec<_> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    volumes.iter().find(|volume| volume.name == name).unwrap_or_else(|| panic!("no {name} among {all:?}"))
}

fn opened(bytes: &[u8]) -> Disk {
    residue::scan::open(image(bytes).path(), &Options::default()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_volume_reads_as_the_kernel_reads_it() {
    let mut checked = 0;
    for name in DISKS {
        let bytes: Arc<dyn ReadAt> = Arc::new(disk(name));
        let (volumes, notes) = volumes(&bytes);
        for (_, volume, length, digest) in truth().iter().filter(|line| line.0 == name) {
            let volume = named(&volumes, volume);
            let reader = VolumeReader::new(bytes.clone(), volume.clone());
            // The kernel's loop device ended on a sector, where the partition may go on.
            let content = read_vec(&reader, 0, usize::try_from(*length).unwrap()).unwrap();
            assert_eq!(hex(&content), *digest, "{name} {}\n{notes}", volume.name);
            assert_eq!(volume.present(), volume.size(), "{name} {}", volume.name);
            checked += 1;
        }
    }
    assert_eq!(checked, truth().len());
}

#[test]
fn an_image_of_another_project_opens_down_to_its_files() {
    use crate::support::real_image;
    for (name, volume) in [
        ("lvm.qcow2", "lvm:test_volume_group/test_logical_volume"),
        ("lvmtest.qcow2", "lvm:vg_test/lv_test1"),
    ] {
        let Some(bytes) = real_image(name) else { return };
        let disk = opened(&bytes);
        let all: Vec<_> = disk.volumes.iter().map(|volume| volume.volume.name.clone()).collect();
        let open = disk.volumes.iter().find(|open| open.volume.name == volume);
        let open = open.unwrap_or_else(|| panic!("{name}: {all:?} {:?}", disk.tiling.notes));
        let Recognised::Opened(filesystem) = &open.content else { panic!("{name}: {:?}", open.content) };
        let found = filesystem.find(b"/passwords.txt").unwrap();
        let content =
            filesystem.open(&filesystem.entry(found).unwrap(), &residue::filesystem::StreamName::Data);
        let content = content.unwrap();
        let text = read_vec(content.as_ref(), 0, usize::try_from(content.size()).unwrap()).unwrap();
        assert!(text.starts_with(b"place,user,password"), "{name}");
    }
}

#[test]
fn what_is_not_read_is_named_with_what_it_is_for() {
    let (bytes, raid5) = (disk("lvm-mixed"), disk("md-raid5"));
    let cases: [(&[u8], &str, &str, &str); 5] = [
        (&bytes, "lvm:mixed/pool_tdata", "lvm2-thin-pool", "with the volumes thin, thin-snapshot: not read"),
        (&bytes, "lvm:mixed/before", "lvm2-snapshot", "blocks kept for a snapshot of origin: not read"),
        (&raid5, "p1", "md-raid", "member 0 of the RAID 5 array md:five of 3, metadata 1.2: not read"),
        (&raid5, "p2", "md-raid", "member 1 of the RAID 5"),
        (&raid5, "p3", "md-raid", "member 2 of the RAID 5"),
    ];
    for (bytes, name, kind, reason) in cases {
        let disk = opened(bytes);
        let open = disk.volumes.iter().find(|open| open.volume.name == name).unwrap();
        let Recognised::Opaque { facts, error } = &open.content else { panic!("{name}: {:?}", open.content) };
        assert_eq!(facts.kind, kind, "{name}");
        assert!(error.to_string().contains(reason), "{name}: {error}");
    }
    let notes = opened(&bytes).tiling.notes.join("\n");
    assert!(notes.contains("lvm:mixed/thin is not read (thin)"), "{notes}");
}

/// A token at each of many places of a volume, blanks around it.
fn plant(disk: &mut [u8], volume: &Volume, places: impl Iterator<Item = u64>) -> BTreeMap<String, u64> {
    let mut planted = BTreeMap::new();
    for at in places {
        let text = format!(" {} ", token(volume.to_disk(at).unwrap()));
        for (byte, offset) in text.bytes().zip(at - 1..) {
            disk[usize::try_from(volume.to_disk(offset).unwrap()).unwrap()] = byte;
        }
        planted.insert(text.trim().to_owned(), at);
    }
    planted
}

fn tokens() -> Options {
    Options {
        show_secrets: true,
        only: vec!["aws-access-key-id".into()],
        per_file_max: u64::MAX,
        ..Options::default()
    }
}

/// Findings by secret; each secret once.
fn by_secret(scanned: &Scanned) -> BTreeMap<String, &residue::finding::Finding> {
    let mut all = BTreeMap::new();
    for finding in &scanned.findings {
        let twice = all.insert(finding.secret_shown.clone().unwrap(), finding);
        assert!(twice.is_none(), "{finding:?}\n{twice:?}");
    }
    all
}

#[test]
fn tokens_over_every_seam_of_stripes_and_members_are_found_in_their_files() {
    let mut bytes = disk("lvm");
    let arc: Arc<dyn ReadAt> = Arc::new(bytes.clone());
    let (volumes, _) = volumes(&arc);
    let open = opened(&bytes);
    for name in ["lvm:vg-0/striped", "lvm:vg-0/linear"] {
        let volume = named(&volumes, name);
        let opened = open.volumes.iter().find(|open| open.volume.name == name).unwrap();
        let Recognised::Opened(filesystem) = &opened.content else { panic!("{name}: {:?}", opened.content) };
        let id = filesystem.find(b"/etc/large.txt").unwrap();
        let entry = filesystem.entry(id).unwrap();
        let runs = entry.streams[0].runs().to_vec();
        // Over each seam of the volume, and in the middle of each piece, where the file lies.
        let seams: Vec<u64> = volume.seams(0..volume.size()).collect();
        assert!(seams.len() >= if name.ends_with("striped") { 500 } else { 1 }, "{name}: {seams:?}");
        let spots = seams.iter().flat_map(|seam| [seam - 9, seam + 1000]);
        let inside = |at: &u64| {
            runs.iter().any(|run| match run.place {
                residue::filesystem::Place::At(start) => {
                    let end = start + run.length.min(entry.streams[0].size.saturating_sub(run.logical));
                    start < at - 1 && at + 30 < end
                }
                _ => false,
            })
        };
        let spots: Vec<u64> = spots.filter(inside).collect();
        assert!(!name.ends_with("striped") || spots.len() > 40, "{name}: {} places", spots.len());
        let planted = plant(&mut bytes, volume, spots.into_iter());
        let scanned = scan(image(&bytes).path(), &tokens());
        let found = by_secret(&scanned);
        for (secret, at) in &planted {
            let finding =
                found.get(secret).unwrap_or_else(|| panic!("{name}: the token at {at:#x} is not found"));
            assert_eq!(
                (finding.place.volume.as_str(), finding.place.path.as_deref()),
                (name, Some("/etc/large.txt"))
            );
            assert_eq!(finding.place.disk_offset, volume.to_disk(*at));
            assert_eq!(finding.place.state, Some(State::Allocated));
        }
        assert!(scanned.summary.coverage.is_whole());
    }
}

#[test]
fn free_extents_metadata_and_swap_of_a_group_are_owners_too() {
    let mut bytes = disk("lvm");
    let arc: Arc<dyn ReadAt> = Arc::new(bytes.clone());
    let (volumes, _) = volumes(&arc);
    let mut expected = BTreeMap::new();
    for member in ["p1", "p2", "p3"].map(|name| named(&volumes, name)) {
        assert_eq!(member.reading, Reading::Member("lvm2"), "{}", member.name);
        for area in &member.areas {
            let middle = area.range.start + (area.range.end - area.range.start) / 2;
            let planted = plant(&mut bytes, member, std::iter::once(middle));
            expected
                .extend(planted.into_keys().map(|secret| (secret, (member.name.clone(), Some(area.state)))));
        }
    }
    let swap = named(&volumes, "lvm:vg-0/swap");
    let planted = plant(&mut bytes, swap, std::iter::once(500_000));
    expected.extend(planted.into_keys().map(|secret| (secret, (swap.name.clone(), Some(State::Swap)))));
    let states: Vec<_> = expected.values().filter_map(|(_, state)| *state).collect();
    assert!(states.contains(&State::Unallocated) && states.contains(&State::Metadata), "{states:?}");
    let scanned = scan(image(&bytes).path(), &tokens());
    let found = by_secret(&scanned);
    for (secret, place) in &expected {
        let finding = found.get(secret).unwrap_or_else(|| panic!("not found: {place:?}"));
        assert_eq!((finding.place.volume.clone(), finding.place.state), *place);
    }
    assert_eq!(found.len(), expected.len());
    assert!(scanned.gaps.is_empty(), "{:?}", scanned.gaps);
    assert!(scanned.summary.coverage.is_whole());
}

#[test]
fn the_other_half_of_a_mirror_adds_copies_and_no_findings() {
    for (name, array, system) in [
        ("md-0.90", None, "p2"),
        ("md-1.0", Some("md:data2"), "p2"),
        ("md-1.1", Some("md:data3"), "p2"),
        ("md-1.2", Some("md:data4"), "p2"),
        ("lvm-mixed", Some("lvm:mixed/mirror"), "lvm:mixed/mirror_rimage_1"),
        ("md-lvm", Some("lvm:over/top"), "p2"),
    ] {
        let mut bytes = disk(name);
        let arc: Arc<dyn ReadAt> = Arc::new(bytes.clone());
        let (volumes, notes) = volumes(&arc);
        let volume = match array {
            Some(array) => named(&volumes, array),
            None => volumes.iter().find(|volume| volume.name.starts_with("md:")).unwrap(),
        };
        let half = named(&volumes, system);
        let Reading::Copy { of, offset, .. } = &half.reading else {
            panic!("{name}: {:?}\n{notes}", half.reading)
        };
        let whole = named(&volumes, of);
        // A place whose bytes are text of a file, the same in both halves.
        let at = (0..volume.size() / 1024).map(|block| block * 1024 + 300).find(|&at| {
            let start = usize::try_from(volume.to_disk(at).unwrap()).unwrap();
            bytes[start..start + 40].windows(4).any(|four| four == b"line") && at > 300_000
        });
        let at = at.unwrap();
        let planted = plant(&mut bytes, volume, std::iter::once(at));
        let on_disk = volume.to_disk(at).unwrap();
        let in_whole = (0..whole.size()).step_by(1024).find_map(|block| {
            let start = whole.to_disk(block)?;
            (start..start + 1024).contains(&on_disk).then(|| block + on_disk - start)
        });
        let twin = half.to_disk(in_whole.unwrap() + offset).unwrap();
        let (from, to) = (usize::try_from(on_disk).unwrap() - 1, usize::try_from(twin).unwrap() - 1);
        bytes.copy_within(from..from + 22, to);
        let scanned = scan(image(&bytes).path(), &tokens());
        let found = by_secret(&scanned);
        assert_eq!(found.len(), 1, "{name}");
        let finding = found.get(planted.keys().next().unwrap()).unwrap();
        assert_eq!(finding.place.volume, volume.name, "{name}");
        assert!(finding.place.path.is_some(), "{name}: {finding:?}");
        assert_eq!(finding.copies, [twin], "{name}");
        assert!(scanned.summary.coverage.is_whole(), "{name}");
        // What only the other half holds is a finding of its own.
        let alone = half.to_disk(in_whole.unwrap() + offset + 2048).unwrap();
        let text = format!(" {} ", token(77));
        let start = usize::try_from(alone).unwrap();
        bytes[start..start + text.len()].copy_from_slice(text.as_bytes());
        let scanned = scan(image(&bytes).path(), &tokens());
        let found = by_secret(&scanned);
        assert_eq!((found.len(), &found[&token(77)].place.volume), (2, &half.name), "{name}");
    }
}

#[test]
fn a_half_that_fell_out_is_not_read_as_the_mirror() {
    let bytes: Arc<dyn ReadAt> = Arc::new(disk("md-stale"));
    let (volumes, notes) = volumes(&bytes);
    let Reading::Copy { note, .. } = &named(&volumes, "p2").reading else { panic!("{notes}") };
    assert!(note.contains("fell out at event"), "{note}");
    assert_eq!(named(&volumes, "p1").reading, Reading::Member("md-raid"));
}

#[test]
fn damaged_metadata_falls_back_to_the_newest_text_that_is_left() {
    let sound = disk("lvm");
    let arc: Arc<dyn ReadAt> = Arc::new(sound.clone());
    let (all, _) = volumes(&arc);
    let start = |name: &str| usize::try_from(named(&all, name).disk_start()).unwrap();
    let starts = BTreeMap::from([("p1", start("p1")), ("p3", start("p3"))]);
    let at = |name: &str, offset: u64| starts[name] + usize::try_from(offset).unwrap();
    let names = |bytes: Vec<u8>| {
        let bytes: Arc<dyn ReadAt> = Arc::new(bytes);
        let (volumes, notes) = volumes(&bytes);
        let logical: Vec<_> =
            volumes.into_iter().filter(|v| v.kind == VolumeKind::Logical).map(|v| v.name).collect();
        (logical, notes)
    };
    let everything = names(sound.clone()).0;
    assert_eq!(everything.len(), 4, "{everything:?}");
    // The areas start at 4 KiB of each member that keeps any; the second one of p3 stands at its end.
    let broken = |members: &[&str]| {
        let mut bytes = sound.clone();
        for member in members {
            bytes[at(member, 4096)..at(member, 4096) + 512].fill(0xa5);
        }
        names(bytes)
    };
    for members in [&["p1"][..], &["p3"], &["p1", "p3"]] {
        let (logical, notes) = broken(members);
        assert_eq!(logical, everything, "{members:?}");
        assert!(notes.contains("is not sound"), "{members:?}: {notes}");
    }
    // No header anywhere: the texts themselves are still there.
    let mut bytes = sound.clone();
    let size = named(&all, "p3").size();
    for start in (0..size / 512).map(|sector| at("p3", sector * 512)) {
        let is_area = bytes[start + 4..start + 20] == *b" LVM2 x[5A%r0N*>";
        if is_area {
            bytes[start..start + 512].fill(0);
        }
    }
    bytes[at("p1", 4096)..at("p1", 4096) + 512].fill(0);
    let (logical, notes) = names(bytes.clone());
    assert_eq!(logical, everything, "{notes}");
    // Nothing at all is left: the members are named, and nothing is invented.
    for member in ["p1", "p3"] {
        for sector in 8..2048 {
            bytes[at(member, sector * 512)..at(member, sector * 512) + 512].fill(0);
        }
        for sector in size / 512 - 2100..size / 512 {
            let start = at("p3", sector * 512);
            bytes[start..start + 512].fill(0);
        }
    }
    let (logical, _) = names(bytes.clone());
    assert!(logical.is_empty(), "{logical:?}");
    let opaque: Vec<_> =
        opened(&bytes).volumes.iter().filter_map(residue::scan::OpenVolume::opaque).collect();
    assert_eq!(opaque.len(), 3, "{opaque:?}");
}

#[test]
fn a_volume_with_a_member_elsewhere_is_read_as_far_as_it_goes() {
    let mut bytes = disk("lvm");
    let arc: Arc<dyn ReadAt> = Arc::new(bytes.clone());
    let (all, _) = volumes(&arc);
    let label = usize::try_from(named(&all, "p2").to_disk(512).unwrap()).unwrap();
    bytes[label..label + 512].fill(0);
    let scanned = scan(image(&bytes).path(), &tokens());
    let unread: Vec<_> = scanned.gaps.iter().filter(|gap| gap.kind == GapKind::Unread).collect();
    assert!(
        unread.iter().any(|gap| gap.volume == "lvm:vg-0/linear" && gap.length == Some(2 << 20)),
        "{unread:?}"
    );
    assert!(unread.iter().any(|gap| gap.volume == "lvm:vg-0/striped"), "{unread:?}");
    assert!(scanned.summary.coverage.is_whole());
}

#[test]
fn every_disk_is_covered_and_anything_in_its_metadata_does_no_harm() {
    // A fixed sequence, so that a failure can be repeated.
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut random = move || random.next();
    for name in DISKS {
        let sound = disk(name);
        let scanned = scan(image(&sound).path(), &tokens());
        assert!(scanned.summary.coverage.is_whole(), "{name}");
        assert!(scanned.findings.is_empty(), "{name}: {:?}", scanned.findings);
        let arc: Arc<dyn ReadAt> = Arc::new(sound.clone());
        let (all, _) = volumes(&arc);
        // Where labels, headers, texts and superblocks stand.
        let members: Vec<&Volume> =
            all.iter().filter(|v| matches!(v.kind, VolumeKind::Partition { .. })).collect();
        for round in 0..40 {
            let mut bytes = sound.clone();
            for _ in 0..=round % 8 {
                let member = members[(random() % members.len() as u64) as usize];
                let near =
                    if random() % 4 == 0 { member.size() - 1 - random() % 70_000 } else { random() % 9000 };
                let at = usize::try_from(member.to_disk(near).unwrap()).unwrap();
                let wild = random().to_le_bytes();
                let length = (random() % 8) as usize + 1;
                bytes[at..at + length].copy_from_slice(&wild[..length]);
            }
            let arc: Arc<dyn ReadAt> = Arc::new(bytes);
            volumes(&arc);
        }
    }
}
