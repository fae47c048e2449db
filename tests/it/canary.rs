//! A disk with another token in every block: each is found once, in the right place, under the right owner.
//!
//! `testdata/canary/map.tsv` says who owns each block; other programs said so when the disk was made.

use crate::support::{fixture, image, scan, testdata, token};
use residue::location::{State, unescape};
use residue::scan::Options;
use std::collections::{BTreeMap, BTreeSet};

const BLOCK: u64 = 1024;

/// A run of blocks with one owner.
struct Owned {
    state: String,
    volume: String,
    path: Option<String>,
    stream: Option<String>,
    file_offset: Option<u64>,
    disk_offset: u64,
    length: u64,
}

fn map() -> Vec<Owned> {
    let text = std::fs::read_to_string(testdata("canary/map.tsv")).unwrap();
    let line = |line: &str| {
        let [state, volume, path, offset, disk, length] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a line of map.tsv has six fields: {line}");
        };
        let (path, stream) = match path.split_once(':') {
            Some((path, stream)) => (path, Some(stream.to_owned())),
            None => (path, None),
        };
        Owned {
            state: state.to_owned(),
            volume: volume.to_owned(),
            path: (path != "-").then(|| path.to_owned()),
            stream,
            file_offset: offset.parse().ok(),
            disk_offset: disk.parse().unwrap(),
            length: length.parse().unwrap(),
        }
    };
    text.lines().map(line).collect()
}

/// What is expected of one token: state, volume, path, stream, offset in the file.
type Expected = (String, String, Option<String>, Option<String>, Option<u64>);

/// Writes a token into every block of the map, at a place that moves with the block.
fn plant(disk: &mut [u8], map: &[Owned]) -> BTreeMap<(u64, String), Expected> {
    let mut planted = BTreeMap::new();
    for owned in map {
        let mut at = 0;
        while at < owned.length {
            // Blocks are counted from the run's start; a run that starts inside a block has a short first one.
            let block_end = (at + BLOCK - (owned.disk_offset + at) % BLOCK).min(owned.length);
            let room = block_end - at;
            if room >= 24 {
                let disk_offset = owned.disk_offset + at + 2 + (owned.disk_offset + at) / BLOCK % (room - 23);
                let text = token(disk_offset);
                let start = usize::try_from(disk_offset).unwrap();
                // Blanks around it, so that it stands for itself.
                disk[start - 1] = b' ';
                disk[start..start + 20].copy_from_slice(text.as_bytes());
                disk[start + 20] = b' ';
                let file_offset = owned.file_offset.map(|offset| offset + disk_offset - owned.disk_offset);
                let expected = (
                    owned.state.clone(),
                    owned.volume.clone(),
                    owned.path.clone(),
                    owned.stream.clone(),
                    file_offset,
                );
                planted.insert((disk_offset, text), expected);
            }
            at = block_end;
        }
    }
    planted
}

fn state_name(state: Option<State>) -> String {
    state.map(|state| serde_json::to_value(state).unwrap().as_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn every_blocks_token_is_found_once_under_its_owner() {
    let mut disk = fixture("canary/disk.raw");
    let planted = plant(&mut disk, &map());
    assert!(planted.len() > 15_000, "{} blocks in the map", planted.len());
    let kinds: BTreeSet<_> =
        planted.values().map(|(state, volume, ..)| (state.as_str(), volume.as_str())).collect();
    for volume in ["p1", "p2", "p1:/vm/inner.img!/whole"] {
        for state in ["allocated", "deleted", "slack", "stale", "unallocated"] {
            assert!(kinds.contains(&(state, volume)), "nothing is {state} on {volume}");
        }
    }
    let file = image(&disk);
    let options = Options {
        show_secrets: true,
        only: vec!["aws-access-key-id".into()],
        per_file_max: u64::MAX,
        ..Options::default()
    };
    let scanned = scan(file.path(), &options);
    let mut wrong = Vec::new();
    let mut missing = planted.clone();
    for finding in &scanned.findings {
        let place = &finding.place;
        let key = (place.disk_offset.unwrap(), finding.secret_shown.clone().unwrap());
        let path = place.path.as_deref().map(|path| String::from_utf8(unescape(path)).unwrap());
        let found =
            (state_name(place.state), place.volume.clone(), path, place.stream.clone(), place.file_offset);
        match missing.remove(&key) {
            Some(expected) if agrees(&expected, &found) => {}
            Some(expected) => wrong.push(format!("at {}: expected {expected:?}, found {found:?}", key.0)),
            None => wrong.push(format!("at {}: not planted, or found twice: {found:?}", key.0)),
        }
        assert!(finding.copies.is_empty(), "{finding:?}");
    }
    wrong.extend(missing.iter().map(|(key, expected)| format!("at {}: not found: {expected:?}", key.0)));
    assert!(
        wrong.is_empty(),
        "{} wrong, the first of them:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(scanned.summary.coverage.is_whole(), "{:?}", scanned.summary.coverage);
    assert!(scanned.gaps.is_empty(), "{:?}", scanned.gaps);
    // Nothing is above the limit for one rule in one file or state, or the counts above would not add up.
    assert_eq!(scanned.summary.counted_only, 0);
}

/// The journal is an inode without a path to the listing programs; its offsets are not listed by every tool.
fn agrees(expected: &Expected, found: &Expected) -> bool {
    let journal = expected.0 == "journal";
    expected.0 == found.0
        && expected.1 == found.1
        && (journal || (expected.2 == found.2 && expected.3 == found.3 && expected.4 == found.4))
}

#[test]
fn the_twin_without_tokens_is_silent() {
    let disk = fixture("canary/disk.raw");
    let file = image(&disk);
    let scanned = scan(file.path(), &Options { all_verdicts: true, ..Options::default() });
    let secrets: Vec<_> = scanned.findings.iter().filter(|finding| finding.secret.is_some()).collect();
    assert!(secrets.is_empty(), "{secrets:?}");
    assert!(scanned.summary.coverage.is_whole());
}
