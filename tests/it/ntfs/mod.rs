//! NTFS: fixtures made by mkntfs and ntfs-3g, and volumes made by Windows.

mod damage;

use crate::support::{self, opened, walk};
use residue::error::Kind;
use residue::filesystem::{
    Entry, EntryId, EntryState, FileSystem, Layout, Place, Recognised, Role, StreamName, recognise,
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

const FIXTURES: &[&str] = &["mixed", "sectors4096", "clusters512", "clusters2m", "table", "few"];

fn fixture(name: &str) -> Vec<u8> {
    support::fixture(&format!("ntfs/{name}.img"))
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
        let ntfs = opened(fixture(name));
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
        every_cluster_is_owned_or_free(&*opened(fixture(name)), name);
    }
}

#[test]
fn facts_are_those_that_the_volume_was_made_with() {
    for (name, block) in
        [("mixed", 4096), ("sectors4096", 4096), ("clusters512", 512), ("clusters2m", 2 << 20)]
    {
        let ntfs = opened(fixture(name));
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
    let ntfs = opened(fixture("mixed"));
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
    let ntfs = opened(fixture("mixed"));
    let id = ntfs.find(b"/a link").unwrap();
    assert_eq!(ntfs.find(b"/dir/large.txt").unwrap(), id);
    let expected = ["/a link", "/dir/large.txt", "/dir/sub/second name"];
    assert_eq!(ntfs.paths(id).unwrap().all, expected.map(|path| path.as_bytes().to_vec()));
    assert_eq!(ntfs.entry(id).unwrap().links, 3);
}

#[test]
fn names_are_found_in_any_case() {
    let ntfs = opened(fixture("mixed"));
    let wanted = ntfs.find("/dir/naïve Ünïcödé 日本語 😀".as_bytes()).unwrap();
    assert_eq!(ntfs.find("/DIR/NAÏVE üNÏCÖDÉ 日本語 😀".as_bytes()).unwrap(), wanted);
    assert!(ntfs.same_name("é".as_bytes(), "É".as_bytes()));
    assert_eq!(ntfs.find(b"/dir/nothing").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(ntfs.find(b"/").unwrap(), ntfs.root());
}

#[test]
fn lists_name_what_paths_name() {
    for name in ["mixed", "clusters512"] {
        let ntfs = opened(fixture(name));
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
    let ntfs = opened(fixture("mixed"));
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
        let ntfs = opened(image);
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
fn the_log_of_a_volume_that_windows_made_remembers_a_file_whose_record_was_used_again() {
    let Some(image) = windows_volume("vsstest") else { return };
    let log = other_reader(&image, 2).map(|log| (log, "syslog".encode_utf16().flat_map(u16::to_le_bytes)));
    let ntfs = opened(image);
    let (entries, problems) = walk(&*ntfs);
    assert_eq!(problems, Vec::<String>::new());
    let former: Vec<_> = entries.iter().filter(|entry| ntfs.number(entry.id).version.is_some()).collect();
    let shown = |entry: &&Entry| {
        let path = ntfs.paths(entry.id).unwrap().all.pop().map(|path| escape(&path)).unwrap();
        (ntfs.number(entry.id).to_string(), path)
    };
    let shown: BTreeMap<_, _> = former.iter().map(shown).collect();
    assert_eq!(shown["35#1"], "/syslog");
    // What is there by now under that number.
    assert_eq!(ntfs.paths(EntryId(35)).unwrap().all, [b"/syslog.gz"]);
    for entry in former {
        assert_eq!(entry.state, EntryState::Deleted);
        assert_eq!(entry.notes[0], "recovered from $LogFile");
        assert_eq!(*entry, ntfs.entry(entry.id).unwrap());
        assert_eq!(ntfs.numbered(ntfs.number(entry.id)), entry.id);
    }
    let Some((log, name)) = log else { return };
    // Every place where the log has the name is about that file, or the one that has its record by now.
    let name: Vec<u8> = name.collect();
    let places: Vec<_> = (0..log.len() - name.len()).filter(|&at| log[at..].starts_with(&name)).collect();
    let told = places.iter().filter_map(|&at| ntfs.about(EntryId(2), &StreamName::Data, at as u64));
    let told: BTreeSet<_> = told.collect();
    assert!(
        told.contains("in the log's InitializeFileRecordSegment of record 35 (/syslog), used again since"),
        "{told:?}"
    );
    assert!(told.contains("in the log's InitializeFileRecordSegment of record 35 (/syslog.gz)"), "{told:?}");
    // What was done to attributes outside of records is told by the table of those that were open.
    let told: BTreeSet<_> = (0x4000..0x40000)
        .step_by(64)
        .filter_map(|at| ntfs.about(EntryId(2), &StreamName::Data, at))
        .filter(|told| !told.contains("Segment") && !told.contains("Attribute"))
        .collect();
    for expected in [
        "in the log's UpdateNonresidentValue of record 9 (/$Secure)",
        "in the log's UpdateNonresidentValue of record 4 (/$AttrDef)",
        "in the log's update of its index of record 5 (/)",
    ] {
        assert!(told.contains(expected), "{told:?}");
    }
}

#[test]
fn a_table_with_an_attribute_list_is_read_to_its_end() {
    let ntfs = opened(fixture("table"));
    let table = ntfs.entry(EntryId(0)).unwrap();
    assert!(table.stream(&StreamName::Attribute(b"$ATTRIBUTE_LIST".to_vec())).is_some());
    let runs = table.stream(&StreamName::Data).unwrap().runs();
    assert!(runs.len() > 150, "{}", runs.len());
    let last = walk(&*ntfs).0.last().map(|entry| entry.id.0).unwrap();
    assert!((last + 64) * 1024 > table.size(), "{last}");
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
        let ntfs = opened(image.clone());
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
        let ntfs = opened(fixture(name));
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
    let whole = opened(image.clone());
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
    let ntfs = opened(reused);
    let after = ntfs.entry(entry.id).unwrap();
    assert_eq!(after.notes, ["1 of 18 clusters overwritten: in use again"]);
    let content = ntfs.open(&after, &StreamName::Data).unwrap();
    assert_eq!(content.read_at(0, &mut [0; 10]).unwrap_err().kind(), Kind::Corrupt);
    content.read_at(4096, &mut [0; 4096]).unwrap();
}

/// Volume offset of record `number` of an undamaged fixture.
fn record_offset(image: &[u8], number: u64) -> usize {
    let table = opened(image.to_vec()).entry(EntryId(0)).unwrap();
    let offset = number * 1024;
    let run =
        table.streams[0].runs().iter().find(|run| (run.logical..run.logical + run.length).contains(&offset));
    let Place::At(start) = run.unwrap().place else { panic!("a hole") };
    usize::try_from(start + offset - run.unwrap().logical).unwrap()
}

#[test]
fn the_slack_of_records_is_kept() {
    let image = fixture("clusters512");
    let id = opened(image.clone()).find(b"/resident").unwrap();
    let at = record_offset(&image, id.0);
    let used = usize::from(u16::from_le_bytes(image[at + 0x18..at + 0x1a].try_into().unwrap()));
    let mut planted = image;
    planted[at + used..at + used + 6].copy_from_slice(b"behind");
    let entry = opened(planted).entry(id).unwrap();
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
