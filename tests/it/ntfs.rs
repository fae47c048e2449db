//! NTFS: fixtures made by mkntfs and ntfs-3g, volumes made by Windows, and damage.

use crate::support;
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
use std::path::Path;
use std::sync::Arc;

const FIXTURES: &[&str] = &["mixed", "sectors4096", "clusters512", "clusters2m", "table"];

fn fixture(name: &str) -> Vec<u8> {
    support::fixture(&format!("ntfs/{name}.img"))
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
    let lines = support::fixture(&format!("ntfs/{name}.truth.jsonl"));
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
        for (number, fact) in facts.iter().enumerate() {
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
            // Looking a name up reads its whole directory: enough of the fillers are enough.
            if !deleted && (number % 50 == 0 || !shown.contains(".fill/") && !shown.starts_with("/records/"))
            {
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

/// The clusters that entries in use own, and how often any is owned twice.
fn owned_clusters(ntfs: &dyn FileSystem, entries: &[Entry]) -> (BTreeSet<u64>, Vec<u64>) {
    let cluster = ntfs.facts().block_size;
    let (mut owned, mut twice) = (BTreeSet::new(), Vec::new());
    for entry in entries.iter().filter(|entry| entry.state != EntryState::Deleted) {
        for run in entry.streams.iter().flat_map(|stream| stream.runs()) {
            let Place::At(start) = run.place else { continue };
            for at in (start / cluster)..((start + run.length) / cluster) {
                if !owned.insert(at) {
                    twice.push(at);
                }
            }
        }
    }
    (owned, twice)
}

fn every_cluster_is_owned_or_free(ntfs: &dyn FileSystem, name: &str) {
    let (owned, twice) = owned_clusters(ntfs, &walk(ntfs).0);
    assert_eq!(twice, Vec::<u64>::new(), "{name}: owned twice");
    let mut free = BTreeSet::new();
    let mut end = 0;
    ntfs.unallocated(&mut |range| {
        assert!(range.start > end || end == 0, "{name}: ascending and coalesced");
        end = range.end;
        free.extend((range.start / ntfs.facts().block_size)..(range.end / ntfs.facts().block_size));
    })
    .unwrap();
    assert!(owned.is_disjoint(&free), "{name}: owned and free");
    let sector = 512;
    let clusters = (ntfs.facts().size - sector) / ntfs.facts().block_size;
    assert_eq!((owned.len() + free.len()) as u64, clusters, "{name}: neither owned nor free");
}

#[test]
fn each_cluster_is_free_or_has_exactly_one_owner() {
    for name in FIXTURES {
        every_cluster_is_owned_or_free(&*open(fixture(name)), name);
    }
}

#[test]
fn facts_are_those_that_the_volume_was_made_with() {
    for (name, block) in
        [("mixed", 4096), ("sectors4096", 4096), ("clusters512", 512), ("clusters2m", 2 << 20)]
    {
        let ntfs = open(fixture(name));
        let facts = ntfs.facts();
        assert_eq!((facts.kind, facts.block_size), ("ntfs", block), "{name}");
        assert_eq!(facts.label.as_deref(), Some(format!("fixture {name}").as_str()));
        assert_eq!(facts.features, ["version 3.1"], "{name}");
        assert_eq!(facts.uuid.as_ref().map(String::len), Some(16), "{name}");
        assert_eq!(facts.notes, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn layouts_are_what_the_fixture_holds() {
    let ntfs = open(fixture("mixed"));
    let entry = |path: &str| ntfs.entry(ntfs.find(path.as_bytes()).unwrap()).unwrap();
    let runs = |path: &str| entry(path).stream(&StreamName::Data).unwrap().runs().to_vec();
    assert!(runs("/pieces").len() > 500, "in pieces, so that it has an attribute list");
    assert!(entry("/pieces").stream(&StreamName::Attribute(b"$ATTRIBUTE_LIST".to_vec())).is_some());
    assert!(runs("/sparse").iter().any(|run| run.place == Place::Hole));
    let layout = |path: &str| entry(path).stream(&StreamName::Data).unwrap().layout.clone();
    for path in ["/compressed/text", "/compressed/mix", "/compressed/holes"] {
        assert!(matches!(layout(path), Layout::Encoded(_)), "{path}");
    }
    let resident = layout("/dir/tiny");
    let Layout::Resident { bytes, place: Some(place) } = resident else { panic!("{resident:?}") };
    let image = fixture("mixed");
    let at = usize::try_from(place).unwrap();
    // Up to the fixup at the stride's end the record's bytes are the content.
    assert_eq!(image[at..at + 64], bytes[..64]);
    assert_eq!(entry("/dir").streams.iter().filter(|s| matches!(s.name, StreamName::Named(_))).count(), 1);
}

#[test]
fn hard_links_share_an_entry_and_all_its_paths_are_known() {
    let ntfs = open(fixture("mixed"));
    let id = ntfs.find(b"/a link").unwrap();
    assert_eq!(ntfs.find(b"/dir/large.txt").unwrap(), id);
    let expected = ["/a link", "/dir/large.txt", "/dir/sub/second name"];
    assert_eq!(ntfs.paths(id).unwrap().all, expected.map(|path| path.as_bytes().to_vec()));
    assert_eq!(ntfs.entry(id).unwrap().links, 3);
}

#[test]
fn names_are_found_in_any_case() {
    let ntfs = open(fixture("mixed"));
    let wanted = ntfs.find("/dir/naïve Ünïcödé 日本語 😀".as_bytes()).unwrap();
    assert_eq!(ntfs.find("/DIR/NAÏVE üNÏCÖDÉ 日本語 😀".as_bytes()).unwrap(), wanted);
    assert!(ntfs.same_name("é".as_bytes(), "É".as_bytes()));
    assert_eq!(ntfs.find(b"/dir/nothing").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(ntfs.find(b"/").unwrap(), ntfs.root());
}

#[test]
fn lists_name_what_paths_name() {
    for name in ["mixed", "clusters512"] {
        let ntfs = open(fixture(name));
        let mut listed = BTreeSet::new();
        let mut open = vec![(ntfs.root(), Vec::new())];
        while let Some((directory, path)) = open.pop() {
            ntfs.list(directory, &mut |entry| {
                let full = [&path[..], b"/", &entry.name].concat();
                if entry.kind == residue::filesystem::EntryKind::Directory {
                    open.push((entry.id, full.clone()));
                }
                assert!(listed.insert((full, entry.id)), "{name}: listed twice");
                ControlFlow::Continue(())
            })
            .unwrap();
        }
        let mut pathed = BTreeSet::new();
        for entry in walk(&*ntfs).0.iter().filter(|entry| entry.state == EntryState::Allocated) {
            let paths = ntfs.paths(entry.id).unwrap().all;
            pathed.extend(paths.into_iter().filter(|path| path != b"/").map(|path| (path, entry.id)));
        }
        assert_eq!(listed, pathed, "{name}");
    }
}

#[test]
fn the_file_systems_own_files_are_known_as_such() {
    let ntfs = open(fixture("mixed"));
    for (path, role) in [
        ("/$MFT", Role::Metadata),
        ("/$MFTMirr", Role::Metadata),
        ("/$LogFile", Role::Journal),
        ("/$Bitmap", Role::Metadata),
        ("/$Secure", Role::Metadata),
        ("/$Extend/$UsnJrnl", Role::Metadata),
        ("/$Extend/$ObjId", Role::Metadata),
        ("/dir", Role::Content),
    ] {
        match ntfs.find(path.as_bytes()) {
            Ok(id) => assert_eq!(ntfs.entry(id).unwrap().role, role, "{path}"),
            // Not made by every formatter.
            Err(error) => assert!(path.ends_with("$UsnJrnl"), "{path}: {error}"),
        }
    }
}

/// A volume made by Windows, unpacked from its container; `None` where there is none.
fn windows_volume(name: &str) -> Option<Vec<u8>> {
    let packed = support::real_image(&format!("{name}.qcow2"))?;
    let image = residue::container::open(Arc::new(packed), None).unwrap();
    Some(residue::io::read_vec(&*image, 0, usize::try_from(image.size()).unwrap()).unwrap())
}

/// What is known of the image's streams: path, stream, size, digest.
fn real_truth(name: &str) -> Vec<Value> {
    let folder = std::env::var_os("RESIDUE_IMAGES").unwrap();
    let packed = std::fs::read(Path::new(&folder).join("truth.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let facts = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    facts.filter(|fact| fact["image"] == format!("{name}.qcow2")).collect()
}

#[test]
fn volumes_that_windows_made_are_read_as_an_independent_reader_reads_them() {
    for name in ["windows_volume", "vsstest"] {
        let Some(image) = windows_volume(name) else { return };
        let ntfs = open(image);
        assert_eq!(walk(&*ntfs).1, Vec::<String>::new(), "{name}");
        let copies = ntfs.facts().notes.iter().filter(|note| note.starts_with("shadow copy 600f0b6")).count();
        assert_eq!(copies, if name == "vsstest" { 2 } else { 0 }, "{:?}", ntfs.facts().notes);
        every_cluster_is_owned_or_free(&*ntfs, name);
        let facts = real_truth(name);
        assert!(facts.len() > 10);
        for fact in facts {
            let full = fact["path"].as_str().unwrap();
            let path = match fact["stream"].as_str() {
                Some(stream) => full.strip_suffix(&format!(":{stream}")).unwrap(),
                None => full,
            };
            let id = ntfs.find(path.as_bytes()).unwrap_or_else(|error| panic!("{name} {full}: {error}"));
            let number: u64 = fact["inode"].as_str().unwrap().split('-').next().unwrap().parse().unwrap();
            assert_eq!(id, EntryId(number), "{name} {full}");
            let entry = ntfs.entry(id).unwrap();
            let content = ntfs.open(&entry, &stream_name(&fact)).unwrap();
            // Where the truth was cut off, so is its size.
            let cut = fact["truncated"] == true;
            assert!(cut || content.size() == fact["size"].as_u64().unwrap(), "{name} {full}");
            if let Some(expected) = fact["sha256"].as_str() {
                assert_eq!(digest(&*content, u64::MAX).unwrap(), expected, "{name} {full}");
            }
        }
    }
}

#[test]
fn a_table_with_an_attribute_list_is_read_to_its_end() {
    let ntfs = open(fixture("table"));
    let table = ntfs.entry(EntryId(0)).unwrap();
    assert!(table.stream(&StreamName::Attribute(b"$ATTRIBUTE_LIST".to_vec())).is_some());
    let runs = table.stream(&StreamName::Data).unwrap().runs();
    assert!(runs.len() > 150, "{}", runs.len());
    let last = walk(&*ntfs).0.last().map(|entry| entry.id.0).unwrap();
    assert!((last + 64) * 1024 > table.size(), "{last}");
}

/// Small deterministic generator (xorshift), so that a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// Uses everything that a reader offers, and reads the first bytes of each stream.
fn exercise(image: Vec<u8>) -> (usize, usize) {
    let Recognised::Opened(ntfs) = recognise(&(Arc::new(image) as Arc<dyn ReadAt>)) else { return (0, 0) };
    let (entries, problems) = walk(&*ntfs);
    for entry in entries.iter().step_by(7) {
        for stream in &entry.streams {
            if let Ok(content) = ntfs.open(entry, &stream.name) {
                // Damage may end the reading; it must not end anything else.
                let _ = digest(&*content, 200_000);
                let _ = content.size().checked_sub(1).map(|last| content.map(last, u64::MAX));
            }
        }
        let _ = ntfs.paths(entry.id);
    }
    let _ = ntfs.list(ntfs.root(), &mut |_| ControlFlow::Continue(()));
    let _ = ntfs.find(b"/dir/sub/second name");
    let _ = ntfs.unallocated(&mut |_| {});
    (entries.len(), problems.len())
}

#[test]
fn random_damage_never_stops_the_reader() {
    let seed = std::env::var("RESIDUE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_u64);
    let image = fixture("clusters512");
    // The records and the boot sector are where damage matters.
    let table = open(image.clone()).entry(EntryId(0)).unwrap();
    let runs: Vec<_> = table.streams[0].runs().to_vec();
    for round in 0..120_u64 {
        let mut random = Random(seed.wrapping_add(round).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut damaged = image.clone();
        for _ in 0..=random.below(40) {
            let run = runs[random.below(runs.len())];
            let Place::At(start) = run.place else { continue };
            let record = random.below(usize::try_from(run.length / 1024).unwrap()) * 1024;
            // Mostly in the used part of a record; sometimes in the boot sector.
            let at = match random.below(30) {
                0 => random.below(90),
                _ => usize::try_from(start).unwrap() + record + random.below(480),
            };
            damaged[at] = match random.below(3) {
                0 => 0xff,
                1 => damaged[at] ^ (1 << random.below(8)),
                _ => u8::try_from(random.below(256)).unwrap(),
            };
        }
        println!("seed {seed} round {round}");
        let started = std::time::Instant::now();
        exercise(damaged);
        assert!(started.elapsed().as_secs() < 20, "seed {seed} round {round}: {:?}", started.elapsed());
    }
}

#[test]
fn random_damage_to_indexes_and_the_change_journal_never_stops_the_reader() {
    let image = fixture("planted");
    let ntfs = open(image.clone());
    let streams = walk(&*ntfs).0.into_iter().flat_map(|entry| entry.streams).filter(|stream| {
        let name = stream.name.shown().unwrap_or_default();
        name == "$J" || name.ends_with("$I30")
    });
    let runs: Vec<_> = streams.flat_map(|stream| stream.runs().to_vec()).collect();
    assert!(runs.len() > 1, "{runs:?}");
    for round in 1..=40_u64 {
        let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut damaged = image.clone();
        for _ in 0..200 {
            let run = runs[random.below(runs.len())];
            let Place::At(start) = run.place else { continue };
            let at = usize::try_from(start).unwrap() + random.below(usize::try_from(run.length).unwrap());
            damaged[at] = [0, 0xff, 1, 0x80][random.below(4)];
        }
        let started = std::time::Instant::now();
        exercise(damaged);
        assert!(started.elapsed().as_secs() < 20, "round {round}: {:?}", started.elapsed());
    }
}

/// Volume offset of record `number` of an undamaged fixture.
fn record_offset(image: &[u8], number: u64) -> usize {
    let table = open(image.to_vec()).entry(EntryId(0)).unwrap();
    let offset = number * 1024;
    let run =
        table.streams[0].runs().iter().find(|run| (run.logical..run.logical + run.length).contains(&offset));
    let Place::At(start) = run.unwrap().place else { panic!("a hole") };
    usize::try_from(start + offset - run.unwrap().logical).unwrap()
}

#[test]
fn damage_in_one_record_is_said_and_stays_there() {
    type Damage = fn(&mut [u8]);
    let cases: [(&str, Damage, &str); 5] = [
        ("torn", |record| record[510] ^= 0xff, "fixup"),
        ("bad", |record| record[..4].copy_from_slice(b"BAAD"), "BAAD"),
        ("foreign", |record| record[..4].copy_from_slice(b"JUNK"), "found JUNK"),
        ("attribute of length 0", |record| record[0x38 + 4] = 0, "length of attribute"),
        ("used size", |record| record[0x19] = 0xff, "used bytes"),
    ];
    let image = fixture("clusters512");
    let whole = open(image.clone());
    let (sound, none) = walk(&*whole);
    assert!(none.is_empty());
    let id = whole.find(b"/dir/large").unwrap();
    for (name, damage, message) in cases {
        let mut damaged = image.clone();
        let at = record_offset(&image, id.0);
        damage(&mut damaged[at..at + 1024]);
        let (entries, problems) = walk(&*open(damaged));
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        assert!(problems[0].contains(message), "{name}: {problems:?}");
        for entry in sound.iter().filter(|entry| entry.id != id) {
            assert!(entries.contains(entry), "{name}: {:?}", entry.id);
        }
    }
}

#[test]
fn a_lost_extension_record_is_a_problem_and_its_part_is_not_zeros() {
    let image = fixture("mixed");
    let ntfs = open(image.clone());
    let id = ntfs.find(b"/pieces").unwrap();
    let before = ntfs.entry(id).unwrap();
    let stream = before.stream(&StreamName::Attribute(b"$ATTRIBUTE_LIST".to_vec())).unwrap().name.clone();
    let list = ntfs.open(&before, &stream).unwrap();
    let mut bytes = vec![0; usize::try_from(list.size()).unwrap()];
    list.read_at(0, &mut bytes).unwrap();
    // The last entry of the list: its record holds the stream's last piece.
    let mut last = 0;
    let mut at = 0;
    while at < bytes.len() {
        last = u64::from(u32::from_le_bytes(bytes[at + 16..at + 20].try_into().unwrap()));
        at += usize::from(u16::from_le_bytes(bytes[at + 4..at + 6].try_into().unwrap()));
    }
    assert_ne!(last, id.0);
    let mut damaged = image.clone();
    let at = record_offset(&image, last);
    damaged[at..at + 1024].fill(0);
    let ntfs = open(damaged);
    let (entries, problems) = walk(&*ntfs);
    assert!(problems.iter().any(|problem| problem.contains(&format!("record {last}"))), "{problems:?}");
    let after = entries.iter().find(|entry| entry.id == id).unwrap();
    assert_eq!(after.size(), before.size());
    assert!(after.streams[0].runs().len() < before.streams[0].runs().len());
    let content = ntfs.open(after, &StreamName::Data).unwrap();
    assert_eq!(content.read_at(after.size() - 10, &mut [0; 10]).unwrap_err().kind(), Kind::Corrupt);
    content.read_at(0, &mut [0; 4096]).unwrap();
}

#[test]
fn a_broken_boot_sector_and_a_broken_first_record_have_their_copies() {
    let image = fixture("mixed");
    let expected = walk(&*open(image.clone())).0;
    let mut boot = image.clone();
    boot[..512].fill(0);
    let ntfs = open(boot);
    assert_eq!(walk(&*ntfs).0, expected);
    assert!(ntfs.facts().notes[0].contains("backup"), "{:?}", ntfs.facts().notes);

    let mut first = image.clone();
    let at = record_offset(&image, 0);
    first[at..at + 1024].fill(0xaa);
    let ntfs = open(first);
    assert!(ntfs.facts().notes[0].contains("$MFTMirr"), "{:?}", ntfs.facts().notes);
    let (entries, problems) = walk(&*ntfs);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        expected.iter().map(|entry| entry.id).collect::<Vec<_>>()
    );

    let mut both = image;
    both[at..at + 1024].fill(0xaa);
    let mirror = usize::try_from(u64::from_le_bytes(both[0x38..0x40].try_into().unwrap())).unwrap() * 4096;
    both[mirror..mirror + 1024].fill(0xaa);
    match recognise(&(Arc::new(both) as Arc<dyn ReadAt>)) {
        Recognised::Opaque { facts, error } => {
            assert_eq!(facts.kind, "ntfs");
            assert!(error.to_string().contains("neither is $MFTMirr"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn damaged_compressed_units_cost_their_own_chunks_only() {
    let image = fixture("mixed");
    let ntfs = open(image.clone());
    let entry = ntfs.entry(ntfs.find(b"/compressed/text").unwrap()).unwrap();
    let content = ntfs.open(&entry, &StreamName::Data).unwrap();
    let mut before = vec![0; usize::try_from(content.size()).unwrap()];
    content.read_at(0, &mut before).unwrap();
    let Place::At(start) = entry.streams[0].runs()[0].place else { panic!("a hole") };
    let mut damaged = image;
    // The first token group of the first chunk: references to bytes that do not exist yet.
    let at = usize::try_from(start).unwrap();
    damaged[at + 2..at + 12].fill(0xff);
    let ntfs = open(damaged);
    let content = ntfs.open(&ntfs.entry(entry.id).unwrap(), &StreamName::Data).unwrap();
    let mut chunk = vec![0; 4096];
    assert_eq!(content.read_at(100, &mut chunk[..10]).unwrap_err().kind(), Kind::Corrupt);
    content.read_at(4096, &mut chunk).unwrap();
    assert_eq!(chunk, before[4096..8192]);
    content.read_at(65_536, &mut chunk).unwrap();
    assert_eq!(chunk, before[65_536..65_536 + 4096]);
}

#[test]
fn records_and_lists_that_refer_to_themselves_end() {
    let image = fixture("mixed");
    let ntfs = open(image.clone());
    let id = ntfs.find(b"/pieces").unwrap();
    let at = record_offset(&image, id.0);
    let reference = |number: u64, sequence: u16| (number | u64::from(sequence) << 48).to_le_bytes();
    let sequence = u16::from_le_bytes(image[at + 16..at + 18].try_into().unwrap());

    // The base record names itself as its base.
    let mut damaged = image.clone();
    damaged[at + 32..at + 40].copy_from_slice(&reference(id.0, sequence));
    let entry = open(damaged).entry(id).unwrap();
    assert_eq!(entry, ntfs.entry(id).unwrap());

    // A directory is its own parent, another one is a child of its own child.
    let (dir, sub) = (ntfs.find(b"/dir").unwrap(), ntfs.find(b"/dir/sub").unwrap());
    let mut damaged = image.clone();
    let name = record_offset(&image, dir.0) + 0x98;
    assert_eq!(damaged[name..name + 6], [5, 0, 0, 0, 0, 0], "the parent reference of the name");
    let child = u16::from_le_bytes(image[record_offset(&image, sub.0) + 16..][..2].try_into().unwrap());
    damaged[name..name + 8].copy_from_slice(&reference(sub.0, child));
    let ntfs = open(damaged);
    assert_eq!(ntfs.paths(sub).unwrap().all, [b"/$OrphanFiles/sub".to_vec()]);
    assert_eq!(ntfs.paths(dir).unwrap().all, [b"/$OrphanFiles/dir".to_vec()]);
    walk(&*ntfs);
}

/// Content of an entry's unnamed stream as the `ntfs` crate reads it.
fn other_reader(image: &[u8], number: u64) -> Option<Vec<u8>> {
    use ntfs::NtfsReadSeek as _;
    let mut disk = std::io::Cursor::new(image);
    let volume = ntfs::Ntfs::new(&mut disk).unwrap();
    let file = volume.file(&mut disk, number).unwrap();
    let item = file.data(&mut disk, "")?.unwrap();
    let mut value = item.to_attribute().unwrap().value(&mut disk).unwrap();
    let mut content = vec![0; usize::try_from(value.len()).unwrap()];
    let mut done = 0;
    while done < content.len() {
        match value.read(&mut disk, &mut content[done..]).unwrap() {
            0 => break,
            step => done += step,
        }
    }
    Some(content)
}

#[test]
fn a_second_reader_reads_the_same_where_it_can() {
    for name in ["mixed", "sectors4096", "clusters512"] {
        let image = fixture(name);
        let ntfs = open(image.clone());
        let mut compared = 0;
        for entry in walk(&*ntfs).0.iter().filter(|entry| entry.state == EntryState::Allocated).step_by(5) {
            // The other reader knows neither compression nor streams in pieces, nor the marks of $BadClus.
            let in_pieces = entry.stream(&StreamName::Attribute(b"$ATTRIBUTE_LIST".to_vec())).is_some();
            let Some(stream) = entry.stream(&StreamName::Data) else { continue };
            if in_pieces || matches!(stream.layout, Layout::Encoded(_)) || stream.initialised < stream.size {
                continue;
            }
            let ours = ntfs.open(entry, &StreamName::Data).unwrap();
            let ours = residue::io::read_vec(&*ours, 0, usize::try_from(ours.size()).unwrap()).unwrap();
            assert_eq!(Some(ours), other_reader(&image, entry.id.0), "{name} {:?}", entry.id);
            compared += 1;
        }
        assert!(compared > 3, "{name}: {compared}");
    }
}

#[test]
fn names_whose_records_are_gone_come_from_the_slack_of_the_directory() {
    for name in ["sectors4096", "clusters512"] {
        let ntfs = open(fixture(name));
        let entry = ntfs.entry(ntfs.find(b"/once").unwrap()).unwrap();
        let gone: Vec<_> = entry.notes.iter().filter_map(|note| note.strip_prefix("once held ")).collect();
        assert!(!gone.is_empty(), "{name}: {:?}", entry.notes);
        for note in gone {
            let number = note.strip_prefix("a name that will be gone ").and_then(|rest| rest.get(..3));
            assert!(number.unwrap().parse::<u32>().unwrap() < 100, "{name}: {note}");
        }
        for other in walk(&*ntfs).0.iter().filter(|other| other.id != entry.id) {
            assert!(!other.notes.iter().any(|note| note.contains("once held")), "{name} {:?}", other.notes);
        }
    }
}

#[test]
fn deleted_files_whose_clusters_are_in_use_again_say_so() {
    let image = fixture("mixed");
    let whole = open(image.clone());
    let deleted: Vec<_> = walk(&*whole).0.into_iter().filter(|e| e.state == EntryState::Deleted).collect();
    let entry = deleted.iter().find(|entry| entry.size() == 70_000).unwrap();
    assert_eq!(entry.notes, Vec::<String>::new());
    let Place::At(start) = entry.streams[0].runs()[0].place else { panic!("a hole") };
    // Marks the first cluster of the file as in use.
    let bitmap = whole.entry(EntryId(6)).unwrap();
    let Place::At(bits) = bitmap.streams[0].runs()[0].place else { panic!("a hole") };
    let mut reused = image;
    let cluster = start / 4096;
    reused[usize::try_from(bits + cluster / 8).unwrap()] |= 1 << (cluster % 8);
    let ntfs = open(reused);
    let after = ntfs.entry(entry.id).unwrap();
    assert_eq!(after.notes, ["1 of 18 clusters overwritten: in use again"]);
    let content = ntfs.open(&after, &StreamName::Data).unwrap();
    assert_eq!(content.read_at(0, &mut [0; 10]).unwrap_err().kind(), Kind::Corrupt);
    content.read_at(4096, &mut [0; 4096]).unwrap();
}

#[test]
fn the_slack_of_records_is_kept() {
    let image = fixture("clusters512");
    let id = open(image.clone()).find(b"/resident").unwrap();
    let at = record_offset(&image, id.0);
    let used = usize::from(u16::from_le_bytes(image[at + 0x18..at + 0x1a].try_into().unwrap()));
    let mut planted = image;
    planted[at + used..at + used + 6].copy_from_slice(b"behind");
    let entry = open(planted).entry(id).unwrap();
    let slack = entry.stream(&StreamName::Attribute(b"record slack".to_vec())).unwrap();
    let Layout::Resident { bytes, place } = &slack.layout else { panic!("{slack:?}") };
    assert_eq!((&bytes[..6], *place), (&b"behind"[..], Some((at + used) as u64)));
}

#[test]
fn other_volumes_are_not_taken_for_ntfs() {
    let mut fat = vec![0_u8; 1 << 20];
    fat[3..11].copy_from_slice(b"MSDOS5.0");
    fat[510..512].copy_from_slice(&[0x55, 0xaa]);
    // A volume formatted anew keeps the backup boot sector of the file system before.
    let mut anew = fixture("mixed");
    anew[..512].copy_from_slice(&fat[..512]);
    for (name, image) in
        [("zeros", vec![0; 1 << 20]), ("fat", fat), ("formatted anew", anew), ("short", vec![1; 5])]
    {
        let found = recognise(&(Arc::new(image) as Arc<dyn ReadAt>));
        assert!(matches!(found, Recognised::Unknown), "{name}: {found:?}");
    }
}
