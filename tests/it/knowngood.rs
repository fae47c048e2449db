//! Files of packages, as package managers recorded them, changed and unchanged.

use crate::support::{Scanned, fixture, image, scan};
use residue::scan::Options;
use std::collections::BTreeMap;

/// Paths of the findings with what proves them, leftovers apart.
fn proofs(scanned: &Scanned) -> BTreeMap<&str, Vec<Option<&str>>> {
    let mut proofs: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    let secrets = scanned.findings.iter().filter(|finding| finding.category.to_string() != "leftover");
    for finding in secrets {
        let path = finding.place.path.as_deref().unwrap_or_default();
        proofs.entry(path).or_default().push(finding.known_good.as_deref());
    }
    proofs
}

#[test]
fn dpkg_vouches_for_files_that_are_as_it_installed_them_and_for_no_others() {
    let tool = Some("unmodified file of tool 1.2-3");
    let expected = BTreeMap::from([
        // Configuration of a removed package.
        ("/etc/gone.conf", vec![None]),
        ("/etc/ssh/ssh_config.d/tool.conf", vec![None]),
        ("/etc/tool/changed.conf", vec![None]),
        ("/etc/tool/kept.conf", vec![tool]),
        // A private key where keys are in use.
        ("/etc/tool/key.pem", vec![None]),
        ("/root/.netrc", vec![None]),
        // Recorded as bin/tool.
        ("/usr/bin/tool", vec![tool]),
        // What the source holds, and what it does not.
        (
            "/usr/lib/python3/dist-packages/__pycache__/module.cpython-311.pyc",
            vec![Some("derived from an unmodified file of tool 1.2-3"), None],
        ),
        ("/usr/lib/python3/dist-packages/module.py", vec![tool]),
        ("/usr/share/early/early.txt", vec![Some("unmodified file of early 1.2-3")]),
        ("/usr/share/lib/multi.txt", vec![Some("unmodified file of lib 1.2-3")]),
        ("/usr/share/tool/changed.txt", vec![None]),
        // The owner's file in the place of the package's, and the package's where it was moved to.
        ("/usr/share/tool/diverted.txt", vec![None]),
        ("/usr/share/tool/diverted.txt.orig", vec![tool]),
        ("/usr/share/tool/example.pem", vec![tool]),
        ("/usr/share/tool/kept.txt", vec![tool]),
        ("/usr/share/tool/unowned.txt", vec![None]),
    ]);
    let file = image(&fixture("knowngood/dpkg.img"));
    let scanned = scan(file.path(), &Options::default());
    assert_eq!(proofs(&scanned), expected);
    assert_eq!(scanned.summary.known_good, 9);
}

#[test]
fn apk_and_records_without_dpkg_vouch_as_well() {
    let expected = BTreeMap::from([
        ("/usr/share/a/changed.txt", vec![None]),
        ("/usr/share/a/kept.txt", vec![Some("unmodified file of a 2.0-r1")]),
        ("/usr/share/b/kept.txt", vec![Some("unmodified file of b 3")]),
    ]);
    let file = image(&fixture("knowngood/apk.img"));
    assert_eq!(proofs(&scan(file.path(), &Options::default())), expected);
}

#[test]
fn a_damaged_database_proves_less_and_never_stops_the_scan() {
    let whole = fixture("knowngood/dpkg.img");
    let blocks = whole.len() / 1024;
    // The blocks that hold the status, the lists and the directories among them lose their bytes.
    let database = |block: &&usize| {
        let bytes = &whole[**block * 1024..(**block + 1) * 1024];
        [&b"install ok installed"[..], b"  usr/share/", b"md5sums", b".orig\n"]
            .iter()
            .any(|mark| bytes.windows(mark.len()).any(|part| part == *mark))
    };
    let all: Vec<usize> = (0..blocks).collect();
    let hit: Vec<usize> = all.iter().filter(database).copied().collect();
    assert!(hit.len() >= 3, "{hit:?}");
    for block in hit {
        for fill in [0xff, b'\n', b'0'] {
            let mut bytes = whole.clone();
            bytes[block * 1024..(block + 1) * 1024].fill(fill);
            let file = image(&bytes);
            let scanned = scan(file.path(), &Options::default());
            assert!(scanned.summary.known_good <= 9, "block {block}");
            assert!(scanned.findings.len() >= 15, "block {block}");
        }
    }
}
