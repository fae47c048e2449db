//! Streams that break off: what arrived is read, the rest is missing, and nothing is taken for zeros.

use crate::containers::agree_or_fail;
use crate::support::{engine, fixture, image, scan};
use residue::container::{Image, open};
use residue::io::{Backing, ReadAt};
use residue::scan::Options;
use residue::sweep::{self, Ahead, Event, Ground, Job, Land};
use residue::volume::{Volume, VolumeKind};
use std::io::Write as _;
use std::sync::Arc;

const GRAIN: usize = 65_536;
const SECTOR: usize = 512;

fn put(bytes: &mut [u8], at: usize, value: u64, width: usize) {
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

fn header(disk: &[u8], directory: u64) -> [u8; SECTOR] {
    let mut header = [0; SECTOR];
    header[..4].copy_from_slice(b"KDMV");
    put(&mut header, 4, 3, 4);
    put(&mut header, 8, 0x3_0001, 4);
    put(&mut header, 12, (disk.len() / SECTOR) as u64, 8);
    put(&mut header, 20, 128, 8);
    put(&mut header, 44, 512, 4);
    put(&mut header, 56, directory, 8);
    put(&mut header, 64, 1, 8);
    header[73..77].copy_from_slice(b"\n \r\n");
    put(&mut header, 77, 1, 2);
    header
}

fn marker(value: u64, kind: u64) -> [u8; SECTOR] {
    let mut marker = [0; SECTOR];
    put(&mut marker, 0, value, 8);
    put(&mut marker, 12, kind, 4);
    marker
}

/// A stream as hypervisors export it, laid out after the specification: grains, tables behind the grains they
/// place, and the directory and a footer at the end. Gives the stream and where its footer starts.
fn stream(disk: &[u8]) -> (Vec<u8>, usize) {
    let mut out = header(disk, u64::MAX).to_vec();
    let mut directory = Vec::new();
    for (number, table) in disk.chunks(GRAIN * 512).enumerate() {
        let mut entries = vec![0u8; 2048];
        for (index, grain) in
            table.chunks(GRAIN).enumerate().filter(|(_, grain)| grain.iter().any(|&b| b != 0))
        {
            put(&mut entries, index * 4, (out.len() / SECTOR) as u64, 4);
            let mut whole = grain.to_vec();
            whole.resize(GRAIN, 0);
            let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(&whole).unwrap();
            let packed = packed.finish().unwrap();
            out.extend(((number * 512 + index) as u64 * 128).to_le_bytes());
            out.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
            out.extend(packed);
            out.resize(out.len().next_multiple_of(SECTOR), 0);
        }
        out.extend(marker(4, 1));
        directory.extend(u32::try_from(out.len() / SECTOR).unwrap().to_le_bytes());
        out.extend(entries);
    }
    directory.resize(directory.len().next_multiple_of(SECTOR), 0);
    out.extend(marker((directory.len() / SECTOR) as u64, 2));
    let at = out.len() / SECTOR;
    out.extend(directory);
    out.extend(marker(1, 3));
    let footer = out.len();
    out.extend(header(disk, at as u64));
    out.extend(marker(0, 0));
    (out, footer)
}

fn open_bytes(bytes: &[u8]) -> Arc<dyn Image> {
    open(Arc::new(bytes.to_vec()), None).unwrap()
}

/// Bytes of the disk that can be had.
fn had(image: &dyn Image) -> u64 {
    let (mut at, mut had) = (0, 0);
    while at < image.size() {
        let extent = image.map(at, u64::MAX).unwrap();
        if !matches!(extent.backing, Backing::Missing { .. }) {
            had += extent.length;
        }
        at += extent.length;
    }
    had
}

#[test]
fn a_stream_without_its_footer_gives_every_grain_that_arrived() {
    let disk = fixture("containers/disk.raw");
    let (stream, footer) = stream(&disk);
    let whole = open_bytes(&stream);
    assert!(whole.facts().unread.is_empty());
    agree_or_fail(whole.as_ref(), &disk, "whole");
    assert_eq!(had(whole.as_ref()), disk.len() as u64);
    // All grains and tables arrived: nothing of the disk is missing.
    let cut = open_bytes(&stream[..footer]);
    agree_or_fail(cut.as_ref(), &disk, "without footer");
    assert_eq!(had(cut.as_ref()), disk.len() as u64);
    let mut last = u64::MAX;
    for keep in (SECTOR..footer).step_by(footer / 40).rev() {
        let cut = open_bytes(&stream[..keep]);
        agree_or_fail(cut.as_ref(), &disk, &format!("cut to {keep} bytes"));
        let had = had(cut.as_ref());
        assert!(had <= last, "{keep}: {had} bytes, {last} with more of the stream");
        last = had;
        let reason = &cut.facts().unread[0];
        assert!(reason.contains("breaks off") && reason.contains("byte 0x"), "{keep}: {reason}");
    }
    assert!(last < 1 << 20, "{last}");
}

#[test]
fn what_arrived_of_a_cut_image_is_scanned_whatever_it_is_wrapped_in() {
    let line = b"export GITHUB_TOKEN=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\n";
    let mut disk = vec![0; 4 << 20];
    disk[..line.len()].copy_from_slice(line);
    // Noise, so that half of the stream is about half of the disk.
    let mut state = 1u32;
    for byte in &mut disk[1 << 20..] {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    let gz = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };
    let zst = ruzstd::encoding::compress_to_vec(&disk[..], ruzstd::encoding::CompressionLevel::Fastest);
    for (name, packed) in [("vmdk", stream(&disk).0), ("gz", gz(&disk)), ("zst", zst)] {
        let file = image(&packed[..packed.len() / 2]);
        let scanned = scan(file.path(), &Options::default());
        assert_eq!(scanned.summary.error, None, "{name}");
        assert!(scanned.findings.iter().any(|finding| finding.rule.contains("github")), "{name}");
        let reasons: Vec<_> = scanned.gaps.iter().map(|gap| gap.reason.as_str()).collect();
        assert!(reasons.iter().any(|reason| reason.contains("breaks off")), "{name}: {reasons:?}");
        assert!(scanned.summary.coverage.is_whole(), "{name}: {:?}", scanned.summary.coverage);
    }
}

#[test]
fn disks_of_exabytes_that_hold_nothing_end_at_once() {
    // A qcow2 of 2^62 bytes without tables, by its header alone: clusters of 2 MiB, an L1 table of zeros.
    let mut qcow2 = vec![0u8; 64 << 20];
    qcow2[..4].copy_from_slice(b"QFI\xfb");
    let mut field = |at: usize, value: u64, width: usize| {
        qcow2[at..at + width].copy_from_slice(&value.to_be_bytes()[8 - width..]);
    };
    field(4, 3, 4);
    field(20, 21, 4);
    field(24, 1 << 61, 8);
    field(36, 1 << 22, 4);
    field(40, 2 << 20, 8);
    field(96, 4, 4);
    field(100, 104, 4);
    let mut shared = qcow2.clone();
    // All entries of the L1 table point to one L2 table.
    for entry in shared[2 << 20..34 << 20].chunks_exact_mut(8) {
        entry.copy_from_slice(&(40u64 << 20).to_be_bytes());
    }
    let (stream, _) = stream(&vec![0; 1 << 20]);
    let mut vmdk = stream.clone();
    for at in [0, vmdk.len() - 1024] {
        put(&mut vmdk, at + 12, 1 << 53, 8);
    }
    let mut vdi = fixture("containers/dynamic.vdi");
    put(&mut vdi, 368, (1 << 32) * (1 << 28) - (1 << 28), 8);
    put(&mut vdi, 376, 1 << 28, 4);
    put(&mut vdi, 384, u64::from(u32::MAX), 4);
    vdi.truncate(1024);
    for (name, bytes) in [("empty.qcow2", qcow2), ("shared.qcow2", shared), ("vmdk", vmdk), ("vdi", vdi)] {
        let file = image(&bytes);
        let start = std::time::Instant::now();
        let scanned = scan(file.path(), &Options::default());
        assert!(start.elapsed().as_secs() < 60, "{name}: {:?}", start.elapsed());
        let summary = scanned.summary;
        assert!(summary.error.is_some() || summary.coverage.is_whole(), "{name}: {summary:?}");
        println!("{name}: {:?} {:?} {:?}", start.elapsed(), summary.error, summary.coverage);
    }
}

#[test]
fn tables_that_show_the_same_bytes_again_and_again_meet_a_budget() {
    // A dynamic VHD whose blocks are all one block: 1 TiB out of some MiB.
    let mut vhd = fixture("containers/dynamic.vhd");
    let footer = vhd.len() - SECTOR;
    let blocks: u64 = 1 << 16;
    let table = vhd.len() - SECTOR;
    let first = u32::from_be_bytes(vhd[1536..1540].try_into().unwrap());
    let footer_bytes = vhd[footer..].to_vec();
    vhd.truncate(footer);
    for _ in 0..blocks {
        vhd.extend(first.to_be_bytes());
    }
    vhd.extend(footer_bytes);
    let end = vhd.len() - SECTOR;
    for at in [0, end] {
        vhd[at + 48..at + 56].copy_from_slice(&(blocks << 21).to_be_bytes());
        seal(&mut vhd[at..at + SECTOR], 64);
    }
    vhd[512 + 16..512 + 24].copy_from_slice(&(table as u64).to_be_bytes());
    vhd[512 + 28..512 + 32].copy_from_slice(&u32::try_from(blocks).unwrap().to_be_bytes());
    seal(&mut vhd[512..1536], 36);
    let image = open_bytes(&vhd);
    assert_eq!(image.size(), blocks << 21);
    assert!(matches!(image.map((1 << 40) >> 4, 1).unwrap().backing, Backing::Stored { .. }));
    let disk: Arc<dyn ReadAt> = image;
    let volume = Volume::contiguous("whole", VolumeKind::Whole, 0..disk.size());
    let land = Land {
        volume,
        reader: disk.clone(),
        filesystem: None,
        map: None,
        state: None,
        outside: false,
        opened: Vec::new(),
    };
    let ground = Ground::new(vec![land]);
    let watch = |_: &str| false;
    let job = Job {
        disk: &disk,
        ground: &ground,
        encoded: &[],
        unit: 1 << 20,
        start: 0,
        budget: 20 << 20,
        ahead: &Ahead::default(),
        watch,
    };
    let mut gaps = Vec::new();
    let coverage = sweep::sweep(&job, (&engine().prefilter, &engine().detector), &mut |event| {
        if let Event::Gap(gap) = event {
            gaps.push(gap);
        }
        Ok(())
    })
    .unwrap();
    assert!(coverage.is_whole() && coverage.size == blocks << 21, "{coverage:?}");
    assert!(coverage.size - coverage.unread < 200 << 20, "{coverage:?}");
    assert!(gaps.iter().any(|gap| gap.reason.contains("more data than its file can hold")), "{gaps:?}");
}

/// Puts the sum of a VHD structure right.
fn seal(bytes: &mut [u8], field: usize) {
    bytes[field..field + 4].fill(0);
    let sum = bytes.iter().fold(0u32, |sum, &byte| sum.wrapping_add(byte.into()));
    bytes[field..field + 4].copy_from_slice(&(!sum).to_be_bytes());
}
