//! ext2, ext3 and ext4 images made by e2fsprogs and the kernel, against listings of what was put into them.

mod damage;

use crate::support::{self, opened, walk};
use residue::error::Kind;
use residue::filesystem::{
    DataRun, Entry, EntryId, EntryKind, EntryState, FileSystem, Layout, Place, Role, StreamName,
};
use residue::io::{ReadAt, Window, read_vec};
use residue::location::unescape;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::Arc;

/// Images that hold the common tree, with the kind and the features they must show.
const WITH_TREE: &[(&str, &str, &[&str])] = &[
    ("ext2", "ext2", &["filetype", "sparse_super"]),
    ("ext3", "ext3", &["has_journal"]),
    ("ext4", "ext4", &["has_journal", "extent", "64bit", "flex_bg", "metadata_csum"]),
    ("ext4-1k", "ext4", &["has_journal", "extent", "dir_index"]),
    ("ext4-64k", "ext4", &["extent"]),
    ("bigalloc", "ext4", &["bigalloc"]),
    ("inline", "ext4", &["inline_data"]),
    ("nocsum", "ext4", &["uninit_bg"]),
    ("meta_bg", "ext4", &["meta_bg"]),
    ("inode128", "ext4", &["metadata_csum"]),
    ("sparse2", "ext4", &["sparse_super2", "large_dir", "casefold", "metadata_csum_seed", "ea_inode"]),
    ("ext2-old", "ext2", &[]),
];

fn fixture(name: &str) -> Vec<u8> {
    support::fixture(&format!("ext4/{name}"))
}

fn content(fs: &dyn FileSystem, entry: &Entry, stream: &StreamName) -> Vec<u8> {
    let reader = fs.open(entry, stream).unwrap();
    read_vec(reader.as_ref(), 0, usize::try_from(reader.size()).unwrap()).unwrap()
}

fn digest(reader: &dyn ReadAt) -> String {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while at < reader.size() {
        let length = usize::try_from((reader.size() - at).min(1 << 20)).unwrap();
        reader.read_at(at, &mut buffer[..length]).unwrap();
        hash.update(&buffer[..length]);
        at += length as u64;
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// What is compared of a file, link or directory: its type, and for the former two size and SHA-256.
type Row = (String, Option<(u64, String)>);

/// The tree as an image holds it: with `inline_data`, mke2fs loses the hole at the end of one file, and its
/// own `debugfs` reads the file like this.
fn tree(image: &str) -> BTreeMap<Vec<u8>, Row> {
    let mut rows = truth("tree");
    if image == "inline" {
        let sum = "53d4fe405d327f13d677b32775a950f2cb725e0dc460b44af8d2625d91b5cb10".to_string();
        rows.insert(b"/pieces.bin".to_vec(), ("file".to_string(), Some((7_430_144, sum))));
    }
    rows
}

fn truth(name: &str) -> BTreeMap<Vec<u8>, Row> {
    let text = String::from_utf8(fixture(&format!("{name}.truth"))).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    rows.map(|row| {
        let sha256 = row["sha256"].as_str().map(|sum| (row["size"].as_u64().unwrap(), sum.to_string()));
        (unescape(row["path"].as_str().unwrap()), (row["type"].as_str().unwrap().to_string(), sha256))
    })
    .filter(|(path, _)| path != b"/lost+found")
    .collect()
}

fn row(fs: &dyn FileSystem, entry: &Entry) -> Option<Row> {
    let name = match entry.kind {
        EntryKind::Directory => return Some(("directory".to_string(), None)),
        EntryKind::File => "file",
        EntryKind::Symlink => "link",
        EntryKind::Special | EntryKind::Unknown => return None,
    };
    let reader = fs.open(entry, &StreamName::Data).unwrap();
    assert_eq!(reader.size(), entry.size());
    Some((name.to_string(), Some((reader.size(), digest(reader.as_ref())))))
}

/// Everything with a name, found through the scan of the inode tables.
fn scanned(fs: &dyn FileSystem, entries: &[Entry]) -> BTreeMap<Vec<u8>, Row> {
    let mut found = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.state == EntryState::Allocated) {
        // Files without a name are the file system's own, some of them sparse and huge.
        let paths = fs.paths(entry.id).unwrap().all;
        if let Some(row) = (!paths.is_empty()).then(|| row(fs, entry)).flatten() {
            found.extend(paths.into_iter().map(|path| (path, row.clone())));
        }
    }
    found.retain(|path, _| path != b"/lost+found" && path != b"/");
    found
}

/// Everything with a name, found by going through the directories from the root on.
fn listed(fs: &dyn FileSystem) -> BTreeMap<Vec<u8>, Row> {
    let mut found = BTreeMap::new();
    let mut open = vec![(Vec::new(), fs.root())];
    while let Some((path, directory)) = open.pop() {
        fs.list(directory, &mut |name| {
            let full = [&path[..], b"/", &name.name].concat();
            let entry = fs.entry(name.id).unwrap();
            assert!(name.kind == entry.kind || name.kind == EntryKind::Unknown);
            if entry.kind == EntryKind::Directory {
                open.push((full.clone(), name.id));
            }
            if let Some(row) = row(fs, &entry) {
                found.insert(full, row);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    found.remove(&b"/lost+found"[..]);
    found
}

fn same(found: &BTreeMap<Vec<u8>, Row>, expected: &BTreeMap<Vec<u8>, Row>, what: &str) {
    for (path, row) in expected {
        assert_eq!(found.get(path), Some(row), "{what}: {}", residue::location::escape(path));
    }
    for path in found.keys() {
        assert!(expected.contains_key(path), "{what}: {} is too much", residue::location::escape(path));
    }
}

fn free(fs: &dyn FileSystem) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    fs.unallocated(&mut |range| ranges.push(range)).unwrap();
    assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start), "not ascending and joined");
    ranges
}

fn stored(run: &DataRun) -> Option<Range<u64>> {
    match run.place {
        Place::At(at) | Place::Unwritten(at) | Place::Superseded(at) => Some(at..at + run.length),
        Place::Hole => None,
    }
}

fn le_u32(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()).into()
}

#[test]
fn every_kind_of_image_gives_the_tree_back() {
    for (name, kind, features) in WITH_TREE {
        let expected = tree(name);
        let fs = opened(fixture(&format!("{name}.img")));
        assert_eq!(fs.facts().kind, *kind, "{name}");
        assert_eq!(fs.facts().notes, Vec::<String>::new(), "{name}");
        assert_eq!(fs.facts().label.as_deref(), Some(&*format!("label {name}")));
        assert_eq!(fs.facts().uuid.as_deref(), Some("12345678-1234-5678-9abc-def012345678"));
        for feature in *features {
            assert!(fs.facts().features.iter().any(|found| found == feature), "{name}: {feature}");
        }
        let (entries, problems) = walk(fs.as_ref());
        assert_eq!(problems, Vec::<String>::new(), "{name}");
        same(&scanned(fs.as_ref(), &entries), &expected, name);
        same(&listed(fs.as_ref()), &expected, name);
        let notes: Vec<_> = entries.iter().flat_map(|entry| &entry.notes).collect();
        assert!(notes.is_empty(), "{name}: {notes:?}");
        assert!(entries.iter().all(|entry| entry.state == EntryState::Allocated), "{name}");
    }
}

#[test]
fn free_space_is_what_the_superblock_counts_and_no_file_lies_in_it() {
    for (name, ..) in WITH_TREE {
        let bytes = fixture(&format!("{name}.img"));
        let counted = le_u32(&bytes, 1024 + 0xc);
        let fs = opened(bytes);
        let free = free(fs.as_ref());
        let total: u64 = free.iter().map(|range| range.end - range.start).sum();
        assert_eq!(total / fs.facts().block_size, counted, "{name}");
        let (entries, _) = walk(fs.as_ref());
        for entry in &entries {
            for run in entry.streams.iter().flat_map(|stream| stream.runs()).filter_map(stored) {
                let clash = free.iter().find(|free| free.start < run.end && run.start < free.end);
                assert_eq!(clash, None, "{name}: inode {} at {run:?}", entry.id.0);
            }
        }
    }
}

#[test]
fn hard_links_times_owner_and_attributes_are_read() {
    for (name, ..) in WITH_TREE {
        let fs = opened(fixture(&format!("{name}.img")));
        let medium = fs.entry(fs.find(b"/odd/medium-again.txt").unwrap()).unwrap();
        assert_eq!(medium.links, 3, "{name}");
        let paths = fs.paths(medium.id).unwrap().all;
        assert_eq!(paths, [&b"/home/a-third-name"[..], b"/medium.txt", b"/odd/medium-again.txt"], "{name}");
        let tiny = fs.entry(fs.find(b"/tiny").unwrap()).unwrap();
        assert_eq!(tiny.owner.mode, Some(0o4750), "{name}");
        assert_eq!((tiny.owner.uid, tiny.owner.gid), (Some(0), Some(0)));
        assert_eq!(tiny.times.modified.unwrap().as_second(), 1_600_000_002, "{name}");
        assert_eq!(tiny.times.deleted, None);
        let attribute = |entry: &Entry, name: &str| {
            content(fs.as_ref(), entry, &StreamName::Xattr(name.as_bytes().to_vec()))
        };
        if fs.facts().features.iter().any(|feature| feature == "ext_attr") {
            assert_eq!(attribute(&tiny, "user.comment"), b"an attribute in the inode", "{name}");
            assert_eq!(attribute(&medium, "user.long"), b"attribute in a block ".repeat(30), "{name}");
        }
    }
}

#[test]
fn resident_bytes_and_runs_lie_where_they_are_said_to() {
    for (name, ..) in WITH_TREE {
        let bytes = Arc::new(fixture(&format!("{name}.img")));
        let fs = support::opened_volume(&(Arc::clone(&bytes) as Arc<dyn ReadAt>));
        let (entries, _) = walk(fs.as_ref());
        let mut resident = 0;
        for stream in entries.iter().flat_map(|entry| &entry.streams) {
            if let Layout::Resident { bytes: content, place: Some(place) } = &stream.layout {
                let at = usize::try_from(*place).unwrap();
                assert_eq!(&bytes[at..at + content.len()], &content[..], "{name}");
                resident += 1;
            }
            assert!(stream.runs().windows(2).all(|pair| pair[0].logical < pair[1].logical), "{name}");
        }
        assert!(resident > 0, "{name}");
        let journals = entries.iter().filter(|entry| entry.role == Role::Journal).count();
        let has = fs.facts().features.iter().any(|feature| feature == "has_journal");
        assert_eq!(journals, usize::from(has), "{name}");
    }
}

#[test]
fn inline_content_is_resident() {
    let fs = opened(fixture("inline.img"));
    for (path, resident) in
        [(&b"/tiny"[..], true), (b"/fits-inline", true), (b"/spills-inline", true), (b"/medium.txt", false)]
    {
        let entry = fs.entry(fs.find(path).unwrap()).unwrap();
        let layout = &entry.stream(&StreamName::Data).unwrap().layout;
        assert_eq!(matches!(layout, Layout::Resident { .. }), resident, "{path:?}");
    }
}

#[test]
fn reserved_blocks_are_unwritten_and_read_as_zeros() {
    let fs = opened(fixture("unwritten.img"));
    let entry = fs.entry(fs.find(b"/file").unwrap()).unwrap();
    let stream = entry.stream(&StreamName::Data).unwrap();
    assert_eq!(stream.size, 10 * 1024);
    let unwritten: u64 = stream
        .runs()
        .iter()
        .filter(|run| matches!(run.place, Place::Unwritten(_)))
        .map(|run| run.length)
        .sum();
    assert_eq!(unwritten, 16 * 1024);
    let end = stream.runs().iter().map(|run| run.logical + run.length).max();
    assert_eq!(end, Some(20 * 1024), "blocks past the end stay with the file");
    let mut expected = vec![0; 10 * 1024];
    expected[..15].copy_from_slice(b"written content");
    assert_eq!(content(fs.as_ref(), &entry, &StreamName::Data), expected);
}

#[test]
fn a_dirty_journal_is_replayed_in_memory() {
    for name in ["journal-v3", "journal-plain"] {
        let bytes = Arc::new(fixture(&format!("{name}.img")));
        let fs = support::opened_volume(&(Arc::clone(&bytes) as Arc<dyn ReadAt>));
        let notes = fs.facts().notes.join("\n");
        assert!(notes.contains("journal replayed in memory"), "{name}: {notes}");
        assert!(fs.facts().features.iter().any(|feature| feature == "needs_recovery"), "{name}");
        let (entries, problems) = walk(fs.as_ref());
        assert_eq!(problems, Vec::<String>::new(), "{name}");
        same(&scanned(fs.as_ref(), &entries), &truth(name), name);
        same(&listed(fs.as_ref()), &truth(name), name);
    }
}

#[test]
fn home_blocks_behind_the_journal_are_superseded_and_beside_their_copies() {
    let fs = opened(fixture("journal-v3.img"));
    let entry = fs.entry(fs.find(b"/magic").unwrap()).unwrap();
    let runs = entry.stream(&StreamName::Data).unwrap().runs();
    let journal = fs.entry(EntryId(8)).unwrap();
    let log: Vec<_> = journal.streams[0].runs().iter().filter_map(stored).collect();
    let mut superseded = 0;
    for pair in runs.windows(2).filter(|pair| matches!(pair[1].place, Place::Superseded(_))) {
        let copy = stored(&pair[0]).unwrap();
        assert_eq!((pair[0].logical, pair[0].length), (pair[1].logical, pair[1].length));
        assert!(log.iter().any(|log| log.start <= copy.start && copy.end <= log.end), "{copy:?}");
        superseded += 1;
    }
    assert_eq!(superseded, 6);
    let bytes = content(fs.as_ref(), &entry, &StreamName::Data);
    assert!(bytes.chunks(1024).all(|block| block.starts_with(&[0xc0, 0x3b, 0x39, 0x98])), "escaping undone");
}

#[test]
fn an_open_file_without_a_name_is_an_orphan() {
    for name in ["journal-v3", "journal-plain"] {
        let fs = opened(fixture(&format!("{name}.img")));
        let (entries, _) = walk(fs.as_ref());
        let orphans: Vec<_> = entries.iter().filter(|entry| entry.state == EntryState::Orphan).collect();
        let [orphan] = orphans[..] else { panic!("{name}: {orphans:?}") };
        assert_eq!(orphan.times.deleted, None, "the field holds the next orphan's number");
        let expected = b"open, without a name\n".repeat(200);
        assert_eq!(content(fs.as_ref(), orphan, &StreamName::Data), expected, "{name}");
        assert_eq!(fs.paths(orphan.id).unwrap().all, [b"/held"], "{name}: from the journal");
    }
}

#[test]
fn files_removed_from_ext2_keep_content_and_last_name() {
    let fs = opened(fixture("deleted-ext2.img"));
    let (entries, _) = walk(fs.as_ref());
    let expected = truth("tree");
    let deleted: Vec<_> = entries.iter().filter(|entry| entry.state == EntryState::Deleted).collect();
    assert_eq!(deleted.len(), 1, "medium.txt has other names, and stays");
    assert_eq!(fs.paths(deleted[0].id).unwrap().all, [b"/large.txt"]);
    assert_eq!(row(fs.as_ref(), deleted[0]).as_ref(), expected.get(&b"/large.txt"[..]));
    assert!(deleted[0].times.deleted.is_some());
    let medium = fs.find(b"/odd/medium-again.txt").unwrap();
    assert_eq!(fs.paths(medium).unwrap().all, [&b"/home/a-third-name"[..], b"/odd/medium-again.txt"]);
}

#[test]
fn a_name_whose_inode_was_wiped_is_noted_by_its_directory() {
    let mut bytes = fixture("ext2.img");
    let fs = opened(bytes.clone());
    let number = u32::try_from(fs.find(b"/tiny").unwrap().0).unwrap();
    // A directory record: inode, its own length, the name's length, type, name.
    let record = |at: &usize| {
        bytes[*at..].starts_with(&number.to_le_bytes()) && &bytes[at + 6..at + 12] == b"\x04\x01tiny"
    };
    let at = (0..bytes.len() - 12).step_by(4).find(record).unwrap();
    bytes[at..at + 4].fill(0);
    let fs = opened(bytes);
    let (entries, problems) = walk(fs.as_ref());
    assert_eq!(problems, Vec::<String>::new());
    let root = entries.iter().find(|entry| entry.id == fs.root()).unwrap();
    assert_eq!(root.notes, ["once held tiny (its inode has been wiped)"]);
}

/// What was removed before the image was made, by path.
const REMOVED: &[&str] =
    &["/dir/big", "/dir/pieces", "/gone-dir/a", "/gone-dir/sub/b", "/link-slow", "/secret.txt"];

fn recovered(fs: &dyn FileSystem) -> BTreeMap<Vec<u8>, Entry> {
    let (entries, problems) = walk(fs);
    assert_eq!(problems, Vec::<String>::new());
    let deleted = entries.into_iter().filter(|entry| {
        entry.state == EntryState::Deleted
            && entry.notes.iter().any(|note| note == "recovered from the journal")
    });
    let mut found = BTreeMap::new();
    for entry in deleted {
        assert_eq!(fs.entry(entry.id).unwrap(), entry);
        for path in fs.paths(entry.id).unwrap().all {
            assert!(found.insert(path, entry.clone()).is_none());
        }
    }
    found
}

#[test]
fn files_removed_by_the_kernel_come_back_from_the_journal_with_their_names() {
    let fs = opened(fixture("deleted.img"));
    let found = recovered(fs.as_ref());
    let expected = truth("deleted");
    for path in REMOVED {
        let entry = found.get(path.as_bytes()).unwrap_or_else(|| panic!("{path} in {:?}", found.keys()));
        assert_eq!(row(fs.as_ref(), entry).as_ref(), expected.get(path.as_bytes()), "{path}");
        assert!(entry.times.deleted.is_some(), "{path}");
        assert_eq!(entry.notes.len(), 1, "{path}: {:?}", entry.notes);
    }
    assert!(!found.contains_key(&b"/stays"[..]));
}

#[test]
fn of_a_removed_file_only_blocks_that_nobody_else_has_are_given() {
    let fs = opened(fixture("reused.img"));
    let free = free(fs.as_ref());
    let expected = truth("deleted");
    let (entries, _) = walk(fs.as_ref());
    let (mut partly, mut reused) = (0, 0);
    for entry in entries.iter().filter(|entry| entry.notes.iter().any(|note| note.contains("journal"))) {
        let stream = entry.stream(&StreamName::Data).unwrap();
        for run in stream.runs().iter().filter_map(stored) {
            assert!(free.iter().any(|free| free.start <= run.start && run.end <= free.end), "{run:?}");
        }
        reused += usize::from(entry.id.0 > u64::from(u32::MAX));
        let reader = fs.open(entry, &StreamName::Data).unwrap();
        let whole = read_vec(reader.as_ref(), 0, usize::try_from(reader.size()).unwrap());
        let overwritten = entry.notes.iter().any(|note| note.contains("blocks overwritten"));
        assert_eq!(whole.is_err(), overwritten, "{:?}", entry.notes);
        partly += usize::from(overwritten);
        if !overwritten && entry.kind == EntryKind::File {
            let row = row(fs.as_ref(), entry).unwrap();
            assert!(expected.values().any(|known| *known == row), "inode {}", entry.id.0);
        }
    }
    assert!(partly > 0 && reused > 0, "{partly} {reused}");
    let live = fs.find(b"/later-0").unwrap();
    assert_eq!(fs.paths(live).unwrap().all, [b"/later-0"]);
    assert_eq!(fs.entry(live).unwrap().state, EntryState::Allocated);
}

#[test]
fn foreign_images_give_what_their_listing_says() {
    let Some(folder) = std::env::var_os("RESIDUE_IMAGES").map(PathBuf::from) else {
        println!("skipped: RESIDUE_IMAGES is not set");
        return;
    };
    let listing = std::fs::File::open(folder.join("truth.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(listing).read_to_string(&mut text).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let real = |name| support::real_image(name).expect("the folder is named");
    let ext2 = [real("ext2.splitraw.000"), real("ext2.splitraw.001")];
    // The same disk as in the containers of that name.
    for (image, listed_as, bytes) in [
        ("test_disk1.raw", "test_disk1.raw", real("test_disk1.raw")),
        ("ext2.splitraw", "ext2.qcow2", ext2.concat()),
    ] {
        let disk: Arc<dyn ReadAt> = Arc::new(bytes);
        let rows: Vec<_> = rows.iter().filter(|row| row["image"] == listed_as).collect();
        assert!(!rows.is_empty(), "{image}");
        let start = rows[0]["partition_offset"].as_u64().unwrap();
        let window = Window::new(Arc::clone(&disk), start, disk.size() - start).unwrap();
        let fs = support::opened_volume(&(Arc::new(window) as Arc<dyn ReadAt>));
        let (entries, problems) = walk(fs.as_ref());
        assert_eq!(problems, Vec::<String>::new(), "{image}");
        let mut compared = 0;
        for row in rows.iter().filter(|row| row["deleted"] == false && row["type"] == "r") {
            let number: u64 = row["inode"].as_str().unwrap().split('-').next().unwrap().parse().unwrap();
            let path = row["path"].as_str().unwrap();
            let entry = entries.iter().find(|entry| entry.id == EntryId(number));
            let entry = entry.unwrap_or_else(|| panic!("{image}: {path} (inode {number})"));
            assert_eq!(row["size"].as_u64(), Some(entry.size()), "{image}: {path}");
            match fs.open(entry, &StreamName::Data) {
                Ok(reader) => {
                    let full = [b"/", path.as_bytes()].concat();
                    let paths = fs.paths(entry.id).unwrap().all;
                    assert!(paths.contains(&full), "{image}: {path}: {paths:?}");
                    assert_eq!(row["sha256"].as_str(), Some(&*digest(reader.as_ref())), "{image}: {path}");
                    compared += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Encrypted, "{image}: {path}: {error}");
                    assert_eq!(row["sha256"].as_str().map(str::len), Some(64), "{image}: {path}");
                }
            }
        }
        println!("{image}: {compared} files compared");
        assert!(compared > 0, "{image}");
    }
}
