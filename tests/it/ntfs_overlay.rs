//! Files that Windows' overlay filter compresses are read and scanned as what they hold.

use crate::support::{self, image, scan};
use residue::error::Result;
use residue::filesystem::{FileSystem, Layout, Place, Recognised, StreamName, recognise};
use residue::io::{ReadAt, read_vec};
use residue::scan::Options;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

fn fixture() -> Vec<u8> {
    support::fixture("ntfs/overlay/overlay.img")
}

/// Name, size and SHA-256 of each file, as they were before another program compressed them.
fn truth() -> Vec<(String, u64, String)> {
    let text = String::from_utf8(support::fixture("ntfs/overlay/overlay.truth")).unwrap();
    let line = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap();
        (word(), word().parse().unwrap(), word())
    };
    text.lines().map(line).collect()
}

fn open(bytes: Vec<u8>) -> Arc<dyn FileSystem> {
    match recognise(&(Arc::new(bytes) as Arc<dyn ReadAt>)) {
        Recognised::Opened(ntfs) => ntfs,
        other => panic!("not opened: {other:?}"),
    }
}

fn content(ntfs: &dyn FileSystem, name: &str) -> Result<Vec<u8>> {
    let entry = ntfs.entry(ntfs.find(format!("/{name}").as_bytes())?)?;
    let content = ntfs.open(&entry, &StreamName::Data)?;
    let length = usize::try_from(content.size()).unwrap();
    read_vec(content.as_ref(), 0, length)
}

#[test]
fn files_are_read_as_they_were_before_another_program_compressed_them() {
    let ntfs = open(fixture());
    let truth = truth();
    assert_eq!(truth.len(), 20);
    for (name, size, digest) in truth {
        let bytes = content(ntfs.as_ref(), &name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((bytes.len() as u64, found), (size, digest), "{name}");
    }
}

#[test]
fn any_part_of_a_file_can_be_read() {
    let ntfs = open(fixture());
    for name in ["text-0", "noise-1"] {
        let all = content(ntfs.as_ref(), name).unwrap();
        let entry = ntfs.entry(ntfs.find(format!("/{name}").as_bytes()).unwrap()).unwrap();
        let reader = ntfs.open(&entry, &StreamName::Data).unwrap();
        for (at, length) in [(0, 1), (4095, 2), (32_767, 3), (all.len() - 1, 1), (4000, 40_000)] {
            let part = read_vec(reader.as_ref(), at as u64, length).unwrap();
            assert!(part == all[at..at + length], "{name} {at}");
        }
        assert!(reader.read_at(all.len() as u64, &mut [0]).is_err());
    }
}

#[test]
fn secrets_in_them_are_found_in_the_file_and_every_byte_is_accounted_for() {
    let file = image(&fixture());
    let only = vec!["aws-access-key-id".into()];
    let options = Options { show_secrets: true, all_verdicts: true, only, ..Options::default() };
    let scanned = scan(file.path(), &options);
    let found: BTreeSet<_> = scanned
        .findings
        .iter()
        .filter(|finding| finding.place.stream.is_none())
        .map(|finding| {
            let secret = finding.secret_shown.as_deref().unwrap();
            (finding.place.path.clone().unwrap_or_default(), secret[17..].to_owned())
        })
        .collect();
    let expected = [
        ("/text-0", "4AA"),
        ("/text-1", "4AB"),
        ("/text-2", "4AC"),
        ("/text-3", "4AD"),
        ("/short-0", "4BA"),
        ("/short-1", "4BB"),
        ("/short-2", "4BC"),
        ("/short-3", "4BD"),
    ];
    let expected = expected.map(|(path, secret)| (path.to_owned(), secret.to_owned()));
    assert_eq!(found, expected.into());
    assert!(scanned.gaps.is_empty(), "{:?}", scanned.gaps);
    assert!(scanned.summary.coverage.is_whole());
}

/// Where the bytes of the stream that the filter decompresses lie on the volume.
fn stored(ntfs: &dyn FileSystem, name: &str) -> (usize, usize) {
    let entry = ntfs.entry(ntfs.find(format!("/{name}").as_bytes()).unwrap()).unwrap();
    let stream = entry.stream(&StreamName::Named(b"WofCompressedData".to_vec())).unwrap();
    let Layout::Runs(runs) = &stream.layout else { panic!("{name}: {:?}", stream.layout) };
    let Place::At(at) = runs[0].place else { panic!("{name}: {runs:?}") };
    (usize::try_from(at).unwrap(), usize::try_from(stream.size.min(runs[0].length)).unwrap())
}

#[test]
fn damage_anywhere_is_an_error_or_other_bytes_and_never_more() {
    let whole = fixture();
    let ntfs = open(whole.clone());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let (mut failed, mut tried) = (0, 0);
    for name in ["calls-0", "calls-1", "short-2", "text-1", "zeros-3", "calls-3"] {
        let (at, length) = stored(ntfs.as_ref(), name);
        let size = content(ntfs.as_ref(), name).unwrap().len();
        for round in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=round % 4 {
                // The table of chunks, the code lengths and the bits behind them get their share.
                let place = at + random() % if round % 2 == 0 { length.min(300) } else { length };
                bytes[place] = random().to_le_bytes()[0];
            }
            let found = content(open(bytes).as_ref(), name);
            assert!(found.as_ref().map_or(true, |bytes| bytes.len() == size), "{name}");
            failed += usize::from(found.is_err());
            tried += 1;
        }
    }
    assert!(failed > tried / 10, "{failed} of {tried}");
}
