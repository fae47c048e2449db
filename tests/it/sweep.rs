//! Findings depend on what is on the disk alone: not on units, threads, or how a file lies on the disk.

use crate::support::{Random, engine};
use residue::error::{Error, Kind, Result};
use residue::filesystem::{
    DataRun, DirEntry, Entry, EntryId, EntryKind, Facts, FileSystem, Layout, Paths, Place, RunReader, Stream,
    StreamName, Walked,
};
use residue::io::ReadAt;
use residue::ownership;
use residue::sweep::{self, Ahead, Event, Ground, Job, Land};
use residue::volume::{Volume, VolumeKind};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const BLOCK: usize = 512;

fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        items.swap(at, random.below(at + 1));
    }
}

/// A file system whose files lie where the test puts them.
#[derive(Debug)]
struct Laid {
    volume: Arc<dyn ReadAt>,
    facts: Facts,
    entries: Vec<Entry>,
    free: Vec<Range<u64>>,
}

impl FileSystem for Laid {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn walk(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> Result<()> {
        for entry in &self.entries {
            if visit(Walked::Entry(entry.clone())).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn entry(&self, id: EntryId) -> Result<Entry> {
        let found = self.entries.iter().find(|entry| entry.id == id).cloned();
        found.ok_or_else(|| Error::new(Kind::NotFound, "no such entry"))
    }

    fn root(&self) -> EntryId {
        EntryId(2)
    }

    fn list(&self, _: EntryId, _: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<()> {
        Ok(())
    }

    fn paths(&self, id: EntryId) -> Result<Paths> {
        Ok(Paths { all: vec![format!("/file{}", id.0).into_bytes()] })
    }

    fn open(&self, entry: &Entry, stream: &StreamName) -> Result<Arc<dyn ReadAt>> {
        let stream = entry.stream(stream).ok_or_else(|| Error::new(Kind::NotFound, "no such stream"))?;
        Ok(Arc::new(RunReader::new(self.volume.clone(), stream)))
    }

    fn unallocated(&self, visit: &mut dyn FnMut(Range<u64>)) -> Result<()> {
        self.free.iter().cloned().for_each(visit);
        Ok(())
    }
}

/// Files with access keys at random places, some in UTF-16, some right at block borders.
fn contents(random: &mut Random) -> Vec<Vec<u8>> {
    (0..6)
        .map(|_| {
            let mut content = vec![b'.'; 200 + random.below(20 * BLOCK)];
            for _ in 0..12 {
                let digit = |random: &mut Random| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[random.below(32)];
                let mut token = b" AKIA".to_vec();
                token.extend((0..16).map(|_| digit(random)));
                token.push(b' ');
                if random.below(3) == 0 {
                    token = token.iter().flat_map(|&byte| [byte, 0]).collect();
                }
                let border = random.below(content.len() / BLOCK + 1) * BLOCK;
                let at = if random.below(2) == 0 {
                    border.saturating_sub(random.below(44))
                } else {
                    random.below(content.len())
                };
                if let Some(place) = content.get_mut(at..at + token.len()) {
                    place.copy_from_slice(&token);
                }
            }
            content
        })
        .collect()
}

/// Lays the files' blocks on a disk in the order that `arrange` gives, with free blocks between.
fn lay(contents: &[Vec<u8>], arrange: impl FnOnce(&mut Vec<Option<(usize, usize)>>)) -> (Vec<u8>, Laid) {
    let blocks = contents
        .iter()
        .enumerate()
        .flat_map(|(file, content)| (0..content.len().div_ceil(BLOCK)).map(move |block| Some((file, block))));
    let mut order: Vec<_> = blocks.chain(std::iter::repeat_n(None, 20)).collect();
    arrange(&mut order);
    let mut disk = vec![0; order.len() * BLOCK];
    let mut runs: Vec<Vec<DataRun>> = vec![Vec::new(); contents.len()];
    let mut free = Vec::new();
    for (place, block) in order.iter().enumerate() {
        let at = (place * BLOCK) as u64;
        match *block {
            None => free.push(at..at + BLOCK as u64),
            Some((file, block)) => {
                let part = &contents[file][block * BLOCK..contents[file].len().min((block + 1) * BLOCK)];
                disk[place * BLOCK..place * BLOCK + part.len()].copy_from_slice(part);
                let logical = (block * BLOCK) as u64;
                runs[file].push(DataRun { logical, length: BLOCK as u64, place: Place::At(at) });
            }
        }
    }
    let entries = contents.iter().zip(runs).enumerate().map(|(file, (content, mut runs))| {
        runs.sort_by_key(|run| run.logical);
        let size = content.len() as u64;
        let stream = Stream { name: StreamName::Data, size, initialised: size, layout: Layout::Runs(runs) };
        Entry {
            id: EntryId(10 + file as u64),
            kind: EntryKind::File,
            streams: vec![stream],
            ..Entry::default()
        }
    });
    let facts = Facts { kind: "laid", block_size: BLOCK as u64, size: disk.len() as u64, ..Facts::default() };
    let volume: Arc<dyn ReadAt> = Arc::new(disk.clone());
    (disk, Laid { volume, facts, entries: entries.collect(), free })
}

/// Entry, offset in the file and secret of every match.
type Found = std::collections::BTreeSet<(u64, u64, Vec<u8>)>;

fn found(disk: Vec<u8>, laid: Laid, unit: u64, threads: usize) -> Found {
    let bytes: Arc<dyn ReadAt> = Arc::new(disk);
    let filesystem: Arc<dyn FileSystem> = Arc::new(laid);
    let map = ownership::index(filesystem.as_ref(), bytes.size(), &mut |other| panic!("{other:?}")).unwrap();
    let volume = Volume::contiguous("whole", VolumeKind::Whole, 0..bytes.size());
    let land = Land {
        volume,
        reader: bytes.clone(),
        filesystem: Some(filesystem),
        map: Some(map),
        state: None,
        outside: false,
        opened: Vec::new(),
    };
    let ground = Ground::new(vec![land]);
    let mut found = Found::new();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    // Searched ahead as a whole, or not at all.
    let stop = AtomicBool::new(threads == 1);
    let mut ahead = Ahead::default();
    pool.install(|| sweep::ahead(bytes.as_ref(), unit, &engine().prefilter, &stop, &mut ahead));
    assert_eq!(ahead.is_empty(), threads == 1);
    let job = Job {
        ahead: &ahead,
        disk: &bytes,
        ground: &ground,
        encoded: &[],
        unit,
        start: 0,
        budget: u64::MAX,
        watch: |_| false,
    };
    let mut events = Vec::new();
    pool.install(|| {
        sweep::sweep(&job, (&engine().prefilter, &engine().detector), &mut |event| {
            events.push(event);
            Ok(())
        })
    })
    .unwrap();
    for event in events {
        let Event::Candidates(candidates) = event else { continue };
        for candidate in candidates {
            if engine().detector.rules()[candidate.rule].id == "aws-access-key-id" {
                let (entry, _) = candidate.entry.expect("only files hold tokens");
                let offset = candidate.file_offset.expect("files have offsets");
                found.insert((entry.0, offset, candidate.secret.expose().to_vec()));
            }
        }
    }
    found
}

#[test]
fn findings_depend_neither_on_units_nor_threads_nor_fragments() {
    for seed in 1..=30 {
        let mut random = Random(seed);
        let contents = contents(&mut random);
        let whole = |unit, threads| {
            let (disk, laid) = lay(&contents, |_| {});
            found(disk, laid, unit, threads)
        };
        let expected = whole(1 << 20, 1);
        assert!(expected.len() > 20, "seed {seed}: only {} tokens", expected.len());
        for (unit, threads) in [(512, 1), (1000, 2), (4096, 3), (777, 4)] {
            assert_eq!(whole(unit, threads), expected, "seed {seed}, units of {unit}, {threads} threads");
        }
        let (disk, laid) = lay(&contents, |order| shuffle(&mut random, order));
        assert_eq!(found(disk, laid, 3000, 2), expected, "seed {seed}, blocks shuffled");
        let (disk, laid) = lay(&contents, |order| order.reverse());
        assert_eq!(found(disk, laid, 4096, 1), expected, "seed {seed}, blocks reversed");
    }
}
