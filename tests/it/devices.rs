//! Block devices: read with `pread`, with the size that the kernel tells, and with sectors that fail.

use crate::support::{Scanned, fixture, program, scan};
use residue::finding::Finding;
use residue::scan::Options;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The file system of `variants/disk.raw`.
const PARTITION: std::ops::Range<usize> = 1 << 20..15 << 20;

/// A block device over a file, taken back at the end.
struct Loop(PathBuf);

impl Loop {
    /// A read-only device over `file`; `None`, which is said, where no device can be made.
    fn new(file: &Path, options: &[&str]) -> Option<Self> {
        let mut command = Command::new("losetup");
        let output = command.args(["--find", "--show", "--read-only"]).args(options).arg(file).output();
        match output {
            Ok(Output { status, stdout, .. }) if status.success() => {
                Some(Self(PathBuf::from(String::from_utf8(stdout).unwrap().trim())))
            }
            other => {
                println!("skipped: no block device can be made here: {other:?}");
                None
            }
        }
    }

    /// The device of its first partition; `None`, which is said, where the kernel makes none.
    fn partition(&self) -> Option<PathBuf> {
        let added = Command::new("partx").args(["--add", "--nr", "1"]).arg(&self.0).output();
        let path = PathBuf::from(format!("{}p1", self.0.display()));
        if path.exists() {
            return Some(path);
        }
        println!("skipped: no device for a partition can be made here: {added:?}");
        None
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

fn scanned(path: &Path) -> Scanned {
    scan(path, &Options { show_secrets: true, ..Options::default() })
}

/// Findings without the name of their image.
fn findings(scanned: &Scanned) -> Vec<String> {
    let unnamed = scanned.findings.iter().map(|finding| {
        let mut finding = Finding::clone(finding);
        finding.place.image = String::new();
        serde_json::to_string(&finding).unwrap()
    });
    unnamed.collect()
}

/// Compares a device with a file of the same bytes.
fn same(device: &Path, file: &Path) {
    let (device, file) = (scanned(device), scanned(file));
    assert_eq!(device.summary.error, None);
    assert!(file.findings.len() > 12, "{}", file.findings.len());
    assert_eq!(findings(&device), findings(&file));
    assert_eq!(device.summary.coverage, file.summary.coverage);
    assert_eq!(device.gaps, file.gaps);
}

fn disk(folder: &Path) -> PathBuf {
    let path = folder.join("disk.raw");
    fs::write(&path, fixture("variants/disk.raw")).unwrap();
    path
}

#[test]
fn a_device_gives_what_its_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    let file = disk(folder.path());
    let Some(device) = Loop::new(&file, &[]) else { return };
    same(&device.0, &file);
}

#[test]
fn the_device_of_a_partition_gives_what_its_bytes_give() {
    let folder = tempfile::tempdir().unwrap();
    let (file, part) = (disk(folder.path()), folder.path().join("part.raw"));
    fs::write(&part, &fs::read(&file).unwrap()[PARTITION]).unwrap();
    let (start, length) = (PARTITION.start.to_string(), PARTITION.len().to_string());
    let Some(cut) = Loop::new(&file, &["--offset", &start, "--sizelimit", &length]) else { return };
    same(&cut.0, &part);
    let Some(device) = Loop::new(&file, &[]) else { return };
    if let Some(partition) = device.partition() {
        same(&partition, &part);
    }
}

#[test]
fn a_device_shorter_than_its_file_system_has_the_gaps_of_such_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = disk(folder.path());
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(8 << 20).unwrap();
    let Some(device) = Loop::new(&file, &[]) else { return };
    same(&device.0, &file);
    let reasons: Vec<_> = scanned(&device.0).gaps.into_iter().map(|gap| gap.reason).collect();
    assert!(reasons.iter().any(|reason| reason.contains("the volume ends at byte")), "{reasons:?}");
}

#[test]
fn an_empty_device_is_not_read_and_not_clean() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.raw");
    fs::write(&file, b"").unwrap();
    let Some(device) = Loop::new(&file, &[]) else { return };
    let output = program(folder.path(), &["scan", device.0.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("NOT READ"), "{output:?}");
}

/// A device whose file was cut under it fails from there on, as a medium with a dead zone does.
#[test]
fn sectors_that_fail_are_one_gap_and_the_rest_is_read() {
    const DEAD: u64 = 9 << 20;
    let folder = tempfile::tempdir().unwrap();
    let file = disk(folder.path());
    let Some(device) = Loop::new(&file, &[]) else { return };
    let whole = scanned(&file);
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(DEAD).unwrap();
    for unit in [64 << 10, Options::default().unit] {
        let failing = scan(&device.0, &Options { show_secrets: true, unit, ..Options::default() });
        assert_eq!(findings(&failing), findings(&whole));
        let coverage = failing.summary.coverage;
        assert!(coverage.is_whole(), "{coverage:?}");
        assert_eq!((coverage.size, coverage.unread), (16 << 20, (16 << 20) - DEAD));
        let dead: Vec<_> = failing.gaps.iter().filter(|gap| gap.reason.contains("read error")).collect();
        let places: Vec<_> = dead.iter().filter_map(|gap| gap.disk_offset.zip(gap.length)).collect();
        // The partition, what follows it, and the second table of partitions.
        assert_eq!(places.first(), Some(&(DEAD, (15 << 20) - DEAD)), "{dead:?}");
        assert_eq!(places.iter().map(|(_, length)| length).sum::<u64>(), coverage.unread, "{dead:?}");
        assert!(places.len() <= 3, "{dead:?}");
    }
}
