//! Wrapped images: the disk inside is the same whatever is wrapped around it.

use crate::support::fixture;
use residue::container::{Image, OpenOptions, Spool, open, open_with};
use residue::error::{Kind, Result};
use residue::io::{Backing, read_vec};
use std::sync::Arc;

fn wrapped(name: &str) -> Vec<u8> {
    fixture(&format!("containers/{name}"))
}

fn open_bytes(bytes: Vec<u8>) -> Result<Arc<dyn Image>> {
    open(Arc::new(bytes), None)
}

fn read(image: &dyn Image) -> Vec<u8> {
    read_vec(image, 0, usize::try_from(image.size()).unwrap()).unwrap()
}

#[test]
fn the_disk_in_every_wrapping_is_the_same() {
    let disk = wrapped("disk.raw");
    let cases: [(&str, &str, &[&str]); 13] = [
        ("disk.raw.gz", "raw", &["gz"]),
        ("disk.raw.zstd", "raw", &["zst"]),
        ("disk.raw.xz", "raw", &["xz"]),
        ("disk.raw.bz2", "raw", &["bz2"]),
        ("two.raw.gz", "raw", &["gz"]),
        ("disk.raw.tar.gz", "raw", &["gz", "tar"]),
        ("gnu-sparse.tar.gz", "raw", &["gz", "tar"]),
        ("pax-1.0-sparse.tar.gz", "raw", &["gz", "tar"]),
        ("pax-0.1-sparse.tar.gz", "raw", &["gz", "tar"]),
        ("pax-0.0-sparse.tar", "raw", &["tar"]),
        ("gnu-sparse.tar", "raw", &["tar"]),
        ("disk.ova", "vmdk", &["tar"]),
        ("two-disks.ova", "vmdk", &["tar"]),
    ];
    for (name, format, wrapping) in cases {
        let file = wrapped(name);
        let stored = file.len() as u64;
        let image = open_bytes(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let facts = image.facts();
        assert_eq!((facts.format, facts.stored_size), (format, stored), "{name}");
        assert_eq!(facts.wrapping, wrapping, "{name}");
        let bytes = read(image.as_ref());
        assert!(bytes.starts_with(&disk) && bytes.len() < disk.len() + 65_536, "{name}: other bytes");
        assert_eq!(facts.unread.len(), usize::from(name == "two-disks.ova"), "{name}: {:?}", facts.unread);
        let garbage = facts.notes.iter().any(|note| note.contains("follow it"));
        assert_eq!(garbage, name == "two.raw.gz", "{name}: {:?}", facts.notes);
        let hole = image.map(8 << 20, 4096).unwrap();
        assert!(hole.backing == Backing::Hole || format == "vmdk", "{name}: {hole:?}");
    }
}

#[test]
fn an_archive_is_read_in_place() {
    let file = wrapped("disk.ova");
    let image = open_bytes(file.clone()).unwrap();
    let Backing::Encoded { host, host_length } = image.map(0, 1).unwrap().backing else { panic!() };
    let marker = usize::try_from(host).unwrap() - 12;
    // The marker in front of the compressed grain: sector 0, and the length.
    assert_eq!(file[marker..marker + 8], [0; 8]);
    assert_eq!(u64::from(u32::from_le_bytes(file[marker + 8..marker + 12].try_into().unwrap())), host_length);
}

#[test]
fn a_further_disk_of_an_archive_is_named_and_can_be_chosen() {
    let file: Arc<Vec<u8>> = Arc::new(wrapped("two-disks.ova"));
    let image = open_with(file.clone(), &OpenOptions::default()).unwrap();
    assert!(image.facts().unread[0].contains("dynamic.vdi"), "{:?}", image.facts().unread);
    let second = OpenOptions { disk: 1, ..OpenOptions::default() };
    let image = open_with(file.clone(), &second).unwrap();
    assert_eq!(image.facts().format, "vdi");
    assert!(image.facts().unread[0].contains("stream-optimized.vmdk"));
    let third = OpenOptions { disk: 2, ..OpenOptions::default() };
    assert_eq!(open_with(file, &third).map(|_| ()).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_stream_that_breaks_off_gives_what_arrived_and_says_so() {
    let disk = wrapped("disk.raw");
    for name in [
        "disk.raw.gz",
        "disk.raw.zstd",
        "disk.raw.xz",
        "disk.raw.bz2",
        "disk.raw.tar.gz",
        "gnu-sparse.tar.gz",
    ] {
        let file = wrapped(name);
        for keep in [7, 20, 200, 5000, file.len() / 2, file.len() - 9, file.len() - 1] {
            let image = match open_bytes(file[..keep].to_vec()) {
                Ok(image) => image,
                Err(error) => {
                    assert!(
                        matches!(error.kind(), Kind::Truncated | Kind::Corrupt | Kind::NotFound),
                        "{name} {keep}: {error}"
                    );
                    continue;
                }
            };
            assert!(!image.facts().unread.is_empty(), "{name} cut to {keep} passes as whole");
            let bytes = read(image.as_ref());
            assert!(disk.starts_with(&bytes), "{name} cut to {keep}: wrong bytes");
        }
    }
}

#[test]
fn a_cut_archive_has_a_gap_where_its_member_is_cut() {
    let disk = wrapped("disk.raw");
    let file = wrapped("gnu-sparse.tar");
    for keep in [2000, 40_000, 80_000] {
        let image = open_bytes(file[..keep].to_vec()).unwrap();
        assert_eq!(image.size(), disk.len() as u64);
        let (mut at, mut missing) = (0, 0);
        while at < image.size() {
            let extent = image.map(at, u64::MAX).unwrap();
            let start = usize::try_from(at).unwrap();
            let part = &disk[start..start + usize::try_from(extent.length).unwrap()];
            match extent.backing {
                Backing::Missing { .. } => missing += extent.length,
                _ => assert!(read_vec(image.as_ref(), at, part.len()).unwrap() == part, "{keep}: {at:#x}"),
            }
            at += extent.length;
        }
        assert!(missing > 0, "cut to {keep}");
    }
}

#[test]
fn unpacking_stops_at_its_limits() {
    let file: Arc<Vec<u8>> = Arc::new(wrapped("disk.raw.gz"));
    for spool in
        [Spool { bytes_max: 100_000, ..Spool::default() }, Spool { size_max: 1 << 20, ..Spool::default() }]
    {
        let options = OpenOptions { spool, ..OpenOptions::default() };
        let error = open_with(file.clone(), &options).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::LimitExceeded, "{error}");
    }
}

#[test]
fn wrappings_around_wrappings_end_somewhere() {
    use std::io::Write as _;
    let mut bytes = wrapped("zlib.qcow2");
    for _ in 0..3 {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        bytes = encoder.finish().unwrap();
    }
    let image = open_bytes(bytes.clone()).unwrap();
    assert_eq!(image.facts().wrapping, ["gz", "gz", "gz"]);
    for _ in 0..8 {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        bytes = encoder.finish().unwrap();
    }
    assert_eq!(open_bytes(bytes).map(|_| ()).unwrap_err().kind(), Kind::LimitExceeded);
}

#[test]
fn damage_in_an_archive_never_panics() {
    let file = wrapped("gnu-sparse.tar");
    let mut state = 0x9e37_79b9_u64;
    for _ in 0..300 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = file.clone();
        let at = usize::try_from(state >> 33).unwrap() % 1024;
        bytes[at] = (state >> 8) as u8;
        // Make the header's sum right again, so that the damage gets past it.
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|&byte| u32::from(byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        if let Ok(image) = open_bytes(bytes) {
            let _ = image.map(0, u64::MAX);
            let _ = image.read_at(image.size() / 2, &mut [0; 16]);
        }
    }
}
