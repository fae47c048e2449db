//! Damaged ext volumes: what is lost is said, and costs nothing besides.

use super::{fixture, le_u32, listed, row, same, scanned, stored, truth};
use crate::support::{Random, opened, opened_volume, walk};
use residue::error::Kind;
use residue::filesystem::{EntryKind, FileSystem, Recognised, Role, StreamName, recognise};
use residue::io::{ReadAt, read_vec};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_lost_superblock_is_replaced_by_a_backup() {
    for (name, lost) in [("ext4-1k", 1024..2048), ("ext2", 0..8192), ("journal-v3", 1024..2048)] {
        let mut bytes = fixture(&format!("{name}.img"));
        bytes[lost].fill(0);
        let fs = opened(bytes);
        let notes = fs.facts().notes.join("\n");
        assert!(notes.contains("superblock damaged"), "{name}: {notes}");
        let (entries, problems) = walk(fs.as_ref());
        assert_eq!(problems, Vec::<String>::new(), "{name}");
        let expected = truth(if name == "journal-v3" { name } else { "tree" });
        same(&scanned(fs.as_ref(), &entries), &expected, name);
    }
}

#[test]
fn a_wrong_superblock_checksum_leads_to_the_backup() {
    let mut bytes = fixture("ext4-1k.img");
    // A damaged inode size would make every inode unreadable.
    bytes[1024 + 0x58] = 0x80;
    bytes[1024 + 0x59] = 0;
    let fs = opened(bytes);
    assert!(fs.facts().notes.join("\n").contains("checksum mismatch, the backup"), "{:?}", fs.facts().notes);
    same(&listed(fs.as_ref()), &truth("tree"), "wrong checksum");
}

/// Volume offset of an inode's record, found by its own content.
fn inode_place(fs: &dyn FileSystem, bytes: &[u8], path: &[u8]) -> usize {
    let entry = fs.entry(fs.find(path).unwrap()).unwrap();
    let size = u32::try_from(entry.size()).unwrap().to_le_bytes();
    let generation = u32::try_from(entry.generation).unwrap().to_le_bytes();
    let owner = entry.owner.mode.unwrap();
    let places = (0..bytes.len() - 256).step_by(256).filter(|&at| {
        bytes[at + 4..at + 8] == size
            && bytes[at + 0x64..at + 0x68] == generation
            && u16::from_le_bytes([bytes[at], bytes[at + 1]]) & 0o7777 == owner
            && bytes[at + 0x1a] == u8::try_from(entry.links).unwrap()
    });
    let places: Vec<_> = places.collect();
    assert_eq!(places.len(), 1, "{places:?}");
    places[0]
}

#[test]
fn an_extent_tree_that_contains_itself_costs_only_its_file() {
    let mut bytes = fixture("ext4-1k.img");
    let fs = opened(bytes.clone());
    let at = inode_place(fs.as_ref(), &bytes, b"/pieces.bin");
    assert!(bytes[at + 0x28 + 6] >= 1, "the file has a tree of its own");
    // Every node below the root is the first one, and that one says to be a node above itself.
    let first = usize::try_from(le_u32(&bytes, at + 0x28 + 12 + 4)).unwrap() * 1024;
    let block = u32::try_from(first / 1024).unwrap().to_le_bytes();
    let depth = bytes[at + 0x28 + 6];
    bytes[first + 6] = depth;
    bytes[first + 12 + 4..first + 12 + 8].copy_from_slice(&block);
    let fs = opened(bytes);
    let (entries, problems) = walk(fs.as_ref());
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("extent node depth"), "{problems:?}");
    let entry = fs.entry(fs.find(b"/pieces.bin").unwrap()).unwrap();
    let reader = fs.open(&entry, &StreamName::Data).unwrap();
    let error = reader.read_at(65536, &mut [0; 512]).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "a lost part is an error, not zeros");
    let mut expected = truth("tree");
    expected.remove(&b"/pieces.bin"[..]);
    let entries: Vec<_> = entries.into_iter().filter(|other| other.id != entry.id).collect();
    same(&scanned(fs.as_ref(), &entries), &expected, "looped tree");
}

#[test]
fn a_wrecked_block_of_the_inode_table_costs_only_its_inodes() {
    let mut bytes = fixture("ext4-1k.img");
    let fs = opened(bytes.clone());
    let at = inode_place(fs.as_ref(), &bytes, b"/large.txt") & !1023;
    let wrecked: Vec<u8> = (0..1024_u32).map(|i| (i * 7 + i / 3).to_le_bytes()[0] | 1).collect();
    bytes[at..at + 1024].copy_from_slice(&wrecked);
    let fs = opened(bytes);
    let (entries, problems) = walk(fs.as_ref());
    assert!(!problems.is_empty());
    let found: BTreeMap<_, _> = entries
        .iter()
        .filter(|entry| entry.notes.is_empty())
        .map(|entry| (fs.paths(entry.id).unwrap().all, entry))
        .filter(|(paths, _)| !paths.is_empty())
        .filter_map(|(paths, entry)| Some((paths, row(fs.as_ref(), entry)?)))
        .flat_map(|(paths, row)| paths.into_iter().map(move |path| (path, row.clone())))
        .collect();
    let lost: Vec<_> = truth("tree").into_keys().filter(|path| !found.contains_key(path)).collect();
    // The block holds four inodes, one of which has three names.
    assert!(lost.len() <= 6 && lost.contains(&b"/large.txt".to_vec()), "{}", lost.len());
}

#[test]
fn a_cut_image_gives_what_is_left_and_says_so() {
    let mut bytes = fixture("ext4-1k.img");
    bytes.truncate(bytes.len() / 4);
    let fs = opened(bytes);
    let notes = fs.facts().notes.join("\n");
    assert!(notes.contains("claims"), "{notes}");
    let (entries, _) = walk(fs.as_ref());
    assert!(entries.len() > 100, "{}", entries.len());
}

/// A volume whose bytes differ from a shared image in some places.
#[derive(Debug)]
struct Mutated {
    image: Arc<Vec<u8>>,
    changes: BTreeMap<u64, u8>,
}

impl ReadAt for Mutated {
    fn size(&self) -> u64 {
        ReadAt::size(self.image.as_ref())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> residue::error::Result<()> {
        self.image.read_at(offset, buffer)?;
        for (at, byte) in self.changes.range(offset..offset + buffer.len() as u64) {
            buffer[usize::try_from(at - offset).unwrap()] = *byte;
        }
        Ok(())
    }
}

#[test]
fn mutated_metadata_never_panics_and_ends_in_time() {
    for name in ["journal-v3", "reused", "planted", "inline", "ext2", "deleted-ext2", "unwritten", "bigalloc"]
    {
        let image = Arc::new(fixture(&format!("{name}.img")));
        let whole = opened_volume(&(Arc::clone(&image) as Arc<dyn ReadAt>));
        // Places that hold something and are no content of files.
        let (entries, _) = walk(whole.as_ref());
        let files =
            entries.iter().filter(|entry| entry.kind == EntryKind::File && entry.role == Role::Content);
        let mut data: Vec<_> =
            files.flat_map(|e| &e.streams).flat_map(|s| s.runs()).filter_map(stored).collect();
        data.sort_unstable_by_key(|range| range.start);
        let metadata: Vec<usize> = (0..image.len() / 64)
            .map(|piece| piece * 64)
            .filter(|&at| image[at..at + 64].iter().any(|byte| *byte != 0))
            .filter(|&at| {
                let next = data.partition_point(|range| range.end <= at as u64);
                data.get(next).is_none_or(|range| range.start > at as u64)
            })
            .collect();
        for seed in 1..=12_u64 {
            println!("{name}: seed {seed}");
            let mut random = Random(seed);
            let changes = (0..200).map(|_| {
                let at = metadata[random.below(metadata.len())] + random.below(64);
                let byte = [0, 0xff, 0x80, 1, random.below(256)][random.below(5)];
                (at as u64, u8::try_from(byte).unwrap())
            });
            let volume: Arc<dyn ReadAt> =
                Arc::new(Mutated { image: Arc::clone(&image), changes: changes.collect() });
            // Far above what it takes, since the machine may be busy: what must not happen is a hang.
            let started = Instant::now();
            if let Recognised::Opened(fs) = recognise(&volume) {
                exercise(fs.as_ref());
            }
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "{name}: seed {seed}: {:?}",
                started.elapsed()
            );
        }
    }
}

/// Calls everything there is, without believing any of it.
fn exercise(fs: &dyn FileSystem) {
    let (entries, _) = walk(fs);
    fs.unallocated(&mut |_| {}).unwrap_or_default();
    for entry in &entries {
        fs.paths(entry.id).unwrap_or_default();
        fs.list(entry.id, &mut |_| ControlFlow::Continue(())).unwrap_or_default();
        for stream in &entry.streams {
            if let Ok(reader) = fs.open(entry, &stream.name) {
                let length = usize::try_from(reader.size().min(1 << 16)).unwrap();
                read_vec(reader.as_ref(), 0, length).unwrap_or_default();
            }
        }
    }
}
