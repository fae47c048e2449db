//! One disk gives the same findings, byte for byte, whatever is wrapped around it.

use crate::support::{Scanned, fixture, scan, testdata};
use residue::scan::Options;
use std::path::Path;

/// The images in `testdata/variants`, which another program made of one disk.
fn variants() -> Vec<String> {
    let folder = std::fs::read_dir(testdata("variants")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".zst").map(str::to_owned)).collect();
    names.sort();
    names
}

fn is_extent(name: &str) -> bool {
    ["-flat.vmdk", "-s001.vmdk", "-f001.vmdk"].iter().any(|end| name.ends_with(end))
        && name != "two-gb-flat.vmdk"
}

/// All findings and gaps as JSON lines, without what names the file or a place in it.
fn lines(scanned: &Scanned) -> Vec<String> {
    let findings = scanned.findings.iter().map(|finding| {
        let mut finding = finding.clone();
        finding.place.image = String::new();
        finding.place.image_offset = None;
        serde_json::to_string(&finding).unwrap()
    });
    findings.chain(scanned.gaps.iter().map(|gap| serde_json::to_string(gap).unwrap())).collect()
}

fn scanned(folder: &Path, name: &str, options: &Options) -> Scanned {
    let path = folder.join(name);
    std::fs::write(&path, fixture(&format!("variants/{name}"))).unwrap();
    scan(&path, options)
}

#[test]
fn findings_are_the_same_in_every_container() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { show_secrets: true, ..Options::default() };
    let raw = scanned(folder.path(), "disk.raw", &options);
    let expected = lines(&raw);
    assert!(raw.findings.len() > 12, "{} findings", raw.findings.len());
    let names = variants();
    assert!(names.len() >= 24, "{names:?}");
    // Extents in files of their own are found beside their descriptors.
    let (extents, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_extent(name));
    for name in &extents {
        std::fs::write(folder.path().join(name), fixture(&format!("variants/{name}"))).unwrap();
    }
    for name in names {
        let other = scanned(folder.path(), &name, &options);
        assert_eq!(other.summary.error, None, "{name}");
        assert_eq!(lines(&other), expected, "{name}");
        assert!(other.summary.coverage.is_whole(), "{name}: {:?}", other.summary.coverage);
    }
}

#[test]
fn findings_are_the_same_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let one = scanned(folder.path(), "zlib.qcow2", &Options { threads: 1, ..Options::default() });
    for threads in [2, 5] {
        let more =
            scanned(folder.path(), "zlib.qcow2", &Options { threads, unit: 64 << 10, ..Options::default() });
        assert_eq!(lines(&more), lines(&one), "{threads} threads");
    }
}
