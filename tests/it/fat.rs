//! FAT12, FAT16, FAT32 and exFAT: what the kernel and The Sleuth Kit read, and who owns each cluster.
//!
//! `testdata/volumes/make-fat.sh` makes the volumes through the kernel's own file systems.

use crate::support::{Random, fixture, opened, real_image, scan, sparse_image, testdata, token, walk};
use residue::filesystem::{
    Entry, EntryKind, EntryState, FileSystem, Place, Recognised, StreamName, recognise,
};
use residue::io::{ReadAt, read_vec};
use residue::location::State;
use residue::scan::Options;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const VOLUMES: [&str; 4] = ["fat12", "fat16", "fat32", "exfat"];

fn volume(name: &str) -> Vec<u8> {
    fixture(&format!("volumes/{name}.volume"))
}

fn digest(filesystem: &dyn FileSystem, entry: &Entry) -> Option<String> {
    let content = filesystem.open(entry, &StreamName::Data).ok()?;
    let bytes = read_vec(content.as_ref(), 0, usize::try_from(content.size()).unwrap()).ok()?;
    Some(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn path(filesystem: &dyn FileSystem, entry: &Entry) -> String {
    let all = filesystem.paths(entry.id).unwrap().all;
    String::from_utf8(all.into_iter().next().unwrap()).unwrap()
}

/// What another program read.
struct Line {
    by: String,
    number: Option<u64>,
    size: u64,
    digest: String,
    path: String,
}

fn truth(name: &str) -> Vec<Line> {
    let text = std::fs::read_to_string(testdata("volumes/fat.truth")).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(&format!("{name}.volume ")));
    lines
        .map(|line| {
            let [_, by, number, size, digest, path] = line.splitn(6, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            Line {
                by: by.to_owned(),
                number: number.parse().ok(),
                size: size.parse().unwrap(),
                digest: digest.to_owned(),
                path: path.to_owned(),
            }
        })
        .collect()
}

#[test]
fn live_files_are_those_of_the_kernel_to_the_last_byte() {
    for name in VOLUMES {
        let filesystem = opened(volume(name));
        let (entries, problems) = walk(filesystem.as_ref());
        assert!(problems.is_empty(), "{name}: {problems:?}");
        assert_eq!(filesystem.facts().kind, name);
        let live = entries.iter().filter(|e| e.kind == EntryKind::File && e.state == EntryState::Allocated);
        let ours: BTreeSet<_> = live
            .map(|entry| (path(filesystem.as_ref(), entry), entry.size(), digest(filesystem.as_ref(), entry)))
            .collect();
        let theirs = truth(name).into_iter().filter(|line| line.by == "live");
        let theirs: BTreeSet<_> = theirs.map(|line| (line.path, line.size, Some(line.digest))).collect();
        assert!(theirs.len() > 25, "{name}: {}", theirs.len());
        assert_eq!(ours, theirs, "{name}");
        for (path, ..) in &theirs {
            let id = filesystem.find(path.to_uppercase().as_bytes()).unwrap();
            assert_eq!(filesystem.entry(id).unwrap().id, id, "{name} {path}");
        }
    }
}

#[test]
fn removed_files_are_recovered_where_the_sleuth_kit_recovers_them() {
    for name in VOLUMES {
        let filesystem = opened(volume(name));
        let (entries, _) = walk(filesystem.as_ref());
        let entries: BTreeMap<u64, &Entry> = entries.iter().map(|entry| (entry.id.0, entry)).collect();
        let removed: Vec<_> = truth(name).into_iter().filter(|line| line.by == "tsk-deleted").collect();
        assert!(removed.len() >= 15, "{name}: {}", removed.len());
        let mut recovered = 0;
        for line in &removed {
            let entry = entries.get(&line.number.unwrap());
            let entry = entry
                .unwrap_or_else(|| panic!("{name}: {} {} is not there", line.number.unwrap(), line.path));
            assert_eq!(entry.state, EntryState::Deleted, "{name} {}", line.path);
            assert_eq!(entry.size(), line.size, "{name} {}", line.path);
            match digest(filesystem.as_ref(), entry) {
                Some(digest) => {
                    assert_eq!(digest, line.digest, "{name} {}", line.path);
                    recovered += 1;
                }
                // The other program gives what has taken the place of its first cluster since.
                None => {
                    let note = entry.notes.join("\n");
                    assert!(
                        note.contains("its first cluster is in use again"),
                        "{name} {}: {note}",
                        line.path
                    );
                }
            }
        }
        assert!(recovered >= 10, "{name}: {recovered} of {}", removed.len());
        let paths: Vec<_> = entries.values().map(|entry| path(filesystem.as_ref(), entry)).collect();
        for expected in ["/a removed file with a long name.txt", "/removed", "/removed/inside.txt"] {
            let short = expected.replace("removed", "_EMOVED").replace("/inside.txt", "/_NSIDE.TXT");
            let found = paths.iter().any(|path| *path == expected || path.eq_ignore_ascii_case(&short));
            assert!(found, "{name}: {expected} is not among {paths:?}");
        }
    }
}

#[test]
fn numbers_are_those_of_the_sleuth_kit() {
    for name in VOLUMES {
        let filesystem = opened(volume(name));
        let live = truth(name).into_iter().filter(|line| line.by == "tsk-live");
        for line in live.filter(|line| !line.path.starts_with("/$") && line.size > 0) {
            let entry = filesystem.entry(residue::filesystem::EntryId(line.number.unwrap())).unwrap();
            assert_eq!(digest(filesystem.as_ref(), &entry), Some(line.digest), "{name} {}", line.path);
        }
    }
}

#[test]
fn a_volume_of_another_project_is_read_like_the_sleuth_kit_reads_it() {
    use std::io::{BufRead as _, BufReader};
    let Some(bytes) = real_image("bdetogo.raw") else { return };
    // The volume is one of BitLocker To Go: a FAT32 volume in front of what is encrypted. Its marks are taken away.
    let mut plain = bytes;
    plain[3..11].copy_from_slice(b"MSDOS5.0");
    plain[424..440].fill(0);
    let filesystem = opened(plain);
    let folder = std::env::var_os("RESIDUE_IMAGES").unwrap();
    let file = std::fs::File::open(std::path::Path::new(&folder).join("truth.jsonl.gz")).unwrap();
    let mut compared = 0;
    for line in BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let (Some("bdetogo.raw"), Some(digest_of)) = (line["image"].as_str(), line["sha256"].as_str()) else {
            continue;
        };
        let path = line["path"].as_str().unwrap();
        if path.starts_with('$') || line["deleted"] == true {
            continue;
        }
        let id = filesystem.find(format!("/{path}").as_bytes()).unwrap();
        let entry = filesystem.entry(id).unwrap();
        assert_eq!(Some(entry.id.0), line["inode"].as_str().and_then(|number| number.parse().ok()), "{path}");
        match digest(filesystem.as_ref(), &entry) {
            Some(digest) => assert_eq!(digest, digest_of, "{path}"),
            // Its chain is broken: the other program gives nothing without a word.
            None => assert!(line["size"] == 0 && entry.size() > 0, "{path}: {line}"),
        }
        compared += 1;
    }
    assert!(compared > 25, "{compared}");
}

/// A token at `at`, blanks around it.
fn plant(bytes: &mut [u8], at: u64) -> String {
    let text = token(at);
    let start = usize::try_from(at).unwrap();
    bytes[start - 1..start + 21].copy_from_slice(format!(" {text} ").as_bytes());
    text
}

#[test]
fn every_token_in_files_slack_free_and_removed_clusters_is_found_under_its_owner() {
    for name in VOLUMES {
        let mut bytes = volume(name);
        let filesystem = opened(bytes.clone());
        let (entries, _) = walk(filesystem.as_ref());
        let unit = filesystem.facts().block_size;
        let mut taken = BTreeSet::new();
        // Removed files may lay claim to the same clusters.
        let mut claims: BTreeMap<u64, usize> = BTreeMap::new();
        for run in entries.iter().flat_map(|entry| &entry.streams).flat_map(residue::filesystem::Stream::runs)
        {
            if let Place::At(start) = run.place {
                for at in (start..start + run.length).step_by(usize::try_from(unit).unwrap()) {
                    *claims.entry(at).or_default() += 1;
                }
            }
        }
        let mut expected: BTreeMap<String, (Option<String>, State, Option<u64>)> = BTreeMap::new();
        for (state, wanted) in
            [(State::Allocated, EntryState::Allocated), (State::Deleted, EntryState::Deleted)]
        {
            for entry in entries.iter().filter(|e| e.state == wanted && e.kind == EntryKind::File) {
                let shown = path(filesystem.as_ref(), entry);
                for run in entry.streams[0].runs() {
                    let Place::At(start) = run.place else { continue };
                    for inside in (0..run.length).step_by(usize::try_from(unit).unwrap()) {
                        let at = start + inside;
                        let (logical, size) = (run.logical + inside, entry.size());
                        // Of a large file, every some cluster is enough.
                        let skip = claims[&at] > 1 || (size > 500_000 && !(at / unit).is_multiple_of(64));
                        if skip || !taken.insert(at) {
                            continue;
                        }
                        if size >= logical + 40 {
                            let text = plant(&mut bytes, at + 9);
                            expected.insert(text, (Some(shown.clone()), state, Some(logical + 9)));
                        }
                        let end = size.clamp(logical, logical + unit);
                        if end < logical + unit - 60 {
                            let text = plant(&mut bytes, start + unit - 40 + inside);
                            let slack = if state == State::Deleted { state } else { State::Slack };
                            expected.insert(text, (Some(shown.clone()), slack, Some(logical + unit - 40)));
                        }
                    }
                }
            }
        }
        let mut free = Vec::new();
        filesystem.unallocated(&mut |range| free.push(range)).unwrap();
        for range in free {
            for at in (range.start..range.end).step_by(usize::try_from(unit).unwrap()) {
                // Most of a large empty volume may stay empty.
                if !claims.contains_key(&at) && (at / unit).is_multiple_of(16) {
                    let text = plant(&mut bytes, at + 100);
                    expected.insert(text, (None, State::Unallocated, None));
                }
            }
        }
        let options = Options {
            show_secrets: true,
            only: vec!["aws-access-key-id".into()],
            per_file_max: u64::MAX,
            ..Options::default()
        };
        let scanned = scan(sparse_image(&bytes).path(), &options);
        let mut missing = expected.clone();
        for finding in &scanned.findings {
            let place = &finding.place;
            let secret = finding.secret_shown.clone().unwrap();
            let path = place
                .path
                .as_deref()
                .map(|path| String::from_utf8(residue::location::unescape(path)).unwrap());
            let found = (path, place.state.unwrap(), place.file_offset);
            assert_eq!(missing.remove(&secret), Some(found), "{name}: {place:?}");
        }
        assert!(missing.is_empty(), "{name}: {} of {} missing: {missing:?}", missing.len(), expected.len());
        assert!(expected.len() > 100, "{name}: {}", expected.len());
        assert!(scanned.summary.coverage.is_whole() && scanned.gaps.is_empty(), "{name}: {:?}", scanned.gaps);
    }
}

#[test]
fn broken_chains_are_problems_of_their_file_alone() {
    for (name, width) in [("fat16", 2_u64), ("fat32", 4), ("exfat", 4)] {
        let sound = volume(name);
        let filesystem = opened(sound.clone());
        let id = filesystem.find(b"/dir/pieces.txt").unwrap();
        let entry = filesystem.entry(id).unwrap();
        let runs = entry.streams[0].runs();
        assert!(runs.len() > 2, "{name}: {runs:?}");
        let word = |at: usize| u64::from(u16::from_le_bytes([sound[at], sound[at + 1]]));
        let long = |at: usize| u64::from(u32::from_le_bytes(sound[at..at + 4].try_into().unwrap()));
        let (table, heap) = match name {
            "exfat" => (long(80) * 512, long(88) * 512),
            "fat32" => (word(14) * 512, (word(14) + 2 * long(36)) * 512),
            _ => (word(14) * 512, (word(14) + 2 * word(22)) * 512 + word(17) * 32),
        };
        let Place::At(start) = runs[1].place else { panic!("{name}") };
        let number = (start - heap) / filesystem.facts().block_size + 2;
        let Place::At(first) = runs[0].place else { panic!("{name}") };
        let back = (first - heap) / filesystem.facts().block_size + 2;
        for (what, value) in
            [("free", 0), ("circle", back), ("itself", number), ("out of range", 0x00ff_fff0)]
        {
            let mut bytes = sound.clone();
            let at = usize::try_from(table + number * width).unwrap();
            let value = if width == 2 { value & 0xffff } else { value };
            bytes[at..at + usize::try_from(width).unwrap()]
                .copy_from_slice(&value.to_le_bytes()[..usize::try_from(width).unwrap()]);
            let broken = opened(bytes);
            let (entries, problems) = walk(broken.as_ref());
            assert_eq!(problems.len(), 1, "{name}, {what}: {problems:?}");
            let entry = entries.iter().find(|entry| entry.id == id).unwrap();
            assert!(broken.open(entry, &StreamName::Data).is_err(), "{name}, {what}");
            let other = broken.entry(broken.find(b"/last.txt").unwrap()).unwrap();
            assert!(digest(broken.as_ref(), &other).is_some(), "{name}, {what}");
        }
    }
}

#[test]
fn a_directory_that_holds_itself_is_read_once() {
    let mut bytes = volume("fat16");
    let filesystem = opened(bytes.clone());
    let dir = filesystem.entry(filesystem.find(b"/dir").unwrap()).unwrap();
    let deeper = filesystem.find(b"/dir/deeper").unwrap();
    let word = |at: usize| u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let root = (word(14) + 2 * word(22)) * 512;
    let place = |id: u64| usize::try_from(root + (id - 3) * 32).unwrap();
    let first = bytes[place(dir.id.0) + 26..place(dir.id.0) + 28].to_vec();
    let at = place(deeper.0) + 26;
    bytes[at..at + 2].copy_from_slice(&first);
    let (entries, problems) = walk(opened(bytes).as_ref());
    assert!(problems.iter().any(|problem| problem.contains("one of its own")), "{problems:?}");
    assert!(entries.len() < 120);
}

#[test]
fn any_bytes_at_any_place_of_the_tables_do_no_harm() {
    // A fixed sequence, so that a failure can be repeated.
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut random = move || random.next();
    for name in VOLUMES {
        let sound = volume(name);
        for round in 0..60 {
            let mut bytes = sound.clone();
            for _ in 0..1 + round % 12 {
                // The boot sector, the tables, the directories at the start of the clusters.
                let reach = [512, 20_000, 600_000][(random() % 3) as usize];
                let at = (random() % reach) as usize;
                let wild = random().to_le_bytes();
                let length = (random() % 8) as usize + 1;
                bytes[at..at + length].copy_from_slice(&wild[..length]);
            }
            let volume: Arc<dyn ReadAt> = Arc::new(bytes);
            let Recognised::Opened(filesystem) = recognise(&volume) else { continue };
            let (entries, _) = walk(filesystem.as_ref());
            for entry in entries {
                let _ = filesystem.paths(entry.id);
                let Ok(content) = filesystem.open(&entry, &StreamName::Data) else { continue };
                let _ = read_vec(content.as_ref(), 0, usize::try_from(content.size().min(5000)).unwrap());
            }
            let mut before = 0;
            let _ = filesystem.unallocated(&mut |range| {
                assert!(before <= range.start && range.start < range.end, "{name}: {range:?}");
                before = range.end;
            });
        }
    }
}
