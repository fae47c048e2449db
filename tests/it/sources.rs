//! What a user may hand to a scan: folders of images, images with digests, images that unpack.

use crate::support::{fixture, program, scan};
use residue::scan::Options;
use std::fs;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_image_of_a_folder_is_scanned_and_the_worst_decides() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join("archive").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let disk = fixture("containers/disk.raw");
    put("2025/server.qcow2", &fixture("containers/outside/snapshot.qcow2"));
    put("2025/blank.raw", b"");
    let blank =
        fs::OpenOptions::new().write(true).open(folder.path().join("archive/2025/blank.raw")).unwrap();
    blank.set_len(1 << 20).unwrap();
    put("a/parts.001", &disk[..4 << 20]);
    put("a/parts.002", &disk[4 << 20..]);
    put("a/parts.vmdk", &fixture("containers/parts.vmdk"));
    for part in ["parts-f001.vmdk", "parts-s001.vmdk", "parts-s002.vmdk"] {
        put(&format!("a/{part}"), &fixture(&format!("containers/{part}")));
    }
    put("a/wrong.qcow2", &fixture("containers/v3.qcow2")[..100]);
    put("checksums.txt", b"not an image\n");
    let output = program(folder.path(), &["scan", "--format", "jsonl", "--images", "archive"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let summaries: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &serde_json::Value| record["type"] == "summary")
        .collect();
    let told: Vec<(&str, &str)> = summaries
        .iter()
        .map(|summary| (summary["image"].as_str().unwrap(), summary["exit_reason"].as_str().unwrap()))
        .collect();
    let expected = [
        ("2025/blank.raw", "clean"),
        ("2025/server.qcow2", "incomplete"),
        ("a/parts.001", "incomplete"),
        ("a/parts.vmdk", "incomplete"),
        ("a/wrong.qcow2", "unreadable"),
    ];
    assert_eq!(told, expected);
    let said = text(&output.stderr);
    for left_out in ["a/parts.002", "a/parts-s001.vmdk", "checksums.txt"] {
        assert!(said.contains(&format!("{left_out} is left out")), "{left_out}: {said}");
    }
    assert!(said.contains("5 images: 1 clean, 0 with findings, 3 incomplete, 1 not read"), "{said}");
    let alone = program(folder.path(), &["scan", "--images", "archive/a/none"]);
    assert_eq!(alone.status.code(), Some(2), "{alone:?}");
}

#[test]
fn a_folder_of_images_scanned_as_a_tree_says_how_to_scan_the_images() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("archive")).unwrap();
    fs::write(folder.path().join("archive/disk.qcow2"), fixture("containers/v3.qcow2")).unwrap();
    let output = program(folder.path(), &["scan", "archive"]);
    assert!(text(&output.stderr).contains("--images archive"), "{output:?}");
}

#[test]
fn stored_digests_are_compared_and_a_difference_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.E01");
    let sound = fixture("containers/digests.E01");
    fs::write(&path, &sound).unwrap();
    let options = Options { verify: true, ..Options::default() };
    let verified = scan(&path, &options);
    let agrees = verified.summary.notes.iter().filter(|note| note.starts_with("verified: ")).count();
    assert_eq!(agrees, 2, "{:?}", verified.summary.notes);
    let identifiers = verified.header.unwrap().container.identifiers;
    for (name, shown) in [("md5", "MD5"), ("sha1", "SHA-1")] {
        let stored = &identifiers.iter().find(|(known, _)| known == name).unwrap().1;
        let stored = data_encoding::HEXLOWER.decode(stored.as_bytes()).unwrap();
        let mut wrong = sound.clone();
        let places: Vec<_> = (0..wrong.len() - 20).filter(|&at| wrong[at..].starts_with(&stored)).collect();
        assert!(!places.is_empty(), "{name}");
        for at in places {
            wrong[at] ^= 1;
        }
        fs::write(&path, &wrong).unwrap();
        let scanned = scan(&path, &options);
        let reasons: Vec<_> = scanned.gaps.iter().map(|gap| gap.reason.clone()).collect();
        let wanted = format!("verification failed: the image stores the {shown}");
        assert!(reasons.iter().any(|reason| reason.starts_with(&wanted)), "{name}: {reasons:?}");
        assert!(scan(&path, &Options::default()).gaps.iter().all(|gap| !gap.reason.contains("verification")));
    }
    fs::write(&path, fixture("containers/v3.qcow2")).unwrap();
    let notes = scan(&path, &options).summary.notes;
    assert!(notes.iter().any(|note| note.starts_with("nothing to verify")), "{notes:?}");
}

#[test]
fn unpacking_goes_where_it_is_told_and_no_further_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("disk.raw.gz"), fixture("containers/disk.raw.gz")).unwrap();
    fs::create_dir(folder.path().join("spool")).unwrap();
    let info = |args: &[&str]| program(folder.path(), &[&["info", "disk.raw.gz"], args].concat());
    let output = info(&["--spool-dir", "spool", "--max-spool", "20M"]);
    assert!(text(&output.stdout).contains("wrapping    gz"), "{output:?}");
    assert_eq!(fs::read_dir(folder.path().join("spool")).unwrap().count(), 0);
    let output = info(&["--max-spool", "100K"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("more than 102400 bytes of disk space"), "{output:?}");
    let output = info(&["--spool-dir", "not-there"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("not-there"), "{output:?}");
    for wrong in ["0", "x", "1P", "-1", "99999999999T"] {
        assert_eq!(info(&["--max-spool", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn info_says_of_every_container_what_is_known_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str]); 8] = [
        (
            "snapshots.qcow2",
            &["qcow2 version 3", "snapshots   before, after a write", "compression none (type zlib)"],
        ),
        ("zstd.qcow2", &["compression zstd", "of it compressed"]),
        ("overlay.qcow2", &["parent      base.qcow2", "cannot be had"]),
        ("stream-optimized.vmdk", &["vmdk version streamOptimized", "compression zlib", "cid"]),
        ("dynamic.vhd", &["vhd version dynamic", "creator     qem2", "uuid"]),
        ("dynamic.vhdx", &["vhdx version dynamic", "creator     QEMU", "data write"]),
        ("dynamic.vdi", &["vdi version 1.1 dynamic", "creator     QEMU", "uuid"]),
        ("digests.E01", &["ewf version 1 segments", "compression zlib", "md5", "sha1"]),
    ];
    for (name, expected) in cases {
        fs::write(folder.path().join(name), fixture(&format!("containers/{name}"))).unwrap();
        let output = program(folder.path(), &["info", "--delta-only", name]);
        let shown = text(&output.stdout);
        for part in ["disk        9.0 MiB", "stored      ", "allocated   "].iter().chain(expected) {
            assert!(shown.contains(part), "{name}: no `{part}` in\n{shown}\n{}", text(&output.stderr));
        }
        let output = program(folder.path(), &["info", "--delta-only", "--format", "json", name]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["container"]["virtual_size"], 9 * (1 << 20) + 1536, "{name}");
        assert!(json["allocation"]["allocated"].as_u64().unwrap() > 0, "{name}");
    }
    fs::write(folder.path().join("luks.qcow2"), fixture("containers/luks.qcow2")).unwrap();
    let output = program(folder.path(), &["info", "--format", "json", "luks.qcow2"]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["error"].as_str().unwrap().contains("LUKS"), "{json}");
}

#[test]
fn a_place_outside_of_the_disk_can_be_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("disk.qcow2"), fixture("containers/outside/snapshot.qcow2")).unwrap();
    for (args, volume) in [(&["scan"][..], "container"), (&["scan", "--snapshots"], "snapshot:1")] {
        let output = program(folder.path(), &[args, &["--accept-gaps", "disk.qcow2"]].concat());
        let report = text(&output.stdout);
        let start = format!("disk.qcow2 / {volume} @ ");
        let place = report.lines().find_map(|line| line.trim().strip_prefix(&start));
        let place = format!("{start}{}+40", place.unwrap_or_else(|| panic!("{report}")));
        let bytes = program(folder.path(), &["cat", "disk.qcow2", &place]);
        assert_eq!(text(&bytes.stdout), "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", "{place}: {bytes:?}");
    }
}
