//! Disk images in compressed files of a disk: read like the images themselves, within limits, and found in once.

use crate::support::{Scanned, fixture, image, scan, testdata};
use bzip2::Compression;
use flate2::write::GzEncoder;
use residue::container::Spool;
use residue::coverage::GapKind;
use residue::finding::Finding;
use residue::location::State;
use residue::scan::Options;
use std::collections::BTreeSet;
use std::io::Write as _;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Scans a folder with one file.
fn scan_file(name: &str, bytes: &[u8], spool: Spool) -> Scanned {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    scan(folder.path(), &Options { spool, ..options() })
}

fn options() -> Options {
    Options { show_secrets: true, ..Options::default() }
}

/// What is the same for an image by itself and one in a file.
fn place(finding: &Finding) -> String {
    let at = &finding.place;
    let place = (&at.path, at.inode, at.version, &at.stream, &at.member, at.state, at.line);
    format!("{} {place:?} {:?}", finding.rule, finding.secret_shown)
}

fn places<'a>(findings: impl Iterator<Item = &'a Finding>) -> BTreeSet<String> {
    findings.map(place).collect()
}

#[test]
fn an_image_in_a_compressed_file_is_read_like_the_image_itself() {
    type Pack = fn(&[u8]) -> Vec<u8>;
    let cases: [(&str, &str, Pack); 5] = [
        ("ext4/planted.img", "gz", gz),
        ("ntfs/planted.img", "zst", zst),
        // The library packs no xz: the packed image is at hand.
        ("ext4/planted.img", "xz", |_| std::fs::read(testdata("ext4/planted.img.xz")).unwrap()),
        ("ntfs/planted.img", "bz2", bz2),
        ("volumes/nested.disk", "zst", zst),
    ];
    for (name, packing, pack) in cases {
        let bytes = fixture(name);
        let alone = scan(image(&bytes).path(), &options());
        let file = format!("disk.img.{packing}");
        let packed = scan_file(&file, &pack(&bytes), Spool::default());
        let expected = places(alone.findings.iter());
        let volume = format!("whole:/{file}!/");
        // Checks of the folder itself have nothing to do with it.
        let inside = packed.findings.iter().filter(|finding| finding.place.volume.starts_with(&volume));
        // One level less is left inside.
        let is_deep = |place: &String| place.contains("deep.img");
        let found: BTreeSet<_> = places(inside).into_iter().filter(|place| !is_deep(place)).collect();
        let expected: BTreeSet<_> = expected.into_iter().filter(|place| !is_deep(place)).collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        let more: Vec<_> = found.difference(&expected).collect();
        assert!(
            expected.len() > 8 && missing.is_empty() && more.is_empty(),
            "{name}: {missing:#?} {more:#?}"
        );
        // What a packer left as it is lies in the file as well, and on the outer disk.
        let is_decoded = |finding: &&Finding| finding.place.member.is_some();
        let twice = packed.findings.iter().filter(is_decoded);
        let twice = twice.filter(|finding| !finding.place.volume.starts_with(&volume));
        assert_eq!(places(twice), BTreeSet::new(), "{name}");
        assert!(packed.findings.iter().all(|finding| finding.place.disk_offset.is_none()), "{name}");
        assert!(packed.summary.coverage.is_whole() && packed.summary.coverage.decoded > 0, "{name}");
    }
}

#[test]
fn what_only_the_packed_container_knows_is_found() {
    let secret = "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";
    for name in ["deleted-snapshot.qcow2", "snapshot.qcow2", "zeroed.vmdk", "trailing.vdi"] {
        // Content that does not compress makes the file long enough to be looked at.
        let mut bytes = fixture(&format!("containers/outside/{name}"));
        bytes.extend(noise(64 << 10));
        let scanned = scan_file("disk.gz", &gz(&bytes), Spool::default());
        let found: Vec<_> =
            scanned.findings.iter().filter(|f| f.secret_shown.as_deref() == Some(secret)).collect();
        let [finding] = found.as_slice() else { panic!("{name}: {found:#?}") };
        assert_eq!(finding.place.state, Some(State::Container), "{name}");
        assert_eq!(finding.place.volume, "whole:/disk.gz!/container", "{name}");
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut random = crate::support::Random(0x0123_4567_89ab_cdef);
    std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(length).collect()
}

#[test]
fn an_image_that_a_limit_keeps_packed_is_a_gap_and_is_decoded() {
    let bytes = fixture("ntfs/planted.img");
    let packed = gz(&bytes);
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let limits = [
        (Spool { bytes_max: 64 << 10, ..Spool::default() }, "needs more than 65536 bytes"),
        (Spool { size_max: 1 << 20, ..Spool::default() }, "longer than 1048576 bytes"),
        (Spool { folder: Some(missing), ..Spool::default() }, "cannot make a file"),
    ];
    for (spool, reason) in limits {
        let scanned = scan_file("disk.img.gz", &packed, spool);
        let gaps: Vec<_> = scanned.gaps.iter().filter(|gap| gap.reason.contains(reason)).collect();
        let [gap] = gaps.as_slice() else { panic!("{reason}: {:#?}", scanned.gaps) };
        assert_eq!((gap.kind, gap.path.as_deref()), (GapKind::Limited, Some("/disk.img.gz")));
        let in_member = |finding: &&Finding| finding.place.member.is_some();
        assert!(scanned.findings.iter().filter(in_member).count() > 8, "{reason}");
    }
}

#[test]
fn images_of_one_disk_share_the_room_to_unpack_into() {
    let packed = gz(&fixture("ntfs/planted.img"));
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.gz", "b.gz", "c.gz"] {
        std::fs::write(folder.path().join(name), &packed).unwrap();
    }
    let length = fixture("ntfs/planted.img").len() as u64;
    let spool = Spool { size_max: 2 * length + 1000, ..Spool::default() };
    let scanned = scan(folder.path(), &Options { spool, ..options() });
    let opened: BTreeSet<_> = scanned
        .header
        .iter()
        .flat_map(|header| &header.volumes)
        .filter_map(|volume| volume.name.strip_suffix("!/whole"))
        .collect();
    assert_eq!(opened.len(), 2, "{opened:?}");
    let limited = scanned.gaps.iter().filter(|gap| gap.reason.contains("longer than 1000 bytes"));
    assert_eq!(limited.count(), 1, "{:#?}", scanned.gaps);
}

#[test]
fn a_packed_image_that_breaks_off_is_read_as_far_as_it_goes() {
    let mut packed = gz(&fixture("ext4/planted.img"));
    packed.truncate(packed.len() * 3 / 4);
    let scanned = scan_file("disk.img.gz", &packed, Spool::default());
    let gap = scanned.gaps.iter().find(|gap| gap.reason.contains("the stream breaks off after"));
    assert_eq!(gap.map(|gap| (gap.kind, gap.volume.as_str())), Some((GapKind::Unread, "whole:/disk.img.gz")));
    let inside = scanned.findings.iter().filter(|finding| finding.place.volume.contains("disk.img.gz!/"));
    assert!(inside.count() > 0);
}

#[test]
fn compressed_files_that_are_no_disk_are_decoded_as_ever() {
    let token = "AKIAQ3EGUXJ5WZP7LNYT";
    let words: String = (0..20_000).map(|number| format!("{number} ")).collect();
    let text = format!("{words} key {token} end\n").into_bytes();
    // What a boot sector ends with, and nothing that a disk would have.
    let mut boot = vec![0; 512];
    boot[510..].copy_from_slice(&[0x55, 0xaa]);
    let cases =
        [("log.gz", gz(&text)), ("kernel.gz", gz(&[boot, text.clone()].concat())), ("log.zst", zst(&text))];
    for (name, bytes) in cases {
        let scanned = scan_file(name, &bytes, Spool::default());
        let found: Vec<_> =
            scanned.findings.iter().filter(|f| f.secret_shown.as_deref() == Some(token)).collect();
        let [finding] = found.as_slice() else { panic!("{name}: {found:#?}") };
        assert_eq!(
            (finding.place.volume.as_str(), finding.place.member.is_some()),
            ("whole", true),
            "{name}"
        );
        assert!(scanned.gaps.is_empty(), "{name}: {:?}", scanned.gaps);
    }
}
