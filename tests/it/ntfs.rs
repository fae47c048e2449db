//! NTFS: fixtures made by mkntfs and ntfs-3g, volumes made by Windows, and damage.

use residue::error::Kind;
use residue::filesystem::{
    Entry, EntryId, EntryState, FileSystem, Layout, Place, Recognised, Role, StreamName, Walked, recognise,
};
use residue::io::ReadAt;
use residue::location::{escape, unescape};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FIXTURES: &[&str] = &["mixed", "sectors4096", "clusters512", "clusters2m", "table"];

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ntfs").join(name)
}

fn unpack(path: &Path) -> Vec<u8> {
    let packed = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(packed).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn fixture(name: &str) -> Vec<u8> {
    unpack(&testdata(&format!("{name}.img.zst")))
}

fn open(bytes: Vec<u8>) -> Arc<dyn FileSystem> {
    match recognise(&(Arc::new(bytes) as Arc<dyn ReadAt>)) {
        Recognised::Opened(ntfs) => ntfs,
        other => panic!("not opened: {other:?}"),
    }
}

/// All entries and all problems of a walk.
fn walk(ntfs: &dyn FileSystem) -> (Vec<Entry>, Vec<String>) {
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    ntfs.walk(&mut |walked| {
        match walked {
            Walked::Entry(entry) => entries.push(entry),
            Walked::Problem { error, .. } => problems.push(error.to_string()),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    (entries, problems)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digest of a stream's first `max` bytes, read in pieces of an odd size.
fn digest(content: &dyn ReadAt, max: u64) -> residue::error::Result<String> {
    let mut hash = Sha256::new();
    let (mut at, end) = (0, content.size().min(max));
    let mut buffer = vec![0; 70_001];
    while at < end {
        let step = usize::try_from((end - at).min(70_001)).unwrap();
        content.read_at(at, &mut buffer[..step])?;
        hash.update(&buffer[..step]);
        at += step as u64;
    }
    Ok(hex(&hash.finalize()))
}

fn stream_name(fact: &Value) -> StreamName {
    match fact["stream"].as_str() {
        Some(name) => StreamName::Named(name.as_bytes().to_vec()),
        None => StreamName::Data,
    }
}

fn truth(name: &str) -> Vec<Value> {
    let lines = unpack(&testdata(&format!("{name}.truth.jsonl.zst")));
    lines
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn every_stream_that_the_mounted_file_system_showed_is_read_alike() {
    for name in FIXTURES {
        let ntfs = open(fixture(name));
        let (entries, problems) = walk(&*ntfs);
        assert_eq!(problems, Vec::<String>::new(), "{name}");
        let entries: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.id, entry)).collect();
        let facts = truth(name);
        assert!(facts.len() > 4, "{name}");
        for fact in &facts {
            let path = unescape(fact["path"].as_str().unwrap());
            let (shown, stream) = (escape(&path), stream_name(fact));
            let id = EntryId(fact["inode"].as_u64().unwrap());
            let entry = &entries[&id];
            assert_eq!(*entry, ntfs.entry(id).unwrap(), "{name} {shown}");
            let deleted = fact["deleted"].as_bool().unwrap_or(false);
            assert_eq!(entry.state == EntryState::Deleted, deleted, "{name} {shown}");
            assert_eq!(entry.role, Role::Content, "{name} {shown}");
            let paths = ntfs.paths(id).unwrap().all;
            assert!(paths.contains(&path), "{name} {shown}: {paths:?}");
            if !deleted {
                assert_eq!(ntfs.find(&path).unwrap(), id, "{name} {shown}");
            }
            let content = ntfs.open(entry, &stream).unwrap();
            assert_eq!(content.size(), fact["size"].as_u64().unwrap(), "{name} {shown} {stream:?}");
            assert_eq!(
                digest(&*content, u64::MAX).unwrap(),
                fact["sha256"].as_str().unwrap(),
                "{name} {shown}"
            );
        }
        no_stream_is_missing_from(&facts, &entries, name);
    }
}

/// The reader finds no content stream of a file in use that the truth does not have.
fn no_stream_is_missing_from(facts: &[Value], entries: &BTreeMap<EntryId, Entry>, name: &str) {
    let known: BTreeSet<_> =
        facts.iter().map(|fact| (fact["inode"].as_u64().unwrap(), stream_name(fact))).collect();
    for entry in entries.values().filter(|entry| entry.state == EntryState::Allocated && entry.id.0 >= 64) {
        let special = entry.notes.iter().any(|note| note == "system");
        for stream in entry.streams.iter().filter(|_| !special) {
            let content = matches!(stream.name, StreamName::Data | StreamName::Named(_));
            let found = known.contains(&(entry.id.0, stream.name.clone()));
            assert!(!content || found, "{name}: {} {:?}", entry.id.0, stream.name);
        }
    }
}
