//! What file systems leave behind: volumes with a token in every such place, made by the kernel, ntfs-3g and
//! debugfs, each beside a twin without tokens. `planted.jsonl` says where each token is.

use crate::support::{fixture, image, program, scan, shown_again, testdata};
use residue::finding::Finding;
use residue::io::Access;
use residue::location::{State, unescape};
use residue::scan::Options;
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

const VOLUMES: [&str; 2] = ["ext4", "ntfs"];

fn truth(volume: &str) -> Vec<Value> {
    let text = fs::read_to_string(testdata(&format!("{volume}/planted.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn options() -> Options {
    Options { show_secrets: true, only: vec!["aws-access-key-id".into()], ..Options::default() }
}

fn state_name(state: Option<State>) -> String {
    state.map(|state| serde_json::to_value(state).unwrap().as_str().unwrap().to_owned()).unwrap_or_default()
}

fn path(finding: &Finding) -> Option<String> {
    finding.place.path.as_deref().map(|path| String::from_utf8(unescape(path)).unwrap())
}

fn of<'f>(findings: &'f [Finding], token: &str) -> Vec<&'f Finding> {
    findings.iter().filter(|finding| finding.secret_shown.as_deref() == Some(token)).collect()
}

/// What is wrong with the findings of one planted token.
fn problem(fact: &Value, found: &[&Finding]) -> Option<String> {
    let [finding] = found else {
        let places: Vec<_> = found.iter().map(|finding| &finding.place).collect();
        return Some(format!("{fact}: found {} times: {places:?}", found.len()));
    };
    let place = &finding.place;
    let right = state_name(place.state) == fact["state"].as_str().unwrap()
        && path(finding).as_deref() == fact["path"].as_str()
        && place.stream.as_deref() == fact["stream"].as_str()
        && (fact["file_offset"].is_null() || place.file_offset == fact["file_offset"].as_u64())
        && finding.copies.is_empty() == fact["copies"].is_null();
    (!right).then(|| format!("{fact}: found {place:?}, copies {:?}", finding.copies))
}

#[test]
fn every_token_is_found_once_with_its_state_and_owner() {
    for volume in VOLUMES {
        let disk = fixture(&format!("{volume}/planted.img"));
        let scanned = scan(image(&disk).path(), &options());
        let facts = truth(volume);
        let problems: Vec<_> = facts
            .iter()
            .filter_map(|fact| problem(fact, &of(&scanned.findings, fact["token"].as_str().unwrap())))
            .collect();
        assert!(problems.is_empty(), "{volume}: {}", problems.join("\n"));
        assert_eq!(scanned.findings.len(), facts.len(), "{volume}: nothing else is found");
        assert!(scanned.summary.coverage.is_whole(), "{volume}: {:?}", scanned.summary.coverage);
        assert_eq!(scanned.summary.coverage.size, disk.len() as u64);
        assert!(scanned.gaps.is_empty(), "{volume}: {:?}", scanned.gaps);
    }
}

/// What removes a token: a word of the remedy of its place, which those of other places do not have.
fn remedy(volume: &str, fact: &Value) -> Option<&'static str> {
    let path = fact["path"].as_str().unwrap_or_default();
    let in_record = fact["stream"].as_str().is_some_and(|stream| stream.starts_with("xattr:"))
        || fact["label"] == "deleted resident";
    Some(match (volume, fact["state"].as_str().unwrap()) {
        (_, "deleted") if in_record => "a record of the file system's tables",
        ("ext4", "deleted" | "unallocated") => "zerofree on the unmounted file system",
        ("ntfs", "deleted" | "unallocated") => "cipher /w or sdelete -z",
        (_, "slack") => "behind the end of what uses the block",
        (_, "stale") => "blocks that a file reserves",
        ("ntfs", "journal") => "It lies in the journal: clean up, then copy",
        ("ext4", "swap") => "a swap file: turn it off (swapoff)",
        ("ntfs", "swap") => "the page file",
        (_, "allocated") if path.contains("core.") || path.ends_with(".dmp") => "a memory dump",
        (_, "allocated") => return None,
        other => panic!("{other:?}"),
    })
}

#[test]
fn each_place_has_its_own_remedy_and_no_other() {
    for volume in VOLUMES {
        let scanned = scan(image(&fixture(&format!("{volume}/planted.img"))).path(), &options());
        let facts = truth(volume);
        let words: std::collections::BTreeSet<_> =
            facts.iter().filter_map(|fact| remedy(volume, fact)).collect();
        assert!(words.len() > 4, "{volume}: {words:?}");
        for fact in &facts {
            let said = &of(&scanned.findings, fact["token"].as_str().unwrap())[0].remedy;
            let found: Vec<_> = words.iter().copied().filter(|word| said.contains(word)).collect();
            assert_eq!(found, Vec::from_iter(remedy(volume, fact)), "{volume} {fact}: {said}");
        }
    }
}

#[test]
fn the_twins_without_tokens_are_silent() {
    for volume in VOLUMES {
        let disk = fixture(&format!("{volume}/control.img"));
        let scanned = scan(image(&disk).path(), &Options { all_verdicts: true, ..Options::default() });
        let secrets: Vec<_> = scanned.findings.iter().filter(|finding| finding.secret.is_some()).collect();
        assert!(secrets.is_empty(), "{volume}: {secrets:?}");
        assert!(scanned.summary.coverage.is_whole());
    }
}

#[test]
fn units_of_any_size_find_the_same() {
    for volume in VOLUMES {
        let file = image(&fixture(&format!("{volume}/planted.img")));
        let lines = |unit: u64| {
            let scanned = scan(file.path(), &Options { unit, ..options() });
            let lines: Vec<_> = scanned.findings.iter().map(|f| serde_json::to_string(f).unwrap()).collect();
            lines.join("\n")
        };
        let whole = lines(64 << 20);
        for unit in [1024, 4096, 10_007, 1 << 20] {
            assert_eq!(lines(unit), whole, "{volume}: units of {unit} bytes");
        }
    }
}

#[test]
fn a_token_over_the_border_of_any_buffer_is_found_where_it_starts() {
    let token = truth("ext4")[0]["token"].as_str().unwrap().to_owned();
    const STEP: usize = 64 << 10;
    // Borders of units, of what is read at a time, and of blocks; the token moves over them byte by byte.
    let mut disk = b"nothing to see here, move along\n".repeat((3 << 20) / 32);
    let places: Vec<usize> = (1..disk.len() / STEP).map(|border| border * STEP - border % 22).collect();
    for &at in &places {
        disk[at - 1..at + 21].copy_from_slice(format!(" {token} ").as_bytes());
    }
    let file = image(&disk);
    for access in [Access::Mapped, Access::Pread] {
        for unit in [STEP as u64, 1 << 20, 64 << 20] {
            let scanned = scan(file.path(), &Options { unit, access, accept_gaps: true, ..options() });
            let found: Vec<_> = scanned
                .findings
                .iter()
                .map(|f| usize::try_from(f.place.disk_offset.unwrap()).unwrap())
                .collect();
            assert_eq!(found, places, "{access:?}, units of {unit}");
        }
    }
}

#[test]
fn what_later_files_took_is_gone_and_the_rest_is_found_and_said_to_be_a_rest() {
    let disk = fixture("ext4/overwritten.img");
    let scanned = scan(image(&disk).path(), &options());
    let text = fs::read_to_string(testdata("ext4/overwritten.jsonl")).unwrap();
    let facts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut left, mut gone) = (0, 0);
    for fact in &facts {
        let found = of(&scanned.findings, fact["token"].as_str().unwrap());
        if fact["state"] == "gone" {
            assert!(found.is_empty(), "{fact}: {found:?}");
            gone += 1;
        } else {
            assert_eq!(problem(fact, &found), None);
            let said = found[0].evidence.iter().any(|line| line.ends_with("blocks overwritten"));
            assert!(said, "{:?}", found[0].evidence);
            left += 1;
        }
    }
    assert!(left > 5 && gone > 5, "{left} left, {gone} gone");
    assert_eq!(scanned.findings.len(), left);
}

#[test]
fn files_of_directories_that_kept_their_names_in_the_inode_have_a_path() {
    let scanned = scan(image(&fixture("ext4/inline-gone.img")).path(), &options());
    let text = fs::read_to_string(testdata("ext4/inline-gone.jsonl")).unwrap();
    let facts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let problems: Vec<_> = facts
        .iter()
        .filter_map(|fact| problem(fact, &of(&scanned.findings, fact["token"].as_str().unwrap())))
        .collect();
    assert!(facts.len() > 5 && problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_only_the_journal_of_ext4_holds_says_of_what_it_is_a_copy() {
    for (mode, count) in [("journal", 8), ("ordered", 6)] {
        let scanned = scan(image(&fixture(&format!("ext4/copied-{mode}.img"))).path(), &options());
        let text = fs::read_to_string(testdata(&format!("ext4/copied-{mode}.jsonl"))).unwrap();
        let facts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for fact in &facts {
            let found = of(&scanned.findings, fact["token"].as_str().unwrap());
            let [found] = found.as_slice() else { panic!("{mode}: {fact}: {found:?}") };
            if fact["says"].is_null() {
                assert_eq!(found.place.state, Some(State::Deleted), "{mode}: {fact}");
                assert_eq!(path(found).as_deref(), fact["path"].as_str(), "{mode}: {fact}");
                assert_eq!(found.place.inode, fact["inode"].as_u64(), "{mode}: {fact}");
                continue;
            }
            assert_eq!(found.place.state, Some(State::Journal), "{mode}: {fact}");
            let expected = format!("in the journal's copy of {}", fact["says"].as_str().unwrap());
            assert!(found.evidence.contains(&expected), "{mode}: {fact}: {:?}", found.evidence);
        }
        assert_eq!((facts.len(), scanned.findings.len()), (count, count), "{mode}");
    }
}

#[test]
fn what_only_the_log_of_ntfs_remembers_is_found_with_its_owner() {
    let disk = fixture("ntfs/logged.img");
    let scanned = scan(image(&disk).path(), &options());
    let text = fs::read_to_string(testdata("ntfs/logged.jsonl")).unwrap();
    let facts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for fact in &facts {
        let found = of(&scanned.findings, fact["token"].as_str().unwrap());
        assert_eq!(problem(fact, &found), None);
        assert_eq!(found[0].place.version, fact["version"].as_u64(), "{fact}");
        let is_former = found[0].evidence.iter().any(|line| line == "recovered from $LogFile");
        assert_eq!(is_former, fact["state"] == "deleted", "{fact}: {:?}", found[0].evidence);
        let about = found[0].evidence.iter().find(|line| line.starts_with("in the log's "));
        assert_eq!(about.map(String::as_str), fact["says"].as_str(), "{fact}: {:?}", found[0].evidence);
    }
    assert_eq!((scanned.findings.len(), facts.len()), (10, 10));
    assert!(scanned.summary.coverage.is_whole() && scanned.gaps.is_empty(), "{:?}", scanned.gaps);
}

/// Volumes and disks of all areas that are small enough to be scanned in a moment.
const IMAGES: [&str; 22] = [
    "canary/disk.raw",
    "content/nested.img",
    "ext4/copied-journal.img",
    "ext4/copied-ordered.img",
    "ext4/deleted.img",
    "ext4/deleted-ext2.img",
    "ext4/inline.img",
    "ext4/journal-plain.img",
    "ext4/journal-v3.img",
    "ext4/meta_bg.img",
    "ext4/overwritten.img",
    "ext4/planted.img",
    "ext4/reused.img",
    "ext4/unwritten.img",
    "ntfs/clusters512.img",
    "ntfs/logged.img",
    "ntfs/mixed.img",
    "ntfs/planted.img",
    "ntfs/sectors4096.img",
    "ntfs/table.img",
    "volumes/gpt.raw",
    "volumes/mbr.raw",
];

#[test]
fn every_byte_of_every_image_is_accounted_for() {
    for name in IMAGES {
        let disk = fixture(name);
        let scanned = scan(image(&disk).path(), &Options { only: vec!["none".into()], ..Options::default() });
        let coverage = scanned.summary.coverage;
        assert!(coverage.is_whole() && coverage.unread == 0, "{name}: {coverage:?}");
        assert_eq!(coverage.size, disk.len() as u64, "{name}");
    }
}

#[test]
fn damage_anywhere_leaves_the_byte_counts_exact() {
    for volume in VOLUMES {
        let whole = fixture(&format!("{volume}/planted.img"));
        let written: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] != 0).collect();
        for seed in 1..=4_u64 {
            println!("{volume}: seed {seed}");
            let mut state = seed;
            let mut below = |limit: usize| {
                // The multiplier of Knuth's MMIX generator.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(state >> 33).unwrap() % limit
            };
            let mut disk = whole.clone();
            for _ in 0..400 {
                disk[written[below(written.len())]] = [0, 0xff, 0x80, 1][below(4)];
            }
            let started = std::time::Instant::now();
            let scanned = scan(image(&disk).path(), &options());
            let coverage = scanned.summary.coverage;
            assert!(coverage.is_whole() && coverage.unread == 0, "{volume}: seed {seed}: {coverage:?}");
            assert!(started.elapsed().as_secs() < 60, "{volume}: seed {seed}");
        }
    }
}

#[test]
fn each_state_has_a_remedy_of_its_own_and_special_files_are_named() {
    let wanted = [
        ("ext4", "deleted", "zerofree"),
        ("ext4", "slack", "behind the end"),
        ("ext4", "free", "zerofree"),
        ("ext4", "/reserved", "reserves"),
        ("ext4", "swap file", "swapoff"),
        ("ext4", "core", "memory dump"),
        ("ntfs", "deleted", "cipher /w"),
        ("ntfs", "free", "sdelete"),
        ("ntfs", "page file", "ClearPageFileAtShutdown"),
        ("ntfs", "crash dump", "memory dump"),
        ("ntfs", "log only", "journal"),
    ];
    for volume in VOLUMES {
        let scanned = scan(image(&fixture(&format!("{volume}/planted.img"))).path(), &options());
        for (_, label, words) in wanted.iter().filter(|wanted| wanted.0 == volume) {
            let facts = truth(volume);
            let fact = facts.iter().find(|fact| fact["label"] == *label).unwrap();
            let found = of(&scanned.findings, fact["token"].as_str().unwrap());
            assert!(found[0].remedy.contains(words), "{volume} {label}: {}", found[0].remedy);
        }
        let dump = if volume == "ext4" { "core" } else { "crash dump" };
        let facts = truth(volume);
        let fact = facts.iter().find(|fact| fact["label"] == dump).unwrap();
        let evidence = &of(&scanned.findings, fact["token"].as_str().unwrap())[0].evidence;
        assert!(evidence.iter().any(|line| line.contains("dump")), "{volume}: {evidence:?}");
    }
}

fn folder(volume: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("disk.img"), fixture(&format!("{volume}/planted.img"))).unwrap();
    folder
}

#[test]
fn every_reported_place_opens_again_at_the_token() {
    for volume in VOLUMES {
        let folder = folder(volume);
        let scanned = scan(&folder.path().join("disk.img"), &options());
        assert!(!scanned.findings.is_empty());
        for finding in &scanned.findings {
            let shown = shown_again(folder.path(), "disk.img", finding);
            let token = finding.secret_shown.clone().unwrap();
            // A record's bytes on the disk have fixups in them; the stream itself has not.
            assert_eq!(String::from_utf8_lossy(&shown), token, "{volume}: {:?}", finding.place);
        }
    }
}

#[test]
fn cat_opens_deleted_files_by_path_and_slack_behind_a_file() {
    let folder = folder("ext4");
    let cat = |arguments: &[&str]| program(folder.path(), &[&["cat", "disk.img"], arguments].concat());
    let gone = cat(&["/gone-dir/sub/inside.txt"]);
    assert_eq!(gone.stdout.len(), 2000, "{gone:?}");
    // A part of this one is another file's by now, and is an error, not zeros.
    fs::write(folder.path().join("over.img"), fixture("ext4/overwritten.img")).unwrap();
    let part = program(folder.path(), &["cat", "over.img", "/gone/large.bin"]);
    assert_eq!(part.status.code(), Some(2), "{part:?}");
    let token = |label: &str| {
        let facts = truth("ext4");
        facts.iter().find(|fact| fact["label"] == label).unwrap()["token"].as_str().unwrap().to_owned()
    };
    assert!(String::from_utf8_lossy(&gone.stdout).contains(&token("deleted directory")));
    for slack in [&["--raw", "/short.txt @ 601+20"][..], &["/short.txt @ 601+20"]] {
        assert_eq!(String::from_utf8_lossy(&cat(slack).stdout), token("slack"));
    }
    // To the end of the last block, and nothing behind it; what lies in the content is that alone.
    let behind = |place: &str| (cat(&[place]).status.code(), cat(&[place]).stdout.len());
    assert_eq!(behind("/short.txt @ 1000"), (Some(0), 24));
    assert_eq!(behind("/short.txt @ 1025"), (Some(2), 0));
    assert_eq!(behind("/short.txt @ 1+5000"), (Some(2), 0));
    let reserved = cat(&["--raw", "/reserved"]);
    assert!(String::from_utf8_lossy(&reserved.stdout).contains(&token("/reserved")));
    let clean = cat(&["/reserved"]);
    assert!(!String::from_utf8_lossy(&clean.stdout).contains(&token("/reserved")));
    // The path is another file's by now: the former one has only its number.
    let live = cat(&["/config"]);
    assert!(!String::from_utf8_lossy(&live.stdout).contains("AKIA"), "{live:?}");
}

#[test]
fn former_states_are_listed_by_number_and_open_again() {
    let folder = folder("ext4");
    let listed = program(folder.path(), &["ls", "disk.img", "--deleted", "--format", "jsonl"]);
    let lines: Vec<Value> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let cut = lines.iter().find(|line| line["path"] == "/cut.log" && line["state"] == "deleted").unwrap();
    let live = lines.iter().find(|line| line["path"] == "/cut.log" && line["state"] == "allocated").unwrap();
    assert_eq!((&cut["inode"], &cut["version"]), (&live["inode"], &Value::from(1)));
    assert!(lines.iter().all(|line| line["inode"].as_u64().unwrap() < 1 << 32));
    let place = format!("inode:{}#1 @ 30000+20", cut["inode"]);
    let output = program(folder.path(), &["cat", "disk.img", &place]);
    assert!(output.stdout.starts_with(b"AKIA"), "{place}: {output:?}");
    let text = program(folder.path(), &["ls", "disk.img", "--deleted"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&format!("{}#1", cut["inode"])) && text.contains("no longer has"), "{text}");
}

#[test]
fn members_of_archives_open_by_path() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("disk.img");
    fs::write(&file, fixture("content/nested.img")).unwrap();
    let scanned = scan(&file, &options());
    let members: Vec<_> = scanned.findings.iter().filter(|finding| finding.place.member.is_some()).collect();
    assert!(members.len() > 20, "{}", members.len());
    for finding in members {
        let shown = shown_again(folder.path(), "disk.img", finding);
        let token = finding.secret_shown.clone().unwrap();
        assert_eq!(String::from_utf8_lossy(&shown), token, "{:?}", finding.place);
    }
    let path =
        scanned.findings.iter().find_map(|f| f.place.member.as_ref().and(f.place.path.clone())).unwrap();
    for wrong in [format!("{path}!/no such member"), format!("{path}!/")] {
        let output = program(folder.path(), &["cat", "disk.img", &wrong]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{wrong}: {output:?}");
    }
}

#[test]
fn a_token_over_two_ranges_of_free_space_is_told_with_both_and_opens_whole() {
    let folder = TempDir::new().unwrap();
    let disk = fixture("ext4/seam.img");
    fs::write(folder.path().join("disk.img"), &disk).unwrap();
    let scanned = scan(&folder.path().join("disk.img"), &options());
    let [finding] = scanned.findings.as_slice() else { panic!("{:?}", scanned.findings) };
    let token = "AKIAR7XQ2MZK4VNW6TPA";
    assert_eq!(finding.secret_shown.as_deref(), Some(token));
    let place = &finding.place;
    assert_eq!((place.state, finding.length), (Some(State::Unallocated), Some(20)));
    let pieces: Vec<_> = place
        .pieces
        .iter()
        .flat_map(|piece| &disk[piece.disk_offset as usize..][..piece.length as usize])
        .copied()
        .collect();
    assert_eq!((place.pieces.len(), pieces.as_slice()), (2, token.as_bytes()));
    assert_eq!(place.disk_offset, Some(place.pieces[0].disk_offset));
    assert!(
        finding.evidence.iter().any(|line| line.contains("2 ranges of free space")),
        "{:?}",
        finding.evidence
    );
    assert_eq!(shown_again(folder.path(), "disk.img", finding), token.as_bytes());
}

#[test]
fn recovered_files_are_written_once_under_harmless_names_with_a_list() {
    for volume in VOLUMES {
        let folder = folder(volume);
        let arguments = ["scan", "disk.img", "--only", "aws-access-key-id", "--recover", "out", "--quiet"];
        let output = program(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let out = folder.path().join("out");
        let manifest = fs::read_to_string(out.join("manifest.jsonl")).unwrap();
        let lines: Vec<Value> = manifest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut seen = String::new();
        for line in &lines {
            let name = line["file"].as_str().unwrap_or_else(|| panic!("{line}"));
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name}");
            let content = fs::read(out.join(name)).unwrap();
            assert_eq!(content.len() as u64, line["written"].as_u64().unwrap(), "{line}");
            assert_eq!(sha256(&content), line["sha256"].as_str().unwrap(), "{line}");
            seen.push_str(&String::from_utf8_lossy(&content));
        }
        assert_eq!(fs::read_dir(&out).unwrap().count(), lines.len() + 1, "{volume}: the files and the list");
        for fact in truth(volume) {
            assert!(seen.contains(fact["token"].as_str().unwrap()), "{volume}: {fact}");
        }
        let again = program(folder.path(), &arguments);
        assert_eq!(again.status.code(), Some(2), "{again:?}");
        assert!(String::from_utf8_lossy(&again.stderr).contains("new or empty"), "{again:?}");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("elsewhere", folder.path().join("link")).unwrap();
            let linked = program(folder.path(), &["scan", "disk.img", "--recover", "link", "--quiet"]);
            assert_eq!(linked.status.code(), Some(2), "{linked:?}");
            assert!(!folder.path().join("elsewhere").exists());
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}

#[test]
fn names_of_records_that_are_gone_come_from_the_change_journal() {
    let folder = folder("ntfs");
    let listed = program(folder.path(), &["ls", "disk.img", "--deleted", "--format", "jsonl"]);
    let text = String::from_utf8(listed.stdout).unwrap();
    let notes = |path: &str| -> Vec<String> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let line =
            lines.into_iter().find(|line| line["path"] == path).unwrap_or_else(|| panic!("{path}: {text}"));
        line["notes"].as_array().into_iter().flatten().map(|note| note.as_str().unwrap().to_owned()).collect()
    };
    let watched = notes("/watched").join("\n");
    assert!(watched.contains("once held plan for the merger.docx (record 900, deleted 2024-"), "{watched}");
    assert!(!watched.contains("here.txt"), "its record still is its own: {watched}");
    let journal = notes("/$Extend/$UsnJrnl").join("\n");
    assert!(journal.contains("knows payroll.xlsx (record 901, renamed"), "{journal}");
}
