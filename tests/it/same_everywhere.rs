//! One disk gives the same findings, byte for byte, whatever is wrapped around it.

use crate::support::{Scanned, fixture, scan, testdata};
use residue::finding::Finding;
use residue::scan::Options;
use std::collections::BTreeSet;
use std::path::Path;

/// What the images of `testdata/variants` are.
const KINDS: &[&str] = &[
    "bz2",
    "ewf 1 segments",
    "ewf zlib",
    "gz",
    "qcow2 2",
    "qcow2 3",
    "qcow2 zlib",
    "qcow2 zstd",
    "raw",
    "split 4 parts",
    "tar",
    "vdi 1.1 dynamic",
    "vdi 1.1 fixed",
    "vhd dynamic",
    "vhd fixed",
    "vhdx dynamic",
    "vhdx fixed",
    "vmdk monolithicFlat",
    "vmdk monolithicSparse",
    "vmdk streamOptimized",
    "vmdk twoGbMaxExtentFlat",
    "vmdk twoGbMaxExtentSparse",
    "vmdk zlib",
    "xz",
    "zst",
];

/// The images in `testdata/variants`, which another program made of one disk.
fn variants() -> Vec<String> {
    let folder = std::fs::read_dir(testdata("variants")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".zst").map(str::to_owned)).collect();
    names.sort();
    names
}

/// Files that another one of the folder belongs with.
fn is_part(name: &str) -> bool {
    const ENDS: [&str; 6] = ["-flat.vmdk", "-s001.vmdk", "-f001.vmdk", ".001", ".002", ".003"];
    ENDS.iter().any(|end| name.ends_with(end)) && name != "two-gb-flat.vmdk"
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

/// The report as the golden file has it: a line for each finding, with its identity, the fingerprint of its
/// secret, its rule, its place on the disk and in the file system.
fn report(scanned: &Scanned) -> String {
    let findings = scanned.findings.iter().map(|finding| {
        let place = &finding.place;
        let offset = place.disk_offset.map(|offset| format!("@{offset}")).unwrap_or_default();
        let state = place.state.map(|state| serde_json::to_value(state).unwrap());
        let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or("-");
        let member = place.member.as_ref().map(|member| format!("!{member}")).unwrap_or_default();
        let fingerprint = finding.fingerprint.as_deref().unwrap_or("-");
        let path = place.path.as_deref().unwrap_or("-");
        let Finding { id, rule, .. } = finding;
        format!("{id} {fingerprint} {rule} {}{offset} {state} {path}{member}\n", place.volume)
    });
    let gaps = scanned.gaps.iter().map(|gap| format!("gap {}\n", serde_json::to_string(gap).unwrap()));
    findings.chain(gaps).collect()
}

#[test]
fn findings_are_those_of_the_golden_file_in_every_container() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { show_secrets: true, ..Options::default() };
    let raw = scanned(folder.path(), "disk.raw", &options);
    let (expected, golden) = (lines(&raw), testdata("variants/findings.txt"));
    if std::env::var_os("RESIDUE_WRITE_GOLDEN").is_some() {
        std::fs::write(&golden, report(&raw)).unwrap();
    }
    let golden = std::fs::read_to_string(golden).unwrap();
    assert!(golden.lines().count() > 12, "{golden}");
    // Parts in files of their own are found beside the first one.
    let (parts, names): (Vec<_>, Vec<_>) = variants().into_iter().partition(|name| is_part(name));
    for name in &parts {
        std::fs::write(folder.path().join(name), fixture(&format!("variants/{name}"))).unwrap();
    }
    let mut kinds = BTreeSet::new();
    for name in names {
        let other = scanned(folder.path(), &name, &options);
        assert_eq!(other.summary.error, None, "{name}");
        assert_eq!(report(&other), golden, "{name}");
        assert_eq!(lines(&other), expected, "{name}");
        assert!(other.summary.coverage.is_whole(), "{name}: {:?}", other.summary.coverage);
        let facts = other.header.unwrap().container;
        let version = facts.version.unwrap_or_default();
        kinds.extend(facts.wrapping);
        kinds.insert(format!("{} {version}", facts.format).trim().to_owned());
        kinds.extend(facts.compression.map(|compression| format!("{} {compression}", facts.format)));
    }
    for kind in KINDS {
        assert!(kinds.remove(*kind), "no image is {kind}: {kinds:?}");
    }
    assert!(kinds.is_empty(), "not in the list: {kinds:?}");
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
