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

/// Whether a file's tokens are proven, by path: the findings of the fixtures with rpm's databases.
fn expected(tree: &str, package: &str) -> Vec<(String, Vec<Option<String>>)> {
    let same = Some(format!("unmodified file of {package}"));
    let cases = [
        ("/etc/ssh/ssh_config.d/tool.conf", None),
        ("/etc/tool/changed.conf", None),
        // A private key where keys are in use.
        ("/etc/tool/key.pem", None),
        ("/etc/tool/kept.conf", same.clone()),
        ("/root/.netrc", None),
        ("/usr/bin/tool", same.clone()),
        ("/usr/share/ghost/ghost.txt", None),
        ("/usr/share/tool/changed.txt", None),
        ("/usr/share/tool/example.pem", same.clone()),
        ("/usr/share/tool/kept.txt", same),
        ("/usr/share/tool/unowned.txt", None),
    ];
    cases.into_iter().map(|(path, proof)| (format!("{tree}{path}"), vec![proof])).collect()
}

#[test]
fn rpm_vouches_in_each_of_its_databases_for_systems_and_those_inside_of_them() {
    let mut wanted = expected("", "tool 1.2-3");
    for chroot in ["/srv/ndb", "/srv/bdb"] {
        wanted.extend(expected(chroot, "tool 1.2-3"));
    }
    let layer = Some("unmodified file of tool 7-1".to_owned());
    let store = "/home/u/.local/share/containers/storage/overlay/bbbb/diff";
    for (tree, proof) in
        [("/var/lib/docker/overlay2/aaaa/diff", layer.clone()), (store, layer), ("/home/v", None)]
    {
        wanted.push((format!("{tree}/root/.netrc"), vec![None]));
        wanted.push((format!("{tree}/usr/bin/tool"), vec![proof]));
    }
    let wanted: BTreeMap<String, Vec<Option<String>>> = wanted.into_iter().collect();
    let file = image(&fixture("knowngood/rpm.img"));
    let scanned = scan(file.path(), &Options::default());
    let found = proofs(&scanned).into_iter();
    let found: BTreeMap<String, Vec<Option<String>>> = found
        .map(|(path, proofs)| {
            (path.to_owned(), proofs.iter().map(|proof| proof.map(str::to_owned)).collect())
        })
        .collect();
    assert_eq!(found, wanted);
    assert!(scanned.gaps.is_empty(), "{:?}", scanned.gaps);
}

#[test]
fn a_database_on_one_volume_vouches_for_files_on_others() {
    let tool = Some("unmodified file of tool 7-1");
    let expected = BTreeMap::from([
        ("/etc/tool/kept.conf", vec![tool]),
        ("/share/tool/changed.txt", vec![None]),
        ("/share/tool/kept.txt", vec![tool]),
    ]);
    let file = image(&fixture("knowngood/mounts.img"));
    assert_eq!(proofs(&scan(file.path(), &Options::default())), expected);
}

#[test]
fn a_damaged_database_of_rpm_is_a_gap_and_proves_less() {
    let whole = fixture("knowngood/rpm.img");
    let sound = scan(image(&whole).path(), &Options::default());
    // The headers of the three databases.
    let marks: [(&[u8], usize); 3] =
        [(b"RpmP\0\0\0\0", 1), (b"SQLite format 3\0", 16), (b"\x61\x15\x06\x00\x09\x00\x00\x00", 4)];
    let mut gaps = 0;
    for (mark, at) in marks {
        let place = whole.windows(mark.len()).position(|part| part == mark).unwrap();
        for fill in [0xff, 0] {
            let mut bytes = whole.clone();
            bytes[place + at..place + at + 8].fill(fill);
            let file = image(&bytes);
            let scanned = scan(file.path(), &Options::default());
            assert!(scanned.summary.known_good <= sound.summary.known_good, "{mark:?}");
            assert_eq!(scanned.findings.len(), sound.findings.len(), "{mark:?}");
            let told = scanned.gaps.iter().any(|gap| gap.reason.contains("package database"));
            let lost = scanned.summary.known_good < sound.summary.known_good;
            assert!(!lost || told, "{mark:?}: {:?}", scanned.gaps);
            gaps += usize::from(told);
        }
    }
    assert_eq!(gaps, 6);
}

#[test]
fn a_published_key_is_named_and_excused_only_where_nobody_uses_it() {
    let key = fixture("knowngood/published.pem");
    let tree = tempfile::tempdir().unwrap();
    let cases = [
        ("etc/app/tls.key", false),
        ("home/u/.ssh/id_rsa", false),
        ("opt/app/node_modules/x/test/key.pem", true),
        ("usr/share/doc/x/examples/server.pem", true),
    ];
    for (path, _) in cases {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &key).unwrap();
    }
    let scanned = scan(tree.path(), &Options::default());
    for (path, is_excused) in cases {
        let of = |finding: &&residue::finding::Finding| {
            finding.place.path.as_deref().is_some_and(|at| at.ends_with(path))
                && finding.category.to_string() == "private-key"
        };
        let found: Vec<_> = scanned.findings.iter().filter(of).collect();
        let [finding] = found.as_slice() else { panic!("{path}: {found:?}") };
        let name = is_excused.then_some("a test key of OpenSSL");
        assert_eq!(finding.known_good.as_deref(), name, "{path}");
        let says = finding.evidence.iter().any(|line| line == "published: a test key of OpenSSL");
        assert_eq!(says, !is_excused, "{path}: {:?}", finding.evidence);
    }
}
