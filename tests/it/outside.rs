//! Secrets that lie outside of the disk: in units that no table refers to, in internal snapshots, behind the data.

use crate::support::{Scanned, fixture, image, scan};
use residue::container::open;
use residue::finding::Finding;
use residue::io::Backing;
use residue::location::State;
use residue::scan::Options;
use std::sync::Arc;

const ONE: &str = "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";
const SHORT: &str = "ghp_Hs8dKw3LxQ6vBn9MzRt2YpCf5GjTa7";

fn scanned(bytes: &[u8], snapshots: bool) -> Scanned {
    let file = image(bytes);
    let scanned = scan(file.path(), &Options { snapshots, show_secrets: true, ..Options::default() });
    assert_eq!(scanned.summary.error, None);
    assert!(scanned.summary.coverage.is_whole(), "{:?}", scanned.summary.coverage);
    if let Some(container) = scanned.summary.container {
        assert!(container.is_whole(), "{container:?}");
    }
    scanned
}

/// The findings whose secret starts with `secret`.
fn of<'a>(scanned: &'a Scanned, secret: &str) -> Vec<&'a Finding> {
    let has =
        |finding: &&Finding| finding.secret_shown.as_deref().is_some_and(|shown| shown.starts_with(secret));
    scanned.findings.iter().filter(has).collect()
}

/// The one finding, which lies outside of the disk, at a place of the file that really holds it.
fn only<'a>(scanned: &'a Scanned, bytes: &[u8], name: &str, secret: &str) -> &'a Finding {
    let found = of(scanned, secret);
    assert_eq!(found.len(), 1, "{name}: {found:#?}");
    let finding = found[0];
    assert_eq!(finding.place.state, Some(State::Container), "{name}");
    assert_eq!(finding.place.disk_offset, None, "{name}");
    if let Some(at) = finding.place.image_offset {
        let at = usize::try_from(at).unwrap();
        assert!(bytes[at..].starts_with(secret.as_bytes()), "{name}: {at}");
    }
    finding
}

#[test]
fn what_no_table_refers_to_any_more_is_found_with_its_place_and_remedy() {
    let cases = [
        ("deleted-snapshot.qcow2", ONE, "no table refers to", "qemu-img convert -O qcow2"),
        ("discarded.qcow2", ONE, "no table refers to", "qemu-img convert -O qcow2"),
        ("snapshot.qcow2", ONE, "internal snapshot", "delete the internal snapshots"),
        ("machine-state.qcow2", SHORT, "memory of the machine", "delete the internal snapshots"),
        ("zeroed.vmdk", ONE, "no table refers to", "qemu-img convert -O vmdk"),
        ("trailing.vdi", ONE, "behind the end", "qemu-img convert -O vdi"),
        ("beside.ova", SHORT, "not the disk", "make the archive again"),
    ];
    for (name, secret, evidence, remedy) in cases {
        let bytes = fixture(&format!("containers/outside/{name}"));
        let scanned = scanned(&bytes, false);
        let finding = only(&scanned, &bytes, name, secret);
        assert!(finding.place.volume.starts_with("container"), "{name}: {}", finding.place.volume);
        assert!(
            finding.evidence.iter().any(|fact| fact.contains(evidence)),
            "{name}: {:?}",
            finding.evidence
        );
        assert!(finding.remedy.contains(remedy), "{name}: {}", finding.remedy);
        let container = scanned.summary.container.unwrap();
        assert!(container.scanned > 0 && container.unread == 0, "{name}: {container:?}");
    }
}

#[test]
fn the_same_images_without_the_secret_are_silent() {
    for snapshots in [false, true] {
        let scanned = scanned(&fixture("containers/outside/control.qcow2"), snapshots);
        assert!(scanned.findings.is_empty(), "{:#?}", scanned.findings);
        assert!(scanned.summary.container.unwrap().scanned > 0);
    }
}

/// How each format points to a unit at a place of the file, and the entry of a unit that the guest gave back.
type Entry = fn(u64) -> Vec<u8>;
const TABLES: [(&str, Entry, &[u8]); 5] = [
    ("disk.qcow2", |at| (at | 1 << 63).to_be_bytes().to_vec(), &[0; 8]),
    ("disk.vmdk", |at| u32::try_from(at / 512).unwrap().to_le_bytes().to_vec(), &[0; 4]),
    ("disk.vhd", |at| u32::try_from(at / 512 - 1).unwrap().to_be_bytes().to_vec(), &[0xff; 4]),
    ("disk.vhdx", |at| (at | 6).to_le_bytes().to_vec(), &[3, 0, 0, 0, 0, 0, 0, 0]),
    ("disk.vdi", |_| 0u32.to_le_bytes().to_vec(), &[0xfe, 0xff, 0xff, 0xff]),
];

#[test]
fn a_stale_unit_of_every_format_is_found_and_the_same_unit_in_use_is_not_outside() {
    for (name, entry, unused) in TABLES {
        let mut bytes = fixture(&format!("containers/outside/{name}"));
        let in_use = scanned(&bytes, false);
        let states: Vec<_> = of(&in_use, ONE).iter().map(|finding| finding.place.state).collect();
        assert!(states.len() == 1 && states[0] != Some(State::Container), "{name}: {states:?}");
        let disk = open(Arc::new(bytes.clone()), None).unwrap();
        let Backing::Stored { host } = disk.map(1 << 20, 1).unwrap().backing else { panic!("{name}") };
        let block = match name {
            "disk.vhd" => host - (1 << 20),
            _ => host,
        };
        // Headers hold the same small numbers as tables.
        let after = match name {
            "disk.vdi" => 512,
            "disk.vmdk" => 21 * 512,
            _ => 0,
        };
        let pattern = entry(block);
        let places: Vec<usize> =
            (after..bytes.len() - 8).filter(|&at| bytes[at..].starts_with(&pattern)).collect();
        let first_only = if name.ends_with("vdi") { 1 } else { places.len() };
        for at in places.into_iter().take(first_only) {
            bytes[at..at + unused.len()].copy_from_slice(unused);
        }
        let stale = scanned(&bytes, false);
        let finding = only(&stale, &bytes, name, ONE);
        assert!(finding.place.image_offset.is_some(), "{name}");
        assert!(finding.remedy.contains("qemu-img convert -O"), "{name}: {}", finding.remedy);
    }
}

#[test]
fn a_snapshot_is_scanned_in_the_order_of_its_disk_and_its_clusters_are_not_told_twice() {
    let bytes = fixture("containers/outside/snapshot.qcow2");
    let scanned = scanned(&bytes, true);
    let finding = only(&scanned, &bytes, "snapshot.qcow2", ONE);
    assert_eq!(finding.place.volume, "snapshot:1");
    let offset = finding.place.file_offset.unwrap();
    assert!((1 << 20..(1 << 20) + 65_536).contains(&offset), "{offset}");
    assert!(
        finding.evidence.iter().any(|fact| fact.contains("before the clean-up")),
        "{:?}",
        finding.evidence
    );
}

#[test]
fn compressed_clusters_of_a_snapshot_are_read_only_where_the_snapshot_is() {
    let bytes = fixture("containers/outside/compressed-snapshot.qcow2");
    assert!(of(&scanned(&bytes, false), ONE).is_empty());
    let scanned = scanned(&bytes, true);
    let finding = only(&scanned, &bytes, "compressed-snapshot.qcow2", ONE);
    assert_eq!((finding.place.volume.as_str(), finding.place.image_offset), ("snapshot:1", None));
}

#[test]
fn ranges_that_a_snapshot_shares_with_the_active_state_are_not_counted_again() {
    let scanned = scanned(&fixture("containers/outside/snapshot.qcow2"), true);
    let container = scanned.summary.container.unwrap();
    // One cluster of the snapshot's own, and the file's remains: tables of the snapshot, and the same cluster.
    assert!((65_536..1 << 20).contains(&container.size), "{container:?}");
    assert_eq!(scanned.summary.coverage.size, 4 << 20);
}
