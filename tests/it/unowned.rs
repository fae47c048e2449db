//! Compressed files where no file is known to be any more: in free space, reserved blocks, swap, and outside of all
//! partitions.

use crate::support::{Scanned, fixture, image, program, scan, tokens_only};
use residue::coverage::GapKind;
use residue::location::State;
use residue::report::words;
use std::collections::BTreeSet;

/// A disk that `testdata/content/unowned/make.sh` makes.
fn scan_of(name: &str, unit: u64) -> Scanned {
    let file = image(&fixture(&format!("content/unowned/{name}.disk")));
    scan(file.path(), &tokens_only(2, unit))
}

/// State, member without the place in its name, and end of the token of each finding.
fn found(scanned: &Scanned) -> BTreeSet<(State, String, String)> {
    let place = scanned.findings.iter().map(|finding| {
        let member = finding.place.member.clone().unwrap_or_default();
        let member = match member.split_once("!/") {
            Some((name, inside)) => format!("{}!/{inside}", name.split('@').next().unwrap()),
            None => member,
        };
        (finding.place.state.unwrap(), member, finding.secret_shown.as_deref().unwrap()[17..].to_owned())
    });
    place.collect()
}

/// Path and reason of each gap.
fn gaps(scanned: &Scanned) -> Vec<(&str, &str)> {
    assert!(scanned.gaps.iter().all(|gap| gap.kind == GapKind::Limited), "{:?}", scanned.gaps);
    scanned.gaps.iter().map(|gap| (gap.path.as_deref().unwrap_or_default(), gap.reason.as_str())).collect()
}

/// What lies there and cannot be opened is said; what breaks off in free space was never said to be whole.
const GAPS: [(&str, &str); 1] = [("zip@6912000!/conf", "encrypted: locked with a password")];

#[test]
fn secrets_in_compressed_files_without_a_file_are_found() {
    let planted = scan_of("planted", 1 << 20);
    let expected = [
        (State::Unallocated, "gzip!/gzip", "7AA"),
        (State::Unallocated, "bzip2!/bzip2", "7AB"),
        (State::Unallocated, "xz!/xz", "7AC"),
        (State::Unallocated, "zstd!/zstd", "7AD"),
        (State::Unallocated, "lz4!/lz4", "7AE"),
        // What LZ4 cannot shorten stands there as it was, too.
        (State::Unallocated, "", "7AE"),
        (State::Unallocated, "zip!/conf", "7AF"),
        (State::Unallocated, "zip!/other", "7AG"),
        (State::Unallocated, "7z!/conf", "7AF"),
        (State::Unallocated, "zlib!/zlib", "7AH"),
        (State::Unallocated, "ar!/data.tar.xz!/./etc/conf", "7AI"),
        (State::Unallocated, "pdf!/object 4", "7BA"),
        // In three pieces, with blocks in use between them; and up to where it was cut.
        (State::Unallocated, "gzip!/gzip", "7BB"),
        (State::Unallocated, "gzip!/gzip", "7BC"),
        (State::Stale, "gzip!/gzip", "7BE"),
        (State::Swap, "gzip!/gzip", "7CA"),
        (State::Unpartitioned, "xz!/xz", "7CB"),
        (State::Unpartitioned, "zip!/conf", "7AF"),
        (State::Unpartitioned, "zip!/other", "7AG"),
        (State::Unpartitioned, "rpm!/./etc/conf", "7AJ"),
    ];
    let expected: BTreeSet<_> =
        expected.map(|(state, member, secret)| (state, member.into(), secret.into())).into();
    assert_eq!(found(&planted), expected);
    assert_eq!(gaps(&planted), GAPS);
    assert!(planted.summary.coverage.is_whole());
    // Units of another size start and end elsewhere.
    for unit in [4096, 1 << 16, 1 << 30] {
        let other = scan_of("planted", unit);
        assert_eq!((found(&other), gaps(&other)), (found(&planted), gaps(&planted)), "{unit}");
    }
}

#[test]
fn the_same_without_secrets_is_silent() {
    let control = scan_of("control", 1 << 20);
    assert!(control.findings.is_empty(), "{:?}", found(&control));
    assert_eq!(gaps(&control), GAPS);
}

#[test]
fn places_in_such_content_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.disk"), fixture("content/unowned/planted.disk")).unwrap();
    let scanned = scan(&folder.path().join("a.disk"), &tokens_only(1, 1 << 20));
    let members = scanned.findings.iter().filter(|finding| finding.place.member.is_some());
    let mut count = 0;
    for finding in members {
        let place = format!("{}+{}", words::place(&finding.place), finding.length.unwrap());
        let output = program(folder.path(), &["cat", "a.disk", &place]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), finding.secret_shown.clone().unwrap(), "{place}");
        count += 1;
    }
    assert_eq!(count, 19);
}

#[test]
fn members_of_such_content_are_written_decoded() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.disk"), fixture("content/unowned/planted.disk")).unwrap();
    let arguments = ["scan", "a.disk", "--only", "aws-access-key-id", "--recover", "out", "--quiet"];
    assert_eq!(program(folder.path(), &arguments).status.code(), Some(1));
    let manifest = std::fs::read_to_string(folder.path().join("out/manifest.jsonl")).unwrap();
    let written: Vec<serde_json::Value> =
        manifest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let members: Vec<_> = written.iter().filter(|line| line["member"].is_string()).collect();
    assert_eq!(members.len(), 19);
    let expected = |key: &str| {
        let lines = |to: u32| (1..=to).map(|number| format!("{number}\n")).collect::<String>();
        format!("{}aws_access_key_id = AKIAQ3EGRXWVJT5KL{key}\n{}", lines(300), lines(50))
    };
    let mut whole = 0;
    for line in &members {
        let bytes = std::fs::read(folder.path().join("out").join(line["file"].as_str().unwrap())).unwrap();
        assert_eq!(line["written"], bytes.len(), "{line}");
        assert_eq!(line["findings"].as_array().unwrap().len(), 1, "{line}");
        // What follows the content on the disk may be told as damage.
        let error = line["error"].as_str().unwrap_or_default();
        let keys = [
            "7AA", "7AB", "7AC", "7AD", "7AE", "7AF", "7AG", "7AH", "7AI", "7AJ", "7BA", "7BE", "7CA", "7CB",
        ];
        whole += usize::from(keys.iter().any(|key| bytes == expected(key).as_bytes()));
        let is_cut = error.contains("deflate");
        assert!(!is_cut || bytes.starts_with(expected("7BC").as_bytes()), "{line}");
    }
    // All but the one in pieces, which has noise in front, and the one that was cut.
    assert_eq!(whole, 17);
}

#[test]
fn a_volume_of_squashfs_is_decoded_from_its_start() {
    let file = image(&fixture("content/squashfs/zstd.squashfs"));
    let scanned = scan(file.path(), &tokens_only(2, 1 << 20));
    let ends: BTreeSet<_> =
        scanned.findings.iter().map(|finding| &finding.secret_shown.as_deref().unwrap()[18..]).collect();
    assert_eq!(ends, ["AA", "AB", "AC", "AD", "AE", "AF"].into());
    let members = scanned.findings.iter().filter_map(|finding| finding.place.member.as_deref());
    assert!(members.filter(|member| member.starts_with("squashfs@0!/")).count() >= 6);
    // No checks are made on it, so the scan says that it is not understood.
    assert_eq!(scanned.gaps.iter().map(|gap| gap.kind).collect::<Vec<_>>(), [GapKind::Opaque]);
}
